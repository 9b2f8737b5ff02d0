
/*
 * The connection and its queues; ngx_cwmp_redis_int.h has the model.
 *
 * Everything ends in one of three ways in: ngx_cwmp_redis_send() puts a
 * command in a queue, ngx_cwmp_redis_reply() takes it off with its reply,
 * ngx_cwmp_redis_lost() with the connection.  Only the last two call users'
 * handlers, both from an event of nginx, and as their last act: a handler may
 * send and forget as it likes.
 *
 * Why timers are as they are: an exiting worker stays as long as there are
 * timers that are not cancelable.  So the deadline of the oldest pending
 * command is one, and backoff and handshake are none.
 *
 * This file knows neither what commands mean nor what the handshake says.
 */

#include "ngx_cwmp_redis_int.h"


static ngx_cwmp_redis_cmd_t *ngx_cwmp_redis_format(ngx_cwmp_redis_t *redis,
    const ngx_str_t *argv, ngx_uint_t argc);
static const char *ngx_cwmp_redis_refuses(ngx_cwmp_redis_t *redis);
static const char *ngx_cwmp_redis_text(ngx_cwmp_redis_t *redis,
    const char *fmt, ...);
static void ngx_cwmp_redis_unlink(ngx_cwmp_redis_cmd_t *cmd);
static void ngx_cwmp_redis_idle(ngx_cwmp_redis_t *redis);
static void ngx_cwmp_redis_append(ngx_cwmp_redis_t *redis,
    ngx_cwmp_redis_cmd_t *cmd);
static void ngx_cwmp_redis_wait(ngx_cwmp_redis_t *redis,
    ngx_cwmp_redis_cmd_t *cmd);

static ngx_int_t ngx_cwmp_redis_connect(ngx_cwmp_redis_t *redis);
static ngx_int_t ngx_cwmp_redis_peer(ngx_cwmp_redis_t *redis);
static ngx_int_t ngx_cwmp_redis_connected(ngx_cwmp_redis_t *redis);
static void ngx_cwmp_redis_arm(ngx_cwmp_redis_t *redis);
static void ngx_cwmp_redis_broken(ngx_cwmp_redis_t *redis, ngx_uint_t again,
    const char *call, ngx_err_t err);
static void ngx_cwmp_redis_close(ngx_cwmp_redis_t *redis);
static void ngx_cwmp_redis_detach(ngx_cwmp_redis_t *redis, ngx_uint_t again,
    ngx_queue_t *failed);
static void ngx_cwmp_redis_fail(ngx_cwmp_redis_t *redis, ngx_queue_t *failed);
static void ngx_cwmp_redis_down(ngx_cwmp_redis_t *redis);
static void ngx_cwmp_redis_shout(ngx_cwmp_redis_t *redis, ngx_uint_t level);

static void ngx_cwmp_redis_write_handler(ngx_event_t *wev);
static ngx_uint_t ngx_cwmp_redis_gather(ngx_cwmp_redis_t *redis,
    ngx_buf_t *bufs, ngx_chain_t *chain);
static void ngx_cwmp_redis_written(ngx_cwmp_redis_t *redis, ngx_buf_t *bufs,
    ngx_uint_t n);
static void ngx_cwmp_redis_read_handler(ngx_event_t *rev);
static ngx_int_t ngx_cwmp_redis_feed(ngx_cwmp_redis_t *redis, size_t n);
static void ngx_cwmp_redis_reply(ngx_cwmp_redis_t *redis, redisReply *reply);
static ngx_int_t ngx_cwmp_redis_reload(ngx_cwmp_redis_t *redis,
    ngx_cwmp_redis_cmd_t *cmd);

static void ngx_cwmp_redis_deadline_handler(ngx_event_t *ev);
static void ngx_cwmp_redis_connect_handler(ngx_event_t *ev);
static void ngx_cwmp_redis_retry_handler(ngx_event_t *ev);
static void ngx_cwmp_redis_timer(ngx_cwmp_redis_t *redis, ngx_event_t *ev,
    ngx_event_handler_pt handler, ngx_uint_t cancelable);
static void ngx_cwmp_redis_cleanup(void *data);
static u_char *ngx_cwmp_redis_log_error(ngx_log_t *log, u_char *buf,
    size_t len);


#define ngx_cwmp_redis_cmd(q)                                                 \
    (ngx_queue_data(q, ngx_cwmp_redis_cmd_t, queue))


