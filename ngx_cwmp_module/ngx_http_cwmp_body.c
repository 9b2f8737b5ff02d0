/*
 * A POST's body, from nginx through the inflater into the parser, while it
 * arrives.  It is never gathered: parameters of a long answer go to Redis in
 * chunks, and no more of the body is read, or inflated, while two of them are
 * unconfirmed.  Other requests get their turn after each piece of it, however
 * much of it is there.  Must not know what a message means.
 */

#include "ngx_http_cwmp.h"


static ngx_int_t ngx_http_cwmp_preserve(ngx_http_cwmp_ctx_t *ctx);
static void ngx_http_cwmp_tolerated(ngx_http_cwmp_ctx_t *ctx);
static const char *ngx_http_cwmp_unread(ngx_int_t rc);
static ngx_int_t ngx_http_cwmp_feed(ngx_http_cwmp_ctx_t *ctx);
static ngx_int_t ngx_http_cwmp_pour(ngx_http_cwmp_ctx_t *ctx, ngx_buf_t *b);
static ngx_int_t ngx_http_cwmp_pour_file(ngx_http_cwmp_ctx_t *ctx,
    ngx_buf_t *b);
static ngx_int_t ngx_http_cwmp_inflate(ngx_http_cwmp_ctx_t *ctx,
    ngx_buf_t *b);
static ngx_int_t ngx_http_cwmp_parse(ngx_http_cwmp_ctx_t *ctx, u_char *p,
    size_t n);
static ngx_int_t ngx_http_cwmp_inflated(ngx_http_cwmp_ctx_t *ctx,
    cwmp_rc_t rc);
static ngx_int_t ngx_http_cwmp_parsed(ngx_http_cwmp_ctx_t *ctx, cwmp_rc_t rc);
static ngx_int_t ngx_http_cwmp_flush(ngx_http_cwmp_ctx_t *ctx);
static void ngx_http_cwmp_give_way(ngx_http_cwmp_ctx_t *ctx);
static void ngx_http_cwmp_turn(ngx_event_t *ev);
static void ngx_http_cwmp_end(ngx_http_cwmp_ctx_t *ctx);


#define NGX_HTTP_CWMP_CHUNK_ROWS  500
#define NGX_HTTP_CWMP_CHUNK_SIZE  65536
#define NGX_HTTP_CWMP_SLICE       16384
#define NGX_HTTP_CWMP_TURN        131072    /* bytes: 4 ms or so */


void
ngx_http_cwmp_body(ngx_http_request_t *r)
{
    ngx_http_cwmp_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_cwmp_module);

    r->read_event_handler = ngx_http_cwmp_read;
    r->write_event_handler = ngx_http_request_empty_handler;

    if (ngx_http_cwmp_preserve(ctx) != NGX_OK) {
        ngx_http_cwmp_reply_error(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                  "out of memory");
        return;
    }

    ngx_http_cwmp_read(r);
}


/*
 * A body that a subrequest is to have as well (mirror) is there already, and
 * is left as it is: we go through copies of its buffers' heads.
 */

static ngx_int_t
ngx_http_cwmp_preserve(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_buf_t           *b;
    ngx_chain_t         *cl, *in, **last;
    ngx_http_request_t  *r;

    static ngx_chain_t  *none;

    r = ctx->request;

    if (r->request_body == NULL) {
        ctx->body = &none;
        return NGX_OK;
    }

    ctx->body = &r->request_body->bufs;

    if (!r->preserve_body) {
        return NGX_OK;
    }

    ctx->body = &ctx->kept;
    last = &ctx->kept;

    for (in = r->request_body->bufs; in; in = in->next) {
        cl = ngx_alloc_chain_link(r->pool);
        b = ngx_alloc_buf(r->pool);

        if (cl == NULL || b == NULL) {
            return NGX_ERROR;
        }

        *b = *in->buf;
        cl->buf = b;
        cl->next = NULL;
        *last = cl;
        last = &cl->next;
    }

    return NGX_OK;
}


