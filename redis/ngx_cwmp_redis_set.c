/*
 * Several connections as one client: the primaries of a Cluster, or the master
 * that Sentinels name.  ngx_cwmp_redis_int.h has the model.
 *
 * A command goes to the node of its key's slot; with Sentinel there is one
 * slot.  What a node cannot take comes back: MOVED and ASK name another node,
 * after TRYAGAIN, CLUSTERDOWN and the loss of a node the command waits at the
 * front and is tried again, within its deadline.  Then it fails, as any other.
 *
 * This file does not know how it is learnt who is where: ngx_cwmp_redis_map.c.
 */

#include "ngx_cwmp_redis_int.h"
#include "cwmp_keys.h"


#define NGX_CWMP_REDIS_MOVES  5     /* at once; then with pauses */
#define NGX_CWMP_REDIS_LEAST  100   /* ms for an answer */


static ngx_int_t ngx_cwmp_redis_place_of(ngx_cwmp_redis_set_t *set,
    ngx_addr_t *addr, u_char *host, size_t len, in_port_t port);
static ngx_cwmp_redis_t *ngx_cwmp_redis_joins(ngx_cwmp_redis_set_t *set,
    const ngx_addr_t *at, in_port_t port);
static void ngx_cwmp_redis_leaves(ngx_cwmp_redis_t *node, const char *why);
static ngx_uint_t ngx_cwmp_redis_tried(ngx_cwmp_redis_t *front,
    ngx_cwmp_redis_cmd_t *cmd);
static ngx_uint_t ngx_cwmp_redis_any(ngx_cwmp_redis_set_t *set);
static ngx_msec_int_t ngx_cwmp_redis_left(ngx_cwmp_redis_cmd_t *cmd);
static void ngx_cwmp_redis_wake(ngx_cwmp_redis_t *front, ngx_msec_t ms);
static ngx_uint_t ngx_cwmp_redis_sent_on(ngx_cwmp_redis_cmd_t *cmd,
    const redisReply *reply, ngx_uint_t asking);
static ngx_uint_t ngx_cwmp_redis_paused(ngx_cwmp_redis_cmd_t *cmd,
    const redisReply *reply);


ngx_int_t
ngx_cwmp_redis_set(ngx_cwmp_redis_t *front, ngx_cycle_t *cycle)
{
    ngx_cwmp_redis_set_t  *set;

    set = ngx_pcalloc(cycle->pool, sizeof(ngx_cwmp_redis_set_t));
    if (set == NULL) {
        return NGX_ERROR;
    }

    set->front = front;
    set->nslots = front->conf->cluster ? NGX_CWMP_REDIS_SLOTS : 1;

    set->slots = ngx_pcalloc(cycle->pool,
                             set->nslots * sizeof(ngx_cwmp_redis_slot_t));
    if (set->slots == NULL) {
        return NGX_ERROR;
    }

    ngx_queue_init(&set->nodes);

    front->front = 1;
    front->set = set;

    return NGX_OK;
}


ngx_cwmp_redis_t *
ngx_cwmp_redis_node(ngx_cwmp_redis_set_t *set, u_char *host, size_t len,
    in_port_t port)
{
    u_char             sockaddr[NGX_SOCKADDRLEN];
    u_char             text[NGX_CWMP_REDIS_HOST + sizeof(":65535")];
    ngx_str_t         *name;
    ngx_addr_t         addr;
    ngx_queue_t       *q;
    ngx_cwmp_redis_t  *node;

    addr.sockaddr = (struct sockaddr *) sockaddr;
    addr.name.data = text;

    if (ngx_cwmp_redis_place_of(set, &addr, host, len, port) != NGX_OK) {
        return NULL;
    }

    for (q = ngx_queue_head(&set->nodes);
         q != ngx_queue_sentinel(&set->nodes);
         q = ngx_queue_next(q))
    {
        node = ngx_queue_data(q, ngx_cwmp_redis_t, nodes);
        name = ngx_cwmp_redis_name(node);

        if (name->len == addr.name.len
            && ngx_memcmp(name->data, addr.name.data, name->len) == 0)
        {
            return node;
        }
    }

    return (set->nnodes < NGX_CWMP_REDIS_NODES)
           ? ngx_cwmp_redis_joins(set, &addr, port) : NULL;
}


