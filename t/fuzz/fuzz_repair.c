/*
 * Any bytes through the repair: cut anywhere the same comes out, it is valid
 * UTF-8 of characters that XML allows, and what libxml2 takes as it is passes
 * unchanged.
 */

#include <libxml/parser.h>

#include "cwmp_chars.h"
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


static void
repair(repair_t *t, const unsigned char *p, size_t n, size_t piece)
{
    size_t          take;
    unsigned char  *copy;

    memset(t, 0, sizeof(*t));
    t->arena.alloc = tap_alloc;
    t->arena.owner = &t->owner;
    cwmp_repair_init(&t->r, &t->arena, on_good, t);

    while (n) {
        take = (piece < n) ? piece : n;
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
allowed(const unsigned char *p, const unsigned char *end)
{
    int       n;
    uint32_t  code;

    for ( /* void */ ; p < end; p += n) {
        code = *p;
        n = (*p < 0x80) ? 1 : cwmp_char_utf8(p, end, &code);
        must(n > 0 && cwmp_char_allowed(code));
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


int
LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
    repair_t  a, b;

    repair(&a, p, n, n);
    repair(&b, p, n, 1);

    must(a.r.rc == b.r.rc);

    if (a.r.rc == CWMP_OK) {
        must(a.len == b.len && a.rest == b.rest && a.r.marks == b.r.marks);
        must(a.len == 0 || memcmp(a.out, b.out, a.len) == 0);

        if (a.r.charset < CWMP_CHARSET_LATIN1) {

            if (a.r.ended) {
                allowed(a.out, a.out + a.len);
            }

            if (!memmem(p, n, "\xef\xb7", 2) && !memmem(p, n, "&#", 2)
                && well_formed(p, n))
            {
                must(a.len + a.rest == n && memcmp(a.out, p, a.len) == 0);
            }
        }
    }

    free(a.out);
    free(b.out);
    tap_free(&a.owner);
    tap_free(&b.owner);

    return 0;
}
