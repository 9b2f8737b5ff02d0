/*
 * Calls the state table (redis/lua) and takes its verb: a table row says
 * which reply follows.  A decision that only this side can take (a task that
 * cannot be sent) costs a further call.  Must not know how a reply is written.
 */

#include "ngx_http_cwmp_auth.h"


static ngx_uint_t ngx_http_cwmp_unconfirmed(ngx_http_cwmp_ctx_t *ctx);
static void ngx_http_cwmp_step_done(void *data, redisReply *reply,
    const char *error);
static void ngx_http_cwmp_heard(ngx_http_cwmp_redis_t *redis,
    const ngx_str_t *server, redisReply *reply, ngx_msec_t took);
static void ngx_http_cwmp_chunk_done(void *data, redisReply *reply,
    const char *error);
static void ngx_http_cwmp_not_awaited(void *data, redisReply *reply,
    const char *error);
static ngx_int_t ngx_http_cwmp_check(ngx_http_cwmp_ctx_t *ctx,
    redisReply *reply, const char *error);
static void ngx_http_cwmp_verb(ngx_http_cwmp_ctx_t *ctx, redisReply *reply);
static void ngx_http_cwmp_verb_inform(ngx_http_cwmp_ctx_t *ctx,
    redisReply *reply);
static void ngx_http_cwmp_verb_answer(ngx_http_cwmp_ctx_t *ctx,
    redisReply *reply);
static void ngx_http_cwmp_verb_end(ngx_http_cwmp_ctx_t *ctx,
    redisReply *reply);
static void ngx_http_cwmp_end(ngx_http_cwmp_ctx_t *ctx);
static void ngx_http_cwmp_verb_bare(ngx_http_cwmp_ctx_t *ctx,
    redisReply *reply);
static void ngx_http_cwmp_verb_unknown(ngx_http_cwmp_ctx_t *ctx,
    redisReply *reply);
static void ngx_http_cwmp_verb_later(ngx_http_cwmp_ctx_t *ctx,
    redisReply *reply);
static void ngx_http_cwmp_verb_stale(ngx_http_cwmp_ctx_t *ctx,
    redisReply *reply);
static void ngx_http_cwmp_verb_denied(ngx_http_cwmp_ctx_t *ctx,
    redisReply *reply);


static const struct {
    const char   *verb;
    size_t        elements;         /* of the reply, at least */
    void        (*handler)(ngx_http_cwmp_ctx_t *ctx, redisReply *reply);
    void        (*alone)(ngx_http_cwmp_ctx_t *ctx);     /* nothing but a verb */
    int           request;          /* of a request only, and of which */
    int           inform;
    int           taken;            /* the POST is, as its user's */
    int           spent;            /* what proved it is used up, in Redis */
} ngx_http_cwmp_verbs[] = {
    { "inform", 3, ngx_http_cwmp_verb_inform, ngx_http_cwmp_reply_inform, 1, 1,
      1, 1 },
    { "answer", 2, ngx_http_cwmp_verb_answer, NULL, 1, 0, 1, 1 },
    { "bare", 2, ngx_http_cwmp_verb_bare, NULL, 1, 0, 0, 0 },
    { "rpc", 9, ngx_http_cwmp_order, NULL, 0, 0, 1, 1 },
    { "seal", 2, ngx_http_cwmp_seal, NULL, 0, 0, 1, 1 },
    { "end", 2, ngx_http_cwmp_verb_end, ngx_http_cwmp_end, 0, 0, 1, 1 },
    { "unknown", 2, ngx_http_cwmp_verb_unknown, NULL, 0, 0, 0, 0 },
    { "later", 2, ngx_http_cwmp_verb_later, NULL, 1, 1, 0, 1 },
    { "stale", 2, ngx_http_cwmp_verb_stale, NULL, 0, 0, 0, 1 },
    { "denied", 2, ngx_http_cwmp_verb_denied, NULL, 0, 0, 0, 0 }
};


/* who it is, where that is asked, is the last argument */

static ngx_int_t
ngx_http_cwmp_send(ngx_http_cwmp_ctx_t *ctx, ngx_array_t *args,
    ngx_cwmp_redis_pt handler, void *data, ngx_cwmp_redis_cmd_t **cmd)
{
    const char  *error;

    error = "out of memory";

    if (args && ctx->auth && ngx_http_cwmp_auth_arg(ctx, args) != NGX_OK) {
        args = NULL;
    }

    *cmd = args ? ngx_cwmp_redis_send(ctx->conf->redis->client, args->elts,
                                      args->nelts, handler, data, &error)
                : NULL;

    if (*cmd) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                  "session cannot go on: %s", error);

    ngx_http_cwmp_reply_away(ctx);
    return NGX_DONE;
}


