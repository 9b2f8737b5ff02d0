
/*
 * Compressed bodies by the byte: each coding, cut anywhere; the bounds to the
 * byte; what is cut short, damaged or grows too much is refused.
 */

#include <zlib.h>

#include "cwmp_inflate.h"
#include "tap.h"


#define GZIP  (15 + 16)
#define ZLIB  15
#define RAW   (-15)

static tap_arena_t   owner;
static cwmp_arena_t  arena = { tap_alloc, &owner };

static char          text[40000];
static size_t        text_len;

/* what came out of the last body, and why not more */
static char         *out;
static size_t        out_len;
static const char   *reason;
static int           too_large;


/* appends to *to; returns its new length */

static size_t
compressed(unsigned char **to, size_t used, int bits, const char *p, size_t n)
{
    size_t    size;
    z_stream  zs;

    memset(&zs, 0, sizeof(zs));
    deflateInit2(&zs, 9, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY);

    size = deflateBound(&zs, n) + 64;
    *to = realloc(*to, used + size);
    zs.next_in = (unsigned char *) p;
    zs.avail_in = n;
    zs.next_out = *to + used;
    zs.avail_out = size;
    deflate(&zs, Z_FINISH);
    deflateEnd(&zs);

    return used + zs.total_out;
}


/* in pieces of that many bytes, each in memory of its own; 0: at once */

static cwmp_rc_t
inflated(cwmp_coding_t coding, const unsigned char *p, size_t n, size_t step,
    size_t limit)
{
    size_t                take;
    cwmp_rc_t             rc;
    cwmp_str_t            piece;
    unsigned char        *copy;
    cwmp_inflate_t       *z;
    const unsigned char  *q;

    z = cwmp_inflate_create(&arena, coding, limit);
    out_len = 0;

    for (rc = CWMP_OK; n && rc == CWMP_OK; p += take, n -= take) {
        take = (step && step < n) ? step : n;
        copy = malloc(take);
        memcpy(copy, p, take);
        q = copy;

        do {
            rc = cwmp_inflate_next(z, &q, copy + take, &piece);

            if (rc == CWMP_OK && piece.len) {
                out = realloc(out, out_len + piece.len);
                memcpy(out + out_len, piece.data, piece.len);
                out_len += piece.len;
            }
        } while (rc == CWMP_OK && piece.len);

        free(copy);
    }

    rc = (rc == CWMP_OK) ? cwmp_inflate_end(z) : rc;
    reason = cwmp_inflate_reason(z);
    too_large = cwmp_inflate_too_large(z);

    return rc;
}


static int
is_text(void)
{
    return out_len == text_len && memcmp(out, text, text_len) == 0;
}


static void
test_codings(void)
{
    size_t          i, j, n;
    unsigned char  *body;

    static const struct {
        const char     *name;
        cwmp_coding_t   coding;
        int             bits;
    } cases[] = {
        { "gzip", CWMP_CODING_GZIP, GZIP },
        { "deflate", CWMP_CODING_DEFLATE, ZLIB },
        { "deflate without zlib's header", CWMP_CODING_DEFLATE, RAW }
    };

    static const size_t  steps[] = { 0, 1, 2, 3, 1000 };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        body = NULL;
        n = compressed(&body, 0, cases[i].bits, text, text_len);

        for (j = 0; j < sizeof(steps) / sizeof(steps[0]); j++) {
            ok(inflated(cases[i].coding, body, n, steps[j], text_len)
               == CWMP_OK && is_text(), "HTTP-19 %s, in steps of %d",
               cases[i].name, (int) steps[j]);
        }

        ok(inflated(cases[i].coding, body, n, 0, text_len - 1) == CWMP_REFUSED
           && too_large, "one byte over the bound is refused");
        is_str(reason, "envelope over 39999 bytes after inflating", reason);

        for (j = 1; j < n; j = (j < 40) ? j + 1 : j * 2) {
            if (inflated(cases[i].coding, body, j, 0, text_len)
                != CWMP_REFUSED || too_large || !strstr(reason, "ends early"))
            {
                break;
            }
        }

        ok(j >= n, "cut short it is never whole (%d of %d)", (int) j, (int) n);
        free(body);
    }
}


/* gzip has members; what is behind the last stream is none of ours */