/* one spelling of each; without a socklen where it is still to be resolved */

static ngx_int_t
ngx_cwmp_redis_place_of(ngx_cwmp_redis_set_t *set, ngx_addr_t *addr,
    u_char *host, size_t len, in_port_t port)
{
    if (ngx_cwmp_redis_literal(addr, host, len, port) == NGX_OK) {
        addr->name.len = ngx_sock_ntop(addr->sockaddr, addr->socklen,
                                       addr->name.data, NGX_SOCKADDR_STRLEN, 1);
        return NGX_OK;
    }

    if (len && host[len - 1] == '.') {
        len--;                          /* in no certificate */
    }

    if (!ngx_cwmp_redis_is_name(host, len)
        || !ngx_cwmp_redis_resolves(set->front->conf))
    {
        return NGX_DECLINED;
    }

    ngx_strlow(addr->name.data, host, len);
    addr->name.len = ngx_sprintf(addr->name.data + len, ":%d", (int) port)
                     - addr->name.data;
    addr->socklen = 0;

    return NGX_OK;
}


/* nodes are no cycle's memory: they come and go as long as a worker lives */

static ngx_cwmp_redis_t *
ngx_cwmp_redis_joins(ngx_cwmp_redis_set_t *set, const ngx_addr_t *at,
    in_port_t port)
{
    u_char            *last;
    ngx_addr_t        *addr;
    ngx_cwmp_redis_t  *node;

    node = ngx_calloc(sizeof(ngx_cwmp_redis_t) + sizeof(ngx_addr_t)
                      + NGX_SOCKADDRLEN + at->name.len, set->front->parent);
    if (node == NULL) {
        return NULL;
    }

    addr = (ngx_addr_t *) (node + 1);

    addr->sockaddr = (struct sockaddr *) (addr + 1);
    addr->socklen = at->socklen;
    ngx_memcpy(addr->sockaddr, at->sockaddr, at->socklen);

    addr->name.data = (u_char *) addr->sockaddr + NGX_SOCKADDRLEN;
    addr->name.len = at->name.len;
    ngx_memcpy(addr->name.data, at->name.data, at->name.len);

    if (at->socklen == 0) {
        last = addr->name.data + addr->name.len;
        node->named.name.data = addr->name.data;
        node->named.name.len = ngx_strlchr(addr->name.data, last, ':')
                               - addr->name.data;
        node->named.port = port;
    }

    ngx_cwmp_redis_init(node, set->front->conf, set->front->parent);

    node->addrs = addr;
    node->naddrs = 1;
    node->set = set;

    ngx_queue_insert_tail(&set->nodes, &node->nodes);
    set->nnodes++;

    return node;
}


ngx_int_t
ngx_cwmp_redis_literal(ngx_addr_t *addr, u_char *host, size_t len,
    in_port_t port)
{
    in_addr_t             inaddr;
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    ngx_memzero(addr->sockaddr, NGX_SOCKADDRLEN);

    inaddr = ngx_inet_addr(host, len);

    if (inaddr != INADDR_NONE) {
        sin = (struct sockaddr_in *) addr->sockaddr;
        sin->sin_family = AF_INET;
        sin->sin_addr.s_addr = inaddr;
        sin->sin_port = htons(port);
        addr->socklen = sizeof(struct sockaddr_in);
        return NGX_OK;
    }

#if (NGX_HAVE_INET6)
    sin6 = (struct sockaddr_in6 *) addr->sockaddr;

    if (ngx_inet6_addr(host, len, sin6->sin6_addr.s6_addr) == NGX_OK) {
        sin6->sin6_family = AF_INET6;
        sin6->sin6_port = htons(port);
        addr->socklen = sizeof(struct sockaddr_in6);
        return NGX_OK;
    }
#endif

    return NGX_DECLINED;
}


