
/*
 * Private to redis/: what the parts of the client know of each other.
 *
 *   ngx_cwmp_redis.c              the client: what becomes of commands
 *   ngx_cwmp_redis_cmd.c          a command, and which queue it is in
 *   ngx_cwmp_redis_connection.c   to be READY, and what if it is not
 *   ngx_cwmp_redis_io.c           bytes out and in
 *   ngx_cwmp_redis_handshake.c    what is said first
 *   ngx_cwmp_redis_tls.c          what goes before that, with "tls"
 *   ngx_cwmp_redis_resolve.c      names for addresses
 *   ngx_cwmp_redis_set.c          several connections, of Cluster or Sentinel
 *   ngx_cwmp_redis_map.c          what these say about who is where
 *   ngx_cwmp_redis_wait.c         writes that replicas have to confirm
 *
 * A connection:
 *
 *   CLOSED --> RESOLVING --> CONNECTING --> HANDSHAKE <--> READY
 *
 * and back to CLOSED from everywhere; RESOLVING is of nodes that are known by
 * name, and has no nginx connection yet.  READY goes back to HANDSHAKE when the
 * function library was found missing.  "down" is set from a failure until the
 * next READY: commands are refused meanwhile, but for those of a set's front,
 * which do not need its own connection (ngx_cwmp_redis_patient()).
 *
 * A command is in one of two queues, both in the order of sending:
 *
 *   waiting   for a connection that is READY
 *   line      given to this connection; "next" is the first of them that is
 *             not written in full, those before it await their reply
 *
 * Of the handshake's own commands ("ours") none ever waits: they go to the
 * end of the line, where no user's command follows them until READY.
 */

#ifndef NGX_CWMP_REDIS_INT_H
#define NGX_CWMP_REDIS_INT_H

#include "ngx_cwmp_redis.h"
#include <ngx_event_connect.h>


#define NGX_CWMP_REDIS_BYTES       (64 * 1024 * 1024)   /* of all pending */
#define NGX_CWMP_REDIS_REPLY       (64 * 1024 * 1024)   /* of one reply */
#define NGX_CWMP_REDIS_ELEMENTS    (1024 * 1024)        /* of one array */
#define NGX_CWMP_REDIS_RECV        16384
#define NGX_CWMP_REDIS_PREFIX      32
#define NGX_CWMP_REDIS_RECVS       16           /* in one turn of the loop */
#define NGX_CWMP_REDIS_IOVS        64
#define NGX_CWMP_REDIS_BACKOFF     100          /* ms, */
#define NGX_CWMP_REDIS_DOUBLED     6            /* so often, then */
#define NGX_CWMP_REDIS_BACKOFF_MAX 5000
#define NGX_CWMP_REDIS_KEEPIDLE    30           /* s, then every */
#define NGX_CWMP_REDIS_KEEPINTVL   5            /* s, so often: */
#define NGX_CWMP_REDIS_KEEPCNT     3
#define NGX_CWMP_REDIS_RECENT      60000        /* reconnect for demand of */
#define NGX_CWMP_REDIS_STOP        60000        /* ms between two lines of it */
#define NGX_CWMP_REDIS_SLOTS       16384        /* of a Cluster */
#define NGX_CWMP_REDIS_NODES       1024         /* of a Cluster, at most */
#define NGX_CWMP_REDIS_HOST        255          /* of a name */
#define NGX_CWMP_REDIS_ASK         100          /* ms between questions */
#define NGX_CWMP_REDIS_PAUSE       25           /* ms, doubled each time, */
#define NGX_CWMP_REDIS_PAUSES      4            /* so often */


/* the only thing that differs between hiredis 0.14 and 1.x for us */

#ifdef REDIS_READER_MAX_ARRAY_ELEMENTS
#define ngx_cwmp_redis_reader_limit(r)                                        \
    (r)->maxelements = NGX_CWMP_REDIS_ELEMENTS
