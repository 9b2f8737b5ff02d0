
/*
 * A header is a list of NAME=VALUE.  Each name that means something has a row
 * in cwmp_digest_names[], each algorithm one in cwmp_digest_algorithms[].  CPEs
 * quote what RFC 7616 wants bare and the other way round, so both are taken
 * everywhere.
 *
 * stdio.h is here for snprintf() only.
 */

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "cwmp_digest.h"


struct cwmp_digest_algorithm_s {
    const char      *name;
    const char      *hash;          /* as OpenSSL names it */
    size_t           hex;           /* characters of its digest */
    unsigned         session;       /* the secret is bound to the nonces */
    EVP_MD_CTX      *ctx;           /* kept from its first use on: to make it
                                       costs as much as a digest */
};


typedef struct {
    const unsigned char  *p;
    const unsigned char  *end;
    cwmp_arena_t         *arena;
    cwmp_digest_t        *d;
} cwmp_digest_reader_t;


static cwmp_rc_t cwmp_digest_pair(cwmp_digest_reader_t *r);
static cwmp_rc_t cwmp_digest_value(cwmp_digest_reader_t *r, const char *name,
    cwmp_str_t *value);
static cwmp_rc_t cwmp_digest_unescape(cwmp_arena_t *arena, cwmp_str_t *value);
static cwmp_rc_t cwmp_digest_complete(cwmp_digest_t *d);
static cwmp_rc_t cwmp_digest_quality(cwmp_digest_t *d);
static cwmp_rc_t cwmp_digest_refuse(cwmp_digest_t *d, const char *field,
    const char *why);
static void cwmp_digest_blanks(cwmp_digest_reader_t *r);
static int cwmp_digest_is(const cwmp_str_t *s, const char *name);
static int cwmp_digest_is_hex(const cwmp_str_t *s);
static EVP_MD_CTX *cwmp_digest_ctx(cwmp_digest_algorithm_t *a);
static cwmp_rc_t cwmp_digest_hash(cwmp_digest_algorithm_t *a,
    const cwmp_str_t **parts, size_t n, unsigned char *buf, cwmp_str_t *out);


/* in the order of cwmp_digest_field_t */

static const struct {
    const char      *name;
    unsigned         needed;
} cwmp_digest_names[CWMP_DIGEST_FIELDS] = {
    { "username", 1 },
    { "realm", 1 },
    { "nonce", 1 },
    { "uri", 1 },
    { "response", 1 },
    { "algorithm", 0 },
    { "cnonce", 0 },
    { "opaque", 0 },
    { "qop", 0 },
    { "nc", 0 }
};

/* the first is meant when none is named */

static cwmp_digest_algorithm_t  cwmp_digest_algorithms[] = {
    { "MD5", "MD5", 32, 0, NULL },
    { "MD5-sess", "MD5", 32, 1, NULL },
    { "SHA-256", "SHA256", 64, 0, NULL },
    { "SHA-256-sess", "SHA256", 64, 1, NULL },
    { NULL, NULL, 0, 0, NULL }
};


cwmp_rc_t
cwmp_digest_parse(cwmp_arena_t *arena, const unsigned char *p, size_t len,
    cwmp_digest_t *d)
{
    cwmp_rc_t             rc;
    cwmp_str_t            scheme;
    cwmp_digest_reader_t  r = { p, p + len, arena, d };

    memset(d, 0, sizeof(cwmp_digest_t));

    if (len > CWMP_DIGEST_MAX) {
        return cwmp_digest_refuse(d, "header", "is longer than 4096 bytes");
    }

    scheme.data = (unsigned char *) p;
    scheme.len = (len > 6) ? 6 : len;

    if (!cwmp_digest_is(&scheme, "Digest")
        || (len > 6 && p[6] != ' ' && p[6] != '\t'))
    {
        return cwmp_digest_refuse(d, "header", "is not Digest");
    }

    for (r.p += 6; /* void */ ; r.p++) {
        cwmp_digest_blanks(&r);

        if (r.p < r.end && *r.p != ',') {
            rc = cwmp_digest_pair(&r);
            if (rc != CWMP_OK) {
                return rc;
            }
        }

        if (r.p == r.end) {
            return cwmp_digest_complete(d);
        }
    }
}


/* NAME = VALUE, up to the comma behind it or the end */

