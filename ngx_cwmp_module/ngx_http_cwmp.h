/*
 * What the files of the nginx side share: the configuration, and one POST's
 * context.  A POST's way through them:
 *
 *   auth      who sends it, as HTTP knows it: before a body is read
 *   post      who sends it; opens a session, or goes on with one
 *   coding    what its headers say of the body's bytes
 *   body      reads the body into the parser
 *   rows      gathers facts and rows
 *   secret    seals or hides what is secret in them, and in tasks
 *   step      calls the state table in Redis, takes its verb
 *   order     makes the RPC that it orders
 *   rotate    new credentials that one sets: Redis has them before
 *   hold      one that replicas have to know of, before it is sent
 *   reply     turns it into an HTTP response
 *
 * Beside it: overload (Redis is slow), ready (what a balancer asks), refused
 * and metrics (what an operator is told, and counts).
 *
 * Everything of a POST lives in its request's pool; commands to Redis outlive
 * it and are told so (cleanup in ngx_http_cwmp_post.c).
 */

#ifndef NGX_HTTP_CWMP_H
#define NGX_HTTP_CWMP_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#define XXH_INLINE_ALL              /* its states may be on the stack */
#include <xxhash.h>

#include "ngx_cwmp_redis.h"
#include "cwmp_envelope.h"
#include "cwmp_identity.h"
#include "cwmp_inflate.h"
#include "cwmp_keys.h"
#include "cwmp_result.h"
#include "cwmp_secret.h"
#include "cwmp_task.h"
#include "cwmp_version.h"
#include "cwmp_write.h"
#include "ngx_http_cwmp_metrics.h"


#define NGX_HTTP_CWMP_RANDOM      64    /* drawn at once, since each time costs
                                           as much as parsing, and */
#define NGX_HTTP_CWMP_RANDOM_LEN  16    /* bytes of each: a token's */

#define NGX_HTTP_CWMP_DELAYED     256   /* sources of wrong passwords, apart */

/* how fast Redis answers: of this second, and what follows from those before */
typedef struct {
    ngx_msec_t                  limit;      /* 0: it does not matter */
    time_t                      second;
    ngx_uint_t                  answers;
    ngx_uint_t                  over;       /* of them, the limit or more */
    ngx_uint_t                  half;       /* half of it or more */
    ngx_msec_t                  longest;
    u_char                      who[128];   /* took that, while it is new */
    size_t                      who_len;
    ngx_uint_t                  slow;       /* seconds, in succession */
    ngx_uint_t                  good;
    time_t                      since;      /* sessions end early; or 0 */
    ngx_uint_t                  deferred;   /* of them, that did */
} ngx_http_cwmp_pace_t;


/* one cwmp_redis directive; all but conf is this worker's */
typedef struct {
    ngx_cwmp_redis_conf_t      *conf;
    ngx_http_core_loc_conf_t   *core;       /* of its context: resolver */
    ngx_cwmp_redis_t           *client;
    void                       *deadlines;
    ngx_msec_t                  heard;      /* its last answer to a step */
    ngx_http_cwmp_pace_t        pace;
} ngx_http_cwmp_redis_t;


typedef struct {
    ngx_array_t                 redis;      /* of ngx_http_cwmp_redis_t * */
    ngx_msec_t                  slow;       /* Redis is, from this on; or 0 */
    cwmp_secret_t              *secret;     /* the key file; or NULL */
    ngx_shm_zone_t             *metrics;
    ngx_shm_zone_t             *attempts;   /* that failed; or NULL */
    ngx_shm_zone_t             *sources;    /* of new devices; or NULL */
    ngx_uint_t                  delayed;    /* answers to them, now */
    uint32_t                    delayed_of[NGX_HTTP_CWMP_DELAYED];
                                            /* ... to a source, by its hash */
    time_t                      told_at;    /* POSTs refused, as events */
    ngx_uint_t                  told;       /* in that second */
    ngx_uint_t                  untold;
    ngx_array_t                *in_clear;   /* servers where passwords are sent
                                               as they are */
    uint64_t                    worker;     /* random: no other has it */
    uint64_t                    nonce;      /* grows with each call */
    ngx_uint_t                  nrandom;    /* so many are left of */
    u_char                      random[NGX_HTTP_CWMP_RANDOM]
                                      [NGX_HTTP_CWMP_RANDOM_LEN];
} ngx_http_cwmp_main_conf_t;


