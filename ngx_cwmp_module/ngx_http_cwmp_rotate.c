/*
 * RotateCredentials: what it sets.  Before the RPC leaves, the record of the
 * user has the new passwords beside the old ones, in another slot than the
 * device's: whatever fails then, the device logs in with what it has, and by
 * that the record learns which that is (redis/lua/93_users.lua).  A record that
 * has new ones already keeps them, and they are sent once more.
 *
 * Knows no task, and no password but for the time that it is written.
 */

#include "ngx_http_cwmp.h"
#include "cwmp_user.h"

#include <openssl/rand.h>


#define NGX_HTTP_CWMP_NEW  2        /* passwords: the user's, the requests' */

typedef struct {
    ngx_http_cwmp_ctx_t         *ctx;
    ngx_http_cwmp_main_conf_t   *main;
    cwmp_str_t                   id;        /* of the RPC */
    cwmp_ns_t                    ns;
    cwmp_order_t                 order;
    cwmp_credentials_t           credentials;
    ngx_str_t                    task;      /* as no other is called */
    ngx_str_t                    user;
    ngx_str_t                    key;       /* of the record */
    unsigned                     shared:1;  /* it came as another one */
} ngx_http_cwmp_rotation_t;


static ngx_int_t ngx_http_cwmp_rotate_copy(ngx_http_cwmp_rotation_t *n,
    const cwmp_known_t *row);
static void ngx_http_cwmp_rotate_ask(ngx_http_cwmp_rotation_t *n);
static void ngx_http_cwmp_rotate_failed(ngx_http_cwmp_rotation_t *n,
    const char *why);
static ngx_int_t ngx_http_cwmp_rotate_args(ngx_http_cwmp_rotation_t *n,
    ngx_array_t *args);
static ngx_int_t ngx_http_cwmp_rotate_new(ngx_http_cwmp_rotation_t *n,
    ngx_array_t *args);
static ngx_int_t ngx_http_cwmp_rotate_proofs(ngx_http_cwmp_rotation_t *n,
    ngx_array_t *args, const cwmp_str_t *password);
static ngx_int_t ngx_http_cwmp_rotate_sealed(ngx_http_cwmp_rotation_t *n,
    ngx_array_t *args, const char *kind, const cwmp_str_t *password);
static void ngx_http_cwmp_rotate_asked(void *data, redisReply *reply,
    const char *error);
static void ngx_http_cwmp_rotate_gone(ngx_http_cwmp_rotation_t *n,
    redisReply *reply);
static void ngx_http_cwmp_rotate_changed(ngx_http_cwmp_rotation_t *n,
    redisReply *reply);
static void ngx_http_cwmp_rotate_another(ngx_http_cwmp_rotation_t *n,
    redisReply *reply);
static void ngx_http_cwmp_rotate_taken(ngx_http_cwmp_rotation_t *n,
    redisReply *reply);
static void ngx_http_cwmp_rotate_done(ngx_http_cwmp_rotation_t *n,
    redisReply *reply);
static void ngx_http_cwmp_rotate_next(ngx_http_cwmp_rotation_t *n,
    redisReply *reply);
static void ngx_http_cwmp_rotate_write(ngx_http_cwmp_rotation_t *n);
static void ngx_http_cwmp_rotate_reject(ngx_http_cwmp_rotation_t *n,
    const char *field, const char *reason);
static void ngx_http_cwmp_rotate_verdict(ngx_http_cwmp_rotation_t *n,
    const char *is, const char *what, const char *reason);
static void ngx_http_cwmp_rotate_no_memory(ngx_http_cwmp_rotation_t *n);


static const char  *ngx_http_cwmp_kinds[NGX_HTTP_CWMP_NEW] = {
    "user", "connection_request"
};


static const struct {
    const char   *says;
    size_t        elements;
    void        (*handler)(ngx_http_cwmp_rotation_t *n, redisReply *reply);
} ngx_http_cwmp_rotate_answers[] = {
    { "next", 1 + NGX_HTTP_CWMP_NEW, ngx_http_cwmp_rotate_next },
    { "gone", 1, ngx_http_cwmp_rotate_gone },
    { "changed", 1, ngx_http_cwmp_rotate_changed },
    { "another", 1, ngx_http_cwmp_rotate_another },
    { "done", 1, ngx_http_cwmp_rotate_done },
    { "taken", 1, ngx_http_cwmp_rotate_taken }
};