static cwmp_rc_t
cwmp_digest_pair(cwmp_digest_reader_t *r)
{
    size_t       i;
    cwmp_rc_t    rc;
    cwmp_str_t   name, value;
    const char  *known;

    value.data = NULL;
    value.len = 0;
    name.data = (unsigned char *) r->p;

    while (r->p < r->end && *r->p > ' ' && *r->p != '=' && *r->p != ','
           && *r->p != '"')
    {
        r->p++;
    }

    name.len = r->p - name.data;

    for (i = 0; i < CWMP_DIGEST_FIELDS; i++) {
        if (cwmp_digest_is(&name, cwmp_digest_names[i].name)) {
            break;
        }
    }

    known = (i < CWMP_DIGEST_FIELDS) ? cwmp_digest_names[i].name : "a field";

    rc = name.len ? cwmp_digest_value(r, known, &value)
                  : cwmp_digest_refuse(r->d, known, "has no name");

    if (rc != CWMP_OK || i == CWMP_DIGEST_FIELDS) {
        return rc;
    }

    if (r->d->given & (1u << i)) {
        return cwmp_digest_refuse(r->d, known, "is there twice");
    }

    r->d->given |= 1u << i;
    r->d->fields[i] = value;

    return (i == CWMP_DIGEST_URI)
           ? CWMP_OK : cwmp_digest_unescape(r->arena, &r->d->fields[i]);
}


/* "= VALUE" and what may follow it; a quoted one is left with its escapes */

static cwmp_rc_t
cwmp_digest_value(cwmp_digest_reader_t *r, const char *name, cwmp_str_t *value)
{
    int  quoted;

    cwmp_digest_blanks(r);

    if (r->p == r->end || *r->p != '=') {
        return cwmp_digest_refuse(r->d, name, "has no value");
    }

    r->p++;
    cwmp_digest_blanks(r);

    quoted = (r->p < r->end && *r->p == '"');
    r->p += quoted;
    value->data = (unsigned char *) r->p;

    for ( /* void */ ; r->p < r->end; r->p++) {

        if (*r->p == '"'
            || (!quoted && (*r->p <= ' ' || *r->p == ',' || *r->p == '\\')))
        {
            break;
        }

        r->p += (*r->p == '\\' && r->end - r->p > 1);

        if ((*r->p < ' ' && *r->p != '\t') || *r->p == 0x7f) {
            return cwmp_digest_refuse(r->d, name, "has a control character");
        }
    }

    value->len = r->p - value->data;

    if (quoted && r->p++ == r->end) {
        return cwmp_digest_refuse(r->d, name, "has no closing quote");
    }

    cwmp_digest_blanks(r);

    if (r->p < r->end && *r->p != ',') {
        return cwmp_digest_refuse(r->d, name, "has no comma after it");
    }

    return CWMP_OK;
}


/* in most headers there is nothing to do, and nothing is copied */

static cwmp_rc_t
cwmp_digest_unescape(cwmp_arena_t *arena, cwmp_str_t *value)
{
    unsigned char        *to;
    const unsigned char  *p, *end;

    if (memchr(value->data, '\\', value->len) == NULL) {
        return CWMP_OK;
    }

    p = value->data;
    end = p + value->len;

    to = cwmp_alloc(arena, value->len);
    if (to == NULL) {
        return CWMP_ERROR;
    }

    value->data = to;

    while (p < end) {
        p += (*p == '\\');          /* never the last: it escapes something */
        *to++ = *p++;
    }

    value->len = to - value->data;

    return CWMP_OK;
}


/* what is there by itself was good: is it all, and of kinds that are served? */

static cwmp_rc_t
cwmp_digest_complete(cwmp_digest_t *d)
{
    size_t                    i;
    cwmp_digest_algorithm_t  *a;

    for (i = 0; i < CWMP_DIGEST_FIELDS; i++) {
        if (cwmp_digest_names[i].needed && !(d->given & (1u << i))) {
            return cwmp_digest_refuse(d, cwmp_digest_names[i].name,
                                      "is missing");
        }
    }

    a = cwmp_digest_algorithms;

    while (a->name && (d->given & (1u << CWMP_DIGEST_ALGORITHM))
           && !cwmp_digest_is(&d->fields[CWMP_DIGEST_ALGORITHM], a->name))
    {
        a++;
    }

    if (a->name == NULL) {
        return cwmp_digest_refuse(d, "algorithm", "is none that is served: "
                                  "use MD5, MD5-sess or SHA-256");
    }

    d->algorithm = a;

    if (d->fields[CWMP_DIGEST_RESPONSE].len != a->hex
        || !cwmp_digest_is_hex(&d->fields[CWMP_DIGEST_RESPONSE]))
    {
        return cwmp_digest_refuse(d, "response", "is no digest in hex");
    }

    return cwmp_digest_quality(d);
}


