
/* HTTP responses as CPEs' servers for connection requests write them. */

#include "cwmp_response.h"
#include "tap.h"


typedef struct {
    const char  *name, *text;
    unsigned     status;
    const char  *digest;            /* NULL: none */
    unsigned     reusable, complete;
} response_case_t;


static const response_case_t cases[] = {
    { "CR-03 204", "HTTP/1.1 204 No Content\r\n\r\n", 204, NULL, 1, 1 },
    { "CR-03 200", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
      200, NULL, 1, 1 },
    { "CR-03 200 with a body", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
      200, NULL, 1, 1 },
    { "a body that is cut", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
      200, NULL, 1, 0 },
    { "more than the body", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd",
      200, NULL, 0, 1 },
    { "a body of no length", "HTTP/1.1 200 OK\r\n\r\nabc", 200, NULL, 0, 1 },
    { "a body in chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
      "Content-Length: 5\r\n\r\n", 200, NULL, 0, 1 },
    { "a length that is none", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
      200, NULL, 0, 1 },
    { "a long body", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999"
      "\r\n\r\n", 200, NULL, 0, 1 },
    { "HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
      200, NULL, 0, 1 },
    { "HTTP/1.0 that keeps alive", "HTTP/1.0 200 OK\r\nConnection: Keep-Alive"
      "\r\nContent-Length: 0\r\n\r\n", 200, NULL, 1, 1 },
    { "100 first", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 x\r\n\r\n",
      204, NULL, 1, 1 },
    { "TOL-50 bare LF", "HTTP/1.1 401 Unauthorized\n"
      "WWW-Authenticate: Digest realm=\"a\",nonce=\"b\"\nContent-Length: 0\n\n",
      401, "realm=\"a\",nonce=\"b\"", 1, 1 },
    { "TOL-50 a folded challenge", "HTTP/1.1 401 Unauthorized\r\n"
      "WWW-Authenticate: Digest realm=\"a\",\r\n\tnonce=\"b\",\r\n  qop=\"auth\""
      "\r\nContent-Length: 0\r\n\r\n",
      401, "realm=\"a\",  \tnonce=\"b\",    qop=\"auth\"", 1, 1 },
    { "TOL-50 a challenge folded with bare LF", "HTTP/1.1 401 x\n"
      "www-authenticate:Digest\n realm=\"a\"\nContent-Length:0\n\n",
      401, "realm=\"a\"", 1, 1 },
    { "TOL-50 closes after 401", "HTTP/1.1 401 x\r\nConnection: close\r\n"
      "WWW-Authenticate: Digest realm=\"a\"\r\n\r\n", 401, "realm=\"a\"", 0, 1 },
    { "TOL-50 503 when busy", "HTTP/1.1 503 Service Unavailable\r\n"
      "Content-Length: 0\r\n\r\n", 503, NULL, 1, 1 },
    { "TOL-50 no reason phrase", "HTTP/1.1 200\nContent-Length:0\n\n",
      200, NULL, 1, 1 },
    { "TOL-50 a blank line first", "\r\n\r\nHTTP/1.1 204 x\r\n\r\n",
      204, NULL, 1, 1 },
    { "CR-02 Basic and Digest in one header", "HTTP/1.1 401 x\r\n"
      "WWW-Authenticate: Basic realm=\"a, Digest b\", Digest realm=\"c\", "
      "qop=\"auth\", Basic realm=\"d\"\r\nContent-Length: 0\r\n\r\n",
      401, "realm=\"c\", qop=\"auth\", ", 1, 1 },
    { "CR-02 Basic and Digest in two", "HTTP/1.1 401 x\r\n"
      "WWW-Authenticate: Basic realm=\"a\"\r\n"
      "WWW-Authenticate: DIGEST realm = \"c\"\r\nContent-Length: 0\r\n\r\n",
      401, "realm = \"c\"", 1, 1 },
    { "CR-02 Basic alone", "HTTP/1.1 401 x\r\n"
      "WWW-Authenticate: Basic realm=\"a\\\", Digest b\"\r\n\r\n",
      401, NULL, 0, 1 },
    { "half a head", "HTTP/1.1 204 No Content\r\nServer: x", 0, NULL, 0, 0 },
    { "nothing", "", 0, NULL, 0, 0 }
};


static const struct {
    const char  *name, *text, *reason;
} bad[] = {
    { "no HTTP", "SSH-2.0-dropbear\r\n\r\n", "no HTTP/1.x status line" },
    { "HTTP/2", "HTTP/2.0 200 OK\r\n\r\n", "no HTTP/1.x status line" },
    { "a status of letters", "HTTP/1.1 2x0 OK\r\n\r\n",
      "no status of 100 to 599" },
    { "a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n",
      "no status of 100 to 599" }
};


static cwmp_rc_t
feed(cwmp_response_t *r, const char *text, size_t len, size_t piece)
{
    size_t     n;
    cwmp_rc_t  rc;

    cwmp_response_init(r);

    for (rc = CWMP_OK; len; text += n, len -= n) {
        n = len < piece ? len : piece;
        rc = cwmp_response_feed(r, (const unsigned char *) text, n);
    }

    return rc;
}


static void
test_case(const response_case_t *t, size_t piece)
{
    cwmp_rc_t        rc;
    cwmp_response_t  r;

    rc = feed(&r, t->text, strlen(t->text), piece);

    ok(rc == CWMP_OK && r.status == t->status && r.complete == t->complete
       && (!r.complete || r.reusable == t->reusable)
       && (t->digest == NULL) == (r.digest.data == NULL)
       && (t->digest == NULL || (r.digest.len == strlen(t->digest)
           && memcmp(r.digest.data, t->digest, r.digest.len) == 0)),
       "%s, in pieces of %zu", t->name, piece)
        || (diag("%d: %u, reusable %u, complete %u, digest '%.*s'", rc,
                 r.status, r.reusable, r.complete, (int) r.digest.len,
                 r.digest.data ? (char *) r.digest.data : ""), 0);
}


int
main(void)
{
    size_t           i;
    char             long_head[9000];
    cwmp_response_t  r;

    static const char  cut[] = "HTTP/1.1 401 x\r\n"
                               "WWW-Authenticate: Digest realm=\"a\"";
    static const char  busy[] = "HTTP/1.1 503 x\r\nRetry-After: 30\r\n\r\n";

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        test_case(&cases[i], 1);
        test_case(&cases[i], 4096);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(feed(&r, bad[i].text, strlen(bad[i].text), 7) == CWMP_REFUSED
           && strcmp(r.reason, bad[i].reason) == 0, "%s", bad[i].name);
    }

    memset(long_head, 'x', sizeof(long_head));
    ok(feed(&r, long_head, sizeof(long_head), 100) == CWMP_REFUSED
       && strcmp(r.reason, "a head of over 8192 bytes") == 0, "a long head");

    feed(&r, cut, strlen(cut), 99);
    ok(cwmp_response_end(&r) == CWMP_OK && r.status == 401 && r.complete
       && !r.reusable && r.digest.len == 9,
       "TOL-50 closed behind the last header");

    feed(&r, "", 0, 1);
    ok(cwmp_response_end(&r) == CWMP_REFUSED, "closed without a byte");

    feed(&r, busy, strlen(busy), 99);
    is_num(r.retry_after, 30, "CR-04 Retry-After");

    return done();
}
