/*
 * Works off what is due in Redis: sessions that went silent, tasks that
 * expired, events that did not come.  What to do with each is redis/lua's
 * business; this asks for what is due, a partition a tick, and hands each
 * member back with its device's keys.  The first worker of each node asks;
 * a lock in Redis lets one node at a time have the answer, and a token in it
 * that each call carries keeps a worker that was stopped from going on with
 * what is another's by now.  When nothing is due, the holder of the lock mends
 * what disagrees, a slice a question (redis/lua's mend).
 */

#include "ngx_http_cwmp.h"


#define NGX_CWMP_DUE_TICK   1000    /* ms, for all partitions together */
#define NGX_CWMP_DUE_LOCK   "5000"  /* ms */
#define NGX_CWMP_DUE_MOST   64      /* members an answer */
#define NGX_CWMP_DUE_SLICE  10      /* ms between slices of a sweep */
#define NGX_CWMP_DUE_QUIET  60000   /* ms between lines that say the same */


typedef struct {
    ngx_http_cwmp_redis_t   *redis;
    ngx_event_t              timer;
    ngx_connection_t         dummy;     /* timers want a connection's fd */
    ngx_uint_t               partition;
    ngx_uint_t               asked;     /* the partition of the question */
    ngx_uint_t               pending;
    ngx_cwmp_redis_cmd_t    *question;  /* under way, or NULL */
    ngx_msec_t               more;      /* there is: ask again after so long */
    u_char                   owner[32];
    size_t                   owner_len;
    u_char                   token[64]; /* of the lock that the answer had */
    size_t                   token_len;
    u_char                   said[64];  /* by Redis, in the log, then */
    ngx_msec_t               said_at;
} ngx_cwmp_deadlines_t;


static void ngx_cwmp_deadlines_tick(ngx_event_t *ev);
static void ngx_cwmp_deadlines_ask(ngx_cwmp_deadlines_t *d, ngx_pool_t *pool);
static ngx_int_t ngx_cwmp_deadlines_key(ngx_cwmp_deadlines_t *d,
    cwmp_arena_t *arena, const char *name, cwmp_str_t *key);
static ngx_cwmp_redis_cmd_t *ngx_cwmp_deadlines_call(ngx_cwmp_deadlines_t *d,
    const char *function, cwmp_str_t *keys, ngx_uint_t nkeys, cwmp_str_t *args,
    ngx_uint_t nargs, ngx_cwmp_redis_pt handler);
static void ngx_cwmp_deadlines_refused(ngx_cwmp_deadlines_t *d,
    redisReply *reply);
static void ngx_cwmp_deadlines_again(ngx_cwmp_deadlines_t *d, ngx_msec_t ms);
static void ngx_cwmp_deadlines_due(void *data, redisReply *reply,
    const char *error);
static void ngx_cwmp_deadlines_one(ngx_cwmp_deadlines_t *d, ngx_pool_t *pool,
    redisReply *member);
static void ngx_cwmp_deadlines_done(void *data, redisReply *reply,
    const char *error);


static void *
ngx_cwmp_deadlines_alloc(void *owner, size_t size)
{
    return ngx_palloc(owner, size);
}


ngx_int_t
ngx_cwmp_deadlines_start(ngx_cycle_t *cycle, ngx_http_cwmp_redis_t *redis)
{
    ngx_cwmp_deadlines_t       *d;
    ngx_http_cwmp_main_conf_t  *cmcf;

    if (ngx_worker != 0) {
        return NGX_OK;
    }

    cmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_cwmp_module);

    d = ngx_pcalloc(cycle->pool, sizeof(ngx_cwmp_deadlines_t));
    if (d == NULL) {
        return NGX_ERROR;
    }

    d->redis = redis;
    d->owner_len = ngx_sprintf(d->owner, "%xL", cmcf->worker) - d->owner;
    d->dummy.fd = (ngx_socket_t) -1;

    d->timer.handler = ngx_cwmp_deadlines_tick;
    d->timer.data = &d->dummy;
    d->timer.log = cycle->log;
    d->timer.cancelable = 1;
    d->dummy.data = d;

    redis->deadlines = d;

    ngx_add_timer(&d->timer, 1 + ngx_random() % 500);

    return NGX_OK;
}


