/*
 * HTTP responses: an envelope with status 200, nothing with 204, or one line
 * of plain text that says what was wrong.  Each function here ends the
 * request.
 */

#include "ngx_http_cwmp.h"


/* an envelope as it is written */
typedef struct {
    ngx_pool_t     *pool;
    ngx_chain_t    *first;
    ngx_chain_t   **last;
    ngx_buf_t      *buf;
} ngx_http_cwmp_out_t;


static void ngx_http_cwmp_out_init(ngx_http_cwmp_ctx_t *ctx, cwmp_out_t *out,
    ngx_http_cwmp_out_t *data);
static cwmp_rc_t ngx_http_cwmp_out_more(cwmp_out_t *out);
static ngx_chain_t *ngx_http_cwmp_out_end(ngx_http_cwmp_ctx_t *ctx,
    cwmp_out_t *out, cwmp_rc_t rc);
static void ngx_http_cwmp_out_send(ngx_http_cwmp_ctx_t *ctx, cwmp_out_t *out,
    cwmp_rc_t rc);
static const cwmp_str_t *ngx_http_cwmp_echo(ngx_http_cwmp_ctx_t *ctx);
static ngx_int_t ngx_http_cwmp_again(ngx_connection_t *c);
static void ngx_http_cwmp_again_cleanup(void *data);


#define NGX_HTTP_CWMP_OUT_SIZE  2048
#define NGX_HTTP_CWMP_AGAIN     3   /* faults 8005 on a connection */


/* the session's version and namespace are settled by this envelope */

void
ngx_http_cwmp_reply_inform(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_str_t            cookie;
    cwmp_out_t           out;
    ngx_http_cwmp_out_t  data;

    if (ngx_http_cwmp_carry(ctx, &cookie) != NGX_OK
        || ngx_http_cwmp_add_header(ctx->request, "Set-Cookie", &cookie)
           != NGX_OK)
    {
        ngx_http_cwmp_reply_error(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                  "out of memory");
        return;
    }

    ngx_http_cwmp_out_init(ctx, &out, &data);

    if (ctx->cwmp.negotiated) {
        out.use_version = ctx->cwmp.version;
    }

    ngx_http_cwmp_out_send(ctx, &out,
                           cwmp_write_response(&out, ctx->cwmp.ns,
                                               ngx_http_cwmp_echo(ctx),
                                               ctx->facts->rpc));
}


void
ngx_http_cwmp_reply_answer(ngx_http_cwmp_ctx_t *ctx)
{
    u_char               buf[NGX_HTTP_CWMP_SHOWN];
    ngx_str_t            method;
    cwmp_out_t           out;
    const cwmp_rpc_t    *rpc;
    ngx_http_cwmp_out_t  data;

    rpc = ctx->facts->rpc;

    if (rpc == NULL || !(rpc->from & CWMP_FROM_CPE)) {
        ngx_http_cwmp_shown(&method, buf, (ngx_str_t *) &ctx->facts->method);

        ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                      "%V is not served: fault 8000", &method);

        ngx_http_cwmp_reply_fault(ctx, 8000);
        return;
    }

    ngx_http_cwmp_out_init(ctx, &out, &data);
    ngx_http_cwmp_out_send(ctx, &out,
                           cwmp_write_response(&out, ctx->facts->ns,
                                               ngx_http_cwmp_echo(ctx),
                                               rpc));
}


void
ngx_http_cwmp_reply_fault(ngx_http_cwmp_ctx_t *ctx, ngx_uint_t code)
{
    cwmp_out_t           out;
    ngx_http_cwmp_out_t  data;


    ngx_http_cwmp_out_init(ctx, &out, &data);
    ngx_http_cwmp_out_send(ctx, &out,
                           cwmp_write_fault(&out, ctx->facts->ns,
                                            ngx_http_cwmp_echo(ctx),
                                            (unsigned) code));
}


void
ngx_http_cwmp_reply_not_understood(ngx_http_cwmp_ctx_t *ctx)
{
    cwmp_out_t           out;
    ngx_http_cwmp_out_t  data;

    ngx_http_cwmp_out_init(ctx, &out, &data);
    ngx_http_cwmp_out_send(ctx, &out,
                           cwmp_write_not_understood(&out, ctx->facts->ns,
                               ngx_http_cwmp_echo(ctx),
                               &ctx->facts->not_understood));
}