#else
#define ngx_cwmp_redis_reader_limit(r)
#endif


typedef enum {
    NGX_CWMP_REDIS_CLOSED = 0,
    NGX_CWMP_REDIS_RESOLVING,
    NGX_CWMP_REDIS_CONNECTING,
    NGX_CWMP_REDIS_HANDSHAKE,
    NGX_CWMP_REDIS_READY
} ngx_cwmp_redis_state_e;


typedef struct ngx_cwmp_redis_set_s  ngx_cwmp_redis_set_t;

typedef struct {
    ngx_str_t                name;
    in_port_t                port;
    ngx_uint_t               first;         /* of its addresses, */
    ngx_uint_t               n;             /* so many */
    ngx_int_t                state;         /* of its last look-up */
} ngx_cwmp_redis_host_t;


struct ngx_cwmp_redis_cmd_s {
    ngx_queue_t              queue;
    ngx_cwmp_redis_t        *redis;
    ngx_cwmp_redis_pt        handler;
    void                    *data;

    uint64_t                 number;        /* order among users' commands */
    ngx_msec_t               deadline;      /* of the first send */
    size_t                   len;
    size_t                   written;       /* to this connection */
    ngx_msec_t               at;            /* not before, at the front */
    ngx_uint_t               slot;
    ngx_uint_t               moves;         /* sent on so often */

    unsigned                 ours:1;        /* of the handshake */
    unsigned                 repeated:1;    /* connection lost once already */
    unsigned                 reloaded:1;    /* library missing once already */
    unsigned                 forgotten:1;
    unsigned                 asking:1;      /* ASKING goes before it */
    unsigned                 ended:1;       /* in no queue of the client */

    u_char                   bytes[1];      /* RESP, len of them */
};


struct ngx_cwmp_redis_s {
    /* as in ngx_connection_t: debug logs of timers read an fd from here */
    void                    *dummy[3];
    ngx_socket_t             fd;

    ngx_cwmp_redis_conf_t   *conf;
    ngx_addr_t              *addrs;         /* one after the other is tried */
    ngx_uint_t               naddrs;
    ngx_uint_t               at;            /* this one now */
    ngx_resolver_ctx_t      *resolving;     /* this name: */
    ngx_uint_t               host;
    ngx_cwmp_redis_host_t    named;         /* of a node without an address */
    ngx_cwmp_redis_set_t    *set;           /* that it is of, or NULL */
    ngx_cwmp_redis_t        *second;        /* for "wait=", or NULL */
    ngx_queue_t              holds;         /* of it: for what wait is */
    ngx_cwmp_redis_cmd_t    *wait;          /* under way, or NULL */
    ngx_queue_t              nodes;         /* link in the set's nodes */
    ngx_log_t               *parent;        /* our own lines */
    ngx_log_t                log;           /* nginx' lines, with our name */

    ngx_peer_connection_t    peer;
    ngx_uint_t               generation;    /* of the connection */
    ngx_cwmp_redis_state_e   state;
    redisReader             *reader;
    size_t                   unparsed;      /* bytes since the last reply */

    ngx_queue_t              waiting;
    ngx_queue_t              line;
    ngx_queue_t             *next;          /* in line, or its sentinel */
    ngx_queue_t             *near;          /* of waiting: the last put back */
    ngx_uint_t               pending;       /* users' commands */
    size_t                   bytes;         /* of these */
    uint64_t                 sent;          /* of these, ever */

    ngx_event_t              deadline;      /* keeps an exiting worker */
    ngx_event_t              connect;       /* connection and handshake */
    ngx_event_t              retry;         /* backoff */

    ngx_uint_t               failures;      /* since the last good reply */
    ngx_msec_t               retry_at;
    ngx_msec_t               demand;        /* the last send */
    ngx_uint_t               loads;         /* of the library, this time */
    const char              *stop;          /* the last refusal to write */
    ngx_msec_t               stop_at;       /* that was told of, then */