ngx_cwmp_redis_t *
ngx_cwmp_redis_create(ngx_cycle_t *cycle, ngx_cwmp_redis_conf_t *conf)
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

    redis->fd = (ngx_socket_t) -1;
    redis->conf = conf;
    redis->parent = conf->log ? conf->log : cycle->log;

    redis->log = *redis->parent;
    redis->log.handler = ngx_cwmp_redis_log_error;
    redis->log.data = redis;
    redis->log.action = NULL;

    ngx_queue_init(&redis->waiting);
    ngx_queue_init(&redis->line);
    redis->next = ngx_queue_sentinel(&redis->line);

    ngx_cwmp_redis_timer(redis, &redis->deadline,
                         ngx_cwmp_redis_deadline_handler, 0);
    ngx_cwmp_redis_timer(redis, &redis->connect,
                         ngx_cwmp_redis_connect_handler, 1);
    ngx_cwmp_redis_timer(redis, &redis->retry,
                         ngx_cwmp_redis_retry_handler, 1);

    return redis;
}


void
ngx_cwmp_redis_destroy(ngx_cwmp_redis_t *redis)
{
    if (redis->closing && redis->peer.connection == NULL) {
        return;
    }

    redis->closing = 1;
    ngx_cwmp_redis_lost(redis, 0, "nginx is shutting down");
}


