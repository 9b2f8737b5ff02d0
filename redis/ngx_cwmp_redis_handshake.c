
/*
 * What is said on a new connection before any user's command: who we are,
 * which database, and that the function library there is ours and new enough.
 *
 *   AUTH, SELECT, CLIENT SETNAME, INFO, FCALL_RO cwmp_version   in one send()
 *       missing or older: FUNCTION LOAD, then cwmp_version again
 *   FCALL cwmp_meta_1                                       then READY
 *
 * Each reply has its handler here.  A handler either goes on or calls
 * ngx_cwmp_redis_lost() as its last act.  To say one thing more, add it to
 * ngx_cwmp_redis_handshake().  This file knows nothing of sockets, timers and
 * users' commands.
 */

#include "ngx_cwmp_redis_int.h"


typedef struct {
    ngx_str_t       word;
    const char     *hint;
    const char     *sentinel;       /* the hint, if it is one's */
    unsigned        cluster:1;      /* one's node may say so at any time */
} ngx_cwmp_redis_hopeless_t;


static void ngx_cwmp_redis_auth_reply(void *data, redisReply *reply,
    const char *error);
static void ngx_cwmp_redis_select_reply(void *data, redisReply *reply,
    const char *error);
static void ngx_cwmp_redis_setname_reply(void *data, redisReply *reply,
    const char *error);
static void ngx_cwmp_redis_ping_reply(void *data, redisReply *reply,
    const char *error);
static void ngx_cwmp_redis_version_reply(void *data, redisReply *reply,
    const char *error);
static void ngx_cwmp_redis_load_reply(void *data, redisReply *reply,
    const char *error);
static void ngx_cwmp_redis_role_reply(void *data, redisReply *reply,
    const char *error);

static ngx_int_t ngx_cwmp_redis_auth(ngx_cwmp_redis_t *redis);
static ngx_int_t ngx_cwmp_redis_select(ngx_cwmp_redis_t *redis);
static ngx_int_t ngx_cwmp_redis_setname(ngx_cwmp_redis_t *redis);
static ngx_int_t ngx_cwmp_redis_version(ngx_cwmp_redis_t *redis);
static void ngx_cwmp_redis_load(ngx_cwmp_redis_t *redis, ngx_uint_t older);
static ngx_int_t ngx_cwmp_redis_info(ngx_cwmp_redis_t *redis);
static void ngx_cwmp_redis_info_reply(void *data, redisReply *reply,
    const char *error);
static void ngx_cwmp_redis_replicas(ngx_cwmp_redis_t *redis, u_char *info);
static ngx_int_t ngx_cwmp_redis_role(ngx_cwmp_redis_t *redis);
static void ngx_cwmp_redis_partitions(ngx_cwmp_redis_t *redis);


/* answers after which this connection is of no use to anybody */

static ngx_cwmp_redis_hopeless_t  ngx_cwmp_redis_words[] = {
    { ngx_string("LOADING "), "", NULL, 0 },
    { ngx_string("ERR max number of clients"),
      " (raise Redis' maxclients)", NULL, 0 },
    { ngx_string("DENIED "),
      " (Redis' protected mode: give it a password)", NULL, 0 },
    { ngx_string("READONLY "),
      " (a replica: name the master in cwmp_redis)", NULL, 0 },
    { ngx_string("MASTERDOWN "),
      " (a replica: name the master in cwmp_redis)", NULL, 0 },
    { ngx_string("MOVED "),
      " (a Cluster: add \"cluster\" to cwmp_redis)", NULL, 1 },
    { ngx_string("CLUSTERDOWN "),
      " (a Cluster: add \"cluster\" to cwmp_redis)", NULL, 1 },
    { ngx_string("NOAUTH "),
      " (set password= or password_file= in cwmp_redis)",
      " (set sentinel_password= in cwmp_redis)", 0 },
    { ngx_string("WRONGPASS "),
      " (check user= and password= of cwmp_redis)",
      " (check sentinel_password= of cwmp_redis)", 0 },
    { ngx_null_string, NULL, NULL, 0 }
};