    unsigned                 established:1; /* was READY */
    unsigned                 reconnected:1; /* and no good reply since */
    unsigned                 down:1;
    unsigned                 shouted:1;     /* its loss is in the log */
    unsigned                 closing:1;
    unsigned                 silent:1;      /* it is lost for that */
    unsigned                 front:1;       /* of the set */
    unsigned                 used:1;        /* the map names it */

    ngx_uint_t               blamed;        /* the address that is not there, */
    u_char                   why[256];      /* and why */
    u_char                   logged[256];   /* the last why in the log */
    u_char                   error[512];    /* for who is refused */
    u_char                   in[NGX_CWMP_REDIS_RECV];
};


/*
 * Connections to the primaries ("nodes"), and one, the "front", to whom it may
 * be that knows them: a seed of the Cluster, or a Sentinel.  The front is what
 * the caller has.  Commands wait there, in its queue "waiting", while nobody
 * is known, and those that a node could not take and that have time left; in
 * a slot where one waits all later ones do.  Their order is kept as far as that
 * goes: one that comes back is overtaken by those that were sent already.
 */

typedef struct {
    ngx_cwmp_redis_t        *node;          /* NULL: nobody */
    ngx_uint_t               held;          /* commands at the front */
    ngx_uint_t               turn;          /* one of them stays in this turn */
} ngx_cwmp_redis_slot_t;


struct ngx_cwmp_redis_set_s {
    ngx_cwmp_redis_t        *front;
    ngx_queue_t              nodes;
    ngx_uint_t               nnodes;
    ngx_cwmp_redis_slot_t   *slots;
    ngx_uint_t               nslots;        /* with Sentinel: 1 */
    ngx_uint_t               turn;
    ngx_uint_t               vain;          /* answers in succession */
    ngx_msec_t               asked;         /* the last question */
    ngx_cwmp_redis_cmd_t    *meta;
    unsigned                 known:1;       /* who is where; once, for ever */
    unsigned                 unnamed:1;     /* not each node has an address */
    u_char                   why[256];      /* a command waits */
};


#define ngx_cwmp_redis_name(redis)  (&(redis)->addrs[(redis)->at].name)

/* "at" may be another's by now */

#define ngx_cwmp_redis_blamed(redis)                                          \
    (&(redis)->addrs[(redis)->blamed].name)

#define ngx_cwmp_redis_is_node(redis)  ((redis)->set && !(redis)->front)

/* nginx has one without addresses where none is configured */

#define ngx_cwmp_redis_resolves(conf)                                         \
    ((conf)->resolver && (conf)->resolver->connections.nelts)

/*
 * A Sentinel is asked all the time, others' connection is opened for somebody;
 * in a worker that is exiting for those only who wait.
 */

#define ngx_cwmp_redis_wanted(redis)                                          \
    (ngx_exiting ? (redis)->pending != 0                                      \
     : ((redis)->front && (redis)->conf->sentinel.len)                        \
       || ngx_current_msec - (redis)->demand < NGX_CWMP_REDIS_RECENT)

/*
 * At the front commands wait for nodes that are known, or until each address
 * was tried in vain; a single one is tried twice.
 */

#define ngx_cwmp_redis_patient(redis)                                         \
    ((redis)->front                                                           \
     && ((redis)->set->known || (redis)->failures < (redis)->naddrs))

/* one that ends after each answer is not asked faster for that */

#define ngx_cwmp_redis_answered(redis)                                        \
    ((redis)->front                                                           \
     && ngx_current_msec - (redis)->set->asked < NGX_CWMP_REDIS_ASK)

#define ngx_cwmp_redis_cmd(q)                                                 \
    (ngx_queue_data(q, ngx_cwmp_redis_cmd_t, queue))


/* of ngx_cwmp_redis.c */

/* a command of the handshake */
ngx_int_t ngx_cwmp_redis_ask(ngx_cwmp_redis_t *redis, const ngx_str_t *argv,
    ngx_uint_t argc, ngx_cwmp_redis_pt handler);