/* those leave that no slot has any more; one that is down of the others */

ngx_cwmp_redis_t *
ngx_cwmp_redis_unused(ngx_cwmp_redis_set_t *set)
{
    ngx_queue_t       *q, *next;
    ngx_cwmp_redis_t  *node, *down;

    down = NULL;

    for (q = ngx_queue_head(&set->nodes);
         q != ngx_queue_sentinel(&set->nodes);
         q = next)
    {
        next = ngx_queue_next(q);
        node = ngx_queue_data(q, ngx_cwmp_redis_t, nodes);

        if (node->used || node->pending) {
            down = (node->used && node->down) ? node : down;
            node->used = 0;
            continue;
        }

        ngx_cwmp_redis_leaves(node, "it has no slots any more");
    }

    return down;
}


void
ngx_cwmp_redis_disband(ngx_cwmp_redis_set_t *set)
{
    while (!ngx_queue_empty(&set->nodes)) {
        ngx_cwmp_redis_leaves(ngx_queue_data(ngx_queue_head(&set->nodes),
                                             ngx_cwmp_redis_t, nodes),
                              "nginx is shutting down");
    }

    ngx_memzero(set->slots, set->nslots * sizeof(ngx_cwmp_redis_slot_t));
}


static void
ngx_cwmp_redis_leaves(ngx_cwmp_redis_t *node, const char *why)
{
    ngx_queue_remove(&node->nodes);
    node->set->nnodes--;

    node->closing = 1;
    ngx_cwmp_redis_lost(node, 0, "%s", why);

    ngx_free(node);
}


/* a slot whose primary is there, for what has no key */

static ngx_uint_t
ngx_cwmp_redis_any(ngx_cwmp_redis_set_t *set)
{
    ngx_uint_t  slot;

    for (slot = 0; slot < set->nslots; slot++) {
        if (set->slots[slot].node
            && set->slots[slot].node->state == NGX_CWMP_REDIS_READY)
        {
            return slot;
        }
    }

    return 0;
}


ngx_cwmp_redis_t *
ngx_cwmp_redis_route(ngx_cwmp_redis_t *front, const ngx_str_t *argv,
    ngx_uint_t argc, ngx_uint_t *slot, const char **error)
{
    ngx_cwmp_redis_set_t   *set = front->set;
    ngx_cwmp_redis_slot_t  *s;

    *slot = (set->nslots > 1 && argc > 3)
            ? cwmp_slot(argv[3].data, argv[3].len)
            : ngx_cwmp_redis_any(set);

    s = &set->slots[*slot];

    if (front->closing || !set->known) {
        return front;
    }

    if (s->node == NULL || s->node->down) {
        ngx_cwmp_redis_renew(set);
    }

    if (s->node == NULL) {
        *error = "no primary of the Redis Cluster has the slot of this key";
        return NULL;
    }

    if (s->held == 0) {
        return s->node;
    }

    /* what waits there is not overtaken, nor joined where nobody is there */

    *error = s->node->down ? ngx_cwmp_redis_refuses(s->node) : NULL;

    return *error ? NULL : front;
}


