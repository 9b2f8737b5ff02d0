/*
 * Who is asking?  HTTP authentication of CPEs (RFC 7616, 7617; TR-069 A6
 * 3.4.4), in the access phase: before a body is read.
 *
 * The credentials of a user are read from Redis once for a connection, which
 * keeps them for a minute at most.  A POST with them is proven.  One without,
 * on such a connection, may go on with a session, whose token proves the rest,
 * and may open none (ngx_http_cwmp_unproven): a balancer's connection carries
 * many CPEs.
 *
 * While a user's credentials are being changed there are two of them, and the
 * record learns from here which of them the CPE has.
 *
 * Knows users; which device a user is, and what was used twice, the step says.
 */

#include "ngx_http_cwmp.h"
#include "cwmp_nonce.h"
#include "cwmp_user.h"

#include <openssl/crypto.h>


#define NGX_HTTP_CWMP_USER_MAX   256    /* bytes of a name: those of an ID */
#define NGX_HTTP_CWMP_KEPT       60000  /* ms */
#define NGX_HTTP_CWMP_ANEW       3      /* look-ups in that time, of what may
                                           have changed */
#define NGX_HTTP_CWMP_USER_FREE  3      /* failures that cost nothing */
#define NGX_HTTP_CWMP_SOURCE_FREE  100  /* an address may have many CPEs */
#define NGX_HTTP_CWMP_NONCE_LIVES      60
#define NGX_HTTP_CWMP_NONCE_LIVES_TLS  300


/* what a user's record says; in the order of cwmp_user_1's answer */
enum {
    NGX_HTTP_CWMP_MD5 = 0,          /* H(A1) */
    NGX_HTTP_CWMP_SHA256,
    NGX_HTTP_CWMP_BASIC,
    NGX_HTTP_CWMP_DEVICE,           /* it is this one, or "...*" */
    NGX_HTTP_CWMP_FIRST,            /* only until it has its own */
    NGX_HTTP_CWMP_NEXT_MD5,         /* these are good, too */
    NGX_HTTP_CWMP_NEXT_SHA256,
    NGX_HTTP_CWMP_NEXT_BASIC,
    NGX_HTTP_CWMP_NEXT,             /* how far the change is */
    NGX_HTTP_CWMP_CREDENTIALS
};

static const struct {
    const char   *name;
    size_t        max;
} ngx_http_cwmp_credentials[NGX_HTTP_CWMP_CREDENTIALS] = {
    { "md5", CWMP_DIGEST_HEX },
    { "sha256", CWMP_DIGEST_HEX },
    { "basic", CWMP_DIGEST_HEX },
    { "device", NGX_HTTP_CWMP_USER_MAX },
    { "first", 1 },
    { "next_md5", CWMP_DIGEST_HEX },
    { "next_sha256", CWMP_DIGEST_HEX },
    { "next_basic", CWMP_DIGEST_HEX },
    { "next", CWMP_DIGEST_HEX }
};


/* a connection's; found again through its pool.  Times are monotonic */
typedef struct {
    ngx_http_cwmp_loc_conf_t     *conf;     /* of which it is a user */
    ngx_str_t                     user;
    u_char                        name[NGX_HTTP_CWMP_USER_MAX];
    ngx_msec_t                    looked;   /* the credentials were */
    ngx_msec_t                    since;    /* looked up anew, so often */
    ngx_uint_t                    anew;
    unsigned                      known:1;
    unsigned                      proven:1; /* by a POST that was taken */
    ngx_str_t                     credentials[NGX_HTTP_CWMP_CREDENTIALS];
    u_char                        text[8 * CWMP_DIGEST_HEX
                                       + NGX_HTTP_CWMP_USER_MAX];
} ngx_http_cwmp_peer_t;