/*
 * What is sent again, after TRYAGAIN for one, is overtaken by what follows it:
 * chunks are confirmed before the step that ends their task.
 */

void
ngx_http_cwmp_step(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_uint_t    who;
    ngx_array_t  *args;

    ctx->waits = (ngx_http_cwmp_unconfirmed(ctx) != 0);

    if (ctx->waits) {
        return;
    }

    if (ngx_http_cwmp_auth_is_old(ctx)) {
        ngx_http_cwmp_auth_refuse(ctx, 1);
        return;
    }

    who = ctx->auth || ngx_http_cwmp_is_inform(ctx);

    args = ngx_http_cwmp_call(ctx, ctx->request->pool,
                              who ? "cwmp_step_3" : "cwmp_step_2");

    if (args
        && (ngx_http_cwmp_step_args(ctx, args) != NGX_OK
            || (who && ngx_http_cwmp_unknown_arg(ctx, args) != NGX_OK)
            || (who && !ctx->auth && ngx_http_cwmp_arg(args, "", 0) != NGX_OK)))
    {
        args = NULL;
    }

    ctx->calls++;
    ctx->redis_start = ngx_current_msec;

    if (ngx_http_cwmp_send(ctx, args, ngx_http_cwmp_step_done, ctx, &ctx->step)
        == NGX_OK)
    {
        ngx_http_cwmp_drop_rows(ctx);       /* the client has a copy */
    }
}


/* NGX_OK: sent, go on; else it was answered */