static cwmp_rc_t
cwmp_digest_quality(cwmp_digest_t *d)
{
    size_t             i;
    unsigned           c, qop;
    const cwmp_str_t  *nc;

    qop = (d->given & (1u << CWMP_DIGEST_QOP)) != 0;
    nc = &d->fields[CWMP_DIGEST_NC];

    if (qop && !cwmp_digest_is(&d->fields[CWMP_DIGEST_QOP], "auth")) {
        return cwmp_digest_refuse(d, "qop", "is not \"auth\"");
    }

    if ((qop || d->algorithm->session)
        && !(d->given & (1u << CWMP_DIGEST_CNONCE)))
    {
        return cwmp_digest_refuse(d, "cnonce", "is missing");
    }

    if (!qop) {
        return CWMP_OK;
    }

    if (nc->len == 0 || nc->len > 8 || !cwmp_digest_is_hex(nc)) {
        return cwmp_digest_refuse(d, "nc", "is not of 8 hexadecimal digits");
    }

    for (i = 0; i < nc->len; i++) {
        c = nc->data[i];
        d->count = d->count << 4 | ((c <= '9') ? c - '0' : (c & 7) + 9);
    }

    /* without qop there is none, and nothing is used up */

    return d->count ? CWMP_OK : cwmp_digest_refuse(d, "nc", "is 0: it begins "
                                                   "with 1");
}


static cwmp_rc_t
cwmp_digest_refuse(cwmp_digest_t *d, const char *field, const char *why)
{
    snprintf(d->reason, sizeof(d->reason), "Authorization: %s %s", field, why);

    return CWMP_REFUSED;
}


static void
cwmp_digest_blanks(cwmp_digest_reader_t *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t')) {
        r->p++;
    }
}


/* names are of letters, digits and '-': one bit tells the case */

static int
cwmp_digest_is(const cwmp_str_t *s, const char *name)
{
    size_t         i;
    unsigned char  c;

    for (i = 0; i < s->len && name[i]; i++) {
        c = s->data[i];

        if (c != (unsigned char) name[i]
            && ((c ^ (unsigned char) name[i]) != 0x20 || (c | 0x20) < 'a'
                || (c | 0x20) > 'z'))
        {
            return 0;
        }
    }

    return i == s->len && name[i] == '\0';
}


static int
cwmp_digest_is_hex(const cwmp_str_t *s)
{
    size_t         i;
    unsigned char  c;

    for (i = 0; i < s->len; i++) {
        c = s->data[i];

        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f')
            && !(c >= 'A' && c <= 'F'))
        {
            return 0;
        }
    }

    return 1;
}


cwmp_rc_t
cwmp_digest_secret(const cwmp_digest_t *d, const cwmp_str_t *password,
    unsigned char *buf, cwmp_str_t *secret)
{
    const cwmp_str_t  *parts[] = {
        &d->fields[CWMP_DIGEST_USERNAME], &d->fields[CWMP_DIGEST_REALM],
        password
    };

    return cwmp_digest_hash(d->algorithm, parts, 3, buf, secret);
}


cwmp_rc_t
cwmp_digest_response(const cwmp_digest_t *d, const cwmp_str_t *method,
    const cwmp_str_t *secret, unsigned char *buf, cwmp_str_t *response)
{
    cwmp_str_t         a1, a2;
    unsigned char      buf1[CWMP_DIGEST_HEX], buf2[CWMP_DIGEST_HEX];
    const cwmp_str_t  *f = d->fields;
    const cwmp_str_t  *first[] = {
        secret, &f[CWMP_DIGEST_NONCE], &f[CWMP_DIGEST_CNONCE]
    };
    const cwmp_str_t  *second[] = { method, &f[CWMP_DIGEST_URI] };
    const cwmp_str_t  *plain[] = { &a1, &f[CWMP_DIGEST_NONCE], &a2 };
    const cwmp_str_t  *auth[] = {
        &a1, &f[CWMP_DIGEST_NONCE], &f[CWMP_DIGEST_NC], &f[CWMP_DIGEST_CNONCE],
        &f[CWMP_DIGEST_QOP], &a2
    };

    a1 = *secret;

    if ((d->algorithm->session
         && cwmp_digest_hash(d->algorithm, first, 3, buf1, &a1) != CWMP_OK)
        || cwmp_digest_hash(d->algorithm, second, 2, buf2, &a2) != CWMP_OK)
    {
        return CWMP_ERROR;
    }

    return (d->given & (1u << CWMP_DIGEST_QOP))
           ? cwmp_digest_hash(d->algorithm, auth, 6, buf, response)
           : cwmp_digest_hash(d->algorithm, plain, 3, buf, response);
}


