/*
 * The schemes of HTTP authentication (RFC 7616, 7617): what a header says, does
 * it prove the user, and the challenge to who says nothing.
 */

#include "ngx_http_cwmp_auth.h"

#include <openssl/crypto.h>


#define NGX_HTTP_CWMP_NONCE_LIVES      60
#define NGX_HTTP_CWMP_NONCE_LIVES_TLS  300


static ngx_int_t ngx_http_cwmp_auth_digest(ngx_http_cwmp_auth_t *a,
    ngx_str_t *header);
static ngx_int_t ngx_http_cwmp_auth_nonce(ngx_http_cwmp_auth_t *a,
    const cwmp_str_t *nonce);
static ngx_int_t ngx_http_cwmp_auth_basic(ngx_http_cwmp_auth_t *a,
    ngx_str_t *header);
static ngx_int_t ngx_http_cwmp_auth_unusable(ngx_http_cwmp_auth_t *a);
static ngx_int_t ngx_http_cwmp_auth_check_digest(ngx_http_cwmp_auth_t *a,
    const ngx_str_t *kept);
static ngx_int_t ngx_http_cwmp_auth_check_basic(ngx_http_cwmp_auth_t *a,
    const ngx_str_t *kept);


static const struct {
    ngx_int_t   (*read)(ngx_http_cwmp_auth_t *a, ngx_str_t *header);
    ngx_int_t   (*check)(ngx_http_cwmp_auth_t *a, const ngx_str_t *kept);
} ngx_http_cwmp_schemes[] = {
    { NULL, NULL },                     /* NGX_HTTP_CWMP_AUTH_OFF */
    { ngx_http_cwmp_auth_digest, ngx_http_cwmp_auth_check_digest },
    { ngx_http_cwmp_auth_basic, ngx_http_cwmp_auth_check_basic }
};


/* into a->user, and what proves it */

ngx_int_t
ngx_http_cwmp_auth_read(ngx_http_cwmp_auth_t *a, ngx_str_t *header)
{
    return ngx_http_cwmp_schemes[a->conf->auth].read(a, header);
}


/* by this, which the record has */

ngx_int_t
ngx_http_cwmp_auth_proves(ngx_http_cwmp_auth_t *a, const ngx_str_t *kept)
{
    return ngx_http_cwmp_schemes[a->conf->auth].check(a, kept);
}


static ngx_int_t
ngx_http_cwmp_auth_digest(ngx_http_cwmp_auth_t *a, ngx_str_t *header)
{
    cwmp_rc_t          rc;
    ngx_log_t         *log = a->request->connection->log;
    const ngx_str_t   *realm = &a->conf->realm;
    const cwmp_str_t  *fields = a->digest.fields;

    rc = cwmp_digest_parse(&a->arena, header->data, header->len, &a->digest);

    if (rc == CWMP_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == CWMP_REFUSED) {
        ngx_log_error(NGX_LOG_INFO, log, 0, "Authorization: %s",
                      a->digest.reason);
        return ngx_http_cwmp_auth_unusable(a);
    }

    if (a->digest.count == 0 && !a->conf->without_qop) {
        ngx_log_error(NGX_LOG_INFO, log, 0, "Authorization: digest without "
                      "qop, which \"cwmp_auth digest without_qop\" allows");
        return ngx_http_cwmp_auth_unusable(a);
    }

    if (fields[CWMP_DIGEST_REALM].len != realm->len
        || ngx_memcmp(fields[CWMP_DIGEST_REALM].data, realm->data, realm->len)
           != 0
        || fields[CWMP_DIGEST_USERNAME].len == 0
        || fields[CWMP_DIGEST_USERNAME].len > NGX_HTTP_CWMP_USER_MAX)
    {
        ngx_log_error(NGX_LOG_INFO, log, 0, "Authorization: another realm, or "
                      "no user name of 1 to 256 bytes");
        return ngx_http_cwmp_auth_unusable(a);
    }

    a->user.data = fields[CWMP_DIGEST_USERNAME].data;
    a->user.len = fields[CWMP_DIGEST_USERNAME].len;

    return ngx_http_cwmp_auth_nonce(a, &fields[CWMP_DIGEST_NONCE]);
}


/* made by a node that has our key, and not too long ago? */

