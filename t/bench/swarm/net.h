
/* Connections: plain or TLS, non-blocking, on one epoll. */

#ifndef SWARM_NET_H
#define SWARM_NET_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "buf.h"


typedef struct conn_s    conn_t;
typedef struct target_s  target_t;

typedef enum {
    FAIL_NONE = 0,
    FAIL_OWN,                                  /* no file, no port here */
    FAIL_CONNECT,
    FAIL_TLS,
    FAIL_TIMEOUT,
    FAIL_CLOSED,
    FAIL_STATUS,
    FAIL_HTTP,
    FAIL_XML,
    FAIL_PROTOCOL,
    FAIL_VERIFY,
    FAIL_FAULT,
    FAIL_COUNT
} fail_t;

typedef struct {
    void   (*opened)(conn_t *c);
    void   (*data)(conn_t *c);                 /* more in c->in */
    void   (*closed)(conn_t *c, fail_t why);   /* by the other side, or lost */
} conn_ops_t;

struct target_s {
    char                     *url;
    char                     *host;     /* as in the header Host */
    char                     *name;     /* without port, for SNI */
    char                     *path;
    int                       tls;
    struct sockaddr_storage   addr;
    socklen_t                 addr_len;
    void                     *session;  /* TLS: to resume */
    target_t                 *next;
};

struct conn_s {
    int                fd;
    unsigned           connected:1;
    unsigned           handshake:1;     /* TLS, under way */
    unsigned           dead:1;
    unsigned           eof:1;
    unsigned           used:1;          /* had an answer before */
    void              *ssl;
    uint64_t           began;           /* ns, to connect */
    buf_t              in;
    buf_t              out;
    size_t             sent;
    target_t          *target;
    const conn_ops_t  *ops;
    void              *owner;
    conn_t            *next;            /* in a list of the owner's */
};


void net_init(void);
target_t *net_target(const char *url, const char **error);

conn_t *net_connect(target_t *target, const conn_ops_t *ops, void *owner);
conn_t *net_accepted(int fd, const conn_ops_t *ops, void *owner);
void net_send(conn_t *c);               /* what is in c->out */
void net_close(conn_t *c);              /* c must not be touched after */
void net_listen(int fd, void (*accepted)(int fd));

void net_step(uint64_t wait_ns);        /* waits, then serves what is ready */
size_t net_open_count(void);
fail_t net_why(int failed);             /* of net_connect(), by errno */
void net_bytes(uint64_t *in, uint64_t *out);

#endif