static void
test_members(void)
{
    size_t          n;
    unsigned char  *body;

    body = NULL;
    n = compressed(&body, 0, GZIP, text, 1);
    n = compressed(&body, n, GZIP, text + 1, 30000);
    n = compressed(&body, n, GZIP, text + 30001, text_len - 30001);

    ok(inflated(CWMP_CODING_GZIP, body, n, 0, text_len) == CWMP_OK
       && is_text(), "three members of gzip are one body");
    ok(inflated(CWMP_CODING_GZIP, body, n, 1, text_len) == CWMP_OK
       && is_text(), "byte by byte, too");
    is_num(inflated(CWMP_CODING_GZIP, body, n, 0, text_len - 1), CWMP_REFUSED,
           "the bound is for all of them");
    is_num(inflated(CWMP_CODING_GZIP, body, n - 1, 0, text_len), CWMP_REFUSED,
           "the last one must be whole");

    body = realloc(body, n + 3);
    memcpy(body + n, "\0\x1f\x8b", 3);
    ok(inflated(CWMP_CODING_GZIP, body, n + 3, 1, text_len) == CWMP_OK
       && is_text(), "what follows is ignored");

    n = compressed(&body, 0, ZLIB, text, text_len);
    n = compressed(&body, n, ZLIB, text, text_len);
    ok(inflated(CWMP_CODING_DEFLATE, body, n, 0, 2 * text_len) == CWMP_OK
       && is_text(), "deflate has one stream");
    free(body);
}


/* 32 MB of one byte: 1000 times its size, which no body may grow */

static void
test_bomb(void)
{
    char           *zeros;
    size_t          n, used;
    unsigned char  *body;

    body = NULL;
    zeros = calloc(1, 32 << 20);
    n = compressed(&body, 0, GZIP, zeros, 32 << 20);

    used = owner.used;
    ok(inflated(CWMP_CODING_GZIP, body, n, 0, 64 << 20) == CWMP_REFUSED
       && too_large, "HTTP-20 a bomb is refused");
    is_str(reason, "body inflates to more than 150 times its size", reason);
    ok(out_len <= 2 << 20, "early: %d bytes came out", (int) out_len);
    ok(owner.used - used < 100000, "in little memory: %d bytes",
       (int) (owner.used - used));

    n = compressed(&body, 0, GZIP, zeros, CWMP_INFLATE_FREE);
    ok(inflated(CWMP_CODING_GZIP, body, n, 0, 64 << 20) == CWMP_OK
       && out_len == CWMP_INFLATE_FREE, "a megabyte may come of anything");

    free(zeros);
    free(body);
}


static void
test_refused(void)
{
    size_t  i;

    static const struct {
        cwmp_coding_t   coding;
        const char     *body, *reason;
        size_t          len;
    } bad[] = {
        { CWMP_CODING_GZIP, "<soap>", "gzip body has no gzip header", 6 },
        { CWMP_CODING_GZIP, "\x1f\x8c", "gzip body has no gzip header", 2 },
        { CWMP_CODING_GZIP, "\x1f\x8b\x07\0\0\0\0\0\0\0", "gzip body is "
          "corrupt: unknown compression method", 10 },
        { CWMP_CODING_GZIP, "\x1f", "gzip body ends early", 1 },
        { CWMP_CODING_DEFLATE, "\x78", "deflate body ends early", 1 },
        { CWMP_CODING_DEFLATE, "\x78\xbb\x11\x22\x33\x44", "deflate body is "
          "corrupt: needs a dictionary", 6 },
        { CWMP_CODING_DEFLATE, "\x07\0", "deflate body is corrupt: "
          "invalid block type", 2 }
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        is_num(inflated(bad[i].coding, (const unsigned char *) bad[i].body,
                        bad[i].len, 0, 1000), CWMP_REFUSED, "refused");
        is_str(reason, bad[i].reason, bad[i].reason);
    }

    is_num(inflated(CWMP_CODING_GZIP, (const unsigned char *) "", 0, 0, 1000),
           CWMP_OK, "an empty body is empty, whatever its header says");
    is_num(out_len, 0, "and nothing comes out");
}


static void
test_names(void)
{
    size_t  i;

    static const struct {
        const char     *name;
        cwmp_coding_t   coding;
    } cases[] = {
        { "", CWMP_CODING_NONE }, { " identity\t", CWMP_CODING_NONE },
        { "gzip", CWMP_CODING_GZIP }, { "X-GZip ", CWMP_CODING_GZIP },
        { "deflate", CWMP_CODING_DEFLATE }, { "gzi", CWMP_CODING_UNKNOWN },
        { "gzipx", CWMP_CODING_UNKNOWN }, { "br", CWMP_CODING_UNKNOWN },
        { "gzip, gzip", CWMP_CODING_UNKNOWN }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_num(cwmp_coding_parse((const unsigned char *) cases[i].name,
                                 strlen(cases[i].name)), cases[i].coding,
               cases[i].name[0] ? cases[i].name : "no coding");
    }
}


int
main(void)
{
    size_t    i;
    uint32_t  seed;

    text_len = sizeof(text);

    for (i = 0, seed = 1; i < text_len; i++) {
        seed = seed * 1664525 + 1013904223;
        text[i] = "<Value>0123456789</Value>"[(seed >> 16) % 25];
    }

    test_codings();
    test_members();
    test_bomb();
    test_refused();
    test_names();

    free(out);
    tap_free(&owner);

    return done();
}
