/*
 * Secrets in what a CPE tells: a parameter that is one by its name is kept in
 * Redis sealed, if there is a key, and goes into a result or an event sealed,
 * or not at all.  What is sealed opens for this device and this path only.
 *
 * And in what it is told: a task that came in clear is kept sealed.
 */

#include "ngx_http_cwmp.h"
#include "cwmp_sensitive.h"


static const cwmp_str_t  ngx_http_cwmp_hidden = cwmp_string(CWMP_HIDDEN);


/* the key file; NULL: there is none */

cwmp_secret_t *
ngx_http_cwmp_key(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_http_cwmp_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(ctx->request, ngx_http_cwmp_module);

    return cmcf->secret;
}


/* nothing is hidden by it when there is nothing: most CPEs never tell one */

ngx_uint_t
ngx_http_cwmp_is_secret(const cwmp_str_t *path, const cwmp_str_t *value)
{
    size_t  from, len;

    return value->len
           && (cwmp_sensitive_name(path)
               || cwmp_sensitive_url(value, &from, &len));
}


/*
 * The value, sealed; hidden where there is no key, or it is longer than any
 * secret is.
 */

static ngx_int_t
ngx_http_cwmp_sealed(ngx_http_cwmp_ctx_t *ctx, ngx_pool_t *pool,
    const cwmp_str_t *path, const cwmp_str_t *value, cwmp_str_t *sealed)
{
    cwmp_rc_t       rc;
    cwmp_str_t      name;
    cwmp_arena_t    arena;
    cwmp_secret_t  *secret;

    secret = ngx_http_cwmp_key(ctx);
    rc = CWMP_REFUSED;

    if (secret) {
        arena.alloc = ctx->arena.alloc;
        arena.owner = pool;

        rc = cwmp_secret_name(&arena, &ctx->id, path, &name);

        if (rc == CWMP_OK) {
            rc = cwmp_secret_seal_same(secret, &arena, &name, value, sealed);
        }
    }

    if (rc == CWMP_REFUSED) {
        *sealed = ngx_http_cwmp_hidden;
        rc = CWMP_OK;
    }

    return (rc == CWMP_OK) ? NGX_OK : NGX_ERROR;
}


/* a row that is secret, as Redis and as the result is to have it */

ngx_int_t
ngx_http_cwmp_hide(ngx_http_cwmp_ctx_t *ctx, cwmp_row_t *kept,
    cwmp_row_t *shown)
{
    if (ngx_http_cwmp_sealed(ctx, ctx->rows_pool, &kept->cells[0],
                             &kept->cells[1], &shown->cells[1])
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_cwmp_key(ctx)) {
        kept->cells[1] = shown->cells[1];
    }

    return NGX_OK;
}


/* of an Inform, whose device is known at its end only */

