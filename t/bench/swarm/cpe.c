
/*
 * A CPE's session: Inform, requests of the CPE, the empty POST, answers to
 * what the ACS asks, until it says 204.  What has been sent last (the phase)
 * says what may come.  What an RPC does is in rpc.c, what there is to tell in
 * todo.c; bytes are exchange.c's.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrive.h"
#include "cpe.h"
#include "inform.h"
#include "rpc.h"
#include "soap.h"
#include "todo.h"
#include "verify.h"


static void cpe_end(session_t *s, fail_t why);
static void cpe_next(session_t *s);


static struct {
    cpe_t      *all;
    session_t  *free;
    size_t      busy;
    int         inform;             /* kinds of messages */
    int         empty;
} cpes;


void
cpe_init(void)
{
    uint64_t  i;

    cpes.all = mem_alloc(settings.cpes * sizeof(cpe_t));

    for (i = 0; i < settings.cpes; i++) {
        cpes.all[i].number = (uint32_t) (settings.first + i);
        cpes.all[i].informed = settings.first_events[0] == '\0';
    }

    cpes.inform = stats_kind("Inform");
    cpes.empty = stats_kind("empty");
    stats_kind("TransferComplete");
    stats_kind("DUStateChangeComplete");
    rpc_init();
}


cpe_t *
cpe_at(uint64_t i)
{
    return &cpes.all[i];
}


size_t
cpe_busy_count(void)
{
    return cpes.busy;
}


/* --- a session, from its first POST to its last -------------------------- */

void
cpe_begin(cpe_t *cpe)
{
    session_t  *s = cpes.free;

    if (s) {
        cpes.free = s->next;
    } else {
        s = mem_alloc(sizeof(session_t));
    }

    cpes.busy++;
    stats.started++;

    s->cpe = cpe;
    s->began = clock_ns();
    s->phase = PHASE_INFORM;
    cpe->session = s;

    inform_write(s);
    exchange_post(s, cpes.inform);
}


static void
session_free(session_t *s)
{
    buf_t  cookies = s->cookies, body = s->body;

    free(s->auth);
    memset(s, 0, sizeof(session_t));

    if (body.cap > 65536) {
        buf_free(&body);
    }

    s->cookies = cookies;
    s->cookies.len = 0;
    s->body = body;
    s->body.len = 0;
    s->next = cpes.free;
    cpes.free = s;
}


static void
cpe_end(session_t *s, fail_t why)
{
    cpe_t  *cpe = s->cpe;

    exchange_end(s);
    todo_undelivered(cpe);
    cpes.busy--;
    cpe->session = NULL;

    if (why == FAIL_NONE) {
        why = s->why;
    }

    if (why == FAIL_NONE) {
        stats.done++;
        hist_add(&stats.session, (clock_ns() - s->began) / 1000);
        cpe->retries = 0;

    } else {
        stats.failed[why]++;
        cpe->retries += why != FAIL_OWN && cpe->retries < 255;
    }

    session_free(s);
    arrive_over(cpe, why);
}


void
cpe_failed(session_t *s, fail_t why)
{
    cpe_end(s, why);
}


static void
cpe_protocol(session_t *s, const char *what)
{
    stats_note("protocol: %s", what);
    cpe_end(s, FAIL_PROTOCOL);
}


/* --- what the CPE has to say --------------------------------------------- */

static void
cpe_request(session_t *s, todo_t *t)
{
    char  id[12];

    s->phase = PHASE_REQUEST;
    s->request = t;
    t->tried = 1;

    snprintf(id, sizeof(id), "%u", ++s->ids);
    s->body.len = 0;
    soap_begin(&s->body, str_of(id), NULL);
    buf_format(&s->body, "<cwmp:%s>", todo_method(t));
    todo_write(&s->body, t);
    buf_format(&s->body, "</cwmp:%s>", todo_method(t));
    soap_end(&s->body);

    exchange_post(s, stats_kind(todo_method(t)));
}


static void
cpe_next(session_t *s)
{
    todo_t  *t = s->hold ? NULL : todo_request(s->cpe);

    if (t) {
        cpe_request(s, t);
        return;
    }

    s->phase = PHASE_EMPTY;
    s->turn = 1;
    s->body.len = 0;
    exchange_post(s, cpes.empty);
}


/* --- what the ACS says --------------------------------------------------- */

/* 204: a CPE that has something left to tell goes on. */

