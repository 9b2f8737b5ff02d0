/*
 * One POST: who claims to send it, its body (ngx_http_cwmp_body.c), then the
 * step.  Must not know what a verb means or how a reply is written.
 */

#include "ngx_http_cwmp.h"

#include <openssl/rand.h>


static ngx_int_t ngx_http_cwmp_begin(ngx_http_cwmp_ctx_t *ctx);
static void *ngx_http_cwmp_alloc(void *owner, size_t size);
static void ngx_http_cwmp_cleanup(void *data);
static ngx_int_t ngx_http_cwmp_headers(ngx_http_cwmp_ctx_t *ctx);
static void ngx_http_cwmp_open(ngx_http_cwmp_ctx_t *ctx);
static ngx_int_t ngx_http_cwmp_token(ngx_http_cwmp_ctx_t *ctx, u_char *token);
static ngx_int_t ngx_http_cwmp_inform(ngx_http_cwmp_ctx_t *ctx);
static u_char *ngx_http_cwmp_log_error(ngx_http_request_t *r,
    ngx_http_request_t *sr, u_char *buf, size_t len);


/*
 * nginx's own handler: the same for all requests, but no name of it is public.
 * Kept here and not in ctx, which an internal redirect wipes.
 */
static ngx_http_log_handler_pt  ngx_http_cwmp_log_next;


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

    ctx = ngx_http_cwmp_get_ctx(r);
    if (ctx == NULL || ngx_http_cwmp_begin(ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->conf->auth != NGX_HTTP_CWMP_AUTH_OFF && ctx->auth == NULL) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0, "\"cwmp_auth\" was "
                      "not asked: a subrequest is no CPE's POST");
        return NGX_HTTP_FORBIDDEN;
    }

    rc = ngx_http_cwmp_coding(ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_cwmp_carried(ctx) == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_cwmp_charset(ctx);

    r->connection->log->action = "reading a CWMP message";
    r->request_body_no_buffering = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_cwmp_body);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        ngx_http_cwmp_spend(ctx);
        return rc;
    }

    return NGX_DONE;
}


/* what a POST is, to its end */

ngx_http_cwmp_ctx_t *
ngx_http_cwmp_get_ctx(ngx_http_request_t *r)
{
    ngx_http_cleanup_t   *cln;
    ngx_http_cwmp_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_cwmp_module);
    if (ctx) {
        return ctx;
    }

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

    if (r->log_handler != ngx_http_cwmp_log_error) {
        ngx_http_cwmp_log_next = r->log_handler;
        r->log_handler = ngx_http_cwmp_log_error;
    }

    ngx_http_set_ctx(r, ctx, ngx_http_cwmp_module);

    return ctx;
}


/* its body may be read */