ngx_int_t
ngx_http_cwmp_chunk(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_uint_t              i;
    ngx_array_t            *args;
    ngx_http_cwmp_chunk_t  *chunk;

    args = ngx_http_cwmp_call(ctx, ctx->rows_pool,
                              ctx->auth ? "cwmp_chunk_4" : "cwmp_chunk_3");

    if (args
        && (ngx_http_cwmp_arg(args, ctx->token.data, ctx->token.len) != NGX_OK
            || ngx_http_cwmp_arg_number(args, ctx->conf->outstanding_timeout)
               != NGX_OK
            || ngx_http_cwmp_arg(args, ctx->facts->id.data,
                                 ctx->facts->id.len)
               != NGX_OK
            || ngx_http_cwmp_arg_objects(ctx, args) != NGX_OK))
    {
        args = NULL;
    }

    for (i = 0; ctx->chunks[i].cmd; i++) { /* one is free, or it is paused */ }

    chunk = &ctx->chunks[i];
    chunk->ctx = ctx;

    if (ngx_http_cwmp_send(ctx, args, ngx_http_cwmp_chunk_done, chunk,
                           &chunk->cmd)
        != NGX_OK)
    {
        return NGX_DONE;
    }

    ngx_http_cwmp_drop_rows(ctx);

    if (ngx_http_cwmp_unconfirmed(ctx) == NGX_HTTP_CWMP_CHUNKS) {
        ctx->paused |= NGX_HTTP_CWMP_FOR_REDIS;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_cwmp_unconfirmed(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_uint_t  i, n;

    n = 0;

    for (i = 0; i < NGX_HTTP_CWMP_CHUNKS; i++) {
        n += (ctx->chunks[i].cmd != NULL);
    }

    return n;
}


/*
 * An answer, or what may have become one, did not come to its end, which its
 * task's result may have to say one day.  Nobody waits for the reply: the POST
 * is over.
 */

void
ngx_http_cwmp_broke(ngx_http_cwmp_ctx_t *ctx, const char *why)
{
    const char   *error;
    ngx_array_t  *args;

    if (ctx->facts->kind == CWMP_REQUEST || ctx->id.len == 0 || ctx->done) {
        return;
    }

    args = ngx_http_cwmp_call(ctx, ctx->request->pool,
                              ctx->auth ? "cwmp_broke_2" : "cwmp_broke_1");

    if (args
        && ngx_http_cwmp_arg(args, ctx->token.data, ctx->token.len) == NGX_OK
        && ngx_http_cwmp_arg(args, why, ngx_strlen(why)) == NGX_OK
        && (!ctx->auth || ngx_http_cwmp_auth_arg(ctx, args) == NGX_OK))
    {
        (void) ngx_cwmp_redis_send(ctx->conf->redis->client, args->elts,
                                   args->nelts, ngx_http_cwmp_not_awaited,
                                   NULL, &error);
    }
}


/*
 * A POST that proved its user, and of which Redis knows nothing: it was refused
 * for what it says, or came to no end.  Who has overheard it must not prove
 * himself with it, so that Redis is told before the CPE is.  It is the device's
 * that its user is: a session or an Inform of another one is what was refused.
 */

void
ngx_http_cwmp_spend(ngx_http_cwmp_ctx_t *ctx)
{
    u_char        id[CWMP_ID_MAX];
    ngx_str_t     user;
    cwmp_str_t    device, was = ctx->id;
    const char   *error;
    ngx_array_t  *args;

    if (!ctx->proven || ctx->spent || ctx->auth->digest.count == 0) {
        return;
    }

    ctx->spent = 1;

    ngx_http_cwmp_auth_who(ctx, &user, &device);

    ctx->id.data = id;
    ctx->id.len = cwmp_identity_of(&device, id);
    ctx->keys[0].len = 0;

    args = ctx->id.len ? ngx_http_cwmp_call(ctx, ctx->request->pool,
                                            "cwmp_spend_1")
                       : NULL;

    if (args && ngx_http_cwmp_auth_arg(ctx, args) == NGX_OK) {
        (void) ngx_cwmp_redis_send(ctx->conf->redis->client, args->elts,
                                   args->nelts, ngx_http_cwmp_not_awaited,
                                   NULL, &error);
    }

    ctx->id = was;                      /* for the access log */
    ctx->keys[0].len = 0;
}


static void
ngx_http_cwmp_not_awaited(void *data, redisReply *reply, const char *error)
{
    /* void */
}


void
ngx_http_cwmp_forget(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_uint_t  i;

    if (ctx->turn.timer_set) {
        ngx_del_timer(&ctx->turn);
    }

    if (ctx->step) {
        ngx_cwmp_redis_forget(ctx->step);
        ctx->step = NULL;
    }

    if (ctx->held) {
        ngx_http_cwmp_unhold(ctx);
    }

    for (i = 0; i < NGX_HTTP_CWMP_CHUNKS; i++) {
        if (ctx->chunks[i].cmd) {
            ngx_cwmp_redis_forget(ctx->chunks[i].cmd);
            ctx->chunks[i].cmd = NULL;
        }
    }
}


static void
ngx_http_cwmp_step_done(void *data, redisReply *reply, const char *error)
{
    ngx_http_cwmp_ctx_t  *ctx = data;

    ngx_msec_t         took;
    const ngx_str_t   *server;
    ngx_connection_t  *c;

    c = ctx->request->connection;
    server = ngx_cwmp_redis_server(ctx->step, reply);
    ctx->step = NULL;
    took = ngx_current_msec - ctx->redis_start;
    ctx->redis_time += took;

    ngx_http_cwmp_heard(ctx->conf->redis, server, reply, took);

    ngx_http_set_log_request(c->log, ctx->request);

    if (ngx_http_cwmp_check(ctx, reply, error) == NGX_OK) {
        ngx_http_cwmp_verb(ctx, reply);
    }

    ngx_http_run_posted_requests(c);
}


/*
 * An error says nothing of how fast it is, none in time that it is slow, and
 * a server that is not there nothing of those that are.
 */

static void
ngx_http_cwmp_heard(ngx_http_cwmp_redis_t *redis, const ngx_str_t *server,
    redisReply *reply, ngx_msec_t took)
{
    redis->heard = 0;

    if (reply && reply->type != REDIS_REPLY_ERROR) {
        redis->heard = ngx_current_msec;
        ngx_http_cwmp_overload_note(redis, server, took);

    } else if (reply == NULL && server) {
        ngx_http_cwmp_overload_note(redis, server,
                                    ngx_max(took, redis->pace.limit));
    }
}


static void
ngx_http_cwmp_chunk_done(void *data, redisReply *reply, const char *error)
{
    ngx_http_cwmp_chunk_t  *chunk = data;

    ngx_connection_t     *c;
    ngx_http_request_t   *r;
    ngx_http_cwmp_ctx_t  *ctx;

    ctx = chunk->ctx;
    r = ctx->request;
    c = r->connection;

    chunk->cmd = NULL;

    ngx_http_set_log_request(c->log, r);

    if (ngx_http_cwmp_check(ctx, reply, error) == NGX_OK) {

        if (reply->elements
            && ngx_strcmp(reply->element[0]->str, "more") != 0)
        {
            ngx_http_cwmp_verb(ctx, reply);

        } else if (ctx->waits) {
            ngx_http_cwmp_step(ctx);

        } else if (ctx->paused & NGX_HTTP_CWMP_FOR_REDIS) {
            ngx_http_cwmp_go_on(ctx, NGX_HTTP_CWMP_FOR_REDIS);
        }
    }

    ngx_http_run_posted_requests(c);
}


/* an answer of the function's form; else the POST is answered here */

static ngx_int_t
ngx_http_cwmp_check(ngx_http_cwmp_ctx_t *ctx, redisReply *reply,
    const char *error)
{
    ngx_log_t  *log;

    log = ctx->request->connection->log;

    if (reply && reply->type == REDIS_REPLY_ARRAY && reply->elements >= 2
        && reply->element[0]->type == REDIS_REPLY_STRING)
    {
        ngx_cwmp_log_notes(log, reply->element[1]);
        return NGX_OK;
    }

    if (reply && reply->type == REDIS_REPLY_STRING) {
        return NGX_OK;
    }

    if (reply == NULL) {
        ngx_log_error(NGX_LOG_ERR, log, 0, "session cannot go on: %s", error);

    } else if (reply->type == REDIS_REPLY_ERROR) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "session cannot go on, Redis answered: %s",
                      ngx_cwmp_plain_error(reply));

    } else {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "session cannot go on: Redis answered what is no verb; "
                      "is the function library of another program?");
    }

    ngx_http_cwmp_reply_away(ctx);
    return NGX_DONE;
}


