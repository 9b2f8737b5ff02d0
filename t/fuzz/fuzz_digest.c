/*
 * Any bytes as an Authorization header: a refusal with its reason, or fields
 * that a header made of them says again, and one response alone that is right.
 */

#include "cwmp_digest.h"
#include "fuzz.h"


static const char  *names[CWMP_DIGEST_FIELDS] = {
    "username", "realm", "nonce", "uri", "response", "algorithm", "cnonce",
    "opaque", "qop", "nc"
};

static const cwmp_str_t  method = cwmp_string("POST");
static const cwmp_str_t  password = cwmp_string("pw");


static cwmp_rc_t
parse(cwmp_arena_t *arena, const unsigned char *p, size_t n, cwmp_digest_t *d)
{
    cwmp_rc_t  rc;

    rc = cwmp_digest_parse(arena, p, n, d);

    must(rc == CWMP_OK || rc == CWMP_REFUSED);
    must((rc == CWMP_OK) == (d->reason[0] == '\0'));
    must(strlen(d->reason) < sizeof(d->reason) - 1);

    return rc;
}


/* quoted, last field first; the uri is kept as it was, so it needs no escapes.
   Room for a '\' before each byte, and for the names */

static size_t
header(const cwmp_digest_t *d, unsigned char *to)
{
    int                i;
    size_t             j;
    unsigned char     *p;
    const cwmp_str_t  *f;

    memcpy(to, "Digest ", 7);

    for (p = to + 7, i = CWMP_DIGEST_FIELDS - 1; i >= 0; i--) {
        f = &d->fields[i];

        if (!(d->given & (1u << i))) {
            continue;
        }

        p += sprintf((char *) p, "%s=\"", names[i]);

        for (j = 0; j < f->len; j++) {
            if (i != CWMP_DIGEST_URI && strchr("\"\\", f->data[j])) {
                *p++ = '\\';
            }

            *p++ = f->data[j];
        }

        p += sprintf((char *) p, "\",");
    }

    return p - to;
}


static void
right(cwmp_digest_t *d)
{
    cwmp_str_t      secret, response;
    unsigned char   buf[CWMP_DIGEST_HEX], want[CWMP_DIGEST_HEX];

    must(cwmp_digest_secret(d, &password, buf, &secret) == CWMP_OK);
    must(cwmp_digest_response(d, &method, &secret, want, &response)
         == CWMP_OK);
    must(response.len == d->fields[CWMP_DIGEST_RESPONSE].len);

    d->fields[CWMP_DIGEST_RESPONSE] = response;
    must(cwmp_digest_check(d, &method, &secret) == CWMP_OK);

    want[0] = (want[0] == 'f') ? '0' : 'f';
    must(cwmp_digest_check(d, &method, &secret) == CWMP_REFUSED);
}


int
LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
    int             i;
    size_t          len;
    tap_arena_t     owner;
    cwmp_arena_t    arena = { tap_alloc, &owner };
    cwmp_digest_t   d, e;
    unsigned char   again[2 * CWMP_DIGEST_MAX + 200], *copy;

    memset(&owner, 0, sizeof(owner));
    copy = malloc(n ? n : 1);
    memcpy(copy, p, n);

    if (parse(&arena, copy, n, &d) == CWMP_OK) {
        len = header(&d, again);

        if (len <= CWMP_DIGEST_MAX) {
            must(parse(&arena, again, len, &e) == CWMP_OK);
            must(d.given == e.given && d.count == e.count);
            must(d.algorithm == e.algorithm);

            for (i = 0; i < CWMP_DIGEST_FIELDS; i++) {
                must(fuzz_same(&d.fields[i], &e.fields[i]));
            }
        }

        right(&d);
    }

    free(copy);
    tap_free(&owner);

    return 0;
}
