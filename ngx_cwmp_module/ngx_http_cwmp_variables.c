/*
 * Variables for logs and maps: a row each.  Not found outside a CWMP request,
 * and empty until it is known.
 */

#include "ngx_http_cwmp.h"


static ngx_int_t ngx_http_cwmp_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_cwmp_variable_time(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


typedef void (*ngx_http_cwmp_variable_pt)(ngx_http_cwmp_ctx_t *ctx,
    ngx_str_t *value);


static void
ngx_http_cwmp_var_device(ngx_http_cwmp_ctx_t *ctx, ngx_str_t *value)
{
    value->data = ctx->id.data;
    value->len = ctx->id.len;
}


/* the parts of the ID, still percent-encoded: n from its start */

static void
ngx_http_cwmp_var_part(ngx_http_cwmp_ctx_t *ctx, ngx_uint_t n,
    ngx_str_t *value)
{
    u_char      *p, *from, *last, *part[3];
    ngx_uint_t   i;

    from = ctx->id.data;
    last = from + ctx->id.len;

    for (i = 0; i < 2; i++) {
        part[i] = from;
        p = ngx_strlchr(from, last, '-');
        if (p == NULL) {
            break;
        }

        from = p + 1;
    }

    part[i] = from;

    /* without a class: OUI-SerialNumber */

    if (n == 1 && i < 2) {
        return;
    }

    n = ngx_min(n, i);
    value->data = part[n];
    value->len = (n == i) ? (size_t) (last - part[n])
                          : (size_t) (part[n + 1] - 1 - part[n]);
}


static void
ngx_http_cwmp_var_oui(ngx_http_cwmp_ctx_t *ctx, ngx_str_t *value)
{
    ngx_http_cwmp_var_part(ctx, 0, value);
}


static void
ngx_http_cwmp_var_class(ngx_http_cwmp_ctx_t *ctx, ngx_str_t *value)
{
    ngx_http_cwmp_var_part(ctx, 1, value);
}


static void
ngx_http_cwmp_var_serial(ngx_http_cwmp_ctx_t *ctx, ngx_str_t *value)
{
    ngx_http_cwmp_var_part(ctx, 2, value);
}


/* enough to tell sessions apart, not enough to take one over */

static void
ngx_http_cwmp_var_session(ngx_http_cwmp_ctx_t *ctx, ngx_str_t *value)
{
    value->data = ctx->token.data;
    value->len = ngx_min(ctx->token.len, 8);
}


static void
ngx_http_cwmp_var_method(ngx_http_cwmp_ctx_t *ctx, ngx_str_t *value)
{
    if (ctx->facts) {                   /* it may be refused before */
        value->data = ctx->facts->method.data;
        value->len = ctx->facts->method.len;
    }
}


static void
ngx_http_cwmp_var_events(ngx_http_cwmp_ctx_t *ctx, ngx_str_t *value)
{
    *value = ctx->events_text;
}


static void
ngx_http_cwmp_var_fault(ngx_http_cwmp_ctx_t *ctx, ngx_str_t *value)
{
    *value = ctx->fault;
}


static void
ngx_http_cwmp_var_task(ngx_http_cwmp_ctx_t *ctx, ngx_str_t *value)
{
    *value = ctx->task;
}


/* ended without a look at the tasks, since Redis is slow */

static void
ngx_http_cwmp_var_deferred(ngx_http_cwmp_ctx_t *ctx, ngx_str_t *value)
{
    if (ctx->deferred
        && ctx->request->headers_out.status == NGX_HTTP_NO_CONTENT)
    {
        ngx_str_set(value, "1");
    }
}


static const struct {
    ngx_str_t                   name;
    ngx_http_cwmp_variable_pt   get;
} ngx_http_cwmp_variables[] = {
    { ngx_string("cwmp_device"), ngx_http_cwmp_var_device },
    { ngx_string("cwmp_oui"), ngx_http_cwmp_var_oui },
    { ngx_string("cwmp_product_class"), ngx_http_cwmp_var_class },
    { ngx_string("cwmp_serial"), ngx_http_cwmp_var_serial },
    { ngx_string("cwmp_session"), ngx_http_cwmp_var_session },
    { ngx_string("cwmp_method"), ngx_http_cwmp_var_method },
    { ngx_string("cwmp_events"), ngx_http_cwmp_var_events },
    { ngx_string("cwmp_fault"), ngx_http_cwmp_var_fault },
    { ngx_string("cwmp_task"), ngx_http_cwmp_var_task },
    { ngx_string("cwmp_deferred"), ngx_http_cwmp_var_deferred },
    { ngx_string("cwmp_redis_time"), NULL },
    { ngx_null_string, NULL }
};


ngx_int_t
ngx_http_cwmp_add_variables(ngx_conf_t *cf)
{
    ngx_str_t             name;
    ngx_uint_t            i;
    ngx_http_variable_t  *v;

    for (i = 0; ngx_http_cwmp_variables[i].name.len; i++) {
        name = ngx_http_cwmp_variables[i].name;

        v = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_NOCACHEABLE);
        if (v == NULL) {
            return NGX_ERROR;
        }

        v->get_handler = ngx_http_cwmp_variables[i].get
                         ? ngx_http_cwmp_variable
                         : ngx_http_cwmp_variable_time;
        v->data = i;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_cwmp_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_str_t             value;
    ngx_http_cwmp_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_cwmp_module);
    ngx_str_null(&value);

    if (ctx) {
        ngx_http_cwmp_variables[data].get(ctx, &value);
    }

    if (value.len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = value.data;
    v->len = value.len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


/* milliseconds that this POST waited for Redis, as $request_time has them */

static ngx_int_t
ngx_http_cwmp_variable_time(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char               *p;
    ngx_http_cwmp_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_cwmp_module);

    if (ctx == NULL || (ctx->calls == 0 && !ctx->asked)) {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_TIME_T_LEN + 4);
    if (p == NULL) {
        return NGX_ERROR;
    }

    v->len = ngx_sprintf(p, "%T.%03M", (time_t) ctx->redis_time / 1000,
                         ctx->redis_time % 1000)
             - p;
    v->data = p;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}
