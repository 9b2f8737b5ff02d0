/*
 * Any bytes through the decoder, if their encoding needs one, and the repair:
 * cut anywhere the same comes out, it is valid UTF-8 of characters that XML
 * allows, and what libxml2 takes as it is passes unchanged.  First bytes: the
 * encoding, where it is cut.
 */

#include <libxml/parser.h>

#include "cwmp_repair.h"
#include "fuzz.h"


typedef struct {
    cwmp_repair_t    r;
    cwmp_arena_t     arena;
    tap_arena_t      owner;
    unsigned char   *out;
    size_t           len;
} repair_t;


static const char  *encodings[] = {
    "", "utf-8", "iso-8859-1", "GBK", "GB18030", "Shift_JIS", "windows-1252",
    "EUC-KR"
};


static cwmp_rc_t
on_good(void *data, const unsigned char *p, size_t n)
{
    repair_t  *t = data;

    t->out = realloc(t->out, t->len + n + 1);
    memcpy(t->out + t->len, p, n);
    t->len += n;

    return CWMP_OK;
}


static void
on_decoded(void *data, const unsigned char *p, size_t n, int last)
{
    cwmp_repair_feed(&((repair_t *) data)->r, p, n, last);
}


/* 0: all at once; 1: byte by byte */

static void
repair(repair_t *t, const unsigned char *p, size_t n, const char *encoding,
    uint32_t seed)
{
    size_t          take;
    unsigned char  *copy;
    cwmp_decode_t  *decode;

    memset(t, 0, sizeof(*t));
    t->arena.alloc = tap_alloc;
    t->arena.owner = &t->owner;
    cwmp_repair_init(&t->r, &t->arena, on_good, t);
    t->r.charset = cwmp_charset((const unsigned char *) encoding,
                                strlen(encoding));
    decode = NULL;

    if (t->r.charset == CWMP_CHARSET_FOREIGN) {
        must(cwmp_decode_create(&decode, &t->arena,
                                (const unsigned char *) encoding,
                                strlen(encoding)) == CWMP_OK && decode);
    }

    while (n) {
        take = (seed > 1) ? fuzz_piece(&seed, n) : seed ? 1 : n;
        copy = malloc(take);
        memcpy(copy, p, take);

        if (decode) {
            cwmp_decode_feed(decode, copy, take, take == n, on_decoded, t);
        } else {
            cwmp_repair_feed(&t->r, copy, take, take == n);
        }

        free(copy);
        p += take;
        n -= take;
    }

    if (decode) {
        cwmp_decode_free(decode);
    }
}


static void
same(const repair_t *a, const repair_t *b)
{
    must(a->r.rc == b->r.rc);

    if (a->r.rc == CWMP_OK) {
        must(a->len == b->len && a->r.extra == b->r.extra);
        must(a->r.marks == b->r.marks && a->r.charset == b->r.charset);
        must(a->len == 0 || memcmp(a->out, b->out, a->len) == 0);
    }
}


static int
well_formed(const unsigned char *p, size_t n)
{
    int        good;
    xmlDocPtr  doc;

    if (memmem(p, n, "<!", 2) || memmem(p, n, "encoding", 8) || n == 0
        || *p != '<')
    {
        return 0;
    }

    doc = xmlReadMemory((const char *) p, (int) n, NULL, "UTF-8",
                        XML_PARSE_NOERROR | XML_PARSE_NOWARNING
                        | XML_PARSE_NONET);
    good = (doc != NULL);
    xmlFreeDoc(doc);

    return good;
}


static void
good(const repair_t *t, const unsigned char *p, size_t n)
{
    cwmp_str_t  out = { t->len, t->out };

    if (t->r.rc != CWMP_OK || t->r.charset == CWMP_CHARSET_FOREIGN) {
        return;
    }

    if (t->r.ended) {
        fuzz_utf8(&out);
    }

    if (t->r.charset != CWMP_CHARSET_LATIN1 && !memmem(p, n, "\xef\xb7", 2)
        && !memmem(p, n, "&#", 2) && well_formed(p, n))
    {
        must(t->len <= n && memcmp(t->out, p, t->len) == 0);
        must(t->len == n || t->r.ended);
    }
}


int
LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
    uint32_t     seed;
    repair_t     a, b, c;
    const char  *encoding;

    if (n < 2) {
        return 0;
    }

    encoding = encodings[*p % 8];
    seed = 2 + p[1];
    p += 2;
    n -= 2;

    repair(&a, p, n, encoding, 0);
    repair(&b, p, n, encoding, n > 1000 ? seed + 1 : 1);
    repair(&c, p, n, encoding, seed);

    same(&a, &b);
    same(&a, &c);
    good(&a, p, n);

    free(a.out);
    free(b.out);
    free(c.out);
    tap_free(&a.owner);
    tap_free(&b.owner);
    tap_free(&c.owner);

    return 0;
}