/* one POST's */
struct ngx_http_cwmp_auth_s {
    ngx_http_cwmp_ctx_t          *ctx;
    ngx_http_request_t           *request;
    ngx_http_cwmp_loc_conf_t     *conf;
    ngx_http_cwmp_main_conf_t    *main;
    ngx_http_cwmp_peer_t         *peer;
    ngx_cwmp_redis_cmd_t         *cmd;
    cwmp_arena_t                  arena;
    cwmp_digest_t                 digest;
    ngx_str_t                     user;     /* as it claims */
    cwmp_str_t                    device;   /* that the user is */
    ngx_uint_t                    whose;    /* NGX_HTTP_CWMP_USER_* */
    ngx_int_t                     rc;       /* of the look-up */
    uint64_t                      post;     /* random: no other has it */
    uint32_t                      made;     /* the nonce; Unix time */
    ngx_uint_t                    by;       /* what proves it */
    ngx_str_t                     refused;  /* that, when the CPE has refused
                                               the next one */
    unsigned                      stale:1;
    unsigned                      asked:1;  /* the credentials are new */
    unsigned                      failed:1; /* and its answer waits */
};


static ngx_int_t ngx_http_cwmp_auth_begin(ngx_http_cwmp_ctx_t *ctx);
static ngx_int_t ngx_http_cwmp_auth_absent(ngx_http_cwmp_ctx_t *ctx);
static ngx_int_t ngx_http_cwmp_auth_digest(ngx_http_cwmp_auth_t *a,
    ngx_str_t *header);
static ngx_int_t ngx_http_cwmp_auth_basic(ngx_http_cwmp_auth_t *a,
    ngx_str_t *header);
static ngx_int_t ngx_http_cwmp_auth_unusable(ngx_http_cwmp_auth_t *a);
static ngx_int_t ngx_http_cwmp_auth_ask(ngx_http_cwmp_auth_t *a);
static void ngx_http_cwmp_auth_asked(void *data, redisReply *reply,
    const char *error);
static ngx_int_t ngx_http_cwmp_auth_take(ngx_http_cwmp_auth_t *a,
    redisReply *reply);
static void ngx_http_cwmp_auth_cleanup(void *data);
static ngx_int_t ngx_http_cwmp_auth_check(ngx_http_cwmp_ctx_t *ctx);
static ngx_int_t ngx_http_cwmp_auth_proof(ngx_http_cwmp_auth_t *a);
static ngx_uint_t ngx_http_cwmp_auth_anew(ngx_http_cwmp_auth_t *a);
static void ngx_http_cwmp_auth_promote(ngx_http_cwmp_auth_t *a);
static void ngx_http_cwmp_auth_old(ngx_http_cwmp_auth_t *a);
static void ngx_http_cwmp_auth_tell(ngx_http_cwmp_auth_t *a,
    const ngx_str_t *proof);
static void ngx_http_cwmp_auth_told(void *data, redisReply *reply,
    const char *error);
static ngx_int_t ngx_http_cwmp_auth_failed(ngx_http_cwmp_ctx_t *ctx,
    const char *which);
static void ngx_http_cwmp_auth_delay(ngx_http_request_t *r);
static ngx_int_t ngx_http_cwmp_auth_device(ngx_http_cwmp_auth_t *a);
static ngx_int_t ngx_http_cwmp_auth_check_digest(ngx_http_cwmp_auth_t *a,
    const ngx_str_t *kept);
static ngx_int_t ngx_http_cwmp_auth_check_basic(ngx_http_cwmp_auth_t *a,
    const ngx_str_t *kept);
static ngx_int_t ngx_http_cwmp_auth_challenge(ngx_http_cwmp_auth_t *a);
static ngx_http_cwmp_peer_t *ngx_http_cwmp_peer(ngx_connection_t *c,
    ngx_uint_t make);
static ngx_uint_t ngx_http_cwmp_peer_is(ngx_http_cwmp_peer_t *peer,
    ngx_http_cwmp_loc_conf_t *conf, const ngx_str_t *user);
static void ngx_http_cwmp_peer_cleanup(void *data);


#define ngx_http_cwmp_is_kept(since)                                          \
    (ngx_current_msec - (since) < NGX_HTTP_CWMP_KEPT)


static const struct {
    ngx_int_t   (*read)(ngx_http_cwmp_auth_t *a, ngx_str_t *header);
    ngx_int_t   (*check)(ngx_http_cwmp_auth_t *a, const ngx_str_t *kept);
} ngx_http_cwmp_schemes[] = {
    { NULL, NULL },                     /* NGX_HTTP_CWMP_AUTH_OFF */
    { ngx_http_cwmp_auth_digest, ngx_http_cwmp_auth_check_digest },
    { ngx_http_cwmp_auth_basic, ngx_http_cwmp_auth_check_basic }
};


