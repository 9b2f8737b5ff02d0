/*
 * What the fuzz targets share: an arena whose blocks ASan watches one by one,
 * a stop when something that must hold does not, and a message read back.
 * The first bytes of an input say how, the rest is what (t/fuzz/seeds).
 */

#ifndef FUZZ_H
#define FUZZ_H

#include "../unit/tap.h"
#include "cwmp_chars.h"
#include "cwmp_envelope.h"
#include "cwmp_write.h"

#define must(what)                                                            \
    do {                                                                      \
        if (!(what)) {                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what);\
            abort();                                                          \
        }                                                                     \
    } while (0)

int LLVMFuzzerTestOneInput(const unsigned char *p, size_t n);


/* a size from 1 to most, mostly small; the same for the same seed */

static size_t TAP_UNUSED
fuzz_piece(uint32_t *seed, size_t most)
{
    *seed = *seed * 1664525 + 1013904223;

    return 1 + (*seed >> 16) % (1 << (*seed >> 8) % 12) % most;
}


static int TAP_UNUSED
fuzz_same(const cwmp_str_t *a, const cwmp_str_t *b)
{
    return a->len == b->len
           && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}


/* valid UTF-8, of characters that XML allows */

static void TAP_UNUSED
fuzz_utf8(const cwmp_str_t *s)
{
    int                   n;
    uint32_t              code;
    const unsigned char  *p, *end;

    for (p = s->data, end = p + s->len; p < end; p += n) {
        code = *p;
        n = (*p < 0x80) ? 1 : cwmp_char_utf8(p, end, &code);
        must(n > 0 && cwmp_char_allowed(code));
    }
}


/* what is written: the writer gets room in pieces of any size */

typedef struct {
    cwmp_out_t      out;
    cwmp_str_t      text;
    size_t          size;
    uint32_t        seed;
} fuzz_sheet_t;


static cwmp_rc_t TAP_UNUSED
fuzz_more(cwmp_out_t *out)
{
    fuzz_sheet_t  *s = out->data;

    s->text.len = s->size;
    s->size += fuzz_piece(&s->seed, 4096);
    s->text.data = realloc(s->text.data, s->size);
    out->pos = s->text.data + s->text.len;
    out->end = s->text.data + s->size;

    return CWMP_OK;
}


static void TAP_UNUSED
fuzz_sheet(fuzz_sheet_t *s, uint32_t seed)
{
    memset(s, 0, sizeof(*s));
    s->seed = seed;
    s->out.data = s;
    s->out.more = fuzz_more;
}


static void TAP_UNUSED
fuzz_written(fuzz_sheet_t *s, cwmp_rc_t rc)
{
    must(rc == CWMP_OK);
    s->text.len = s->out.pos - s->text.data;
    fuzz_utf8(&s->text);
}


/* each piece in memory of its own; 0: all at once */

static cwmp_rc_t TAP_UNUSED
fuzz_feed(cwmp_envelope_t *e, const unsigned char *p, size_t n, uint32_t seed)
{
    size_t          take;
    unsigned char  *copy;

    while (n) {
        take = seed ? fuzz_piece(&seed, n) : n;
        copy = malloc(take);
        memcpy(copy, p, take);
        cwmp_envelope_feed(e, copy, take);
        free(copy);
        p += take;
        n -= take;
    }

    return cwmp_envelope_end(e);
}

#endif
