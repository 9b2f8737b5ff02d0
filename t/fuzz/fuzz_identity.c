/*
 * Any bytes as OUI, ProductClass and SerialNumber, a NUL between them: a
 * refusal with its reason, or an ID that is valid and that nobody else has,
 * since the three come out of it again.  And any bytes as an ID: what is valid
 * is of its alphabet.
 */

#include "cwmp_identity.h"
#include "fuzz.h"


/* up to a NUL, and past it */

static void
part(cwmp_str_t *s, unsigned char **p, unsigned char *end)
{
    s->data = *p;

    while (*p < end && **p) {
        (*p)++;
    }

    s->len = *p - s->data;
    *p += (*p < end);
}


/* undoes %XX up to the next '-'; an OUI is in upper case */

static size_t
decoded(const cwmp_str_t *id, size_t at, const cwmp_str_t *want, int upper)
{
    char    hex[3] = "";
    size_t  i;
    int     c;

    for (i = 0; i < want->len; i++, at++) {
        must(at < id->len);
        c = id->data[at];

        if (c == '%') {
            must(at + 2 < id->len);
            memcpy(hex, id->data + at + 1, 2);
            c = (int) strtol(hex, NULL, 16);
            at += 2;
        }

        must(c == ((upper && want->data[i] >= 'a' && want->data[i] <= 'z')
                   ? want->data[i] - 32 : want->data[i]));
    }

    must(at == id->len || id->data[at] == '-');

    return at + (at < id->len);
}


static void
valid(const cwmp_str_t *id)
{
    size_t  i;

    must(id->len > 2 && id->len <= CWMP_ID_MAX);

    for (i = 0; i < id->len; i++) {
        must(id->data[i] > ' ' && id->data[i] < 0x7f
             && !strchr("{}:\"'\\;,/", id->data[i]));
    }
}


int
LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
    size_t          at;
    cwmp_rc_t       rc;
    cwmp_str_t      oui, class, serial, id;
    const char     *reason;
    tap_arena_t     owner;
    cwmp_arena_t    arena = { tap_alloc, &owner };
    unsigned char  *copy, *q;

    memset(&owner, 0, sizeof(owner));
    q = copy = malloc(n ? n : 1);
    memcpy(copy, p, n);

    part(&oui, &q, copy + n);
    part(&class, &q, copy + n);
    serial.data = q;
    serial.len = copy + n - q;

    reason = NULL;
    rc = cwmp_identity(&arena, &oui, &class, &serial, &id, &reason);
    must(rc == CWMP_OK || (rc == CWMP_REFUSED && reason && reason[0]));

    if (rc == CWMP_OK) {
        must(cwmp_identity_valid(id.data, id.len));
        valid(&id);
        at = decoded(&id, 0, &oui, 1);
        at = class.len ? decoded(&id, at, &class, 0) : at;
        must(decoded(&id, at, &serial, 0) == id.len);
    }

    id.data = copy;
    id.len = n;

    if (cwmp_identity_valid(copy, n)) {
        valid(&id);
    }

    free(copy);
    tap_free(&owner);

    return 0;
}
