/*
 * What a device is to have from its first contact on (cwmp_first_contact): the
 * step of its Inform queues tasks as any, since it alone knows which contact
 * that is.  Here is only what it is told (redis/lua/48_first.lua).
 */

#include "ngx_http_cwmp.h"


#define NGX_HTTP_CWMP_INFORM_MIN  30            /* seconds */
#define NGX_HTTP_CWMP_INFORM_MAX  2419200       /* 28 days */


static ngx_int_t ngx_http_cwmp_first_inform(ngx_str_t *value);
static char *ngx_http_cwmp_first_words(ngx_conf_t *cf,
    ngx_http_cwmp_loc_conf_t *clcf, ngx_int_t every);


/* cwmp_first_contact off | [inform=TIME] [rotate]; */

char *
ngx_http_cwmp_first_contact(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cwmp_loc_conf_t  *clcf = conf;

    ngx_int_t    every;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (clcf->first_contact.data) {
        return "is duplicate";
    }

    if (ngx_http_cwmp_distinct(cf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;
    every = 0;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "off") == 0 && cf->args->nelts == 2) {
            break;
        }

        if (ngx_strcmp(value[i].data, "rotate") == 0) {
            clcf->rotates = 1;
            continue;
        }

        every = ngx_http_cwmp_first_inform(&value[i]);

        if (every == NGX_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter "
                               "\"%V\" in \"cwmp_first_contact\": use "
                               "inform=TIME, from 30s to 28d, and rotate; or "
                               "off alone", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    return ngx_http_cwmp_first_words(cf, clcf, every);
}


/* for the step: " inform=SECONDS rotate" */

static char *
ngx_http_cwmp_first_words(ngx_conf_t *cf, ngx_http_cwmp_loc_conf_t *clcf,
    ngx_int_t every)
{
    u_char  *p;

    p = ngx_pnalloc(cf->pool, sizeof(" inform= rotate") + NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    clcf->first_contact.data = p;

    if (every) {
        p = ngx_sprintf(p, " inform=%i", every);
    }

    if (clcf->rotates) {
        p = ngx_sprintf(p, " rotate");
    }

    clcf->first_contact.len = p - clcf->first_contact.data;

    return NGX_CONF_OK;
}


/* "inform=1h", in seconds */

static ngx_int_t
ngx_http_cwmp_first_inform(ngx_str_t *value)
{
    ngx_int_t  n;
    ngx_str_t  s;

    if (ngx_strncmp(value->data, "inform=", 7) != 0) {
        return NGX_ERROR;
    }

    s.data = value->data + 7;
    s.len = value->len - 7;

    n = ngx_parse_time(&s, 1);

    return (n >= NGX_HTTP_CWMP_INFORM_MIN && n <= NGX_HTTP_CWMP_INFORM_MAX)
           ? n : NGX_ERROR;
}
