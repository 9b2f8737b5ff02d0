/*
 * The directives of authentication: what they may say, and that no password
 * goes through a listener in clear.
 */

#include "ngx_http_cwmp.h"
#include "cwmp_user.h"


#define NGX_HTTP_CWMP_REALM_MAX  255    /* bytes */


static ngx_int_t ngx_http_cwmp_auth_has_md5(ngx_conf_t *cf);
static ngx_int_t ngx_http_cwmp_auth_in_clear(ngx_conf_t *cf);
static char *ngx_http_cwmp_auth_parameters(ngx_conf_t *cf,
    ngx_http_cwmp_loc_conf_t *clcf);
static ngx_uint_t ngx_http_cwmp_auth_is_typo(ngx_str_t *word);
static char *ngx_http_cwmp_auth_realm(ngx_conf_t *cf, ngx_str_t *realm);
static void ngx_http_cwmp_secret_seen(ngx_conf_t *cf, ngx_fd_t fd,
    ngx_str_t *name);
static char *ngx_http_cwmp_secret_file(ngx_conf_t *cf, cwmp_secret_t *secret,
    ngx_str_t *name, ngx_fd_t fd);
static ngx_int_t ngx_http_cwmp_auth_listener(ngx_conf_t *cf,
    ngx_http_conf_addr_t *addr, ngx_http_core_srv_conf_t *server);


/* in the order of NGX_HTTP_CWMP_AUTH_OFF, ... */
static const struct {
    const char  *name;
    const char  *parameters;
} ngx_http_cwmp_auths[] = {
    { "off", "[REALM]" },
    { "digest", "[REALM] [behind_tls] [without_qop]" },
    { "basic", "[REALM] [behind_tls]" }
};


/* cwmp_auth off | (basic | digest [without_qop]) [REALM] [behind_tls]; */

char *
ngx_http_cwmp_auth(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cwmp_loc_conf_t  *clcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    if (clcf->auth != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 0; i < 3; i++) {
        if (ngx_strcmp(value[1].data, ngx_http_cwmp_auths[i].name) == 0) {
            clcf->auth = i;
        }
    }

    if (clcf->auth == NGX_CONF_UNSET_UINT) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid value \"%V\" in "
                           "\"cwmp_auth\": use off, basic or digest",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    ngx_str_set(&clcf->realm, "cwmp");

    if (ngx_http_cwmp_auth_parameters(cf, clcf) != NGX_CONF_OK
        || ngx_http_cwmp_distinct(cf) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_http_cwmp_auth_realm(cf, &clcf->realm);
}


static char *
ngx_http_cwmp_auth_parameters(ngx_conf_t *cf, ngx_http_cwmp_loc_conf_t *clcf)
{
    ngx_str_t   *value = cf->args->elts;
    ngx_uint_t   i;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "behind_tls") == 0
            && clcf->auth != NGX_HTTP_CWMP_AUTH_OFF)
        {
            clcf->behind_tls = 1;

        } else if (ngx_strcmp(value[i].data, "without_qop") == 0
                   && clcf->auth == NGX_HTTP_CWMP_AUTH_DIGEST)
        {
            clcf->without_qop = 1;

        } else if (i == 2 && !ngx_http_cwmp_auth_is_typo(&value[i])) {
            clcf->realm = value[i];

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter "
                               "\"%V\" in \"cwmp_auth %V\": use %s", &value[i],
                               &value[1],
                               ngx_http_cwmp_auths[clcf->auth].parameters);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* a realm that nobody would choose: it makes all passwords wrong, silently */

static ngx_uint_t
ngx_http_cwmp_auth_is_typo(ngx_str_t *word)
{
    return ngx_strncasecmp(word->data, (u_char *) "realm", 5) == 0
           || ngx_strncasecmp(word->data, (u_char *) "behind", 6) == 0
           || ngx_strncasecmp(word->data, (u_char *) "without", 7) == 0
           || strpbrk((char *) word->data, "$=") != NULL;
}


