/*
 * What the functions of redis/lua are called with; each list here stands in
 * the comment of the function that takes it.
 */

#include "ngx_http_cwmp.h"
#include "cwmp_value.h"


static ngx_int_t ngx_http_cwmp_keys(ngx_http_cwmp_ctx_t *ctx, ngx_uint_t n);
static ngx_int_t ngx_http_cwmp_inform_args(ngx_http_cwmp_ctx_t *ctx,
    ngx_array_t *args);
static ngx_int_t ngx_http_cwmp_answer_args(ngx_http_cwmp_ctx_t *ctx,
    ngx_array_t *args);
static ngx_int_t ngx_http_cwmp_request_args(ngx_http_cwmp_ctx_t *ctx,
    ngx_array_t *args);
static u_char *ngx_http_cwmp_pack(u_char *p, u_char kind, size_t n);
static ngx_int_t ngx_http_cwmp_arg_told(ngx_http_cwmp_ctx_t *ctx,
    ngx_array_t *args, ngx_uint_t retries);
static ngx_int_t ngx_http_cwmp_arg_list(ngx_array_t *args,
    const ngx_array_t *list);


#define NGX_HTTP_CWMP_TIMEOUT_MAX  3600000      /* whatever a CPE asks for */
#define NGX_HTTP_CWMP_CLOCK_MAX    64           /* of a CurrentTime */


ngx_int_t
ngx_http_cwmp_arg(ngx_array_t *args, const void *data, size_t len)
{
    ngx_str_t  *arg;

    arg = ngx_array_push(args);
    if (arg == NULL) {
        return NGX_ERROR;
    }

    arg->data = (u_char *) data;
    arg->len = len;

    return NGX_OK;
}


