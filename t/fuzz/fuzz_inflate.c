/*
 * Any bytes as a compressed body, whole and cut anywhere: the same comes out,
 * never more than the bounds, and what zlib itself makes of it.  Then any
 * bytes compressed come out again, and no body that was cut short is taken for
 * whole.  First bytes: how (coding, direction), where it is cut.
 */

#include <zlib.h>

#include "cwmp_inflate.h"
#include "fuzz.h"


#define LIMIT  (3 << 20)


typedef struct {
    cwmp_inflate_t  *z;
    cwmp_arena_t     arena;
    tap_arena_t      owner;
    cwmp_str_t       out;
    cwmp_rc_t        rc;
} body_t;


static const struct {
    cwmp_coding_t    coding;
    int              bits;
} codings[] = {
    { CWMP_CODING_GZIP, 15 + 16 },
    { CWMP_CODING_DEFLATE, 15 },
    { CWMP_CODING_DEFLATE, -15 }
};


static cwmp_rc_t
pieces(body_t *t, const unsigned char *p, const unsigned char *end)
{
    cwmp_rc_t             rc;
    cwmp_str_t            piece;
    const unsigned char  *before;

    do {
        before = p;
        rc = cwmp_inflate_next(t->z, &p, end, &piece);
        must(p >= before && p <= end);

        if (rc != CWMP_OK) {
            return rc;
        }

        t->out.data = realloc(t->out.data, t->out.len + piece.len + 1);
        memcpy(t->out.data + t->out.len, piece.data, piece.len);
        t->out.len += piece.len;
        must(t->out.len <= LIMIT);

    } while (piece.len);

    must(p == end);

    return CWMP_OK;
}


static void
body(body_t *t, cwmp_coding_t coding, const unsigned char *p, size_t n,
    uint32_t seed)
{
    size_t          take;
    unsigned char  *copy;

    memset(t, 0, sizeof(*t));
    t->arena.alloc = tap_alloc;
    t->arena.owner = &t->owner;
    t->z = cwmp_inflate_create(&t->arena, coding, LIMIT);

    while (n && t->rc == CWMP_OK) {
        take = seed ? fuzz_piece(&seed, n) : n;
        copy = malloc(take);
        memcpy(copy, p, take);
        t->rc = pieces(t, copy, copy + take);
        free(copy);
        p += take;
        n -= take;
    }

    if (t->rc == CWMP_OK) {
        t->rc = cwmp_inflate_end(t->z);
    }

    must(t->rc != CWMP_REFUSED || cwmp_inflate_reason(t->z)[0]);
    must(t->owner.used < 160 * 1024);
}


static void
discard(body_t *t)
{
    tap_free(&t->owner);
    free(t->out.data);
}


/* zlib at once, one stream: 0 when it has another opinion */

static int
plain(int bits, const unsigned char *p, size_t n, cwmp_str_t *out)
{
    int       rc;
    z_stream  zs;

    memset(&zs, 0, sizeof(zs));
    must(inflateInit2(&zs, bits) == Z_OK);

    out->data = malloc(LIMIT + 1);
    zs.next_in = (unsigned char *) p;
    zs.avail_in = n;
    zs.next_out = out->data;
    zs.avail_out = LIMIT + 1;

    rc = inflate(&zs, Z_FINISH);
    out->len = zs.total_out;
    inflateEnd(&zs);

    return rc == Z_STREAM_END;
}


static void
inflated(unsigned how, const unsigned char *p, size_t n, uint32_t seed)
{
    int         bits;
    body_t      a, b;
    cwmp_str_t  want;

    bits = codings[how].bits;

    body(&a, codings[how].coding, p, n, 0);
    body(&b, codings[how].coding, p, n, seed);

    /* the ratio is looked at after each piece: near its bound they differ */

    if (!cwmp_inflate_too_large(a.z) && !cwmp_inflate_too_large(b.z)) {
        must(a.rc == b.rc);
        must(a.rc != CWMP_OK || fuzz_same(&a.out, &b.out));
    }

    if (a.rc == CWMP_OK && n > 1) {

        if (bits < 16) {
            bits = ((p[0] & 15) == 8 && p[0] >> 4 < 8
                    && (p[0] << 8 | p[1]) % 31 == 0) ? 15 : -15;
        }

        /* of gzip streams behind each other zlib takes the first */

        must(plain(bits, p, n, &want));
        must(a.out.len >= want.len
             && memcmp(a.out.data, want.data, want.len) == 0);
        must(bits > 16 || a.out.len == want.len);
        free(want.data);
    }

    discard(&a);
    discard(&b);
}


static void
deflated(unsigned how, const unsigned char *p, size_t n, uint32_t seed)
{
    body_t          t;
    size_t          size, len;
    z_stream        zs;
    cwmp_str_t      text = { n, (unsigned char *) p };
    unsigned char  *to;

    memset(&zs, 0, sizeof(zs));
    must(deflateInit2(&zs, seed % 10, Z_DEFLATED, codings[how].bits, 1,
                      Z_DEFAULT_STRATEGY) == Z_OK);

    size = deflateBound(&zs, n) + 20;
    to = malloc(size);
    zs.next_in = (unsigned char *) p;
    zs.avail_in = n;
    zs.next_out = to;
    zs.avail_out = size;
    must(deflate(&zs, Z_FINISH) == Z_STREAM_END);
    len = zs.total_out;
    deflateEnd(&zs);

    body(&t, codings[how].coding, to, len, seed);
    must(t.rc == CWMP_OK && fuzz_same(&t.out, &text));
    discard(&t);

    body(&t, codings[how].coding, to, 1 + seed % (len - 1), 0);
    must(t.rc == CWMP_REFUSED && !cwmp_inflate_too_large(t.z));
    discard(&t);

    free(to);
}


int
LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
    uint32_t  seed;

    if (n < 3) {
        return 0;
    }

    seed = 1 + (p[1] | p[2] << 8);

    if (*p & 0x80) {
        deflated(*p % 3, p + 3, n - 3, seed);

    } else {
        inflated(*p % 3, p + 3, n - 3, seed);
    }

    return 0;
}
