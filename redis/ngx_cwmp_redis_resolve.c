/*
 * A name in the place of an address.  One of the directive was resolved when
 * the configuration was read; when each address has failed once more, nginx'
 * resolver is asked again, where there is one, without anybody's waiting:
 * attempts go on meanwhile with what is known.  A name keeps as many places as
 * it had then.
 *
 * A node that Redis names has no address before, nor one that is kept: it is
 * looked up for each connection, which waits for that.  nginx' resolver
 * remembers it as long as it may be.
 */

#include "ngx_cwmp_redis_int.h"


static void ngx_cwmp_redis_resolve_next(ngx_cwmp_redis_t *redis);
static void ngx_cwmp_redis_resolved(ngx_resolver_ctx_t *ctx);
static void ngx_cwmp_redis_found(ngx_resolver_ctx_t *ctx);
static void ngx_cwmp_redis_place(ngx_addr_t *addr, ngx_resolver_addr_t *found,
    in_port_t port);


/* a worker's own addresses, each with room for another */

ngx_int_t
ngx_cwmp_redis_addresses(ngx_cwmp_redis_t *redis, ngx_cycle_t *cycle)
{
    u_char      *p;
    ngx_uint_t   i;
    ngx_addr_t  *addr = redis->conf->addrs.elts;

    redis->naddrs = redis->conf->addrs.nelts;

    redis->addrs = ngx_pcalloc(cycle->pool, redis->naddrs
                                            * (sizeof(ngx_addr_t)
                                               + NGX_SOCKADDRLEN));
    if (redis->addrs == NULL) {
        return NGX_ERROR;
    }

    p = (u_char *) (redis->addrs + redis->naddrs);

    for (i = 0; i < redis->naddrs; i++, p += NGX_SOCKADDRLEN) {
        redis->addrs[i] = addr[i];
        redis->addrs[i].sockaddr = (struct sockaddr *) p;
        ngx_memcpy(p, addr[i].sockaddr, addr[i].socklen);
    }

    return NGX_OK;
}


void
ngx_cwmp_redis_resolve(ngx_cwmp_redis_t *redis)
{
    if (redis->conf->resolver && !ngx_cwmp_redis_is_node(redis)
        && redis->resolving == NULL && !redis->closing && !ngx_exiting)
    {
        redis->host = 0;
        ngx_cwmp_redis_resolve_next(redis);
    }
}


static void
ngx_cwmp_redis_resolve_next(ngx_cwmp_redis_t *redis)
{
    ngx_resolver_ctx_t     *ctx;
    ngx_cwmp_redis_host_t  *host;

    if (redis->host >= redis->conf->hosts.nelts) {
        return;
    }

    ctx = ngx_resolve_start(redis->conf->resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        return;
    }

    host = redis->conf->hosts.elts;

    ctx->name = host[redis->host].name;
    ctx->handler = ngx_cwmp_redis_resolved;
    ctx->data = redis;
    ctx->timeout = redis->conf->resolver_timeout;
    ctx->cancelable = 1;

    redis->resolving = ctx;

    /* what it remembers comes at once */

    if (ngx_resolve_name(ctx) != NGX_OK) {
        redis->resolving = NULL;
    }
}


static void
ngx_cwmp_redis_resolved(ngx_resolver_ctx_t *ctx)
{
    ngx_uint_t              i;
    ngx_cwmp_redis_t       *redis = ctx->data;
    ngx_cwmp_redis_host_t  *host = redis->conf->hosts.elts;

    host += redis->host;

    if (ctx->state && ctx->state != host->state) {
        ngx_log_error(NGX_LOG_ERR, redis->parent, 0,
                      "Redis at %V: \"%V\" could not be resolved (%i: %s)",
                      ngx_cwmp_redis_name(redis), &host->name, ctx->state,
                      ngx_resolver_strerror(ctx->state));
    }

    host->state = ctx->state;

    for (i = 0; ctx->state == 0 && ctx->naddrs && i < host->n; i++) {
        ngx_cwmp_redis_place(&redis->addrs[host->first + i],
                             &ctx->addrs[i % ctx->naddrs], host->port);
    }

    ngx_resolve_name_done(ctx);

    redis->resolving = NULL;
    redis->host++;
    ngx_cwmp_redis_resolve_next(redis);
}


void
ngx_cwmp_redis_find(ngx_cwmp_redis_t *redis)
{
    ngx_resolver_ctx_t  *ctx;

    ctx = ngx_resolve_start(redis->conf->resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        goto failed;
    }

    ctx->name = redis->named.name;
    ctx->handler = ngx_cwmp_redis_found;
    ctx->data = redis;
    ctx->timeout = redis->conf->resolver_timeout;
    ctx->cancelable = 1;

    redis->resolving = ctx;

    if (ngx_resolve_name(ctx) == NGX_OK) {
        return;
    }

failed:

    redis->resolving = NULL;
    redis->named.state = NGX_ERROR;
    ngx_post_event(&redis->connect, &ngx_posted_events);
}


/*
 * It may be called by ngx_resolve_name() itself, or amid others that asked for
 * the same name: what follows is an event of its own.
 */

static void
ngx_cwmp_redis_found(ngx_resolver_ctx_t *ctx)
{
    ngx_cwmp_redis_t  *redis = ctx->data;

    redis->named.state = ctx->state;

    if (ctx->state == 0) {
        ngx_cwmp_redis_place(redis->addrs, ctx->addrs, redis->named.port);
    }

    ngx_resolve_name_done(ctx);
    redis->resolving = NULL;

    ngx_post_event(&redis->connect, &ngx_posted_events);
}


/* it goes into logs */

ngx_uint_t
ngx_cwmp_redis_is_name(const u_char *host, size_t len)
{
    u_char  c;
    size_t  i;

    if (len == 0 || len > NGX_CWMP_REDIS_HOST || host[0] == '.') {
        return 0;
    }

    for (i = 0; i < len; i++) {
        c = ngx_tolower(host[i]);

        if ((c < 'a' || c > 'z') && (c < '0' || c > '9')
            && c != '-' && c != '.' && c != '_')
        {
            return 0;
        }
    }

    return 1;
}


static void
ngx_cwmp_redis_place(ngx_addr_t *addr, ngx_resolver_addr_t *found,
    in_port_t port)
{
    ngx_memcpy(addr->sockaddr, found->sockaddr, found->socklen);
    addr->socklen = found->socklen;
    ngx_inet_set_port(addr->sockaddr, port);
}


void
ngx_cwmp_redis_unresolve(ngx_cwmp_redis_t *redis)
{
    if (redis->resolving) {
        ngx_resolve_name_done(redis->resolving);
        redis->resolving = NULL;
    }
}
