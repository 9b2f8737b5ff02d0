/*
 * One POST: who claims to send it, its body into the parser while it arrives,
 * then the step.  The body is never gathered; parameters of a long answer go
 * to Redis in chunks, and no more of the body is read while two of them are
 * unconfirmed.  Must not know what a verb means or how a reply is written.
 */

#include "ngx_http_cwmp.h"

#include <openssl/rand.h>


static ngx_http_cwmp_ctx_t *ngx_http_cwmp_create_ctx(ngx_http_request_t *r);
static void *ngx_http_cwmp_alloc(void *owner, size_t size);
static void ngx_http_cwmp_cleanup(void *data);
static void ngx_http_cwmp_body(ngx_http_request_t *r);
static void ngx_http_cwmp_charset(ngx_http_cwmp_ctx_t *ctx);
static void ngx_http_cwmp_tolerated(ngx_http_cwmp_ctx_t *ctx);
static ngx_int_t ngx_http_cwmp_feed(ngx_http_cwmp_ctx_t *ctx);
static ngx_int_t ngx_http_cwmp_feed_bytes(ngx_http_cwmp_ctx_t *ctx, u_char *p,
    size_t n);
static ngx_int_t ngx_http_cwmp_feed_file(ngx_http_cwmp_ctx_t *ctx,
    ngx_buf_t *b);
static void ngx_http_cwmp_refused(ngx_http_cwmp_ctx_t *ctx);
static ngx_int_t ngx_http_cwmp_flush(ngx_http_cwmp_ctx_t *ctx);
static void ngx_http_cwmp_end(ngx_http_cwmp_ctx_t *ctx);
static void ngx_http_cwmp_open(ngx_http_cwmp_ctx_t *ctx);
static int ngx_http_cwmp_is_inform(ngx_http_cwmp_ctx_t *ctx);
static ngx_int_t ngx_http_cwmp_inform(ngx_http_cwmp_ctx_t *ctx);
static void ngx_http_cwmp_no_session(ngx_http_cwmp_ctx_t *ctx);
static u_char *ngx_http_cwmp_log_error(ngx_http_request_t *r,
    ngx_http_request_t *sr, u_char *buf, size_t len);


/*
 * nginx's own handler: the same for all requests, but no name of it is public.
 * Kept here and not in ctx, which an internal redirect wipes.
 */
static ngx_http_log_handler_pt  ngx_http_cwmp_log_next;


#define NGX_HTTP_CWMP_CHUNK_ROWS  500
#define NGX_HTTP_CWMP_CHUNK_SIZE  65536


ngx_int_t
ngx_http_cwmp_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_str_t                  allow = ngx_string("POST");
    ngx_http_cwmp_ctx_t       *ctx;

    if (r != r->main) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "\"cwmp_acs\" serves CPEs, no subrequests");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->method != NGX_HTTP_POST) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "CWMP is POST only, method: \"%V\"", &r->method_name);

        if (ngx_http_cwmp_add_header(r, "Allow", &allow) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return NGX_HTTP_NOT_ALLOWED;
    }

    if (r->discard_body) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "the body is gone: no error_page into \"cwmp_acs\"");
        return NGX_HTTP_BAD_REQUEST;
    }

    ctx = ngx_http_cwmp_create_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_cwmp_carried(ctx) == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_cwmp_charset(ctx);

    r->connection->log->action = "reading a CWMP message";
    r->request_body_no_buffering = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_cwmp_body);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


static ngx_http_cwmp_ctx_t *
ngx_http_cwmp_create_ctx(ngx_http_request_t *r)
{
    ngx_http_cleanup_t   *cln;
    ngx_http_cwmp_ctx_t  *ctx;

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_cwmp_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    ctx->request = r;
    ctx->conf = ngx_http_get_module_loc_conf(r, ngx_http_cwmp_module);
    ctx->arena.alloc = ngx_http_cwmp_alloc;
    ctx->arena.owner = r->pool;

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_cwmp_cleanup;
    cln->data = ctx;

    ctx->envelope = cwmp_envelope_create(&ctx->arena, &ctx->conf->limits,
                                         ngx_http_cwmp_row, ctx);
    if (ctx->envelope == NULL) {
        return NULL;
    }

    ctx->facts = cwmp_envelope_facts(ctx->envelope);
    cwmp_result_init(&ctx->result, &ctx->arena);
    ngx_md5_init(&ctx->md5);
    ngx_md5_init(&ctx->informed);

    if (r->log_handler != ngx_http_cwmp_log_error) {
        ngx_http_cwmp_log_next = r->log_handler;
        r->log_handler = ngx_http_cwmp_log_error;
    }

    ngx_http_set_ctx(r, ctx, ngx_http_cwmp_module);

    return ctx;
}


