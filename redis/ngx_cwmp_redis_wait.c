
/*
 * "wait=N": a write of which N replicas have to know before its sender goes
 * on.  Redis' WAIT asks for the writes of its own connection, and answers
 * nothing else on it meanwhile, so these writes have a client of their own
 * ("second"), with connections of its own, opened by the first of them.
 *
 *   the write                its reply: the hold is in "holds"
 *   WAIT N TIME              if none is under way
 *       its reply            is for all that are in "holds" by then: their
 *                            writes were answered before, so they came before
 *
 * What comes while a WAIT is under way is thereby answered, and waits, at
 * once.  Replication is one stream: with these writes, replicas have all that
 * their primary wrote before.  A WAIT ends with its connection: on another one
 * it would have nothing to wait for, and be content.
 */

#include "ngx_cwmp_redis_int.h"


static void ngx_cwmp_redis_held(void *data, redisReply *reply,
    const char *error);
static void ngx_cwmp_redis_wait_send(ngx_cwmp_redis_t *redis);
static void ngx_cwmp_redis_waited(void *data, redisReply *reply,
    const char *error);
static void ngx_cwmp_redis_let_go(ngx_cwmp_redis_t *redis, const char *error);
static ngx_msec_t ngx_cwmp_redis_wait_time(ngx_cwmp_redis_t *redis);


ngx_int_t
ngx_cwmp_redis_hold(ngx_cwmp_redis_t *redis, ngx_cwmp_redis_hold_t *hold,
    const ngx_str_t *argv, ngx_uint_t argc, const char **error)
{
    hold->cmd = ngx_cwmp_redis_send(redis->second, argv, argc,
                                    ngx_cwmp_redis_held, hold, error);

    return hold->cmd ? NGX_OK : NGX_ERROR;
}


void
ngx_cwmp_redis_unhold(ngx_cwmp_redis_hold_t *hold)
{
    if (hold->cmd) {
        ngx_cwmp_redis_forget(hold->cmd);
        hold->cmd = NULL;
        return;
    }

    ngx_queue_remove(&hold->queue);
}


/* written, in the primary of its key */

static void
ngx_cwmp_redis_held(void *data, redisReply *reply, const char *error)
{
    ngx_cwmp_redis_t       *redis;
    ngx_cwmp_redis_hold_t  *hold = data;

    redis = hold->cmd->redis;
    hold->cmd = NULL;

    if (reply && reply->type == REDIS_REPLY_ERROR) {
        error = reply->str;

    } else if (reply && reply->integer == 0) {
        error = "it is outstanding no more";
    }

    if (error) {
        hold->handler(hold->data, error);
        return;
    }

    ngx_queue_insert_tail(&redis->holds, &hold->queue);

    if (redis->wait == NULL) {
        ngx_cwmp_redis_wait_send(redis);
    }
}


static void
ngx_cwmp_redis_wait_send(ngx_cwmp_redis_t *redis)
{
    u_char       n[NGX_INT_T_LEN], ms[NGX_INT_T_LEN];
    ngx_str_t    argv[3];
    const char  *error;

    ngx_str_set(&argv[0], "WAIT");
    argv[1].data = n;
    argv[1].len = ngx_sprintf(n, "%ui", redis->conf->wait) - n;
    argv[2].data = ms;
    argv[2].len = ngx_sprintf(ms, "%M", ngx_cwmp_redis_wait_time(redis)) - ms;

    redis->wait = ngx_cwmp_redis_send(redis, argv, 3, ngx_cwmp_redis_waited,
                                      redis, &error);

    if (redis->wait == NULL) {
        ngx_cwmp_redis_let_go(redis, error);
    }
}


static void
ngx_cwmp_redis_waited(void *data, redisReply *reply, const char *error)
{
    u_char            *p, text[256];
    ngx_cwmp_redis_t  *redis = data;

    redis->wait = NULL;

    if (reply && reply->type == REDIS_REPLY_INTEGER) {

        if (reply->integer < (long long) redis->conf->wait) {
            p = ngx_snprintf(text, sizeof(text) - 1, "Redis at %V: %L of %ui "
                             "replicas confirmed it within %M ms: look at its "
                             "replicas, or lower wait= of cwmp_redis",
                             ngx_cwmp_redis_name(redis),
                             (int64_t) reply->integer, redis->conf->wait,
                             ngx_cwmp_redis_wait_time(redis));
            *p = '\0';
            error = (const char *) text;
        }

    } else if (reply) {
        p = ngx_snprintf(text, sizeof(text) - 1, "Redis at %V refused WAIT: "
                         "\"%s\"%s", ngx_cwmp_redis_name(redis),
                         reply->str ? reply->str : "",
                         ngx_cwmp_redis_says(reply, "NOPERM ")
                         ? " (allow \"+wait\" in its ACL)" : "");
        *p = '\0';
        error = (const char *) text;
    }

    ngx_cwmp_redis_let_go(redis, error);
}


/* a handler may hold anew: that is for the next WAIT */

static void
ngx_cwmp_redis_let_go(ngx_cwmp_redis_t *redis, const char *error)
{
    ngx_queue_t            *q, holds;
    ngx_cwmp_redis_hold_t  *hold;

    if (ngx_queue_empty(&redis->holds)) {
        return;
    }

    ngx_queue_init(&holds);
    ngx_queue_add(&holds, &redis->holds);
    ngx_queue_init(&redis->holds);

    while (!ngx_queue_empty(&holds)) {
        q = ngx_queue_head(&holds);
        ngx_queue_remove(q);
        hold = ngx_queue_data(q, ngx_cwmp_redis_hold_t, queue);

        hold->handler(hold->data, error);
    }
}


/* so that its answer comes before the connection is given up for lost */

static ngx_msec_t
ngx_cwmp_redis_wait_time(ngx_cwmp_redis_t *redis)
{
    return ngx_max(redis->conf->timeout / 2, 1);
}