/* NULL: there was no memory, and the request has ended */

ngx_chain_t *
ngx_http_cwmp_write_rpc(ngx_http_cwmp_ctx_t *ctx, cwmp_ns_t ns,
    const cwmp_str_t *id, const cwmp_task_rpc_t *rpc)
{
    cwmp_out_t           out;
    ngx_http_cwmp_out_t  data;

    ngx_http_cwmp_out_init(ctx, &out, &data);

    return ngx_http_cwmp_out_end(ctx, &out,
                                 cwmp_write_request(&out, ns, id, rpc->rpc,
                                                    rpc->args));
}


void
ngx_http_cwmp_reply_empty(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = ctx->request;
    ctx->done = 1;
    ngx_http_cwmp_spend(ctx);

    r->headers_out.status = NGX_HTTP_NO_CONTENT;
    r->header_only = 1;

    rc = ngx_http_send_header(r);

    ngx_http_finalize_request(r, rc == NGX_ERROR || rc > NGX_OK
                                 ? rc : ngx_http_send_special(r,
                                                              NGX_HTTP_LAST));
}


void
ngx_http_cwmp_reply_denied(ngx_http_cwmp_ctx_t *ctx)
{
    ctx->request->keepalive = 0;

    ngx_http_cwmp_reply_error(ctx, NGX_HTTP_FORBIDDEN, "refused");
}


/* for people and for the CPE's own log: what was wrong, in one line */

void
ngx_http_cwmp_reply_error(ngx_http_cwmp_ctx_t *ctx, ngx_uint_t status,
    const char *reason)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    if (ctx->done) {
        return;
    }

    ctx->done = 1;
    ngx_http_cwmp_forget(ctx);
    ngx_http_cwmp_spend(ctx);

    if (status < NGX_HTTP_INTERNAL_SERVER_ERROR) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0, "POST refused: %s",
                      reason);
    }

    if (status == NGX_HTTP_SERVICE_UNAVAILABLE
        && ngx_http_cwmp_add_retry(r) != NGX_OK)
    {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    /* the rest of a body may be awaited for long, in vain */

    ngx_http_cwmp_free(ctx);

    ngx_http_finalize_request(r, ngx_http_cwmp_send_line(r, status, "",
                                                         reason));
}


/* of each 503 to a CPE, whoever gives it */

ngx_int_t
ngx_http_cwmp_add_retry(ngx_http_request_t *r)
{
    ngx_str_t  seconds = ngx_string("30");

    return ngx_http_cwmp_add_header(r, "Retry-After", &seconds);
}


/* a line of text, in two parts */

ngx_int_t
ngx_http_cwmp_send_line(ngx_http_request_t *r, ngx_uint_t status,
    const char *what, const char *text)
{
    ngx_buf_t    *b;
    ngx_int_t     rc;
    ngx_chain_t   out;

    b = ngx_create_temp_buf(r->pool, ngx_strlen(what) + ngx_strlen(text) + 1);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->last = ngx_cpymem(b->last, what, ngx_strlen(what));
    b->last = ngx_cpymem(b->last, text, ngx_strlen(text));
    *b->last++ = LF;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    r->headers_out.status = status;
    r->headers_out.content_length_n = b->last - b->pos;
    ngx_str_set(&r->headers_out.content_type, "text/plain");
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, &out);
}


/*
 * Redis is away.  A request of the CPE may be sent again in its session, which
 * then goes on; all else ends it: of an Inform, a response or an empty POST
 * nothing is lost that the next session would not bring.  8002 is never said: a
 * CPE may drop what it tells with it.
 */

void
ngx_http_cwmp_reply_away(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    if (!ctx->done && r->keepalive && ctx->facts->kind == CWMP_REQUEST
        && !ngx_http_cwmp_is_inform(ctx)
        && ngx_http_cwmp_again(r->connection) == NGX_OK)
    {
        ngx_http_cwmp_reply_fault(ctx, 8005);
        return;
    }

    ngx_http_cwmp_reply_error(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                              "the session store is away: try again");
}


/* so often on a connection only: a CPE tries again without a pause */

