
/*
 * One POST and its answer: finds a connection, sends, waits, sends again when
 * a kept connection was gone, keeps the cookies.  An answer of 200 or 204 goes
 * to cpe.c, which knows what it means; anything else ends the session.
 */

#include <errno.h>
#include <string.h>
#include <stdlib.h>

#include "arrive.h"
#include "auth.h"
#include "cpe.h"
#include "identity.h"


#define REDIRECTS_MAX  5            /* in a row */
#define RESENDS_MAX    3
#define COOKIES_MAX    65536        /* bytes; further ones are forgotten */
#define CHALLENGES_MAX 3            /* of one POST, that found it stale */


static void exchange_opened(conn_t *c);
static void exchange_data(conn_t *c);
static void exchange_closed(conn_t *c, fail_t why);
static void exchange_idle_data(conn_t *c);
static void exchange_idle_closed(conn_t *c, fail_t why);
static void exchange_late(void *arg);
static void exchange_write(session_t *s);


static const conn_ops_t  exchange_ops = {
    exchange_opened,
    exchange_data,
    exchange_closed
};

/* of a connection without a session */
static const conn_ops_t  exchange_idle_ops = {
    NULL,                           /* it was opened before */
    exchange_idle_data,
    exchange_idle_closed
};

static struct {
    conn_t    *idle;
    target_t  *targets[URLS_MAX];
    unsigned   turn;                    /* of these */
    int        other;                   /* kind: no answer to the message */
    int        connect;
} exchange;


void
exchange_init(void)
{
    unsigned     i;
    const char  *error = NULL;

    for (i = 0; i < settings.urls_n; i++) {
        exchange.targets[i] = net_target(settings.urls[i], &error);

        if (exchange.targets[i] == NULL) {
            die("%s: %s", settings.urls[i], error);
        }
    }

    exchange.connect = stats_kind("(connection)");
    exchange.other = stats_kind("(refused or sent on)");
}


/* --- connections that wait ----------------------------------------------- */

static void
exchange_keep(conn_t *c)
{
    c->ops = &exchange_idle_ops;
    c->owner = NULL;
    c->next = exchange.idle;
    exchange.idle = c;
}


static conn_t *
exchange_kept(target_t *t)
{
    conn_t  **at, *c;

    for (at = &exchange.idle; (c = *at) != NULL; at = &c->next) {
        if (c->target == t) {
            *at = c->next;
            c->ops = &exchange_ops;
            return c;
        }
    }

    return NULL;
}


static void
exchange_idle_closed(conn_t *c, fail_t why)
{
    conn_t  **at;

    (void) why;

    if (settings.arrive == ARRIVE_IDLE) {
        stats_note("an idle connection was closed by the ACS");
    }

    for (at = &exchange.idle; *at; at = &(*at)->next) {
        if (*at == c) {
            *at = c->next;
            break;
        }
    }

    net_close(c);
}


static void
exchange_idle_data(conn_t *c)
{
    stats_note("bytes that belong to no POST");
    exchange_idle_closed(c, FAIL_HTTP);
}


static void
exchange_connect(session_t *s)
{
    if (settings.connect == CONNECT_KEEP && settings.arrive != ARRIVE_IDLE) {
        s->conn = exchange_kept(s->target);
    }

    if (s->conn == NULL) {
        s->conn = net_connect(s->target, &exchange_ops, s);
        stats.connects += s->conn != NULL;
    }

    if (s->conn) {
        s->conn->owner = s;
    }
}


static void
exchange_drop(session_t *s)
{
    if (s->conn) {
        net_close(s->conn);
        s->conn = NULL;
    }
}


/* --- a POST -------------------------------------------------------------- */

void
exchange_post(session_t *s, int kind)
{
    s->kind = kind;
    s->resends = 0;

    if (s->target == NULL) {
        s->target = exchange.targets[0];
        timer_init(&s->timer, exchange_late, s);
    }

    if (settings.urls_n > 1) {
        exchange_drop(s);
        s->target = exchange.targets[exchange.turn++ % settings.urls_n];
    }

    s->sent = clock_ns();
    stats.posts++;

    if (arrive_given_up()) {
        stats_note("not at its end --timeout after the run's");
        cpe_failed(s, FAIL_TIMEOUT);
        return;
    }

    exchange_write(s);
}


