/*
 * Any bytes as an envelope, whole and cut anywhere: the same is said of both,
 * each text that is handed over is valid UTF-8, and what is answered reads as
 * an answer with the same ID.  First bytes: a charset of HTTP's header, where
 * it is cut (two of them).
 */

#include "cwmp_result.h"
#include "cwmp_version.h"
#include "fuzz.h"


typedef struct {
    cwmp_arena_t         arena;
    cwmp_envelope_t     *e;
    cwmp_result_t        result;
    tap_arena_t          owner;
    cwmp_rc_t            rc;
} parse_t;


static const char  *charsets[] = {
    NULL, NULL, NULL, NULL, "utf-8", "ISO-8859-1", "gbk", "utf-16"
};


static cwmp_rc_t
on_row(void *data, const cwmp_row_t *row)
{
    size_t      i, j, from;
    parse_t    *t = data;
    cwmp_str_t  text;

    for (i = 0; i < CWMP_MAX_FIELDS; i++) {

        /* the texts of a list are each followed by a NUL */

        for (j = from = 0; j <= row->cells[i].len; j++) {
            if (j == row->cells[i].len || row->cells[i].data[j] == '\0') {
                text.data = row->cells[i].data + from;
                text.len = j - from;
                fuzz_utf8(&text);
                from = j + 1;
            }
        }
    }

    return cwmp_result_row(&t->result, row);
}


static void
parse(parse_t *t, const unsigned char *p, size_t n, const char *charset,
    uint32_t seed)
{
    memset(t, 0, sizeof(*t));
    t->arena.alloc = tap_alloc;
    t->arena.owner = &t->owner;
    t->e = cwmp_envelope_create(&t->arena, &cwmp_default_limits, on_row, t);
    cwmp_result_init(&t->result, &t->arena);

    if (charset) {
        cwmp_envelope_charset(t->e, (const unsigned char *) charset,
                              strlen(charset));
    }

    t->rc = fuzz_feed(t->e, p, n, seed);
}


static void
discard(parse_t *t)
{
    cwmp_envelope_free(t->e);
    tap_free(&t->owner);
}


static void
same(parse_t *a, parse_t *b)
{
    cwmp_str_t           json, again;
    const cwmp_facts_t  *x, *y;

    x = cwmp_envelope_facts(a->e);
    y = cwmp_envelope_facts(b->e);

    must(a->rc == b->rc);
    must(a->rc != CWMP_REFUSED || cwmp_envelope_reason(a->e)[0]);
    must(strlen(cwmp_envelope_reason(a->e)) <= 200);

    if (a->rc != CWMP_OK) {
        return;
    }

    must(x->rows == y->rows && x->repaired == y->repaired);
    must(x->extra == y->extra && x->kind == y->kind);
    must(x->ns == y->ns && x->has_ns == y->has_ns);
    must(x->rpc == y->rpc && x->fault_code == y->fault_code);
    must(x->has_id == y->has_id && fuzz_same(&x->id, &y->id));
    must(fuzz_same(&x->method, &y->method));
    must(fuzz_same(&x->versions, &y->versions));
    must(fuzz_same(&x->not_understood, &y->not_understood));

    must(cwmp_result_json(&a->result, a->e, &json) == CWMP_OK);
    must(cwmp_result_json(&b->result, b->e, &again) == CWMP_OK);
    must(fuzz_same(&json, &again));
    fuzz_utf8(&json);
    fuzz_utf8(&x->id);
}


/* what was written, as the CPE reads it */

static void
answered(fuzz_sheet_t *s, const cwmp_facts_t *sent, cwmp_kind_t kind)
{
    parse_t              t;
    const cwmp_facts_t  *got;

    parse(&t, s->text.data, s->text.len, NULL, s->seed);
    got = cwmp_envelope_facts(t.e);

    must(t.rc == CWMP_OK && got->kind == kind && got->repaired == 0);
    must(got->ns == sent->ns && got->has_id == sent->has_id);
    must(fuzz_same(&got->id, &sent->id));
    must(kind != CWMP_RESPONSE || got->rpc == sent->rpc);

    discard(&t);
    free(s->text.data);
}


static void
answer(const cwmp_facts_t *facts, uint32_t seed)
{
    fuzz_sheet_t             s;
    const cwmp_str_t        *id;
    cwmp_session_version_t   v;

    id = facts->has_id ? &facts->id : NULL;

    if (facts->rpc && (facts->rpc->from & CWMP_FROM_CPE)) {
        cwmp_version_choose(facts, &v);
        fuzz_sheet(&s, seed);
        s.out.use_version = v.negotiated ? v.version : 0;
        fuzz_written(&s, cwmp_write_response(&s.out, facts->ns, id,
                                             facts->rpc));
        answered(&s, facts, CWMP_RESPONSE);
    }

    fuzz_sheet(&s, seed);
    fuzz_written(&s, cwmp_write_fault(&s.out, facts->ns, id,
                                      8000 + seed % 1000));
    answered(&s, facts, CWMP_FAULT);

    if (facts->not_understood.len) {
        fuzz_sheet(&s, seed);
        fuzz_written(&s, cwmp_write_not_understood(&s.out, facts->ns, id,
                                                   &facts->not_understood));
        answered(&s, facts, CWMP_FAULT);
    }
}


int
LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
    parse_t              a, b;
    uint32_t             seed;
    const char          *charset;
    const cwmp_facts_t  *facts;

    if (n < 3) {
        return 0;
    }

    charset = charsets[*p % 8];
    seed = 1 + (p[1] | p[2] << 8);

    parse(&a, p + 3, n - 3, charset, 0);
    parse(&b, p + 3, n - 3, charset, seed);
    same(&a, &b);

    facts = cwmp_envelope_facts(a.e);

    if (a.rc == CWMP_OK && facts->kind == CWMP_REQUEST) {
        answer(facts, seed);
    }

    discard(&a);
    discard(&b);

    return 0;
}