static ngx_int_t
ngx_http_cwmp_again(ngx_connection_t *c)
{
    ngx_uint_t          *count;
    ngx_pool_cleanup_t  *cln;

    for (cln = c->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_cwmp_again_cleanup) {
            count = cln->data;
            return (++*count <= NGX_HTTP_CWMP_AGAIN) ? NGX_OK : NGX_DECLINED;
        }
    }

    cln = ngx_pool_cleanup_add(c->pool, sizeof(ngx_uint_t));
    if (cln == NULL) {
        return NGX_DECLINED;
    }

    count = cln->data;
    *count = 1;
    cln->handler = ngx_http_cwmp_again_cleanup;

    return NGX_OK;
}


/* only marks the entry as ours: its memory goes with the pool */

static void
ngx_http_cwmp_again_cleanup(void *data)
{
}


ngx_int_t
ngx_http_cwmp_add_header(ngx_http_request_t *r, const char *name,
    const ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));        /* "next" since 1.23 */

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value = *value;

    return NGX_OK;
}


/* the CPE's ID, byte for byte, or none */

static const cwmp_str_t *
ngx_http_cwmp_echo(ngx_http_cwmp_ctx_t *ctx)
{
    return ctx->facts->has_id ? &ctx->facts->id : NULL;
}


static void
ngx_http_cwmp_out_init(ngx_http_cwmp_ctx_t *ctx, cwmp_out_t *out,
    ngx_http_cwmp_out_t *data)
{
    ngx_memzero(out, sizeof(cwmp_out_t));
    ngx_memzero(data, sizeof(ngx_http_cwmp_out_t));

    data->pool = ctx->request->pool;
    data->last = &data->first;

    out->style = ctx->style;
    out->more = ngx_http_cwmp_out_more;
    out->data = data;
}


static cwmp_rc_t
ngx_http_cwmp_out_more(cwmp_out_t *out)
{
    ngx_buf_t            *b;
    ngx_chain_t          *cl;
    ngx_http_cwmp_out_t  *data;

    data = out->data;

    if (data->buf) {
        data->buf->last = out->pos;
    }

    cl = ngx_alloc_chain_link(data->pool);
    b = ngx_create_temp_buf(data->pool, NGX_HTTP_CWMP_OUT_SIZE);

    if (cl == NULL || b == NULL) {
        return CWMP_ERROR;
    }

    cl->buf = b;
    cl->next = NULL;
    *data->last = cl;
    data->last = &cl->next;
    data->buf = b;

    out->pos = b->pos;
    out->end = b->end;

    return CWMP_OK;
}


static ngx_chain_t *
ngx_http_cwmp_out_end(ngx_http_cwmp_ctx_t *ctx, cwmp_out_t *out, cwmp_rc_t rc)
{
    ngx_http_cwmp_out_t  *data;

    data = out->data;

    if (rc != CWMP_OK || data->buf == NULL) {
        ngx_http_cwmp_reply_error(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                  "out of memory");
        return NULL;
    }

    data->buf->last = out->pos;
    data->buf->last_buf = 1;
    data->buf->last_in_chain = 1;

    return data->first;
}


static void
ngx_http_cwmp_out_send(ngx_http_cwmp_ctx_t *ctx, cwmp_out_t *out, cwmp_rc_t rc)
{
    ngx_chain_t  *envelope;

    envelope = ngx_http_cwmp_out_end(ctx, out, rc);

    if (envelope) {
        ngx_http_cwmp_reply_envelope(ctx, envelope);
    }
}


void
ngx_http_cwmp_reply_envelope(ngx_http_cwmp_ctx_t *ctx, ngx_chain_t *envelope)
{
    off_t                len;
    ngx_int_t            rv;
    ngx_chain_t         *cl;
    ngx_http_request_t  *r;

    r = ctx->request;
    ctx->done = 1;
    ngx_http_cwmp_spend(ctx);

    for (len = 0, cl = envelope; cl; cl = cl->next) {
        len += cl->buf->last - cl->buf->pos;
    }

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = len;
    ngx_str_set(&r->headers_out.content_type, "text/xml; charset=\"utf-8\"");

    /* without the charset: what "gzip_types text/xml" is compared with */

    r->headers_out.content_type_len = sizeof("text/xml") - 1;

    rv = ngx_http_send_header(r);

    if (rv == NGX_OK) {
        rv = ngx_http_output_filter(r, envelope);
    }

    ngx_http_finalize_request(r, rv);
}
