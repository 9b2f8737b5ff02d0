/*
 * TLS to Redis, as any client in nginx has it.  The server's certificate is
 * always verified, chain and name, before the first byte of ours is sent: the
 * password is among them.  The name is tls_name=, else the host of the address;
 * an IP address must be in the certificate as one.
 */

#include "ngx_cwmp_redis_int.h"


#if (NGX_SSL)

static ngx_int_t ngx_cwmp_redis_tls_expect(ngx_cwmp_redis_t *redis,
    SSL *ssl);
static void ngx_cwmp_redis_tls_host(ngx_cwmp_redis_t *redis, ngx_str_t *name);
static ngx_int_t ngx_cwmp_redis_tls_done(ngx_cwmp_redis_t *redis);
static void ngx_cwmp_redis_tls_handler(ngx_event_t *ev);


char *
ngx_cwmp_redis_tls_conf(ngx_conf_t *cf, ngx_cwmp_redis_conf_t *rcf)
{
    ngx_ssl_t           *ssl;
    ngx_pool_cleanup_t  *cln;

    ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (ssl == NULL || cln == NULL) {
        return NGX_CONF_ERROR;
    }

    ssl->log = cf->log;

    if (ngx_ssl_create(ssl, NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3, NULL) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = ssl;

    if (rcf->tls_cert.len
        && ngx_ssl_certificate(cf, ssl, &rcf->tls_cert, &rcf->tls_key, NULL)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (rcf->tls_ca.len) {
        if (ngx_ssl_trusted_certificate(cf, ssl, &rcf->tls_ca, 9) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

    } else if (SSL_CTX_set_default_verify_paths(ssl->ctx) != 1) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "the system's CA certificates cannot be read: add "
                      "tls_ca=FILE to cwmp_redis");
        return NGX_CONF_ERROR;
    }

    /* what was found is looked at after the handshake, to say what it was */

    SSL_CTX_set_verify(ssl->ctx, SSL_VERIFY_NONE, NULL);

    rcf->ssl = ssl;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_cwmp_redis_tls(ngx_cwmp_redis_t *redis)
{
    ngx_int_t          rc;
    ngx_connection_t  *c = redis->peer.connection;

    c->pool = ngx_create_pool(256, redis->parent);

    if (c->pool == NULL
        || ngx_ssl_create_connection(redis->conf->ssl, c,
                                     NGX_SSL_BUFFER|NGX_SSL_CLIENT)
           != NGX_OK
        || ngx_cwmp_redis_tls_expect(redis, c->ssl->connection) != NGX_OK)
    {
        ngx_cwmp_redis_lost(redis, 0, "no memory for TLS");
        return NGX_ERROR;
    }

    rc = ngx_ssl_handshake(c);

    if (rc == NGX_AGAIN) {
        c->read->handler = ngx_cwmp_redis_tls_handler;
        c->write->handler = ngx_cwmp_redis_tls_handler;
        return NGX_AGAIN;
    }

    return ngx_cwmp_redis_tls_done(redis);
}


static ngx_int_t
ngx_cwmp_redis_tls_expect(ngx_cwmp_redis_t *redis, SSL *ssl)
{
    ngx_str_t           name;
    char                host[256];
    X509_VERIFY_PARAM  *param;

    name = redis->conf->tls_name;

    if (name.len == 0) {
        ngx_cwmp_redis_tls_host(redis, &name);
    }

    if (name.len >= sizeof(host)) {
        return NGX_ERROR;
    }

    ngx_memcpy(host, name.data, name.len);
    host[name.len] = '\0';

    param = SSL_get0_param(ssl);

    if (X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1) {
        return NGX_OK;
    }

    ERR_clear_error();

    return (X509_VERIFY_PARAM_set1_host(param, host, name.len) == 1
            && SSL_set_tlsext_host_name(ssl, host) == 1)
           ? NGX_OK : NGX_ERROR;
}


/* of the address as it was written: of a name's each has that name */

static void
ngx_cwmp_redis_tls_host(ngx_cwmp_redis_t *redis, ngx_str_t *name)
{
    u_char                 *p, *last;
    ngx_uint_t              i, n;
    ngx_cwmp_redis_host_t  *host;

    host = redis->conf->hosts.elts;
    n = ngx_cwmp_redis_is_node(redis) ? 0 : redis->conf->hosts.nelts;

    for (i = 0; i < n; i++) {
        if (redis->at - host[i].first < host[i].n) {
            *name = host[i].name;
            return;
        }
    }

    *name = *ngx_cwmp_redis_name(redis);

    last = name->data + name->len;
    p = ngx_strlchr(name->data, last, ']');         /* of [IPv6]:port */
    p = ngx_strlchr(p ? p : name->data, last, ':');
    name->len = (p ? p : last) - name->data;

    if (name->len > 1 && name->data[0] == '[') {
        name->data++;
        name->len -= 2;
    }
}


static ngx_int_t
ngx_cwmp_redis_tls_done(ngx_cwmp_redis_t *redis)
{
    long               rc;
    X509              *cert;
    ngx_connection_t  *c = redis->peer.connection;

    if (!c->ssl->handshaked) {
        ngx_cwmp_redis_lost(redis, 0, "the TLS handshake failed: does Redis "
                            "speak TLS on this port, and need a client's "
                            "certificate (tls_cert=, tls_key=)?");
        return NGX_ERROR;
    }

    rc = SSL_get_verify_result(c->ssl->connection);
    cert = SSL_get_peer_certificate(c->ssl->connection);

    if (cert) {
        X509_free(cert);
    }

    if (rc != X509_V_OK || cert == NULL) {
        ngx_cwmp_redis_lost(redis, 0, "its certificate is not accepted: %s "
                            "(check tls_ca= and tls_name= of cwmp_redis)",
                            cert ? X509_verify_cert_error_string(rc)
                                 : "there is none");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* nginx' own does not see that the worker ends */

static void
ngx_cwmp_redis_tls_handler(ngx_event_t *ev)
{
    ngx_connection_t  *c = ev->data;
    ngx_cwmp_redis_t  *redis = c->data;

    if (c->close) {
        ngx_cwmp_redis_read_handler(c->read);
        return;
    }

    if (ngx_ssl_handshake(c) == NGX_AGAIN) {
        c->read->handler = ngx_cwmp_redis_tls_handler;
        c->write->handler = ngx_cwmp_redis_tls_handler;
        return;
    }

    if (ngx_cwmp_redis_tls_done(redis) != NGX_OK) {
        return;
    }

    c->read->handler = ngx_cwmp_redis_read_handler;
    c->write->handler = ngx_cwmp_redis_write_handler;

    (void) ngx_cwmp_redis_talk(redis);
}


/* at once: Redis waits for no farewell */

void
ngx_cwmp_redis_tls_close(ngx_connection_t *c)
{
    if (c->ssl) {
        c->ssl->no_wait_shutdown = 1;
        c->ssl->no_send_shutdown = 1;
        (void) ngx_ssl_shutdown(c);
    }
}

#endif