static char *
ngx_http_cwmp_auth_realm(ngx_conf_t *cf, ngx_str_t *realm)
{
    u_char  *p;

    if (realm->len == 0 || realm->len > NGX_HTTP_CWMP_REALM_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid realm \"%V\" in "
                           "\"cwmp_auth\": use 1 to %d bytes", realm,
                           NGX_HTTP_CWMP_REALM_MAX);
        return NGX_CONF_ERROR;
    }

    for (p = realm->data; p < realm->data + realm->len; p++) {
        if (*p < ' ' || *p > '~' || *p == '"' || *p == '\\') {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid realm \"%V\" in "
                               "\"cwmp_auth\": use printable ASCII without "
                               "\" and \\", realm);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* cwmp_identity STRING; one without a variable must mean a device */

char *
ngx_http_cwmp_identity(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cwmp_loc_conf_t  *clcf = conf;

    char        *rv;
    ngx_str_t   *value;
    cwmp_str_t   name;
    u_char       any[CWMP_ID_MAX], id[CWMP_ID_MAX];

    rv = ngx_http_set_complex_value_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK || clcf->identity->lengths) {
        return rv;
    }

    value = cf->args->elts;

    name.len = ngx_min(value[1].len, CWMP_ID_MAX);
    name.data = any;
    ngx_memcpy(any, value[1].data, name.len);

    if (name.len && any[name.len - 1] == '*') {
        any[name.len - 1] = '0';        /* any that goes on */
    }

    if (value[1].len > CWMP_ID_MAX || cwmp_identity_of(&name, id) == 0) {
        return ngx_http_cwmp_invalid(cf, "a variable, or a device's ID "
                                     "(OUI-ProductClass-SerialNumber), or its "
                                     "beginning and a \"*\"");
    }

    return NGX_CONF_OK;
}


/* who reads the key can make nonces, and open what is sealed */

static void
ngx_http_cwmp_secret_seen(ngx_conf_t *cf, ngx_fd_t fd, ngx_str_t *name)
{
    ngx_file_info_t  fi;

    if (ngx_fd_info(fd, &fi) != NGX_FILE_ERROR && (fi.st_mode & S_IRWXO)) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0, "\"%V\" is there for all users "
                           "of this host: chmod 600", name);
    }
}


/* cwmp_secret_key FILE; read once, by the master */

char *
ngx_http_cwmp_secret_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cwmp_main_conf_t  *cmcf = conf;

    char       *rv;
    ngx_fd_t    fd;
    ngx_str_t  *value;

    if (cmcf->secret) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_conf_full_name(cf->cycle, &value[1], 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    cmcf->secret = ngx_pcalloc(cf->pool, sizeof(cwmp_secret_t));
    if (cmcf->secret == NULL) {
        return NGX_CONF_ERROR;
    }

    fd = ngx_open_file(value[1].data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    rv = ngx_http_cwmp_secret_file(cf, cmcf->secret, &value[1], fd);

    if (fd != NGX_INVALID_FILE) {
        (void) ngx_close_file(fd);
    }

    return rv;
}


static char *
ngx_http_cwmp_secret_file(ngx_conf_t *cf, cwmp_secret_t *secret,
    ngx_str_t *name, ngx_fd_t fd)
{
    ssize_t    n;
    cwmp_rc_t  rc;
    u_char     text[4096];

    n = (fd == NGX_INVALID_FILE) ? -1 : ngx_read_fd(fd, text, sizeof(text));

    if (n == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno, "\"%V\" cannot be "
                           "read: make it with (umask 77; openssl rand -hex "
                           "32 > FILE)", name);
        return NGX_CONF_ERROR;
    }

    rc = cwmp_secret_read(secret, text, n);

    ngx_explicit_memzero(text, sizeof(text));

    if (n == sizeof(text)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" has 4096 bytes or "
                           "more: it is no key file", name);
        return NGX_CONF_ERROR;
    }

    if (rc != CWMP_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\", line %uz: %s; make "
                           "a key with openssl rand -hex 32", name,
                           ngx_max(secret->line, 1),
                           rc == CWMP_REFUSED ? secret->reason
                                              : "out of memory");
        return NGX_CONF_ERROR;
    }

    ngx_http_cwmp_secret_seen(cf, fd, name);

    return NGX_CONF_OK;
}


void
ngx_http_cwmp_auth_merge(ngx_http_cwmp_loc_conf_t *prev,
    ngx_http_cwmp_loc_conf_t *conf)
{
    if (conf->auth == NGX_CONF_UNSET_UINT) {
        conf->auth = prev->auth;
        conf->realm = prev->realm;
        conf->behind_tls = prev->behind_tls;
        conf->without_qop = prev->without_qop;
        conf->open = prev->open;
    }

    if (conf->auth == NGX_CONF_UNSET_UINT) {
        conf->auth = NGX_HTTP_CWMP_AUTH_OFF;
        conf->open = 1;
    }

    if (conf->identity == NULL) {
        conf->identity = prev->identity;
    }
}


/* of a location with cwmp_acs */

