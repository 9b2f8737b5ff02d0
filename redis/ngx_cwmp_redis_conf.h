/*
 * Private to the directive "cwmp_redis": a name=value of it, and the kinds of
 * values that there are.
 */

#ifndef NGX_CWMP_REDIS_CONF_H
#define NGX_CWMP_REDIS_CONF_H

#include "ngx_cwmp_redis_int.h"


typedef struct ngx_cwmp_redis_param_s  ngx_cwmp_redis_param_t;

struct ngx_cwmp_redis_param_s {
    ngx_str_t        name;          /* with its "=", if it has a value */
    char          *(*set)(ngx_conf_t *cf, ngx_cwmp_redis_param_t *param,
                         ngx_str_t *value, void *field);
    size_t           offset;
    ngx_int_t        min;
    ngx_int_t        max;
    const char      *use;           /* instead of a wrong value */
};


/* NGX_CONF_OK: it is in field; else the log was told */
char *ngx_cwmp_redis_word(ngx_conf_t *cf, ngx_cwmp_redis_param_t *param,
    ngx_str_t *value, void *field);
char *ngx_cwmp_redis_secret_file(ngx_conf_t *cf, ngx_cwmp_redis_param_t *param,
    ngx_str_t *value, void *field);
char *ngx_cwmp_redis_prefix(ngx_conf_t *cf, ngx_cwmp_redis_param_t *param,
    ngx_str_t *value, void *field);
char *ngx_cwmp_redis_number(ngx_conf_t *cf, ngx_cwmp_redis_param_t *param,
    ngx_str_t *value, void *field);
char *ngx_cwmp_redis_time(ngx_conf_t *cf, ngx_cwmp_redis_param_t *param,
    ngx_str_t *value, void *field);
char *ngx_cwmp_redis_flag(ngx_conf_t *cf, ngx_cwmp_redis_param_t *param,
    ngx_str_t *value, void *field);

#endif
