
/*
 * A body is one stream, or with gzip several behind each other (RFC 1952).
 * What follows the last one is none of ours: some clients pad.  An empty body
 * is empty, whatever its header says.
 *
 * stdio.h is here for snprintf() only.
 */

#include <stdio.h>
#include <string.h>

#include <zlib.h>

#include "cwmp_inflate.h"


#define CWMP_PIECE   16384

#define CWMP_GZIP    (15 + 16)      /* windowBits: zlib must see its header */
#define CWMP_ZLIB    15
#define CWMP_RAW     (-15)


enum {
    CWMP_AT_START = 0,              /* of a stream */
    CWMP_AT_SECOND,                 /* one byte of it is held back */
    CWMP_AT_DATA,
    CWMP_AT_REST                    /* behind the last stream */
};


struct cwmp_inflate_s {
    cwmp_rc_t         rc;
    cwmp_arena_t     *arena;
    cwmp_coding_t     coding;
    size_t            limit;
    size_t            in;
    size_t            out;
    unsigned          state;
    unsigned          ready:1;      /* zlib's part exists */
    unsigned          seen:1;       /* a whole stream */
    unsigned          large:1;
    unsigned char     first;        /* byte of a stream */
    z_stream          zs;
    char              reason[120];
    unsigned char     piece[CWMP_PIECE];
};


static cwmp_rc_t cwmp_inflate_start(cwmp_inflate_t *z, const unsigned char **p);
static cwmp_rc_t cwmp_inflate_data(cwmp_inflate_t *z, const unsigned char **p,
    const unsigned char *end, cwmp_str_t *piece);
static cwmp_rc_t cwmp_inflate_bounds(cwmp_inflate_t *z);
static cwmp_rc_t cwmp_inflate_refuse(cwmp_inflate_t *z, const char *what,
    const char *why);


static const struct {
    const char       *name;
    cwmp_coding_t     coding;
} cwmp_codings[] = {
    { "", CWMP_CODING_NONE },
    { "identity", CWMP_CODING_NONE },
    { "gzip", CWMP_CODING_GZIP },
    { "x-gzip", CWMP_CODING_GZIP },
    { "deflate", CWMP_CODING_DEFLATE }
};


cwmp_coding_t
cwmp_coding_parse(const unsigned char *p, size_t len)
{
    size_t       i, j;
    const char  *name;

    while (len && (*p == ' ' || *p == '\t')) {
        p++;
        len--;
    }

    while (len && (p[len - 1] == ' ' || p[len - 1] == '\t')) {
        len--;
    }

    for (i = 0; i < sizeof(cwmp_codings) / sizeof(cwmp_codings[0]); i++) {
        name = cwmp_codings[i].name;

        for (j = 0; j < len && name[j]; j++) {
            if ((p[j] >= 'A' && p[j] <= 'Z' ? p[j] | 0x20 : p[j])
                != (unsigned char) name[j])
            {
                break;
            }
        }

        if (j == len && name[j] == '\0') {
            return cwmp_codings[i].coding;
        }
    }

    return CWMP_CODING_UNKNOWN;
}


/* nothing is given back: it all goes with the arena */

static voidpf
cwmp_inflate_alloc(voidpf opaque, uInt items, uInt size)
{
    cwmp_arena_t  *arena = opaque;

    return cwmp_alloc(arena, (size_t) items * size);
}


static void
cwmp_inflate_free(voidpf opaque, voidpf address)
{
    (void) opaque;
    (void) address;
}


cwmp_inflate_t *
cwmp_inflate_create(cwmp_arena_t *arena, cwmp_coding_t coding, size_t limit)
{
    cwmp_inflate_t  *z;

    z = cwmp_alloc(arena, sizeof(cwmp_inflate_t));
    if (z == NULL) {
        return NULL;
    }

    memset(z, 0, offsetof(cwmp_inflate_t, piece));

    z->arena = arena;
    z->coding = coding;
    z->limit = limit;
    z->zs.zalloc = cwmp_inflate_alloc;
    z->zs.zfree = cwmp_inflate_free;
    z->zs.opaque = arena;

    return z;
}


cwmp_rc_t
cwmp_inflate_next(cwmp_inflate_t *z, const unsigned char **p,
    const unsigned char *end, cwmp_str_t *piece)
{
    cwmp_rc_t  rc;

    piece->data = z->piece;
    piece->len = 0;

    rc = z->rc;

    while (rc == CWMP_OK && piece->len == 0) {

        if (z->state == CWMP_AT_REST) {
            *p = end;
            break;
        }

        if (z->state == CWMP_AT_DATA) {

            /* without input there may still be output: zlib knows */

            rc = cwmp_inflate_data(z, p, end, piece);

            if (rc == CWMP_OK && piece->len == 0 && *p == end) {
                break;
            }

            continue;
        }

        if (*p == end) {
            break;
        }

        rc = cwmp_inflate_start(z, p);
    }

    return z->rc = rc;
}


