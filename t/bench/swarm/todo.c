
/*
 * What a CPE has to tell of in a later session: that it was rebooted or
 * reset, that a delay is over, how transfers and changes of software ended.
 * A row says which events an Inform lists for it, and which request follows;
 * without a request, the InformResponse delivers it.  When it is due, the CPE
 * begins a session by itself.
 */

#include <stdlib.h>
#include <string.h>

#include "arrive.h"
#include "soap.h"
#include "todo.h"


typedef struct {
    const char  *events[2];
    const char  *event;             /* with the CommandKey */
    const char  *request;
    void       (*write)(buf_t *b, const todo_t *t);
} todo_row_t;

#define EVENTS_MAX  64


static void write_transfer(buf_t *b, const todo_t *t);
static void write_units(buf_t *b, const todo_t *t);


static const todo_row_t  rows[TODO_KINDS] = {
    [TODO_RESET] = { { "0 BOOTSTRAP", "1 BOOT" }, NULL, NULL, NULL },
    [TODO_REBOOT] = { { "1 BOOT", NULL }, "M Reboot", NULL, NULL },
    [TODO_SCHEDULED] = { { "3 SCHEDULED", NULL }, "M ScheduleInform",
        NULL, NULL },
    [TODO_CONNECTION] = { { "6 CONNECTION REQUEST", NULL }, NULL, NULL, NULL },
    [TODO_DOWNLOAD] = { { "7 TRANSFER COMPLETE", NULL }, "M Download",
        "TransferComplete", write_transfer },
    [TODO_SCHEDULED_DOWNLOAD] = { { "7 TRANSFER COMPLETE", NULL },
        "M ScheduleDownload", "TransferComplete", write_transfer },
    [TODO_UPLOAD] = { { "7 TRANSFER COMPLETE", NULL }, "M Upload",
        "TransferComplete", write_transfer },
    [TODO_UNITS] = { { "11 DU STATE CHANGE COMPLETE", NULL },
        "M ChangeDUState", "DUStateChangeComplete", write_units }
};

static size_t  waiting;


todo_t *
todo_add(cpe_t *cpe, todo_kind_t kind, str_t key, double seconds)
{
    todo_t  *t = mem_alloc(sizeof(todo_t)), **at;

    t->kind = kind;
    t->key = mem_copy(key.p, key.len);
    t->due = clock_ns() + (uint64_t) (seconds * NS_S);

    for (at = &cpe->todo; *at; at = &(*at)->next) { /* void */ }

    *at = t;
    waiting++;
    arrive_wake(cpe, t->due);
    return t;
}


void
todo_done(cpe_t *cpe, todo_t *t)
{
    todo_t  **at;

    for (at = &cpe->todo; *at != t; at = &(*at)->next) {
        /* void */
    }

    *at = t->next;
    waiting--;
    free(t->key);
    free(t->data);
    free(t);
}


void
todo_clear(cpe_t *cpe)
{
    while (cpe->todo) {
        todo_done(cpe, cpe->todo);
    }
}


uint64_t
todo_next(const cpe_t *cpe)
{
    const todo_t  *t;
    uint64_t       due = 0;

    for (t = cpe->todo; t; t = t->next) {
        if (due == 0 || t->due < due) {
            due = t->due;
        }
    }

    return due;
}


size_t
todo_waiting(void)
{
    return waiting;
}


int
todo_is_transfer(const todo_t *t)
{
    return rows[t->kind].write == write_transfer;
}


unsigned
todo_transfers(cpe_t *cpe)
{
    unsigned       n = 0;
    const todo_t  *t;

    for (t = cpe->todo; t; t = t->next) {
        n += todo_is_transfer(t) ? 1 : 0;
    }

    return n;
}


unsigned
todo_cancel(cpe_t *cpe, str_t key)
{
    todo_t   *t, *next;
    uint64_t  now = clock_ns();

    for (t = cpe->todo; t; t = t->next) {
        if (todo_is_transfer(t) && str_is(key, t->key) && t->due <= now) {
            return 9021;
        }
    }

    for (t = cpe->todo; t; t = next) {
        next = t->next;

        if (todo_is_transfer(t) && str_is(key, t->key)) {
            todo_done(cpe, t);
        }
    }

    return 0;
}


/* --- events -------------------------------------------------------------- */