static void *
ngx_http_cwmp_alloc(void *owner, size_t size)
{
    return ngx_palloc(owner, size);
}


/* the request is going away: Redis' replies must not find it any more */

static void
ngx_http_cwmp_cleanup(void *data)
{
    ngx_http_cwmp_ctx_t  *ctx = data;

    ctx->done = 1;
    ngx_http_cwmp_forget(ctx);
    ngx_http_cwmp_free(ctx);
}


/* what is held outside of the request's pool; the facts stay */

void
ngx_http_cwmp_free(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_http_cwmp_drop_rows(ctx);

    if (ctx->envelope) {
        cwmp_envelope_free(ctx->envelope);
        ctx->envelope = NULL;
    }
}


void
ngx_http_cwmp_drop_rows(ngx_http_cwmp_ctx_t *ctx)
{
    if (ctx->rows_pool) {
        ngx_destroy_pool(ctx->rows_pool);
    }

    ctx->rows_pool = NULL;
    ctx->rows = NULL;
    ctx->rows_size = 0;
}


static void
ngx_http_cwmp_body(ngx_http_request_t *r)
{
    r->read_event_handler = ngx_http_cwmp_read;
    r->write_event_handler = ngx_http_request_empty_handler;

    ngx_http_cwmp_read(r);
}


/*
 * The body's next pieces, until there are none, or Redis must catch up.  Once
 * the body is there the client is watched for going away.
 */

void
ngx_http_cwmp_read(ngx_http_request_t *r)
{
    ngx_int_t             rc;
    ngx_http_cwmp_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_cwmp_module);

    for ( ;; ) {

        if (ngx_http_cwmp_feed(ctx) != NGX_OK) {
            return;
        }

        if (!r->reading_body) {
            break;
        }

        if (ngx_http_cwmp_flush(ctx) != NGX_OK) {
            return;
        }

        if (ctx->paused) {
            if (r->connection->read->timer_set) {
                ngx_del_timer(r->connection->read);
            }

            r->read_event_handler = ngx_http_block_reading;
            return;
        }

        rc = ngx_http_read_unbuffered_request_body(r);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {

            if (rc == NGX_HTTP_REQUEST_TIME_OUT) {
                ngx_log_error(NGX_LOG_INFO, r->connection->log,
                              NGX_ETIMEDOUT, "client timed out");
            }

            ctx->done = 1;
            ngx_http_cwmp_forget(ctx);
            ngx_http_finalize_request(r, rc);
            return;
        }

        if (rc == NGX_AGAIN && r->request_body->bufs == NULL) {
            return;
        }
    }

    r->read_event_handler = ngx_http_test_reading;

    ngx_http_cwmp_end(ctx);
}


/* what has arrived goes into the parser; not NGX_OK: it was answered */

