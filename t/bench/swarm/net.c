
/*
 * One epoll, edge-triggered, and the sockets on it.  A connection is told to
 * epoll once; it is written to at once, and only what the kernel does not take
 * waits for the edge.  Knows bytes: neither HTTP nor what they are for.
 */

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "net.h"
#include "settings.h"
#include "stats.h"
#include "timer.h"
#include "tls.h"


#define NET_EVENTS  512
#define NET_READ    16384
#define NET_KEEP    65536               /* a larger buffer is given back */
#define NET_MOST    (64u << 20)         /* of what was not yet taken */


static struct {
    int         epoll;
    conn_t     *dead;                   /* to be freed after the events */
    size_t      open;
    uint64_t    in;
    uint64_t    out;
    target_t   *targets;
    unsigned    source;                 /* of settings.sources, the next */
    void      (*accepted)(int fd);
    int         listening;
} net = { .epoll = -1, .listening = -1 };


static void conn_ready(conn_t *c, uint32_t events);
static void conn_read(conn_t *c);
static void conn_lost(conn_t *c, fail_t why);


void
net_init(void)
{
    net.epoll = epoll_create1(EPOLL_CLOEXEC);

    if (net.epoll == -1) {
        die("epoll_create1: %s", strerror(errno));
    }
}


/* --- where to ------------------------------------------------------------ */

/* Splits scheme://host[:port][/path] into a new target. */

static target_t *
target_parse(const char *url, char **port)
{
    int          tls = strncasecmp(url, "https://", 8) == 0;
    size_t       n, host_len;
    const char  *host = url + (tls ? 8 : 7), *end, *colon;
    target_t    *t;

    if (!tls && strncasecmp(url, "http://", 7) != 0) {
        return NULL;
    }

    n = strcspn(host, "/?#");
    end = host[0] == '[' ? memchr(host, ']', n) : host;
    colon = end ? memchr(end, ':', n - (size_t) (end - host)) : NULL;
    host_len = colon ? (size_t) (colon - host) : n;

    if (host_len == 0 || end == NULL) {
        return NULL;
    }

    t = mem_alloc(sizeof(target_t));
    t->tls = tls;
    t->url = mem_copy(url, strlen(url));
    t->host = mem_copy(host, n);
    t->name = host[0] == '[' ? mem_copy(host + 1, host_len - 2)
                             : mem_copy(host, host_len);
    *port = colon ? mem_copy(colon + 1, n - host_len - 1)
                  : mem_copy(tls ? "443" : "80", tls ? 3 : 2);
    t->path = host[n] == '/' ? mem_copy(host + n, strcspn(host + n, "#"))
                             : mem_copy("/", 1);
    return t;
}


static const char *
target_resolve(target_t *t, const char *port)
{
    int               rc;
    struct addrinfo   hints, *found;

    memset(&hints, 0, sizeof(hints));
    hints.ai_socktype = SOCK_STREAM;

    rc = getaddrinfo(t->name, port, &hints, &found);

    if (rc != 0) {
        return gai_strerror(rc);
    }

    memcpy(&t->addr, found->ai_addr, found->ai_addrlen);
    t->addr_len = found->ai_addrlen;
    freeaddrinfo(found);
    return NULL;
}


/* The target of a URL; each URL is resolved once. */

target_t *
net_target(const char *url, const char **error)
{
    char      *port;
    target_t  *t;

    for (t = net.targets; t; t = t->next) {
        if (strcmp(t->url, url) == 0) {
            return t;
        }
    }

    t = target_parse(url, &port);

    if (t == NULL) {
        *error = "not a URL of http or https";
        return NULL;
    }

    *error = target_resolve(t, port);
    free(port);

    if (*error) {
        free(t->url);
        free(t->host);
        free(t->name);
        free(t->path);
        free(t);
        return NULL;
    }

    t->next = net.targets;
    net.targets = t;
    return t;
}


/* --- connections --------------------------------------------------------- */

static conn_t *
conn_new(int fd, const conn_ops_t *ops, void *owner)
{
    int                 one = 1;
    conn_t             *c;
    struct epoll_event  ev;

    c = mem_alloc(sizeof(conn_t));
    c->fd = fd;
    c->ops = ops;
    c->owner = owner;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));

    ev.events = EPOLLIN|EPOLLOUT|EPOLLRDHUP|EPOLLET;
    ev.data.ptr = c;

    if (epoll_ctl(net.epoll, EPOLL_CTL_ADD, fd, &ev) == -1) {
        die("epoll_ctl: %s", strerror(errno));
    }

    net.open++;
    return c;
}