/* first the record that the device has used: it may be its own */

void
ngx_http_cwmp_rotate(ngx_http_cwmp_ctx_t *ctx, const cwmp_str_t *id,
    cwmp_ns_t ns, const cwmp_order_t *order)
{
    ngx_http_cwmp_rotation_t  *n;

    n = ngx_pcalloc(ctx->request->pool, sizeof(ngx_http_cwmp_rotation_t));
    if (n == NULL) {
        ngx_http_cwmp_reply_error(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                  "out of memory");
        return;
    }

    n->ctx = ctx;
    n->main = ngx_http_get_module_main_conf(ctx->request,
                                            ngx_http_cwmp_module);
    n->id = *id;
    n->ns = ns;
    n->order = *order;
    n->order.known = NULL;              /* the reply's, that is gone then */
    n->order.nknown = 0;

    if (n->main->secret == NULL || order->nknown < 2) {
        ngx_http_cwmp_rotate_verdict(n, "waits", "method", "needs "
                                     "\"cwmp_secret_key\" in nginx's "
                                     "configuration: passwords are stored "
                                     "sealed");

    } else if (ctx->conf->auth == NGX_HTTP_CWMP_AUTH_OFF
               && ctx->request->headers_in.authorization)
    {
        ngx_http_cwmp_rotate_reject(n, "method", "the device logs in to "
                                    "something else than cwmp_auth, which "
                                    "would not know its new password: it would "
                                    "be locked out");

    } else if (ngx_http_cwmp_rotate_copy(n, order->known) != NGX_OK) {
        ngx_http_cwmp_rotate_no_memory(n);

    } else {
        ngx_http_cwmp_rotate_ask(n);
    }
}


/* the root object, and what the task is called; where nobody logs in, the user
   that the device came as where it had to */

