
/*
 * The client: what becomes of commands; ngx_cwmp_redis_int.h has the model.
 *
 * A command comes in by ngx_cwmp_redis_send(), or by ngx_cwmp_redis_ask()
 * when it is the handshake's, and ends in one of three ways: by its reply in
 * ngx_cwmp_redis_reply(), with its connection in ngx_cwmp_redis_detach() and
 * ngx_cwmp_redis_fail(), or unheard in ngx_cwmp_redis_forget().  Only the
 * first two call users' handlers, both from an event of nginx, and as their
 * last act: a handler may send and forget as it likes.
 *
 * The client is one connection; or, of a set, the front, which hands what it is
 * given to the nodes, each of them such a connection.
 *
 * An exiting worker stays as long as there are timers that are not
 * cancelable, so the deadline of the oldest pending command is one.
 *
 * This file knows neither what commands mean, nor what the handshake says,
 * nor how bytes and connections come and go.
 */

#include "ngx_cwmp_redis_int.h"


static ngx_cwmp_redis_t *ngx_cwmp_redis_client(ngx_cycle_t *cycle,
    ngx_cwmp_redis_conf_t *conf);
static ngx_int_t ngx_cwmp_redis_reload(ngx_cwmp_redis_t *redis,
    ngx_cwmp_redis_cmd_t *cmd);
static void ngx_cwmp_redis_stopped(ngx_cwmp_redis_t *redis,
    redisReply *reply);
static void ngx_cwmp_redis_deadline_handler(ngx_event_t *ev);
static void ngx_cwmp_redis_timer(ngx_cwmp_redis_t *redis, ngx_event_t *ev,
    ngx_event_handler_pt handler, ngx_uint_t cancelable);
static void ngx_cwmp_redis_cleanup(void *data);
static u_char *ngx_cwmp_redis_log_error(ngx_log_t *log, u_char *buf,
    size_t len);


ngx_cwmp_redis_t *
ngx_cwmp_redis_create(ngx_cycle_t *cycle, ngx_cwmp_redis_conf_t *conf)
{
    ngx_cwmp_redis_t  *redis;

    redis = ngx_cwmp_redis_client(cycle, conf);

    if (redis && conf->wait) {
        redis->second = ngx_cwmp_redis_client(cycle, conf);
        if (redis->second == NULL) {
            return NULL;
        }
    }

    return redis;
}


