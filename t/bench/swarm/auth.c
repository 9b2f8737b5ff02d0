
/*
 * Digest (RFC 7616 and 2617: MD5 and SHA-256, with and without -sess, qop
 * auth or none) and basic.  Knows headers, not connections.
 */

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <openssl/evp.h>

#include "auth.h"


#define HEX_MAX  65

typedef char  hex_t[HEX_MAX];

static struct {
    const char    *name;
    const char    *digest;
    int            sess;
    int            rank;
    const EVP_MD  *md;
} algorithms[] = {
    { "MD5", "MD5", 0, 2, NULL },
    { "MD5-sess", "MD5", 1, 3, NULL },
    { "SHA-256", "SHA256", 0, 4, NULL },
    { "SHA-256-sess", "SHA256", 1, 5, NULL }
};

#define ALGORITHMS  (sizeof(algorithms) / sizeof(algorithms[0]))


/* --- reading ------------------------------------------------------------- */

/* name=value or name="value", somewhere behind the scheme. */

static str_t
auth_param(str_t h, const char *name)
{
    size_t       n = strlen(name);
    str_t        value = { "", 0 };
    const char  *p = memchr(h.p, ' ', h.len), *end = h.p + h.len, *from;

    while (p && p < end) {
        while (p < end && (*p == ' ' || *p == ',')) {
            p++;
        }

        from = p;
        p = memchr(p, '=', (size_t) (end - p));

        if (p == NULL) {
            break;
        }

        value.p = ++p;

        if (p < end && *p == '"') {
            value.p = ++p;
            p = memchr(p, '"', (size_t) (end - p));
            p = p ? p : end;
        } else {
            while (p < end && *p != ',' && *p != ' ') {
                p++;
            }
        }

        value.len = (size_t) (p - value.p);

        if ((size_t) (value.p - from) > n && from[n] == '='
            && strncasecmp(from, name, n) == 0)
        {
            return value;
        }

        p += p < end && *p == '"';
    }

    return (str_t) { "", 0 };
}


static int
auth_copy(char *to, size_t cap, str_t s)
{
    if (s.len >= cap) {
        return 0;
    }

    memcpy(to, s.p, s.len);
    to[s.len] = '\0';
    return 1;
}


static int
auth_algorithm(str_t name)
{
    size_t  i;

    for (i = 0; i < ALGORITHMS; i++) {
        if (str_is_nocase(name, algorithms[i].name)) {
            return (int) i;
        }
    }

    return name.len ? -1 : 0;
}


int
auth_read(auth_t *a, str_t h)
{
    str_t  qop;

    memset(a, 0, sizeof(auth_t));

    if (h.len >= 5 && strncasecmp(h.p, "Basic", 5) == 0) {
        a->basic = 1;
        a->rank = 1;
        return 1;
    }

    if (h.len < 7 || strncasecmp(h.p, "Digest ", 7) != 0) {
        return 0;
    }

    a->algorithm = auth_algorithm(auth_param(h, "algorithm"));
    qop = auth_param(h, "qop");
    a->qop = qop.len != 0;
    a->stale = str_is_nocase(auth_param(h, "stale"), "true");

    if (a->algorithm < 0 || (qop.len && !str_listed(qop, str_of("auth")))
        || !auth_copy(a->realm, sizeof(a->realm), auth_param(h, "realm"))
        || !auth_copy(a->nonce, sizeof(a->nonce), auth_param(h, "nonce"))
        || !auth_copy(a->opaque, sizeof(a->opaque), auth_param(h, "opaque")))
    {
        return 0;
    }

    a->rank = algorithms[a->algorithm].rank;
    return 1;
}


/* --- digests ------------------------------------------------------------- */

static void
auth_hash(int algorithm, const buf_t *b, hex_t hex)
{
    unsigned        n = 0, i;
    unsigned char   raw[EVP_MAX_MD_SIZE];

    if (algorithms[algorithm].md == NULL) {
        algorithms[algorithm].md
            = EVP_MD_fetch(NULL, algorithms[algorithm].digest, NULL);
    }

    if (algorithms[algorithm].md == NULL
        || EVP_Digest(b->p, b->len, raw, &n, algorithms[algorithm].md, NULL)
           != 1)
    {
        die("OpenSSL has no %s", algorithms[algorithm].digest);
    }

    for (i = 0; i < n; i++) {
        snprintf(hex + 2 * i, 3, "%02x", raw[i]);
    }
}