/* With several local addresses there are more ports than one has. */

static int
conn_bind(int fd)
{
    int             one = 1;
    source_t       *s;

    if (settings.sources_n == 0) {
        return 0;
    }

    s = &settings.sources[net.source++ % settings.sources_n];
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
    return bind(fd, (struct sockaddr *) &s->addr, s->len);
}


/*
 * NULL when there is not even an attempt, as without files or ports left;
 * errno says why.  Otherwise the owner hears of it, later.
 */

conn_t *
net_connect(target_t *t, const conn_ops_t *ops, void *owner)
{
    int       fd, failed;
    conn_t   *c;
    uint64_t  began = clock_ns();

    fd = socket(t->addr.ss_family, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (fd == -1) {
        return NULL;
    }

    if (conn_bind(fd) == -1
        || (connect(fd, (struct sockaddr *) &t->addr, t->addr_len) == -1
            && errno != EINPROGRESS))
    {
        failed = errno;
        close(fd);
        errno = failed;
        return NULL;
    }

    c = conn_new(fd, ops, owner);
    c->target = t;
    c->began = began;

    if (t->tls) {
        c->handshake = 1;
        tls_start(c);
    }

    return c;
}


/* What is lacking here says nothing of the ACS. */

fail_t
net_why(int failed)
{
    size_t  i;

    static const int  own[] = { EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRINUSE,
                                EADDRNOTAVAIL, EAGAIN };

    for (i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (failed == own[i]) {
            return FAIL_OWN;
        }
    }

    return FAIL_CONNECT;
}


conn_t *
net_accepted(int fd, const conn_ops_t *ops, void *owner)
{
    conn_t  *c = conn_new(fd, ops, owner);

    c->connected = 1;
    return c;
}


void
net_close(conn_t *c)
{
    if (c->dead) {
        return;
    }

    if (c->ssl) {
        tls_end(c);
    }

    close(c->fd);
    c->dead = 1;
    c->next = net.dead;
    net.dead = c;
    net.open--;
}


static void
conn_free_dead(void)
{
    conn_t  *c;

    while ((c = net.dead) != NULL) {
        net.dead = c->next;
        buf_free(&c->in);
        buf_free(&c->out);
        free(c);
    }
}


static void
conn_lost(conn_t *c, fail_t why)
{
    if (!c->dead) {
        c->eof = 1;
        c->ops->closed(c, why);
    }
}


/* --- bytes --------------------------------------------------------------- */

static ssize_t
conn_write_some(conn_t *c, const char *p, size_t n)
{
    ssize_t  rc;

    if (c->ssl) {
        return tls_write(c, p, n);
    }

    rc = send(c->fd, p, n, MSG_NOSIGNAL);

    if (rc == -1) {
        return errno == EAGAIN || errno == EINTR ? TLS_AGAIN : TLS_CLOSED;
    }

    return rc;
}


static ssize_t
conn_read_some(conn_t *c, char *p, size_t n)
{
    ssize_t  rc;

    if (c->ssl) {
        return tls_read(c, p, n);
    }

    rc = recv(c->fd, p, n, 0);

    if (rc == -1) {
        return errno == EAGAIN || errno == EINTR ? TLS_AGAIN : TLS_CLOSED;
    }

    return rc ? rc : TLS_CLOSED;
}


/* That the other side is gone is seen when its last words are read. */

void
net_send(conn_t *c)
{
    ssize_t  n;

    if (!c->connected || c->handshake) {
        return;
    }

    while (c->sent < c->out.len) {
        n = conn_write_some(c, c->out.p + c->sent, c->out.len - c->sent);

        if (n < 0) {
            return;
        }

        c->sent += (size_t) n;
        net.out += (uint64_t) n;
    }

    c->out.len = 0;
    c->sent = 0;

    if (c->out.cap > NET_KEEP) {
        buf_free(&c->out);
    }
}


static void
conn_read(conn_t *c)
{
    ssize_t  n;

    do {
        if (c->in.cap > NET_KEEP && c->in.len == 0) {
            buf_free(&c->in);
        }

        buf_room(&c->in, c->in.len ? NET_READ : 2048);
        n = conn_read_some(c, c->in.p + c->in.len, c->in.cap - c->in.len);

        if (n > 0) {
            c->in.len += (size_t) n;
            net.in += (uint64_t) n;
        }

    } while (n > 0 && (c->ssl || c->in.len == c->in.cap)
             && c->in.len < NET_MOST);

    if (n == TLS_CLOSED || c->in.len >= NET_MOST) {
        c->eof = 1;
    }
}


static int
conn_connected(conn_t *c)
{
    int        error = 0;
    socklen_t  len = sizeof(error);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1 || error) {
        stats_note("connect: %s", strerror(error ? error : errno));
        return 0;
    }

    c->connected = 1;
    return 1;
}


