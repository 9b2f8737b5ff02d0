
/*
 * The directive "cwmp_redis": from words to a ngx_cwmp_redis_conf_t.  Each
 * name=value is a row of ngx_cwmp_redis_params[]; to add one, add a row, and
 * its default in ngx_cwmp_redis_directive().  Every refusal says what to write
 * instead, and none shows a password.  Nothing is connected here.
 */

#include "ngx_cwmp_redis_conf.h"


static ngx_uint_t ngx_cwmp_redis_is_address(ngx_str_t *arg);
static char *ngx_cwmp_redis_address(ngx_conf_t *cf, ngx_str_t *value,
    ngx_cwmp_redis_conf_t *rcf);
static char *ngx_cwmp_redis_parameter(ngx_conf_t *cf, ngx_str_t *arg,
    ngx_cwmp_redis_conf_t *rcf, ngx_uint_t *seen);
static ngx_uint_t ngx_cwmp_redis_is_unix(ngx_cwmp_redis_conf_t *rcf);
static char *ngx_cwmp_redis_check(ngx_conf_t *cf, ngx_cwmp_redis_conf_t *rcf,
    ngx_uint_t seen);


#define NGX_CWMP_REDIS_USER           0
#define NGX_CWMP_REDIS_PASSWORD       1
#define NGX_CWMP_REDIS_PASSWORD_FILE  2
#define NGX_CWMP_REDIS_PARTITIONS     3


/* the first four in the order of the numbers above */

static ngx_cwmp_redis_param_t  ngx_cwmp_redis_params[] = {

    { ngx_string("user="), ngx_cwmp_redis_word,
      offsetof(ngx_cwmp_redis_conf_t, user), 0, 0,
      "the name of a user in Redis' ACL" },

    { ngx_string("password="), ngx_cwmp_redis_word,
      offsetof(ngx_cwmp_redis_conf_t, password), 0, 0,
      "a word, or password_file=PATH" },

    { ngx_string("password_file="), ngx_cwmp_redis_secret_file,
      offsetof(ngx_cwmp_redis_conf_t, password), 0, 0,
      "the path of a file with the password in its first line" },

    { ngx_string("partitions="), ngx_cwmp_redis_number,
      offsetof(ngx_cwmp_redis_conf_t, partitions), 1, 1024,
      "a number from 1 to 1024" },

    { ngx_string("cluster"), ngx_cwmp_redis_flag,
      offsetof(ngx_cwmp_redis_conf_t, cluster), 0, 0, "" },

    { ngx_string("sentinel="), ngx_cwmp_redis_word,
      offsetof(ngx_cwmp_redis_conf_t, sentinel), 0, 0,
      "the master's name in the Sentinels' configuration" },

    { ngx_string("sentinel_password="), ngx_cwmp_redis_word,
      offsetof(ngx_cwmp_redis_conf_t, sentinel_password), 0, 0,
      "the password of the Sentinels themselves" },

    { ngx_string("tls"), ngx_cwmp_redis_flag,
      offsetof(ngx_cwmp_redis_conf_t, tls), 0, 0, "" },

    { ngx_string("tls_ca="), ngx_cwmp_redis_word,
      offsetof(ngx_cwmp_redis_conf_t, tls_ca), 0, 0,
      "the path of a file of CA certificates" },

    { ngx_string("tls_name="), ngx_cwmp_redis_word,
      offsetof(ngx_cwmp_redis_conf_t, tls_name), 0, 0,
      "the name in Redis' certificate" },

    { ngx_string("tls_cert="), ngx_cwmp_redis_word,
      offsetof(ngx_cwmp_redis_conf_t, tls_cert), 0, 0,
      "the path of a file with a certificate" },

    { ngx_string("tls_key="), ngx_cwmp_redis_word,
      offsetof(ngx_cwmp_redis_conf_t, tls_key), 0, 0,
      "the path of a file with the certificate's key" },

    { ngx_string("db="), ngx_cwmp_redis_number,
      offsetof(ngx_cwmp_redis_conf_t, db), 0, 65535,
      "a number from 0 to 65535" },

    { ngx_string("prefix="), ngx_cwmp_redis_prefix,
      offsetof(ngx_cwmp_redis_conf_t, prefix), 0, NGX_CWMP_REDIS_PREFIX,
      "1 to 32 of letters, digits, \".\", \"_\" and \"-\"" },

    { ngx_string("timeout="), ngx_cwmp_redis_time,
      offsetof(ngx_cwmp_redis_conf_t, timeout), 1, 60000,
      "a time such as 2s, at most 60s" },

    { ngx_string("connect_timeout="), ngx_cwmp_redis_time,
      offsetof(ngx_cwmp_redis_conf_t, connect_timeout), 1, 60000,
      "a time such as 1s, at most 60s" },

    { ngx_string("max_pending="), ngx_cwmp_redis_number,
      offsetof(ngx_cwmp_redis_conf_t, max_pending), 1, 1000000,
      "a number from 1 to 1000000" },

    { ngx_string("wait="), ngx_cwmp_redis_number,
      offsetof(ngx_cwmp_redis_conf_t, wait), 0, 16,
      "a number of replicas from 0 to 16" },

    { ngx_null_string, NULL, 0, 0, 0, NULL }
};