ngx_uint_t
ngx_cwmp_redis_redirect(ngx_cwmp_redis_cmd_t *cmd, const redisReply *reply)
{
    ngx_cwmp_redis_set_t  *set = cmd->redis->set;

    if (cmd == set->meta || !set->front->conf->cluster) {
        return 0;
    }

    if (ngx_cwmp_redis_says(reply, "MOVED ")) {
        return ngx_cwmp_redis_sent_on(cmd, reply, 0);
    }

    if (ngx_cwmp_redis_says(reply, "ASK ")) {
        return ngx_cwmp_redis_sent_on(cmd, reply, 1);
    }

    if (ngx_cwmp_redis_says(reply, "TRYAGAIN ")) {
        return ngx_cwmp_redis_paused(cmd, reply);
    }

    if (ngx_cwmp_redis_says(reply, "CLUSTERDOWN ")) {
        ngx_cwmp_redis_renew(set);
        return ngx_cwmp_redis_paused(cmd, reply);
    }

    return 0;
}


/* "MOVED 3999 192.0.2.1:6381"; the address may be empty: the same host's */

static ngx_uint_t
ngx_cwmp_redis_sent_on(ngx_cwmp_redis_cmd_t *cmd, const redisReply *reply,
    ngx_uint_t asking)
{
    u_char                *p, *colon, *last;
    ngx_int_t              port;
    ngx_cwmp_redis_t      *node;
    ngx_cwmp_redis_set_t  *set = cmd->redis->set;

    last = (u_char *) reply->str + reply->len;
    p = ngx_strlchr((u_char *) reply->str + (asking ? 4 : 6), last, ' ');

    for (colon = last; p && colon > p && *colon != ':'; colon--) { /* void */ }

    if (p == NULL || colon == p) {
        return 0;
    }

    port = ngx_atoi(colon + 1, last - colon - 1);
    node = ngx_cwmp_redis_peer_of(cmd->redis, p + 1, colon - p - 1, port);

    if (node == NULL || node == cmd->redis) {
        ngx_cwmp_redis_renew(set);
        return ngx_cwmp_redis_paused(cmd, reply);
    }

    if (!asking) {
        set->slots[cmd->slot].node = node;
        ngx_cwmp_redis_renew(set);
    }

    if (++cmd->moves > NGX_CWMP_REDIS_MOVES
        || ngx_cwmp_redis_left(cmd) <= 0
        || ngx_cwmp_redis_refuses(node) != NULL)
    {
        return ngx_cwmp_redis_paused(cmd, reply);
    }

    cmd->asking = asking;
    ngx_cwmp_redis_give(cmd, node);

    return 1;
}


/* a host that is not named is the one of whom it was asked */

ngx_cwmp_redis_t *
ngx_cwmp_redis_peer_of(ngx_cwmp_redis_t *asked, u_char *host, size_t len,
    ngx_int_t port)
{
    u_char             text[NGX_SOCKADDR_STRLEN];
    ngx_addr_t        *addr;

    if (port < 1 || port > 65535) {
        return NULL;
    }

    if (len == 0 && asked->named.name.len) {
        host = asked->named.name.data;
        len = asked->named.name.len;

    } else if (len == 0) {
        addr = &asked->addrs[asked->at];
        host = text;
        len = ngx_sock_ntop(addr->sockaddr, addr->socklen, text, sizeof(text),
                            0);
    }

    return ngx_cwmp_redis_node(asked->set, host, len, (in_port_t) port);
}


static ngx_uint_t
ngx_cwmp_redis_paused(ngx_cwmp_redis_cmd_t *cmd, const redisReply *reply)
{
    ngx_cwmp_redis_set_t  *set = cmd->redis->set;

    *ngx_snprintf(set->why, sizeof(set->why) - 1, "Redis at %V says \"%s\"",
                  ngx_cwmp_redis_name(cmd->redis), reply->str) = '\0';

    ngx_cwmp_redis_later(cmd, NGX_CWMP_REDIS_PAUSE
                              << ngx_min(cmd->moves, NGX_CWMP_REDIS_PAUSES));
    cmd->moves++;

    return 1;
}


