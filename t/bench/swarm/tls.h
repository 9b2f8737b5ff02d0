
/* TLS of a connection, so that net.c needs no OpenSSL. */

#ifndef SWARM_TLS_H
#define SWARM_TLS_H

#include <sys/types.h>

#include "net.h"


/* what the functions say beside a count of bytes */
#define TLS_AGAIN   (-1)
#define TLS_CLOSED  (-2)
#define TLS_ERROR   (-3)

void tls_init(void);
void tls_start(conn_t *c);
int tls_handshake(conn_t *c);           /* 1: done; TLS_AGAIN, TLS_ERROR */
ssize_t tls_read(conn_t *c, char *p, size_t n);
ssize_t tls_write(conn_t *c, const char *p, size_t n);
void tls_end(conn_t *c);
const char *tls_error(void);            /* of the last failure */
void tls_counts(uint64_t *full, uint64_t *resumed);

#endif
