#include <stdlib.h>
#include <string.h>
#include "arrive.h"
#include "cpe.h"
#include "inform.h"

static struct { cpe_t *all; session_t *free; size_t busy; int inform, empty; } cpes;

void
cpe_init(void)
{
    uint64_t i;
    cpes.all = mem_alloc(settings.cpes * sizeof(cpe_t));
    for (i = 0; i < settings.cpes; i++) {
        cpes.all[i].number = (uint32_t) (settings.first + i);
    }
    cpes.inform = stats_kind("Inform");
    cpes.empty = stats_kind("empty");
}

cpe_t *cpe_at(uint64_t i) { return &cpes.all[i]; }
size_t cpe_busy_count(void) { return cpes.busy; }

void
cpe_begin(cpe_t *cpe)
{
    session_t *s = cpes.free;
    if (s) { cpes.free = s->next; } else { s = mem_alloc(sizeof(session_t)); }
    cpes.busy++;
    stats.started++;
    s->cpe = cpe;
    cpe->session = s;
    s->began = clock_ns();
    s->phase = 0;
    inform_write(s);
    exchange_post(s, cpes.inform);
}

static void
cpe_end(session_t *s, fail_t why)
{
    cpe_t *cpe = s->cpe;
    buf_t cookies, body;
    exchange_end(s);
    if (why) stats.failed[why]++; else { stats.done++; hist_add(&stats.session, (clock_ns() - s->began) / 1000); }
    cookies = s->cookies; body = s->body; cookies.len = body.len = 0;
    memset(s, 0, sizeof(*s));
    s->cookies = cookies; s->body = body;
    s->next = cpes.free; cpes.free = s; cpes.busy--;
    cpe->session = NULL;
    arrive_over(cpe, why);
}

void cpe_failed(session_t *s, fail_t why) { cpe_end(s, why); }

void
cpe_answer(session_t *s, http_response_t *r)
{
    const char *error;
    xml_node_t *root;
    if (r->status == 204) { cpe_end(s, s->phase ? FAIL_NONE : FAIL_PROTOCOL); return; }
    root = xml_parse(r->body, r->body_len, &error);
    if (root == NULL) { stats_note("XML: %s", error); cpe_end(s, FAIL_XML); return; }
    root = xml_child(root, "Body");
    if (s->phase == 0 && xml_child(root, "InformResponse")) {
        s->phase = 1;
        s->body.len = 0;
        exchange_post(s, cpes.empty);
        return;
    }
    stats_note("unexpected"); cpe_end(s, FAIL_PROTOCOL);
}