static ngx_cwmp_redis_t *
ngx_cwmp_redis_client(ngx_cycle_t *cycle, ngx_cwmp_redis_conf_t *conf)
{
    ngx_cwmp_redis_t    *redis;
    ngx_pool_cleanup_t  *cln;

    redis = ngx_pcalloc(cycle->pool, sizeof(ngx_cwmp_redis_t));
    if (redis == NULL) {
        return NULL;
    }

    /* where no exit_process comes first, as in a single process at reload */

    cln = ngx_pool_cleanup_add(cycle->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_cwmp_redis_cleanup;
    cln->data = redis;

    ngx_cwmp_redis_init(redis, conf, conf->log ? conf->log : cycle->log);

    if (ngx_cwmp_redis_addresses(redis, cycle) != NGX_OK) {
        return NULL;
    }

    if ((conf->cluster || conf->sentinel.len)
        && ngx_cwmp_redis_set(redis, cycle) != NGX_OK)
    {
        return NULL;
    }

    return redis;
}


void
ngx_cwmp_redis_init(ngx_cwmp_redis_t *redis, ngx_cwmp_redis_conf_t *conf,
    ngx_log_t *log)
{
    redis->fd = (ngx_socket_t) -1;
    redis->conf = conf;
    redis->parent = log;

    redis->log = *redis->parent;
    redis->log.handler = ngx_cwmp_redis_log_error;
    redis->log.data = redis;
    redis->log.action = NULL;

    ngx_queue_init(&redis->waiting);
    ngx_queue_init(&redis->line);
    ngx_queue_init(&redis->holds);
    redis->next = ngx_queue_sentinel(&redis->line);
    redis->near = ngx_queue_sentinel(&redis->waiting);

    ngx_cwmp_redis_timer(redis, &redis->deadline,
                         ngx_cwmp_redis_deadline_handler, 0);
    ngx_cwmp_redis_timer(redis, &redis->connect,
                         ngx_cwmp_redis_connect_handler, 1);
    ngx_cwmp_redis_timer(redis, &redis->retry,
                         ngx_cwmp_redis_retry_handler, 1);
}


void
ngx_cwmp_redis_destroy(ngx_cwmp_redis_t *redis)
{
    if (redis->second) {
        ngx_cwmp_redis_destroy(redis->second);
    }

    redis->closing = 1;
    ngx_cwmp_redis_unresolve(redis);

    if (redis->front) {
        ngx_cwmp_redis_disband(redis->set);
    }

    ngx_cwmp_redis_lost(redis, 0, "nginx is shutting down");
}


ngx_cwmp_redis_cmd_t *
ngx_cwmp_redis_send(ngx_cwmp_redis_t *redis, const ngx_str_t *argv,
    ngx_uint_t argc, ngx_cwmp_redis_pt handler, void *data,
    const char **error)
{
    uint64_t              *number;
    ngx_uint_t             slot;
    ngx_cwmp_redis_cmd_t  *cmd;

    slot = 0;
    number = &redis->sent;

    if (redis->front) {
        redis = ngx_cwmp_redis_route(redis, argv, argc, &slot, error);
        if (redis == NULL) {
            return NULL;
        }
    }

    redis->demand = ngx_current_msec;

    *error = ngx_cwmp_redis_refuses(redis);
    if (*error) {
        return NULL;
    }

    cmd = ngx_cwmp_redis_format(redis, argv, argc);
    if (cmd == NULL) {
        *error = "no memory for a command to Redis";
        return NULL;
    }

    cmd->handler = handler;
    cmd->data = data;
    cmd->number = (*number)++;
    cmd->slot = slot;
    cmd->deadline = ngx_current_msec + redis->conf->timeout;

    if (redis->pending == 0) {
        ngx_add_timer(&redis->deadline, redis->conf->timeout);

        if (redis->peer.connection) {
            redis->peer.connection->idle = 0;
        }

        if (redis->front) {
            redis->set->why[0] = '\0';      /* others' */
        }
    }

    redis->pending++;
    redis->bytes += cmd->len;

    /* the front's own connection is for its questions */

    if (redis->state == NGX_CWMP_REDIS_READY && !redis->front) {
        ngx_cwmp_redis_append(redis, cmd);

    } else {
        ngx_queue_insert_tail(&redis->waiting, &cmd->queue);
    }

    if (redis->front) {
        redis->set->slots[slot].held++;
    }

    return cmd;
}


void
ngx_cwmp_redis_forget(ngx_cwmp_redis_cmd_t *cmd)
{
    cmd->handler = NULL;
    cmd->forgotten = 1;

    if (cmd->ended || cmd->written) {
        return;
    }

    /* no byte of it is on its way, so no reply will be: Redis is spared it */

    ngx_cwmp_redis_unlink(cmd);
    ngx_cwmp_redis_idle(cmd->redis);
    ngx_free(cmd);
}


const ngx_str_t *
ngx_cwmp_redis_server(ngx_cwmp_redis_cmd_t *cmd, const redisReply *reply)
{
    if (reply) {
        return ngx_cwmp_redis_name(cmd->redis);
    }

    return cmd->redis->silent ? ngx_cwmp_redis_blamed(cmd->redis) : NULL;
}


/* a command of the handshake */

ngx_int_t
ngx_cwmp_redis_ask(ngx_cwmp_redis_t *redis, const ngx_str_t *argv,
    ngx_uint_t argc, ngx_cwmp_redis_pt handler)
{
    ngx_cwmp_redis_cmd_t  *cmd;

    cmd = ngx_cwmp_redis_format(redis, argv, argc);
    if (cmd == NULL) {
        return NGX_ERROR;
    }

    cmd->ours = 1;
    cmd->handler = handler;
    cmd->data = redis;
    cmd->deadline = ngx_current_msec + redis->conf->connect_timeout;

    ngx_cwmp_redis_append(redis, cmd);

    return NGX_OK;
}


void
ngx_cwmp_redis_reply(ngx_cwmp_redis_t *redis, redisReply *reply)
{
    const char            *hint;
    ngx_queue_t           *q;
    ngx_cwmp_redis_cmd_t  *cmd;

    q = ngx_queue_head(&redis->line);

    if (q == redis->next) {
        ngx_cwmp_redis_lost(redis, 1, "it said what nobody asked for: \"%s\"",
                            reply->str ? reply->str : "");
        return;
    }

    cmd = ngx_cwmp_redis_cmd(q);

    if (reply->type == REDIS_REPLY_ERROR) {
        ngx_cwmp_redis_fit(reply);
    }

    if (cmd->ours) {
        ngx_queue_remove(q);
        cmd->handler(cmd->data, reply, NULL);
        ngx_free(cmd);
        return;
    }

    if (redis->set && reply->type == REDIS_REPLY_ERROR && !cmd->forgotten
        && ngx_cwmp_redis_redirect(cmd, reply))
    {
        return;
    }

    hint = ngx_cwmp_redis_hopeless(redis, reply);
    if (hint) {
        ngx_cwmp_redis_lost(redis, 0, "it says \"%*s\"%s",
                            ngx_min(reply->len, 120), reply->str, hint);
        return;
    }

    if (ngx_cwmp_redis_missing(reply)
        && ngx_cwmp_redis_reload(redis, cmd) == NGX_OK)
    {
        return;
    }

    redis->failures = 0;
    redis->reconnected = 0;

    ngx_cwmp_redis_stopped(redis, reply);

    ngx_cwmp_redis_unlink(cmd);
    ngx_cwmp_redis_idle(redis);

    if (cmd->handler) {
        cmd->handler(cmd->data, reply, NULL);
    }

    ngx_free(cmd);
}


/*
 * An error goes into logs: it makes no line of its own there, and what it
 * quotes of a command may be a session's token.
 */

void
ngx_cwmp_redis_fit(redisReply *reply)
{
    char  *p;

    if (reply->str == NULL) {
        return;
    }

    p = ngx_strstr(reply->str, ", with args beginning with");

    if (p) {
        *p = '\0';
    }

    for (p = reply->str; *p; p++) {
        if ((u_char) *p < ' ') {
            *p = ' ';
        }
    }

    reply->len = p - reply->str;
}


/*
 * Somebody emptied Redis of functions: back to the handshake's end, and the
 * command is sent once more after it.  NGX_DECLINED: the error is the reply.
 */

static ngx_int_t
ngx_cwmp_redis_reload(ngx_cwmp_redis_t *redis, ngx_cwmp_redis_cmd_t *cmd)
{
    if (redis->conf->library.len == 0 || cmd->reloaded || cmd->forgotten) {
        return NGX_DECLINED;
    }

    if (redis->state == NGX_CWMP_REDIS_READY) {
        redis->state = NGX_CWMP_REDIS_HANDSHAKE;

        if (ngx_cwmp_redis_library(redis) != NGX_OK) {
            redis->state = NGX_CWMP_REDIS_READY;
            return NGX_DECLINED;
        }

        ngx_cwmp_redis_arm(redis);
    }

    cmd->reloaded = 1;
    ngx_cwmp_redis_remove(cmd);
    ngx_cwmp_redis_wait(redis, cmd);

    return NGX_OK;
}


/* a function is refused whole: nothing of it was done; said once in a while */

static void
ngx_cwmp_redis_stopped(ngx_cwmp_redis_t *redis, redisReply *reply)
{
    ngx_uint_t  i;

    static const struct {
        const char  *says;
        const char  *why;
    } stop[] = {
        { "OOM ", "its maxmemory is reached: raise it, or delete devices "
                  "(redis/cwmp-device delete)" },
        { "MISCONF ", "it cannot write to its disk: see its log, and make room "
                      "there" },
        { "NOREPLICAS ", "too few replicas follow it: start them, or lower its "
                         "min-replicas-to-write" }
    };

    for (i = 0; i < sizeof(stop) / sizeof(stop[0]); i++) {
        if (ngx_cwmp_redis_says(reply, stop[i].says)) {
            break;
        }
    }

    if (i == sizeof(stop) / sizeof(stop[0])
        || (redis->stop == stop[i].says
            && ngx_current_msec - redis->stop_at < NGX_CWMP_REDIS_STOP))
    {
        return;
    }

    redis->stop = stop[i].says;
    redis->stop_at = ngx_current_msec;

    ngx_log_error(NGX_LOG_ERR, redis->parent, 0,
                  "Redis at %V refuses what writes, CPEs get 503 and come "
                  "back, tasks are kept; %s", ngx_cwmp_redis_name(redis),
                  stop[i].why);
}


/* those that waited for READY are given to the connection */

void
ngx_cwmp_redis_resume(ngx_cwmp_redis_t *redis)
{
    ngx_queue_t           *q;
    ngx_cwmp_redis_cmd_t  *cmd;

    if (redis->front) {
        ngx_cwmp_redis_turn(redis);
        return;
    }

    while (!ngx_queue_empty(&redis->waiting)) {
        q = ngx_queue_head(&redis->waiting);
        cmd = ngx_cwmp_redis_cmd(q);
        ngx_cwmp_redis_remove(cmd);
        ngx_cwmp_redis_append(redis, cmd);
    }
}


/*
 * What becomes of the commands of a connection that is gone: with "again"
 * those wait for the next one that may be sent a second time, or that Redis
 * cannot have carried out, not having got them whole.  Those of a set's node
 * wait at the front, as long as they have time: another may take its place.
 */

void
ngx_cwmp_redis_detach(ngx_cwmp_redis_t *redis, ngx_uint_t again,
    ngx_queue_t *failed)
{
    ngx_uint_t             front;
    ngx_queue_t           *q;
    ngx_cwmp_redis_cmd_t  *cmd;

    front = ngx_cwmp_redis_is_node(redis) && !redis->closing;

    if (front) {
        *ngx_snprintf(redis->set->why, sizeof(redis->set->why) - 1,
                      "Redis at %V: %s", ngx_cwmp_redis_name(redis),
                      redis->why) = '\0';
    }

    if (redis->wait) {                  /* for what this connection wrote */
        ngx_cwmp_redis_unlink(redis->wait);
        ngx_queue_insert_tail(failed, &redis->wait->queue);
        redis->wait = NULL;
    }

    while (!ngx_queue_empty(&redis->line)) {
        q = ngx_queue_last(&redis->line);
        cmd = ngx_cwmp_redis_cmd(q);

        if (cmd->ours) {
            ngx_queue_remove(q);
            ngx_free(cmd);
            continue;
        }

        if (!(again || front) || cmd->forgotten || cmd->repeated
            || (front && (cmd == redis->set->meta
                          || (ngx_msec_int_t) (cmd->deadline
                                               - ngx_current_msec) <= 0)))
        {
            ngx_cwmp_redis_unlink(cmd);
            ngx_queue_insert_head(failed, q);
            continue;
        }

        cmd->repeated = (cmd->written != 0);

        if (front) {
            ngx_cwmp_redis_later(cmd, 0);
            continue;
        }

        ngx_cwmp_redis_remove(cmd);
        ngx_cwmp_redis_wait(redis, cmd);
    }

    redis->next = ngx_queue_sentinel(&redis->line);

    if (ngx_cwmp_redis_patient(redis) && (again || !redis->closing)) {
        return;         /* they do not wait for the front's own connection */
    }

    while ((front || !again) && !ngx_queue_empty(&redis->waiting)) {
        q = ngx_queue_head(&redis->waiting);

        if (front && ngx_cwmp_redis_cmd(q) != redis->set->meta) {
            ngx_cwmp_redis_later(ngx_cwmp_redis_cmd(q), 0);
            continue;
        }

        ngx_cwmp_redis_unlink(ngx_cwmp_redis_cmd(q));
        ngx_queue_insert_tail(failed, q);
    }
}


/* the list is the caller's own, so handlers may send and forget */

void
ngx_cwmp_redis_fail(ngx_cwmp_redis_t *redis, ngx_queue_t *failed,
    const u_char *why)
{
    u_char                 error[512];
    ngx_queue_t           *q;
    ngx_cwmp_redis_cmd_t  *cmd;

    if (redis->closing || why != redis->why) {
        ngx_sprintf(error, "%s%Z", why);            /* says it all */

    } else {
        *ngx_snprintf(error, sizeof(error) - 1, "Redis at %V: %s",
                      ngx_cwmp_redis_blamed(redis), why) = '\0';
    }

    while (!ngx_queue_empty(failed)) {
        q = ngx_queue_head(failed);
        ngx_queue_remove(q);
        cmd = ngx_cwmp_redis_cmd(q);

        if (cmd->handler) {
            cmd->handler(cmd->data, NULL, (const char *) error);
        }

        ngx_free(cmd);
    }
}


/* no pending command's deadline is before the one the timer was set for */

static void
ngx_cwmp_redis_deadline_handler(ngx_event_t *ev)
{
    ngx_uint_t         i;
    ngx_queue_t       *queues[2];
    ngx_msec_int_t     left, first;
    ngx_cwmp_redis_t  *redis = ev->data;

    if (redis->front) {
        ngx_cwmp_redis_turn(redis);
        return;
    }

    queues[0] = &redis->line;
    queues[1] = &redis->waiting;
    first = redis->conf->timeout;

    for (i = 0; i < 2; i++) {
        if (!ngx_queue_empty(queues[i])) {
            left = (ngx_msec_int_t)
                   (ngx_cwmp_redis_cmd(ngx_queue_head(queues[i]))->deadline
                    - ngx_current_msec);
            first = ngx_min(first, left);
        }
    }

    if (first > 0) {
        ngx_add_timer(ev, (ngx_msec_t) first);
        return;
    }

    redis->silent = (redis->state == NGX_CWMP_REDIS_READY);

    ngx_cwmp_redis_lost(redis, 0, "no answer within %M ms",
                        redis->conf->timeout);
    redis->silent = 0;
}


static void
ngx_cwmp_redis_timer(ngx_cwmp_redis_t *redis, ngx_event_t *ev,
    ngx_event_handler_pt handler, ngx_uint_t cancelable)
{
    ev->handler = handler;
    ev->data = redis;
    ev->log = &redis->log;
    ev->cancelable = cancelable;
}


static void
ngx_cwmp_redis_cleanup(void *data)
{
    ngx_cwmp_redis_destroy(data);
}


static u_char *
ngx_cwmp_redis_log_error(ngx_log_t *log, u_char *buf, size_t len)
{
    ngx_cwmp_redis_t  *redis = log->data;

    return ngx_snprintf(buf, len, ", redis: %V", ngx_cwmp_redis_name(redis));
}
