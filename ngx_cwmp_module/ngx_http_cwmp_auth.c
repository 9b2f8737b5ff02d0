/*
 * Who is asking?  HTTP authentication of CPEs (RFC 7616, 7617; TR-069 A6
 * 3.4.4), in the access phase: before a body is read.
 *
 * A POST with a user's credentials is proven.  One without, on a connection
 * that has proven its user, may go on with a session, whose token proves the
 * rest, and may open none (ngx_http_cwmp_unproven): a balancer's connection
 * carries many CPEs.
 *
 * Knows users, and which device one is; what was used twice the step says.
 */

#include "ngx_http_cwmp_auth.h"


#define NGX_HTTP_CWMP_OLD  600000       /* ms */


static ngx_int_t ngx_http_cwmp_auth_ctx(ngx_http_cwmp_ctx_t *ctx);
static ngx_int_t ngx_http_cwmp_auth_begin(ngx_http_cwmp_ctx_t *ctx);
static ngx_http_cwmp_auth_t *ngx_http_cwmp_auth_create(
    ngx_http_cwmp_ctx_t *ctx);
static ngx_int_t ngx_http_cwmp_auth_absent(ngx_http_cwmp_ctx_t *ctx);
static ngx_uint_t ngx_http_cwmp_is_probe(ngx_http_cwmp_ctx_t *ctx);
static ngx_int_t ngx_http_cwmp_auth_ask(ngx_http_cwmp_auth_t *a);
static void ngx_http_cwmp_auth_asked(void *data, redisReply *reply,
    const char *error);
static void ngx_http_cwmp_auth_cleanup(void *data);
static ngx_int_t ngx_http_cwmp_auth_check(ngx_http_cwmp_ctx_t *ctx);
static ngx_int_t ngx_http_cwmp_auth_proof(ngx_http_cwmp_auth_t *a);
static ngx_int_t ngx_http_cwmp_auth_device(ngx_http_cwmp_auth_t *a);
static const char *ngx_http_cwmp_auth_why(ngx_http_cwmp_auth_t *a);
static ngx_uint_t ngx_http_cwmp_anybody(ngx_http_cwmp_auth_t *a);


/* nginx calls it once more when Redis has answered */

ngx_int_t
ngx_http_cwmp_access(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_http_cwmp_ctx_t       *ctx;
    ngx_http_cwmp_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_cwmp_module);

    if (!conf->acs || conf->auth == NGX_HTTP_CWMP_AUTH_OFF || r != r->main
        || r->method != NGX_HTTP_POST)
    {
        return NGX_DECLINED;
    }

    ctx = ngx_http_cwmp_get_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_cwmp_auth_ctx(ctx);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        ngx_http_cwmp_unwanted(r);
    }

    if (rc == NGX_HTTP_SERVICE_UNAVAILABLE
        && ngx_http_cwmp_add_retry(r) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return rc;
}


/* a CPE that left while Redis was asked has used up what it proved, and is given
   no RPC */

static ngx_int_t
ngx_http_cwmp_auth_ctx(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r = ctx->request;

    if (ctx->auth == NULL) {
        return ngx_http_cwmp_auth_begin(ctx);
    }

    if (ctx->auth->cmd) {
        return NGX_AGAIN;
    }

    if (ctx->auth->failed) {
        return ngx_http_cwmp_auth_challenge(ctx->auth);
    }

    rc = ngx_http_cwmp_auth_check(ctx);

    if (ctx->auth->asked && ctx->auth->cmd == NULL) {
        ngx_http_test_reading(r);

        if (r->connection->error) {     /* it ends the request itself */
            return NGX_DONE;
        }
    }

    return rc;
}


