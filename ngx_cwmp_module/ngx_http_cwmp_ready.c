/*
 * cwmp_ready: what a balancer asks.  200 while this node should get traffic;
 * 503, and why, while a file says that it is drained, while the worker is
 * exiting, and while Redis does not answer, or would take no write.  Redis is
 * asked only when no step had an answer of it just before.  A slow Redis is no
 * reason: it is slow for the other nodes, too.
 */

#include "ngx_http_cwmp.h"


#define NGX_HTTP_CWMP_HEARD  1000   /* ms: an answer tells for so long */


static void ngx_http_cwmp_ready_asked(void *data, redisReply *reply,
    const char *error);
static void ngx_http_cwmp_ready_cleanup(void *data);
static ngx_int_t ngx_http_cwmp_ready_drained(ngx_http_request_t *r,
    ngx_str_t *file, const char **why);
static ngx_int_t ngx_http_cwmp_ready_send(ngx_http_request_t *r,
    const char *why, const char *what);


typedef struct {
    ngx_http_request_t       *request;
    ngx_cwmp_redis_cmd_t     *cmd;
} ngx_http_cwmp_ready_t;


static ngx_int_t
ngx_http_cwmp_ready_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    const char                *why;
    ngx_http_cleanup_t        *cln;
    ngx_http_cwmp_ready_t     *ready;
    ngx_http_cwmp_loc_conf_t  *conf;

    /* of no key: in a Cluster it is for whatever node is there */

    static ngx_str_t  question[] = {
        ngx_string("FCALL"), ngx_string("cwmp_ready_1"), ngx_string("0")
    };

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    conf = ngx_http_get_module_loc_conf(r, ngx_http_cwmp_module);

    if (ngx_exiting || ngx_terminate || ngx_quit) {
        return ngx_http_cwmp_ready_send(r, "draining: ", "nginx is exiting");
    }

    if (ngx_http_cwmp_ready_drained(r, &conf->drain, &why) == NGX_OK) {
        return ngx_http_cwmp_ready_send(r, why, (char *) conf->drain.data);
    }

    if (conf->redis->heard
        && ngx_current_msec - conf->redis->heard < NGX_HTTP_CWMP_HEARD)
    {
        return ngx_http_cwmp_ready_send(r, NULL, "ready");
    }

    cln = ngx_http_cleanup_add(r, sizeof(ngx_http_cwmp_ready_t));
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ready = cln->data;
    ready->request = r;
    ready->cmd = ngx_cwmp_redis_send(conf->redis->client, question, 3,
                                     ngx_http_cwmp_ready_asked, ready, &why);
    if (ready->cmd == NULL) {
        return ngx_http_cwmp_ready_send(r, "not ready: ", why);
    }

    cln->handler = ngx_http_cwmp_ready_cleanup;

    r->main->count++;
    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    return NGX_DONE;
}


static void
ngx_http_cwmp_ready_asked(void *data, redisReply *reply, const char *error)
{
    ngx_http_cwmp_ready_t  *ready = data;

    ngx_int_t                  rc;
    ngx_connection_t          *c;
    ngx_http_request_t        *r;
    ngx_http_cwmp_loc_conf_t  *conf;

    r = ready->request;
    c = r->connection;
    conf = ngx_http_get_module_loc_conf(r, ngx_http_cwmp_module);

    ready->cmd = NULL;
    ngx_http_set_log_request(c->log, r);

    if (reply && reply->type == REDIS_REPLY_ERROR) {
        rc = ngx_http_cwmp_ready_send(r, "not ready: Redis says ", reply->str);

    } else if (reply == NULL) {
        rc = ngx_http_cwmp_ready_send(r, "not ready: ", error);

    } else {
        conf->redis->heard = ngx_current_msec;
        rc = ngx_http_cwmp_ready_send(r, NULL, "ready");
    }

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


/* the balancer hung up */

static void
ngx_http_cwmp_ready_cleanup(void *data)
{
    ngx_http_cwmp_ready_t  *ready = data;

    if (ready->cmd) {
        ngx_cwmp_redis_forget(ready->cmd);
    }
}


/*
 * A file that is there, whatever is in it.  One that this worker may not look
 * for would never drain the node: better seen at once than on that day.
 */

static ngx_int_t
ngx_http_cwmp_ready_drained(ngx_http_request_t *r, ngx_str_t *file,
    const char **why)
{
    ngx_err_t        err;
    ngx_file_info_t  fi;

    if (file->len == 0) {
        return NGX_DECLINED;
    }

    *why = "draining: there is ";

    if (ngx_file_info(file->data, &fi) != NGX_FILE_ERROR) {
        return NGX_OK;
    }

    err = ngx_errno;

    if (err == NGX_ENOENT) {
        return NGX_DECLINED;
    }

    ngx_log_error(NGX_LOG_ERR, r->connection->log, err,
                  ngx_file_info_n " \"%V\" failed: drain= of cwmp_ready must "
                  "name a file in a folder that workers may look into", file);

    *why = "not ready: a worker cannot look for ";

    return NGX_OK;
}


/* why: NULL when it is ready */

static ngx_int_t
ngx_http_cwmp_ready_send(ngx_http_request_t *r, const char *why,
    const char *what)
{
    ngx_str_t  no_store = ngx_string("no-store");

    if (ngx_http_cwmp_add_header(r, "Cache-Control", &no_store) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_cwmp_send_line(r, why ? NGX_HTTP_SERVICE_UNAVAILABLE
                                          : NGX_HTTP_OK,
                                   why ? why : "", what);
}


/* cwmp_ready [drain=FILE]; */

char *
ngx_http_cwmp_ready(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cwmp_loc_conf_t  *clcf = conf;

    char       *rv;
    ngx_str_t  *value;

    rv = ngx_http_cwmp_serves(cf, clcf, ngx_http_cwmp_ready_handler);

    if (rv != NGX_CONF_OK || cf->args->nelts == 1) {
        return rv;
    }

    value = cf->args->elts;

    if (ngx_strncmp(value[1].data, "drain=", 6) != 0 || value[1].len == 6) {
        return ngx_http_cwmp_invalid(cf, "e.g. drain=/run/cwmp.drain");
    }

    clcf->drain.data = value[1].data + 6;
    clcf->drain.len = value[1].len - 6;

    return ngx_conf_full_name(cf->cycle, &clcf->drain, 0) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}
