
/*
 * Connection requests: one port for all CPEs, a path for each.  A GET of it is
 * answered with 200, and that CPE begins a session with 6 CONNECTION REQUEST;
 * with 401 first, if there are credentials; with 503 while it has a session.
 */

#define _GNU_SOURCE

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "auth.h"
#include "cpe.h"
#include "identity.h"
#include "listen.h"
#include "todo.h"


#define LISTEN_HEAD_MAX  8192

static void listen_accepted(int fd);
static void listen_opened(conn_t *c);
static void listen_data(conn_t *c);
static void listen_closed(conn_t *c, fail_t why);


static const conn_ops_t  listen_ops = {
    listen_opened,
    listen_data,
    listen_closed
};

static char  listen_base[320];
static char  listen_nonce[33];


void
listen_url(buf_t *b, uint32_t number)
{
    buf_format(b, "%s/%u",
               listen_base[0] ? listen_base : "http://192.0.2.7:7547/cr",
               number);
}


static void
listen_name(int fd, const char *host)
{
    char                      port[16];
    socklen_t                 len = sizeof(struct sockaddr_storage);
    struct sockaddr_storage   addr;

    if (getsockname(fd, (struct sockaddr *) &addr, &len) == -1
        || getnameinfo((struct sockaddr *) &addr, len, NULL, 0, port,
                       sizeof(port), NI_NUMERICSERV))
    {
        die("--listen: no port");
    }

    if (settings.listen_url) {
        snprintf(listen_base, sizeof(listen_base), "%s", settings.listen_url);
    } else {
        snprintf(listen_base, sizeof(listen_base), "http://%s:%s/cr", host,
                 port);
    }
}


void
listen_init(void)
{
    int               fd, one = 1, rc;
    char             *host = mem_copy(settings.listen,
                                      strlen(settings.listen));
    char             *colon = strrchr(host, ':');
    struct addrinfo   hints, *found;

    if (colon == NULL) {
        die("--listen %s: ADDRESS:PORT is needed", host);
    }

    *colon = '\0';
    memset(&hints, 0, sizeof(hints));
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    rc = getaddrinfo(host[0] ? host : NULL, colon + 1, &hints, &found);

    if (rc) {
        die("--listen %s: %s", settings.listen, gai_strerror(rc));
    }

    fd = socket(found->ai_family, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (fd == -1
        || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == -1
        || bind(fd, found->ai_addr, found->ai_addrlen) == -1
        || listen(fd, 1024) == -1)
    {
        die("--listen %s: %s", settings.listen, strerror(errno));
    }

    freeaddrinfo(found);
    listen_name(fd, host[0] ? host : "127.0.0.1");
    snprintf(listen_nonce, sizeof(listen_nonce), "%016llx",
             (unsigned long long) clock_ns());
    net_listen(fd, listen_accepted);
    free(host);
}


static void
listen_accepted(int fd)
{
    net_accepted(fd, &listen_ops, NULL);
}


static void
listen_opened(conn_t *c)
{
    net_send(c);
}


static void
listen_closed(conn_t *c, fail_t why)
{
    (void) why;
    net_close(c);
}


/* The CPE whose path it is. */

static cpe_t *
listen_cpe(str_t path)
{
    size_t         i = path.len;
    uint64_t       n;
    const char    *base = strchr(listen_base + 8, '/');

    while (i && path.p[i - 1] >= '0' && path.p[i - 1] <= '9') {
        i--;
    }

    if (i == path.len || (base && (i != strlen(base) + 1
                                   || memcmp(path.p, base, i - 1) != 0)))
    {
        return NULL;
    }

    n = strtoull(path.p + i, NULL, 10);

    if (n < settings.first || n - settings.first >= settings.cpes) {
        return NULL;
    }

    return cpe_at(n - settings.first);
}


static int
listen_allowed(cpe_t *cpe, const char *head, size_t n)
{
    int           ok;
    str_t         h;
    const char   *p = memmem(head, n, "\r\nAuthorization:", 16);
    buf_t         user = { NULL, 0, 0 }, password = { NULL, 0, 0 };

    if (settings.listen_user == NULL) {
        return 1;
    }

    if (p == NULL) {
        return 0;
    }

    h.p = p + 16;
    h.len = strcspn(h.p, "\r");

    identity_expand(&user, settings.listen_user, cpe->number);
    identity_expand(&password, settings.listen_password, cpe->number);
    buf_add(&user, "", 1);
    buf_add(&password, "", 1);
    ok = auth_check(str_trim(h), listen_nonce, user.p, password.p);
    buf_free(&user);
    buf_free(&password);
    return ok;
}


static void
listen_say(conn_t *c, const char *status, const char *headers)
{
    buf_format(&c->out, "HTTP/1.1 %s\r\n%sContent-Length: 0\r\n\r\n", status,
               headers);
    net_send(c);
}


static void
listen_request(conn_t *c, const char *head, size_t n)
{
    char    challenge[256];
    str_t   path;
    cpe_t  *cpe;

    if (n < 16 || memcmp(head, "GET ", 4) != 0) {
        listen_say(c, "405 Method Not Allowed", "Allow: GET\r\n");
        return;
    }

    path.p = head + 4;
    path.len = strcspn(path.p, " \r");
    cpe = listen_cpe(path);

    if (cpe == NULL) {
        listen_say(c, "404 Not Found", "");

    } else if (!listen_allowed(cpe, head, n)) {
        snprintf(challenge, sizeof(challenge),
                 "WWW-Authenticate: Digest realm=\"swarm\", nonce=\"%s\", "
                 "qop=\"auth\", algorithm=MD5\r\n", listen_nonce);
        listen_say(c, "401 Unauthorized", challenge);

    } else if (cpe->session) {
        listen_say(c, "503 Service Unavailable", "");

    } else {
        stats.asked++;
        todo_add(cpe, TODO_CONNECTION, str_of(""), 0);
        listen_say(c, "200 OK", "");
    }
}


static void
listen_data(conn_t *c)
{
    char    *end;
    size_t   n;

    while ((end = memmem(c->in.p, c->in.len, "\r\n\r\n", 4)) != NULL) {
        n = (size_t) (end - c->in.p) + 4;
        end[2] = '\0';
        listen_request(c, c->in.p, n - 2);
        memmove(c->in.p, c->in.p + n, c->in.len - n);
        c->in.len -= n;
    }

    if (c->in.len > LISTEN_HEAD_MAX) {
        net_close(c);
    }
}
