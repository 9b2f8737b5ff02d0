
/*
 * The connection's life; ngx_cwmp_redis_int.h has its states.
 *
 * It is opened by the first command (ngx_cwmp_redis_refuses()) or by the
 * backoff's timer, which may begin with a look-up of its name, is READY when
 * the handshake says so, and every failure, wherever seen, ends in
 * ngx_cwmp_redis_lost(): that closes, decides whether to reconnect at once or
 * to back off, and only then, as its last act, has the commands failed.
 *
 * The timers here, backoff and handshake, are cancelable: they alone must not
 * keep an exiting worker.
 *
 * This file knows no command: what becomes of those that were pending is
 * ngx_cwmp_redis.c's, what is said first ngx_cwmp_redis_handshake.c's.
 */

#include "ngx_cwmp_redis_int.h"


static const char *ngx_cwmp_redis_text(ngx_cwmp_redis_t *redis,
    const char *fmt, ...);
static ngx_int_t ngx_cwmp_redis_peer(ngx_cwmp_redis_t *redis);
static void ngx_cwmp_redis_keepalive(ngx_cwmp_redis_t *redis);
static void ngx_cwmp_redis_close(ngx_cwmp_redis_t *redis);
static void ngx_cwmp_redis_shout(ngx_cwmp_redis_t *redis, ngx_uint_t level);
static void ngx_cwmp_redis_looked_up(ngx_cwmp_redis_t *redis);
static void ngx_cwmp_redis_try(ngx_cwmp_redis_t *redis);


/* why a command is refused; NULL: it goes to the connection, or waits */