ngx_int_t
ngx_http_cwmp_arg_number(ngx_array_t *args, uint64_t n)
{
    u_char  *p;

    p = ngx_pnalloc(args->pool, NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_cwmp_arg(args, p, ngx_sprintf(p, "%uL", n) - p);
}


static ngx_int_t
ngx_http_cwmp_arg_str(ngx_array_t *args, const cwmp_str_t *s)
{
    return ngx_http_cwmp_arg(args, s->data, s->len);
}


static ngx_int_t
ngx_http_cwmp_arg_text(ngx_array_t *args, const char *s)
{
    return ngx_http_cwmp_arg(args, s, ngx_strlen(s));
}


/*
 * Compared with the one before it of the same device only: whoever finds two
 * that are alike has gained nothing.  An "of" keeps those of different kinds of
 * messages apart, since what answers one of them answers no other.
 */

static ngx_int_t
ngx_http_cwmp_arg_digest(ngx_array_t *args, const char *of,
    const XXH64_state_t *digest)
{
    u_char            *hex;
    XXH64_canonical_t  sum;

    hex = ngx_pnalloc(args->pool, 2 * sizeof(sum) + 1);
    if (hex == NULL) {
        return NGX_ERROR;
    }

    XXH64_canonicalFromHash(&sum, XXH64_digest(digest));
    *ngx_hex_dump(hex, sum.digest, sizeof(sum)) = (u_char) *of;

    return ngx_http_cwmp_arg(args, hex, 2 * sizeof(sum) + (*of != '\0'));
}


/*
 * FCALL function with a device's keys, and its ID as the first argument.  The
 * arguments' own memory is of this pool.
 */

ngx_array_t *
ngx_http_cwmp_call(ngx_http_cwmp_ctx_t *ctx, ngx_pool_t *pool,
    const char *function)
{
    ngx_uint_t    i, n;
    ngx_array_t  *args;

    /* A Cluster must be told all keys, to know whether they are all there while
       it moves them; else the library makes them from one. */

    n = (ctx->conf->redis->conf->partitions > 1) ? CWMP_KEYS : 1;

    if (ctx->keys[0].len == 0 && ngx_http_cwmp_keys(ctx, n) != NGX_OK) {
        return NULL;
    }

    args = ngx_array_create(pool, 64, sizeof(ngx_str_t));

    if (args == NULL
        || ngx_http_cwmp_arg_text(args, "FCALL") != NGX_OK
        || ngx_http_cwmp_arg_text(args, function) != NGX_OK
        || ngx_http_cwmp_arg_number(args, n) != NGX_OK)
    {
        return NULL;
    }

    for (i = 0; i < n; i++) {
        if (ngx_http_cwmp_arg_str(args, &ctx->keys[i]) != NGX_OK) {
            return NULL;
        }
    }

    return ngx_http_cwmp_arg_str(args, &ctx->id) == NGX_OK ? args : NULL;
}


static ngx_int_t
ngx_http_cwmp_keys(ngx_http_cwmp_ctx_t *ctx, ngx_uint_t n)
{
    cwmp_rc_t               rc;
    cwmp_str_t              prefix;
    ngx_cwmp_redis_conf_t  *conf;

    conf = ctx->conf->redis->conf;
    prefix.data = conf->prefix.data;
    prefix.len = conf->prefix.len;

    rc = (n == 1)
         ? cwmp_device_key(&ctx->arena, &prefix, (unsigned) conf->partitions,
                           &ctx->id, &ctx->keys[0])
         : cwmp_keys(&ctx->arena, &prefix, (unsigned) conf->partitions,
                     &ctx->id, ctx->keys);

    return (rc == CWMP_OK) ? NGX_OK : NGX_ERROR;
}


/*
 * token, nonce, digest, kind, idle, outstanding; most RPCs of a session (0: no
 * more, Redis is slow), bytes of this POST, how many of its values were
 * repaired, and s where there is a key to seal with, words of one argument.
 * The nonce is worker.connection.call: no other call has it, and POSTs of one
 * connection are known by its beginning.
 */

static ngx_int_t
ngx_http_cwmp_common_args(ngx_http_cwmp_ctx_t *ctx, ngx_array_t *args,
    const char *kind, ngx_uint_t digest)
{
    u_char                     *p, *most, *last;
    ngx_msec_t                  idle;
    ngx_http_cwmp_loc_conf_t   *conf;
    ngx_http_cwmp_main_conf_t  *cmcf;

    conf = ctx->conf;
    cmcf = ngx_http_get_module_main_conf(ctx->request, ngx_http_cwmp_module);

    p = ngx_pnalloc(args->pool, 2 * 16 + NGX_ATOMIC_T_LEN + 2);
    most = ngx_pnalloc(args->pool, 2 * NGX_INT_T_LEN + 4 + NGX_OFF_T_LEN);

    if (p == NULL || most == NULL) {
        return NGX_ERROR;
    }

    ctx->deferred = ngx_http_cwmp_overloaded(conf->redis);

    last = ngx_sprintf(most, "%ui %O", ctx->deferred ? 0 : conf->max_rpcs,
                       ctx->facts->kind == CWMP_EMPTY
                       ? 0 : ctx->request->request_length);

    if (ctx->facts->repaired) {
        last = ngx_sprintf(last, " %uz", ctx->facts->repaired);
    }

    if (ngx_http_cwmp_key(ctx)) {
        last = ngx_cpymem(last, " s", 2);
    }

    idle = conf->session_timeout;

    if (ctx->facts->session_timeout > idle / 1000) {
        idle = ngx_min((ngx_msec_t) ctx->facts->session_timeout,
                       NGX_HTTP_CWMP_TIMEOUT_MAX / 1000) * 1000;
    }

    if (ngx_http_cwmp_arg_str(args, &ctx->token) != NGX_OK
        || ngx_http_cwmp_arg(args, p,
                             ngx_sprintf(p, "%xL.%uA.%xL", cmcf->worker,
                                         ctx->request->connection->number,
                                         cmcf->nonce++)
                             - p)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (digest) {
        /* "inform", "request", "response", "fault": their third letters */

        if (ngx_http_cwmp_arg_digest(args, kind + 2, &ctx->digest) != NGX_OK) {
            return NGX_ERROR;
        }

    } else if (ngx_http_cwmp_arg(args, "", 0) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_cwmp_arg_text(args, kind) != NGX_OK
        || ngx_http_cwmp_arg_number(args, idle) != NGX_OK
        || ngx_http_cwmp_arg_number(args, conf->outstanding_timeout) != NGX_OK
        || ngx_http_cwmp_arg(args, most, last - most) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_cwmp_step_args(ngx_http_cwmp_ctx_t *ctx, ngx_array_t *args)
{
    const char           *kind;
    const cwmp_facts_t   *facts;

    facts = ctx->facts;

    switch (facts->kind) {

    case CWMP_REQUEST:
        kind = (ctx->events_text.data != NULL) ? "inform" : "request";

        if (ngx_http_cwmp_common_args(ctx, args, kind, 1) != NGX_OK) {
            return NGX_ERROR;
        }

        return ctx->events_text.data ? ngx_http_cwmp_inform_args(ctx, args)
                                     : ngx_http_cwmp_request_args(ctx, args);

    case CWMP_RESPONSE:
    case CWMP_FAULT:
        kind = facts->kind == CWMP_FAULT ? "fault" : "response";

        if (ngx_http_cwmp_common_args(ctx, args, kind, 1) != NGX_OK) {
            return NGX_ERROR;
        }

        return ngx_http_cwmp_answer_args(ctx, args);

    default:
        return ngx_http_cwmp_common_args(ctx, args, "empty", 0);
    }
}


/* of what is no longer than it should be by much */

static cwmp_str_t
ngx_http_cwmp_scalar(ngx_http_cwmp_ctx_t *ctx, const char *path)
{
    cwmp_str_t  value;

    value = *cwmp_envelope_value(ctx->envelope, path);
    value.len = ngx_min(value.len, 1024);

    return value;
}


/* how many events, and the device's clock: in UTC, or as it is if it is none */

static ngx_int_t
ngx_http_cwmp_arg_events(ngx_http_cwmp_ctx_t *ctx, ngx_array_t *args)
{
    u_char            *p, *last;
    size_t             len, utc;
    const cwmp_str_t  *clock;

    clock = cwmp_envelope_value(ctx->envelope, "CurrentTime");
    len = ngx_min(clock->len, NGX_HTTP_CWMP_CLOCK_MAX);

    p = ngx_pnalloc(args->pool, NGX_INT_T_LEN + 2 + NGX_HTTP_CWMP_CLOCK_MAX);
    if (p == NULL) {
        return NGX_ERROR;
    }

    last = ngx_sprintf(p, "%ui ", ctx->events ? ctx->events->nelts / 2 : 0);

    if (cwmp_value_canonical(CWMP_V_DATETIME, clock->data, len, last, &utc)) {
        utc = len;
        ngx_memcpy(last, clock->data, len);
    }

    last += utc;

    return ngx_http_cwmp_arg(args, p, last - p);
}


/*
 * Texts in one argument, as MessagePack has an array of strings: most Informs
 * tell what is known, and Redis need not take them apart then.
 */

static ngx_int_t
ngx_http_cwmp_arg_packed(ngx_array_t *args, const cwmp_str_t *texts,
    ngx_uint_t n)
{
    u_char      *p, *start;
    size_t       size;
    ngx_uint_t   i;

    size = 5;

    for (i = 0; i < n; i++) {
        size += 5 + texts[i].len;
    }

    start = ngx_pnalloc(args->pool, size);
    if (start == NULL) {
        return NGX_ERROR;
    }

    p = ngx_http_cwmp_pack(start, 0xdd, n);

    for (i = 0; i < n; i++) {
        p = ngx_http_cwmp_pack(p, 0xdb, texts[i].len);
        p = ngx_cpymem(p, texts[i].data, texts[i].len);
    }

    return ngx_http_cwmp_arg(args, start, p - start);
}


/* what follows, and how many of it */

static u_char *
ngx_http_cwmp_pack(u_char *p, u_char kind, size_t n)
{
    *p++ = kind;
    *p++ = (u_char) (n >> 24);
    *p++ = (u_char) (n >> 16);
    *p++ = (u_char) (n >> 8);
    *p++ = (u_char) n;

    return p;
}


static ngx_int_t
ngx_http_cwmp_inform_args(ngx_http_cwmp_ctx_t *ctx, ngx_array_t *args)
{
    ngx_int_t          retries;
    ngx_str_t         *event;
    ngx_uint_t         i;
    const cwmp_str_t  *count;

    count = cwmp_envelope_value(ctx->envelope, "RetryCount");
    retries = ngx_atoi(count->data, count->len);
    retries = ngx_max(retries, 0);

    if (ngx_http_cwmp_arg_told(ctx, args, retries) != NGX_OK
        || ngx_http_cwmp_arg_digest(args, "", &ctx->informed) != NGX_OK
        || ngx_http_cwmp_arg_number(args, retries) != NGX_OK
        || ngx_http_cwmp_arg_events(ctx, args) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx->events) {
        event = ctx->events->elts;

        for (i = 0; i < ctx->events->nelts; i++) {
            if (ngx_http_cwmp_arg(args, event[i].data, event[i].len) != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return ngx_http_cwmp_arg_packed(args, ctx->rows ? ctx->rows->elts : NULL,
                                    ctx->rows ? ctx->rows->nelts : 0);
}


/*
 * The namespace and version of CWMP, the address, what is told of the device
 * itself, and a digest of all that and of RetryCount.  Without a root or a
 * version there is none: what was told before counts then.
 */

static ngx_int_t
ngx_http_cwmp_arg_told(ngx_http_cwmp_ctx_t *ctx, ngx_array_t *args,
    ngx_uint_t retries)
{
    u_char         *p;
    size_t          from, i;
    ngx_str_t      *arg, *address;
    cwmp_str_t      told[10];
    XXH64_state_t   digest;

    static const size_t  facts[] = {
        offsetof(ngx_http_cwmp_ctx_t, root),
        offsetof(ngx_http_cwmp_ctx_t, version),
        offsetof(ngx_http_cwmp_ctx_t, hardware),
        offsetof(ngx_http_cwmp_ctx_t, url),
        offsetof(ngx_http_cwmp_ctx_t, parameter_key)
    };

    p = ngx_pnalloc(args->pool, 2 * NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    told[0] = ngx_http_cwmp_scalar(ctx, "DeviceId.Manufacturer");
    told[1] = ctx->oui;
    told[2] = ngx_http_cwmp_scalar(ctx, "DeviceId.ProductClass");
    told[3] = ngx_http_cwmp_scalar(ctx, "DeviceId.SerialNumber");

    for (i = 0; i < 5; i++) {
        told[4 + i] = *(cwmp_str_t *) ((u_char *) ctx + facts[i]);
    }

    told[9].data = (u_char *) "1";
    told[9].len = ctx->parameter_key_seen;

    from = args->nelts;
    address = &ctx->request->connection->addr_text;

    if (ngx_http_cwmp_arg(args, p, ngx_sprintf(p, "%ud %ud", ctx->cwmp.ns,
                                               ctx->cwmp.version) - p)
           != NGX_OK
        || ngx_http_cwmp_arg(args, address->data, address->len) != NGX_OK
        || ngx_http_cwmp_arg_packed(args, told, 10) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx->root.len == 0 || ctx->version.len == 0) {
        return ngx_http_cwmp_arg(args, "", 0);
    }

    XXH64_reset(&digest, retries);

    for (i = from, arg = args->elts; i < from + 3; i++) {
        XXH64_update(&digest, arg[i].data, arg[i].len);
        XXH64_update(&digest, "\n", 1);
    }

    return ngx_http_cwmp_arg_digest(args, "", &digest);
}


/* a scalar that must be a number to be used at all */

static ngx_int_t
ngx_http_cwmp_arg_digits(ngx_http_cwmp_ctx_t *ctx, ngx_array_t *args,
    const char *path)
{
    ngx_int_t          n;
    const cwmp_str_t  *value;

    value = cwmp_envelope_value(ctx->envelope, path);
    n = ngx_atoi(value->data, value->len);

    if (n == NGX_ERROR) {
        return ngx_http_cwmp_arg(args, "", 0);
    }

    return ngx_http_cwmp_arg_number(args, n);
}


static ngx_int_t
ngx_http_cwmp_answer_args(ngx_http_cwmp_ctx_t *ctx, ngx_array_t *args)
{
    u_char               *p;
    size_t                len;
    cwmp_str_t            json;
    const cwmp_facts_t   *facts;

    facts = ctx->facts;

    if (cwmp_result_json(&ctx->result, ctx->envelope, &json) != CWMP_OK) {
        return NGX_ERROR;
    }

    if (facts->kind == CWMP_FAULT) {
        p = ngx_pnalloc(ctx->request->pool, NGX_INT_T_LEN);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ctx->fault.data = p;
        ctx->fault.len = ngx_sprintf(p, "%ui", (ngx_uint_t) facts->fault_code)
                         - p;

        if (ngx_http_cwmp_arg_str(args, &json) != NGX_OK) {
            return NGX_ERROR;
        }

        if (ngx_http_cwmp_arg(args, ctx->fault.data, ctx->fault.len) != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_http_cwmp_arg_str(args, &facts->id);
    }

    /* "XResponse" answers X */

    len = facts->method.len;
    len -= ngx_min(len, sizeof("Response") - 1);

    if (ngx_http_cwmp_arg(args, facts->method.data, len) != NGX_OK
        || ngx_http_cwmp_arg_str(args, &json) != NGX_OK
        || ngx_http_cwmp_arg_digits(ctx, args, "Status") != NGX_OK
        || ngx_http_cwmp_arg_digits(ctx, args, "InstanceNumber") != NGX_OK
        || ngx_http_cwmp_arg_str(args, &facts->id) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return (ctx->rows && ctx->rows->nelts)
           ? ngx_http_cwmp_arg_list(args, ctx->rows) : NGX_OK;
}


static ngx_int_t
ngx_http_cwmp_request_args(ngx_http_cwmp_ctx_t *ctx, ngx_array_t *args)
{
    cwmp_str_t  json, key;

    if (ngx_http_cwmp_arg_str(args, &ctx->facts->method) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ctx->facts->rpc == NULL) {
        return NGX_OK;
    }

    key = ngx_http_cwmp_scalar(ctx, "CommandKey");

    if (cwmp_result_json(&ctx->result, ctx->envelope, &json) != CWMP_OK
        || ngx_http_cwmp_arg_str(args, &key) != NGX_OK
        || ngx_http_cwmp_arg_number(args, ctx->result.fault) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_cwmp_arg_str(args, &json);
}


static ngx_int_t
ngx_http_cwmp_arg_list(ngx_array_t *args, const ngx_array_t *list)
{
    ngx_str_t  *more;

    more = ngx_array_push_n(args, list->nelts);
    if (more == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(more, list->elts, list->nelts * sizeof(ngx_str_t));

    return NGX_OK;
}


/* the RPC cannot be sent, or not in one message, or needs not be */

ngx_int_t
ngx_http_cwmp_verdict_args(ngx_http_cwmp_ctx_t *ctx, ngx_array_t *args,
    const cwmp_str_t *id, const ngx_http_cwmp_verdict_t *verdict)
{
    if (ngx_http_cwmp_common_args(ctx, args, "verdict", 0) != NGX_OK
        || ngx_http_cwmp_arg(args, ctx->task.data, ctx->task.len) != NGX_OK
        || ngx_http_cwmp_arg_text(args, verdict->is) != NGX_OK
        || ngx_http_cwmp_arg_str(args, &verdict->what) != NGX_OK
        || ngx_http_cwmp_arg_text(args, verdict->reason) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_cwmp_arg_text(args, ctx->calls + 1 >= NGX_HTTP_CWMP_CALLS
                                     ? "last" : "")
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_cwmp_arg_str(args, id) != NGX_OK) {
        return NGX_ERROR;
    }

    return verdict->more ? ngx_http_cwmp_arg_list(args, verdict->more) : NGX_OK;
}