static void
ngx_cwmp_deadlines_tick(ngx_event_t *ev)
{
    ngx_pool_t             *pool;
    ngx_connection_t       *c;
    ngx_cwmp_deadlines_t   *d;
    ngx_cwmp_redis_conf_t  *conf;

    c = ev->data;
    d = c->data;
    conf = d->redis->conf;

    if (ngx_exiting || ngx_terminate || ngx_quit) {

        /* while Redis is away it may wait for long, and keep the worker */

        if (d->question) {
            ngx_cwmp_redis_forget(d->question);
            d->question = NULL;
        }

        return;
    }

    ngx_add_timer(ev, ngx_max(NGX_CWMP_DUE_TICK / conf->partitions, 20));

    if (d->pending) {
        return;
    }

    pool = ngx_create_pool(1024, ev->log);
    if (pool == NULL) {
        return;
    }

    d->asked = d->partition;
    d->partition = (d->partition + 1) % conf->partitions;

    ngx_cwmp_deadlines_ask(d, pool);

    ngx_destroy_pool(pool);
}


/* what is due in this partition? */

static void
ngx_cwmp_deadlines_ask(ngx_cwmp_deadlines_t *d, ngx_pool_t *pool)
{
    u_char        most[NGX_INT_T_LEN];
    cwmp_str_t    keys[2], args[3];
    cwmp_arena_t  arena;

    arena.alloc = ngx_cwmp_deadlines_alloc;
    arena.owner = pool;

    if (ngx_cwmp_deadlines_key(d, &arena, "due", &keys[0]) != NGX_OK
        || ngx_cwmp_deadlines_key(d, &arena, "due:lock", &keys[1]) != NGX_OK)
    {
        return;
    }

    args[0].data = d->owner;
    args[0].len = d->owner_len;
    args[1].data = (u_char *) NGX_CWMP_DUE_LOCK;
    args[1].len = sizeof(NGX_CWMP_DUE_LOCK) - 1;
    args[2].data = most;
    args[2].len = ngx_sprintf(most, "%d", NGX_CWMP_DUE_MOST) - most;

    d->question = ngx_cwmp_deadlines_call(d, "cwmp_due_2", keys, 2, args, 3,
                                          ngx_cwmp_deadlines_due);
}


static ngx_int_t
ngx_cwmp_deadlines_key(ngx_cwmp_deadlines_t *d, cwmp_arena_t *arena,
    const char *name, cwmp_str_t *key)
{
    cwmp_str_t  prefix;

    prefix.data = d->redis->conf->prefix.data;
    prefix.len = d->redis->conf->prefix.len;

    return cwmp_partition_key(arena, &prefix, (unsigned) d->asked, name, key)
           == CWMP_OK ? NGX_OK : NGX_ERROR;
}


/* Redis away: its client says so, and a later tick asks again */

static ngx_cwmp_redis_cmd_t *
ngx_cwmp_deadlines_call(ngx_cwmp_deadlines_t *d, const char *function,
    cwmp_str_t *keys, ngx_uint_t nkeys, cwmp_str_t *args, ngx_uint_t nargs,
    ngx_cwmp_redis_pt handler)
{
    u_char       number[NGX_INT_T_LEN];
    ngx_str_t    argv[3 + CWMP_KEYS + 1 + 4];
    ngx_uint_t   i, n;
    const char  *error;

    ngx_cwmp_redis_cmd_t  *cmd;

    ngx_str_set(&argv[0], "FCALL");
    argv[1].data = (u_char *) function;
    argv[1].len = ngx_strlen(function);
    argv[2].data = number;
    argv[2].len = ngx_sprintf(number, "%ui", nkeys) - number;
    n = 3;

    for (i = 0; i < nkeys; i++, n++) {
        argv[n].data = keys[i].data;
        argv[n].len = keys[i].len;
    }

    for (i = 0; i < nargs; i++, n++) {
        argv[n].data = args[i].data;
        argv[n].len = args[i].len;
    }

    cmd = ngx_cwmp_redis_send(d->redis->client, argv, n, handler, d, &error);

    if (cmd) {
        d->pending++;
    }

    return cmd;
}


