/*
 * The verb "rpc": what the state table orders is made an envelope, which is
 * sent, or held until replicas know of it.  What cannot be sent, or not at
 * once, or need not be, is told in a verdict.
 */

#include "ngx_http_cwmp.h"


static ngx_int_t ngx_http_cwmp_known(ngx_http_cwmp_ctx_t *ctx,
    redisReply *reply, size_t from, cwmp_order_t *order);
static cwmp_ns_t ngx_http_cwmp_spoken(ngx_http_cwmp_ctx_t *ctx,
    const cwmp_str_t *spoken, cwmp_order_t *order);
static void ngx_http_cwmp_judge(ngx_http_cwmp_ctx_t *ctx,
    const cwmp_str_t *id, const cwmp_task_rpc_t *rpc);


void
ngx_http_cwmp_order(ngx_http_cwmp_ctx_t *ctx, redisReply *reply)
{
    cwmp_rc_t         rc;
    cwmp_ns_t         ns;
    cwmp_str_t        id, task, spoken;
    ngx_chain_t      *envelope;
    cwmp_order_t      order;
    cwmp_task_rpc_t   rpc;

    if (ngx_http_cwmp_copy_reply(ctx, reply, 2, &id) != NGX_OK
        || ngx_http_cwmp_copy_reply(ctx, reply, 3, &order.phase) != NGX_OK
        || ngx_http_cwmp_copy_reply(ctx, reply, 4, &order.instance) != NGX_OK
        || ngx_http_cwmp_copy_reply(ctx, reply, 5, &order.key) != NGX_OK
        || ngx_http_cwmp_copy_reply(ctx, reply, 6, &task) != NGX_OK
        || ngx_http_cwmp_copy_reply(ctx, reply, 7, &order.json) != NGX_OK
        || ngx_http_cwmp_copy_reply(ctx, reply, 8, &spoken) != NGX_OK
        || ngx_http_cwmp_known(ctx, reply, 9, &order) != NGX_OK)
    {
        ngx_http_cwmp_reply_error(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                  "out of memory");
        return;
    }

    ctx->task.data = task.data;
    ctx->task.len = task.len;

    ns = ngx_http_cwmp_spoken(ctx, &spoken, &order);
    order.root = ctx->style.root;
    order.credentials = NULL;
    order.secret = ngx_http_cwmp_key(ctx);
    order.id = ctx->id;

    rc = cwmp_task_rpc(&ctx->arena, &order, &rpc);

    if (rc == CWMP_OK && rpc.clear && ctx->calls < NGX_HTTP_CWMP_CALLS) {
        ngx_http_cwmp_seal_order(ctx, &id, &order.json);
        return;
    }

    if (rc == CWMP_REFUSED || (rc == CWMP_OK && (rpc.done || rpc.split.len))) {
        ngx_http_cwmp_judge(ctx, &id, &rpc);
        return;
    }

    if (rc != CWMP_OK) {
        ngx_http_cwmp_reply_error(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                  "out of memory");
        return;
    }

    if (rpc.credentials) {
        ngx_http_cwmp_rotate(ctx, &id, ns, &order);
        return;
    }

    envelope = ngx_http_cwmp_write_rpc(ctx, ns, &id, &rpc);

    if (envelope == NULL) {
        return;
    }

    if (ctx->conf->redis->conf->wait && (rpc.rpc->from & CWMP_ONCE)) {
        ngx_http_cwmp_hold(ctx, &id, envelope);
        return;
    }

    ngx_http_cwmp_reply_envelope(ctx, envelope);
}


/* name, letter of type, value, ... */

static ngx_int_t
ngx_http_cwmp_known(ngx_http_cwmp_ctx_t *ctx, redisReply *reply, size_t from,
    cwmp_order_t *order)
{
    size_t         i, n;
    redisReply    *name, *letter, *value;
    cwmp_known_t  *known;

    n = (reply->elements - from) / 3;

    known = ngx_palloc(ctx->request->pool, (n + 1) * sizeof(cwmp_known_t));
    if (known == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        name = reply->element[from + 3 * i];
        letter = reply->element[from + 3 * i + 1];
        value = reply->element[from + 3 * i + 2];

        if (name->type != REDIS_REPLY_STRING
            || letter->type != REDIS_REPLY_STRING
            || value->type != REDIS_REPLY_STRING)
        {
            break;
        }

        /* valid as long as the reply: no longer than it is needed */

        known[i].name.data = (u_char *) name->str;
        known[i].name.len = name->len;
        known[i].letter = letter->str[0];
        known[i].value.data = (u_char *) value->str;
        known[i].value.len = value->len;
    }

    order->known = known;
    order->nknown = i;

    return NGX_OK;
}


/*
 * "2 14 1 prefix=s": the session's namespace and version of CWMP, as its Inform
 * left them, 1 when the device lists the method that the task asks for, and
 * its style.
 */

static cwmp_ns_t
ngx_http_cwmp_spoken(ngx_http_cwmp_ctx_t *ctx, const cwmp_str_t *spoken,
    cwmp_order_t *order)
{
    ngx_int_t    ns;
    cwmp_str_t   words;

    ns = spoken->len ? ngx_atoi(spoken->data, 1) : NGX_ERROR;
    order->version = CWMP_VERSION_NONE;
    order->listed = 0;

    if (spoken->len >= 7 && spoken->data[4] == ' ') {
        order->version = (unsigned) ngx_max(ngx_atoi(spoken->data + 2, 2),
                                            CWMP_VERSION_NONE);
        order->listed = (spoken->data[5] == '1');

        words.data = spoken->data + 7;
        words.len = spoken->len - 7;
        cwmp_style_read(&ctx->style, &words);
    }

    if (ns < 0 || ns >= CWMP_NS_COUNT) {
        ns = CWMP_NS_1_0;
    }

    return (cwmp_ns_t) ns;
}


static void
ngx_http_cwmp_judge(ngx_http_cwmp_ctx_t *ctx, const cwmp_str_t *id,
    const cwmp_task_rpc_t *rpc)
{
    ngx_str_t                key;
    ngx_array_t              list;
    ngx_http_cwmp_verdict_t  verdict;

    static const cwmp_str_t  verified = cwmp_string("{\"verified\":\"read\"}");

    /* the last one was told to be the last */

    if (ctx->calls >= NGX_HTTP_CWMP_CALLS) {
        ngx_http_cwmp_reply_empty(ctx);
        return;
    }

    verdict.reason = rpc->reason ? rpc->reason : "";
    verdict.more = NULL;

    if (rpc->reason && rpc->lacks.len) {
        key.data = rpc->lacks.data;
        key.len = rpc->lacks.len;

        ngx_memzero(&list, sizeof(ngx_array_t));
        list.elts = &key;
        list.nelts = 1;

        verdict.is = "waits";
        verdict.what = rpc->field;
        verdict.more = &list;

    } else if (rpc->reason) {
        verdict.is = "rejected";
        verdict.what = rpc->field;

    } else if (rpc->split.len) {
        verdict.is = "split";
        verdict.what = rpc->split;

    } else {
        verdict.is = "done";
        verdict.what = verified;
    }

    ngx_http_cwmp_verdict(ctx, id, &verdict);
}