static ngx_int_t
ngx_http_cwmp_auth_nonce(ngx_http_cwmp_auth_t *a, const cwmp_str_t *nonce)
{
    uint32_t           lives;
    ngx_connection_t  *c = a->request->connection;

    lives = c->ssl || a->conf->behind_tls ? NGX_HTTP_CWMP_NONCE_LIVES_TLS
                                          : NGX_HTTP_CWMP_NONCE_LIVES;

    switch (cwmp_nonce_check(a->main->secret, (cwmp_str_t *) &a->conf->realm,
                             (uint32_t) ngx_time(), lives, nonce))
    {
    case CWMP_NONCE_STALE:
        ngx_log_error(NGX_LOG_INFO, c->log, 0, "Authorization: its nonce is "
                      "older than %uD seconds, or of a node whose clock is "
                      "ahead: the CPE is given another one", lives);
        a->stale = 1;
        ngx_http_cwmp_count(a->main, NGX_HTTP_CWMP_COUNT_STALE);
        return ngx_http_cwmp_auth_challenge(a);

    case CWMP_NONCE_FOREIGN:
        ngx_log_error(NGX_LOG_INFO, c->log, 0, "Authorization: its nonce is "
                      "not of a node with this cwmp_secret_key and realm");
        return ngx_http_cwmp_auth_unusable(a);

    case CWMP_NONCE_FRESH:
        break;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_cwmp_auth_basic(ngx_http_cwmp_auth_t *a, ngx_str_t *header)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r = a->request;

    rc = ngx_http_auth_basic_user(r);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_DECLINED || r->headers_in.user.len == 0
        || r->headers_in.user.len > NGX_HTTP_CWMP_USER_MAX)
    {
        return ngx_http_cwmp_auth_unusable(a);
    }

    a->user = r->headers_in.user;

    return NGX_OK;
}


/* it says nothing that could be true */

static ngx_int_t
ngx_http_cwmp_auth_unusable(ngx_http_cwmp_auth_t *a)
{
    ngx_http_cwmp_count(a->main, NGX_HTTP_CWMP_COUNT_UNUSABLE);

    return ngx_http_cwmp_auth_challenge(a);
}


static ngx_int_t
ngx_http_cwmp_auth_check_digest(ngx_http_cwmp_auth_t *a, const ngx_str_t *kept)
{
    cwmp_rc_t  rc;

    if (kept->len == 0) {
        return NGX_DECLINED;
    }

    rc = cwmp_digest_check(&a->digest, (cwmp_str_t *) &a->request->method_name,
                           (const cwmp_str_t *) kept);

    return rc == CWMP_OK ? NGX_OK
                         : rc == CWMP_ERROR ? NGX_ERROR : NGX_DECLINED;
}


/* the record has a digest of the password that only a key of ours makes */

static ngx_int_t
ngx_http_cwmp_auth_check_basic(ngx_http_cwmp_auth_t *a, const ngx_str_t *kept)
{
    size_t               i;
    cwmp_str_t           proof;
    cwmp_secret_t       *s = a->main->secret;
    u_char               hex[CWMP_DIGEST_HEX];
    ngx_http_request_t  *r = a->request;

    for (i = 0; i < s->n && kept->len; i++) {

        if (cwmp_user_basic(&s->keys[i], (cwmp_str_t *) &a->user,
                            (cwmp_str_t *) &r->headers_in.passwd, hex, &proof)
            != CWMP_OK)
        {
            return NGX_ERROR;
        }

        if (proof.len == kept->len
            && CRYPTO_memcmp(proof.data, kept->data, proof.len) == 0)
        {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_cwmp_auth_challenge(ngx_http_cwmp_auth_t *a)
{
    u_char      *p;
    ngx_str_t    value;
    cwmp_str_t  *realm = (cwmp_str_t *) &a->conf->realm;
    u_char       random[NGX_HTTP_CWMP_RANDOM_LEN], nonce[CWMP_NONCE_LEN];

    p = ngx_pnalloc(a->request->pool, realm->len + CWMP_NONCE_LEN + 128);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    value.data = p;

    if (a->conf->auth == NGX_HTTP_CWMP_AUTH_BASIC) {
        p = ngx_sprintf(p, "Basic realm=\"%V\"", &a->conf->realm);

    } else {
        if (ngx_http_cwmp_random(a->main, random) != NGX_OK
            || cwmp_nonce_make(a->main->secret, realm, (uint32_t) ngx_time(),
                               ngx_cached_time->msec, random, nonce)
               != CWMP_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        p = ngx_sprintf(p, "Digest realm=\"%V\", qop=\"auth\", nonce=\"%*s\", "
                        "algorithm=MD5%s", &a->conf->realm, sizeof(nonce),
                        nonce, a->stale ? ", stale=true" : "");
    }

    value.len = p - value.data;

    if (ngx_http_cwmp_add_header(a->request, "WWW-Authenticate", &value)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_HTTP_UNAUTHORIZED;
}