/*
 * The body's next pieces, until there are none, or Redis must catch up, or it
 * is others' turn.  Once the body is there the client is watched for going
 * away.
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

        if (r->reading_body && !ctx->paused
            && ngx_http_cwmp_flush(ctx) != NGX_OK)
        {
            return;
        }

        if (ctx->paused) {
            if (r->connection->read->timer_set) {
                ngx_del_timer(r->connection->read);
            }

            r->read_event_handler = ngx_http_block_reading;
            return;
        }

        if (!r->reading_body) {
            break;
        }

        rc = ngx_http_read_unbuffered_request_body(r);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {

            if (rc == NGX_HTTP_REQUEST_TIME_OUT) {
                ngx_log_error(NGX_LOG_INFO, r->connection->log,
                              NGX_ETIMEDOUT, "client timed out");
            }

            ngx_http_cwmp_broke(ctx, ngx_http_cwmp_unread(rc));
            ctx->done = 1;
            ngx_http_cwmp_spend(ctx);
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


/* why the rest of a body cannot be read, as nginx has it */

static const char *
ngx_http_cwmp_unread(ngx_int_t rc)
{
    switch (rc) {

    case NGX_HTTP_REQUEST_TIME_OUT:
        return "the rest of it did not come in time";

    case NGX_HTTP_REQUEST_ENTITY_TOO_LARGE:
        return "it is larger than cwmp_max_envelope";

    default:
        return "the connection ended before it";
    }
}


/*
 * What has arrived goes into the parser; not NGX_OK: it was answered.  When
 * there is a pause in the middle of it the rest stays in the chain.
 */

static ngx_int_t
ngx_http_cwmp_feed(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_int_t             rc;
    ngx_buf_t            *b;
    ngx_chain_t          *cl;

    while (*ctx->body) {
        cl = *ctx->body;
        b = cl->buf;

        if (!ngx_buf_in_memory(b) && b->in_file) {
            rc = ngx_http_cwmp_pour_file(ctx, b);

        } else {
            rc = ngx_http_cwmp_pour(ctx, b);
        }

        if (rc != NGX_OK) {
            return rc;
        }

        if (ctx->paused) {
            return NGX_OK;
        }

        /* a long body would leave a link for each of its pieces */

        *ctx->body = cl->next;
        ngx_free_chain(ctx->request->pool, cl);
    }

    return NGX_OK;
}


/* in slices: a buffer may be of megabytes, and chunks go to Redis in between */

static ngx_int_t
ngx_http_cwmp_pour(ngx_http_cwmp_ctx_t *ctx, ngx_buf_t *b)
{
    u_char  *p;

    if (ctx->inflate) {
        return ngx_http_cwmp_inflate(ctx, b);
    }

    for ( ;; ) {
        p = b->pos;
        b->pos += ngx_min(b->last - p, NGX_HTTP_CWMP_SLICE);

        if (ngx_http_cwmp_parse(ctx, p, b->pos - p) != NGX_OK) {
            return NGX_DONE;
        }

        if (b->pos == b->last) {
            return NGX_OK;
        }

        if (ngx_http_cwmp_flush(ctx) != NGX_OK) {
            return NGX_DONE;
        }

        if (ctx->paused) {
            return NGX_OK;
        }
    }
}


/*
 * Another module (mirror) has read the body before us, into a file.  Once
 * more when all of it was read: the inflater may hold something back.
 */

static ngx_int_t
ngx_http_cwmp_pour_file(ngx_http_cwmp_ctx_t *ctx, ngx_buf_t *b)
{
    u_char     bytes[NGX_HTTP_CWMP_SLICE];
    ssize_t    n;
    ngx_buf_t  piece;
    ngx_int_t  rc;

    do {
        n = ngx_min(b->file_last - b->file_pos, (off_t) sizeof(bytes));

        if (n && ngx_read_file(b->file, bytes, n, b->file_pos) != n) {
            ngx_http_cwmp_reply_error(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                      "the body's file cannot be read");
            return NGX_DONE;
        }

        piece.pos = bytes;
        piece.last = bytes + n;

        rc = ngx_http_cwmp_pour(ctx, &piece);
        b->file_pos += piece.pos - bytes;

        if (rc == NGX_OK && !ctx->paused && b->file_pos < b->file_last) {
            rc = ngx_http_cwmp_flush(ctx);
        }

        if (rc != NGX_OK) {
            return rc;
        }

    } while (!ctx->paused && b->file_pos < b->file_last);

    return NGX_OK;
}


