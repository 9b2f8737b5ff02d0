/*
 * Directives, their merging and checks, and the module's life in a worker.
 * Knows no envelope and no command of Redis.
 */

#include "ngx_http_cwmp.h"
#include "ngx_cwmp_lua.h"

#include <libxml/parser.h>
#include <openssl/rand.h>

#if (__GLIBC__)
#include <malloc.h>
#endif


static ngx_int_t ngx_http_cwmp_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_cwmp_postconfiguration(ngx_conf_t *cf);
static void *ngx_http_cwmp_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_cwmp_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_cwmp_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_cwmp_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static void ngx_http_cwmp_merge_values(ngx_http_cwmp_loc_conf_t *prev,
    ngx_http_cwmp_loc_conf_t *conf);
static ngx_int_t ngx_http_cwmp_acs_needs(ngx_conf_t *cf,
    ngx_http_cwmp_loc_conf_t *conf);
static char *ngx_http_cwmp_acs(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_cwmp_redis(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_cwmp_session_timeout(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_cwmp_max_envelope(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_cwmp_max_rpcs(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_cwmp_session_fallback(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static ngx_int_t ngx_http_cwmp_init_process(ngx_cycle_t *cycle);
static void ngx_http_cwmp_keep_memory(void);
static void ngx_http_cwmp_exit_process(ngx_cycle_t *cycle);


/* bytes that a worker keeps, though they are free */
#define NGX_HTTP_CWMP_FREE_MEMORY  (16 * 1024 * 1024)

#define NGX_HTTP_CWMP_ANY  NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF             \
                           |NGX_HTTP_LOC_CONF

static ngx_command_t  ngx_http_cwmp_commands[] = {

    { ngx_string("cwmp_acs"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_cwmp_acs,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cwmp_redis"),
      NGX_HTTP_CWMP_ANY|NGX_CONF_1MORE,
      ngx_http_cwmp_redis,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cwmp_session_timeout"),
      NGX_HTTP_CWMP_ANY|NGX_CONF_TAKE12,
      ngx_http_cwmp_session_timeout,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cwmp_max_envelope"),
      NGX_HTTP_CWMP_ANY|NGX_CONF_TAKE1,
      ngx_http_cwmp_max_envelope,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cwmp_max_rpcs"),
      NGX_HTTP_CWMP_ANY|NGX_CONF_TAKE1,
      ngx_http_cwmp_max_rpcs,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cwmp_session_fallback"),
      NGX_HTTP_CWMP_ANY|NGX_CONF_TAKE1,
      ngx_http_cwmp_session_fallback,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cwmp_auth"),
      NGX_HTTP_CWMP_ANY|NGX_CONF_1MORE,
      ngx_http_cwmp_auth,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cwmp_identity"),
      NGX_HTTP_CWMP_ANY|NGX_CONF_TAKE1,
      ngx_http_cwmp_identity,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_cwmp_loc_conf_t, identity),
      NULL },

    { ngx_string("cwmp_unknown"),
      NGX_HTTP_CWMP_ANY|NGX_CONF_1MORE,
      ngx_http_cwmp_unknown,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cwmp_first_contact"),
      NGX_HTTP_CWMP_ANY|NGX_CONF_1MORE,
      ngx_http_cwmp_first_contact,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cwmp_secret_key"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_cwmp_secret_key,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cwmp_overload"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_cwmp_overload,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cwmp_ready"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_cwmp_ready,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cwmp_metrics"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_cwmp_metrics,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_cwmp_module_ctx = {
    ngx_http_cwmp_preconfiguration,        /* preconfiguration */
    ngx_http_cwmp_postconfiguration,       /* postconfiguration */

    ngx_http_cwmp_create_main_conf,        /* create main configuration */
    ngx_http_cwmp_init_main_conf,          /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_cwmp_create_loc_conf,         /* create location configuration */
    ngx_http_cwmp_merge_loc_conf           /* merge location configuration */
};


ngx_module_t  ngx_http_cwmp_module = {
    NGX_MODULE_V1,
    &ngx_http_cwmp_module_ctx,             /* module context */
    ngx_http_cwmp_commands,                /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_cwmp_init_process,            /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_cwmp_exit_process,            /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_cwmp_preconfiguration(ngx_conf_t *cf)
{
    xmlInitParser();

    return ngx_http_cwmp_add_variables(cf);
}


/* a "resolver" may stand behind its "cwmp_redis", or further out */

static ngx_int_t
ngx_http_cwmp_postconfiguration(ngx_conf_t *cf)
{
    ngx_uint_t                  i;
    ngx_http_handler_pt        *h;
    ngx_http_cwmp_redis_t     **redis;
    ngx_http_core_main_conf_t  *core;
    ngx_http_cwmp_main_conf_t  *cmcf;

    core = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&core->phases[NGX_HTTP_ACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    /* asked last: who is denied by address guesses no passwords */

    h = core->phases[NGX_HTTP_ACCESS_PHASE].handlers.elts;
    ngx_memmove(h + 1, h, (core->phases[NGX_HTTP_ACCESS_PHASE].handlers.nelts
                           - 1) * sizeof(ngx_http_handler_pt));
    *h = ngx_http_cwmp_access;

    if (ngx_http_cwmp_auth_listeners(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_cwmp_module);
    redis = cmcf->redis.elts;

    for (i = 0; i < cmcf->redis.nelts; i++) {
        redis[i]->conf->resolver = redis[i]->core->resolver;
        redis[i]->conf->resolver_timeout = redis[i]->core->resolver_timeout;

        if (redis[i]->conf->resolver_timeout == NGX_CONF_UNSET_MSEC) {
            redis[i]->conf->resolver_timeout = 30000;
        }
    }

    return NGX_OK;
}


static void *
ngx_http_cwmp_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_cwmp_main_conf_t  *cmcf;

    cmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_cwmp_main_conf_t));
    if (cmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&cmcf->redis, cf->pool, 1,
                       sizeof(ngx_http_cwmp_redis_t *))
        != NGX_OK)
    {
        return NULL;
    }

    cmcf->slow = NGX_CONF_UNSET_MSEC;

    return cmcf;
}


static char *
ngx_http_cwmp_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_cwmp_main_conf_t  *cmcf = conf;

    ngx_conf_init_msec_value(cmcf->slow, 500);

    return NGX_CONF_OK;
}


static void *
ngx_http_cwmp_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_cwmp_loc_conf_t  *clcf;

    clcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_cwmp_loc_conf_t));
    if (clcf == NULL) {
        return NULL;
    }

    clcf->redis = NGX_CONF_UNSET_PTR;
    clcf->session_timeout = NGX_CONF_UNSET_MSEC;
    clcf->outstanding_timeout = NGX_CONF_UNSET_MSEC;
    clcf->max_envelope = NGX_CONF_UNSET_SIZE;
    clcf->max_rpcs = NGX_CONF_UNSET_UINT;
    clcf->fallback = NGX_CONF_UNSET_UINT;
    clcf->auth = NGX_CONF_UNSET_UINT;
    clcf->unknown.mode = NGX_CONF_UNSET_UINT;

    return clcf;
}


static char *
ngx_http_cwmp_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_cwmp_loc_conf_t  *prev = parent;
    ngx_http_cwmp_loc_conf_t  *conf = child;

    ngx_http_core_loc_conf_t  *core;

    core = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* "if" and "limit_except": the handler is that of the location around,
       which nginx keeps for the first one alone */

    if (core->noname && prev->serves.len) {
        *conf = *prev;

        if (core->lmt_excpt && core->handler == NULL) {
            core->handler = conf->handler;
        }

        if (conf->acs) {
            core->client_max_body_size = conf->max_envelope;
        }

        return NGX_CONF_OK;
    }

    ngx_http_cwmp_merge_values(prev, conf);

    if (conf->serves.len == 0) {
        return NGX_CONF_OK;
    }

    if (ngx_http_cwmp_metrics_zone(cf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (conf->alone) {
        return NGX_CONF_OK;
    }

    if (conf->redis == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" needs \"cwmp_redis\": say where Redis "
                           "is, e.g. cwmp_redis 127.0.0.1:6379;",
                           &conf->serves);
        return NGX_CONF_ERROR;
    }

    return (!conf->acs || ngx_http_cwmp_acs_needs(cf, conf) == NGX_OK)
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static void
ngx_http_cwmp_merge_values(ngx_http_cwmp_loc_conf_t *prev,
    ngx_http_cwmp_loc_conf_t *conf)
{
    ngx_conf_merge_ptr_value(conf->redis, prev->redis, NULL);
    ngx_conf_merge_msec_value(conf->session_timeout, prev->session_timeout,
                              30000);
    ngx_conf_merge_msec_value(conf->outstanding_timeout,
                              prev->outstanding_timeout, 300000);
    ngx_conf_merge_size_value(conf->max_envelope, prev->max_envelope,
                              32 * 1024 * 1024);
    ngx_conf_merge_uint_value(conf->max_rpcs, prev->max_rpcs, 256);
    ngx_conf_merge_uint_value(conf->fallback, prev->fallback,
                              NGX_HTTP_CWMP_FALLBACK_OFF);

    ngx_http_cwmp_auth_merge(prev, conf);
    ngx_http_cwmp_unknown_merge(&prev->unknown, &conf->unknown);

    if (conf->first_contact.data == NULL) {
        conf->first_contact = prev->first_contact;
        conf->rotates = prev->rotates;
    }
}


static ngx_int_t
ngx_http_cwmp_acs_needs(ngx_conf_t *cf, ngx_http_cwmp_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t   *core;
    ngx_http_cwmp_main_conf_t  *cmcf;

    if (ngx_http_cwmp_auth_needs(cf, conf) != NGX_OK) {
        return NGX_ERROR;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_cwmp_module);

    if (conf->rotates && cmcf->secret == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"cwmp_first_contact "
                           "rotate\" makes passwords, which are stored sealed: "
                           "make a key with (umask 77; openssl rand -hex 32 > "
                           "FILE), and say cwmp_secret_key FILE; in http");
        return NGX_ERROR;
    }

    if (ngx_http_cwmp_attempts_zone(cf, "cwmp_unknown", &cmcf->sources)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    conf->limits = cwmp_default_limits;
    conf->limits.bytes = conf->max_envelope;

    /* one bound for the body: ours */

    core = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    core->client_max_body_size = conf->max_envelope;

    return NGX_OK;
}


static char *
ngx_http_cwmp_acs(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cwmp_loc_conf_t  *clcf = conf;

    clcf->acs = 1;

    return ngx_http_cwmp_serves(cf, conf, ngx_http_cwmp_handler);
}


/* this directive's handler serves the location, and no other of ours does */

char *
ngx_http_cwmp_serves(ngx_conf_t *cf, ngx_http_cwmp_loc_conf_t *clcf,
    ngx_http_handler_pt handler)
{
    ngx_str_t                 *value;
    ngx_http_core_loc_conf_t  *core;

    value = cf->args->elts;
    core = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->serves.len) {

        if (clcf->handler == handler) {
            return "is duplicate";
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" directive and \"%V\" "
                           "are in one location: use two", &value[0],
                           &clcf->serves);
        return NGX_CONF_ERROR;
    }

    clcf->serves = value[0];
    clcf->handler = handler;
    core->handler = handler;

    return NGX_CONF_OK;
}


static char *
ngx_http_cwmp_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cwmp_loc_conf_t  *clcf = conf;

    char                       *rv;
    ngx_http_cwmp_redis_t      *redis, **p;
    ngx_http_cwmp_main_conf_t  *cmcf;

    if (clcf->redis != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    redis = ngx_pcalloc(cf->pool, sizeof(ngx_http_cwmp_redis_t));
    if (redis == NULL) {
        return NGX_CONF_ERROR;
    }

    rv = ngx_cwmp_redis_directive(cf, cmd, &redis->conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    redis->conf->library.data = (u_char *) ngx_cwmp_lua;
    redis->conf->library.len = sizeof(ngx_cwmp_lua);
    redis->conf->library_version = NGX_CWMP_LUA_VERSION;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_cwmp_module);

    p = ngx_array_push(&cmcf->redis);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    *p = redis;
    clcf->redis = redis;
    redis->core = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    return NGX_CONF_OK;
}


static char *
ngx_http_cwmp_session_timeout(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cwmp_loc_conf_t  *clcf = conf;

    ngx_str_t   *value, s;
    ngx_msec_t   ms;

    if (clcf->session_timeout != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;

    ms = ngx_parse_time(&value[1], 0);
    if (ms == (ngx_msec_t) NGX_ERROR || ms == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid time \"%V\" in "
                           "\"cwmp_session_timeout\": use e.g. 30s", &value[1]);
        return NGX_CONF_ERROR;
    }

    clcf->session_timeout = ms;

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    s = value[2];

    if (ngx_strncmp(s.data, "outstanding=", 12) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\" in "
                           "\"cwmp_session_timeout\": use outstanding=300s",
                           &s);
        return NGX_CONF_ERROR;
    }

    s.data += 12;
    s.len -= 12;

    ms = ngx_parse_time(&s, 0);
    if (ms == (ngx_msec_t) NGX_ERROR || ms == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid time \"%V\" in "
                           "\"cwmp_session_timeout\": use e.g. "
                           "outstanding=300s", &value[2]);
        return NGX_CONF_ERROR;
    }

    clcf->outstanding_timeout = ms;

    return NGX_CONF_OK;
}


char *
ngx_http_cwmp_invalid(ngx_conf_t *cf, const char *use)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" in \"%V\": use %s", &value[1],
                       &value[0], use);

    return NGX_CONF_ERROR;
}