static ngx_int_t
ngx_http_cwmp_auth_begin(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_int_t              rc;
    ngx_http_request_t    *r = ctx->request;
    ngx_http_cwmp_auth_t  *a;

    a = ngx_http_cwmp_auth_create(ctx);
    if (a == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->headers_in.authorization == NULL) {
        return ngx_http_cwmp_auth_absent(ctx);
    }

    rc = ngx_http_cwmp_auth_read(a, &r->headers_in.authorization->value);
    if (rc != NGX_OK) {
        return rc;
    }

    a->peer = ngx_http_cwmp_peer(r->connection, 1);
    if (a->peer == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (a->peer->known && ngx_http_cwmp_is_kept(a->peer->looked)
        && ngx_http_cwmp_peer_is(a->peer, a->conf, &a->user))
    {
        return ngx_http_cwmp_auth_check(ctx);
    }

    return ngx_http_cwmp_auth_ask(a);
}


static ngx_http_cwmp_auth_t *
ngx_http_cwmp_auth_create(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_pool_cleanup_t    *cln;
    ngx_http_request_t    *r = ctx->request;
    ngx_http_cwmp_auth_t  *a;

    a = ngx_pcalloc(r->pool, sizeof(ngx_http_cwmp_auth_t));
    cln = ngx_pool_cleanup_add(r->pool, 0);

    if (a == NULL || cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_cwmp_auth_cleanup;
    cln->data = a;

    ctx->auth = a;
    a->ctx = ctx;
    a->request = r;
    a->conf = ctx->conf;
    a->main = ngx_http_get_module_main_conf(r, ngx_http_cwmp_module);
    a->arena = ctx->arena;
    a->begun = ngx_current_msec;

    return a;
}


/* goes on with the session of a device, on a connection that has proven to be
   its user's? */

static ngx_int_t
ngx_http_cwmp_auth_absent(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_int_t              rc;
    ngx_http_cwmp_peer_t  *peer;

    peer = ngx_http_cwmp_peer(ctx->request->connection, 0);

    if (peer == NULL || !peer->proven || !ngx_http_cwmp_is_kept(peer->looked)
        || !ngx_http_cwmp_peer_is(peer, ctx->conf, &peer->user)
        || ngx_http_cwmp_is_probe(ctx))
    {
        return ngx_http_cwmp_auth_challenge(ctx->auth);
    }

    rc = ngx_http_cwmp_carried(ctx);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_DECLINED || ctx->id.len != peer->id_len
        || ngx_memcmp(ctx->id.data, peer->id, peer->id_len) != 0)
    {
        return ngx_http_cwmp_auth_challenge(ctx->auth);
    }

    ctx->user.data = ngx_pstrdup(ctx->request->pool, &peer->user);
    if (ctx->user.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->user.len = peer->user.len;

    return NGX_OK;
}


/* libcurl asks with an empty POST whether it is to say who it is, and some
   agents do so before each of theirs: that one is no POST of a session */

static ngx_uint_t
ngx_http_cwmp_is_probe(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_http_headers_in_t  *in = &ctx->request->headers_in;

    return ctx->conf->auth == NGX_HTTP_CWMP_AUTH_DIGEST && !in->chunked
           && in->content_length_n <= 0;
}


/* an Inform, or none that goes on with a session: it must prove who it is */

ngx_uint_t
ngx_http_cwmp_unproven(ngx_http_cwmp_ctx_t *ctx)
{
    return ctx->conf->auth != NGX_HTTP_CWMP_AUTH_OFF && !ctx->proven;
}


static ngx_int_t
ngx_http_cwmp_auth_ask(ngx_http_cwmp_auth_t *a)
{
    const char          *error;
    ngx_http_request_t  *r = a->request;

    a->asked = 1;

    a->cmd = ngx_http_cwmp_auth_look(a->ctx, &a->user,
                                     ngx_http_cwmp_auth_asked, a, &error);
    if (a->cmd == NULL) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "the CPE cannot be authenticated: %s", error);
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    return NGX_AGAIN;
}


static void
ngx_http_cwmp_auth_asked(void *data, redisReply *reply, const char *error)
{
    ngx_http_cwmp_auth_t  *a = data;

    ngx_connection_t    *c;
    ngx_http_request_t  *r = a->request;

    c = r->connection;
    a->cmd = NULL;
    a->ctx->redis_time += ngx_current_msec - a->ctx->redis_start;

    ngx_http_set_log_request(c->log, r);

    a->rc = NGX_HTTP_SERVICE_UNAVAILABLE;

    if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
        ngx_log_error(NGX_LOG_ERR, c->log, 0,
                      "the CPE cannot be authenticated: %s",
                      ngx_cwmp_why(reply, error));
    } else {
        a->rc = ngx_http_cwmp_auth_take(a, reply);
    }

    r->write_event_handler = ngx_http_core_run_phases;

    ngx_http_core_run_phases(r);
    ngx_http_run_posted_requests(c);
}


static void
ngx_http_cwmp_auth_cleanup(void *data)
{
    ngx_http_cwmp_auth_t  *a = data;

    if (a->cmd) {
        ngx_cwmp_redis_forget(a->cmd);
        a->cmd = NULL;
    }

    ngx_http_cwmp_auth_release(a);
}


