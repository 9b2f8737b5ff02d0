/*
 * Counters of all workers of this node, in shared memory, and cwmp_metrics,
 * which writes them as Prometheus' text.  No command of Redis: a scrape is
 * answered while Redis is away.  They begin at 0 with nginx, and go on over a
 * reload.  Which there are is in ngx_http_cwmp_metrics.h.
 */

#include "ngx_http_cwmp.h"


/* as in nginx's own statistics: no two in one cache line */

typedef union {
    ngx_atomic_t   n;
    u_char         line[128];
} ngx_http_cwmp_counter_t;

typedef struct {
    const char    *name;
    const char    *labels;
    const char    *help;
} ngx_http_cwmp_metric_t;


#define ngx_http_cwmp_metrics_row(which, name, labels, help)                  \
    { name, labels, help },

static const ngx_http_cwmp_metric_t  ngx_http_cwmp_metrics_rows[] = {
    NGX_HTTP_CWMP_METRICS(ngx_http_cwmp_metrics_row)
};


static ngx_int_t
ngx_http_cwmp_metrics_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t  *pool;

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (data) {
        zone->data = data;
        return NGX_OK;
    }

    if (!zone->shm.exists) {
        pool->data = ngx_slab_calloc(pool, NGX_HTTP_CWMP_COUNTS
                                           * sizeof(ngx_http_cwmp_counter_t));
    }

    zone->data = pool->data;

    return zone->data ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_cwmp_metrics_zone(ngx_conf_t *cf)
{
    size_t                      size;
    ngx_str_t                   name = ngx_string("cwmp_metrics");
    ngx_http_cwmp_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_cwmp_module);

    if (cmcf->metrics) {
        return NGX_OK;
    }

    /* the pool's own pages come on top */

    size = NGX_HTTP_CWMP_COUNTS * sizeof(ngx_http_cwmp_counter_t);
    size = ngx_align(size, ngx_pagesize) + 8 * ngx_pagesize;

    cmcf->metrics = ngx_shared_memory_add(cf, &name, size,
                                          &ngx_http_cwmp_module);
    if (cmcf->metrics == NULL) {
        return NGX_ERROR;
    }

    cmcf->metrics->init = ngx_http_cwmp_metrics_init;

    return NGX_OK;
}


void
ngx_http_cwmp_count(ngx_http_cwmp_main_conf_t *cmcf,
    ngx_http_cwmp_count_e which)
{
    ngx_http_cwmp_counter_t  *counters = cmcf->metrics->data;

    (void) ngx_atomic_fetch_add(&counters[which].n, 1);
}


static u_char *
ngx_http_cwmp_metrics_write(u_char *p, u_char *last,
    ngx_http_cwmp_counter_t *counters)
{
    ngx_uint_t                     i;
    const ngx_http_cwmp_metric_t  *m;

    m = ngx_http_cwmp_metrics_rows;

    for (i = 0; i < NGX_HTTP_CWMP_COUNTS; i++) {

        if (i == 0 || ngx_strcmp(m[i].name, m[i - 1].name) != 0) {
            p = ngx_slprintf(p, last, "# HELP %s %s.\n# TYPE %s counter\n",
                             m[i].name, m[i].help, m[i].name);
        }

        p = ngx_slprintf(p, last, *m[i].labels ? "%s{%s} %uA\n" : "%s%s %uA\n",
                         m[i].name, m[i].labels, counters[i].n);
    }

    return p;
}


static size_t
ngx_http_cwmp_metrics_size(void)
{
    size_t                         size;
    ngx_uint_t                     i;
    const ngx_http_cwmp_metric_t  *m;

    m = ngx_http_cwmp_metrics_rows;

    for (size = 0, i = 0; i < NGX_HTTP_CWMP_COUNTS; i++) {
        size += 3 * ngx_strlen(m[i].name) + ngx_strlen(m[i].labels)
                + ngx_strlen(m[i].help) + NGX_ATOMIC_T_LEN
                + sizeof("# HELP  .\n# TYPE  counter\n{} \n");
    }

    return size;
}


static ngx_int_t
ngx_http_cwmp_metrics_handler(ngx_http_request_t *r)
{
    ngx_buf_t                  *b;
    ngx_int_t                   rc;
    ngx_chain_t                 out;
    ngx_http_cwmp_main_conf_t  *cmcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_cwmp_module);

    b = ngx_create_temp_buf(r->pool, ngx_http_cwmp_metrics_size());
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->last = ngx_http_cwmp_metrics_write(b->last, b->end, cmcf->metrics->data);
    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = b->last - b->pos;
    ngx_str_set(&r->headers_out.content_type, "text/plain; version=0.0.4");
    r->headers_out.content_type_len = sizeof("text/plain") - 1;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


/* cwmp_metrics; */

char *
ngx_http_cwmp_metrics(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cwmp_loc_conf_t  *clcf = conf;

    clcf->alone = 1;

    return ngx_http_cwmp_serves(cf, clcf, ngx_http_cwmp_metrics_handler);
}