/* Whether the connection is ready for bytes of the owner. */

static int
conn_begin(conn_t *c)
{
    int  rc;

    if (!c->connected && !conn_connected(c)) {
        conn_lost(c, FAIL_CONNECT);
        return 0;
    }

    if (!c->handshake) {
        c->ops->opened(c);
        return !c->dead;
    }

    rc = tls_handshake(c);

    if (rc == TLS_AGAIN) {
        return 0;
    }

    if (rc != 1) {
        stats_note("%s", tls_error());
        conn_lost(c, FAIL_TLS);
        return 0;
    }

    c->handshake = 0;
    c->ops->opened(c);
    return !c->dead;
}


static void
conn_ready(conn_t *c, uint32_t events)
{
    size_t  had = c->in.len;

    if ((!c->connected || c->handshake) && !conn_begin(c)) {
        return;
    }

    if (events & EPOLLOUT) {
        net_send(c);
    }

    if (!(events & (EPOLLIN|EPOLLRDHUP|EPOLLHUP|EPOLLERR)) && !c->ssl) {
        return;
    }

    do {
        conn_read(c);
    } while (!c->eof && (events & (EPOLLRDHUP|EPOLLHUP|EPOLLERR)));

    if (c->in.len > had || (c->eof && c->in.len)) {
        c->ops->data(c);
    }

    if (c->eof && !c->dead) {
        conn_lost(c, c->in.len < NET_MOST ? FAIL_CLOSED : FAIL_HTTP);
    }
}


/* --- the loop ------------------------------------------------------------ */

void
net_listen(int fd, void (*accepted)(int fd))
{
    struct epoll_event  ev;

    ev.events = EPOLLIN;
    ev.data.ptr = NULL;
    net.listening = fd;
    net.accepted = accepted;

    if (epoll_ctl(net.epoll, EPOLL_CTL_ADD, fd, &ev) == -1) {
        die("epoll_ctl: %s", strerror(errno));
    }
}


static void
net_accept(void)
{
    int  fd;

    while ((fd = accept4(net.listening, NULL, NULL,
                         SOCK_NONBLOCK|SOCK_CLOEXEC)) != -1)
    {
        if (net.open < settings.connections) {
            net.accepted(fd);
        } else {
            close(fd);                  /* no file for it */
        }
    }
}


/* epoll_wait() counts in ms, which is long where sessions begin by the clock */

static int
net_wait(uint64_t ns)
{
    struct pollfd    p = { net.epoll, POLLIN, 0 };
    struct timespec  ts = { 0, (long) ns };

    if (ns == 0 || ns >= 5 * NS_MS) {
        return (int) (ns / NS_MS);
    }

    ppoll(&p, 1, &ts, NULL);
    return 0;
}


void
net_step(uint64_t wait_ns)
{
    int                 i, n;
    conn_t             *c;
    struct epoll_event  events[NET_EVENTS];

    n = epoll_wait(net.epoll, events, NET_EVENTS, net_wait(wait_ns));

    if (n == -1 && errno != EINTR) {
        die("epoll_wait: %s", strerror(errno));
    }

    for (i = 0; i < n; i++) {
        c = events[i].data.ptr;

        if (c == NULL) {
            net_accept();

        } else if (!c->dead) {
            conn_ready(c, events[i].events);
        }
    }

    conn_free_dead();
}


size_t
net_open_count(void)
{
    return net.open;
}


void
net_bytes(uint64_t *in, uint64_t *out)
{
    *in = net.in;
    *out = net.out;
}