static ngx_int_t
ngx_http_cwmp_begin(ngx_http_cwmp_ctx_t *ctx)
{
    ctx->envelope = cwmp_envelope_create(&ctx->arena, &ctx->conf->limits,
                                         ngx_http_cwmp_row, ctx);
    if (ctx->envelope == NULL) {
        return NGX_ERROR;
    }

    ctx->facts = cwmp_envelope_facts(ctx->envelope);
    cwmp_result_init(&ctx->result, &ctx->arena);
    XXH64_reset(&ctx->digest, ngx_http_cwmp_seed(ctx));
    XXH64_reset(&ctx->informed, 0);

    return NGX_OK;
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
    ngx_http_cwmp_spend(ctx);
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


/* a cookie with an Inform is an old one, perhaps another device's */

void
ngx_http_cwmp_disown(ngx_http_cwmp_ctx_t *ctx)
{
    if (ngx_http_cwmp_is_inform(ctx)) {
        ctx->id.len = 0;
        ctx->token.len = 0;
    }
}


/* the whole body is there, and good: its facts are complete */

void
ngx_http_cwmp_take(ngx_http_cwmp_ctx_t *ctx)
{
    ctx->request->connection->log->action = "answering a CWMP message";

    ngx_http_cwmp_disown(ctx);

    if (ctx->id.len == 0 && ngx_http_cwmp_unproven(ctx)) {
        ngx_http_cwmp_auth_refuse(ctx, 0);

    } else if (!ngx_http_cwmp_is_inform(ctx) && ctx->id.len == 0) {
        ngx_http_cwmp_no_session(ctx);

    } else if (ngx_http_cwmp_headers(ctx) != NGX_OK) {
        return;

    } else if (ngx_http_cwmp_is_inform(ctx)) {
        ngx_http_cwmp_open(ctx);

    } else {
        ngx_http_cwmp_step(ctx);
    }
}


/*
 * Headers that we should have understood, and those that are not the CPE's.
 * Only a request can be refused for one: nothing may answer an answer but the
 * next RPC.  Not NGX_OK: it was answered.
 */

static ngx_int_t
ngx_http_cwmp_headers(ngx_http_cwmp_ctx_t *ctx)
{
    u_char               buf[NGX_HTTP_CWMP_SHOWN];
    ngx_log_t           *log;
    ngx_str_t            header;
    const cwmp_facts_t  *facts;

    facts = ctx->facts;
    log = ctx->request->connection->log;

    if (facts->misplaced) {
        ngx_log_error(NGX_LOG_INFO, log, 0, "header %s is for an ACS to send: "
                      "ignored", facts->misplaced);
    }

    if (facts->not_understood.len == 0) {
        return NGX_OK;
    }

    ngx_http_cwmp_shown(&header, buf, (ngx_str_t *) &facts->not_understood);

    ngx_log_error(NGX_LOG_NOTICE, log, 0, "header \"%V\" must be understood "
                  "and is not: %s", &header,
                  facts->kind == CWMP_REQUEST ? "refused" : "ignored");

    if (facts->kind != CWMP_REQUEST) {
        return NGX_OK;
    }

    ngx_http_cwmp_reply_not_understood(ctx);

    return NGX_DONE;
}


/* an Inform: whose, and the session that it opens */

static void
ngx_http_cwmp_open(ngx_http_cwmp_ctx_t *ctx)
{
    cwmp_rc_t    rc;
    const char  *reason;

    ctx->oui = *cwmp_envelope_value(ctx->envelope, "DeviceId.OUI");
    cwmp_identity_oui(&ctx->oui, ctx->six);

    rc = cwmp_identity(&ctx->arena, &ctx->oui,
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

    if (rc == CWMP_OK && ngx_http_cwmp_identified(ctx) != NGX_OK) {
        ngx_http_cwmp_reply_denied(ctx);
        return;
    }

    cwmp_version_choose(ctx->facts, &ctx->cwmp);

    if (rc == CWMP_OK && ctx->cwmp.version == CWMP_VERSION_NONE) {
        ngx_log_error(NGX_LOG_NOTICE, ctx->request->connection->log, 0,
                      "Inform refused: none of the versions of CWMP that the "
                      "CPE supports is 1.0 to 1.4");
        ngx_http_cwmp_reply_fault(ctx, 8006);
        return;
    }

    if (rc != CWMP_OK || ngx_http_cwmp_seal_rows(ctx) != NGX_OK
        || ngx_http_cwmp_inform(ctx) != NGX_OK)
    {
        ngx_http_cwmp_reply_error(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                  "out of memory");
        return;
    }

    ngx_http_cwmp_registered(ctx);
}


int
ngx_http_cwmp_is_inform(ngx_http_cwmp_ctx_t *ctx)
{
    return ctx->facts->kind == CWMP_REQUEST && ctx->facts->rpc
           && ngx_strcmp(ctx->facts->rpc->name, "Inform") == 0;
}


static ngx_int_t
ngx_http_cwmp_token(ngx_http_cwmp_ctx_t *ctx, u_char *token)
{
    u_char                      random[NGX_HTTP_CWMP_RANDOM_LEN];
    ngx_http_cwmp_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(ctx->request, ngx_http_cwmp_module);

    if (ngx_http_cwmp_random(cmcf, random) != NGX_OK) {
        return NGX_ERROR;
    }

    cwmp_token_encode(random, token);

    return NGX_OK;
}


/* bytes that nobody gets once more */

ngx_int_t
ngx_http_cwmp_random(ngx_http_cwmp_main_conf_t *cmcf, u_char *p)
{
    if (cmcf->nrandom == 0) {
        if (RAND_bytes((u_char *) cmcf->random, sizeof(cmcf->random)) != 1) {
            return NGX_ERROR;
        }

        cmcf->nrandom = NGX_HTTP_CWMP_RANDOM;
    }

    cmcf->nrandom--;
    ngx_memcpy(p, cmcf->random[cmcf->nrandom], NGX_HTTP_CWMP_RANDOM_LEN);
    ngx_memzero(cmcf->random[cmcf->nrandom], NGX_HTTP_CWMP_RANDOM_LEN);

    return NGX_OK;
}


/* a new session: its token, and the events as one text for people */

static ngx_int_t
ngx_http_cwmp_inform(ngx_http_cwmp_ctx_t *ctx)
{
    u_char      *p;
    size_t       len;
    ngx_str_t   *event;
    ngx_uint_t   i, n;

    n = ctx->events ? ctx->events->nelts : 0;
    event = n ? ctx->events->elts : NULL;

    for (len = 1, i = 0; i < n; i += 2) {
        len += event[i].len + 1;
    }

    p = ngx_pnalloc(ctx->request->pool, len + CWMP_TOKEN_LEN);
    if (p == NULL || ngx_http_cwmp_token(ctx, p) != NGX_OK) {
        return NGX_ERROR;
    }

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

void
ngx_http_cwmp_no_session(ngx_http_cwmp_ctx_t *ctx)
{
    if (ctx->other_user) {
        ngx_http_cwmp_other_session(ctx, &ctx->foreign);
        return;
    }

    if (ctx->foreign.len) {
        ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                      "goes on with a session of %V, which \"cwmp_identity\" "
                      "does not mean", (ngx_str_t *) &ctx->foreign);
        ngx_http_cwmp_refused(ctx, NGX_HTTP_CWMP_COUNT_IDENTITY, "identity",
                              &ctx->foreign);
        ngx_http_cwmp_reply_denied(ctx);
        return;
    }

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