char *
ngx_cwmp_redis_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_cwmp_redis_conf_t **slot = conf;

    char                   *rv;
    ngx_str_t              *value;
    ngx_uint_t              i, seen;
    ngx_cwmp_redis_conf_t  *rcf;

    if (*slot != NULL && *slot != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    rcf = ngx_pcalloc(cf->pool, sizeof(ngx_cwmp_redis_conf_t));
    if (rcf == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_str_set(&rcf->prefix, "cwmp");
    rcf->partitions = 1;
    rcf->timeout = 2000;
    rcf->connect_timeout = 1000;
    rcf->max_pending = 10000;
    rcf->log = &cf->cycle->new_log;

    value = cf->args->elts;

    if (ngx_array_init(&rcf->addrs, cf->pool, 1, sizeof(ngx_addr_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (ngx_array_init(&rcf->hosts, cf->pool, 1, sizeof(ngx_cwmp_redis_host_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    i = 1;

    do {
        rv = ngx_cwmp_redis_address(cf, &value[i], rcf);
        if (rv != NGX_CONF_OK) {
            return rv;
        }

        i++;

    } while (i < cf->args->nelts && ngx_cwmp_redis_is_address(&value[i]));

    rcf->written = i - 1;
    seen = 0;

    for ( /* void */ ; i < cf->args->nelts; i++) {
        rv = ngx_cwmp_redis_parameter(cf, &value[i], rcf, &seen);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    rv = ngx_cwmp_redis_check(cf, rcf, seen);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    *slot = rcf;

    return NGX_CONF_OK;
}


/* neither name=value nor a word that is a parameter */

static ngx_uint_t
ngx_cwmp_redis_is_address(ngx_str_t *arg)
{
    return ngx_strncmp(arg->data, "unix:", 5) == 0
           || (ngx_strlchr(arg->data, arg->data + arg->len, ':')
               && ngx_strlchr(arg->data, arg->data + arg->len, '=') == NULL);
}


static char *
ngx_cwmp_redis_address(ngx_conf_t *cf, ngx_str_t *value,
    ngx_cwmp_redis_conf_t *rcf)
{
    u_char                 *p;
    ngx_url_t               u;
    ngx_uint_t              i;
    ngx_addr_t             *addr;
    ngx_cwmp_redis_host_t  *host;

    /* getaddrinfo() would take 6379 for the address 0.0.24.235 */

    for (p = value->data; *p >= '0' && *p <= '9'; p++) { /* void */ }

    if (*p == '\0') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid address \"%V\" in cwmp_redis: use "
                           "host:port or unix:/path", value);
        return NGX_CONF_ERROR;
    }

    /* it may be password=, which is not shown */

    if (ngx_strlchr(value->data, value->data + value->len, '=')
        && ngx_strncmp(value->data, "unix:", 5) != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no address in cwmp_redis: use host:port or "
                           "unix:/path before the parameters");
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&u, sizeof(ngx_url_t));
    u.url = *value;
    u.default_port = 6379;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK || u.naddrs == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s in cwmp_redis \"%V\": use host:port or "
                           "unix:/path", u.err ? u.err : "no address", value);
        return NGX_CONF_ERROR;
    }

    /* what is no literal address is a name */

    if (u.family != AF_UNIX && u.host.data[0] != '['
        && ngx_inet_addr(u.host.data, u.host.len) == INADDR_NONE)
    {
        host = ngx_array_push(&rcf->hosts);
        if (host == NULL) {
            return NGX_CONF_ERROR;
        }

        host->name = u.host;
        host->port = u.port;
        host->first = rcf->addrs.nelts;
        host->n = u.naddrs;
        host->state = 0;
    }

    for (i = 0; i < u.naddrs; i++) {
        addr = ngx_array_push(&rcf->addrs);
        if (addr == NULL) {
            return NGX_CONF_ERROR;
        }

        *addr = u.addrs[i];

        if (u.naddrs == 1) {
            addr->name = *value;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_cwmp_redis_parameter(ngx_conf_t *cf, ngx_str_t *arg,
    ngx_cwmp_redis_conf_t *rcf, ngx_uint_t *seen)
{
    u_char                  *eq;
    size_t                   len;
    ngx_str_t                value;
    ngx_uint_t               i;
    ngx_cwmp_redis_param_t  *param;

    eq = ngx_strlchr(arg->data, arg->data + arg->len, '=');
    len = eq ? (size_t) (eq + 1 - arg->data) : arg->len;

    for (i = 0; ngx_cwmp_redis_params[i].name.len; i++) {
        param = &ngx_cwmp_redis_params[i];

        if (len != param->name.len
            || ngx_strncmp(arg->data, param->name.data, len) != 0)
        {
            continue;
        }

        if (*seen & (1u << i)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" of cwmp_redis is duplicate",
                               &param->name);
            return NGX_CONF_ERROR;
        }

        *seen |= 1u << i;

        value.data = arg->data + len;
        value.len = arg->len - len;

        return param->set(cf, param, &value, (char *) rcf + param->offset);
    }

    /* of an unknown name=value the value may be a secret, misspelt */

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown parameter \"%*s\" of cwmp_redis: use user=, "
                       "password=, password_file=, db=, prefix=, timeout=, "
                       "connect_timeout=, max_pending=, partitions=, wait=, "
                       "cluster, sentinel=, sentinel_password=, tls, tls_ca=, "
                       "tls_name=, tls_cert= or tls_key=, and host:port for "
                       "one more address", len, arg->data);

    return NGX_CONF_ERROR;
}


/* one of its addresses */

static ngx_uint_t
ngx_cwmp_redis_is_unix(ngx_cwmp_redis_conf_t *rcf)
{
    ngx_uint_t   i;
    ngx_addr_t  *addr;

    addr = rcf->addrs.elts;

    for (i = 0; i < rcf->addrs.nelts; i++) {
        if (addr[i].sockaddr->sa_family == AF_UNIX) {
            return 1;
        }
    }

    return 0;
}


/* what no parameter can see alone */

static char *
ngx_cwmp_redis_check(ngx_conf_t *cf, ngx_cwmp_redis_conf_t *rcf,
    ngx_uint_t seen)
{
    const char  *wrong;

    if ((seen & (1u << NGX_CWMP_REDIS_PASSWORD))
        && (seen & (1u << NGX_CWMP_REDIS_PASSWORD_FILE)))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "both \"password=\" and \"password_file=\" in "
                           "cwmp_redis: use one of them");
        return NGX_CONF_ERROR;
    }

    if ((seen & (1u << NGX_CWMP_REDIS_USER)) && rcf->password.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"user=\" without a password in cwmp_redis: add "
                           "password= or password_file=");
        return NGX_CONF_ERROR;
    }

    if (rcf->cluster && !(seen & (1u << NGX_CWMP_REDIS_PARTITIONS))) {
        rcf->partitions = 64;
    }

    wrong = (rcf->cluster && rcf->sentinel.len)
            ? "both \"cluster\" and \"sentinel=\" in cwmp_redis: use one of "
              "them"
            : (rcf->cluster && rcf->db)
            ? "\"db=\" with \"cluster\" in cwmp_redis: a Cluster has database "
              "0 only, use prefix= to keep tenants apart"
            : (rcf->cluster && rcf->partitions < 2)
            ? "\"partitions=1\" with \"cluster\" in cwmp_redis: all devices "
              "would be in one node, use partitions=64"
            : (rcf->written > 1 && !rcf->cluster && rcf->sentinel.len == 0)
            ? "several addresses in cwmp_redis: add \"cluster\", or "
              "sentinel=NAME where they are Sentinels"
            : (rcf->sentinel_password.len && rcf->sentinel.len == 0)
            ? "\"sentinel_password=\" without \"sentinel=\" in cwmp_redis: add "
              "the master's name as sentinel=NAME"
            : (!rcf->tls && (rcf->tls_ca.len || rcf->tls_name.len
                             || rcf->tls_cert.len || rcf->tls_key.len))
            ? "\"tls_ca=\", \"tls_name=\", \"tls_cert=\" or \"tls_key=\" "
              "without \"tls\" in cwmp_redis: add \"tls\""
            : (rcf->tls_cert.len == 0) != (rcf->tls_key.len == 0)
            ? "one of \"tls_cert=\" and \"tls_key=\" in cwmp_redis: use both"
            : (rcf->tls_name.len > 255)
            ? "\"tls_name=\" of cwmp_redis is longer than 255 bytes: use the "
              "name in Redis' certificate"
            : (rcf->tls && ngx_cwmp_redis_is_unix(rcf))
            ? "\"tls\" with \"unix:\" in cwmp_redis: use host:port, or leave "
              "out \"tls\""
            : NULL;

    if (wrong) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", wrong);
        return NGX_CONF_ERROR;
    }

#if (NGX_SSL)
    return rcf->tls ? ngx_cwmp_redis_tls_conf(cf, rcf) : NGX_CONF_OK;
#else
    return rcf->tls ? "needs an nginx with SSL for \"tls\"" : NGX_CONF_OK;
#endif
}