/* the reply to the first in line; it may end the connection */
void ngx_cwmp_redis_reply(ngx_cwmp_redis_t *redis, redisReply *reply);

/* its text may go into a log */
void ngx_cwmp_redis_fit(redisReply *reply);

/* after a change of the connection */
void ngx_cwmp_redis_resume(ngx_cwmp_redis_t *redis);
void ngx_cwmp_redis_detach(ngx_cwmp_redis_t *redis, ngx_uint_t again,
    ngx_queue_t *failed);
void ngx_cwmp_redis_fail(ngx_cwmp_redis_t *redis, ngx_queue_t *failed,
    const u_char *why);

void ngx_cwmp_redis_init(ngx_cwmp_redis_t *redis, ngx_cwmp_redis_conf_t *conf,
    ngx_log_t *log);

/* of ngx_cwmp_redis_cmd.c */

/* NULL: no memory */
ngx_cwmp_redis_cmd_t *ngx_cwmp_redis_format(ngx_cwmp_redis_t *redis,
    const ngx_str_t *argv, ngx_uint_t argc);

/* to the end of the line; to those that wait for a connection; to nobody */
void ngx_cwmp_redis_append(ngx_cwmp_redis_t *redis, ngx_cwmp_redis_cmd_t *cmd);
void ngx_cwmp_redis_wait(ngx_cwmp_redis_t *redis, ngx_cwmp_redis_cmd_t *cmd);
void ngx_cwmp_redis_unlink(ngx_cwmp_redis_cmd_t *cmd);
void ngx_cwmp_redis_remove(ngx_cwmp_redis_cmd_t *cmd);

/* from one connection of a set to another that does not refuse it */
void ngx_cwmp_redis_give(ngx_cwmp_redis_cmd_t *cmd, ngx_cwmp_redis_t *to);

/* after a change of "pending" */
void ngx_cwmp_redis_idle(ngx_cwmp_redis_t *redis);

/* of ngx_cwmp_redis_connection.c */

const char *ngx_cwmp_redis_refuses(ngx_cwmp_redis_t *redis);
ngx_int_t ngx_cwmp_redis_connected(ngx_cwmp_redis_t *redis);
void ngx_cwmp_redis_arm(ngx_cwmp_redis_t *redis);
void ngx_cwmp_redis_ready(ngx_cwmp_redis_t *redis);
ngx_int_t ngx_cwmp_redis_connect(ngx_cwmp_redis_t *redis);
ngx_int_t ngx_cwmp_redis_talk(ngx_cwmp_redis_t *redis);
void ngx_cwmp_redis_down(ngx_cwmp_redis_t *redis);
void ngx_cwmp_redis_connect_handler(ngx_event_t *ev);
void ngx_cwmp_redis_retry_handler(ngx_event_t *ev);

/*
 * Ends the connection; the caller touches neither it nor its reader again.
 * again: it may be tried at once a second time, for what is pending.
 */
void ngx_cwmp_redis_lost(ngx_cwmp_redis_t *redis, ngx_uint_t again,
    const char *fmt, ...);

/* the same, for a system call that failed */
void ngx_cwmp_redis_broken(ngx_cwmp_redis_t *redis, ngx_uint_t again,
    const char *call, ngx_err_t err);

/* of ngx_cwmp_redis_io.c */

void ngx_cwmp_redis_write_handler(ngx_event_t *wev);
void ngx_cwmp_redis_read_handler(ngx_event_t *rev);

/* of ngx_cwmp_redis_handshake.c */

/* NGX_ERROR: no memory */
ngx_int_t ngx_cwmp_redis_handshake(ngx_cwmp_redis_t *redis);

/* what to do about an error that concerns the connection, else NULL */
const char *ngx_cwmp_redis_hopeless(ngx_cwmp_redis_t *redis,
    const redisReply *reply);