static void
ngx_cwmp_deadlines_due(void *data, redisReply *reply, const char *error)
{
    ngx_cwmp_deadlines_t  *d = data;

    size_t       i;
    redisReply  *due;
    ngx_pool_t  *pool;

    d->pending--;
    d->question = NULL;

    if (reply && reply->type == REDIS_REPLY_ERROR) {
        ngx_cwmp_deadlines_refused(d, reply);
    }

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || reply->elements < 4
        || reply->element[0]->type != REDIS_REPLY_STRING
        || reply->element[0]->len > sizeof(d->token)
        || reply->element[1]->type != REDIS_REPLY_ARRAY || ngx_exiting)
    {
        return;
    }

    d->token_len = reply->element[0]->len;
    ngx_memcpy(d->token, reply->element[0]->str, d->token_len);

    if (reply->element[2]->type == REDIS_REPLY_INTEGER
        && reply->element[2]->integer > 0)
    {
        ngx_cwmp_deadlines_again(d, ngx_min((ngx_msec_t)
                                            reply->element[2]->integer,
                                            NGX_CWMP_DUE_TICK));
    }

    ngx_cwmp_log_notes(d->timer.log, reply->element[3]);

    due = reply->element[1];
    d->more = (due->elements == NGX_CWMP_DUE_MOST) ? 1 : 0;

    for (i = 0; i < due->elements; i++) {

        pool = ngx_create_pool(4096, d->timer.log);
        if (pool == NULL) {
            return;
        }

        ngx_cwmp_deadlines_one(d, pool, due->element[i]);
        ngx_destroy_pool(pool);
    }
}


/*
 * A member is "KIND ID" or "KIND ID TASK".  It is taken out by the function,
 * whatever it is, from the partition where it was found.
 */

static void
ngx_cwmp_deadlines_one(ngx_cwmp_deadlines_t *d, ngx_pool_t *pool,
    redisReply *member)
{
    u_char        *p, *last;
    cwmp_str_t     prefix, id, keys[CWMP_KEYS + 1], args[4];
    cwmp_arena_t   arena;

    if (member->type != REDIS_REPLY_STRING) {
        return;
    }

    /* of what is swept slice by slice the next one is due at once */

    if (member->str[0] == 'g' && d->more == 0) {
        d->more = NGX_CWMP_DUE_SLICE;
    }

    last = (u_char *) member->str + member->len;
    p = ngx_strlchr((u_char *) member->str, last, ' ');
    id.data = p ? p + 1 : last;
    p = ngx_strlchr(id.data, last, ' ');
    id.len = (p ? p : last) - id.data;

    arena.alloc = ngx_cwmp_deadlines_alloc;
    arena.owner = pool;
    prefix.data = d->redis->conf->prefix.data;
    prefix.len = d->redis->conf->prefix.len;

    if (cwmp_keys(&arena, &prefix, (unsigned) d->redis->conf->partitions, &id,
                  keys)
        != CWMP_OK
        || ngx_cwmp_deadlines_key(d, &arena, "due", &keys[CWMP_DEVICE_KEYS])
           != NGX_OK
        || ngx_cwmp_deadlines_key(d, &arena, "due:lock", &keys[CWMP_KEYS])
           != NGX_OK)
    {
        return;
    }

    args[0] = id;
    args[1].data = (u_char *) member->str;
    args[1].len = member->len;

    args[2].data = d->token;
    args[2].len = d->token_len;
    args[3].data = (u_char *) NGX_CWMP_DUE_LOCK;
    args[3].len = sizeof(NGX_CWMP_DUE_LOCK) - 1;

    (void) ngx_cwmp_deadlines_call(d, "cwmp_deadline_2", keys, CWMP_KEYS + 1,
                                   args, 4, ngx_cwmp_deadlines_done);
}