const char *
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
                                   "commands are pending",
                                   ngx_cwmp_redis_name(redis), redis->pending);
    }

    if (redis->down) {
        left = (ngx_msec_int_t) (redis->retry_at - ngx_current_msec);

        if (redis->state == NGX_CWMP_REDIS_CLOSED && left > 0
            && !redis->retry.timer_set && !ngx_exiting)
        {
            ngx_add_timer(&redis->retry, (ngx_msec_t) left);
        }

        if (ngx_cwmp_redis_patient(redis)
            && (redis->state != NGX_CWMP_REDIS_CLOSED
                || redis->retry.timer_set))
        {
            return NULL;
        }

        /* after a time without demand the first command is the probe */

        if (redis->state != NGX_CWMP_REDIS_CLOSED || redis->retry.timer_set
            || left > 0)
        {
            return ngx_cwmp_redis_text(redis, "Redis at %V is down: %s",
                                       ngx_cwmp_redis_blamed(redis),
                                       redis->why);
        }
    }

    if (redis->state == NGX_CWMP_REDIS_CLOSED
        && ngx_cwmp_redis_connect(redis) != NGX_OK)
    {
        ngx_cwmp_redis_down(redis);

        if (ngx_cwmp_redis_patient(redis) && redis->retry.timer_set) {
            return NULL;
        }

        return ngx_cwmp_redis_text(redis, "Redis at %V is down: %s",
                                   ngx_cwmp_redis_blamed(redis), redis->why);
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


ngx_int_t
ngx_cwmp_redis_connect(ngx_cwmp_redis_t *redis)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    if (redis->named.name.len && redis->state == NGX_CWMP_REDIS_CLOSED) {
        redis->state = NGX_CWMP_REDIS_RESOLVING;
        ngx_cwmp_redis_arm(redis);
        ngx_cwmp_redis_find(redis);
        return NGX_OK;
    }

    redis->reader = redisReaderCreate();
    if (redis->reader == NULL) {
        ngx_sprintf(redis->why, "no memory for a reader%Z");
        ngx_cwmp_redis_close(redis);
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

    if (!redis->connect.timer_set) {
        ngx_cwmp_redis_arm(redis);      /* unless it was for its name */
    }

    /* where connect() does not wait, TLS comes first all the same */

    if (rc == NGX_AGAIN || redis->conf->ssl) {
        redis->state = NGX_CWMP_REDIS_CONNECTING;

        if (rc == NGX_OK) {
            ngx_post_event(c->write, &ngx_posted_events);
        }

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

    pc->sockaddr = redis->addrs[redis->at].sockaddr;
    pc->socklen = redis->addrs[redis->at].socklen;
    pc->name = &redis->addrs[redis->at].name;
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


ngx_int_t
ngx_cwmp_redis_connected(ngx_cwmp_redis_t *redis)
{
    int                err;
    socklen_t          len;
    ngx_connection_t  *c = redis->peer.connection;
#if (NGX_SSL)
    ngx_int_t          rc;

    if (c->ssl) {
        return NGX_AGAIN;
    }
#endif

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

    ngx_cwmp_redis_keepalive(redis);

#if (NGX_SSL)
    if (redis->conf->ssl) {
        rc = ngx_cwmp_redis_tls(redis);
        if (rc != NGX_OK) {
            return rc;
        }
    }
#endif

    return ngx_cwmp_redis_talk(redis);
}


ngx_int_t
ngx_cwmp_redis_talk(ngx_cwmp_redis_t *redis)
{
    redis->state = NGX_CWMP_REDIS_HANDSHAKE;

    if (ngx_cwmp_redis_handshake(redis) != NGX_OK) {
        ngx_cwmp_redis_lost(redis, 0, "no memory for the handshake");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * A host that vanished says nothing, and the system asks after two hours.  Of
 * a connection in use timeout= tells sooner; one that is idle is asked for
 * here, lest the next CPE finds out, and lest a firewall forgets it.  Without
 * these it works as well: a failure is of no interest.
 */

static void
ngx_cwmp_redis_keepalive(ngx_cwmp_redis_t *redis)
{
#if (NGX_HAVE_KEEPALIVE_TUNABLE)
    int           value;
    ngx_uint_t    i;
    ngx_socket_t  fd = redis->peer.connection->fd;

    static const int  options[][2] = {
        { TCP_KEEPIDLE, NGX_CWMP_REDIS_KEEPIDLE },
        { TCP_KEEPINTVL, NGX_CWMP_REDIS_KEEPINTVL },
        { TCP_KEEPCNT, NGX_CWMP_REDIS_KEEPCNT }
    };

    if (redis->peer.sockaddr->sa_family == AF_UNIX) {
        return;
    }

    for (i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        value = options[i][1];
        (void) setsockopt(fd, IPPROTO_TCP, options[i][0], (void *) &value,
                          sizeof(int));
    }
#endif
}


/* the time in which the connection must become READY */

void
ngx_cwmp_redis_arm(ngx_cwmp_redis_t *redis)
{
    ngx_add_timer(&redis->connect, redis->conf->connect_timeout);
}


/* the handshake is done */

void
ngx_cwmp_redis_ready(ngx_cwmp_redis_t *redis)
{
    ngx_uint_t  level;

    level = redis->shouted ? NGX_LOG_WARN : NGX_LOG_NOTICE;

    if (!redis->established) {
        ngx_log_error(level, redis->parent, 0, "Redis at %V: connected",
                      ngx_cwmp_redis_name(redis));
    }

    if (redis->front) {
        redis->failures = 0;            /* nobody else's reply will come */
        redis->reconnected = 0;
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

    ngx_cwmp_redis_resume(redis);
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
    again = again && redis->established && !redis->reconnected
            && !redis->closing && !ngx_cwmp_redis_answered(redis);

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

        } else if (redis->pending == 0 && redis->front
                   && redis->conf->sentinel.len && !ngx_exiting)
        {
            ngx_add_timer(&redis->retry, NGX_CWMP_REDIS_BACKOFF);
        }

    } else {
        ngx_cwmp_redis_down(redis);
    }

    ngx_cwmp_redis_idle(redis);
    ngx_cwmp_redis_fail(redis, &failed, redis->why);
}


void
ngx_cwmp_redis_broken(ngx_cwmp_redis_t *redis, ngx_uint_t again,
    const char *call, ngx_err_t err)
{
    u_char  text[128];

    *ngx_strerror(err, text, sizeof(text) - 1) = '\0';

    /* with TLS 1.3 a client's certificate is looked at when it is served */

    ngx_cwmp_redis_lost(redis, again, "%s failed (%d: %s)%s", call, err, text,
                        redis->conf->ssl
                        && redis->state == NGX_CWMP_REDIS_HANDSHAKE
                        ? ": does Redis need a client's certificate, or not "
                          "accept this one (tls_cert=, tls_key=)?" : "");
}


static void
ngx_cwmp_redis_close(ngx_cwmp_redis_t *redis)
{
    ngx_pool_t        *pool;
    ngx_connection_t  *c = redis->peer.connection;

    if (redis->connect.timer_set) {
        ngx_del_timer(&redis->connect);
    }

    if (redis->closing && redis->retry.timer_set) {
        ngx_del_timer(&redis->retry);
    }

    if (redis->state == NGX_CWMP_REDIS_RESOLVING) {
        ngx_cwmp_redis_unresolve(redis);

        if (redis->connect.posted) {
            ngx_delete_posted_event(&redis->connect);
        }
    }

    if (c) {
#if (NGX_SSL)
        ngx_cwmp_redis_tls_close(c);
#endif
        pool = c->pool;
        ngx_close_connection(c);
        redis->peer.connection = NULL;

        if (pool) {
            ngx_destroy_pool(pool);
        }
    }

    if (redis->front && redis->set->meta) {
        ngx_cwmp_redis_forget(redis->set->meta);
        redis->set->meta = NULL;
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


void
ngx_cwmp_redis_down(ngx_cwmp_redis_t *redis)
{
    ngx_msec_t  delay;
    ngx_uint_t  rounds;

    delay = NGX_CWMP_REDIS_BACKOFF_MAX;

    rounds = redis->failures / redis->naddrs;

    if (rounds < NGX_CWMP_REDIS_DOUBLED) {
        delay = NGX_CWMP_REDIS_BACKOFF << rounds;
    }

    if ((redis->failures + 1) % redis->naddrs) {
        delay = 1;                          /* the next one is not tried yet */
    }

    /* workers and nodes must not come back in step */

    delay = delay / 2 + ngx_random() % (delay / 2 + 1);

    redis->failures++;
    redis->down = 1;
    redis->retry_at = ngx_current_msec + delay;

    if (ngx_cwmp_redis_wanted(redis)) {
        ngx_add_timer(&redis->retry, delay);
    }

    ngx_cwmp_redis_shout(redis, NGX_LOG_ERR);

    redis->at = (redis->at + 1) % redis->naddrs;

    if (redis->at == 0) {
        ngx_cwmp_redis_resolve(redis);
    }

    if (ngx_cwmp_redis_is_node(redis) && !redis->closing) {
        ngx_cwmp_redis_renew(redis->set);
    }
}


/* one line for each change, none for each failed attempt of the same kind */

static void
ngx_cwmp_redis_shout(ngx_cwmp_redis_t *redis, ngx_uint_t level)
{
    redis->blamed = redis->at;

    if (ngx_strcmp(redis->logged, redis->why) == 0) {
        return;
    }

    ngx_log_error(level, redis->parent, 0, "Redis at %V: lost: %s",
                  ngx_cwmp_redis_name(redis), redis->why);

    ngx_cpystrn(redis->logged, redis->why, sizeof(redis->logged));

    if (level == NGX_LOG_ERR) {
        redis->shouted = 1;
    }
}


void
ngx_cwmp_redis_connect_handler(ngx_event_t *ev)
{
    ngx_cwmp_redis_t  *redis = ev->data;

    if (redis->state == NGX_CWMP_REDIS_RESOLVING && redis->resolving == NULL) {
        ngx_cwmp_redis_looked_up(redis);
        return;
    }

    ngx_cwmp_redis_lost(redis, 0, redis->state == NGX_CWMP_REDIS_RESOLVING
                        ? "its name could not be resolved within %M ms"
                        : redis->state == NGX_CWMP_REDIS_CONNECTING
                        ? "no connection within %M ms"
                        : "no handshake within %M ms",
                        redis->conf->connect_timeout);
}


/* at last the connection, as long as the same timer lets it */

static void
ngx_cwmp_redis_looked_up(ngx_cwmp_redis_t *redis)
{
    if (redis->connect.posted) {
        ngx_delete_posted_event(&redis->connect);
    }

    if (redis->named.state) {
        ngx_cwmp_redis_lost(redis, 0, "its name could not be resolved (%i: %s)",
                            redis->named.state,
                            ngx_resolver_strerror(redis->named.state));
        return;
    }

    ngx_cwmp_redis_try(redis);
}


void
ngx_cwmp_redis_retry_handler(ngx_event_t *ev)
{
    ngx_cwmp_redis_t  *redis = ev->data;

    if (redis->front && redis->state == NGX_CWMP_REDIS_READY) {
        ngx_cwmp_redis_renew(redis->set);
        return;
    }

    if (redis->state != NGX_CWMP_REDIS_CLOSED
        || !ngx_cwmp_redis_wanted(redis))
    {
        return;
    }

    ngx_cwmp_redis_try(redis);
}


static void
ngx_cwmp_redis_try(ngx_cwmp_redis_t *redis)
{
    ngx_queue_t  failed;

    if (ngx_cwmp_redis_connect(redis) != NGX_OK) {
        ngx_queue_init(&failed);
        ngx_cwmp_redis_down(redis);
        ngx_cwmp_redis_detach(redis, 0, &failed);
        ngx_cwmp_redis_idle(redis);
        ngx_cwmp_redis_fail(redis, &failed, redis->why);
    }
}