cwmp_rc_t
cwmp_inflate_end(cwmp_inflate_t *z)
{
    if (z->rc != CWMP_OK || z->state == CWMP_AT_REST
        || (z->state == CWMP_AT_START && (z->seen || z->in == 0))
        || (z->state == CWMP_AT_SECOND && z->seen))
    {
        return z->rc;
    }

    return z->rc = cwmp_inflate_refuse(z, "ends early", NULL);
}


const char *
cwmp_inflate_reason(const cwmp_inflate_t *z)
{
    return z->reason;
}


int
cwmp_inflate_too_large(const cwmp_inflate_t *z)
{
    return z->large;
}


/* the first two bytes tell gzip from what is none, and zlib from raw */

static cwmp_rc_t
cwmp_inflate_start(cwmp_inflate_t *z, const unsigned char **p)
{
    int            rc, bits;
    unsigned char  c, head[2], none;

    c = *(*p)++;
    z->in++;

    if (z->state == CWMP_AT_START) {
        z->first = c;
        z->state = CWMP_AT_SECOND;
        return CWMP_OK;
    }

    head[0] = z->first;
    head[1] = c;

    if (z->coding == CWMP_CODING_GZIP) {

        if (head[0] != 0x1f || head[1] != 0x8b) {
            z->state = CWMP_AT_REST;
            return z->seen ? CWMP_OK
                           : cwmp_inflate_refuse(z, "has no gzip header", NULL);
        }

        bits = CWMP_GZIP;

    } else {
        bits = ((head[0] & 0x0f) == Z_DEFLATED && head[0] >> 4 <= 7
                && (head[0] << 8 | head[1]) % 31 == 0) ? CWMP_ZLIB : CWMP_RAW;
    }

    rc = z->ready ? inflateReset(&z->zs) : inflateInit2(&z->zs, bits);

    if (rc != Z_OK) {
        return CWMP_ERROR;
    }

    z->ready = 1;
    z->state = CWMP_AT_DATA;

    /* two bytes make no output yet, but for a raw stream of no content */

    z->zs.next_in = head;
    z->zs.avail_in = 2;
    z->zs.next_out = &none;
    z->zs.avail_out = 0;

    rc = inflate(&z->zs, Z_NO_FLUSH);

    if (rc == Z_STREAM_END) {
        z->seen = 1;
        z->state = CWMP_AT_REST;
        return CWMP_OK;
    }

    if ((rc != Z_OK && rc != Z_BUF_ERROR) || z->zs.avail_in) {
        return cwmp_inflate_refuse(z, "is corrupt", z->zs.msg);
    }

    return CWMP_OK;
}


static cwmp_rc_t
cwmp_inflate_data(cwmp_inflate_t *z, const unsigned char **p,
    const unsigned char *end, cwmp_str_t *piece)
{
    int     rc;
    size_t  n;

    n = end - *p;

    z->zs.next_in = (unsigned char *) *p;
    z->zs.avail_in = (n < CWMP_PIECE) ? n : CWMP_PIECE;
    z->zs.next_out = z->piece;
    z->zs.avail_out = CWMP_PIECE;

    rc = inflate(&z->zs, Z_NO_FLUSH);

    z->in += z->zs.next_in - *p;
    *p = z->zs.next_in;
    piece->len = CWMP_PIECE - z->zs.avail_out;
    z->out += piece->len;

    switch (rc) {

    case Z_OK:
    case Z_BUF_ERROR:               /* no input, no output */
        break;

    case Z_STREAM_END:
        z->seen = 1;
        z->state = (z->coding == CWMP_CODING_GZIP) ? CWMP_AT_START
                                                   : CWMP_AT_REST;
        break;

    case Z_MEM_ERROR:
        return CWMP_ERROR;

    default:
        return cwmp_inflate_refuse(z, "is corrupt", rc == Z_NEED_DICT
                                                    ? "needs a dictionary"
                                                    : z->zs.msg);
    }

    return cwmp_inflate_bounds(z);
}


static cwmp_rc_t
cwmp_inflate_bounds(cwmp_inflate_t *z)
{
    if (z->out > z->limit) {
        z->large = 1;
        snprintf(z->reason, sizeof(z->reason),
                 "envelope over %zu bytes after inflating", z->limit);
        return CWMP_REFUSED;
    }

    if (z->out > CWMP_INFLATE_FREE
        && (z->out - CWMP_INFLATE_FREE) / CWMP_INFLATE_RATIO > z->in)
    {
        z->large = 1;
        snprintf(z->reason, sizeof(z->reason),
                 "body inflates to more than %d times its size",
                 CWMP_INFLATE_RATIO);
        return CWMP_REFUSED;
    }

    return CWMP_OK;
}


static cwmp_rc_t
cwmp_inflate_refuse(cwmp_inflate_t *z, const char *what, const char *why)
{
    snprintf(z->reason, sizeof(z->reason), "%s body %s%s%s",
             z->coding == CWMP_CODING_GZIP ? "gzip" : "deflate", what,
             why ? ": " : "", why ? why : "");

    return CWMP_REFUSED;
}
