/*
 * Redis seen from nginx: one pipelined connection a worker, hiredis as the
 * codec only (reader and formatter), nginx's own connection, timers and log.
 * Knows commands and replies, not what they mean: no CWMP here, no request.
 *
 * Life of a command: it is created by ngx_cwmp_redis_send(), owned by the
 * client, and ends in exactly one call of its handler, later, never from
 * inside ngx_cwmp_redis_send(); after ngx_cwmp_redis_forget() the handler is
 * not called any more, but the reply is still awaited, since RESP is in order.
 * The pointer to it is valid until its handler returns, or until it is
 * forgotten: touch it neither after the one nor after the other.
 *
 * With "cluster" or "sentinel=" the client is a set of such connections, and a
 * command goes to the one that its key belongs to: its first key is the fourth
 * word, as FCALL has it.
 *
 * Answers that concern the connection and not the command (LOADING, READONLY,
 * MASTERDOWN, CLUSTERDOWN, NOAUTH, WRONGPASS as an error's first word) reach
 * no handler: they end the connection.  Nor do MOVED, ASK and TRYAGAIN of a
 * Cluster: the command is sent again.  No function of ours may return them.
 */

#ifndef NGX_CWMP_REDIS_H
#define NGX_CWMP_REDIS_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <hiredis/hiredis.h>


typedef struct ngx_cwmp_redis_s       ngx_cwmp_redis_t;
typedef struct ngx_cwmp_redis_cmd_s   ngx_cwmp_redis_cmd_t;
typedef struct ngx_cwmp_redis_hold_s  ngx_cwmp_redis_hold_t;

/*
 * reply: valid during the call only; may be of type REDIS_REPLY_ERROR (Redis
 * answered with an error).  NULL: no answer, and error says why in one
 * sentence ("Redis at unix:/run/redis.sock: no answer within 2000 ms", ...);
 * whether the command was carried out is not known then.  error is valid
 * during the call only.  A handler may send and forget, but not destroy.
 */
typedef void (*ngx_cwmp_redis_pt)(void *data, redisReply *reply,
    const char *error);


/*
 * What the directive says.  Lives in the configuration's pool.
 *   cwmp_redis ADDRESS ... [cluster | sentinel=NAME] [user=NAME]
 *       [password=WORD | password_file=PATH] [sentinel_password=WORD]
 *       [tls [tls_ca=FILE] [tls_name=NAME] [tls_cert=FILE tls_key=FILE]]
 *       [db=N] [prefix=NAME] [timeout=TIME] [connect_timeout=TIME]
 *       [max_pending=N] [partitions=N] [wait=N];
 */
typedef struct {
    ngx_array_t      addrs;         /* ngx_addr_t, named as written */
    ngx_flag_t       tls;
    ngx_str_t        tls_ca;        /* a file; else the system's */
    ngx_str_t        tls_name;      /* in the certificate; else the host's */
    ngx_str_t        tls_cert;      /* ours, */
    ngx_str_t        tls_key;       /* files */
    void            *ssl;           /* ngx_ssl_t, with "tls" */
    ngx_uint_t       written;       /* so many ADDRESSES */
    ngx_array_t      hosts;         /* which of them are names */
    ngx_resolver_t  *resolver;      /* of the context, or NULL */
    ngx_msec_t       resolver_timeout;
    ngx_flag_t       cluster;
    ngx_str_t        sentinel;      /* the master's name there */
    ngx_str_t        sentinel_password;
    ngx_str_t        user;
    ngx_str_t        password;
    ngx_uint_t       db;
    ngx_str_t        prefix;        /* "cwmp" */
    ngx_uint_t       partitions;    /* 1 */
    ngx_msec_t       timeout;       /* of a command: 2s */
    ngx_msec_t       connect_timeout;   /* 1s */
    ngx_uint_t       max_pending;   /* commands: 10000 */
    ngx_uint_t       wait;          /* for so many replicas: 0 */
    ngx_str_t        library;       /* source of the function library */
    ngx_uint_t       library_version;   /* of that source */
    ngx_uint_t       warned;        /* of its persistence, by this worker */
    ngx_log_t       *log;
} ngx_cwmp_redis_conf_t;

/*
 * The directive's handler, to be called by the glue's own with the address of
 * its ngx_cwmp_redis_conf_t * (NULL or NGX_CONF_UNSET_PTR before), whatever
 * cmd->offset says.  library, library_version and resolver are left to the
 * glue; log is
 * cycle->new_log, which the glue may replace.
 */
char *ngx_cwmp_redis_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


/* in init_process: makes the worker's client, opens nothing yet (it connects
   at the first command).  NULL: out of memory */
ngx_cwmp_redis_t *ngx_cwmp_redis_create(ngx_cycle_t *cycle,
    ngx_cwmp_redis_conf_t *conf);

/* in exit_process: fails what is pending, closes the connection */
void ngx_cwmp_redis_destroy(ngx_cwmp_redis_t *redis);


/*
 * Queues a command; argv is copied.  Several commands of one turn of the event
 * loop go out in one send().  A command whose connection was lost before its
 * reply is sent once more after an immediate reconnect (the functions that are
 * called bear it).  NULL: refused now (Redis is down, or too many
 * are pending, or no memory), *error says why in one sentence, which is valid
 * until the next call.  handler may be NULL: nobody waits for the reply.
 */
ngx_cwmp_redis_cmd_t *ngx_cwmp_redis_send(ngx_cwmp_redis_t *redis,
    const ngx_str_t *argv, ngx_uint_t argc, ngx_cwmp_redis_pt handler,
    void *data, const char **error);

/*
 * Of a command whose handler runs, with this reply: the server that answered,
 * or that was there and did not in time; NULL: its server was not there.
 */
const ngx_str_t *ngx_cwmp_redis_server(ngx_cwmp_redis_cmd_t *cmd,
    const redisReply *reply);

/* the owner of "data" is going away; what was not written yet never will be */
void ngx_cwmp_redis_forget(ngx_cwmp_redis_cmd_t *cmd);


/*
 * A write, and a wait for as many replicas as wait= says to have it, with all
 * that the primary of its key wrote before.  handler is called once, later,
 * with NULL, or with why it is not so, a sentence that is valid during the
 * call.  The write's reply must be a number, other than 0 when it was made.
 * NGX_ERROR: refused now, *error says why.  Only where wait= is not 0.
 */
struct ngx_cwmp_redis_hold_s {
    ngx_queue_t             queue;
    ngx_cwmp_redis_cmd_t   *cmd;        /* the write; NULL: it was answered */
    void                  (*handler)(void *data, const char *error);
    void                   *data;
};

ngx_int_t ngx_cwmp_redis_hold(ngx_cwmp_redis_t *redis,
    ngx_cwmp_redis_hold_t *hold, const ngx_str_t *argv, ngx_uint_t argc,
    const char **error);

/* of one whose handler was not called yet, and will not be */
void ngx_cwmp_redis_unhold(ngx_cwmp_redis_hold_t *hold);

#endif