void
ngx_cwmp_redis_later(ngx_cwmp_redis_cmd_t *cmd, ngx_msec_t ms)
{
    ngx_cwmp_redis_t  *front = cmd->redis->set->front;

    cmd->at = ngx_current_msec + ms;
    cmd->asking = 0;

    ngx_cwmp_redis_give(cmd, front);

    if (!front->deadline.timer_set
        || (ngx_msec_int_t) (front->deadline.timer.key - cmd->at) > 0)
    {
        ngx_cwmp_redis_wake(front, ngx_max(ms, 1));
    }
}


/* ngx_add_timer() leaves a timer that is set when it differs by little */

static void
ngx_cwmp_redis_wake(ngx_cwmp_redis_t *front, ngx_msec_t ms)
{
    if (front->deadline.timer_set) {
        ngx_del_timer(&front->deadline);
    }

    ngx_add_timer(&front->deadline, ms);
}


/* what waits at the front is looked at, in order */

void
ngx_cwmp_redis_turn(ngx_cwmp_redis_t *front)
{
    ngx_queue_t             failed, *q, *next;
    ngx_msec_int_t          first, left;
    ngx_cwmp_redis_set_t   *set = front->set;
    ngx_cwmp_redis_cmd_t   *cmd;

    if (set->why[0] == '\0') {
        ngx_sprintf(set->why, "Redis did not say in time who is the primary%Z");
    }

    ngx_queue_init(&failed);
    first = front->conf->timeout;
    set->turn++;

    for (q = ngx_queue_head(&front->waiting);
         q != ngx_queue_sentinel(&front->waiting);
         q = next)
    {
        next = ngx_queue_next(q);
        cmd = ngx_cwmp_redis_cmd(q);

        left = ngx_cwmp_redis_left(cmd);

        if (left <= 0) {
            ngx_cwmp_redis_unlink(cmd);
            ngx_queue_insert_tail(&failed, q);
            continue;
        }

        if (ngx_cwmp_redis_tried(front, cmd)) {
            continue;
        }

        if ((ngx_msec_int_t) (cmd->at - ngx_current_msec) > 0) {
            left = ngx_min(left, (ngx_msec_int_t) (cmd->at - ngx_current_msec));
        }

        first = ngx_min(first, left);
    }

    if (front->pending) {
        ngx_cwmp_redis_wake(front, (ngx_msec_t) first);
    }

    ngx_cwmp_redis_idle(front);
    ngx_cwmp_redis_fail(front, &failed, set->why);
}


/*
 * ms in which another node may still answer.  One that gets a command with
 * next to no time left would be given up for lost when that is over.
 */

static ngx_msec_int_t
ngx_cwmp_redis_left(ngx_cwmp_redis_cmd_t *cmd)
{
    ngx_msec_t  least;

    least = ngx_min(cmd->redis->conf->timeout / 8, NGX_CWMP_REDIS_LEAST);

    return (ngx_msec_int_t) (cmd->deadline - least - ngx_current_msec);
}


/* 1: it is a node's now */

static ngx_uint_t
ngx_cwmp_redis_tried(ngx_cwmp_redis_t *front, ngx_cwmp_redis_cmd_t *cmd)
{
    const char             *error;
    ngx_cwmp_redis_set_t   *set = front->set;
    ngx_cwmp_redis_slot_t  *s = &set->slots[cmd->slot];

    if (!set->known || s->turn == set->turn
        || (ngx_msec_int_t) (cmd->at - ngx_current_msec) > 0)
    {
        s->turn = set->turn;
        return 0;
    }

    error = s->node ? ngx_cwmp_redis_refuses(s->node)
                    : "no primary of the Redis Cluster has the slot of this "
                      "key";

    if (error == NULL) {
        ngx_cwmp_redis_give(cmd, s->node);
        return 1;
    }

    ngx_cpystrn(set->why, (u_char *) error, sizeof(set->why));
    ngx_cwmp_redis_renew(set);

    s->turn = set->turn;
    cmd->at = ngx_current_msec + NGX_CWMP_REDIS_PAUSE;

    return 0;
}