typedef struct {
    const char  *method;
    const char  *uri;
    size_t       uri_len;
    const char  *user;
    size_t       user_len;
    const char  *password;
    size_t       password_len;
    const char  *nc;
    const char  *cnonce;
} digest_of_t;


static void
auth_response(const auth_t *a, const digest_of_t *d, hex_t hex)
{
    hex_t         one, two;
    static buf_t  b;

    b.len = 0;
    buf_format(&b, "%.*s:%s:%.*s", (int) d->user_len, d->user, a->realm,
               (int) d->password_len, d->password);
    auth_hash(a->algorithm, &b, one);

    if (algorithms[a->algorithm].sess) {
        b.len = 0;
        buf_format(&b, "%s:%s:%s", one, a->nonce, d->cnonce);
        auth_hash(a->algorithm, &b, one);
    }

    b.len = 0;
    buf_format(&b, "%s:%.*s", d->method, (int) d->uri_len, d->uri);
    auth_hash(a->algorithm, &b, two);

    b.len = 0;

    if (a->qop) {
        buf_format(&b, "%s:%s:%s:%s:auth:%s", one, a->nonce, d->nc, d->cnonce,
                   two);
    } else {
        buf_format(&b, "%s:%s:%s", one, a->nonce, two);
    }

    auth_hash(a->algorithm, &b, hex);
}


/* --- writing ------------------------------------------------------------- */

static void
auth_write_basic(buf_t *out, const buf_t *user, const buf_t *password)
{
    size_t         n;
    static buf_t   pair;

    pair.len = 0;
    buf_add(&pair, user->p, user->len);
    buf_lit(&pair, ":");
    buf_add(&pair, password->p, password->len);

    n = (pair.len + 2) / 3 * 4;
    buf_lit(out, "Authorization: Basic ");
    buf_room(out, n + 1);
    EVP_EncodeBlock((unsigned char *) out->p + out->len,
                    (unsigned char *) pair.p, (int) pair.len);
    out->len += n;
    buf_lit(out, "\r\n");
}


void
auth_write(buf_t *out, auth_t *a, const buf_t *user, const buf_t *password,
    const char *uri)
{
    char          nc[9];
    hex_t         hex;
    digest_of_t   d = { "POST", uri, strlen(uri), user->p, user->len,
                        password->p, password->len, nc, "53776172" };

    if (a == NULL || a->basic) {
        auth_write_basic(out, user, password);
        return;
    }

    snprintf(nc, sizeof(nc), "%08x", ++a->nc);
    auth_response(a, &d, hex);

    buf_format(out, "Authorization: Digest username=\"%.*s\", realm=\"%s\", "
               "nonce=\"%s\", uri=\"%s\", response=\"%s\", algorithm=%s",
               (int) user->len, user->p, a->realm, a->nonce, uri, hex,
               algorithms[a->algorithm].name);

    if (a->qop || algorithms[a->algorithm].sess) {
        buf_format(out, ", qop=auth, nc=%s, cnonce=\"%s\"", nc, d.cnonce);
    }

    if (a->opaque[0]) {
        buf_format(out, ", opaque=\"%s\"", a->opaque);
    }

    buf_lit(out, "\r\n");
}


int
auth_check(str_t h, const char *nonce, const char *user,
    const char *password)
{
    char          nc[16], cnonce[128];
    hex_t         hex;
    str_t         uri = auth_param(h, "uri");
    auth_t        a;
    digest_of_t   d = { "GET", uri.p, uri.len, user, strlen(user), password,
                        strlen(password), nc, cnonce };

    return auth_read(&a, h)
           && !a.basic
           && str_is(auth_param(h, "username"), user)
           && strcmp(a.nonce, nonce) == 0
           && auth_copy(nc, sizeof(nc), auth_param(h, "nc"))
           && auth_copy(cnonce, sizeof(cnonce), auth_param(h, "cnonce"))
           && (auth_response(&a, &d, hex),
               str_is_nocase(auth_param(h, "response"), hex));
}
