/*
 * What must not happen twice is held, with "wait=" of cwmp_redis, until
 * replicas know that it is outstanding: after a failover it is then no task
 * that was never sent.  The envelope is written; only its sending waits, and
 * nobody else does.  When they do not know in time it is not sent: its task
 * goes back to the queue and the session ends, as said by another step.
 */

#include "ngx_http_cwmp.h"


struct ngx_http_cwmp_held_s {
    ngx_cwmp_redis_hold_t   hold;
    cwmp_str_t              id;         /* of the RPC */
    ngx_chain_t            *envelope;
};


static void ngx_http_cwmp_hold_done(void *data, const char *error);
static void ngx_http_cwmp_unsent(ngx_http_cwmp_ctx_t *ctx,
    const cwmp_str_t *id, const char *error);


void
ngx_http_cwmp_hold(ngx_http_cwmp_ctx_t *ctx, const cwmp_str_t *id,
    ngx_chain_t *envelope)
{
    ngx_str_t    key;
    cwmp_str_t  *device = &ctx->keys[0];

    key.len = device->len + sizeof(":running") - 1;

    key.data = ngx_pnalloc(ctx->request->pool, key.len);
    if (key.data == NULL) {
        ngx_http_cwmp_unsent(ctx, id, "out of memory");
        return;
    }

    ngx_memcpy(ngx_cpymem(key.data, device->data, device->len), ":running",
               sizeof(":running") - 1);

    ngx_http_cwmp_hold_until(ctx, id, envelope, "cwmp_hold_1", &key);
}


/* until replicas have what this function writes of that key, and all before */

void
ngx_http_cwmp_hold_until(ngx_http_cwmp_ctx_t *ctx, const cwmp_str_t *id,
    ngx_chain_t *envelope, const char *function, const ngx_str_t *key)
{
    ngx_str_t              argv[5];
    const char            *error;
    ngx_http_cwmp_held_t  *held;

    held = ngx_palloc(ctx->request->pool, sizeof(ngx_http_cwmp_held_t));
    if (held == NULL) {
        ngx_http_cwmp_unsent(ctx, id, "out of memory");
        return;
    }

    held->hold.handler = ngx_http_cwmp_hold_done;
    held->hold.data = ctx;
    held->id = *id;
    held->envelope = envelope;

    ngx_str_set(&argv[0], "FCALL");
    argv[1].data = (u_char *) function;
    argv[1].len = ngx_strlen(function);
    ngx_str_set(&argv[2], "1");
    argv[3] = *key;
    argv[4].data = id->data;
    argv[4].len = id->len;

    ctx->redis_start = ngx_current_msec;

    if (ngx_cwmp_redis_hold(ctx->conf->redis->client, &held->hold, argv, 5,
                            &error)
        != NGX_OK)
    {
        ngx_http_cwmp_unsent(ctx, id, error);
        return;
    }

    ctx->held = held;
}


void
ngx_http_cwmp_unhold(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_cwmp_redis_unhold(&ctx->held->hold);
    ctx->held = NULL;
}


static void
ngx_http_cwmp_hold_done(void *data, const char *error)
{
    ngx_http_cwmp_ctx_t  *ctx = data;

    ngx_connection_t      *c;
    ngx_http_cwmp_held_t  *held;

    held = ctx->held;
    ctx->held = NULL;
    ctx->redis_time += ngx_current_msec - ctx->redis_start;

    c = ctx->request->connection;
    ngx_http_set_log_request(c->log, ctx->request);

    if (error) {
        ngx_http_cwmp_unsent(ctx, &held->id, error);

    } else {
        ngx_http_cwmp_reply_envelope(ctx, held->envelope);
    }

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_cwmp_unsent(ngx_http_cwmp_ctx_t *ctx, const cwmp_str_t *id,
    const char *error)
{
    ngx_http_cwmp_verdict_t  verdict;

    ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                  "task %V is not sent: %s", &ctx->task, error);

    /* another worker may have it, and more for this POST */

    if (ctx->calls > NGX_HTTP_CWMP_CALLS) {
        ngx_http_cwmp_reply_empty(ctx);
        return;
    }

    verdict.is = "unsent";
    verdict.what.data = (u_char *) error;
    verdict.what.len = ngx_strlen(error);
    verdict.reason = "";
    verdict.more = NULL;

    ngx_http_cwmp_verdict(ctx, id, &verdict);
}