static ngx_int_t
ngx_http_cwmp_auth_check(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_int_t              rc;
    ngx_http_cwmp_auth_t  *a = ctx->auth;

    if (a->rc != NGX_OK && a->rc != NGX_DECLINED) {
        return a->rc;
    }

    if (a->rc == NGX_DECLINED) {
        return ngx_http_cwmp_auth_failed(ctx, "user");
    }

    if (ngx_http_cwmp_auth_device(a) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_cwmp_auth_proof(a);

    if (rc == NGX_ERROR) {
        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "the CPE cannot be authenticated: OpenSSL makes no digest "
                      "of it, is it told to have no MD5?");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc != NGX_OK) {
        return ngx_http_cwmp_auth_anew(a)
               ? ngx_http_cwmp_auth_ask(a)
               : ngx_http_cwmp_auth_failed(ctx, ngx_http_cwmp_auth_why(a));
    }

    ctx->user = a->user;
    ctx->proven = 1;

    ngx_http_cwmp_count(a->main, NGX_HTTP_CWMP_COUNT_PROVEN);

    return NGX_OK;
}


static ngx_int_t
ngx_http_cwmp_auth_proof(ngx_http_cwmp_auth_t *a)
{
    ngx_int_t   rc;
    ngx_str_t  *kept;

    if (a->conf->auth == NGX_HTTP_CWMP_AUTH_BASIC) {
        a->by = NGX_HTTP_CWMP_BASIC;

    } else {
        a->by = cwmp_digest_is_md5(&a->digest) ? NGX_HTTP_CWMP_MD5
                                               : NGX_HTTP_CWMP_SHA256;
    }

    kept = &a->peer->credentials[a->by];

    rc = ngx_http_cwmp_auth_proves(a, kept);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    rc = ngx_http_cwmp_auth_proves(a, kept + NGX_HTTP_CWMP_NEXT_MD5);

    if (rc == NGX_OK) {
        ngx_http_cwmp_auth_promote(a);
    }

    return rc;
}


/* a record may have nothing that this location asks for */

static const char *
ngx_http_cwmp_auth_why(ngx_http_cwmp_auth_t *a)
{
    ngx_str_t  *kept = &a->peer->credentials[a->by];

    return (kept[0].len || kept[NGX_HTTP_CWMP_NEXT_MD5].len) ? "password"
                                                             : "record";
}


/* the record's, or what its name says; a copy: the connection may serve others
   before the Inform's body is there */

static ngx_int_t
ngx_http_cwmp_auth_device(ngx_http_cwmp_auth_t *a)
{
    ngx_str_t  *device = &a->peer->credentials[NGX_HTTP_CWMP_DEVICE];

    if (device->len == 0) {
        device = &a->user;
    }

    a->device.data = ngx_pstrdup(a->request->pool, device);
    a->device.len = device->len;

    a->whose = a->peer->credentials[NGX_HTTP_CWMP_FIRST].len
               ? NGX_HTTP_CWMP_USER_FIRST
               : device->len && device->data[device->len - 1] == '*'
                 ? NGX_HTTP_CWMP_USER_MANY : NGX_HTTP_CWMP_USER_OWN;

    return a->device.data ? NGX_OK : NGX_ERROR;
}


/*
 * The step took the POST: what proved its user was not used before, so that its
 * connection may go on without, for that device: of a user of many, who has
 * overheard one POST must not go on for them all.
 */

void
ngx_http_cwmp_user_taken(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_http_cwmp_auth_t  *a = ctx->auth;
    ngx_http_cwmp_peer_t  *peer;

    if (!ctx->proven) {
        return;
    }

    peer = a->peer;

    /* streams of HTTP/2 share it: it may be another one's meanwhile */

    if (peer->known && ngx_http_cwmp_peer_is(peer, a->conf, &a->user)
        && ctx->id.len <= sizeof(peer->id))
    {
        peer->proven = 1;
        peer->id_len = ctx->id.len;
        ngx_memcpy(peer->id, ctx->id.data, ctx->id.len);
    }
}


/* who it is was found out so long ago that its user may be none any more: who
   keeps bodies back must not stay in by that */

ngx_uint_t
ngx_http_cwmp_auth_is_old(ngx_http_cwmp_ctx_t *ctx)
{
    if (ctx->auth == NULL
        || ngx_current_msec - ctx->auth->begun < NGX_HTTP_CWMP_OLD)
    {
        return 0;
    }

    ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                  "the POST took %M seconds: its CPE must say anew who it is",
                  (ngx_current_msec - ctx->auth->begun) / 1000);
    return 1;
}


/* a POST whose body was read, or some of it: then nobody reads the rest */