/* nginx calls it once more when Redis has answered */

ngx_int_t
ngx_http_cwmp_access(ngx_http_request_t *r)
{
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

    if (ctx->auth == NULL) {
        return ngx_http_cwmp_auth_begin(ctx);
    }

    if (ctx->auth->cmd) {
        return NGX_AGAIN;
    }

    if (ctx->auth->failed) {
        return ngx_http_cwmp_auth_challenge(ctx->auth);
    }

    return ngx_http_cwmp_auth_check(ctx);
}


static ngx_int_t
ngx_http_cwmp_auth_begin(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_int_t              rc;
    ngx_str_t             *header;
    ngx_pool_cleanup_t    *cln;
    ngx_http_request_t    *r;
    ngx_http_cwmp_auth_t  *a;

    r = ctx->request;

    a = ngx_pcalloc(r->pool, sizeof(ngx_http_cwmp_auth_t));
    if (a == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_cwmp_auth_cleanup;
    cln->data = a;

    ctx->auth = a;
    a->ctx = ctx;
    a->request = r;
    a->conf = ctx->conf;
    a->main = ngx_http_get_module_main_conf(r, ngx_http_cwmp_module);
    a->arena = ctx->arena;

    if (r->headers_in.authorization == NULL) {
        return ngx_http_cwmp_auth_absent(ctx);
    }

    header = &r->headers_in.authorization->value;

    rc = ngx_http_cwmp_schemes[ctx->conf->auth].read(a, header);
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


/* goes on with a session, on a connection that has proven its user? */

static ngx_int_t
ngx_http_cwmp_auth_absent(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_http_cwmp_peer_t  *peer;

    peer = ngx_http_cwmp_peer(ctx->request->connection, 0);

    if (peer == NULL || !peer->proven || !ngx_http_cwmp_is_kept(peer->looked)
        || !ngx_http_cwmp_peer_is(peer, ctx->conf, &peer->user))
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


/* an Inform, or none that goes on with a session: it must prove who it is */

ngx_uint_t
ngx_http_cwmp_unproven(ngx_http_cwmp_ctx_t *ctx)
{
    return ctx->conf->auth != NGX_HTTP_CWMP_AUTH_OFF && !ctx->proven;
}


/* --- what the header says ----------------------------------------------- */

static ngx_int_t
ngx_http_cwmp_auth_digest(ngx_http_cwmp_auth_t *a, ngx_str_t *header)
{
    cwmp_rc_t          rc;
    uint32_t           lives;
    cwmp_str_t         realm;
    ngx_connection_t  *c;
    const cwmp_str_t  *fields = a->digest.fields;

    c = a->request->connection;

    rc = cwmp_digest_parse(&a->arena, header->data, header->len, &a->digest);

    if (rc == CWMP_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == CWMP_REFUSED) {
        ngx_log_error(NGX_LOG_INFO, c->log, 0, "Authorization: %s",
                      a->digest.reason);
        return ngx_http_cwmp_auth_unusable(a);
    }

    if (a->digest.count == 0 && !a->conf->without_qop) {
        ngx_log_error(NGX_LOG_INFO, c->log, 0, "Authorization: digest without "
                      "qop, which \"cwmp_auth digest without_qop\" allows");
        return ngx_http_cwmp_auth_unusable(a);
    }

    realm.data = a->conf->realm.data;
    realm.len = a->conf->realm.len;

    if (fields[CWMP_DIGEST_REALM].len != realm.len
        || ngx_memcmp(fields[CWMP_DIGEST_REALM].data, realm.data, realm.len)
           != 0
        || fields[CWMP_DIGEST_USERNAME].len == 0
        || fields[CWMP_DIGEST_USERNAME].len > NGX_HTTP_CWMP_USER_MAX)
    {
        ngx_log_error(NGX_LOG_INFO, c->log, 0, "Authorization: another realm, "
                      "or no user name of 1 to 256 bytes");
        return ngx_http_cwmp_auth_unusable(a);
    }

    lives = c->ssl || a->conf->behind_tls ? NGX_HTTP_CWMP_NONCE_LIVES_TLS
                                          : NGX_HTTP_CWMP_NONCE_LIVES;

    switch (cwmp_nonce_check(a->main->secret, &realm, (uint32_t) ngx_time(),
                             lives, &fields[CWMP_DIGEST_NONCE], &a->made))
    {
    case CWMP_NONCE_STALE:
        a->stale = 1;
        ngx_http_cwmp_count(a->main, NGX_HTTP_CWMP_COUNT_STALE);
        return ngx_http_cwmp_auth_challenge(a);

    case CWMP_NONCE_FOREIGN:
        return ngx_http_cwmp_auth_unusable(a);

    case CWMP_NONCE_FRESH:
        break;
    }

    a->user.data = fields[CWMP_DIGEST_USERNAME].data;
    a->user.len = fields[CWMP_DIGEST_USERNAME].len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_cwmp_auth_basic(ngx_http_cwmp_auth_t *a, ngx_str_t *header)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r = a->request;

    rc = ngx_http_auth_basic_user(r);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_DECLINED || r->headers_in.user.len == 0
        || r->headers_in.user.len > NGX_HTTP_CWMP_USER_MAX)
    {
        return ngx_http_cwmp_auth_unusable(a);
    }

    a->user = r->headers_in.user;

    return NGX_OK;
}


/* it says nothing that could be true */

static ngx_int_t
ngx_http_cwmp_auth_unusable(ngx_http_cwmp_auth_t *a)
{
    ngx_http_cwmp_count(a->main, NGX_HTTP_CWMP_COUNT_UNUSABLE);

    return ngx_http_cwmp_auth_challenge(a);
}


/* --- credentials --------------------------------------------------------- */

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

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    return NGX_AGAIN;
}


/* NULL: not sent, for this reason */

ngx_cwmp_redis_cmd_t *
ngx_http_cwmp_auth_look(ngx_http_cwmp_ctx_t *ctx, const ngx_str_t *user,
    ngx_cwmp_redis_pt handler, void *data, const char **error)
{
    ngx_str_t               argv[4];
    ngx_http_cwmp_redis_t  *redis = ctx->conf->redis;

    ngx_str_set(&argv[0], "FCALL_RO");
    ngx_str_set(&argv[1], "cwmp_user_1");
    ngx_str_set(&argv[2], "1");

    argv[3].data = ngx_pnalloc(ctx->request->pool,
                               redis->conf->prefix.len + user->len
                               + sizeof(":user:{}") - 1);
    if (argv[3].data == NULL) {
        *error = "out of memory";
        return NULL;
    }

    argv[3].len = ngx_sprintf(argv[3].data, "%V:user:{%V}",
                              &redis->conf->prefix, user)
                  - argv[3].data;

    return ngx_cwmp_redis_send(redis->client, argv, 4, handler, data, error);
}


static void
ngx_http_cwmp_auth_asked(void *data, redisReply *reply, const char *error)
{
    ngx_http_cwmp_auth_t  *a = data;

    ngx_connection_t    *c;
    ngx_http_request_t  *r = a->request;

    c = r->connection;
    a->cmd = NULL;

    ngx_http_set_log_request(c->log, r);

    a->rc = NGX_HTTP_SERVICE_UNAVAILABLE;

    if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
        ngx_log_error(NGX_LOG_ERR, c->log, 0,
                      "the CPE cannot be authenticated: %s",
                      reply ? ngx_cwmp_plain_error(reply) : error);
    } else {
        a->rc = ngx_http_cwmp_auth_take(a, reply);
    }

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;

    ngx_http_core_run_phases(r);
    ngx_http_run_posted_requests(c);
}


