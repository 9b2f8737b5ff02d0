/*
 * What the files of HTTP authentication share: the connection's memory, and one
 * POST's claim.  A POST's way through them:
 *
 *   auth         the access phase; which device its user is
 *   auth_scheme  what Digest and Basic say, and the challenge
 *   auth_peer    the user's record: looked up, remembered, told what is proven
 *   auth_delay   the answer to who failed
 */

#ifndef NGX_HTTP_CWMP_AUTH_H
#define NGX_HTTP_CWMP_AUTH_H

#include "ngx_http_cwmp.h"
#include "cwmp_nonce.h"
#include "cwmp_user.h"


#define NGX_HTTP_CWMP_USER_MAX   256    /* bytes of a name: those of an ID */
#define NGX_HTTP_CWMP_KEPT       60000  /* ms */

#define ngx_http_cwmp_is_kept(since)                                          \
    (ngx_current_msec - (since) < NGX_HTTP_CWMP_KEPT)


/* what a user's record says; in the order of cwmp_user_1's answer */
enum {
    NGX_HTTP_CWMP_MD5 = 0,          /* H(A1) */
    NGX_HTTP_CWMP_SHA256,
    NGX_HTTP_CWMP_BASIC,
    NGX_HTTP_CWMP_DEVICE,           /* it is this one, or "...*" */
    NGX_HTTP_CWMP_FIRST,            /* only until it has its own */
    NGX_HTTP_CWMP_NEXT_MD5,         /* these are good, too */
    NGX_HTTP_CWMP_NEXT_SHA256,
    NGX_HTTP_CWMP_NEXT_BASIC,
    NGX_HTTP_CWMP_NEXT,             /* how far the change is */
    NGX_HTTP_CWMP_CREDENTIALS
};


/* a connection's; found again through its pool.  Times are monotonic */
typedef struct {
    ngx_http_cwmp_loc_conf_t     *conf;     /* of which it is a user */
    ngx_str_t                     user;
    u_char                        name[NGX_HTTP_CWMP_USER_MAX];
    ngx_msec_t                    looked;   /* the credentials were */
    ngx_msec_t                    since;    /* looked up anew, so often */
    ngx_uint_t                    anew;
    unsigned                      known:1;
    unsigned                      proven:1; /* by a POST that was taken, */
    size_t                        id_len;   /* of this device */
    u_char                        id[CWMP_ID_MAX];
    ngx_str_t                     credentials[NGX_HTTP_CWMP_CREDENTIALS];
    u_char                        text[8 * CWMP_DIGEST_HEX
                                       + NGX_HTTP_CWMP_USER_MAX];
} ngx_http_cwmp_peer_t;


/* one POST's */
struct ngx_http_cwmp_auth_s {
    ngx_http_cwmp_ctx_t          *ctx;
    ngx_http_request_t           *request;
    ngx_http_cwmp_loc_conf_t     *conf;
    ngx_http_cwmp_main_conf_t    *main;
    ngx_http_cwmp_peer_t         *peer;
    ngx_cwmp_redis_cmd_t         *cmd;
    cwmp_arena_t                  arena;
    cwmp_digest_t                 digest;
    ngx_str_t                     user;     /* as it claims */
    cwmp_str_t                    device;   /* that the user is */
    ngx_uint_t                    whose;    /* NGX_HTTP_CWMP_USER_* */
    ngx_int_t                     rc;       /* of the look-up */
    uint64_t                      post;     /* no other has it */
    ngx_msec_t                    begun;
    ngx_uint_t                    by;       /* what proves it */
    uint32_t                     *delayed;  /* answers to its source */
    unsigned                      stale:1;
    unsigned                      asked:1;  /* the credentials are new */
    unsigned                      failed:1; /* and its answer waits */
};


/* ngx_http_cwmp_auth_scheme.c; not NGX_OK: the answer's status */
ngx_int_t ngx_http_cwmp_auth_read(ngx_http_cwmp_auth_t *a, ngx_str_t *header);
ngx_int_t ngx_http_cwmp_auth_proves(ngx_http_cwmp_auth_t *a,
    const ngx_str_t *kept);
ngx_int_t ngx_http_cwmp_auth_challenge(ngx_http_cwmp_auth_t *a);

/* ngx_http_cwmp_auth_peer.c */
ngx_http_cwmp_peer_t *ngx_http_cwmp_peer(ngx_connection_t *c,
    ngx_uint_t make);
ngx_uint_t ngx_http_cwmp_peer_is(ngx_http_cwmp_peer_t *peer,
    ngx_http_cwmp_loc_conf_t *conf, const ngx_str_t *user);
ngx_int_t ngx_http_cwmp_auth_take(ngx_http_cwmp_auth_t *a,
    redisReply *reply);
ngx_uint_t ngx_http_cwmp_auth_anew(ngx_http_cwmp_auth_t *a);
void ngx_http_cwmp_auth_promote(ngx_http_cwmp_auth_t *a);

/* ngx_http_cwmp_auth_delay.c */
ngx_int_t ngx_http_cwmp_auth_failed(ngx_http_cwmp_ctx_t *ctx,
    const char *which);
void ngx_http_cwmp_auth_release(ngx_http_cwmp_auth_t *a);

#endif