ngx_int_t
ngx_cwmp_redis_handshake(ngx_cwmp_redis_t *redis)
{
    static ngx_str_t  ping = ngx_string("PING");

    if (ngx_cwmp_redis_auth(redis) != NGX_OK
        || ngx_cwmp_redis_select(redis) != NGX_OK
        || ngx_cwmp_redis_setname(redis) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (redis->front) {
        return ngx_cwmp_redis_who(redis);
    }

    if (redis->conf->sentinel.len && ngx_cwmp_redis_role(redis) != NGX_OK) {
        return NGX_ERROR;
    }

    if (redis->conf->library.len && ngx_cwmp_redis_info(redis) != NGX_OK) {
        return NGX_ERROR;
    }

    if (redis->conf->library.len == 0) {
        /* answered with LOADING where the commands above are not */
        return ngx_cwmp_redis_ask(redis, &ping, 1, ngx_cwmp_redis_ping_reply);
    }

    return ngx_cwmp_redis_library(redis);
}


ngx_int_t
ngx_cwmp_redis_library(ngx_cwmp_redis_t *redis)
{
    redis->loads = 0;

    return ngx_cwmp_redis_version(redis);
}


const char *
ngx_cwmp_redis_hopeless(ngx_cwmp_redis_t *redis, const redisReply *reply)
{
    ngx_cwmp_redis_hopeless_t  *h;

    if (reply->type != REDIS_REPLY_ERROR) {
        return NULL;
    }

    for (h = ngx_cwmp_redis_words; h->word.len; h++) {
        if (ngx_strncmp(reply->str, h->word.data, h->word.len) != 0
            || (h->cluster && redis->conf->cluster))
        {
            continue;
        }

        return (h->sentinel && redis->front && redis->conf->sentinel.len)
               ? h->sentinel : h->hint;
    }

    return NULL;
}


ngx_uint_t
ngx_cwmp_redis_missing(const redisReply *reply)
{
    return ngx_cwmp_redis_says(reply, "ERR Function not found");
}


static ngx_int_t
ngx_cwmp_redis_auth(ngx_cwmp_redis_t *redis)
{
    ngx_uint_t  n;
    ngx_str_t   argv[3];

    ngx_str_set(&argv[0], "AUTH");
    n = 1;

    if (redis->front && redis->conf->sentinel.len) {
        argv[n] = redis->conf->sentinel_password;

    } else {
        if (redis->conf->user.len) {
            argv[n++] = redis->conf->user;
        }

        argv[n] = redis->conf->password;
    }

    if (argv[n++].len == 0) {
        return NGX_OK;
    }

    return ngx_cwmp_redis_ask(redis, argv, n, ngx_cwmp_redis_auth_reply);
}


static void
ngx_cwmp_redis_auth_reply(void *data, redisReply *reply, const char *error)
{
    if (reply->type == REDIS_REPLY_ERROR) {
        ngx_cwmp_redis_refused(data, "AUTH", reply,
                               " (check user= and password= of cwmp_redis)");
    }
}


static ngx_int_t
ngx_cwmp_redis_select(ngx_cwmp_redis_t *redis)
{
    u_char     number[NGX_INT_T_LEN];
    ngx_str_t  argv[2];

    if (redis->conf->db == 0 || redis->front) {
        return NGX_OK;
    }

    ngx_str_set(&argv[0], "SELECT");
    argv[1].data = number;
    argv[1].len = ngx_sprintf(number, "%ui", redis->conf->db) - number;

    return ngx_cwmp_redis_ask(redis, argv, 2, ngx_cwmp_redis_select_reply);
}


static void
ngx_cwmp_redis_select_reply(void *data, redisReply *reply, const char *error)
{
    if (reply->type == REDIS_REPLY_ERROR) {
        ngx_cwmp_redis_refused(data, "SELECT", reply,
                               " (check db= of cwmp_redis)");
    }
}


static ngx_int_t
ngx_cwmp_redis_setname(ngx_cwmp_redis_t *redis)
{
    u_char      name[sizeof("cwmp::") + NGX_MAXHOSTNAMELEN + NGX_INT64_LEN];
    u_char     *p, *last;
    ngx_str_t   argv[3];

    last = ngx_slprintf(name, name + sizeof(name), "cwmp:%V:%P",
                        &ngx_cycle->hostname, ngx_pid);

    for (p = name; p < last; p++) {
        if (*p < '!' || *p > '~') {
            *p = '_';
        }
    }

    ngx_str_set(&argv[0], "CLIENT");
    ngx_str_set(&argv[1], "SETNAME");
    argv[2].data = name;
    argv[2].len = last - name;

    return ngx_cwmp_redis_ask(redis, argv, 3, ngx_cwmp_redis_setname_reply);
}


static void
ngx_cwmp_redis_setname_reply(void *data, redisReply *reply, const char *error)
{
    ngx_cwmp_redis_t  *redis = data;

    if (reply->type != REDIS_REPLY_ERROR) {
        return;
    }

    if (ngx_cwmp_redis_hopeless(redis, reply)) {
        ngx_cwmp_redis_refused(redis, "CLIENT SETNAME", reply, "");
        return;
    }

    /* a convenience for admins, which an ACL may forbid */

    ngx_log_error(NGX_LOG_INFO, &redis->log, 0,
                  "Redis refused CLIENT SETNAME: \"%s\"", reply->str);
}


/* CONFIG says no more of it, and those who rent their Redis may not use it */

static ngx_int_t
ngx_cwmp_redis_info(ngx_cwmp_redis_t *redis)
{
    static ngx_str_t  argv[] = {
        ngx_string("INFO"), ngx_string("memory"), ngx_string("persistence"),
        ngx_string("replication")
    };

    return ngx_cwmp_redis_ask(redis, argv, redis->conf->wait ? 4 : 3,
                              ngx_cwmp_redis_info_reply);
}


static void
ngx_cwmp_redis_info_reply(void *data, redisReply *reply, const char *error)
{
    u_char            *p, *last;
    ngx_cwmp_redis_t  *redis = data;

    static const char  key[] = "\r\nmaxmemory_policy:";

    if (ngx_cwmp_redis_says(reply, "BUSY ")) {
        ngx_cwmp_redis_refused(redis, "INFO", reply, "");
        return;
    }

    p = (reply->type == REDIS_REPLY_STRING)
        ? (u_char *) ngx_strstr(reply->str, key) : NULL;

    if (p == NULL) {
        if (ngx_cwmp_redis_hopeless(redis, reply) == NULL) {
            ngx_log_error(NGX_LOG_NOTICE, redis->parent, 0,
                          "Redis at %V: its maxmemory-policy is not known: "
                          "%s: make sure that it is noeviction",
                          ngx_cwmp_redis_name(redis),
                          ngx_cwmp_redis_says(reply, "NOPERM ")
                          ? "allow \"+info\" in its ACL"
                          : reply->type == REDIS_REPLY_ERROR ? reply->str
                          : "INFO does not tell it");
        }

        return;
    }

    p += sizeof(key) - 1;
    last = (u_char *) strchr((char *) p, '\r');

    if (ngx_strncmp(p, "noeviction\r", sizeof("noeviction\r") - 1) != 0) {
        ngx_cwmp_redis_lost(redis, 0, "its maxmemory-policy is \"%*s\", which "
                            "throws away devices and tasks: set it to "
                            "noeviction", last ? last - p : 0, p);
        return;
    }

    if (ngx_strstr(reply->str, "\r\naof_enabled:0") && ngx_worker == 0
        && !redis->conf->warned)
    {
        redis->conf->warned = 1;
        ngx_log_error(NGX_LOG_WARN, redis->parent, 0,
                      "Redis at %V: its append-only file is off: when it ends, "
                      "tasks since its last snapshot are lost, or all: set "
                      "\"appendonly yes\"", ngx_cwmp_redis_name(redis));
    }

    ngx_cwmp_redis_replicas(redis, (u_char *) reply->str);
}


/* with too few of them, what must not be repeated is never sent */

static void
ngx_cwmp_redis_replicas(ngx_cwmp_redis_t *redis, u_char *info)
{
    u_char     *p;
    ngx_int_t   n;

    static const char  key[] = "\r\nconnected_slaves:";

    p = (u_char *) ngx_strstr(info, key);

    if (redis->conf->wait == 0 || p == NULL || ngx_worker != 0) {
        return;
    }

    p += sizeof(key) - 1;
    n = ngx_atoi(p, strspn((char *) p, "0123456789"));

    if (n < (ngx_int_t) redis->conf->wait) {
        ngx_log_error(NGX_LOG_ERR, redis->parent, 0,
                      "Redis at %V: has %i replicas, wait=%ui of cwmp_redis "
                      "asks for more: until it has them nothing that must not "
                      "be repeated, as Reboot or AddObject, is sent",
                      ngx_cwmp_redis_name(redis), n, redis->conf->wait);
    }
}


/* a Sentinel may not know yet that another is the master */

static ngx_int_t
ngx_cwmp_redis_role(ngx_cwmp_redis_t *redis)
{
    static ngx_str_t  role = ngx_string("ROLE");

    return ngx_cwmp_redis_ask(redis, &role, 1, ngx_cwmp_redis_role_reply);
}


static void
ngx_cwmp_redis_role_reply(void *data, redisReply *reply, const char *error)
{
    if (reply->type == REDIS_REPLY_ERROR) {
        ngx_cwmp_redis_refused(data, "ROLE", reply, "");
        return;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0
        || reply->element[0]->type != REDIS_REPLY_STRING
        || ngx_strcmp(reply->element[0]->str, "master") != 0)
    {
        ngx_cwmp_redis_lost(data, 0, "it is not the master");
    }
}


static void
ngx_cwmp_redis_ping_reply(void *data, redisReply *reply, const char *error)
{
    if (reply->type == REDIS_REPLY_ERROR) {
        ngx_cwmp_redis_refused(data, "PING", reply, "");
        return;
    }

    ngx_cwmp_redis_ready(data);
}


static ngx_int_t
ngx_cwmp_redis_version(ngx_cwmp_redis_t *redis)
{
    static ngx_str_t  argv[] = {
        ngx_string("FCALL_RO"), ngx_string("cwmp_version"), ngx_string("0")
    };

    return ngx_cwmp_redis_ask(redis, argv, 3, ngx_cwmp_redis_version_reply);
}


static void
ngx_cwmp_redis_version_reply(void *data, redisReply *reply, const char *error)
{
    ngx_cwmp_redis_t  *redis = data;

    if (ngx_cwmp_redis_missing(reply)) {
        ngx_cwmp_redis_load(redis, 0);
        return;
    }

    if (ngx_cwmp_redis_says(reply, "ERR unknown command")) {
        ngx_cwmp_redis_refused(redis, "FCALL_RO", reply,
                               " (functions need Redis 7.0 or newer)");
        return;
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        ngx_cwmp_redis_refused(redis, "FCALL_RO cwmp_version", reply, "");
        return;
    }

    if (reply->type != REDIS_REPLY_INTEGER) {
        ngx_cwmp_redis_lost(redis, 0, "its function cwmp_version returns no "
                            "number: is another library \"cwmp\" loaded?");
        return;
    }

    if (reply->integer < (long long) redis->conf->library_version) {
        ngx_cwmp_redis_load(redis, 1);
        return;
    }

    ngx_cwmp_redis_partitions(redis);
}


/*
 * A missing library is loaded without REPLACE: when another node did so
 * meanwhile, maybe with a newer one, ours must not win.  Only where that
 * leaves us without the function (a library of our name but not ours) the
 * second try replaces.
 */

static void
ngx_cwmp_redis_load(ngx_cwmp_redis_t *redis, ngx_uint_t older)
{
    ngx_uint_t  n;
    ngx_str_t   argv[4];

    if (redis->loads == 2) {
        ngx_cwmp_redis_lost(redis, 0, "version %ui of the function library "
                            "was loaded, but Redis does not have it: do nodes "
                            "of several versions start at once?",
                            redis->conf->library_version);
        return;
    }

    ngx_str_set(&argv[0], "FUNCTION");
    ngx_str_set(&argv[1], "LOAD");
    ngx_str_set(&argv[2], "REPLACE");
    n = (older || redis->loads) ? 3 : 2;

    argv[n++] = redis->conf->library;
    redis->loads++;

    ngx_log_error(NGX_LOG_NOTICE, redis->parent, 0,
                  "Redis at %V: the function library is %s, "
                  "loading version %ui", ngx_cwmp_redis_name(redis),
                  older ? "older" : "missing", redis->conf->library_version);

    if (ngx_cwmp_redis_ask(redis, argv, n, ngx_cwmp_redis_load_reply)
        != NGX_OK)
    {
        ngx_cwmp_redis_lost(redis, 0, "no memory to load the library");
    }
}


static void
ngx_cwmp_redis_load_reply(void *data, redisReply *reply, const char *error)
{
    ngx_cwmp_redis_t  *redis = data;

    if (reply->type == REDIS_REPLY_ERROR
        && ngx_strstr(reply->str, "already exists") == NULL)
    {
        ngx_cwmp_redis_refused(redis, "FUNCTION LOAD", reply, "");
        return;
    }

    if (ngx_cwmp_redis_version(redis) != NGX_OK) {
        ngx_cwmp_redis_lost(redis, 0, "no memory for the handshake");
    }
}


/* of a Cluster one node has the key: its set asks that one */

static void
ngx_cwmp_redis_partitions(ngx_cwmp_redis_t *redis)
{
    if (redis->conf->cluster) {
        ngx_cwmp_redis_ready(redis);
        return;
    }

    if (ngx_cwmp_redis_meta(redis, NULL, ngx_cwmp_redis_meta_reply, NULL)
        != NGX_OK)
    {
        ngx_cwmp_redis_lost(redis, 0, "no memory for the handshake");
    }
}


ngx_int_t
ngx_cwmp_redis_meta(ngx_cwmp_redis_t *redis, ngx_cwmp_redis_t *to,
    ngx_cwmp_redis_pt handler, ngx_cwmp_redis_cmd_t **cmd)
{
    u_char      *key, number[NGX_INT_T_LEN];
    size_t       len;
    ngx_int_t    rc;
    ngx_str_t    argv[5];
    const char  *error;

    len = redis->conf->prefix.len + sizeof(":meta") - 1;

    key = ngx_alloc(len, redis->parent);
    if (key == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(key, "%V:meta", &redis->conf->prefix);

    ngx_str_set(&argv[0], "FCALL");
    ngx_str_set(&argv[1], "cwmp_meta_1");
    ngx_str_set(&argv[2], "1");
    argv[3].data = key;
    argv[3].len = len;
    argv[4].data = number;
    argv[4].len = ngx_sprintf(number, "%ui", redis->conf->partitions) - number;

    if (to) {
        *cmd = ngx_cwmp_redis_send(to, argv, 5, handler, redis, &error);
        rc = *cmd ? NGX_OK : NGX_ERROR;

    } else {
        rc = ngx_cwmp_redis_ask(redis, argv, 5, handler);
    }

    ngx_free(key);

    return rc;
}


void
ngx_cwmp_redis_meta_reply(void *data, redisReply *reply, const char *error)
{
    ngx_cwmp_redis_t  *redis = data;

    if (reply->type != REDIS_REPLY_ERROR) {
        ngx_cwmp_redis_ready(redis);
        return;
    }

    if (ngx_strstr(reply->str, "partitions")) {
        ngx_cwmp_redis_refused(redis, "partitions=", reply,
                               " (set partitions= of cwmp_redis to that"
                               " number, or use another prefix=)");
        return;
    }

    ngx_cwmp_redis_refused(redis, "FCALL cwmp_meta_1", reply, "");
}


void
ngx_cwmp_redis_refused(ngx_cwmp_redis_t *redis, const char *what,
    redisReply *reply, const char *hint)
{
    const char  *known;

    known = ngx_cwmp_redis_hopeless(redis, reply);

    if (known) {
        hint = known;
    }

    ngx_cwmp_redis_lost(redis, 0, "it refused %s: \"%*s\"%s", what,
                        ngx_min(reply->len, 120), reply->str, hint);
}


ngx_uint_t
ngx_cwmp_redis_says(const redisReply *reply, const char *text)
{
    return reply->type == REDIS_REPLY_ERROR
           && ngx_strncmp(reply->str, text, ngx_strlen(text)) == 0;
}
