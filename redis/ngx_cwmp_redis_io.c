
/*
 * The connection's bytes: from the commands in line to the socket, and from
 * the socket through hiredis' reader to ngx_cwmp_redis_reply(), one reply at
 * a time.  A reply's handler may end the connection: "generation" tells, and
 * after that nothing of it is touched.
 *
 * This file decides nothing: neither what a reply means nor what follows from
 * a failure, which it hands to ngx_cwmp_redis_lost().
 */

#include "ngx_cwmp_redis_int.h"


static ngx_uint_t ngx_cwmp_redis_gather(ngx_cwmp_redis_t *redis,
    ngx_buf_t *bufs, ngx_chain_t *chain);
static void ngx_cwmp_redis_written(ngx_cwmp_redis_t *redis, ngx_buf_t *bufs,
    ngx_uint_t n);
static ngx_int_t ngx_cwmp_redis_feed(ngx_cwmp_redis_t *redis, size_t n);


void
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
        if (n == 0 && !c->buffered) {
            break;
        }

        rest = c->send_chain(c, n ? chain : NULL, 0);
        if (rest == NGX_CHAIN_ERROR) {
            ngx_cwmp_redis_broken(redis, 1, "send()", ngx_socket_errno);
            return;
        }

        ngx_cwmp_redis_written(redis, bufs, n);

        if (c->buffered) {
            break;                      /* by TLS, as long as it must wait */
        }
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

    if (n) {
        bufs[n - 1].flush = 1;          /* TLS gathers them in records */
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


void
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