ngx_int_t
ngx_http_cwmp_auth_needs(ngx_conf_t *cf, ngx_http_cwmp_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t   *core;
    ngx_http_cwmp_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_cwmp_module);
    core = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (conf->open && conf->identity == NULL) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0, "\"cwmp_acs\" takes whoever "
                           "reaches it for the device that it says it is: set "
                           "\"cwmp_auth digest\", or say \"cwmp_auth off\" "
                           "where something else keeps others out");
    }

    if (conf->auth == NGX_HTTP_CWMP_AUTH_OFF) {
        return NGX_OK;
    }

    if (core->satisfy == NGX_HTTP_SATISFY_ANY) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"satisfy any\" would let "
                           "in who has not proven which device it is: use "
                           "\"satisfy all\" with \"cwmp_auth %s\", or "
                           "\"cwmp_auth off\"",
                           ngx_http_cwmp_auths[conf->auth].name);
        return NGX_ERROR;
    }

    if (cmcf->secret == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"cwmp_auth\" needs a key "
                           "that all nodes share: make it with (umask 77; "
                           "openssl rand -hex 32 > FILE), and say "
                           "cwmp_secret_key FILE; in http");
        return NGX_ERROR;
    }

    if (conf->auth == NGX_HTTP_CWMP_AUTH_DIGEST
        && ngx_http_cwmp_auth_has_md5(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (conf->auth == NGX_HTTP_CWMP_AUTH_BASIC && !conf->behind_tls
        && ngx_http_cwmp_auth_in_clear(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_cwmp_attempts_zone(cf, "cwmp_attempts", &cmcf->attempts);
}


/* where OpenSSL has but what is approved (FIPS) no password would be right */

static ngx_int_t
ngx_http_cwmp_auth_has_md5(ngx_conf_t *cf)
{
    u_char      buf[CWMP_DIGEST_HEX];
    cwmp_str_t  text = cwmp_string("cwmp"), proof;

    if (cwmp_user_digest(CWMP_USER_MD5, &text, &text, &text, buf, &proof)
        == CWMP_OK)
    {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"cwmp_auth digest\" needs MD5, "
                       "which OpenSSL has not here: allow it in openssl.cnf, or "
                       "use \"cwmp_auth basic\" over TLS");

    return NGX_ERROR;
}


/* this server has Basic: each of its listeners must have TLS */

static ngx_int_t
ngx_http_cwmp_auth_in_clear(ngx_conf_t *cf)
{
    ngx_http_core_srv_conf_t   **server;
    ngx_http_cwmp_main_conf_t   *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_cwmp_module);

    if (cmcf->in_clear == NULL) {
        cmcf->in_clear = ngx_array_create(cf->pool, 4, sizeof(void *));
    }

    server = cmcf->in_clear ? ngx_array_push(cmcf->in_clear) : NULL;
    if (server == NULL) {
        return NGX_ERROR;
    }

    *server = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);

    return NGX_OK;
}


static ngx_int_t
ngx_http_cwmp_auth_listener(ngx_conf_t *cf, ngx_http_conf_addr_t *addr,
    ngx_http_core_srv_conf_t *server)
{
    ngx_uint_t                  i;
    ngx_http_core_srv_conf_t  **listed = addr->servers.elts;

    for (i = 0; i < addr->servers.nelts && !addr->opt.ssl; i++) {

        if (listed[i] == server) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "\"cwmp_auth basic\" "
                          "would send passwords in clear through \"listen "
                          "%V\" in %s:%ui: use \"ssl\" there, \"cwmp_auth "
                          "digest\", or behind_tls where a proxy in front has "
                          "TLS", &addr->opt.addr_text, server->file_name,
                          server->line);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* known when all of http was read */

ngx_int_t
ngx_http_cwmp_auth_listeners(ngx_conf_t *cf)
{
    ngx_uint_t                   i, j, n;
    ngx_http_conf_addr_t        *addr;
    ngx_http_conf_port_t        *port;
    ngx_http_core_srv_conf_t   **server;
    ngx_http_core_main_conf_t   *core;
    ngx_http_cwmp_main_conf_t   *cmcf;

    core = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_cwmp_module);

    if (cmcf->in_clear == NULL || core->ports == NULL) {
        return NGX_OK;
    }

    server = cmcf->in_clear->elts;
    port = core->ports->elts;

    for (i = 0; i < core->ports->nelts; i++) {
        addr = port[i].addrs.elts;

        for (j = 0; j < port[i].addrs.nelts; j++) {
            for (n = 0; n < cmcf->in_clear->nelts; n++) {

                if (ngx_http_cwmp_auth_listener(cf, &addr[j], server[n])
                    != NGX_OK)
                {
                    return NGX_ERROR;
                }
            }
        }
    }

    return NGX_OK;
}