static void
ngx_http_cwmp_verb(ngx_http_cwmp_ctx_t *ctx, redisReply *reply)
{
    size_t       i, n;
    const char  *verb;

    n = sizeof(ngx_http_cwmp_verbs) / sizeof(ngx_http_cwmp_verbs[0]);
    verb = reply->str ? reply->str : reply->element[0]->str;

    for (i = 0; i < n; i++) {

        /* what Redis says is believed where it fits what the CPE said only */

        if (ngx_strcmp(verb, ngx_http_cwmp_verbs[i].verb) != 0
            || (ngx_http_cwmp_verbs[i].request
                && (ctx->facts->kind != CWMP_REQUEST
                    || ngx_http_cwmp_verbs[i].inform
                       != ngx_http_cwmp_is_inform(ctx))))
        {
            continue;
        }

        ctx->spent = ngx_http_cwmp_verbs[i].spent;

        if (ngx_http_cwmp_verbs[i].taken) {
            ngx_http_cwmp_user_taken(ctx);
        }

        if (reply->str && ngx_http_cwmp_verbs[i].alone) {
            ngx_http_cwmp_verbs[i].alone(ctx);
            return;
        }

        if (!reply->str
            && reply->elements >= ngx_http_cwmp_verbs[i].elements)
        {
            ngx_http_cwmp_verbs[i].handler(ctx, reply);
            return;
        }
    }

    ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                  "session cannot go on: Redis answered \"%s\", which is no "
                  "answer to this POST", verb);

    ngx_http_cwmp_reply_away(ctx);
}


/* into the pool: a reply is gone when its handler returns */

