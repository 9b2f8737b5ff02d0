/*
 * Devices that nobody announced (cwmp_unknown): what the step of an Inform may
 * do with one.  Whether a device is known only Redis knows, so its answer says
 * that a new one came; that is counted here, by source, and while a source has
 * brought too many the next steps say that no new one of it may come.  Those
 * that are known never pay for it.  How many come from everywhere Redis counts,
 * by partition.
 */

#include "ngx_http_cwmp.h"


#define NGX_HTTP_CWMP_UNKNOWN_ALL  NGX_MAX_INT32_VALUE


/* in the order of NGX_HTTP_CWMP_UNKNOWN_ACCEPT, ... */
static const struct {
    const char              *name;
    ngx_uint_t               rate;      /* what holds when nothing is said */
    ngx_uint_t               total;
    ngx_http_cwmp_count_e    count;
} ngx_http_cwmp_unknowns[] = {
    { "accept", 20000, 20000, NGX_HTTP_CWMP_COUNT_NEW },
    { "quarantine", 300, 600, NGX_HTTP_CWMP_COUNT_QUARANTINED },
    { "refuse", 0, 0, NGX_HTTP_CWMP_COUNT_REFUSED }
};

/* why a step did not take an Inform */
static const struct {
    const char              *why;
    ngx_http_cwmp_count_e    count;
} ngx_http_cwmp_unknown_whys[] = {
    { "new", NGX_HTTP_CWMP_COUNT_OVER_RATE },
    { "unknown", NGX_HTTP_CWMP_COUNT_REFUSED },
    { "quarantine", NGX_HTTP_CWMP_COUNT_REFUSED },
    { "denied", NGX_HTTP_CWMP_COUNT_DENIED }
};


static char *ngx_http_cwmp_unknown_parameter(ngx_conf_t *cf,
    ngx_http_cwmp_unknown_t *unknown, ngx_str_t *value);
static ngx_int_t ngx_http_cwmp_unknown_rate(ngx_str_t *value, size_t skip);
static void ngx_http_cwmp_outgrown(ngx_http_cwmp_ctx_t *ctx);
static void ngx_http_cwmp_registered_done(void *data, redisReply *reply,
    const char *error);


/* cwmp_unknown accept | quarantine | refuse [rate=N/m] [total=N/m]
   [source=STRING]; */