/* of two parameters, "on", "rate=1/m", of one name one was not meant */

char *
ngx_http_cwmp_distinct(ngx_conf_t *cf)
{
    size_t      len;
    u_char     *p;
    ngx_str_t  *value, *one, *other;

    value = cf->args->elts;

    for (one = value + 1; one < value + cf->args->nelts; one++) {
        p = (u_char *) ngx_strchr(one->data, '=');
        len = p ? (size_t) (p + 1 - one->data) : one->len + 1;

        for (other = value + 1; other < one; other++) {

            if (ngx_strncmp(one->data, other->data, len) == 0) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "duplicate parameter "
                                   "\"%V\" in \"%V\": \"%V\" stands there",
                                   one, &value[0], other);
                return NGX_CONF_ERROR;
            }
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_cwmp_max_envelope(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cwmp_loc_conf_t  *clcf = conf;

    ssize_t     size;
    ngx_str_t  *value;

    if (clcf->max_envelope != NGX_CONF_UNSET_SIZE) {
        return "is duplicate";
    }

    value = cf->args->elts;
    size = ngx_parse_size(&value[1]);

    /* CPEs rely on 32 KB (TR-069 A6 3.4.1) */

    if (size < 32768) {
        return ngx_http_cwmp_invalid(cf, "a size such as 32m, at least 32k");
    }

    clcf->max_envelope = size;

    return NGX_CONF_OK;
}


static char *
ngx_http_cwmp_max_rpcs(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cwmp_loc_conf_t  *clcf = conf;

    ngx_int_t   n;
    ngx_str_t  *value;

    if (clcf->max_rpcs != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;
    n = ngx_atoi(value[1].data, value[1].len);

    if (n < 1) {
        return ngx_http_cwmp_invalid(cf, "a number such as 256, at least 1");
    }

    clcf->max_rpcs = n;

    return NGX_CONF_OK;
}


static char *
ngx_http_cwmp_session_fallback(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cwmp_loc_conf_t  *clcf = conf;

    ngx_str_t  *value;

    if (clcf->fallback != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        clcf->fallback = NGX_HTTP_CWMP_FALLBACK_OFF;

    } else if (ngx_strcmp(value[1].data, "connection") == 0) {
        clcf->fallback = NGX_HTTP_CWMP_FALLBACK_CONNECTION;

    } else {
        return ngx_http_cwmp_invalid(cf, "off or connection");
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_cwmp_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                  i;
    ngx_http_cwmp_redis_t     **redis;
    ngx_http_cwmp_main_conf_t  *cmcf;

    /* cache manager and loader come by here, too */

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    cmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_cwmp_module);
    if (cmcf == NULL) {
        return NGX_OK;
    }

    if (RAND_bytes((u_char *) &cmcf->worker, sizeof(uint64_t)) != 1) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "RAND_bytes() failed");
        return NGX_ERROR;
    }

    redis = cmcf->redis.elts;

    if (cmcf->redis.nelts) {
        ngx_http_cwmp_keep_memory();
    }

    for (i = 0; i < cmcf->redis.nelts; i++) {

        redis[i]->client = ngx_cwmp_redis_create(cycle, redis[i]->conf);
        if (redis[i]->client == NULL) {
            return NGX_ERROR;
        }

        redis[i]->pace.limit = cmcf->slow;

        if (ngx_cwmp_deadlines_start(cycle, redis[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * What a long answer needs is freed at its end: to give that back to the
 * kernel, and to have its pages made anew for the next one, was a fifth of its
 * cost.  The environment's word counts more.
 */

static void
ngx_http_cwmp_keep_memory(void)
{
#if (__GLIBC__)

    if (getenv("MALLOC_TRIM_THRESHOLD_") == NULL) {
        (void) mallopt(M_TRIM_THRESHOLD, NGX_HTTP_CWMP_FREE_MEMORY);
    }

    if (getenv("MALLOC_MMAP_THRESHOLD_") == NULL) {
        (void) mallopt(M_MMAP_THRESHOLD, NGX_HTTP_CWMP_FREE_MEMORY / 16);
    }

#endif
}


static void
ngx_http_cwmp_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                  i;
    ngx_http_cwmp_redis_t     **redis;
    ngx_http_cwmp_main_conf_t  *cmcf;

    cmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_cwmp_module);
    if (cmcf == NULL) {
        return;
    }

    redis = cmcf->redis.elts;

    for (i = 0; i < cmcf->redis.nelts; i++) {
        if (redis[i]->client) {
            ngx_cwmp_redis_destroy(redis[i]->client);
            redis[i]->client = NULL;
        }
    }
}