static ngx_int_t
ngx_http_cwmp_feed(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_buf_t            *b;
    ngx_int_t             rc;
    ngx_chain_t          *cl, *next;
    ngx_http_request_t   *r;

    r = ctx->request;

    if (r->request_body == NULL) {
        return NGX_OK;
    }

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        b = cl->buf;

        if (!ngx_buf_in_memory(b) && b->in_file) {
            rc = ngx_http_cwmp_feed_file(ctx, b);

        } else {
            rc = ngx_http_cwmp_feed_bytes(ctx, b->pos, b->last - b->pos);
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    /*
     * A long body would leave a link for each of its pieces.  One that a
     * subrequest is to have as well (mirror) is left as it is.
     */

    if (!r->preserve_body) {

        for (cl = r->request_body->bufs; cl; cl = next) {
            next = cl->next;
            cl->buf->pos = cl->buf->last;
            ngx_free_chain(r->pool, cl);
        }

        r->request_body->bufs = NULL;
    }

    /* nothing but an Inform is worth reading without a session */

    if (ctx->id.len == 0 && ctx->facts->method.len
        && !ngx_http_cwmp_is_inform(ctx))
    {
        ngx_http_cwmp_no_session(ctx);
        return NGX_DONE;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_cwmp_feed_bytes(ngx_http_cwmp_ctx_t *ctx, u_char *p, size_t n)
{
    cwmp_rc_t  rc;

    if (n == 0) {
        return NGX_OK;
    }

    ngx_md5_update(&ctx->md5, p, n);

    rc = cwmp_envelope_feed(ctx->envelope, p, n);

    if (rc == CWMP_REFUSED) {
        ngx_http_cwmp_refused(ctx);
        return NGX_DONE;
    }

    if (rc != CWMP_OK) {
        ngx_http_cwmp_reply_error(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                  "out of memory");
        return NGX_DONE;
    }

    return NGX_OK;
}


/* another module (mirror) has read the body before us, into a file */

static ngx_int_t
ngx_http_cwmp_feed_file(ngx_http_cwmp_ctx_t *ctx, ngx_buf_t *b)
{
    u_char     bytes[16384];
    off_t      at;
    ssize_t    n;
    ngx_int_t  rc;

    for (at = b->file_pos; at < b->file_last; at += n) {

        n = ngx_read_file(b->file, bytes,
                          (size_t) ngx_min(b->file_last - at,
                                           (off_t) sizeof(bytes)), at);
        if (n <= 0) {
            ngx_http_cwmp_reply_error(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                      "the body's file cannot be read");
            return NGX_DONE;
        }

        rc = ngx_http_cwmp_feed_bytes(ctx, bytes, n);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


/*
 * The connection closes: where a body was cut or overran its length, what
 * follows must not be read as a request.
 */

static void
ngx_http_cwmp_refused(ngx_http_cwmp_ctx_t *ctx)
{
    ctx->request->keepalive = 0;

    ngx_http_cwmp_reply_error(ctx, NGX_HTTP_BAD_REQUEST,
                              cwmp_envelope_reason(ctx->envelope));
}


/* enough rows for a chunk?  They go now: the answer may be of any length */

static ngx_int_t
ngx_http_cwmp_flush(ngx_http_cwmp_ctx_t *ctx)
{
    if (ctx->facts->kind != CWMP_RESPONSE || ctx->rows == NULL
        || (ctx->rows->nelts < 2 * NGX_HTTP_CWMP_CHUNK_ROWS
            && ctx->rows_size < NGX_HTTP_CWMP_CHUNK_SIZE))
    {
        return NGX_OK;
    }

    return ngx_http_cwmp_chunk(ctx);
}


/* Content-Type: text/xml; charset="utf-8" */

static void
ngx_http_cwmp_charset(ngx_http_cwmp_ctx_t *ctx)
{
    u_char           *p, *last, *name;
    ngx_table_elt_t  *type;

    type = ctx->request->headers_in.content_type;

    if (type == NULL) {
        return;
    }

    last = type->value.data + type->value.len;
    p = ngx_strlcasestrn(type->value.data, last, (u_char *) "charset=", 7);

    if (p == NULL) {
        return;
    }

    for (p += 8; p < last && (*p == '"' || *p == '\'' || *p == ' '); p++) {
        /* void */
    }

    for (name = p; p < last && *p != '"' && *p != '\'' && *p != ';'
                   && *p != ' '; p++)
    {
        /* void */
    }

    cwmp_envelope_charset(ctx->envelope, name, p - name);
}


/* what was let pass, once per message: somebody may want to know */

static void
ngx_http_cwmp_tolerated(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_log_t  *log;

    log = ctx->request->connection->log;

    if (ctx->facts->repaired) {
        ngx_log_error(NGX_LOG_INFO, log, 0, "%uz values were repaired: bytes "
                      "that are not UTF-8 or not allowed in XML, or bare "
                      "'&' or '<'", ctx->facts->repaired);
    }

    if (ctx->facts->extra) {
        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "what follows the first envelope was ignored");
    }
}


/* the whole body is there */

static void
ngx_http_cwmp_end(ngx_http_cwmp_ctx_t *ctx)
{
    cwmp_rc_t  rc;

    rc = cwmp_envelope_end(ctx->envelope);

    if (rc == CWMP_REFUSED) {
        ngx_http_cwmp_refused(ctx);
        return;
    }

    if (rc != CWMP_OK) {
        ngx_http_cwmp_reply_error(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                  "out of memory");
        return;
    }

    ngx_http_cwmp_tolerated(ctx);

    ctx->request->connection->log->action = "answering a CWMP message";

    if (ngx_http_cwmp_is_inform(ctx)) {
        ngx_http_cwmp_open(ctx);

    } else if (ctx->id.len) {
        ngx_http_cwmp_step(ctx);

    } else {
        ngx_http_cwmp_no_session(ctx);
    }
}


/* an Inform: whose, and the session that it opens */

static void
ngx_http_cwmp_open(ngx_http_cwmp_ctx_t *ctx)
{
    cwmp_rc_t    rc;
    const char  *reason;

    rc = cwmp_identity(&ctx->arena,
                       cwmp_envelope_value(ctx->envelope, "DeviceId.OUI"),
                       cwmp_envelope_value(ctx->envelope,
                                           "DeviceId.ProductClass"),
                       cwmp_envelope_value(ctx->envelope,
                                           "DeviceId.SerialNumber"),
                       &ctx->id, &reason);

    if (rc == CWMP_REFUSED) {
        ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                      "Inform refused: %s", reason);
        ngx_http_cwmp_reply_fault(ctx, 8003);
        return;
    }

    if (rc != CWMP_OK || ngx_http_cwmp_inform(ctx) != NGX_OK) {
        ngx_http_cwmp_reply_error(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                  "out of memory");
        return;
    }

    ngx_http_cwmp_step(ctx);
}


static int
ngx_http_cwmp_is_inform(ngx_http_cwmp_ctx_t *ctx)
{
    return ctx->facts->kind == CWMP_REQUEST && ctx->facts->rpc
           && ngx_strcmp(ctx->facts->rpc->name, "Inform") == 0;
}


/* a new session: its token, and the events as one text for people */

static ngx_int_t
ngx_http_cwmp_inform(ngx_http_cwmp_ctx_t *ctx)
{
    u_char      *p, bytes[16];
    size_t       len;
    ngx_str_t   *event;
    ngx_uint_t   i, n;

    n = ctx->events ? ctx->events->nelts : 0;
    event = n ? ctx->events->elts : NULL;

    for (len = 1, i = 0; i < n; i += 2) {
        len += event[i].len + 1;
    }

    p = ngx_pnalloc(ctx->request->pool, len + CWMP_TOKEN_LEN);
    if (p == NULL || RAND_bytes(bytes, sizeof(bytes)) != 1) {
        return NGX_ERROR;
    }

    cwmp_token_encode(bytes, p);
    ctx->token.data = p;
    ctx->token.len = CWMP_TOKEN_LEN;

    p += CWMP_TOKEN_LEN;
    ctx->events_text.data = p;

    for (i = 0; i < n; i += 2) {
        if (i) {
            *p++ = ',';
        }

        p = ngx_cpymem(p, event[i].data, event[i].len);
    }

    ctx->events_text.len = p - ctx->events_text.data;

    return NGX_OK;
}


/*
 * Neither a session nor an Inform.  An empty POST gets 204: agents on libcurl
 * probe with one, and go on with the real POST after any 2xx only.
 */

static void
ngx_http_cwmp_no_session(ngx_http_cwmp_ctx_t *ctx)
{
    if (ctx->facts->kind == CWMP_EMPTY && ctx->facts->method.len == 0) {
        ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                      "empty POST without a session: nothing to do");
        ngx_http_cwmp_reply_empty(ctx);
        return;
    }

    ctx->request->keepalive = 0;

    ngx_http_cwmp_reply_error(ctx, NGX_HTTP_BAD_REQUEST,
                              "no session: it must begin with an Inform, and "
                              "later POSTs return its cookie");
}


/* each log line of the request names the device and the session */

static u_char *
ngx_http_cwmp_log_error(ngx_http_request_t *r, ngx_http_request_t *sr,
    u_char *buf, size_t len)
{
    u_char               *p;
    ngx_http_cwmp_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_cwmp_module);

    if (ctx && ctx->id.len) {
        p = ngx_snprintf(buf, len, ", device: %V", (ngx_str_t *) &ctx->id);
        len -= p - buf;
        buf = p;
    }

    if (ctx && ctx->token.len) {
        p = ngx_snprintf(buf, len, ", session: %*s", (size_t) 8,
                         ctx->token.data);
        len -= p - buf;
        buf = p;
    }

    return ngx_http_cwmp_log_next(r, sr, buf, len);
}