/* has this record, as cwmp_user_1 tells it, credentials that were in use, and
   are not those of first contact? */

ngx_uint_t
ngx_http_cwmp_is_registered(redisReply *reply)
{
    ngx_uint_t  i;

    if (reply->elements < NGX_HTTP_CWMP_CREDENTIALS
        || reply->element[NGX_HTTP_CWMP_FIRST]->len)
    {
        return 0;
    }

    for (i = NGX_HTTP_CWMP_MD5; i <= NGX_HTTP_CWMP_BASIC; i++) {
        if (reply->element[i]->len) {
            return 1;
        }
    }

    return 0;
}


/* the peer's, unless the user is unknown; they were bounded by the function */

static ngx_int_t
ngx_http_cwmp_auth_take(ngx_http_cwmp_auth_t *a, redisReply *reply)
{
    u_char                *p;
    size_t                 i;
    ngx_str_t             *field;
    redisReply            *e;
    ngx_http_cwmp_peer_t  *peer = a->peer;

    if (!ngx_http_cwmp_peer_is(peer, a->conf, &a->user)) {
        peer->proven = 0;
        peer->anew = 0;
    }

    peer->conf = a->conf;
    peer->known = 0;

    if (reply->type != REDIS_REPLY_ARRAY
        || reply->elements < NGX_HTTP_CWMP_CREDENTIALS)
    {
        peer->proven = 0;
        return NGX_DECLINED;
    }

    p = peer->text;

    for (i = 0; i < NGX_HTTP_CWMP_CREDENTIALS; i++) {
        e = reply->element[i];

        field = &peer->credentials[i];
        field->data = p;
        field->len = 0;

        if (e->type == REDIS_REPLY_STRING
            && e->len <= ngx_http_cwmp_credentials[i].max)
        {
            field->len = e->len;
            p = ngx_cpymem(p, e->str, e->len);
        }
    }

    peer->user.data = peer->name;
    peer->user.len = a->user.len;
    ngx_memcpy(peer->name, a->user.data, a->user.len);
    peer->looked = ngx_current_msec;
    peer->known = 1;

    return NGX_OK;
}


