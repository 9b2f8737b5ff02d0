/*
 * Who fails to prove itself again and again is answered later and later
 * (ngx_http_cwmp_attempts.c counts).  The POST waits; no worker does.
 */

#include "ngx_http_cwmp_auth.h"


#define NGX_HTTP_CWMP_USER_FREE    3    /* failures that cost nothing */
#define NGX_HTTP_CWMP_SOURCE_FREE  100  /* an address may have many CPEs */


static ngx_msec_t ngx_http_cwmp_auth_wait(ngx_http_cwmp_auth_t *a,
    const ngx_str_t *source);
static ngx_int_t ngx_http_cwmp_auth_hold(ngx_http_cwmp_auth_t *a,
    ngx_msec_t delay);
static void ngx_http_cwmp_auth_delay(ngx_http_request_t *r);


/* the log is told what an event tells: whoever likes can make any number */

ngx_int_t
ngx_http_cwmp_auth_failed(ngx_http_cwmp_ctx_t *ctx, const char *which)
{
    u_char                 buf[NGX_HTTP_CWMP_SHOWN];
    ngx_str_t              user, source;
    ngx_uint_t             level;
    const char            *why;
    ngx_msec_t             delay;
    ngx_http_cwmp_auth_t  *a = ctx->auth;

    level = ngx_http_cwmp_refused(ctx, NGX_HTTP_CWMP_COUNT_WRONG, which, NULL)
            ? NGX_LOG_WARN : NGX_LOG_INFO;
    ngx_http_cwmp_shown(&user, buf, &a->user);

    if (ngx_http_cwmp_source(ctx, &source) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    delay = ngx_http_cwmp_auth_wait(a, &source);

    why = ngx_strcmp(which, "record") == 0
          ? "the user's record has nothing that this location's \"cwmp_auth\" "
            "can use, cwmp-user writes it"
          : "the user name or the password is wrong";

    ngx_log_error(level, ctx->request->connection->log, 0, "%s: \"%V\"%s",
                  why, &user,
                  delay ? "; so it was before, and the answer waits" : "");

    return delay ? ngx_http_cwmp_auth_hold(a, delay)
                 : ngx_http_cwmp_auth_challenge(a);
}


/*
 * The answer may have to wait, as long as not too many do, of all or of this
 * source: then it is given at once, and the connection closed.
 */

static ngx_msec_t
ngx_http_cwmp_auth_wait(ngx_http_cwmp_auth_t *a, const ngx_str_t *source)
{
    ngx_msec_t                  delay, other;
    ngx_uint_t                  most = ngx_cycle->connection_n / 4;
    ngx_http_cwmp_main_conf_t  *main = a->main;

    delay = ngx_http_cwmp_attempts_failed(main->attempts, 'u', &a->user,
                                          NGX_HTTP_CWMP_USER_FREE);
    other = ngx_http_cwmp_attempts_failed(main->attempts, 's', source,
                                          NGX_HTTP_CWMP_SOURCE_FREE);
    delay = ngx_max(delay, other);

    a->delayed = &main->delayed_of[XXH64(source->data, source->len,
                                         main->worker)
                                   % NGX_HTTP_CWMP_DELAYED];

    if (delay && (main->delayed >= most || *a->delayed >= most / 4)) {
        a->request->keepalive = 0;
        return 0;
    }

    return delay;
}


static ngx_int_t
ngx_http_cwmp_auth_hold(ngx_http_cwmp_auth_t *a, ngx_msec_t delay)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r = a->request;

    c = r->connection;

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    a->failed = 1;
    a->main->delayed++;
    (*a->delayed)++;

    ngx_http_cwmp_count(a->main, NGX_HTTP_CWMP_COUNT_DELAYED);

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_cwmp_auth_delay;

    c->write->delayed = 1;
    ngx_add_timer(c->write, delay);

    return NGX_AGAIN;
}


/* the POST is over */

void
ngx_http_cwmp_auth_release(ngx_http_cwmp_auth_t *a)
{
    if (a->failed) {
        a->main->delayed--;
        (*a->delayed)--;
    }
}


static void
ngx_http_cwmp_auth_delay(ngx_http_request_t *r)
{
    ngx_event_t  *wev = r->connection->write;

    if (wev->delayed) {

        if (ngx_handle_write_event(wev, 0) != NGX_OK) {
            ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        }

        return;
    }

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;

    ngx_http_core_run_phases(r);
}