char *
ngx_http_cwmp_unknown(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cwmp_loc_conf_t  *clcf = conf;

    char                     *rv;
    ngx_str_t                *value;
    ngx_uint_t                i;
    ngx_http_cwmp_unknown_t  *unknown = &clcf->unknown;

    if (unknown->mode != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 0; i < 3; i++) {
        if (ngx_strcmp(value[1].data, ngx_http_cwmp_unknowns[i].name) == 0) {
            unknown->mode = i;
            unknown->rate = ngx_http_cwmp_unknowns[i].rate;
            unknown->total = ngx_http_cwmp_unknowns[i].total;
        }
    }

    if (unknown->mode == NGX_CONF_UNSET_UINT) {
        return ngx_http_cwmp_invalid(cf, "accept, quarantine or refuse");
    }

    if (unknown->mode == NGX_HTTP_CWMP_UNKNOWN_REFUSE
        && cf->args->nelts > 2)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\" in "
                           "\"cwmp_unknown refuse\": it lets none come, and "
                           "has no parameters", &value[2]);
        return NGX_CONF_ERROR;
    }

    rv = ngx_http_cwmp_distinct(cf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_http_cwmp_unknown_parameter(cf, unknown, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_cwmp_unknown_parameter(ngx_conf_t *cf,
    ngx_http_cwmp_unknown_t *unknown, ngx_str_t *value)
{
    ngx_int_t                          n;
    ngx_str_t                          s;
    ngx_http_compile_complex_value_t   ccv;

    if (ngx_strncmp(value->data, "source=", 7) == 0 && value->len > 7) {
        unknown->source = ngx_palloc(cf->pool,
                                     sizeof(ngx_http_complex_value_t));
        if (unknown->source == NULL) {
            return NGX_CONF_ERROR;
        }

        s.data = value->data + 7;
        s.len = value->len - 7;

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));
        ccv.cf = cf;
        ccv.value = &s;
        ccv.complex_value = unknown->source;

        return ngx_http_compile_complex_value(&ccv) == NGX_OK
               ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    if (ngx_strncmp(value->data, "rate=", 5) == 0) {
        n = ngx_http_cwmp_unknown_rate(value, 5);
        unknown->rate = n;

    } else if (ngx_strncmp(value->data, "total=", 6) == 0) {
        n = ngx_http_cwmp_unknown_rate(value, 6);
        unknown->total = n;

    } else {
        n = NGX_ERROR;
    }

    if (n == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\" in "
                           "\"cwmp_unknown\": use rate=60/m, total=600/m "
                           "(devices in a minute; or off), or source=STRING",
                           value);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* "60/m", or "off" */

static ngx_int_t
ngx_http_cwmp_unknown_rate(ngx_str_t *value, size_t skip)
{
    size_t      len = value->len - skip;
    u_char     *p = value->data + skip;
    ngx_int_t   n;

    if (ngx_strcmp(p, "off") == 0) {
        return NGX_HTTP_CWMP_UNKNOWN_ALL;
    }

    if (len < 3 || ngx_strcmp(p + len - 2, "/m") != 0) {
        return NGX_ERROR;
    }

    n = ngx_atoi(p, len - 2);

    return (n >= 1 && n < NGX_HTTP_CWMP_UNKNOWN_ALL) ? n : NGX_ERROR;
}


void
ngx_http_cwmp_unknown_merge(ngx_http_cwmp_unknown_t *prev,
    ngx_http_cwmp_unknown_t *conf)
{
    if (conf->mode == NGX_CONF_UNSET_UINT) {
        *conf = *prev;
    }

    if (conf->mode == NGX_CONF_UNSET_UINT) {
        conf->mode = NGX_HTTP_CWMP_UNKNOWN_ACCEPT;
        conf->rate = ngx_http_cwmp_unknowns[conf->mode].rate;
        conf->total = ngx_http_cwmp_unknowns[conf->mode].total;
    }
}


/* --- the step ------------------------------------------------------------- */

/*
 * "MODE TOTAL", and " first" where its user is many devices', then what is to
 * be done at a first contact; empty but for an Inform.  A device that proved a
 * user of its own was announced by that.
 */

ngx_int_t
ngx_http_cwmp_unknown_arg(ngx_http_cwmp_ctx_t *ctx, ngx_array_t *args)
{
    u_char                     *p;
    ngx_str_t                   source;
    ngx_uint_t                  whose, total, partitions;
    const char                 *mode;
    ngx_http_cwmp_unknown_t    *unknown = &ctx->conf->unknown;
    ngx_http_cwmp_main_conf_t  *cmcf;

    if (!ngx_http_cwmp_is_inform(ctx)) {
        return ngx_http_cwmp_arg(args, "", 0);
    }

    cmcf = ngx_http_get_module_main_conf(ctx->request, ngx_http_cwmp_module);
    partitions = ctx->conf->redis->conf->partitions;

    whose = ngx_http_cwmp_auth_whose(ctx);
    mode = (whose == NGX_HTTP_CWMP_USER_OWN)
           ? "announced" : ngx_http_cwmp_unknowns[unknown->mode].name;
    total = unknown->total / partitions + (unknown->total % partitions != 0);

    if (unknown->mode != NGX_HTTP_CWMP_UNKNOWN_REFUSE) {

        if (ngx_http_cwmp_source(ctx, &source) != NGX_OK) {
            return NGX_ERROR;
        }

        if (ngx_http_cwmp_attempts_rate(cmcf->sources, &source, 0)
            >= unknown->rate)
        {
            total = 0;
        }
    }

    p = ngx_pnalloc(args->pool, NGX_INT_T_LEN + sizeof("quarantine  first")
                                + ctx->conf->first_contact.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_cwmp_arg(args, p,
                             ngx_sprintf(p, "%s %ui%s%V", mode, total,
                                         whose == NGX_HTTP_CWMP_USER_FIRST
                                         ? " first" : "",
                                         &ctx->conf->first_contact)
                             - p);
}


/* as configured; else the address, of IPv6 the network, which may have any
   number of them */

ngx_int_t
ngx_http_cwmp_source(ngx_http_cwmp_ctx_t *ctx, ngx_str_t *source)
{
    ngx_connection_t  *c = ctx->request->connection;

#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    if (ctx->conf->unknown.source) {
        return ngx_http_complex_value(ctx->request, ctx->conf->unknown.source,
                                      source);
    }

    *source = c->addr_text;

#if (NGX_HAVE_INET6)

    if (c->sockaddr->sa_family == AF_INET6) {
        sin6 = (struct sockaddr_in6 *) c->sockaddr;

        if (!IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
            source->data = sin6->sin6_addr.s6_addr;
            source->len = 8;
        }
    }

#endif

    return NGX_OK;
}


/* a new device was taken, or put in quarantine */

void
ngx_http_cwmp_unknown_came(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_str_t                   source;
    ngx_http_cwmp_unknown_t    *unknown = &ctx->conf->unknown;
    ngx_http_cwmp_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(ctx->request, ngx_http_cwmp_module);

    ngx_http_cwmp_count(cmcf, ngx_http_cwmp_unknowns[unknown->mode].count);

    if (ngx_http_cwmp_source(ctx, &source) == NGX_OK
        && ngx_http_cwmp_attempts_rate(cmcf->sources, &source, 1)
           == unknown->rate)
    {
        ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                      "%ui devices that nobody announced came from here "
                      "within a minute (cwmp_unknown rate=): the next ones "
                      "get 503 for the rest of it", unknown->rate);
    }
}


void
ngx_http_cwmp_unknown_refused(ngx_http_cwmp_ctx_t *ctx, const char *why)
{
    size_t  i, n;

    if (why && ngx_strcmp(why, "first") == 0) {
        ngx_http_cwmp_outgrown(ctx);
        return;
    }

    n = sizeof(ngx_http_cwmp_unknown_whys)
        / sizeof(ngx_http_cwmp_unknown_whys[0]);

    for (i = 0; why && i < n; i++) {
        if (ngx_strcmp(why, ngx_http_cwmp_unknown_whys[i].why) == 0) {
            ngx_http_cwmp_count(
                         ngx_http_get_module_main_conf(ctx->request,
                                                       ngx_http_cwmp_module),
                         ngx_http_cwmp_unknown_whys[i].count);
        }
    }
}


/* --- credentials of first contact ----------------------------------------- */

/*
 * They open no session of a device that has a record of its own, which is in
 * another slot than the device: asked for before the step.
 */

void
ngx_http_cwmp_registered(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_str_t    id;
    const char  *error;

    id.data = ctx->id.data;
    id.len = ctx->id.len;

    if (ngx_http_cwmp_auth_whose(ctx) != NGX_HTTP_CWMP_USER_FIRST
        || (ctx->user.len == id.len
            && ngx_memcmp(ctx->user.data, id.data, id.len) == 0))
    {
        ngx_http_cwmp_step(ctx);
        return;
    }

    ctx->step = ngx_http_cwmp_auth_look(ctx, &id, ngx_http_cwmp_registered_done,
                                        ctx, &error);
    if (ctx->step == NULL) {
        ngx_http_cwmp_registered_done(ctx, NULL, error);
    }
}


static void
ngx_http_cwmp_outgrown(ngx_http_cwmp_ctx_t *ctx)
{
    u_char     buf[NGX_HTTP_CWMP_SHOWN];
    ngx_str_t  user;

    ngx_http_cwmp_shown(&user, buf, &ctx->user);
    ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                  "user \"%V\" is for first contact, and the device has "
                  "credentials of its own", &user);

    ngx_http_cwmp_refused(ctx, NGX_HTTP_CWMP_COUNT_FIRST_CONTACT, "first",
                          &ctx->id);
}


static void
ngx_http_cwmp_registered_done(void *data, redisReply *reply,
    const char *error)
{
    ngx_http_cwmp_ctx_t  *ctx = data;

    ngx_connection_t  *c;

    c = ctx->request->connection;

    ngx_http_set_log_request(c->log, ctx->request);

    ctx->step = NULL;
    ctx->redis_time += ngx_current_msec - ctx->redis_start;

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {
        ngx_log_error(NGX_LOG_ERR, c->log, 0,
                      "whether the device has credentials of its own cannot "
                      "be told: %s", ngx_cwmp_why(reply, error));
        ngx_http_cwmp_reply_away(ctx);

    } else if (ngx_http_cwmp_is_registered(reply)) {
        ngx_http_cwmp_outgrown(ctx);
        ngx_http_cwmp_reply_denied(ctx);

    } else {
        ngx_http_cwmp_step(ctx);
    }

    ngx_http_run_posted_requests(c);
}
