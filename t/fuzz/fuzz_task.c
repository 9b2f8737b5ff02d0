/*
 * Any bytes as a task's JSON, in each phase: a refusal with its field and
 * reason, or an RPC that libxml2 finds well-formed and in which our own parser
 * finds what was built.  First bytes: the phase, the version of CWMP and the
 * type that the device reported.
 */

#include <strings.h>

#include <libxml/parser.h>

#include "cwmp_task.h"
#include "fuzz.h"


typedef struct {
    const cwmp_task_rpc_t  *rpc;
    size_t                  rows;
} check_t;


static cwmp_known_t  known[] = {
    { cwmp_string("Device.A"), 'u', cwmp_string("5") },
    { cwmp_string("Device.B"), 'b', cwmp_string("1") },
    { cwmp_string("Port"), 's', cwmp_string("x") }
};


static int
is_blank(const cwmp_str_t *s, size_t i)
{
    return memchr(" \t\r\n", s->data[i], 4) != NULL;
}


/* blanks at the ends may be taken for indentation: others must come back; the
   root of a path comes back in its own case */

static void
same_text(const cwmp_node_t *node, const cwmp_str_t *got, unsigned flags)
{
    const cwmp_str_t  *sent = &node->text;

    if (sent->len && (is_blank(sent, 0) || is_blank(sent, sent->len - 1))) {
        return;
    }

    if (flags & CWMP_NAME) {
        must(sent->len == got->len
             && strncasecmp((const char *) sent->data,
                            (const char *) got->data, got->len) == 0);
        return;
    }

    must(fuzz_same(sent, got));
}


/* the argument's node */

static const cwmp_node_t *
list(const check_t *t, const cwmp_arg_t *arg)
{
    return &t->rpc->args[arg - t->rpc->rpc->request];
}


static cwmp_rc_t
on_row(void *data, const cwmp_row_t *row)
{
    check_t            *t = data;
    const cwmp_node_t  *item, *node;
    const cwmp_arg_t   *field;

    node = list(t, row->arg);
    must(t->rows < node->nitems);
    item = &node->items[t->rows++];

    if (row->arg->type == CWMP_T_STRINGS) {
        same_text(item, &row->cells[0], row->arg->flags);
    }

    if (row->arg->type != CWMP_T_STRUCTS) {
        return CWMP_OK;
    }

    for (field = row->arg->fields; field->name; field++) {
        node = &item->items[field - row->arg->fields];

        if (field->type < CWMP_T_STRINGS && node->given) {
            same_text(node, &row->cells[cwmp_cells(row->arg->fields, field)],
                      field->flags);
        }

        if (field->type == CWMP_T_VALUE) {
            must(fuzz_same(&node->type, &row->type));
        }
    }

    return CWMP_OK;
}


static void
well_formed(const cwmp_str_t *text)
{
    xmlDocPtr  doc;

    doc = xmlReadMemory((const char *) text->data, (int) text->len, NULL,
                        NULL, XML_PARSE_NONET | XML_PARSE_HUGE);
    must(doc != NULL);
    xmlFreeDoc(doc);
}


static void
sent(cwmp_arena_t *arena, const cwmp_task_rpc_t *rpc, uint32_t seed)
{
    size_t               i;
    check_t              t = { rpc, 0 };
    cwmp_str_t           id = cwmp_string(" 5f<&>\"\r.1");
    fuzz_sheet_t         s;
    cwmp_envelope_t     *e;
    const cwmp_arg_t    *arg;
    const cwmp_facts_t  *facts;

    static const cwmp_str_t  styles[] = {
        cwmp_string(""), cwmp_string("emptyTags=short prefix=s"),
        cwmp_string("declaration=false prefix=SOAP-ENV")
    };

    fuzz_sheet(&s, seed);
    cwmp_style_read(&s.out.style, &styles[seed % 3]);
    fuzz_written(&s, cwmp_write_request(&s.out, CWMP_NS_1_2, &id, rpc->rpc,
                                        rpc->args));
    well_formed(&s.text);

    e = cwmp_envelope_create(arena, &cwmp_default_limits, on_row, &t);
    must(fuzz_feed(e, s.text.data, s.text.len, seed) == CWMP_OK);
    facts = cwmp_envelope_facts(e);

    must(facts->kind == CWMP_REQUEST && facts->rpc == rpc->rpc);
    must(facts->repaired == 0 && !facts->extra && facts->ns == CWMP_NS_1_2);
    must(fuzz_same(&facts->id, &id));

    for (arg = rpc->rpc->request, i = 0; arg->name; arg++) {

        if (arg->type < CWMP_T_STRINGS && list(&t, arg)->given) {
            same_text(list(&t, arg), cwmp_envelope_value(e, arg->name), 0);
        }

        /* VARIANTS are only sent: of their types our parser knows none */

        if (arg->type >= CWMP_T_STRINGS && arg->type != CWMP_T_VARIANTS) {
            i += list(&t, arg)->nitems;
        }
    }

    must(facts->rows == i && t.rows == i);

    cwmp_envelope_free(e);
    free(s.text.data);
}


int
LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
    cwmp_rc_t        rc;
    cwmp_order_t     order;
    tap_arena_t      owner;
    cwmp_arena_t     arena = { tap_alloc, &owner };
    cwmp_task_rpc_t  rpc;

    static const char  *phases[] = {
        "", "types", "set", "verify", "compare", "check", "confirm",
        "confirmed", "names", "level", " 0 2 0", "verify 1 3 1"
    };

    if (n < 2) {
        return 0;
    }

    memset(&owner, 0, sizeof(owner));
    memset(&order, 0, sizeof(order));
    memset(&rpc, 0, sizeof(rpc));

    order.phase.data = (unsigned char *) phases[*p % 12];
    order.phase.len = strlen(phases[*p % 12]);
    order.instance.data = (unsigned char *) "17";
    order.instance.len = 2;
    order.key.data = (unsigned char *) "key-1";
    order.key.len = 5;
    order.version = (p[1] & 7) > 4 ? 0 : 10 + (p[1] & 7);
    known[0].letter = "sbiluUdtBha"[p[1] / 8 % 11];
    order.known = known;
    order.nknown = 3;
    order.json.data = (unsigned char *) p + 2;
    order.json.len = n - 2;

    rc = cwmp_task_rpc(&arena, &order, &rpc);

    must(rc == CWMP_OK || rc == CWMP_REFUSED);
    must(rc == CWMP_OK || (rpc.reason && rpc.reason[0] && rpc.field.data));

    if (rc == CWMP_OK && !rpc.done && !rpc.split.len) {
        sent(&arena, &rpc, 1 + p[0] + p[1] * 256u);
    }

    tap_free(&owner);

    return 0;
}
