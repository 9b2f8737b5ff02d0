/*
 * Any bytes as an envelope, whole and in pieces: the same is said of both, and
 * each text that is handed over is valid UTF-8.  The first byte is the size of
 * the pieces.
 */

#include <libxml/parser.h>

#include "cwmp_chars.h"
#include "cwmp_envelope.h"
#include "cwmp_result.h"
#include "fuzz.h"


typedef struct {
    cwmp_arena_t         arena;
    cwmp_envelope_t     *e;
    cwmp_result_t        result;
    tap_arena_t          owner;
    cwmp_rc_t            rc;
} parse_t;


static void
utf8(const cwmp_str_t *s)
{
    int                   n;
    uint32_t              code;
    const unsigned char  *p, *end;

    for (p = s->data, end = p + s->len; p < end; p += n) {
        n = (*p < 0x80) ? 1 : cwmp_char_utf8(p, end, &code);
        must(n > 0);
    }
}


static cwmp_rc_t
on_row(void *data, const cwmp_row_t *row)
{
    int       i;
    parse_t  *t = data;

    for (i = 0; i < CWMP_MAX_FIELDS; i++) {
        utf8(&row->cells[i]);
    }

    return cwmp_result_row(&t->result, row);
}


static void
parse(parse_t *t, const unsigned char *p, size_t n, size_t piece)
{
    size_t          take;
    unsigned char  *copy;

    memset(t, 0, sizeof(*t));
    t->arena.alloc = tap_alloc;
    t->arena.owner = &t->owner;
    t->e = cwmp_envelope_create(&t->arena, &cwmp_default_limits, on_row, t);
    cwmp_result_init(&t->result, &t->arena);

    while (n) {
        take = (piece && piece < n) ? piece : n;
        copy = malloc(take);
        memcpy(copy, p, take);
        cwmp_envelope_feed(t->e, copy, take);
        free(copy);
        p += take;
        n -= take;
    }

    t->rc = cwmp_envelope_end(t->e);
}


int
LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
    parse_t              a, b;
    cwmp_str_t           json;
    const cwmp_facts_t  *x, *y;

    if (n == 0) {
        return 0;
    }

    parse(&a, p + 1, n - 1, 0);
    parse(&b, p + 1, n - 1, 1 + *p * 16);

    x = cwmp_envelope_facts(a.e);
    y = cwmp_envelope_facts(b.e);

    must(a.rc == b.rc);
    must(a.rc != CWMP_REFUSED || cwmp_envelope_reason(a.e)[0]);

    if (a.rc == CWMP_OK) {
        must(x->rows == y->rows && x->repaired == y->repaired);
        must(x->extra == y->extra && x->kind == y->kind);
        must(a.result.len == b.result.len);
        must(a.result.len == 0
             || memcmp(a.result.data, b.result.data, a.result.len) == 0);
        utf8(&x->id);
        must(cwmp_result_json(&a.result, a.e, &json) == CWMP_OK);
    }

    cwmp_envelope_free(a.e);
    cwmp_envelope_free(b.e);
    tap_free(&a.owner);
    tap_free(&b.owner);

    return 0;
}