static ngx_int_t
ngx_http_cwmp_rotate_copy(ngx_http_cwmp_rotation_t *n, const cwmp_known_t *row)
{
    u_char      *p;
    ngx_str_t    user;
    cwmp_str_t  *object = &n->credentials.object;

    static const char  server[] = ".ManagementServer.";

    object->len = row->name.len + sizeof(server) - 1;
    n->task.len = row->value.len;

    p = ngx_pnalloc(n->ctx->request->pool, object->len + n->task.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    object->data = p;
    p = ngx_cpymem(p, row->name.data, row->name.len);
    p = ngx_cpymem(p, server, sizeof(server) - 1);

    n->task.data = p;
    ngx_memcpy(p, row->value.data, n->task.len);

    user = n->ctx->user;

    if (user.len == 0) {
        user.data = row[1].name.data;
        user.len = row[1].name.len;
    }

    if (user.len == 0) {
        user.data = n->ctx->id.data;
        user.len = n->ctx->id.len;
    }

    n->user.data = ngx_pstrdup(n->ctx->request->pool, &user);
    n->user.len = user.len;

    return n->user.data ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_cwmp_rotate_ask(ngx_http_cwmp_rotation_t *n)
{
    ngx_array_t          *args;
    const char           *error = "out of memory";
    ngx_http_cwmp_ctx_t  *ctx = n->ctx;

    args = ngx_array_create(ctx->request->pool, 17, sizeof(ngx_str_t));

    if (args && ngx_http_cwmp_rotate_args(n, args) == NGX_OK) {
        ctx->step = ngx_cwmp_redis_send(ctx->conf->redis->client, args->elts,
                                        args->nelts,
                                        ngx_http_cwmp_rotate_asked, n, &error);
    }

    ctx->redis_start = ngx_current_msec;

    if (ctx->step == NULL) {
        ngx_http_cwmp_rotate_failed(n, error);
    }
}


static void
ngx_http_cwmp_rotate_failed(ngx_http_cwmp_rotation_t *n, const char *why)
{
    u_char     buf[NGX_HTTP_CWMP_SHOWN];
    ngx_str_t  user;

    ngx_http_cwmp_shown(&user, buf, &n->user);
    ngx_log_error(NGX_LOG_ERR, n->ctx->request->connection->log, 0,
                  "credentials of user \"%V\" cannot be changed: %s", &user,
                  why);

    ngx_http_cwmp_reply_away(n->ctx);
}


static ngx_int_t
ngx_http_cwmp_rotate_args(ngx_http_cwmp_rotation_t *n, ngx_array_t *args)
{
    ngx_uint_t            taken;
    ngx_http_cwmp_ctx_t  *ctx = n->ctx;

    taken = n->order.phase.len == 5
            && ngx_strncmp(n->order.phase.data, "taken", 5) == 0;

    if (ngx_http_cwmp_user_key(ctx, &n->user, &n->key) != NGX_OK
        || ngx_http_cwmp_arg(args, "FCALL", 5) != NGX_OK
        || ngx_http_cwmp_arg(args, "cwmp_rotate_1", 13) != NGX_OK
        || ngx_http_cwmp_arg(args, "1", 1) != NGX_OK
        || ngx_http_cwmp_arg(args, n->key.data, n->key.len) != NGX_OK
        || ngx_http_cwmp_arg(args, ctx->id.data, ctx->id.len) != NGX_OK
        || ngx_http_cwmp_arg(args, n->task.data, n->task.len) != NGX_OK
        || ngx_http_cwmp_arg(args, n->id.data, n->id.len) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (taken) {
        return ngx_http_cwmp_arg(args, "taken", 5);
    }

    if (ngx_http_cwmp_rotate_new(n, args) != NGX_OK) {
        return NGX_ERROR;
    }

    return n->shared ? ngx_http_cwmp_arg(args, "shared", 6)
                     : ngx_http_cwmp_user_as(ctx, args);
}


/* the passwords are made in each case: most records have no next ones */

static ngx_int_t
ngx_http_cwmp_rotate_new(ngx_http_cwmp_rotation_t *n, ngx_array_t *args)
{
    u_char      *p;
    ngx_int_t    rc;
    ngx_uint_t   i;
    cwmp_str_t   password[NGX_HTTP_CWMP_NEW];
    u_char       random[NGX_HTTP_CWMP_NEW][CWMP_USER_PASSWORD];

    if (RAND_bytes((u_char *) random, sizeof(random)) != 1) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_HTTP_CWMP_NEW; i++) {
        p = random[i];
        cwmp_user_password(p, p);
        password[i].data = p;
        password[i].len = CWMP_USER_PASSWORD;
    }

    rc = ngx_http_cwmp_rotate_proofs(n, args, &password[0]);

    for (i = 0; i < NGX_HTTP_CWMP_NEW && rc == NGX_OK; i++) {
        rc = ngx_http_cwmp_rotate_sealed(n, args, ngx_http_cwmp_kinds[i],
                                         &password[i]);
    }

    ngx_explicit_memzero(random, sizeof(random));

    return rc;
}


/* how CPEs log in here, and all that may prove the password */

static ngx_int_t
ngx_http_cwmp_rotate_proofs(ngx_http_cwmp_rotation_t *n, ngx_array_t *args,
    const cwmp_str_t *password)
{
    u_char                    *buf;
    ngx_uint_t                 i;
    cwmp_rc_t                  rc;
    cwmp_str_t                 proof, name, realm = cwmp_string("cwmp");
    ngx_http_cwmp_loc_conf_t  *conf = n->ctx->conf;

    name.data = n->user.data;
    name.len = n->user.len;

    if (conf->realm.len) {
        realm.data = conf->realm.data;
        realm.len = conf->realm.len;
    }

    if (ngx_http_cwmp_arg(args, conf->auth == NGX_HTTP_CWMP_AUTH_BASIC
                                ? "basic" : "digest",
                          conf->auth == NGX_HTTP_CWMP_AUTH_BASIC ? 5 : 6)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < CWMP_USER_PROOFS; i++) {
        buf = ngx_pnalloc(args->pool, CWMP_DIGEST_HEX);
        if (buf == NULL) {
            return NGX_ERROR;
        }

        rc = (i == CWMP_USER_BASIC)
             ? cwmp_user_basic(&n->main->secret->keys[0], &name, password, buf,
                               &proof)
             : cwmp_user_digest(i, &name, &realm, password, buf, &proof);

        if (rc != CWMP_OK
            || ngx_http_cwmp_arg(args, proof.data, proof.len) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_cwmp_rotate_sealed(ngx_http_cwmp_rotation_t *n, ngx_array_t *args,
    const char *kind, const cwmp_str_t *password)
{
    cwmp_str_t  name, sealed;
    u_char      iv[CWMP_SECRET_IV];

    name.data = n->user.data;
    name.len = n->user.len;

    if (RAND_bytes(iv, sizeof(iv)) != 1
        || cwmp_user_seal(n->main->secret, &n->ctx->arena, kind, &name, iv,
                          password, &sealed)
           != CWMP_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_cwmp_arg(args, sealed.data, sealed.len);
}


static void
ngx_http_cwmp_rotate_asked(void *data, redisReply *reply, const char *error)
{
    ngx_http_cwmp_rotation_t  *n = data;

    size_t                i, count;
    const char           *says = "";
    ngx_connection_t     *c;
    ngx_http_cwmp_ctx_t  *ctx = n->ctx;

    c = ctx->request->connection;
    ctx->step = NULL;
    ctx->redis_time += ngx_current_msec - ctx->redis_start;
    count = sizeof(ngx_http_cwmp_rotate_answers)
            / sizeof(ngx_http_cwmp_rotate_answers[0]);

    ngx_http_set_log_request(c->log, ctx->request);

    if (reply && reply->type == REDIS_REPLY_ARRAY && reply->elements
        && reply->element[0]->type == REDIS_REPLY_STRING)
    {
        says = reply->element[0]->str;
    }

    for (i = 0; i < count; i++) {
        if (ngx_strcmp(says, ngx_http_cwmp_rotate_answers[i].says) == 0
            && reply->elements >= ngx_http_cwmp_rotate_answers[i].elements)
        {
            ngx_http_cwmp_rotate_answers[i].handler(n, reply);
            ngx_http_run_posted_requests(c);
            return;
        }
    }

    ngx_http_cwmp_rotate_failed(n, ngx_cwmp_why(reply, error));
    ngx_http_run_posted_requests(c);
}


/* the connection remembers a user that was taken away: who comes as that is to
   come in no longer, and least of all with credentials that are made for it */

static void
ngx_http_cwmp_rotate_gone(ngx_http_cwmp_rotation_t *n, redisReply *reply)
{
    ngx_http_cwmp_user_forget(n->ctx);

    ngx_http_cwmp_rotate_reject(n, "method", "the user that the device came as "
                                "was taken away: it gets no credentials. Where "
                                "it is to come, store a user: cwmp-user");
}


/* nor has it what proves the user now; a device that has proves it once more */

static void
ngx_http_cwmp_rotate_changed(ngx_http_cwmp_rotation_t *n, redisReply *reply)
{
    ngx_http_cwmp_user_forget(n->ctx);
    ngx_http_cwmp_auth_refuse(n->ctx, 1);
}


/* the device gets a record of its own, by its ID */

static void
ngx_http_cwmp_rotate_another(ngx_http_cwmp_rotation_t *n, redisReply *reply)
{
    ngx_http_cwmp_ctx_t  *ctx = n->ctx;

    if (n->user.len == ctx->id.len
        && ngx_memcmp(n->user.data, ctx->id.data, ctx->id.len) == 0)
    {
        ngx_http_cwmp_rotate_reject(n, "method", "would change the credentials "
                                    "of another device: the user of this "
                                    "device's ID has another \"device\"");
        return;
    }

    n->user.data = ctx->id.data;
    n->user.len = ctx->id.len;
    n->shared = 1;

    ngx_http_cwmp_rotate_ask(n);
}


/* who knows what many know could ask for a device's own */

static void
ngx_http_cwmp_rotate_taken(ngx_http_cwmp_rotation_t *n, redisReply *reply)
{
    ngx_http_cwmp_rotate_reject(n, "method", "the device has taken credentials "
                                "of its own, and comes as a user of many: who "
                                "that is, is not known. Where it was reset, "
                                "delete its user: cwmp-user -d");
}


/* that they are in use, or were taken, is known to the record */

static void
ngx_http_cwmp_rotate_done(ngx_http_cwmp_rotation_t *n, redisReply *reply)
{
    ngx_http_cwmp_rotate_verdict(n, "done", "{\"verified\":\"login\"}", "");
}


static void
ngx_http_cwmp_rotate_next(ngx_http_cwmp_rotation_t *n, redisReply *reply)
{
    ngx_uint_t            i;
    cwmp_rc_t             rc;
    cwmp_str_t            name, sealed, *value;
    const char           *reason;
    ngx_http_cwmp_ctx_t  *ctx = n->ctx;

    name.data = n->user.data;
    name.len = n->user.len;

    for (i = 0; i < NGX_HTTP_CWMP_NEW; i++) {
        value = &n->credentials.values[2 * i];
        value[0] = name;

        if (ngx_http_cwmp_copy_reply(ctx, reply, 1 + i, &sealed) != NGX_OK) {
            ngx_http_cwmp_rotate_no_memory(n);
            return;
        }

        rc = cwmp_user_open(n->main->secret, &ctx->arena,
                            ngx_http_cwmp_kinds[i], &name, &sealed, &value[1],
                            &reason);

        if (rc == CWMP_REFUSED
            && cwmp_secret_lacks(n->main->secret, &sealed))
        {
            ngx_http_cwmp_rotate_verdict(n, "waits", i
                                         ? "next_connection_request"
                                         : "next_password", reason);
            return;
        }

        if (rc == CWMP_REFUSED) {
            ngx_http_cwmp_rotate_reject(n, i ? "next_connection_request"
                                             : "next_password", reason);
            return;
        }

        if (rc != CWMP_OK) {
            ngx_http_cwmp_rotate_no_memory(n);
            return;
        }
    }

    ngx_http_cwmp_rotate_write(n);
}


static void
ngx_http_cwmp_rotate_write(ngx_http_cwmp_rotation_t *n)
{
    u_char                buf[NGX_HTTP_CWMP_SHOWN];
    ngx_str_t             user;
    cwmp_rc_t             rc;
    ngx_chain_t          *envelope;
    cwmp_task_rpc_t       rpc;
    ngx_http_cwmp_ctx_t  *ctx = n->ctx;

    n->order.credentials = &n->credentials;

    rc = cwmp_task_rpc(&ctx->arena, &n->order, &rpc);

    if (rc == CWMP_REFUSED) {
        ngx_http_cwmp_rotate_reject(n, (char *) rpc.field.data, rpc.reason);
        return;
    }

    if (rc != CWMP_OK) {
        ngx_http_cwmp_rotate_no_memory(n);
        return;
    }

    envelope = ngx_http_cwmp_write_rpc(ctx, n->ns, &n->id, &rpc);
    if (envelope == NULL) {
        return;
    }

    ngx_http_cwmp_shown(&user, buf, &n->user);
    ngx_log_error(NGX_LOG_NOTICE, ctx->request->connection->log, 0,
                  "task %V: the device is to have new credentials, of user "
                  "\"%V\"", &ctx->task, &user);

    if (ctx->conf->redis->conf->wait) {
        ngx_http_cwmp_hold_until(ctx, &n->id, envelope, "cwmp_next_1",
                                 &n->key);
        return;
    }

    ngx_http_cwmp_reply_envelope(ctx, envelope);
}


static void
ngx_http_cwmp_rotate_reject(ngx_http_cwmp_rotation_t *n, const char *field,
    const char *reason)
{
    ngx_http_cwmp_rotate_verdict(n, "rejected", field, reason);
}


/* the last call was told to be the last */

static void
ngx_http_cwmp_rotate_verdict(ngx_http_cwmp_rotation_t *n, const char *is,
    const char *what, const char *reason)
{
    ngx_http_cwmp_verdict_t  verdict;

    if (n->ctx->calls >= NGX_HTTP_CWMP_CALLS) {
        ngx_http_cwmp_reply_empty(n->ctx);
        return;
    }

    verdict.is = is;
    verdict.what.data = (u_char *) what;
    verdict.what.len = ngx_strlen(what);
    verdict.reason = reason;
    verdict.more = NULL;

    ngx_http_cwmp_verdict(n->ctx, &n->id, &verdict);
}


static void
ngx_http_cwmp_rotate_no_memory(ngx_http_cwmp_rotation_t *n)
{
    ngx_http_cwmp_reply_error(n->ctx, NGX_HTTP_INTERNAL_SERVER_ERROR,
                              "out of memory");
}