ngx_cwmp_redis_cmd_t *
ngx_cwmp_redis_send(ngx_cwmp_redis_t *redis, const ngx_str_t *argv,
    ngx_uint_t argc, ngx_uint_t flags, ngx_cwmp_redis_pt handler, void *data,
    const char **error)
{
    ngx_cwmp_redis_cmd_t  *cmd;

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
    cmd->once = (flags & NGX_CWMP_REDIS_ONCE) != 0;
    cmd->number = redis->sent++;
    cmd->deadline = ngx_current_msec + redis->conf->timeout;

    if (redis->pending == 0) {
        ngx_add_timer(&redis->deadline, redis->conf->timeout);
        redis->peer.connection->idle = 0;
    }

    redis->pending++;
    redis->bytes += cmd->len;

    if (redis->state == NGX_CWMP_REDIS_READY) {
        ngx_cwmp_redis_append(redis, cmd);

    } else {
        ngx_queue_insert_tail(&redis->waiting, &cmd->queue);
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


/* struct and RESP in one piece: nobody's pool outlives all of its uses */

static ngx_cwmp_redis_cmd_t *
ngx_cwmp_redis_format(ngx_cwmp_redis_t *redis, const ngx_str_t *argv,
    ngx_uint_t argc)
{
    u_char                *p;
    size_t                 size;
    ngx_uint_t             i;
    ngx_cwmp_redis_cmd_t  *cmd;

    size = sizeof("*\r\n") + NGX_INT_T_LEN;

    for (i = 0; i < argc; i++) {
        size += sizeof("$\r\n\r\n") + NGX_SIZE_T_LEN + argv[i].len;
    }

    cmd = ngx_alloc(offsetof(ngx_cwmp_redis_cmd_t, bytes) + size, &redis->log);
    if (cmd == NULL) {
        return NULL;
    }

    ngx_memzero(cmd, offsetof(ngx_cwmp_redis_cmd_t, bytes));
    cmd->redis = redis;

    p = ngx_sprintf(cmd->bytes, "*%ui\r\n", argc);

    for (i = 0; i < argc; i++) {
        p = ngx_sprintf(p, "$%uz\r\n", argv[i].len);
        p = ngx_cpymem(p, argv[i].data, argv[i].len);
        *p++ = '\r';
        *p++ = '\n';
    }

    cmd->len = p - cmd->bytes;

    return cmd;
}


/* why a command is refused; NULL: there is a connection for it */

static const char *
ngx_cwmp_redis_refuses(ngx_cwmp_redis_t *redis)
{
    ngx_msec_int_t  left;

    if (redis->closing) {
        return "nginx is shutting down";
    }

    if (redis->pending >= redis->conf->max_pending
        || redis->bytes >= NGX_CWMP_REDIS_BYTES)
    {
        return ngx_cwmp_redis_text(redis, "Redis at %V is too slow: %ui "
                                   "commands are pending", &redis->conf->name,
                                   redis->pending);
    }

    if (redis->down) {
        left = (ngx_msec_int_t) (redis->retry_at - ngx_current_msec);

        if (redis->peer.connection == NULL && left > 0
            && !redis->retry.timer_set && !ngx_exiting)
        {
            ngx_add_timer(&redis->retry, (ngx_msec_t) left);
        }

        /* after a time without demand the first command is the probe */

        if (redis->peer.connection || redis->retry.timer_set || left > 0) {
            return ngx_cwmp_redis_text(redis, "Redis at %V is down: %s",
                                       &redis->conf->name, redis->why);
        }
    }

    if (redis->peer.connection == NULL
        && ngx_cwmp_redis_connect(redis) != NGX_OK)
    {
        ngx_cwmp_redis_down(redis);
        return ngx_cwmp_redis_text(redis, "Redis at %V is down: %s",
                                   &redis->conf->name, redis->why);
    }

    return NULL;
}


static const char *
ngx_cwmp_redis_text(ngx_cwmp_redis_t *redis, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    va_start(args, fmt);
    p = ngx_vslprintf(redis->error, redis->error + sizeof(redis->error) - 1,
                      fmt, args);
    va_end(args);

    *p = '\0';

    return (const char *) redis->error;
}


/* a user's command leaves the client's queues and accounts */

static void
ngx_cwmp_redis_unlink(ngx_cwmp_redis_cmd_t *cmd)
{
    ngx_cwmp_redis_t  *redis = cmd->redis;

    if (redis->next == &cmd->queue) {
        redis->next = ngx_queue_next(&cmd->queue);
    }

    ngx_queue_remove(&cmd->queue);
    cmd->ended = 1;

    redis->pending--;
    redis->bytes -= cmd->len;
}


static void
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


static void
ngx_cwmp_redis_append(ngx_cwmp_redis_t *redis, ngx_cwmp_redis_cmd_t *cmd)
{
    ngx_connection_t  *c = redis->peer.connection;

    ngx_queue_insert_tail(&redis->line, &cmd->queue);

    if (redis->next == ngx_queue_sentinel(&redis->line)) {
        redis->next = &cmd->queue;
    }

    /* all commands of this turn of the event loop in one system call */

    if (redis->state != NGX_CWMP_REDIS_CONNECTING && c->write->ready) {
        ngx_post_event(c->write, &ngx_posted_events);
    }
}


/* back to those that wait, in the order in which users sent them */

static void
ngx_cwmp_redis_wait(ngx_cwmp_redis_t *redis, ngx_cwmp_redis_cmd_t *cmd)
{
    ngx_queue_t  *q;

    cmd->written = 0;

    for (q = ngx_queue_head(&redis->waiting);
         q != ngx_queue_sentinel(&redis->waiting);
         q = ngx_queue_next(q))
    {
        if (ngx_cwmp_redis_cmd(q)->number > cmd->number) {
            break;
        }
    }

    /* inserts before q, an nginx queue being a ring */

    ngx_queue_insert_tail(q, &cmd->queue);
}


static ngx_int_t
ngx_cwmp_redis_connect(ngx_cwmp_redis_t *redis)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    redis->reader = redisReaderCreate();
    if (redis->reader == NULL) {
        ngx_sprintf(redis->why, "no memory for a reader%Z");
        return NGX_ERROR;
    }

    ngx_cwmp_redis_reader_limit(redis->reader);
    redis->unparsed = 0;

    rc = ngx_cwmp_redis_peer(redis);
    if (rc == NGX_ERROR) {
        ngx_cwmp_redis_close(redis);
        return NGX_ERROR;
    }

    c = redis->peer.connection;
    c->data = redis;
    c->idle = (redis->pending == 0);
    c->read->handler = ngx_cwmp_redis_read_handler;
    c->write->handler = ngx_cwmp_redis_write_handler;
    redis->log.connection = c->number;

    ngx_cwmp_redis_arm(redis);

    if (rc == NGX_AGAIN) {
        redis->state = NGX_CWMP_REDIS_CONNECTING;
        return NGX_OK;
    }

    redis->state = NGX_CWMP_REDIS_HANDSHAKE;

    if (ngx_cwmp_redis_handshake(redis) != NGX_OK) {
        ngx_sprintf(redis->why, "no memory for the handshake%Z");
        ngx_cwmp_redis_close(redis);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * nginx logs each failed connect(); our own lines tell each change once, so
 * its are let through only where they are about us (no descriptors left).
 */

static ngx_int_t
ngx_cwmp_redis_peer(ngx_cwmp_redis_t *redis)
{
    u_char                 *p;
    ngx_int_t               rc;
    ngx_err_t               err;
    ngx_uint_t              level;
    ngx_peer_connection_t  *pc = &redis->peer;

    ngx_memzero(pc, sizeof(ngx_peer_connection_t));

    pc->sockaddr = redis->conf->addr.sockaddr;
    pc->socklen = redis->conf->addr.socklen;
    pc->name = &redis->conf->addr.name;
    pc->get = ngx_event_get_peer;
    pc->log = &redis->log;
    pc->log_error = NGX_ERROR_INFO;
    pc->so_keepalive = (pc->sockaddr->sa_family != AF_UNIX);

    level = redis->log.log_level;

    if (level < NGX_LOG_DEBUG) {
        redis->log.log_level = ngx_min(level, NGX_LOG_ALERT);
    }

    ngx_set_errno(0);
    rc = ngx_event_connect_peer(pc);
    err = ngx_errno;

    redis->log.log_level = level;

    if (rc == NGX_OK || rc == NGX_AGAIN) {
        return rc;
    }

    p = ngx_sprintf(redis->why, "connect() failed");

    if (err) {
        p = ngx_sprintf(p, " (%d: ", err);
        p = ngx_strerror(err, p, 128);
        *p++ = ')';
    }

    *p = '\0';

    return NGX_ERROR;
}


static ngx_int_t
ngx_cwmp_redis_connected(ngx_cwmp_redis_t *redis)
{
    int                err;
    socklen_t          len;
    ngx_connection_t  *c = redis->peer.connection;

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    if (err) {
        ngx_cwmp_redis_broken(redis, 0, "connect()", err);
        return NGX_ERROR;
    }

    if (ngx_tcp_nodelay(c) != NGX_OK) {
        ngx_cwmp_redis_broken(redis, 0, "TCP_NODELAY", ngx_socket_errno);
        return NGX_ERROR;
    }

    redis->state = NGX_CWMP_REDIS_HANDSHAKE;

    if (ngx_cwmp_redis_handshake(redis) != NGX_OK) {
        ngx_cwmp_redis_lost(redis, 0, "no memory for the handshake");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* the time in which the connection must become READY */

static void
ngx_cwmp_redis_arm(ngx_cwmp_redis_t *redis)
{
    ngx_add_timer(&redis->connect, redis->conf->connect_timeout);
}


/* the handshake is done */

void
ngx_cwmp_redis_ready(ngx_cwmp_redis_t *redis)
{
    ngx_uint_t             level;
    ngx_queue_t           *q;
    ngx_cwmp_redis_cmd_t  *cmd;

    level = redis->shouted ? NGX_LOG_WARN : NGX_LOG_NOTICE;

    if (!redis->established) {
        ngx_log_error(level, redis->parent, 0, "Redis at %V: connected",
                      &redis->conf->name);
    }

    redis->state = NGX_CWMP_REDIS_READY;
    redis->established = 1;
    redis->down = 0;
    redis->shouted = 0;
    redis->logged[0] = '\0';

    if (redis->connect.timer_set) {
        ngx_del_timer(&redis->connect);
    }

    if (redis->retry.timer_set) {
        ngx_del_timer(&redis->retry);
    }

    while (!ngx_queue_empty(&redis->waiting)) {
        q = ngx_queue_head(&redis->waiting);
        cmd = ngx_cwmp_redis_cmd(q);
        ngx_queue_remove(q);
        ngx_cwmp_redis_append(redis, cmd);
    }
}


void
ngx_cwmp_redis_lost(ngx_cwmp_redis_t *redis, ngx_uint_t again,
    const char *fmt, ...)
{
    u_char       *p, *last;
    va_list       args;
    ngx_uint_t    had;
    ngx_queue_t   failed;

    va_start(args, fmt);
    last = ngx_vslprintf(redis->why, redis->why + sizeof(redis->why) - 1, fmt,
                         args);
    va_end(args);
    *last = '\0';

    /* text of Redis must not make lines of its own in the log */

    for (p = redis->why; p < last; p++) {
        if (*p < ' ') {
            *p = ' ';
        }
    }

    had = redis->pending;
    again = again && redis->established && !redis->reconnected;

    ngx_queue_init(&failed);
    ngx_cwmp_redis_close(redis);
    ngx_cwmp_redis_detach(redis, again, &failed);

    if (redis->closing || (ngx_exiting && had == 0)) {
        /* nobody waits for it */

    } else if (again) {
        ngx_cwmp_redis_shout(redis, had ? NGX_LOG_ERR : NGX_LOG_NOTICE);
        redis->reconnected = (had != 0);

        if (redis->pending && ngx_cwmp_redis_connect(redis) != NGX_OK) {
            ngx_cwmp_redis_detach(redis, 0, &failed);
            ngx_cwmp_redis_down(redis);
        }

    } else {
        ngx_cwmp_redis_down(redis);
    }

    ngx_cwmp_redis_idle(redis);
    ngx_cwmp_redis_fail(redis, &failed);
}


static void
ngx_cwmp_redis_broken(ngx_cwmp_redis_t *redis, ngx_uint_t again,
    const char *call, ngx_err_t err)
{
    u_char  text[128];

    *ngx_strerror(err, text, sizeof(text) - 1) = '\0';

    ngx_cwmp_redis_lost(redis, again, "%s failed (%d: %s)", call, err, text);
}


static void
ngx_cwmp_redis_close(ngx_cwmp_redis_t *redis)
{
    ngx_connection_t  *c = redis->peer.connection;

    if (redis->connect.timer_set) {
        ngx_del_timer(&redis->connect);
    }

    if (redis->closing && redis->retry.timer_set) {
        ngx_del_timer(&redis->retry);
    }

    if (c) {
        ngx_close_connection(c);
        redis->peer.connection = NULL;
    }

    if (redis->reader) {
        redisReaderFree(redis->reader);
        redis->reader = NULL;
    }

    redis->log.connection = 0;
    redis->generation++;
    redis->established = 0;
    redis->state = NGX_CWMP_REDIS_CLOSED;
}


/*
 * What becomes of the commands of a connection that is gone: with "again"
 * those wait for the next one that may be sent a second time, or that Redis
 * cannot have carried out, not having got them whole.
 */

static void
ngx_cwmp_redis_detach(ngx_cwmp_redis_t *redis, ngx_uint_t again,
    ngx_queue_t *failed)
{
    ngx_queue_t           *q;
    ngx_cwmp_redis_cmd_t  *cmd;

    while (!ngx_queue_empty(&redis->line)) {
        q = ngx_queue_last(&redis->line);
        cmd = ngx_cwmp_redis_cmd(q);

        if (cmd->ours) {
            ngx_queue_remove(q);
            ngx_free(cmd);
            continue;
        }

        if (!again || cmd->forgotten || cmd->repeated
            || (cmd->once && cmd->written == cmd->len))
        {
            ngx_cwmp_redis_unlink(cmd);
            ngx_queue_insert_head(failed, q);
            continue;
        }

        cmd->repeated = (cmd->written != 0);
        ngx_queue_remove(q);
        ngx_cwmp_redis_wait(redis, cmd);
    }

    redis->next = ngx_queue_sentinel(&redis->line);

    while (!again && !ngx_queue_empty(&redis->waiting)) {
        q = ngx_queue_head(&redis->waiting);
        ngx_cwmp_redis_unlink(ngx_cwmp_redis_cmd(q));
        ngx_queue_insert_tail(failed, q);
    }
}


/* the list is the caller's own, so handlers may send and forget */

static void
ngx_cwmp_redis_fail(ngx_cwmp_redis_t *redis, ngx_queue_t *failed)
{
    u_char                 error[512];
    ngx_queue_t           *q;
    ngx_cwmp_redis_cmd_t  *cmd;

    if (redis->closing) {
        ngx_sprintf(error, "%s%Z", redis->why);     /* not Redis' fault */

    } else {
        *ngx_snprintf(error, sizeof(error) - 1, "Redis at %V: %s",
                      &redis->conf->name, redis->why) = '\0';
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


static void
ngx_cwmp_redis_down(ngx_cwmp_redis_t *redis)
{
    ngx_msec_t  delay;

    delay = NGX_CWMP_REDIS_BACKOFF_MAX;

    if (redis->failures < NGX_CWMP_REDIS_DOUBLED) {
        delay = NGX_CWMP_REDIS_BACKOFF << redis->failures;
    }

    /* workers and nodes must not come back in step */

    delay = delay / 2 + ngx_random() % (delay / 2 + 1);

    redis->failures++;
    redis->down = 1;
    redis->retry_at = ngx_current_msec + delay;

    if (!ngx_exiting
        && ngx_current_msec - redis->demand < NGX_CWMP_REDIS_RECENT)
    {
        ngx_add_timer(&redis->retry, delay);
    }

    ngx_cwmp_redis_shout(redis, NGX_LOG_ERR);
}


/* one line for each change, none for each failed attempt of the same kind */

static void
ngx_cwmp_redis_shout(ngx_cwmp_redis_t *redis, ngx_uint_t level)
{
    if (ngx_strcmp(redis->logged, redis->why) == 0) {
        return;
    }

    ngx_log_error(level, redis->parent, 0, "Redis at %V: lost: %s",
                  &redis->conf->name, redis->why);

    ngx_cpystrn(redis->logged, redis->why, sizeof(redis->logged));

    if (level == NGX_LOG_ERR) {
        redis->shouted = 1;
    }
}


static void
ngx_cwmp_redis_write_handler(ngx_event_t *wev)
{
    ngx_buf_t          bufs[NGX_CWMP_REDIS_IOVS];
    ngx_uint_t         n;
    ngx_chain_t        chain[NGX_CWMP_REDIS_IOVS], *rest;
    ngx_connection_t  *c = wev->data;
    ngx_cwmp_redis_t  *redis = c->data;

    if (redis->state == NGX_CWMP_REDIS_CONNECTING
        && ngx_cwmp_redis_connected(redis) != NGX_OK)
    {
        return;
    }

    for (rest = NULL; rest == NULL; /* void */ ) {

        n = ngx_cwmp_redis_gather(redis, bufs, chain);
        if (n == 0) {
            break;
        }

        rest = c->send_chain(c, chain, 0);
        if (rest == NGX_CHAIN_ERROR) {
            ngx_cwmp_redis_broken(redis, 1, "send()", ngx_socket_errno);
            return;
        }

        ngx_cwmp_redis_written(redis, bufs, n);
    }

    if (ngx_handle_write_event(wev, 0) != NGX_OK) {
        ngx_cwmp_redis_lost(redis, 0, "its socket could not be watched");
    }
}


static ngx_uint_t
ngx_cwmp_redis_gather(ngx_cwmp_redis_t *redis, ngx_buf_t *bufs,
    ngx_chain_t *chain)
{
    ngx_uint_t             n;
    ngx_queue_t           *q;
    ngx_cwmp_redis_cmd_t  *cmd;

    n = 0;

    for (q = redis->next;
         q != ngx_queue_sentinel(&redis->line) && n < NGX_CWMP_REDIS_IOVS;
         q = ngx_queue_next(q))
    {
        cmd = ngx_cwmp_redis_cmd(q);

        ngx_memzero(&bufs[n], sizeof(ngx_buf_t));
        bufs[n].memory = 1;
        bufs[n].pos = cmd->bytes + cmd->written;
        bufs[n].last = cmd->bytes + cmd->len;

        chain[n].buf = &bufs[n];
        chain[n].next = NULL;

        if (n) {
            chain[n - 1].next = &chain[n];
        }

        n++;
    }

    return n;
}


static void
ngx_cwmp_redis_written(ngx_cwmp_redis_t *redis, ngx_buf_t *bufs, ngx_uint_t n)
{
    ngx_uint_t             i;
    ngx_cwmp_redis_cmd_t  *cmd;

    for (i = 0; i < n; i++) {
        cmd = ngx_cwmp_redis_cmd(redis->next);
        cmd->written = bufs[i].pos - cmd->bytes;

        if (cmd->written != cmd->len) {
            return;
        }

        redis->next = ngx_queue_next(redis->next);
    }
}


static void
ngx_cwmp_redis_read_handler(ngx_event_t *rev)
{
    ssize_t            n;
    ngx_uint_t         i;
    ngx_connection_t  *c = rev->data;
    ngx_cwmp_redis_t  *redis = c->data;

    if (c->close) {
        /* idle when the worker begins to exit, or worker_shutdown_timeout */
        redis->closing = c->error;
        ngx_cwmp_redis_lost(redis, 1, "nginx is shutting down");
        return;
    }

    if (redis->state == NGX_CWMP_REDIS_CONNECTING
        && ngx_cwmp_redis_connected(redis) != NGX_OK)
    {
        return;
    }

    for (i = 0; i < NGX_CWMP_REDIS_RECVS; i++) {

        n = c->recv(c, redis->in, sizeof(redis->in));

        if (n == NGX_AGAIN) {
            if (ngx_handle_read_event(rev, 0) != NGX_OK) {
                ngx_cwmp_redis_lost(redis, 0, "its socket could not be "
                                    "watched");
            }

            return;
        }

        if (n == 0) {
            ngx_cwmp_redis_lost(redis, 1, "Redis closed the connection");
            return;
        }

        if (n == NGX_ERROR) {
            ngx_cwmp_redis_broken(redis, 1, "recv()", ngx_socket_errno);
            return;
        }

        if (ngx_cwmp_redis_feed(redis, n) != NGX_OK) {
            return;
        }
    }

    /* others are served before we read on */

    ngx_post_event(rev, &ngx_posted_next_events);
}


/* NGX_OK: the connection is still there */

static ngx_int_t
ngx_cwmp_redis_feed(ngx_cwmp_redis_t *redis, size_t n)
{
    void        *reply;
    ngx_uint_t   generation = redis->generation;

    redis->unparsed += n;

    if (redis->unparsed > NGX_CWMP_REDIS_REPLY) {
        ngx_cwmp_redis_lost(redis, 0, "a reply over %d bytes",
                            NGX_CWMP_REDIS_REPLY);
        return NGX_ERROR;
    }

    (void) redisReaderFeed(redis->reader, (char *) redis->in, n);

    for ( ;; ) {
        reply = NULL;

        if (redisReaderGetReply(redis->reader, &reply) != REDIS_OK) {
            ngx_cwmp_redis_lost(redis, 0, "bad reply: %s",
                                redis->reader->errstr);
            return NGX_ERROR;
        }

        if (reply == NULL) {
            break;
        }

        redis->unparsed = 0;

        ngx_cwmp_redis_reply(redis, reply);

        freeReplyObject(reply);

        if (redis->generation != generation) {
            return NGX_ERROR;
        }
    }

    if (ngx_exiting && redis->pending == 0) {
        ngx_cwmp_redis_lost(redis, 1, "nginx is shutting down");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
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

    if (cmd->ours) {
        ngx_queue_remove(q);
        cmd->handler(cmd->data, reply, NULL);
        ngx_free(cmd);
        return;
    }

    hint = ngx_cwmp_redis_hopeless(reply);
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

    ngx_cwmp_redis_unlink(cmd);
    ngx_cwmp_redis_idle(redis);

    if (cmd->handler) {
        cmd->handler(cmd->data, reply, NULL);
    }

    ngx_free(cmd);
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
    ngx_queue_remove(&cmd->queue);
    ngx_cwmp_redis_wait(redis, cmd);

    return NGX_OK;
}


/* no pending command's deadline is before the one the timer was set for */

static void
ngx_cwmp_redis_deadline_handler(ngx_event_t *ev)
{
    ngx_uint_t         i;
    ngx_queue_t       *queues[2];
    ngx_msec_int_t     left, first;
    ngx_cwmp_redis_t  *redis = ev->data;

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

    ngx_cwmp_redis_lost(redis, 0, "no answer within %M ms",
                        redis->conf->timeout);
}


static void
ngx_cwmp_redis_connect_handler(ngx_event_t *ev)
{
    ngx_cwmp_redis_t  *redis = ev->data;

    ngx_cwmp_redis_lost(redis, 0, redis->state == NGX_CWMP_REDIS_CONNECTING
                        ? "no connection within %M ms"
                        : "no handshake within %M ms",
                        redis->conf->connect_timeout);
}


static void
ngx_cwmp_redis_retry_handler(ngx_event_t *ev)
{
    ngx_cwmp_redis_t  *redis = ev->data;

    if (ngx_exiting || redis->peer.connection
        || ngx_current_msec - redis->demand >= NGX_CWMP_REDIS_RECENT)
    {
        return;
    }

    if (ngx_cwmp_redis_connect(redis) != NGX_OK) {
        ngx_cwmp_redis_down(redis);
    }
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

    return ngx_snprintf(buf, len, ", redis: %V", &redis->conf->name);
}