static void
exchange_credentials(session_t *s, buf_t *out)
{
    static buf_t  user, password;

    if (s->auth == NULL && !settings.basic) {
        return;
    }

    user.len = password.len = 0;
    identity_user(&user, s->cpe->number);
    identity_password(&password, s->cpe->number);
    auth_write(out, s->auth, &user, &password, s->target->path);
    s->authorized = 1;
}


static void
exchange_head(session_t *s, buf_t *out)
{
    buf_lit(out, "POST ");
    buf_text(out, s->target->path);
    buf_lit(out, " HTTP/1.1\r\nHost: ");
    buf_text(out, s->target->host);
    buf_lit(out, "\r\nUser-Agent: swarm\r\n");

    if (s->cookies.len) {
        buf_lit(out, "Cookie: ");
        buf_add(out, s->cookies.p, s->cookies.len);
        buf_lit(out, "\r\n");
    }

    exchange_credentials(s, out);

    if (s->body.len) {
        buf_lit(out, "Content-Type: text/xml; charset=utf-8\r\n"
                     "SOAPAction:\r\n");
    }

    if (settings.connect == CONNECT_POST) {
        buf_lit(out, "Connection: close\r\n");
    }

    buf_lit(out, "Content-Length: ");
    buf_number(out, s->body.len);
    buf_lit(out, "\r\n\r\n");
}


static void
exchange_write(session_t *s)
{
    int  failed;

    if (s->conn == NULL) {
        exchange_connect(s);
    }

    if (s->conn == NULL) {
        failed = errno;
        stats_note("connect: %s", strerror(failed));
        cpe_failed(s, net_why(failed));
        return;
    }

    exchange_head(s, &s->conn->out);
    buf_add(&s->conn->out, s->body.p, s->body.len);

    s->awaiting = 1;
    timer_set(&s->timer, clock_ns() + (uint64_t) (settings.timeout * NS_S));
    net_send(s->conn);
}


static void
exchange_opened(conn_t *c)
{
    stats_post(exchange.connect, clock_ns() - c->began);
    net_send(c);
}


/* --- the answer ---------------------------------------------------------- */

/* Of name=value; attributes only name and value are sent back. */

static void
exchange_cookie(session_t *s, str_t cookie)
{
    size_t       n;
    const char  *semicolon = memchr(cookie.p, ';', cookie.len);
    char        *old, *end;
    str_t        pair = cookie;

    if (semicolon) {
        pair.len = (size_t) (semicolon - cookie.p);
    }

    pair = str_trim(pair);

    for (n = 0; n < pair.len && pair.p[n] != '='; n++) { /* void */ }

    n = n < pair.len ? n + 1 : n;
    buf_room(&s->cookies, pair.len + 2);

    for (old = s->cookies.p; old < s->cookies.p + s->cookies.len; old = end) {
        end = memchr(old, ';', (size_t) (s->cookies.p + s->cookies.len - old));
        end = end ? end + 2 : s->cookies.p + s->cookies.len;

        if ((size_t) (end - old) >= n && memcmp(old, pair.p, n) == 0) {
            memmove(old, end, (size_t) (s->cookies.p + s->cookies.len - end));
            s->cookies.len -= (size_t) (end - old);
            end = old;
        }
    }

    if (pair.len + s->cookies.len > COOKIES_MAX) {
        return;
    }

    if (s->cookies.len && s->cookies.p[s->cookies.len - 1] != ' ') {
        buf_lit(&s->cookies, "; ");
    }

    buf_add(&s->cookies, pair.p, pair.len);
}


/* The same POST again, after what the answer asked for. */

static void
exchange_again(session_t *s)
{
    s->sent = clock_ns();
    s->resends = 0;
    stats.posts++;
    exchange_write(s);
}


static int
exchange_challenged(session_t *s, http_response_t *r)
{
    unsigned  i;
    auth_t    found, best;

    if (settings.user[0] == '\0' && settings.credentials == NULL) {
        return 0;
    }

    memset(&best, 0, sizeof(auth_t));

    for (i = 0; i < r->challenges_n; i++) {
        if (auth_read(&found, r->challenges[i]) && found.rank > best.rank) {
            best = found;
        }
    }

    if (best.rank == 0 || (s->authorized && !best.stale)
        || s->challenges++ == CHALLENGES_MAX)
    {
        return 0;                       /* these were wrong */
    }

    if (s->auth == NULL) {
        s->auth = mem_alloc(sizeof(auth_t));
    }

    *s->auth = best;
    stats.challenges++;
    exchange_again(s);
    return 1;
}