/* cwmp_unknown */
typedef struct {
    ngx_uint_t                  mode;
    ngx_uint_t                  rate;       /* a minute, of a source */
    ngx_uint_t                  total;      /* ... of all, in a partition */
    ngx_http_complex_value_t   *source;     /* NULL: the address */
} ngx_http_cwmp_unknown_t;

#define NGX_HTTP_CWMP_UNKNOWN_ACCEPT      0
#define NGX_HTTP_CWMP_UNKNOWN_QUARANTINE  1
#define NGX_HTTP_CWMP_UNKNOWN_REFUSE      2


typedef struct {
    ngx_http_cwmp_redis_t      *redis;
    ngx_str_t                   serves;     /* this directive */
    ngx_http_handler_pt         handler;    /* ... by that */
    ngx_flag_t                  acs;        /* which is cwmp_acs */
    ngx_flag_t                  alone;      /* needs no Redis */
    ngx_str_t                   drain;
    ngx_msec_t                  session_timeout;
    ngx_msec_t                  outstanding_timeout;
    size_t                      max_envelope;
    ngx_uint_t                  max_rpcs;
    ngx_uint_t                  fallback;
    ngx_uint_t                  auth;
    ngx_str_t                   realm;
    ngx_uint_t                  behind_tls; /* a proxy before us has it */
    ngx_uint_t                  without_qop;
    ngx_uint_t                  open;       /* nobody said how CPEs prove it */
    ngx_http_complex_value_t   *identity;
    ngx_http_cwmp_unknown_t     unknown;
    ngx_str_t                   first_contact;  /* for a step: what follows */
    ngx_uint_t                  rotates;        /* that is new credentials */
    cwmp_limits_t               limits;
} ngx_http_cwmp_loc_conf_t;

#define NGX_HTTP_CWMP_FALLBACK_OFF         0
#define NGX_HTTP_CWMP_FALLBACK_CONNECTION  1

#define NGX_HTTP_CWMP_AUTH_OFF     0
#define NGX_HTTP_CWMP_AUTH_DIGEST  1
#define NGX_HTTP_CWMP_AUTH_BASIC   2

/* whose are the credentials: nobody's, one device's, those of many, or of many
   until each has its own */
#define NGX_HTTP_CWMP_USER_NONE   0
#define NGX_HTTP_CWMP_USER_OWN    1
#define NGX_HTTP_CWMP_USER_MANY   2
#define NGX_HTTP_CWMP_USER_FIRST  3


#define NGX_HTTP_CWMP_CALLS   8     /* calls a POST may cost, before a 204 */
#define NGX_HTTP_CWMP_INFORM_KEPT  4000     /* of its parameters */
#define NGX_HTTP_CWMP_INFORM_SIZE  262144   /* and bytes of them */
#define NGX_HTTP_CWMP_SHOWN  64     /* of what somebody says, in a log */
#define NGX_HTTP_CWMP_CHUNKS  2     /* of parameters, unconfirmed at once */

#define NGX_HTTP_CWMP_FOR_REDIS   1 /* so many chunks are unconfirmed */
#define NGX_HTTP_CWMP_FOR_OTHERS  2 /* it is their turn */

typedef struct ngx_http_cwmp_auth_s  ngx_http_cwmp_auth_t;
typedef struct ngx_http_cwmp_ctx_s   ngx_http_cwmp_ctx_t;
typedef struct ngx_http_cwmp_held_s  ngx_http_cwmp_held_t;

/* of an RPC that was ordered, and is not sent */
typedef struct {
    const char                 *is;         /* rejected, waits, split, done,
                                               unsent, sealed */
    cwmp_str_t                  what;
    const char                 *reason;
    ngx_array_t                *more;       /* waits, sealed: of ngx_str_t;
                                               or NULL */
} ngx_http_cwmp_verdict_t;

/* parameters ahead of their step; replies may come in another order */
typedef struct {
    ngx_http_cwmp_ctx_t        *ctx;
    ngx_cwmp_redis_cmd_t       *cmd;        /* NULL: it is free */
} ngx_http_cwmp_chunk_t;

struct ngx_http_cwmp_ctx_s {
    ngx_http_request_t         *request;
    ngx_http_cwmp_loc_conf_t   *conf;
    cwmp_arena_t                arena;      /* the request's pool */

    ngx_http_cwmp_auth_t       *auth;       /* its claim */
    ngx_str_t                   user;       /* who it is, with "cwmp_auth" */
    ngx_str_t                   identity;   /* what "cwmp_identity" is */