void
ngx_http_cwmp_auth_refuse(ngx_http_cwmp_ctx_t *ctx, ngx_uint_t stale)
{
    if (ctx->auth == NULL) {
        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "session cannot go on: Redis asks who the CPE is, which "
                      "is no answer to this POST with \"cwmp_auth off\"");
        ngx_http_cwmp_reply_away(ctx);
        return;
    }

    ctx->auth->stale = stale;

    if (ctx->request->reading_body) {
        ctx->request->keepalive = 0;
    }

    if (ngx_http_cwmp_auth_challenge(ctx->auth) != NGX_HTTP_UNAUTHORIZED) {
        ngx_http_cwmp_reply_error(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                  "no challenge");
        return;
    }

    ngx_http_cwmp_reply_error(ctx, NGX_HTTP_UNAUTHORIZED,
                              "say who it is from, again");
}


/*
 * For each function that a POST calls: the nonce's beginning, its count, what
 * tells this POST from others that prove themselves with the same, and the
 * user; "- 0 POST USER" where nothing is used up.
 */

ngx_int_t
ngx_http_cwmp_auth_arg(ngx_http_cwmp_ctx_t *ctx, ngx_array_t *args)
{
    u_char                *p;
    ngx_str_t              nonce = ngx_string("-");
    const cwmp_str_t      *field;
    ngx_http_cwmp_auth_t  *a = ctx->auth;

    if (a->post == 0) {
        a->post = (a->main->worker + a->main->nonce++) & 0xffffffffff;
    }

    if (ctx->proven && a->digest.count) {
        field = &a->digest.fields[CWMP_DIGEST_NONCE];
        nonce.data = field->data;
        nonce.len = CWMP_NONCE_NAME;
    }

    p = ngx_pnalloc(args->pool, nonce.len + ctx->user.len
                                + sizeof(" ffffffff ffffffffff "));
    if (p == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_cwmp_arg(args, p,
                             ngx_sprintf(p, "%V %08xD %010xL %V", &nonce,
                                         a->digest.count, a->post, &ctx->user)
                             - p);
}


/*
 * May this POST speak for the device that its Inform names?  NGX_DECLINED: its
 * user, or what cwmp_identity says of the connection, is another one.
 */

ngx_int_t
ngx_http_cwmp_identified(ngx_http_cwmp_ctx_t *ctx)
{
    u_char     buf[NGX_HTTP_CWMP_SHOWN];
    ngx_str_t  shown;

    if (!ngx_http_cwmp_is_of_user(ctx)) {
        ngx_http_cwmp_shown(&shown, buf, &ctx->user);
        ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                      "user \"%V\" informs as another device", &shown);

        ngx_http_cwmp_refused(ctx, NGX_HTTP_CWMP_COUNT_OTHER_DEVICE, "device",
                              &ctx->id);
        return NGX_DECLINED;
    }

    if (ctx->conf->identity == NULL) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(ctx->request, ctx->conf->identity,
                               &ctx->identity)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!cwmp_identity_means((cwmp_str_t *) &ctx->identity, &ctx->id)) {
        ngx_http_cwmp_shown(&shown, buf, &ctx->identity);
        ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                      "\"cwmp_identity\" is \"%V\": it informs as another "
                      "device", &shown);

        ngx_http_cwmp_refused(ctx, NGX_HTTP_CWMP_COUNT_IDENTITY, "identity",
                              &ctx->id);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* the device that the POST claims, may its user be it? */

ngx_uint_t
ngx_http_cwmp_is_of_user(ngx_http_cwmp_ctx_t *ctx)
{
    return ctx->conf->auth == NGX_HTTP_CWMP_AUTH_OFF
           || ngx_http_cwmp_anybody(ctx->auth)
           || cwmp_identity_means(&ctx->auth->device, &ctx->id);
}


/* any device may use them, once */

static ngx_uint_t
ngx_http_cwmp_anybody(ngx_http_cwmp_auth_t *a)
{
    return a->whose == NGX_HTTP_CWMP_USER_FIRST && a->device.len == 1
           && a->device.data[0] == '*';
}


ngx_uint_t
ngx_http_cwmp_auth_whose(ngx_http_cwmp_ctx_t *ctx)
{
    return ctx->auth ? ctx->auth->whose : NGX_HTTP_CWMP_USER_NONE;
}


/*
 * Who it is, for an event: the user and its device as far as they are known,
 * else what cwmp_identity says, which is both.
 */

void
ngx_http_cwmp_auth_who(ngx_http_cwmp_ctx_t *ctx, ngx_str_t *user,
    cwmp_str_t *device)
{
    if (ctx->auth && ctx->auth->user.len) {
        *user = ctx->auth->user;
        *device = ctx->auth->device;
        return;
    }

    *user = ctx->identity;
    device->data = ctx->identity.data;
    device->len = ctx->identity.len;
}