cwmp_rc_t
cwmp_digest_check(const cwmp_digest_t *d, const cwmp_str_t *method,
    const cwmp_str_t *secret)
{
    size_t             i;
    cwmp_str_t         want;
    unsigned char      buf[CWMP_DIGEST_HEX], sent[CWMP_DIGEST_HEX];
    const cwmp_str_t  *got;

    if (cwmp_digest_response(d, method, secret, buf, &want) != CWMP_OK) {
        return CWMP_ERROR;
    }

    /* some send upper case; 0x20 is in each digit, and makes letters small */

    got = &d->fields[CWMP_DIGEST_RESPONSE];

    for (i = 0; i < want.len; i++) {
        sent[i] = got->data[i] | 0x20;
    }

    return CRYPTO_memcmp(sent, want.data, want.len) == 0 ? CWMP_OK
                                                         : CWMP_REFUSED;
}


/* ready for the next digest; NULL: no memory, or an OpenSSL without it */

static EVP_MD_CTX *
cwmp_digest_ctx(cwmp_digest_algorithm_t *a)
{
    EVP_MD  *md;

    if (a->ctx) {
        return EVP_DigestInit_ex(a->ctx, NULL, NULL) ? a->ctx : NULL;
    }

    md = EVP_MD_fetch(NULL, a->hash, NULL);
    a->ctx = md ? EVP_MD_CTX_new() : NULL;

    if (a->ctx && !EVP_DigestInit_ex(a->ctx, md, NULL)) {
        EVP_MD_CTX_free(a->ctx);
        a->ctx = NULL;
    }

    EVP_MD_free(md);

    return a->ctx;
}


/* of the parts with colons between them.  ERROR: no memory, or an OpenSSL that
   is told to have no MD5 */

static cwmp_rc_t
cwmp_digest_hash(cwmp_digest_algorithm_t *a, const cwmp_str_t **parts,
    size_t n, unsigned char *buf, cwmp_str_t *out)
{
    int             good;
    size_t          i;
    EVP_MD_CTX     *ctx;
    unsigned char   digest[EVP_MAX_MD_SIZE];

    static const char  hex[] = "0123456789abcdef";

    ctx = cwmp_digest_ctx(a);
    good = (ctx != NULL);

    for (i = 0; good && i < n; i++) {
        good = (i == 0 || EVP_DigestUpdate(ctx, ":", 1))
               && EVP_DigestUpdate(ctx, parts[i]->data, parts[i]->len);
    }

    if (!good || !EVP_DigestFinal_ex(ctx, digest, NULL)) {
        return CWMP_ERROR;
    }

    for (i = 0; i < a->hex; i++) {
        buf[i] = hex[i % 2 ? digest[i / 2] & 15 : digest[i / 2] >> 4];
    }

    out->data = buf;
    out->len = a->hex;

    return CWMP_OK;
}


int
cwmp_digest_is_md5(const cwmp_digest_t *d)
{
    return strcmp(d->algorithm->hash, "MD5") == 0;
}


cwmp_rc_t
cwmp_digest_of(cwmp_digest_t *d, const char *algorithm,
    const cwmp_str_t *username, const cwmp_str_t *realm)
{
    cwmp_digest_algorithm_t  *a;

    memset(d, 0, sizeof(cwmp_digest_t));

    d->fields[CWMP_DIGEST_USERNAME] = *username;
    d->fields[CWMP_DIGEST_REALM] = *realm;

    for (a = cwmp_digest_algorithms; a->name; a++) {
        if (algorithm == NULL || strcmp(a->name, algorithm) == 0) {
            d->algorithm = a;
            return CWMP_OK;
        }
    }

    return CWMP_REFUSED;
}