    ngx_chain_t               **body;       /* what is left of it */
    ngx_chain_t                *kept;       /* if it must be preserved */
    size_t                      parsed;     /* bytes of it in this turn */
    ngx_event_t                 turn;       /* its timer: the next one */
    cwmp_inflate_t             *inflate;    /* NULL: the body is plain */
    cwmp_envelope_t            *envelope;
    const cwmp_facts_t         *facts;
    cwmp_result_t               result;     /* JSON of the rows */
    XXH64_state_t               digest;     /* of the body, inflated */

    cwmp_str_t                  id;         /* of the device, when known */
    cwmp_str_t                  token;      /* of the session, when claimed */
    cwmp_str_t                  foreign;    /* an id that is claimed, and that
                                               "cwmp_identity" or its user does
                                               not mean */
    cwmp_str_t                  keys[CWMP_KEYS];

    /* parameters that were not handed to Redis yet: path, letter and value */
    ngx_pool_t                 *rows_pool;
    ngx_array_t                *rows;       /* of ngx_str_t */
    size_t                      rows_size;
    uint64_t                   *seen;       /* what is remembered of paths */
    ngx_uint_t                  seen_slots;
    ngx_uint_t                  nseen;
    ngx_uint_t                  twice;      /* paths that came again */
    ngx_str_t                   repaired;   /* the first whose value was */
    ngx_uint_t                  long_names; /* paths that are not kept */

    cwmp_style_t                style;      /* of what this device is sent */

    /* of an Inform */
    cwmp_str_t                  oui;
    u_char                      six[CWMP_OUI_MAX];  /* oui, if it was a MAC */
    cwmp_session_version_t      cwmp;
    ngx_array_t                *events;     /* of ngx_str_t: code, key, ... */
    ngx_str_t                   events_text;
    XXH64_state_t               informed;   /* of its parameters */
    ngx_str_t                   root;
    ngx_str_t                   version;
    ngx_str_t                   hardware;
    ngx_str_t                   url;
    ngx_str_t                   parameter_key;
    ngx_uint_t                  nparams;
    ngx_uint_t                  unkept;     /* of them, too many for Redis */

    /* calls under way */
    ngx_cwmp_redis_cmd_t       *step;
    ngx_http_cwmp_chunk_t       chunks[NGX_HTTP_CWMP_CHUNKS];
    ngx_http_cwmp_held_t       *held;
    ngx_uint_t                  calls;
    ngx_msec_t                  redis_start;
    ngx_msec_t                  redis_time;

    ngx_str_t                   fault;      /* code, for a log */
    ngx_str_t                   task;       /* id, for a log */

    unsigned                    parameter_key_seen:1;
    unsigned                    paused:2;   /* NGX_HTTP_CWMP_FOR_*: no more of
                                               the body is read */
    unsigned                    waits:1;    /* the step, for chunks */
    unsigned                    done:1;     /* it was answered */
    unsigned                    deferred:1; /* no RPC may follow */
    unsigned                    proven:1;   /* its user, by this POST */
    unsigned                    other_user:1;   /* than that of "foreign" */
    unsigned                    spent:1;    /* so that it proves no other */
    unsigned                    asked:1;    /* Redis was, for a user */
};


extern ngx_module_t  ngx_http_cwmp_module;


