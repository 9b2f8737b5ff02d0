
/*
 * OpenSSL as a client, non-blocking.  One context for all; what is needed to
 * resume a session is kept with the target, and each connection takes it
 * unless handshakes are to be full.  Knows nothing of HTTP or CWMP.
 */

#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "settings.h"
#include "tls.h"


static struct {
    SSL_CTX   *ctx;
    char       error[256];
    uint64_t   full;
    uint64_t   resumed;
} tls;


static int tls_new_session(SSL *ssl, SSL_SESSION *session);
static void tls_remember_error(const char *what);


void
tls_init(void)
{
    tls.ctx = SSL_CTX_new(TLS_client_method());

    if (tls.ctx == NULL) {
        die("cannot make a TLS context");
    }

    SSL_CTX_set_mode(tls.ctx, SSL_MODE_ENABLE_PARTIAL_WRITE
                              |SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                              |SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(tls.ctx, SSL_SESS_CACHE_CLIENT
                                            |SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(tls.ctx, tls_new_session);

    if (settings.tls_max
        && !SSL_CTX_set_max_proto_version(tls.ctx, settings.tls_max))
    {
        die("cannot limit the TLS version");
    }

    if (settings.tls_ca == NULL) {
        return;                         /* whoever answers is the ACS */
    }

    if (SSL_CTX_load_verify_locations(tls.ctx, settings.tls_ca, NULL) != 1) {
        die("cannot read certificates from %s", settings.tls_ca);
    }

    SSL_CTX_set_verify(tls.ctx, SSL_VERIFY_PEER, NULL);
}


static int
tls_new_session(SSL *ssl, SSL_SESSION *session)
{
    conn_t    *c = SSL_get_app_data(ssl);
    target_t  *t = c->target;

    if (!settings.tls_resume) {
        return 0;
    }

    if (t->session) {
        SSL_SESSION_free(t->session);
    }

    t->session = session;
    return 1;                           /* the reference is ours now */
}


void
tls_start(conn_t *c)
{
    SSL  *ssl = SSL_new(tls.ctx);

    if (ssl == NULL || SSL_set_fd(ssl, c->fd) != 1) {
        die("out of memory for TLS");
    }

    SSL_set_app_data(ssl, c);
    SSL_set_connect_state(ssl);

    if (strspn(c->target->name, "0123456789.:") != strlen(c->target->name)) {
        SSL_set_tlsext_host_name(ssl, c->target->name);
        SSL_set1_host(ssl, c->target->name);

    } else if (settings.tls_ca) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), c->target->name);
    }

    if (settings.tls_resume && c->target->session) {
        SSL_set_session(ssl, c->target->session);
    }

    c->ssl = ssl;
}


int
tls_handshake(conn_t *c)
{
    int  rc, error;

    ERR_clear_error();
    rc = SSL_do_handshake(c->ssl);

    if (rc == 1) {
        if (SSL_session_reused(c->ssl)) {
            tls.resumed++;
        } else {
            tls.full++;
        }

        return 1;
    }

    error = SSL_get_error(c->ssl, rc);

    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        return TLS_AGAIN;
    }

    tls_remember_error("handshake");
    return TLS_ERROR;
}


static ssize_t
tls_result(conn_t *c, int rc, const char *what)
{
    int  error;

    if (rc > 0) {
        return rc;
    }

    error = SSL_get_error(c->ssl, rc);

    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        return TLS_AGAIN;
    }

    if (error == SSL_ERROR_ZERO_RETURN) {
        return TLS_CLOSED;
    }

    tls_remember_error(what);
    return TLS_CLOSED;
}


ssize_t
tls_read(conn_t *c, char *p, size_t n)
{
    ERR_clear_error();
    return tls_result(c, SSL_read(c->ssl, p, (int) n), "read");
}


ssize_t
tls_write(conn_t *c, const char *p, size_t n)
{
    ERR_clear_error();
    return tls_result(c, SSL_write(c->ssl, p, (int) n), "write");
}


/*
 * Says goodbye, and does not wait for the answer; to who is gone, quietly.
 * OpenSSL does not resume what ended without.
 */

void
tls_end(conn_t *c)
{
    if (!c->handshake) {
        SSL_set_quiet_shutdown(c->ssl, c->eof);
        ERR_clear_error();
        SSL_shutdown(c->ssl);
    }

    SSL_free(c->ssl);
    c->ssl = NULL;
}


static void
tls_remember_error(const char *what)
{
    unsigned long  code = ERR_peek_error();

    snprintf(tls.error, sizeof(tls.error), "TLS %s: %s", what,
             code ? ERR_reason_error_string(code) : "connection closed");
}


const char *
tls_error(void)
{
    return tls.error;
}


void
tls_counts(uint64_t *full, uint64_t *resumed)
{
    *full = tls.full;
    *resumed = tls.resumed;
}