ngx_int_t
ngx_http_cwmp_seal_rows(ngx_http_cwmp_ctx_t *ctx)
{
    u_char      *p;
    ngx_str_t   *row, *end;
    cwmp_str_t   path, value, sealed;

    if (ctx->rows == NULL || !ngx_http_cwmp_key(ctx)) {
        return NGX_OK;
    }

    row = ctx->rows->elts;
    end = row + ctx->rows->nelts;

    for ( /* void */ ; row < end; row += 2) {
        path.data = row[0].data;
        path.len = row[0].len;
        value.data = row[1].data + 1;
        value.len = row[1].len - 1;

        if (!ngx_http_cwmp_is_secret(&path, &value)) {
            continue;
        }

        if (ngx_http_cwmp_sealed(ctx, ctx->rows_pool, &path, &value, &sealed)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        p = ngx_pnalloc(ctx->rows_pool, 1 + sealed.len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        p[0] = row[1].data[0];
        ngx_memcpy(p + 1, sealed.data, sealed.len);
        row[1].data = p;
        row[1].len = 1 + sealed.len;
    }

    return NGX_OK;
}


/*
 * What digests in Redis begin with, so that they are no means to try passwords
 * against: the same on all nodes.
 */

uint64_t
ngx_http_cwmp_seed(ngx_http_cwmp_ctx_t *ctx)
{
    uint64_t        seed;
    cwmp_secret_t  *secret;

    secret = ngx_http_cwmp_key(ctx);
    if (secret == NULL) {
        return 0;
    }

    ngx_memcpy(&seed, secret->keys[0].seed, sizeof(seed));

    return seed;
}


/* a secret's part in a digest that stays, which its bytes would tell more of */

void
ngx_http_cwmp_digest_value(ngx_http_cwmp_ctx_t *ctx, XXH64_state_t *digest,
    const cwmp_str_t *path, const cwmp_str_t *value)
{
    u_char          mac[CWMP_SECRET_KEY];
    cwmp_str_t      part;
    cwmp_secret_t  *secret;

    secret = ngx_http_cwmp_key(ctx);

    part = *value;
    part.len = ngx_min(part.len, 512);

    if (secret && ngx_http_cwmp_is_secret(path, value)
        && cwmp_secret_mac(secret->keys[0].iv, &part, 1, mac) == CWMP_OK)
    {
        XXH64_update(digest, mac, sizeof(mac));
        XXH64_update(digest, value->data + part.len, value->len - part.len);
        return;
    }

    XXH64_update(digest, value->data, value->len);
}


static ngx_int_t
ngx_http_cwmp_push_sealed(ngx_http_cwmp_ctx_t *ctx, ngx_array_t *pairs,
    const cwmp_str_t *id, const cwmp_str_t *json)
{
    cwmp_rc_t    rc;
    ngx_str_t   *pair;
    cwmp_str_t   sealed;

    rc = cwmp_task_seal(ngx_http_cwmp_key(ctx), &ctx->arena, &ctx->id, json,
                        &sealed);

    pair = ngx_array_push_n(pairs, 2);

    if (pair == NULL || rc == CWMP_ERROR) {
        return NGX_ERROR;
    }

    pair[0].data = id->data;
    pair[0].len = id->len;
    pair[1].data = sealed.data;
    pair[1].len = sealed.len;

    if (rc == CWMP_REFUSED) {
        ngx_str_set(&pair[1], "=");
    }

    return NGX_OK;
}


static void
ngx_http_cwmp_give_back(ngx_http_cwmp_ctx_t *ctx, const cwmp_str_t *rpc,
    ngx_array_t *pairs)
{
    ngx_http_cwmp_verdict_t  verdict;

    if (pairs == NULL) {
        ngx_http_cwmp_reply_error(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                  "out of memory");
        return;
    }

    ngx_memzero(&verdict, sizeof(ngx_http_cwmp_verdict_t));
    verdict.is = "sealed";
    verdict.reason = "";
    verdict.more = pairs;

    ngx_http_cwmp_verdict(ctx, rpc, &verdict);
}


/*
 * The verb "seal": what came in clear is given back sealed before anything else
 * is done.  id and JSON, id and JSON, ...; "=" for what is no task.
 */

void
ngx_http_cwmp_seal(ngx_http_cwmp_ctx_t *ctx, redisReply *reply)
{
    size_t        i;
    cwmp_str_t    id, json, none = cwmp_string("");
    ngx_array_t  *pairs;

    if (ctx->calls >= NGX_HTTP_CWMP_CALLS) {
        ngx_http_cwmp_reply_empty(ctx);
        return;
    }

    pairs = ngx_array_create(ctx->request->pool, 8, sizeof(ngx_str_t));

    for (i = 2; pairs && i + 1 < reply->elements; i += 2) {

        if (ngx_http_cwmp_copy_reply(ctx, reply, i, &id) != NGX_OK
            || ngx_http_cwmp_copy_reply(ctx, reply, i + 1, &json) != NGX_OK
            || ngx_http_cwmp_push_sealed(ctx, pairs, &id, &json) != NGX_OK)
        {
            pairs = NULL;
        }
    }

    ctx->task.len = 0;
    ngx_http_cwmp_give_back(ctx, &none, pairs);
}


/* of the task that is to be sent: the same RPC comes again */

void
ngx_http_cwmp_seal_order(ngx_http_cwmp_ctx_t *ctx, const cwmp_str_t *rpc,
    const cwmp_str_t *json)
{
    cwmp_str_t    id;
    ngx_array_t  *pairs;

    id.data = ctx->task.data;
    id.len = ctx->task.len;

    pairs = ngx_array_create(ctx->request->pool, 2, sizeof(ngx_str_t));

    if (pairs && ngx_http_cwmp_push_sealed(ctx, pairs, &id, json) != NGX_OK) {
        pairs = NULL;
    }

    ngx_http_cwmp_give_back(ctx, rpc, pairs);
}
