/*
 * What a user's record says.  It is read from Redis once for a connection,
 * which keeps it for a minute at most.
 *
 * While a user's credentials are being changed there are two of them, and the
 * record learns from here which of them the CPE has.
 */

#include "ngx_http_cwmp_auth.h"


#define NGX_HTTP_CWMP_ANEW  3           /* look-ups while they are kept, of what
                                           may have changed */


static ngx_http_cwmp_peer_t *ngx_http_cwmp_peer_of(ngx_http_cwmp_ctx_t *ctx);
static void ngx_http_cwmp_auth_tell(ngx_http_cwmp_auth_t *a,
    const ngx_str_t *proof);
static void ngx_http_cwmp_auth_told(void *data, redisReply *reply,
    const char *error);
static void ngx_http_cwmp_peer_cleanup(void *data);


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


/* NULL: there is none, or no memory to make it */

ngx_http_cwmp_peer_t *
ngx_http_cwmp_peer(ngx_connection_t *c, ngx_uint_t make)
{
    return ngx_http_cwmp_of_connection(c, ngx_http_cwmp_peer_cleanup,
                                       make ? sizeof(ngx_http_cwmp_peer_t) : 0);
}


/* locations may have other users, of the same names */

ngx_uint_t
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


ngx_int_t
ngx_http_cwmp_user_key(ngx_http_cwmp_ctx_t *ctx, const ngx_str_t *user,
    ngx_str_t *key)
{
    const ngx_str_t  *prefix = &ctx->conf->redis->conf->prefix;

    return cwmp_user_key(&ctx->arena, (const cwmp_str_t *) prefix,
                         (const cwmp_str_t *) user, (cwmp_str_t *) key)
           == CWMP_OK ? NGX_OK : NGX_ERROR;
}


/* NULL: not sent, for this reason.  Who is called adds the time that it took */

ngx_cwmp_redis_cmd_t *
ngx_http_cwmp_auth_look(ngx_http_cwmp_ctx_t *ctx, const ngx_str_t *user,
    ngx_cwmp_redis_pt handler, void *data, const char **error)
{
    ngx_str_t  argv[4];

    ngx_str_set(&argv[0], "FCALL_RO");
    ngx_str_set(&argv[1], "cwmp_user_1");
    ngx_str_set(&argv[2], "1");

    if (ngx_http_cwmp_user_key(ctx, user, &argv[3]) != NGX_OK) {
        *error = "out of memory";
        return NULL;
    }

    ctx->asked = 1;
    ctx->redis_start = ngx_current_msec;

    return ngx_cwmp_redis_send(ctx->conf->redis->client, argv, 4, handler, data,
                               error);
}


/* has this record, as cwmp_user_1 tells it, credentials that were in use, and
   are not those of first contact? */

ngx_uint_t
ngx_http_cwmp_is_registered(redisReply *reply)
{
    ngx_uint_t  i;

    if (reply->elements <= NGX_HTTP_CWMP_FIRST
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

ngx_int_t
ngx_http_cwmp_auth_take(ngx_http_cwmp_auth_t *a, redisReply *reply)
{
    u_char                *p;
    size_t                 i;
    ngx_str_t             *field;
    redisReply            *e;
    ngx_http_cwmp_peer_t  *peer = a->peer;

    if (!ngx_http_cwmp_peer_is(peer, a->conf, &a->user)) {
        peer->anew = 0;
    }

    /* what was proven by others is proven no longer, or it would be for as long
       as somebody fails */

    peer->conf = a->conf;
    peer->known = 0;
    peer->proven = 0;

    if (reply->type != REDIS_REPLY_ARRAY
        || reply->elements <= NGX_HTTP_CWMP_FIRST)
    {
        return NGX_DECLINED;
    }

    p = peer->text;

    for (i = 0; i < NGX_HTTP_CWMP_CREDENTIALS; i++) {
        e = i < reply->elements ? reply->element[i] : NULL;

        field = &peer->credentials[i];
        field->data = p;
        field->len = 0;

        if (e && e->type == REDIS_REPLY_STRING
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


/* NULL: nothing of this POST's user; streams of HTTP/2 share it */

static ngx_http_cwmp_peer_t *
ngx_http_cwmp_peer_of(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_http_cwmp_peer_t  *peer;

    peer = ngx_http_cwmp_peer(ctx->request->connection, 0);

    return peer && peer->known
           && ngx_http_cwmp_peer_is(peer, ctx->conf, &ctx->user) ? peer : NULL;
}


/* "own", and what the connection takes for proof, which may be good no longer;
   "nobody" where no user is asked for */

ngx_int_t
ngx_http_cwmp_user_as(ngx_http_cwmp_ctx_t *ctx, ngx_array_t *args)
{
    ngx_uint_t             i;
    ngx_str_t             *c;
    ngx_http_cwmp_peer_t  *peer = ngx_http_cwmp_peer_of(ctx);

    if (ctx->conf->auth == NGX_HTTP_CWMP_AUTH_OFF) {
        return ngx_http_cwmp_arg(args, "nobody", 6);
    }

    if (ngx_http_cwmp_arg(args, "own", 3) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = NGX_HTTP_CWMP_MD5; peer && i <= NGX_HTTP_CWMP_BASIC; i++) {
        c = &peer->credentials[i];

        if (ngx_http_cwmp_arg(args, c->data, c->len) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* the next POST is looked up */

void
ngx_http_cwmp_user_forget(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_http_cwmp_peer_t  *peer = ngx_http_cwmp_peer_of(ctx);

    if (peer) {
        peer->conf = NULL;
    }
}


/* may they have changed since they were looked up?  That is asked a few times
   only, so that a connection with wrong passwords is as good as many */

ngx_uint_t
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

void
ngx_http_cwmp_auth_promote(ngx_http_cwmp_auth_t *a)
{
    u_char      buf[NGX_HTTP_CWMP_SHOWN];
    ngx_str_t   user, *c = a->peer->credentials;

    ngx_http_cwmp_shown(&user, buf, &a->user);
    ngx_log_error(NGX_LOG_NOTICE, a->request->connection->log, 0,
                  "user \"%V\" has proven its new password: the old one is "
                  "good no longer", &user);

    a->peer->anew = 0;                  /* what it had was changed, and right */

    c[NGX_HTTP_CWMP_MD5] = c[NGX_HTTP_CWMP_NEXT_MD5];
    c[NGX_HTTP_CWMP_SHA256] = c[NGX_HTTP_CWMP_NEXT_SHA256];
    c[NGX_HTTP_CWMP_BASIC] = c[NGX_HTTP_CWMP_NEXT_BASIC];

    a->whose = NGX_HTTP_CWMP_USER_OWN;

    ngx_memzero(&c[NGX_HTTP_CWMP_FIRST],
                (NGX_HTTP_CWMP_CREDENTIALS - NGX_HTTP_CWMP_FIRST)
                * sizeof(ngx_str_t));

    ngx_http_cwmp_auth_tell(a, &c[a->by]);
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
