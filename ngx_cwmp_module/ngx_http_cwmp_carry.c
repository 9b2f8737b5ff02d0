/*
 * How a session is carried from POST to POST: by our cookie; or, where the
 * configuration says that CPEs connect directly (cwmp_session_fallback), by
 * the connection, for CPEs that return no cookie, and never once a second
 * identity was seen on it: a proxy may share it between CPEs.
 */

#include "ngx_http_cwmp.h"


/* found again through the connection's pool */
typedef struct {
    ngx_str_t    id;
    u_char       token[CWMP_TOKEN_LEN];
    unsigned     shared:1;
} ngx_http_cwmp_bound_t;


static ngx_int_t ngx_http_cwmp_session(ngx_http_cwmp_ctx_t *ctx);
static ngx_int_t ngx_http_cwmp_cookies(ngx_http_cwmp_ctx_t *ctx);
static void ngx_http_cwmp_bound_cleanup(void *data);
static ngx_int_t ngx_http_cwmp_bind(ngx_http_cwmp_ctx_t *ctx);


/*
 * Who the POST claims to be from: NGX_OK, NGX_DECLINED or NGX_ERROR.  A token
 * of a device that its user, or "cwmp_identity", does not mean is none; whether
 * that matters is known with the body: a CPE may have kept a cookie from before.
 */

ngx_int_t
ngx_http_cwmp_carried(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_cwmp_session(ctx);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ctx->proven && !ngx_http_cwmp_is_of_user(ctx)) {
        ctx->other_user = 1;

    } else if (ctx->conf->identity == NULL) {
        return NGX_OK;

    } else if (ngx_http_complex_value(ctx->request, ctx->conf->identity,
                                      &ctx->identity)
               != NGX_OK)
    {
        return NGX_ERROR;

    } else if (cwmp_identity_means((cwmp_str_t *) &ctx->identity, &ctx->id)) {
        return NGX_OK;
    }

    ctx->foreign = ctx->id;
    ctx->id.len = 0;
    ctx->token.len = 0;

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_cwmp_session(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_http_cwmp_bound_t  *bound;

    if (ngx_http_cwmp_cookies(ctx) == NGX_OK) {
        return NGX_OK;
    }

    if (ctx->conf->fallback != NGX_HTTP_CWMP_FALLBACK_CONNECTION) {
        return NGX_DECLINED;
    }

    bound = ngx_http_cwmp_of_connection(ctx->request->connection,
                                        ngx_http_cwmp_bound_cleanup, 0);

    if (bound == NULL || bound->shared) {
        return NGX_DECLINED;
    }

    /* a copy: a later Inform on this connection rewrites what is bound */

    ctx->token.data = ngx_pnalloc(ctx->request->pool,
                                  CWMP_TOKEN_LEN + bound->id.len);
    if (ctx->token.data == NULL) {
        return NGX_ERROR;
    }

    ctx->token.len = CWMP_TOKEN_LEN;
    ctx->id.data = ngx_cpymem(ctx->token.data, bound->token, CWMP_TOKEN_LEN);
    ctx->id.len = bound->id.len;
    ngx_memcpy(ctx->id.data, bound->id.data, bound->id.len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_cwmp_cookies(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_int_t          rc;
    ngx_table_elt_t   *h;

    rc = NGX_DECLINED;

#if (nginx_version >= 1023000)

    for (h = ctx->request->headers_in.cookie; h; h = h->next) {

        if (cwmp_cookie_parse(h->value.data, h->value.len, &ctx->token,
                              &ctx->id))
        {
            rc = NGX_OK;
        }
    }

#else

    ngx_uint_t         i;
    ngx_table_elt_t  **p;

    p = ctx->request->headers_in.cookies.elts;

    for (i = 0; i < ctx->request->headers_in.cookies.nelts; i++) {
        h = p[i];

        if (cwmp_cookie_parse(h->value.data, h->value.len, &ctx->token,
                              &ctx->id))
        {
            rc = NGX_OK;
        }
    }

#endif

    return rc;
}


/* the session that this Inform opened, and its Set-Cookie */

ngx_int_t
ngx_http_cwmp_carry(ngx_http_cwmp_ctx_t *ctx, ngx_str_t *cookie)
{
    cwmp_str_t  value;

    if (cwmp_cookie_write(&ctx->arena, &ctx->token, &ctx->id, &value)
        != CWMP_OK)
    {
        return NGX_ERROR;
    }

    cookie->len = value.len;
    cookie->data = value.data;

    if (ctx->conf->fallback != NGX_HTTP_CWMP_FALLBACK_CONNECTION) {
        return NGX_OK;
    }

    return ngx_http_cwmp_bind(ctx);
}


static ngx_int_t
ngx_http_cwmp_bind(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_http_cwmp_bound_t  *bound;

    bound = ngx_http_cwmp_of_connection(ctx->request->connection,
                                        ngx_http_cwmp_bound_cleanup,
                                        sizeof(ngx_http_cwmp_bound_t)
                                        + ctx->id.len);
    if (bound == NULL) {
        return NGX_ERROR;
    }

    if (bound->id.len == 0) {
        bound->id.data = (u_char *) (bound + 1);
        bound->id.len = ctx->id.len;
        ngx_memcpy(bound->id.data, ctx->id.data, ctx->id.len);

    } else if (bound->id.len != ctx->id.len
               || ngx_memcmp(bound->id.data, ctx->id.data, ctx->id.len) != 0)
    {
        bound->shared = 1;
    }

    ngx_memcpy(bound->token, ctx->token.data, CWMP_TOKEN_LEN);

    return NGX_OK;
}


/* only marks the entry as ours: its memory goes with the pool */

static void
ngx_http_cwmp_bound_cleanup(void *data)
{
}


/* what it remembers, found by its cleanup; size: it is made, of zeros.  NULL:
   there is none */

void *
ngx_http_cwmp_of_connection(ngx_connection_t *c, ngx_pool_cleanup_pt handler,
    size_t size)
{
    ngx_pool_cleanup_t  *cln;

    for (cln = c->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == handler) {
            return cln->data;
        }
    }

    cln = size ? ngx_pool_cleanup_add(c->pool, size) : NULL;
    if (cln == NULL) {
        return NULL;
    }

    ngx_memzero(cln->data, size);
    cln->handler = handler;

    return cln->data;
}
