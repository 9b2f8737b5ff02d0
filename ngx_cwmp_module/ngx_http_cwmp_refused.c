/*
 * A POST that was refused, since it proved nobody, or another: it is counted,
 * and told in the events stream of the partition of the device that its user
 * is, never of the one that it claims to be.  Nobody waits for that.  Whoever
 * can reach the ACS can make as many as he likes, so a worker tells some of
 * them only, and the library tells fewer.
 */

#include "ngx_http_cwmp.h"


#define NGX_HTTP_CWMP_TOLD  8           /* a second, of a worker */


static ngx_int_t ngx_http_cwmp_refused_keys(ngx_http_cwmp_ctx_t *ctx,
    const ngx_str_t *who, ngx_str_t *keys);
static ngx_uint_t ngx_http_cwmp_refused_many(ngx_http_cwmp_main_conf_t *cmcf);
static void ngx_http_cwmp_refused_told(void *data, redisReply *reply,
    const char *error);


/* cwmp_refused_1's arguments; those that are empty here are the POST's */

static const ngx_str_t  ngx_http_cwmp_refused_argv[] = {
    ngx_string("FCALL"), ngx_string("cwmp_refused_1"), ngx_string("2"),
    ngx_null_string, ngx_null_string, ngx_null_string, ngx_null_string,
    ngx_null_string, ngx_string("user"), ngx_null_string,
    ngx_string("address"), ngx_null_string, ngx_string("claims"),
    ngx_null_string
};

enum {
    KEYS = 3, OMITTED = 5, DEVICE, REASON, USER = 9, ADDRESS = 11,
    CLAIMS = 13, NARGS
};


/* claims: a device, or NULL */

ngx_uint_t
ngx_http_cwmp_refused(ngx_http_cwmp_ctx_t *ctx, ngx_http_cwmp_count_e which,
    const char *reason, const cwmp_str_t *claims)
{
    u_char                      untold[NGX_INT_T_LEN], id[CWMP_ID_MAX];
    ngx_str_t                   argv[NARGS];
    cwmp_str_t                  device;
    const char                 *error;
    ngx_http_cwmp_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(ctx->request, ngx_http_cwmp_module);

    ngx_http_cwmp_count(cmcf, which);

    if (ngx_http_cwmp_refused_many(cmcf)) {
        cmcf->untold++;
        return 0;
    }

    ngx_memcpy(argv, ngx_http_cwmp_refused_argv, sizeof(argv));
    ngx_http_cwmp_auth_who(ctx, &argv[USER], &device);

    argv[OMITTED].data = untold;
    argv[OMITTED].len = ngx_sprintf(untold, "%ui", cmcf->untold) - untold;
    argv[DEVICE].data = id;
    argv[DEVICE].len = cwmp_identity_of(&device, id);
    argv[REASON].data = (u_char *) reason;
    argv[REASON].len = ngx_strlen(reason);
    argv[ADDRESS] = ctx->request->connection->addr_text;

    if (claims) {
        argv[CLAIMS].data = claims->data;
        argv[CLAIMS].len = claims->len;
    }

    cmcf->untold++;

    if (ngx_http_cwmp_refused_keys(ctx, argv[DEVICE].len ? &argv[DEVICE]
                                                         : &argv[USER],
                                   &argv[KEYS])
            == NGX_OK
        && ngx_cwmp_redis_send(ctx->conf->redis->client, argv,
                               claims ? NARGS : CLAIMS - 1,
                               ngx_http_cwmp_refused_told, NULL, &error))
    {
        cmcf->untold = 0;
    }

    return 1;
}


/* a POST with a session that its user did not open */

void
ngx_http_cwmp_other_session(ngx_http_cwmp_ctx_t *ctx, const cwmp_str_t *claims)
{
    u_char     buf[NGX_HTTP_CWMP_SHOWN];
    ngx_str_t  user;

    ngx_http_cwmp_shown(&user, buf, &ctx->user);
    ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                  "user \"%V\" goes on with a session of another user, of %V",
                  &user, (const ngx_str_t *) claims);

    ngx_http_cwmp_refused(ctx, NGX_HTTP_CWMP_COUNT_OTHER_SESSION, "session",
                          claims);
    ngx_http_cwmp_reply_denied(ctx);
}


/* of the partition of a device, or of a user that is none */

static ngx_int_t
ngx_http_cwmp_refused_keys(ngx_http_cwmp_ctx_t *ctx, const ngx_str_t *who,
    ngx_str_t *keys)
{
    unsigned                partition;
    cwmp_str_t              of, prefix, key[2];
    ngx_cwmp_redis_conf_t  *conf = ctx->conf->redis->conf;

    of.data = who->data;
    of.len = who->len;
    prefix.data = conf->prefix.data;
    prefix.len = conf->prefix.len;

    partition = cwmp_partition(&of, (unsigned) conf->partitions);

    if (cwmp_partition_key(&ctx->arena, &prefix, partition, "events", &key[0])
            != CWMP_OK
        || cwmp_partition_key(&ctx->arena, &prefix, partition, "refusals",
                              &key[1])
               != CWMP_OK)
    {
        return NGX_ERROR;
    }

    keys[0].data = key[0].data;
    keys[0].len = key[0].len;
    keys[1].data = key[1].data;
    keys[1].len = key[1].len;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_cwmp_refused_many(ngx_http_cwmp_main_conf_t *cmcf)
{
    if (cmcf->told_at != ngx_time()) {
        cmcf->told_at = ngx_time();
        cmcf->told = 0;
    }

    return ++cmcf->told > NGX_HTTP_CWMP_TOLD;
}


/* somebody's bytes, for a log: as many as fit, none that a terminal obeys, and
   no markup, for those who look at logs in a browser */

void
ngx_http_cwmp_shown(ngx_str_t *shown, u_char *buf, const ngx_str_t *value)
{
    shown->data = buf;
    shown->len = ngx_min(value->len, NGX_HTTP_CWMP_SHOWN);

    if (shown->len) {
        ngx_memcpy(buf, value->data, shown->len);
    }

    ngx_cwmp_make_plain(buf, buf + shown->len);
}


/* the POST may be over */

static void
ngx_http_cwmp_refused_told(void *data, redisReply *reply, const char *error)
{
    if (reply == NULL) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "an event \"auth failure\" is lost: %s", error);

    } else if (reply->type == REDIS_REPLY_ERROR
               || (reply->type == REDIS_REPLY_STRING
                   && ngx_strcmp(reply->str, "OK") != 0))
    {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "an event \"auth failure\" is lost, Redis answered: %s",
                      ngx_cwmp_plain_error(reply));
    }
}