typedef struct {
    const char  *code;
    size_t       len;
    const char  *key;
} event_t;

typedef struct {
    event_t    at[EVENTS_MAX];
    unsigned   n;
} events_t;


/* Those without a CommandKey are listed once. */

static void
event_add(events_t *events, const char *code, size_t len, const char *key)
{
    unsigned  i;

    for (i = 0; i < events->n; i++) {
        event_t  *e = &events->at[i];

        if (e->len == len && memcmp(e->code, code, len) == 0
            && strcmp(e->key, key) == 0)
        {
            return;
        }
    }

    if (events->n < EVENTS_MAX) {
        events->at[events->n++] = (event_t) { code, len, key };
    }
}


static void
event_add_list(events_t *events, const char *list)
{
    size_t  n;

    while (*list) {
        list += strspn(list, ", ");
        n = strcspn(list, ",");

        if (n) {
            event_add(events, list, n, "");
        }

        list += n;
    }
}


static void
event_add_todo(events_t *events, todo_t *t)
{
    unsigned           i;
    const todo_row_t  *row = &rows[t->kind];

    if (events->n + 3 > EVENTS_MAX) {
        return;
    }

    for (i = 0; i < 2 && row->events[i]; i++) {
        event_add(events, row->events[i], strlen(row->events[i]), "");
    }

    if (row->event) {
        event_add(events, row->event, strlen(row->event), t->key);
    }

    t->told = 1;
}


void
todo_events(buf_t *b, cpe_t *cpe)
{
    todo_t    *t;
    unsigned   i;
    uint64_t   now = clock_ns();
    events_t   events;

    events.n = 0;

    if (!cpe->informed) {
        event_add_list(&events, settings.first_events);
    }

    for (t = cpe->todo; t; t = t->next) {
        if (t->due <= now) {
            event_add_todo(&events, t);
        }
    }

    if (events.n == 0) {
        event_add_list(&events, settings.events);
    }

    soap_array(b, "Event", "cwmp:EventStruct", events.n);

    for (i = 0; i < events.n; i++) {
        buf_lit(b, "<EventStruct>");
        soap_element(b, "EventCode", events.at[i].code, events.at[i].len);
        soap_element(b, "CommandKey", events.at[i].key,
                     strlen(events.at[i].key));
        buf_lit(b, "</EventStruct>");
    }

    soap_array_end(b, "Event");
}


void
todo_delivered(cpe_t *cpe)
{
    todo_t  *t, *next;

    for (t = cpe->todo; t; t = next) {
        next = t->next;

        if (t->told && rows[t->kind].request == NULL) {
            todo_done(cpe, t);
        }
    }
}


/* The session is over: what is left is told again in the next one. */

void
todo_undelivered(cpe_t *cpe)
{
    todo_t  *t, *next;

    for (t = cpe->todo; t; t = next) {
        next = t->next;
        t->tried = 0;

        if (!t->told) {
            continue;
        }

        t->told = 0;

        if (t->kind == TODO_CONNECTION) {
            todo_done(cpe, t);          /* never told again */
        }
    }
}


/* --- requests ------------------------------------------------------------ */

todo_t *
todo_request(cpe_t *cpe)
{
    todo_t  *t;

    for (t = cpe->todo; t; t = t->next) {
        if (t->told && !t->tried && rows[t->kind].request) {
            return t;
        }
    }

    return NULL;
}


const char *
todo_method(const todo_t *t)
{
    return rows[t->kind].request;
}


void
todo_write(buf_t *b, const todo_t *t)
{
    rows[t->kind].write(b, t);
}


static void
write_fault(buf_t *b, const char *name, unsigned long code)
{
    const char  *text = code ? "File transfer failure" : "";

    buf_format(b, "<%s>", name);
    soap_number(b, "FaultCode", code);
    soap_element(b, "FaultString", text, strlen(text));
    buf_format(b, "</%s>", name);
}


static void
write_transfer(buf_t *b, const todo_t *t)
{
    soap_element(b, "CommandKey", t->key, strlen(t->key));
    write_fault(b, "FaultStruct", settings.transfer_fault);
    soap_time(b, "StartTime", t->due);
    soap_time(b, "CompleteTime", t->due);
}


static void
write_units(buf_t *b, const todo_t *t)
{
    buf_text(b, t->data);
    soap_element(b, "CommandKey", t->key, strlen(t->key));
}