static void
ngx_cwmp_deadlines_done(void *data, redisReply *reply, const char *error)
{
    ngx_cwmp_deadlines_t  *d = data;

    d->pending--;

    if (reply == NULL) {
        return;
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        d->more = 0;                    /* a tick is soon enough */
        ngx_cwmp_deadlines_refused(d, reply);
        return;
    }

    /* what is left is asked for as soon as this is done */

    if (d->more && d->pending == 0 && !ngx_exiting) {
        d->partition = d->asked;
        ngx_cwmp_deadlines_again(d, d->more);
        d->more = 0;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2) {
        return;
    }

    ngx_cwmp_log_notes(d->timer.log, reply->element[1]);
}


/* a line for each change, and one a minute */

static void
ngx_cwmp_deadlines_refused(ngx_cwmp_deadlines_t *d, redisReply *reply)
{
    if (ngx_strncmp(reply->str, d->said, sizeof(d->said) - 1) == 0
        && ngx_current_msec - d->said_at < NGX_CWMP_DUE_QUIET)
    {
        return;
    }

    ngx_cpystrn(d->said, (u_char *) reply->str, sizeof(d->said));
    d->said_at = ngx_current_msec;

    ngx_log_error(NGX_LOG_ERR, d->timer.log, 0,
                  "deadlines cannot be kept, no task expires until that is "
                  "mended: Redis (cwmp_redis %V) answered: %s",
                  &((ngx_addr_t *) d->redis->conf->addrs.elts)->name,
                  reply->str);
}


/* ngx_add_timer() leaves a timer that is set when it differs by little */

static void
ngx_cwmp_deadlines_again(ngx_cwmp_deadlines_t *d, ngx_msec_t ms)
{
    if (d->timer.timer_set) {
        ngx_del_timer(&d->timer);
    }

    ngx_add_timer(&d->timer, ms);
}


/* for a log: nothing that a terminal obeys, or a browser */

void
ngx_cwmp_make_plain(u_char *p, u_char *last)
{
    for ( /* void */ ; p < last; p++) {
        if (*p < ' ' || *p > '~' || *p == '<' || *p == '>') {
            *p = '?';
        }
    }
}


/* why this is no answer, for a log */

const char *
ngx_cwmp_why(redisReply *reply, const char *error)
{
    if (reply == NULL) {
        return error;
    }

    return (reply->type == REDIS_REPLY_ERROR)
           ? ngx_cwmp_plain_error(reply) : "Redis answered what is no answer";
}


/* an error of Redis, which may name a key that has a user's name in it */

char *
ngx_cwmp_plain_error(redisReply *reply)
{
    ngx_cwmp_make_plain((u_char *) reply->str,
                        (u_char *) reply->str + reply->len);

    return reply->str;
}


/* what a function wants an operator to know; may hold a task's words */

void
ngx_cwmp_log_notes(ngx_log_t *log, redisReply *notes)
{
    size_t       i;
    redisReply  *note;

    if (notes->type != REDIS_REPLY_ARRAY) {
        return;
    }

    for (i = 0; i < notes->elements; i++) {

        note = notes->element[i];

        if (note->type != REDIS_REPLY_STRING) {
            continue;
        }

        ngx_cwmp_make_plain((u_char *) note->str,
                            (u_char *) note->str + note->len);

        ngx_log_error(NGX_LOG_NOTICE, log, 0, "%s", note->str);
    }
}