/* sixteen kilobytes may be megabytes: chunks go to Redis in between */

static ngx_int_t
ngx_http_cwmp_inflate(ngx_http_cwmp_ctx_t *ctx, ngx_buf_t *b)
{
    cwmp_rc_t             rc;
    cwmp_str_t            piece;
    const unsigned char  *p;

    for ( ;; ) {
        p = b->pos;
        rc = cwmp_inflate_next(ctx->inflate, &p, b->last, &piece);
        b->pos = (u_char *) p;

        if (rc != CWMP_OK) {
            return ngx_http_cwmp_inflated(ctx, rc);
        }

        if (piece.len == 0) {
            return NGX_OK;
        }

        if (ngx_http_cwmp_parse(ctx, piece.data, piece.len) != NGX_OK
            || ngx_http_cwmp_flush(ctx) != NGX_OK)
        {
            return NGX_DONE;
        }

        if (ctx->paused) {
            return NGX_OK;
        }
    }
}


static ngx_int_t
ngx_http_cwmp_parse(ngx_http_cwmp_ctx_t *ctx, u_char *p, size_t n)
{
    if (n == 0) {
        return NGX_OK;
    }

    ctx->parsed += n;
    XXH64_update(&ctx->digest, p, n);

    if (ngx_http_cwmp_parsed(ctx, cwmp_envelope_feed(ctx->envelope, p, n))
        != NGX_OK)
    {
        return NGX_DONE;
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


/*
 * What came of it.  The connection of a refused body closes: where it was cut
 * or overran its length, what follows must not be read as a request.
 */

static ngx_int_t
ngx_http_cwmp_inflated(ngx_http_cwmp_ctx_t *ctx, cwmp_rc_t rc)
{
    ngx_uint_t  status;

    if (rc != CWMP_REFUSED) {
        return ngx_http_cwmp_parsed(ctx, rc);
    }

    status = cwmp_inflate_too_large(ctx->inflate)
             ? NGX_HTTP_REQUEST_ENTITY_TOO_LARGE : NGX_HTTP_BAD_REQUEST;

    ctx->request->keepalive = 0;

    ngx_http_cwmp_broke(ctx, cwmp_inflate_reason(ctx->inflate));
    ngx_http_cwmp_reply_error(ctx, status, cwmp_inflate_reason(ctx->inflate));

    return NGX_DONE;
}


static ngx_int_t
ngx_http_cwmp_parsed(ngx_http_cwmp_ctx_t *ctx, cwmp_rc_t rc)
{
    if (rc == CWMP_OK) {
        return NGX_OK;
    }

    if (rc == CWMP_REFUSED) {
        ctx->request->keepalive = 0;

        ngx_http_cwmp_disown(ctx);
        ngx_http_cwmp_broke(ctx, cwmp_envelope_reason(ctx->envelope));
        ngx_http_cwmp_reply_error(ctx, NGX_HTTP_BAD_REQUEST,
                                  cwmp_envelope_reason(ctx->envelope));
    } else {
        ngx_http_cwmp_reply_error(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                  "out of memory");
    }

    return NGX_DONE;
}


/*
 * More of the body follows.  Enough rows for a chunk?  They go now: the answer
 * may be of any length.
 */

static ngx_int_t
ngx_http_cwmp_flush(ngx_http_cwmp_ctx_t *ctx)
{
    if (ctx->parsed >= NGX_HTTP_CWMP_TURN) {
        ngx_http_cwmp_give_way(ctx);
    }

    if (ctx->facts->kind != CWMP_RESPONSE || ctx->rows == NULL
        || (ctx->rows->nelts < 2 * NGX_HTTP_CWMP_CHUNK_ROWS
            && ctx->rows_size < NGX_HTTP_CWMP_CHUNK_SIZE))
    {
        return NGX_OK;
    }

    return ngx_http_cwmp_chunk(ctx);
}


/*
 * A few kilobytes of gzip are megabytes to parse, and a body may be in memory
 * as a whole: what else the worker has to do comes in between.  A timer and no
 * posted event: a worker that is to quit waits for timers only.
 */

static void
ngx_http_cwmp_give_way(ngx_http_cwmp_ctx_t *ctx)
{
    ctx->parsed = 0;
    ctx->paused |= NGX_HTTP_CWMP_FOR_OTHERS;

    ctx->turn.handler = ngx_http_cwmp_turn;
    ctx->turn.data = ctx;
    ctx->turn.log = ctx->request->connection->log;

    ngx_add_timer(&ctx->turn, 1);
}


static void
ngx_http_cwmp_turn(ngx_event_t *ev)
{
    ngx_connection_t     *c;
    ngx_http_cwmp_ctx_t  *ctx;

    ctx = ev->data;
    c = ctx->request->connection;

    ngx_http_set_log_request(c->log, ctx->request);

    ngx_http_cwmp_go_on(ctx, NGX_HTTP_CWMP_FOR_OTHERS);
    ngx_http_run_posted_requests(c);
}


/* one reason to pause is gone: the last one? */

void
ngx_http_cwmp_go_on(ngx_http_cwmp_ctx_t *ctx, unsigned why)
{
    ctx->paused &= ~why;

    if (ctx->paused == 0) {
        ctx->request->read_event_handler = ngx_http_cwmp_read;
        ngx_http_cwmp_read(ctx->request);
    }
}


/* what was let pass, once per message: somebody may want to know */

static void
ngx_http_cwmp_tolerated(ngx_http_cwmp_ctx_t *ctx)
{
    u_char      buf[NGX_HTTP_CWMP_SHOWN];
    ngx_log_t  *log;
    ngx_str_t   first;

    log = ctx->request->connection->log;

    if (ctx->facts->repaired) {
        ngx_http_cwmp_shown(&first, buf, &ctx->repaired);

        ngx_log_error(NGX_LOG_INFO, log, 0, "%uz values were repaired: bytes "
                      "that are not UTF-8 or not allowed in XML, bare '&', "
                      "'<' or ']]>', or elements inside%s%V",
                      ctx->facts->repaired,
                      ctx->repaired.len ? ", the first in " : "",
                      &first);
    }

    if (ctx->long_names) {
        ngx_log_error(NGX_LOG_INFO, log, 0, "%ui parameters are not kept: "
                      "their names are over 1024 bytes", ctx->long_names);
    }

    if (ctx->facts->unresolved) {
        ngx_log_error(NGX_LOG_INFO, log, 0, "%uz elements refer to what was "
                      "not found (href): they count as empty",
                      ctx->facts->unresolved);
    }

    if (ctx->unkept) {
        ngx_log_error(NGX_LOG_NOTICE, log, 0, "%ui parameters of an Inform are "
                      "not stored: it has more than %d, or %d bytes of them",
                      ctx->unkept, NGX_HTTP_CWMP_INFORM_KEPT,
                      NGX_HTTP_CWMP_INFORM_SIZE);
    }

    if (ctx->twice) {
        ngx_log_error(NGX_LOG_INFO, log, 0, "%ui parameters came again in one "
                      "list: the last value counts", ctx->twice);
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
    if (ctx->inflate
        && ngx_http_cwmp_inflated(ctx, cwmp_inflate_end(ctx->inflate))
           != NGX_OK)
    {
        return;
    }

    if (ngx_http_cwmp_parsed(ctx, cwmp_envelope_end(ctx->envelope)) == NGX_OK)
    {
        ngx_http_cwmp_tolerated(ctx);
        ngx_http_cwmp_take(ctx);
    }
}