static int
exchange_redirected(session_t *s, http_response_t *r)
{
    char        *url;
    target_t    *t;
    const char  *error = "more than five in a row";

    if (settings.verify && r->body_len) {       /* as nginx' own have */
        stats_note("remark: status %d with a body", r->status);
    }

    url = mem_copy(r->location.p, r->location.len);
    t = s->redirects++ < REDIRECTS_MAX ? net_target(url, &error) : NULL;

    if (t == NULL) {
        stats_note("redirect to \"%s\": %s", url, error);
        free(url);
        return 0;
    }

    free(url);

    if (t != s->target) {
        exchange_drop(s);
        s->target = t;
        s->authorized = 0;
    }

    stats.redirects++;
    exchange_again(s);
    return 1;
}


static const struct {
    int    status;
    int  (*go_on)(session_t *s, http_response_t *r);
} exchange_statuses[] = {
    { 401, exchange_challenged },
    { 302, exchange_redirected },
    { 307, exchange_redirected }
};


static void
exchange_status(session_t *s, http_response_t *r)
{
    size_t  i;

    for (i = 0; i < sizeof(exchange_statuses) / sizeof(exchange_statuses[0]);
         i++)
    {
        if (exchange_statuses[i].status == r->status
            && exchange_statuses[i].go_on(s, r))
        {
            return;
        }
    }

    if (r->status > 0 && r->status < STATS_STATUS) {
        stats.status[r->status]++;
    }

    cpe_failed(s, FAIL_STATUS);
}


static void
exchange_take(session_t *s, http_response_t *r)
{
    unsigned  i;

    for (i = 0; i < r->cookies_n; i++) {
        exchange_cookie(s, r->cookies[i]);
    }

    if (r->status == 200 || r->status == 204) {
        stats_post(s->kind, clock_ns() - s->sent);
        s->redirects = 0;
        s->challenges = 0;
        s->authorized = 0;
        cpe_answer(s, r);

    } else {
        stats_post(exchange.other, clock_ns() - s->sent);
        exchange_status(s, r);
    }
}


static void
exchange_data(conn_t *c)
{
    int               rc;
    session_t        *s = c->owner;
    buf_t             in;
    http_response_t   r;

    rc = http_parse(&r, c->in.p, c->in.len, c->eof);

    if (rc == 0) {
        return;
    }

    if (rc == -1 || !s->awaiting || r.used < c->in.len) {
        stats_note("answer: %s", rc == -1 ? r.type.p : "more than one");
        cpe_failed(s, FAIL_HTTP);
        return;
    }

    /* the answer's bytes outlive the connection, and the next POST */

    in = c->in;
    memset(&c->in, 0, sizeof(buf_t));
    c->used = 1;
    s->awaiting = 0;

    if (r.close || c->eof || settings.connect == CONNECT_POST) {
        exchange_drop(s);
        c = NULL;
    }

    exchange_take(s, &r);

    if (c && !c->dead && c->in.p == NULL) {
        in.len = 0;
        c->in = in;
    } else {
        buf_free(&in);
    }
}


/*
 * A connection that had been kept may have been closed while the POST was on
 * its way: it is sent again, over a new one.
 */

static void
exchange_closed(conn_t *c, fail_t why)
{
    session_t  *s = c->owner;
    int         stale = c->used && c->in.len == 0 && why == FAIL_CLOSED;

    exchange_drop(s);

    if (!s->awaiting) {
        return;                         /* goes on over a new connection */
    }

    if (stale && s->resends++ < RESENDS_MAX) {
        stats.resent++;
        exchange_write(s);
        return;
    }

    if (why == FAIL_CLOSED || why == FAIL_HTTP) {
        stats_note(why == FAIL_HTTP ? "answer: too large"
                                    : "closed before the answer");
    }

    cpe_failed(s, why);
}


static void
exchange_late(void *arg)
{
    session_t  *s = arg;

    if (s->awaiting) {
        cpe_failed(s, FAIL_TIMEOUT);
    }
}


/* The session is over: what becomes of its connection. */

void
exchange_end(session_t *s)
{
    timer_stop(&s->timer);

    if (s->conn && !s->awaiting && settings.connect == CONNECT_KEEP) {
        exchange_keep(s->conn);
        s->conn = NULL;
    }

    exchange_drop(s);
    s->awaiting = 0;
}