static void
answer_nothing(session_t *s)
{
    if (s->phase == PHASE_INFORM || s->phase == PHASE_REQUEST) {
        cpe_protocol(s, "nothing, instead of a response");
        return;
    }

    s->hold = 0;

    if (todo_request(s->cpe)) {
        cpe_next(s);
    } else {
        cpe_end(s, FAIL_NONE);
    }
}


static unsigned
fault_code(const xml_node_t *fault)
{
    const xml_node_t  *detail = xml_child(xml_child(fault, "detail"), "Fault");
    str_t              code = xml_text(detail, "FaultCode");

    return code.len ? (unsigned) strtoul(code.p, NULL, 10) : 0;
}


static void
answer_fault(session_t *s, const xml_node_t *fault)
{
    unsigned  code = fault_code(fault);

    stats_note("the ACS answered %s with fault %u",
               s->phase == PHASE_INFORM ? "an Inform" : "a request", code);

    if (s->phase != PHASE_INFORM && s->phase != PHASE_REQUEST) {
        cpe_protocol(s, "a fault that answers no request");

    } else if (code == 8005 && s->again++ < AGAIN_MAX) {
        exchange_post(s, s->kind);      /* the same once more */

    } else if (s->phase == PHASE_INFORM) {
        cpe_end(s, FAIL_FAULT);

    } else {
        s->why = FAIL_FAULT;
        cpe_next(s);
    }
}


static void
answer_informed(session_t *s, const xml_node_t *node)
{
    if (s->phase != PHASE_INFORM || !str_is(node->name, "InformResponse")) {
        cpe_protocol(s, "a response to what was not asked");
        return;
    }

    s->cpe->informed = 1;
    todo_delivered(s->cpe);
    cpe_next(s);
}


static void
answer_response(session_t *s, const xml_node_t *node)
{
    size_t       n;
    const char  *method;

    if (s->phase != PHASE_REQUEST) {
        answer_informed(s, node);
        return;
    }

    method = todo_method(s->request);
    n = strlen(method);

    if (node->name.len != n + 8 || memcmp(node->name.p, method, n) != 0) {
        cpe_protocol(s, "another request's response");
        return;
    }

    todo_done(s->cpe, s->request);
    s->request = NULL;
    cpe_next(s);
}


static void
answer_request(session_t *s, const xml_node_t *node, const xml_node_t *header)
{
    int    kind;
    str_t  id = { NULL, 0 };

    if (s->phase != PHASE_EMPTY && s->phase != PHASE_RESPONSE) {
        cpe_protocol(s, "a request of the ACS while it was the CPE's turn");
        return;
    }

    if (xml_child(header, "ID")) {
        id = xml_text(header, "ID");
    }

    kind = rpc_answer(s->cpe, node, id, &s->body);
    s->phase = PHASE_RESPONSE;
    exchange_post(s, kind);
}


static int
is_response(str_t name)
{
    return name.len > 8 && memcmp(name.p + name.len - 8, "Response", 8) == 0;
}


static void
answer_envelope(session_t *s, const xml_node_t *root)
{
    str_t              hold;
    const xml_node_t  *header = xml_child(root, "Header"), *node;

    node = xml_child(root, "Body");
    node = node ? node->first : NULL;

    if (node == NULL) {
        cpe_protocol(s, "an envelope without content");
        return;
    }

    hold = xml_text(header, "HoldRequests");
    s->hold = str_is(hold, "1") || str_is_nocase(hold, "true");

    if (str_is(node->name, "Fault")) {
        answer_fault(s, node);
        return;
    }

    s->again = 0;

    if (is_response(node->name)) {
        answer_response(s, node);
    } else {
        answer_request(s, node, header);
    }
}


void
cpe_answer(session_t *s, http_response_t *r)
{
    const char  *error;
    xml_node_t  *root;

    if (settings.verify) {
        verify_http(s, r);
    }

    if (r->status == 204 || r->body_len == 0) {
        answer_nothing(s);
        return;
    }

    if (settings.verify) {
        verify_text(s, r->body, r->body_len);
    }

    root = xml_parse(r->body, r->body_len, &error);

    if (root == NULL) {
        stats_note("XML: %s", error);
        cpe_end(s, FAIL_XML);
        return;
    }

    if (settings.verify) {
        verify_envelope(s, root);
    }

    answer_envelope(s, root);
}
