
/*
 * The values of the directive "cwmp_redis", by kind.  Each refusal says what
 * to write instead: the parameter's "use".
 */

#include "ngx_cwmp_redis_conf.h"


#define NGX_CWMP_REDIS_SECRET  512      /* longest password in a file */


static char *ngx_cwmp_redis_invalid(ngx_conf_t *cf,
    ngx_cwmp_redis_param_t *param, ngx_str_t *value);
static ssize_t ngx_cwmp_redis_read_file(ngx_conf_t *cf, ngx_str_t *name,
    u_char *buf, size_t size);


char *
ngx_cwmp_redis_flag(ngx_conf_t *cf, ngx_cwmp_redis_param_t *param,
    ngx_str_t *value, void *field)
{
    ngx_flag_t  *flag = field;

    *flag = 1;

    return NGX_CONF_OK;
}


char *
ngx_cwmp_redis_word(ngx_conf_t *cf, ngx_cwmp_redis_param_t *param,
    ngx_str_t *value, void *field)
{
    ngx_str_t  *word = field;

    /* so the only password that is ever shown is the empty one */

    if (value->len == 0) {
        return ngx_cwmp_redis_invalid(cf, param, value);
    }

    *word = *value;

    return NGX_CONF_OK;
}


char *
ngx_cwmp_redis_secret_file(ngx_conf_t *cf, ngx_cwmp_redis_param_t *param,
    ngx_str_t *value, void *field)
{
    u_char      buf[NGX_CWMP_REDIS_SECRET + 2], *p, *last;
    ssize_t     n;
    ngx_str_t  *password = field, name;

    if (value->len == 0) {
        return ngx_cwmp_redis_invalid(cf, param, value);
    }

    name = *value;

    if (ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    n = ngx_cwmp_redis_read_file(cf, &name, buf, sizeof(buf));
    if (n == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }

    last = ngx_strlchr(buf, buf + n, LF);
    p = last ? last : buf + n;

    if (p > buf && p[-1] == CR) {
        p--;
    }

    if (p == buf || p - buf > NGX_CWMP_REDIS_SECRET) {
        ngx_explicit_memzero(buf, sizeof(buf));
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the first line of password_file \"%V\" in "
                           "cwmp_redis is %s: put the password there, of at "
                           "most %d bytes", &name,
                           p == buf ? "empty" : "too long",
                           NGX_CWMP_REDIS_SECRET);
        return NGX_CONF_ERROR;
    }

    password->len = p - buf;
    password->data = ngx_pnalloc(cf->pool, password->len);

    if (password->data) {
        ngx_memcpy(password->data, buf, password->len);
    }

    ngx_explicit_memzero(buf, sizeof(buf));

    return password->data ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_cwmp_redis_prefix(ngx_conf_t *cf, ngx_cwmp_redis_param_t *param,
    ngx_str_t *value, void *field)
{
    u_char       c;
    ngx_str_t   *prefix = field;
    ngx_uint_t   i;

    if (value->len == 0 || value->len > (size_t) param->max) {
        return ngx_cwmp_redis_invalid(cf, param, value);
    }

    for (i = 0; i < value->len; i++) {
        c = value->data[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
            || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-')
        {
            continue;
        }

        return ngx_cwmp_redis_invalid(cf, param, value);
    }

    *prefix = *value;

    return NGX_CONF_OK;
}


char *
ngx_cwmp_redis_number(ngx_conf_t *cf, ngx_cwmp_redis_param_t *param,
    ngx_str_t *value, void *field)
{
    ngx_int_t    n;
    ngx_uint_t  *number = field;

    n = ngx_atoi(value->data, value->len);

    if (n == NGX_ERROR || n < param->min || n > param->max) {
        return ngx_cwmp_redis_invalid(cf, param, value);
    }

    *number = (ngx_uint_t) n;

    return NGX_CONF_OK;
}


char *
ngx_cwmp_redis_time(ngx_conf_t *cf, ngx_cwmp_redis_param_t *param,
    ngx_str_t *value, void *field)
{
    ngx_int_t    n;
    ngx_msec_t  *time = field;

    n = ngx_parse_time(value, 0);

    if (n == NGX_ERROR || n < param->min || n > param->max) {
        return ngx_cwmp_redis_invalid(cf, param, value);
    }

    *time = (ngx_msec_t) n;

    return NGX_CONF_OK;
}


static char *
ngx_cwmp_redis_invalid(ngx_conf_t *cf, ngx_cwmp_redis_param_t *param,
    ngx_str_t *value)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid %*s \"%V\" in cwmp_redis: use %s",
                       param->name.len - 1, param->name.data, value,
                       param->use);

    return NGX_CONF_ERROR;
}


static ssize_t
ngx_cwmp_redis_read_file(ngx_conf_t *cf, ngx_str_t *name, u_char *buf,
    size_t size)
{
    ssize_t   n;
    ngx_fd_t  fd;

    fd = ngx_open_file(name->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed: password_file= of "
                           "cwmp_redis must name a readable file", name);
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, buf, size);

    if (n == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_read_fd_n " \"%V\" failed: password_file= of "
                           "cwmp_redis must name a readable file", name);
        n = NGX_ERROR;
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", name);
    }

    return n;
}