ngx_int_t
ngx_http_cwmp_copy_reply(ngx_http_cwmp_ctx_t *ctx, redisReply *reply,
    size_t i, cwmp_str_t *to)
{
    u_char      *p;
    size_t       len;
    redisReply  *e;

    e = reply->element[i];
    len = (e->type == REDIS_REPLY_STRING) ? e->len : 0;

    p = ngx_pnalloc(ctx->request->pool, len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (len) {
        ngx_memcpy(p, e->str, len);
    }

    to->data = p;
    to->len = len;

    return NGX_OK;
}


/* how what follows is written; a library of functions that is older does not
   say */

static void
ngx_http_cwmp_style(ngx_http_cwmp_ctx_t *ctx, redisReply *reply, size_t i)
{
    cwmp_str_t  words;

    if (i < reply->elements
        && ngx_http_cwmp_copy_reply(ctx, reply, i, &words) == NGX_OK)
    {
        cwmp_style_read(&ctx->style, &words);
    }
}


/* the token is an older one's when the same Inform came a second time */

static void
ngx_http_cwmp_verb_inform(ngx_http_cwmp_ctx_t *ctx, redisReply *reply)
{
    if (ngx_http_cwmp_copy_reply(ctx, reply, 2, &ctx->token) != NGX_OK
        || ctx->token.len != CWMP_TOKEN_LEN)
    {
        ngx_http_cwmp_reply_error(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                  "no token");
        return;
    }

    if (reply->elements > 4) {
        ngx_http_cwmp_unknown_came(ctx);
    }

    ngx_http_cwmp_style(ctx, reply, 3);
    ngx_http_cwmp_reply_inform(ctx);
}


static void
ngx_http_cwmp_verb_answer(ngx_http_cwmp_ctx_t *ctx, redisReply *reply)
{
    ngx_http_cwmp_style(ctx, reply, 2);
    ngx_http_cwmp_reply_answer(ctx);
}


/* of a device in quarantine, which has no session: another user is not told that
   it is there */

static void
ngx_http_cwmp_verb_bare(ngx_http_cwmp_ctx_t *ctx, redisReply *reply)
{
    if (ctx->proven && !ngx_http_cwmp_is_of_user(ctx)) {
        ngx_http_cwmp_verb_unknown(ctx, reply);
        return;
    }

    ngx_http_cwmp_verb_answer(ctx, reply);
}


static void
ngx_http_cwmp_verb_end(ngx_http_cwmp_ctx_t *ctx, redisReply *reply)
{
    ngx_http_cwmp_end(ctx);
}


static void
ngx_http_cwmp_end(ngx_http_cwmp_ctx_t *ctx)
{
    ctx->conf->redis->pace.deferred += ctx->deferred;

    ngx_http_cwmp_reply_empty(ctx);
}


static void
ngx_http_cwmp_verb_unknown(ngx_http_cwmp_ctx_t *ctx, redisReply *reply)
{
    if (ctx->facts->kind == CWMP_EMPTY) {
        ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                      "empty POST of a session that is over: nothing to do");
        ngx_http_cwmp_reply_empty(ctx);
        return;
    }

    ctx->request->keepalive = 0;

    ngx_http_cwmp_reply_error(ctx, NGX_HTTP_BAD_REQUEST,
                              "the session is over, or another one has "
                              "replaced it: begin with an Inform");
}


/* one that informs without end; the log was told by Redis' note, once */

static void
ngx_http_cwmp_verb_later(ngx_http_cwmp_ctx_t *ctx, redisReply *reply)
{
    if (reply->elements > 2) {
        ngx_http_cwmp_unknown_refused(ctx, reply->element[2]->str);
    }

    ctx->request->keepalive = 0;

    ngx_http_cwmp_reply_error(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                              "too many sessions: try again later");
}


/* the CPE proves itself once more, and sends the same again */

static void
ngx_http_cwmp_verb_stale(ngx_http_cwmp_ctx_t *ctx, redisReply *reply)
{
    ngx_http_cwmp_count(ngx_http_get_module_main_conf(ctx->request,
                                                      ngx_http_cwmp_module),
                        NGX_HTTP_CWMP_COUNT_REPLAYED);
    ngx_http_cwmp_auth_refuse(ctx, 1);
}


/* on a connection that many share, it may be none of the user that was proven
   there: then it says so */

static void
ngx_http_cwmp_verb_denied(ngx_http_cwmp_ctx_t *ctx, redisReply *reply)
{
    if (reply->elements > 2) {
        ngx_http_cwmp_unknown_refused(ctx, reply->element[2]->str);
        ngx_http_cwmp_reply_denied(ctx);
        return;
    }

    if (ngx_http_cwmp_unproven(ctx)) {
        ngx_http_cwmp_auth_refuse(ctx, 0);
        return;
    }

    ngx_http_cwmp_other_session(ctx, &ctx->id);
}


/* the RPC is not sent; what is sent instead comes by another call */

void
ngx_http_cwmp_verdict(ngx_http_cwmp_ctx_t *ctx, const cwmp_str_t *id,
    const ngx_http_cwmp_verdict_t *verdict)
{
    ngx_array_t  *args;

    args = ngx_http_cwmp_call(ctx, ctx->request->pool,
                              ctx->auth ? "cwmp_step_3" : "cwmp_step_2");

    if (args
        && (ngx_http_cwmp_verdict_args(ctx, args, id, verdict) != NGX_OK
            || (ctx->auth && ngx_http_cwmp_arg(args, "", 0) != NGX_OK)))
    {
        args = NULL;
    }

    ctx->calls++;
    ctx->redis_start = ngx_current_msec;

    (void) ngx_http_cwmp_send(ctx, args, ngx_http_cwmp_step_done, ctx,
                              &ctx->step);
}