/* ngx_http_cwmp_auth_conf.c: its directives */
char *ngx_http_cwmp_auth(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_cwmp_identity(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_cwmp_secret_key(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
void ngx_http_cwmp_auth_merge(ngx_http_cwmp_loc_conf_t *prev,
    ngx_http_cwmp_loc_conf_t *conf);
ngx_int_t ngx_http_cwmp_auth_needs(ngx_conf_t *cf,
    ngx_http_cwmp_loc_conf_t *conf);
ngx_int_t ngx_http_cwmp_auth_listeners(ngx_conf_t *cf);

/* ngx_http_cwmp_auth.c: who sends a POST, and which device it may be */
ngx_int_t ngx_http_cwmp_access(ngx_http_request_t *r);
ngx_int_t ngx_http_cwmp_identified(ngx_http_cwmp_ctx_t *ctx);
ngx_uint_t ngx_http_cwmp_unproven(ngx_http_cwmp_ctx_t *ctx);
ngx_uint_t ngx_http_cwmp_is_of_user(ngx_http_cwmp_ctx_t *ctx);
ngx_int_t ngx_http_cwmp_auth_arg(ngx_http_cwmp_ctx_t *ctx, ngx_array_t *args);
void ngx_http_cwmp_auth_who(ngx_http_cwmp_ctx_t *ctx, ngx_str_t *user,
    cwmp_str_t *device);
ngx_uint_t ngx_http_cwmp_auth_whose(ngx_http_cwmp_ctx_t *ctx);
void ngx_http_cwmp_auth_refuse(ngx_http_cwmp_ctx_t *ctx, ngx_uint_t stale);
ngx_uint_t ngx_http_cwmp_auth_is_old(ngx_http_cwmp_ctx_t *ctx);
void ngx_http_cwmp_user_taken(ngx_http_cwmp_ctx_t *ctx);

/* ngx_http_cwmp_auth_peer.c: a user's record */
ngx_int_t ngx_http_cwmp_user_key(ngx_http_cwmp_ctx_t *ctx,
    const ngx_str_t *user, ngx_str_t *key);
ngx_cwmp_redis_cmd_t *ngx_http_cwmp_auth_look(ngx_http_cwmp_ctx_t *ctx,
    const ngx_str_t *user, ngx_cwmp_redis_pt handler, void *data,
    const char **error);
ngx_uint_t ngx_http_cwmp_is_registered(redisReply *reply);
ngx_int_t ngx_http_cwmp_user_as(ngx_http_cwmp_ctx_t *ctx, ngx_array_t *args);
void ngx_http_cwmp_user_forget(ngx_http_cwmp_ctx_t *ctx);

/* ngx_http_cwmp_refused.c: counted, and told as an event, 0: one too many */
ngx_uint_t ngx_http_cwmp_refused(ngx_http_cwmp_ctx_t *ctx,
    ngx_http_cwmp_count_e which, const char *reason, const cwmp_str_t *claims);
void ngx_http_cwmp_other_session(ngx_http_cwmp_ctx_t *ctx,
    const cwmp_str_t *claims);

void ngx_http_cwmp_shown(ngx_str_t *shown, u_char *buf, const ngx_str_t *value);

/* ngx_http_cwmp_attempts.c: who failed to prove who it is */
ngx_int_t ngx_http_cwmp_attempts_zone(ngx_conf_t *cf, const char *name,
    ngx_shm_zone_t **zone);
ngx_msec_t ngx_http_cwmp_attempts_failed(ngx_shm_zone_t *zone,
    ngx_uint_t kind, const ngx_str_t *who, ngx_uint_t free);
ngx_uint_t ngx_http_cwmp_attempts_rate(ngx_shm_zone_t *zone,
    const ngx_str_t *who, ngx_uint_t one);

/* ngx_http_cwmp_unknown.c: devices that nobody announced */
ngx_int_t ngx_http_cwmp_source(ngx_http_cwmp_ctx_t *ctx, ngx_str_t *source);
char *ngx_http_cwmp_unknown(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
void ngx_http_cwmp_unknown_merge(ngx_http_cwmp_unknown_t *prev,
    ngx_http_cwmp_unknown_t *conf);
ngx_int_t ngx_http_cwmp_unknown_arg(ngx_http_cwmp_ctx_t *ctx,
    ngx_array_t *args);
void ngx_http_cwmp_unknown_came(ngx_http_cwmp_ctx_t *ctx);
void ngx_http_cwmp_unknown_refused(ngx_http_cwmp_ctx_t *ctx,
    const char *state);
void ngx_http_cwmp_registered(ngx_http_cwmp_ctx_t *ctx);

/* ngx_http_cwmp_first.c: what a device is to have from its first contact on */
char *ngx_http_cwmp_first_contact(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* ngx_http_cwmp_metrics.c: what an operator counts */
char *ngx_http_cwmp_metrics(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_int_t ngx_http_cwmp_metrics_zone(ngx_conf_t *cf);
void ngx_http_cwmp_count(ngx_http_cwmp_main_conf_t *cmcf,
    ngx_http_cwmp_count_e which);

/* ngx_http_cwmp_post.c */
ngx_http_cwmp_ctx_t *ngx_http_cwmp_get_ctx(ngx_http_request_t *r);
ngx_int_t ngx_http_cwmp_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_cwmp_random(ngx_http_cwmp_main_conf_t *cmcf, u_char *p);
void ngx_http_cwmp_free(ngx_http_cwmp_ctx_t *ctx);
void ngx_http_cwmp_disown(ngx_http_cwmp_ctx_t *ctx);
void ngx_http_cwmp_drop_rows(ngx_http_cwmp_ctx_t *ctx);
int ngx_http_cwmp_is_inform(ngx_http_cwmp_ctx_t *ctx);
void ngx_http_cwmp_no_session(ngx_http_cwmp_ctx_t *ctx);
void ngx_http_cwmp_take(ngx_http_cwmp_ctx_t *ctx);

/* ngx_http_cwmp_coding.c: what its headers say of the body */
ngx_int_t ngx_http_cwmp_coding(ngx_http_cwmp_ctx_t *ctx);
void ngx_http_cwmp_charset(ngx_http_cwmp_ctx_t *ctx);
void ngx_http_cwmp_unwanted(ngx_http_request_t *r);

/* ngx_http_cwmp_body.c */
void ngx_http_cwmp_body(ngx_http_request_t *r);
void ngx_http_cwmp_read(ngx_http_request_t *r);
void ngx_http_cwmp_go_on(ngx_http_cwmp_ctx_t *ctx, unsigned why);

/* ngx_http_cwmp_rows.c */
cwmp_rc_t ngx_http_cwmp_row(void *data, const cwmp_row_t *row);
ngx_int_t ngx_http_cwmp_arg_objects(ngx_http_cwmp_ctx_t *ctx,
    ngx_array_t *args);

/* ngx_http_cwmp_secret.c: passwords and keys, with and without a key file */
cwmp_secret_t *ngx_http_cwmp_key(ngx_http_cwmp_ctx_t *ctx);
ngx_uint_t ngx_http_cwmp_is_secret(const cwmp_str_t *path,
    const cwmp_str_t *value);
ngx_int_t ngx_http_cwmp_hide(ngx_http_cwmp_ctx_t *ctx, cwmp_row_t *kept,
    cwmp_row_t *shown);
ngx_int_t ngx_http_cwmp_seal_rows(ngx_http_cwmp_ctx_t *ctx);
uint64_t ngx_http_cwmp_seed(ngx_http_cwmp_ctx_t *ctx);
void ngx_http_cwmp_seal(ngx_http_cwmp_ctx_t *ctx, redisReply *reply);
void ngx_http_cwmp_seal_order(ngx_http_cwmp_ctx_t *ctx, const cwmp_str_t *id,
    const cwmp_str_t *json);
void ngx_http_cwmp_digest_value(ngx_http_cwmp_ctx_t *ctx,
    XXH64_state_t *digest, const cwmp_str_t *path, const cwmp_str_t *value);

/* ngx_http_cwmp_step.c: ends in exactly one of the replies */
void ngx_http_cwmp_step(ngx_http_cwmp_ctx_t *ctx);
ngx_int_t ngx_http_cwmp_chunk(ngx_http_cwmp_ctx_t *ctx);
void ngx_http_cwmp_broke(ngx_http_cwmp_ctx_t *ctx, const char *why);
void ngx_http_cwmp_spend(ngx_http_cwmp_ctx_t *ctx);
void ngx_http_cwmp_forget(ngx_http_cwmp_ctx_t *ctx);
void ngx_http_cwmp_verdict(ngx_http_cwmp_ctx_t *ctx, const cwmp_str_t *id,
    const ngx_http_cwmp_verdict_t *verdict);

ngx_int_t ngx_http_cwmp_copy_reply(ngx_http_cwmp_ctx_t *ctx,
    redisReply *reply, size_t i, cwmp_str_t *to);

/* ngx_http_cwmp_order.c: the verb "rpc" */
void ngx_http_cwmp_order(ngx_http_cwmp_ctx_t *ctx, redisReply *reply);

/* ngx_http_cwmp_rotate.c: new credentials; the order is copied */
void ngx_http_cwmp_rotate(ngx_http_cwmp_ctx_t *ctx, const cwmp_str_t *id,
    cwmp_ns_t ns, const cwmp_order_t *order);

/* ngx_http_cwmp_hold.c: what must not happen twice */
void ngx_http_cwmp_hold(ngx_http_cwmp_ctx_t *ctx, const cwmp_str_t *id,
    ngx_chain_t *envelope);
void ngx_http_cwmp_hold_until(ngx_http_cwmp_ctx_t *ctx, const cwmp_str_t *id,
    ngx_chain_t *envelope, const char *function, const ngx_str_t *key);
void ngx_http_cwmp_unhold(ngx_http_cwmp_ctx_t *ctx);

/* ngx_http_cwmp_args.c: what a step is called with */
ngx_array_t *ngx_http_cwmp_call(ngx_http_cwmp_ctx_t *ctx, ngx_pool_t *pool,
    const char *function);
ngx_int_t ngx_http_cwmp_arg(ngx_array_t *args, const void *data, size_t len);
ngx_int_t ngx_http_cwmp_arg_number(ngx_array_t *args, uint64_t n);
ngx_int_t ngx_http_cwmp_step_args(ngx_http_cwmp_ctx_t *ctx, ngx_array_t *args);
ngx_int_t ngx_http_cwmp_verdict_args(ngx_http_cwmp_ctx_t *ctx,
    ngx_array_t *args, const cwmp_str_t *id,
    const ngx_http_cwmp_verdict_t *verdict);

/* ngx_http_cwmp_module.c: what directives share */
char *ngx_http_cwmp_serves(ngx_conf_t *cf, ngx_http_cwmp_loc_conf_t *clcf,
    ngx_http_handler_pt handler);
char *ngx_http_cwmp_invalid(ngx_conf_t *cf, const char *use);
char *ngx_http_cwmp_distinct(ngx_conf_t *cf);

/* ngx_http_cwmp_reply.c: each finalizes the request, but for this: NULL then */
ngx_chain_t *ngx_http_cwmp_write_rpc(ngx_http_cwmp_ctx_t *ctx, cwmp_ns_t ns,
    const cwmp_str_t *id, const cwmp_task_rpc_t *rpc);
void ngx_http_cwmp_reply_envelope(ngx_http_cwmp_ctx_t *ctx,
    ngx_chain_t *envelope);
void ngx_http_cwmp_reply_inform(ngx_http_cwmp_ctx_t *ctx);
void ngx_http_cwmp_reply_answer(ngx_http_cwmp_ctx_t *ctx);
void ngx_http_cwmp_reply_fault(ngx_http_cwmp_ctx_t *ctx, ngx_uint_t code);
void ngx_http_cwmp_reply_not_understood(ngx_http_cwmp_ctx_t *ctx);
void ngx_http_cwmp_reply_empty(ngx_http_cwmp_ctx_t *ctx);
void ngx_http_cwmp_reply_denied(ngx_http_cwmp_ctx_t *ctx);  /* says nothing */
void ngx_http_cwmp_reply_away(ngx_http_cwmp_ctx_t *ctx);
void ngx_http_cwmp_reply_error(ngx_http_cwmp_ctx_t *ctx, ngx_uint_t status,
    const char *reason);

/* but these */
ngx_int_t ngx_http_cwmp_send_line(ngx_http_request_t *r, ngx_uint_t status,
    const char *what, const char *text);
ngx_int_t ngx_http_cwmp_add_header(ngx_http_request_t *r, const char *name,
    const ngx_str_t *value);
ngx_int_t ngx_http_cwmp_add_retry(ngx_http_request_t *r);

/* ngx_http_cwmp_carry.c: how a session is carried from POST to POST */
ngx_int_t ngx_http_cwmp_carried(ngx_http_cwmp_ctx_t *ctx);
ngx_int_t ngx_http_cwmp_carry(ngx_http_cwmp_ctx_t *ctx, ngx_str_t *cookie);
void *ngx_http_cwmp_of_connection(ngx_connection_t *c,
    ngx_pool_cleanup_pt handler, size_t size);

/* ngx_http_cwmp_overload.c: is Redis slow? */
char *ngx_http_cwmp_overload(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
void ngx_http_cwmp_overload_note(ngx_http_cwmp_redis_t *redis,
    const ngx_str_t *server, ngx_msec_t took);
ngx_uint_t ngx_http_cwmp_overloaded(ngx_http_cwmp_redis_t *redis);

/* ngx_http_cwmp_ready.c: should this node get traffic? */
char *ngx_http_cwmp_ready(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* ngx_http_cwmp_variables.c */
ngx_int_t ngx_http_cwmp_add_variables(ngx_conf_t *cf);

/* ngx_cwmp_deadlines.c: works off what is due in Redis */
ngx_int_t ngx_cwmp_deadlines_start(ngx_cycle_t *cycle,
    ngx_http_cwmp_redis_t *redis);
void ngx_cwmp_make_plain(u_char *p, u_char *last);
char *ngx_cwmp_plain_error(redisReply *reply);
const char *ngx_cwmp_why(redisReply *reply, const char *error);
void ngx_cwmp_log_notes(ngx_log_t *log, redisReply *notes);

#endif