/* a user's function is not there; NGX_ERROR: no memory */
ngx_uint_t ngx_cwmp_redis_missing(const redisReply *reply);
ngx_int_t ngx_cwmp_redis_library(ngx_cwmp_redis_t *redis);

/* the number of partitions is right: READY; else the connection is lost */
ngx_int_t ngx_cwmp_redis_meta(ngx_cwmp_redis_t *redis, ngx_cwmp_redis_t *to,
    ngx_cwmp_redis_pt handler, ngx_cwmp_redis_cmd_t **cmd);
void ngx_cwmp_redis_meta_reply(void *data, redisReply *reply,
    const char *error);
void ngx_cwmp_redis_refused(ngx_cwmp_redis_t *redis, const char *what,
    redisReply *reply, const char *hint);
ngx_uint_t ngx_cwmp_redis_says(const redisReply *reply, const char *text);

/* of ngx_cwmp_redis_resolve.c */

ngx_int_t ngx_cwmp_redis_addresses(ngx_cwmp_redis_t *redis,
    ngx_cycle_t *cycle);
void ngx_cwmp_redis_resolve(ngx_cwmp_redis_t *redis);
void ngx_cwmp_redis_unresolve(ngx_cwmp_redis_t *redis);

/* of a node: its name is looked up, then ngx_cwmp_redis_connect_handler() */
void ngx_cwmp_redis_find(ngx_cwmp_redis_t *redis);
ngx_uint_t ngx_cwmp_redis_is_name(const u_char *host, size_t len);

/* of ngx_cwmp_redis_tls.c */

char *ngx_cwmp_redis_tls_conf(ngx_conf_t *cf, ngx_cwmp_redis_conf_t *rcf);

/* NGX_AGAIN: ngx_cwmp_redis_talk() comes later; NGX_ERROR: it is lost */
ngx_int_t ngx_cwmp_redis_tls(ngx_cwmp_redis_t *redis);
void ngx_cwmp_redis_tls_close(ngx_connection_t *c);

/* of ngx_cwmp_redis_set.c */

ngx_int_t ngx_cwmp_redis_set(ngx_cwmp_redis_t *front, ngx_cycle_t *cycle);
void ngx_cwmp_redis_disband(ngx_cwmp_redis_set_t *set);

/* the node of this address or name, which is made where there is none yet */
ngx_cwmp_redis_t *ngx_cwmp_redis_node(ngx_cwmp_redis_set_t *set,
    u_char *host, size_t len, in_port_t port);
ngx_cwmp_redis_t *ngx_cwmp_redis_peer_of(ngx_cwmp_redis_t *asked,
    u_char *host, size_t len, ngx_int_t port);
ngx_int_t ngx_cwmp_redis_literal(ngx_addr_t *addr, u_char *host, size_t len,
    in_port_t port);
ngx_cwmp_redis_t *ngx_cwmp_redis_unused(ngx_cwmp_redis_set_t *set);

/* whose command this is; NULL: nobody's, *error says why */
ngx_cwmp_redis_t *ngx_cwmp_redis_route(ngx_cwmp_redis_t *front,
    const ngx_str_t *argv, ngx_uint_t argc, ngx_uint_t *slot,
    const char **error);

/* 1: the reply meant another node or another time, and was taken for that */
ngx_uint_t ngx_cwmp_redis_redirect(ngx_cwmp_redis_cmd_t *cmd,
    const redisReply *reply);

/* back to the front, for so many ms */
void ngx_cwmp_redis_later(ngx_cwmp_redis_cmd_t *cmd, ngx_msec_t ms);
void ngx_cwmp_redis_turn(ngx_cwmp_redis_t *front);

/* of ngx_cwmp_redis_map.c */

/* the front's question, as the last words of its handshake */
ngx_int_t ngx_cwmp_redis_who(ngx_cwmp_redis_t *front);

/* it is asked again; soon, where it was asked just now */
void ngx_cwmp_redis_renew(ngx_cwmp_redis_set_t *set);

#endif
