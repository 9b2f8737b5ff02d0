
/*
 * A command: its bytes, and which queue of which client it is in.  None of
 * these calls a handler.
 *
 * This file does not know why a command goes where it goes.
 */

#include "ngx_cwmp_redis_int.h"


#define NGX_CWMP_REDIS_HEAD  (sizeof("$\r\n") - 1 + NGX_SIZE_T_LEN)


static u_char *ngx_cwmp_redis_head(u_char *p, u_char kind, size_t n);
static void ngx_cwmp_redis_unasked(void *data, redisReply *reply,
    const char *error);


/* "$17\r\n"; thousands of them are in a long call, so no ngx_sprintf() */

static u_char *
ngx_cwmp_redis_head(u_char *p, u_char kind, size_t n)
{
    u_char  *q, digits[NGX_SIZE_T_LEN];

    q = digits + NGX_SIZE_T_LEN;

    do {
        *--q = (u_char) ('0' + n % 10);
        n /= 10;
    } while (n);

    *p++ = kind;

    while (q < digits + NGX_SIZE_T_LEN) {
        *p++ = *q++;
    }

    *p++ = '\r';
    *p++ = '\n';

    return p;
}


/* struct and RESP in one piece: nobody's pool outlives all of its uses */

ngx_cwmp_redis_cmd_t *
ngx_cwmp_redis_format(ngx_cwmp_redis_t *redis, const ngx_str_t *argv,
    ngx_uint_t argc)
{
    u_char                *p;
    size_t                 size;
    ngx_uint_t             i;
    ngx_cwmp_redis_cmd_t  *cmd;

    size = NGX_CWMP_REDIS_HEAD;

    for (i = 0; i < argc; i++) {
        size += NGX_CWMP_REDIS_HEAD + argv[i].len + 2;
    }

    cmd = ngx_alloc(offsetof(ngx_cwmp_redis_cmd_t, bytes) + size, &redis->log);
    if (cmd == NULL) {
        return NULL;
    }

    ngx_memzero(cmd, offsetof(ngx_cwmp_redis_cmd_t, bytes));
    cmd->redis = redis;

    p = ngx_cwmp_redis_head(cmd->bytes, '*', argc);

    for (i = 0; i < argc; i++) {
        p = ngx_cwmp_redis_head(p, '$', argv[i].len);
        p = ngx_cpymem(p, argv[i].data, argv[i].len);
        *p++ = '\r';
        *p++ = '\n';
    }

    cmd->len = p - cmd->bytes;

    return cmd;
}


/* a user's command leaves the client's queues and accounts */

void
ngx_cwmp_redis_unlink(ngx_cwmp_redis_cmd_t *cmd)
{
    ngx_cwmp_redis_t  *redis = cmd->redis;

    ngx_cwmp_redis_remove(cmd);
    cmd->ended = 1;

    redis->pending--;
    redis->bytes -= cmd->len;

    if (redis->front) {
        redis->set->slots[cmd->slot].held--;
    }
}


void
ngx_cwmp_redis_give(ngx_cwmp_redis_cmd_t *cmd, ngx_cwmp_redis_t *to)
{
    ngx_msec_int_t     left;
    ngx_cwmp_redis_t  *from = cmd->redis;

    ngx_cwmp_redis_unlink(cmd);
    ngx_cwmp_redis_idle(from);

    cmd->ended = 0;
    cmd->written = 0;
    cmd->redis = to;

    to->pending++;
    to->bytes += cmd->len;

    if (to->front) {
        to->set->slots[cmd->slot].held++;
        ngx_cwmp_redis_wait(to, cmd);
        return;
    }

    to->demand = ngx_current_msec;

    if (to->peer.connection) {
        to->peer.connection->idle = 0;
    }

    /* the first one's deadline is kept to, others may be late by this one's */

    if (!to->deadline.timer_set) {
        left = (ngx_msec_int_t) (cmd->deadline - ngx_current_msec);
        ngx_add_timer(&to->deadline, (ngx_msec_t) ngx_max(left, 1));
    }

    if (to->state == NGX_CWMP_REDIS_READY) {
        ngx_cwmp_redis_append(to, cmd);

    } else {
        ngx_cwmp_redis_wait(to, cmd);
    }
}


void
ngx_cwmp_redis_idle(ngx_cwmp_redis_t *redis)
{
    if (redis->pending) {
        return;
    }

    if (redis->deadline.timer_set) {
        ngx_del_timer(&redis->deadline);
    }

    if (redis->peer.connection) {
        redis->peer.connection->idle = 1;
    }
}


void
ngx_cwmp_redis_append(ngx_cwmp_redis_t *redis, ngx_cwmp_redis_cmd_t *cmd)
{
    ngx_queue_t       *q;
    ngx_connection_t  *c = redis->peer.connection;
    static ngx_str_t   asking = ngx_string("ASKING");

    if (cmd->asking) {
        /* without memory for it the command comes back, as MOVED */
        cmd->asking = 0;

        if (ngx_cwmp_redis_ask(redis, &asking, 1, ngx_cwmp_redis_unasked)
            == NGX_OK)
        {
            q = ngx_queue_last(&redis->line);
            ngx_cwmp_redis_cmd(q)->deadline = cmd->deadline;
        }
    }

    ngx_queue_insert_tail(&redis->line, &cmd->queue);

    if (redis->next == ngx_queue_sentinel(&redis->line)) {
        redis->next = &cmd->queue;
    }

    /* all commands of this turn of the event loop in one system call */

    if (redis->state != NGX_CWMP_REDIS_CONNECTING && c->write->ready) {
        ngx_post_event(c->write, &ngx_posted_events);
    }
}


static void
ngx_cwmp_redis_unasked(void *data, redisReply *reply, const char *error)
{
    /* void */
}


/*
 * Back to those that wait, in the order in which users sent them.  They come
 * back in runs, and there may be thousands: the place is looked for from the
 * last one's.
 */

void
ngx_cwmp_redis_wait(ngx_cwmp_redis_t *redis, ngx_cwmp_redis_cmd_t *cmd)
{
    ngx_queue_t  *q, *next, *end;

    cmd->written = 0;

    end = ngx_queue_sentinel(&redis->waiting);
    q = redis->near;

    while (q != end && ngx_cwmp_redis_cmd(q)->number > cmd->number) {
        q = ngx_queue_prev(q);
    }

    for (next = ngx_queue_next(q);
         next != end && ngx_cwmp_redis_cmd(next)->number < cmd->number;
         next = ngx_queue_next(q))
    {
        q = next;
    }

    ngx_queue_insert_after(q, &cmd->queue);
    redis->near = &cmd->queue;
}


/* out of the queue that it is in */

void
ngx_cwmp_redis_remove(ngx_cwmp_redis_cmd_t *cmd)
{
    ngx_cwmp_redis_t  *redis = cmd->redis;

    if (redis->next == &cmd->queue) {
        redis->next = ngx_queue_next(&cmd->queue);
    }

    if (redis->near == &cmd->queue) {
        redis->near = ngx_queue_prev(&cmd->queue);
    }

    ngx_queue_remove(&cmd->queue);
}
