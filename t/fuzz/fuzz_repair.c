/*
 * Any bytes through the repair: cut anywhere the same comes out, it is valid
 * UTF-8 of characters that XML allows, and what libxml2 takes as it is passes
 * unchanged.  First bytes: a charset that is known, where it is cut.
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
    size_t           rest;
} repair_t;


static cwmp_rc_t
on_good(void *data, const unsigned char *p, size_t n)
{
    repair_t  *t = data;

    t->out = realloc(t->out, t->len + n + 1);
    memcpy(t->out + t->len, p, n);
    t->len += n;

    return CWMP_OK;
}


/* 0: all at once; 1: byte by byte */

static void
repair(repair_t *t, const unsigned char *p, size_t n, cwmp_charset_t charset,
    uint32_t seed)
{
    size_t          take;
    unsigned char  *copy;

    memset(t, 0, sizeof(*t));
    t->arena.alloc = tap_alloc;
    t->arena.owner = &t->owner;
    cwmp_repair_init(&t->r, &t->arena, on_good, t);
    t->r.charset = charset;

    while (n) {
        take = (seed > 1) ? fuzz_piece(&seed, n) : seed ? 1 : n;
        copy = malloc(take);
        memcpy(copy, p, take);
        t->rest += t->r.ended ? take
                              : cwmp_repair_feed(&t->r, copy, take, take == n);
        free(copy);
        p += take;
        n -= take;
    }
}


static void
same(const repair_t *a, const repair_t *b)
{
    must(a->r.rc == b->r.rc);

    if (a->r.rc == CWMP_OK) {
        must(a->len == b->len && a->rest == b->rest);
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
        must(t->len + t->rest == n && memcmp(t->out, p, t->len) == 0);
    }
}


int
LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
    uint32_t        seed;
    repair_t        a, b, c;
    cwmp_charset_t  charset;

    if (n < 2) {
        return 0;
    }

    charset = (cwmp_charset_t) (*p % 4);
    seed = 2 + p[1];
    p += 2;
    n -= 2;

    repair(&a, p, n, charset, 0);
    repair(&b, p, n, charset, n > 1000 ? seed + 1 : 1);
    repair(&c, p, n, charset, seed);

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