static void
ngx_http_cwmp_auth_cleanup(void *data)
{
    ngx_http_cwmp_auth_t  *a = data;

    if (a->cmd) {
        ngx_cwmp_redis_forget(a->cmd);
        a->cmd = NULL;
    }

    a->main->delayed -= a->failed;
}


static ngx_int_t
ngx_http_cwmp_auth_check(ngx_http_cwmp_ctx_t *ctx)
{
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

    if (ngx_http_cwmp_auth_proof(a) != NGX_OK) {
        return ngx_http_cwmp_auth_anew(a)
               ? ngx_http_cwmp_auth_ask(a)
               : ngx_http_cwmp_auth_failed(ctx, "password");
    }

    ctx->user = a->user;
    ctx->proven = 1;

    ngx_http_cwmp_count(a->main, NGX_HTTP_CWMP_COUNT_PROVEN);

    return NGX_OK;
}


static ngx_int_t
ngx_http_cwmp_auth_proof(ngx_http_cwmp_auth_t *a)
{
    ngx_str_t  *kept;

    if (a->conf->auth == NGX_HTTP_CWMP_AUTH_BASIC) {
        a->by = NGX_HTTP_CWMP_BASIC;

    } else {
        a->by = cwmp_digest_is_md5(&a->digest) ? NGX_HTTP_CWMP_MD5
                                               : NGX_HTTP_CWMP_SHA256;
    }

    kept = &a->peer->credentials[a->by];

    if (ngx_http_cwmp_schemes[a->conf->auth].check(a, kept) == NGX_OK) {
        ngx_http_cwmp_auth_old(a);
        return NGX_OK;
    }

    kept += NGX_HTTP_CWMP_NEXT_MD5;

    if (ngx_http_cwmp_schemes[a->conf->auth].check(a, kept) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_http_cwmp_auth_promote(a);

    return NGX_OK;
}


/* may they have changed since they were looked up?  That is asked a few times
   only, so that a connection with wrong passwords is as good as many */

static ngx_uint_t
ngx_http_cwmp_auth_anew(ngx_http_cwmp_auth_t *a)
{
    ngx_http_cwmp_peer_t  *peer = a->peer;

    if (a->asked) {
        return 0;
    }

    if (!ngx_http_cwmp_is_kept(peer->since)) {
        peer->since = ngx_current_msec;
        peer->anew = 0;
    }

    return ++peer->anew <= NGX_HTTP_CWMP_ANEW;
}


/* the CPE has the new ones: the only ones from now on, here at once */

static void
ngx_http_cwmp_auth_promote(ngx_http_cwmp_auth_t *a)
{
    ngx_str_t  *c = a->peer->credentials;

    ngx_log_error(NGX_LOG_NOTICE, a->request->connection->log, 0,
                  "user \"%V\" has proven its new password: the old one is "
                  "good no longer", &a->user);

    c[NGX_HTTP_CWMP_MD5] = c[NGX_HTTP_CWMP_NEXT_MD5];
    c[NGX_HTTP_CWMP_SHA256] = c[NGX_HTTP_CWMP_NEXT_SHA256];
    c[NGX_HTTP_CWMP_BASIC] = c[NGX_HTTP_CWMP_NEXT_BASIC];

    a->whose = NGX_HTTP_CWMP_USER_OWN;

    ngx_memzero(&c[NGX_HTTP_CWMP_FIRST],
                (NGX_HTTP_CWMP_CREDENTIALS - NGX_HTTP_CWMP_FIRST)
                * sizeof(ngx_str_t));

    ngx_http_cwmp_auth_tell(a, &c[a->by]);
}


/* has it refused the new one?  Then an Inform says that it has this one */

static void
ngx_http_cwmp_auth_old(ngx_http_cwmp_auth_t *a)
{
    ngx_str_t  *c = a->peer->credentials;

    if (c[NGX_HTTP_CWMP_NEXT].len == sizeof("refused") - 1
        && ngx_memcmp(c[NGX_HTTP_CWMP_NEXT].data, "refused",
                      sizeof("refused") - 1)
           == 0)
    {
        a->refused.data = ngx_pstrdup(a->request->pool, &c[a->by]);
        a->refused.len = a->refused.data ? c[a->by].len : 0;
    }
}


/* tells the record what was proven; what is not heard is told again */

static void
ngx_http_cwmp_auth_tell(ngx_http_cwmp_auth_t *a, const ngx_str_t *proof)
{
    ngx_str_t    argv[6];
    const char  *error;

    ngx_str_set(&argv[0], "FCALL");
    ngx_str_set(&argv[1], "cwmp_proven_1");
    ngx_str_set(&argv[2], "1");

    if (ngx_http_cwmp_user_key(a->ctx, &a->user, &argv[3]) != NGX_OK) {
        return;
    }

    argv[4].data = (u_char *) ngx_http_cwmp_credentials[a->by].name;
    argv[4].len = ngx_strlen(argv[4].data);
    argv[5] = *proof;

    (void) ngx_cwmp_redis_send(a->conf->redis->client, argv, 6,
                               ngx_http_cwmp_auth_told, NULL, &error);
}


static void
ngx_http_cwmp_auth_told(void *data, redisReply *reply, const char *error)
{
    /* void */
}


/*
 * The step took the POST: what proved its user was not used before, so that its
 * connection may go on without.  An Inform is of a session after that in which
 * the new credentials were refused.
 */

void
ngx_http_cwmp_user_taken(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_http_cwmp_auth_t  *a = ctx->auth;

    if (!ctx->proven) {
        return;
    }

    /* streams of HTTP/2 share it: it may be another one's meanwhile */

    if (a->peer->known && ngx_http_cwmp_peer_is(a->peer, a->conf, &a->user)) {
        a->peer->proven = 1;
    }

    if (a->refused.len && ngx_http_cwmp_is_inform(ctx)) {
        ngx_http_cwmp_auth_tell(a, &a->refused);
        a->refused.len = 0;
    }
}


ngx_int_t
ngx_http_cwmp_user_key(ngx_http_cwmp_ctx_t *ctx, const ngx_str_t *user,
    ngx_str_t *key)
{
    const ngx_str_t  *prefix = &ctx->conf->redis->conf->prefix;

    key->data = ngx_pnalloc(ctx->request->pool, prefix->len + user->len
                                                + sizeof(":user:{}") - 1);
    if (key->data == NULL) {
        return NGX_ERROR;
    }

    key->len = ngx_sprintf(key->data, "%V:user:{%V}", prefix, user)
               - key->data;

    return NGX_OK;
}


/*
 * The answer may have to wait, as long as not too many do: then it is given at
 * once, and the connection closed.
 */

static ngx_int_t
ngx_http_cwmp_auth_failed(ngx_http_cwmp_ctx_t *ctx, const char *which)
{
    u_char                 buf[NGX_HTTP_CWMP_SHOWN];
    ngx_str_t              user, source;
    ngx_msec_t             delay, other;
    ngx_connection_t      *c;
    ngx_http_request_t    *r = ctx->request;
    ngx_http_cwmp_auth_t  *a = ctx->auth;

    c = r->connection;

    ngx_http_cwmp_refused(ctx, NGX_HTTP_CWMP_COUNT_WRONG, which, NULL);
    ngx_http_cwmp_shown(&user, buf, &a->user);

    if (ngx_http_cwmp_source(ctx, &source) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    delay = ngx_http_cwmp_attempts_failed(a->main->attempts, 'u', &a->user,
                                          NGX_HTTP_CWMP_USER_FREE);
    other = ngx_http_cwmp_attempts_failed(a->main->attempts, 's', &source,
                                          NGX_HTTP_CWMP_SOURCE_FREE);
    delay = ngx_max(delay, other);

    ngx_log_error(NGX_LOG_WARN, c->log, 0, "the user name or the password is "
                  "wrong: \"%V\"%s", &user,
                  delay ? "; so it was before, and the answer waits" : "");

    if (delay == 0) {
        return ngx_http_cwmp_auth_challenge(a);
    }

    if (a->main->delayed >= ngx_cycle->connection_n / 4) {
        r->keepalive = 0;
        return ngx_http_cwmp_auth_challenge(a);
    }

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    a->failed = 1;
    a->main->delayed++;

    ngx_http_cwmp_count(a->main, NGX_HTTP_CWMP_COUNT_DELAYED);

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_cwmp_auth_delay;

    c->write->delayed = 1;
    ngx_add_timer(c->write, delay);

    return NGX_AGAIN;
}


static void
ngx_http_cwmp_auth_delay(ngx_http_request_t *r)
{
    ngx_event_t  *wev = r->connection->write;

    if (wev->delayed) {

        if (ngx_handle_write_event(wev, 0) != NGX_OK) {
            ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        }

        return;
    }

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;

    ngx_http_core_run_phases(r);
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
 * May this POST speak for the device that its Inform names?  NGX_DECLINED: its
 * user, or what cwmp_identity says of the connection, is another one.
 */

ngx_int_t
ngx_http_cwmp_identified(ngx_http_cwmp_ctx_t *ctx)
{
    u_char      buf[NGX_HTTP_CWMP_SHOWN];
    ngx_str_t   shown;
    cwmp_str_t  name;

    if (ctx->conf->auth != NGX_HTTP_CWMP_AUTH_OFF
        && !ngx_http_cwmp_anybody(ctx->auth)
        && !cwmp_identity_means(&ctx->auth->device, &ctx->id))
    {
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

    name.data = ctx->identity.data;
    name.len = ctx->identity.len;

    if (!cwmp_identity_means(&name, &ctx->id)) {
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


static ngx_int_t
ngx_http_cwmp_auth_check_digest(ngx_http_cwmp_auth_t *a, const ngx_str_t *kept)
{
    cwmp_str_t  method, secret;

    method.data = a->request->method_name.data;
    method.len = a->request->method_name.len;
    secret.data = kept->data;
    secret.len = kept->len;

    return (kept->len && cwmp_digest_check(&a->digest, &method, &secret)
                         == CWMP_OK)
           ? NGX_OK : NGX_DECLINED;
}


/* the record has a digest of the password that only a key of ours makes */

static ngx_int_t
ngx_http_cwmp_auth_check_basic(ngx_http_cwmp_auth_t *a, const ngx_str_t *kept)
{
    size_t               i;
    cwmp_str_t           name, password, proof;
    cwmp_secret_t       *s = a->main->secret;
    u_char               hex[CWMP_DIGEST_HEX];
    ngx_http_request_t  *r = a->request;

    name.data = a->user.data;
    name.len = a->user.len;
    password.data = r->headers_in.passwd.data;
    password.len = r->headers_in.passwd.len;

    for (i = 0; i < s->n && kept->len; i++) {

        if (cwmp_user_basic(&s->keys[i], &name, &password, hex, &proof)
            != CWMP_OK)
        {
            return NGX_DECLINED;
        }

        if (proof.len == kept->len
            && CRYPTO_memcmp(proof.data, kept->data, proof.len) == 0)
        {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


/* --- the answer to who did not -------------------------------------------- */

static ngx_int_t
ngx_http_cwmp_auth_challenge(ngx_http_cwmp_auth_t *a)
{
    u_char      *p;
    ngx_str_t    value;
    cwmp_str_t   realm;
    u_char       random[NGX_HTTP_CWMP_RANDOM_LEN], nonce[CWMP_NONCE_LEN];

    realm.data = a->conf->realm.data;
    realm.len = a->conf->realm.len;

    p = ngx_pnalloc(a->request->pool, realm.len + CWMP_NONCE_LEN + 128);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    value.data = p;

    if (a->conf->auth == NGX_HTTP_CWMP_AUTH_BASIC) {
        p = ngx_sprintf(p, "Basic realm=\"%V\"", &a->conf->realm);

    } else {
        if (ngx_http_cwmp_random(a->main, random) != NGX_OK
            || cwmp_nonce_make(a->main->secret, &realm, (uint32_t) ngx_time(),
                               ngx_cached_time->msec, random, nonce)
               != CWMP_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        p = ngx_sprintf(p, "Digest realm=\"%V\", qop=\"auth\", nonce=\"%*s\", "
                        "algorithm=MD5%s", &a->conf->realm, sizeof(nonce),
                        nonce, a->stale ? ", stale=true" : "");
    }

    value.len = p - value.data;

    if (ngx_http_cwmp_add_header(a->request, "WWW-Authenticate", &value)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_HTTP_UNAUTHORIZED;
}


/* a POST whose body was read, or some of it: then nobody reads the rest */

void
ngx_http_cwmp_auth_refuse(ngx_http_cwmp_ctx_t *ctx, ngx_uint_t stale)
{
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
        a->post = (a->main->worker + a->main->nonce++) & 0xffffffffffff;
    }

    if (ctx->proven && a->digest.count) {
        field = &a->digest.fields[CWMP_DIGEST_NONCE];
        nonce.data = field->data;
        nonce.len = CWMP_NONCE_NAME;
    }

    p = ngx_pnalloc(args->pool, nonce.len + ctx->user.len + NGX_INT64_LEN
                                + sizeof("  ffffffffffff "));
    if (p == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_cwmp_arg(args, p,
                             ngx_sprintf(p, "%V %uD %012xL %V", &nonce,
                                         a->digest.count, a->post, &ctx->user)
                             - p);
}


/* --- the connection --------------------------------------------------------- */

static ngx_http_cwmp_peer_t *
ngx_http_cwmp_peer(ngx_connection_t *c, ngx_uint_t make)
{
    ngx_pool_cleanup_t  *cln;

    for (cln = c->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_cwmp_peer_cleanup) {
            return cln->data;
        }
    }

    cln = make ? ngx_pool_cleanup_add(c->pool, sizeof(ngx_http_cwmp_peer_t))
               : NULL;
    if (cln == NULL) {
        return NULL;
    }

    ngx_memzero(cln->data, sizeof(ngx_http_cwmp_peer_t));
    cln->handler = ngx_http_cwmp_peer_cleanup;

    return cln->data;
}


/* locations may have other users, of the same names */

static ngx_uint_t
ngx_http_cwmp_peer_is(ngx_http_cwmp_peer_t *peer,
    ngx_http_cwmp_loc_conf_t *conf, const ngx_str_t *user)
{
    return peer->conf
           && peer->conf->redis == conf->redis
           && peer->conf->auth == conf->auth
           && peer->conf->realm.len == conf->realm.len
           && ngx_memcmp(peer->conf->realm.data, conf->realm.data,
                         conf->realm.len)
              == 0
           && peer->user.len == user->len
           && ngx_memcmp(peer->user.data, user->data, user->len) == 0;
}


static void
ngx_http_cwmp_peer_cleanup(void *data)
{
    ngx_explicit_memzero(data, sizeof(ngx_http_cwmp_peer_t));
}
