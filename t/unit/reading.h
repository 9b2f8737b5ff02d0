/*
 * An envelope read in one of three ways, in pieces of any size, and all that
 * came of it as one text: rows, facts, values, result and reason.  Whichever
 * reads, it must be the same text.  It looks inside of the envelope, which
 * nobody else may.
 */

#ifndef READING_H
#define READING_H

#include "cwmp_walk.h"
#include "tap.h"


typedef enum {
    READING_ALL = 0,                /* as it is */
    READING_ROWS,                   /* by libxml2, but for rows that look the
                                       same */
    READING_LIBXML2                 /* by libxml2 alone */
} reading_by_t;

typedef struct {
    reading_by_t           by;
    const char            *charset; /* HTTP's; NULL: none */
    const cwmp_limits_t   *limits;  /* NULL: the default */
    size_t                 stop;    /* the callback, at this row; 0: never */
    cwmp_rc_t              stop_rc;
    int                    brief;   /* reasons without libxml2's words */
    int                    cut;     /* nothing is gathered: */
    size_t                 first;   /* a piece of so many bytes; 0: none */
    size_t                 piece;   /* and others of so many; 0: all the rest */
    size_t               (*next)(void *data, size_t left);  /* or so many */
    void                  *data;
} reading_way_t;

typedef struct {
    tap_arena_t            owner;
    cwmp_arena_t           arena;
    cwmp_envelope_t       *e;
    cwmp_rc_t              rc;
    const reading_way_t   *way;
    size_t                 size;    /* from its first '<' on */
    size_t                 rows;
    size_t                 lying;   /* of them, handed over where they lie */
    unsigned char         *fed;
    size_t                 nfed;
    char                  *text;
    size_t                 len;
    size_t                 room;
} reading_t;


static void TAP_UNUSED
reading_add(reading_t *r, const void *p, size_t n)
{
    if (n + 1 > r->room - r->len) {
        r->room = 2 * (r->room + n + 1);
        r->text = realloc(r->text, r->room);
    }

    if (n) {
        memcpy(r->text + r->len, p, n);
    }

    r->len += n;
    r->text[r->len] = '\0';
}


static void TAP_UNUSED
reading_printf(reading_t *r, const char *fmt, ...)
{
    char     line[1024];
    va_list  args;

    va_start(args, fmt);
    vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);

    reading_add(r, line, strlen(line));
}


static void TAP_UNUSED
reading_string(reading_t *r, const char *name, const cwmp_str_t *s)
{
    reading_printf(r, " %s=%zu:", name, s->len);
    reading_add(r, s->data, s->len);
}


static int TAP_UNUSED
reading_lies(const reading_t *r, const unsigned char *p)
{
    return (p >= r->fed && p < r->fed + r->nfed)
           || (p >= r->e->stage && p < r->e->stage + CWMP_STAGE)
           || (p >= r->e->plain.hold && p < r->e->plain.hold + CWMP_PLAIN_TAG);
}


static cwmp_rc_t TAP_UNUSED
reading_row(void *data, const cwmp_row_t *row)
{
    size_t      i;
    reading_t  *r = data;

    r->rows++;
    r->lying += reading_lies(r, row->cells[0].data);
    reading_printf(r, "%s", row->arg->name);

    for (i = 0; i < CWMP_MAX_FIELDS; i++) {
        if (row->cells[i].len) {
            reading_printf(r, " %zu", i);
            reading_string(r, "", &row->cells[i]);
        }
    }

    reading_string(r, "type", &row->type);
    reading_printf(r, "%s\n", row->repaired ? " repaired" : "");

    if (r->rows != r->way->stop) {
        return CWMP_OK;
    }

    return (r->way->stop_rc == CWMP_REFUSED)
           ? cwmp_envelope_refuse(r->e, "row %zu is too much", r->rows)
           : r->way->stop_rc;
}


/* what it says of marks depends on how much of what follows was looked at */

static void TAP_UNUSED
reading_reason(reading_t *r)
{
    const char  *reason;

    reason = cwmp_envelope_reason(r->e);

    reading_add(r, "\n", 1);
    reading_add(r, reason, strcspn(reason, r->way->brief ? ":" : ";"));
    reading_add(r, "\n", 1);
}


static void TAP_UNUSED
reading_facts(reading_t *r)
{
    size_t               i;
    const cwmp_facts_t  *f;

    f = cwmp_envelope_facts(r->e);

    reading_printf(r, "rc=%d kind=%d rpc=%s has_id=%d has_ns=%d ns=%d "
                   "fault=%u timeout=%d,%u has_versions=%d misplaced=%s "
                   "rows=%zu repaired=%zu,%d unresolved=%zu extra=%d\n",
                   r->rc, f->kind, f->rpc ? f->rpc->name : "-", f->has_id,
                   f->has_ns, f->ns, f->fault_code, f->has_session_timeout,
                   f->session_timeout, f->has_versions,
                   f->misplaced ? f->misplaced : "-", f->rows, f->repaired,
                   f->flagged, f->unresolved, r->rc == CWMP_OK && f->extra);

    reading_string(r, "method", &f->method);
    reading_string(r, "id", &f->id);
    reading_string(r, "fault", &f->fault_text);
    reading_string(r, "versions", &f->versions);
    reading_string(r, "not_understood", &f->not_understood);

    for (i = 0; i < r->e->nvalues; i++) {
        reading_string(r, "\nvalue", &r->e->values[i]);
    }

    reading_reason(r);
}


/* what a piece of a kilobyte would have told: which encoding it is */

static void TAP_UNUSED
reading_declared(reading_t *r, const unsigned char *p)
{
    size_t                len;
    const unsigned char  *name;

    name = cwmp_decode_name(p, r->size, &len);

    if (name) {
        cwmp_envelope_charset(r->e, name, len);
    }

    r->e->declared = 1;
}


static void TAP_UNUSED
reading_feed(reading_t *r, const unsigned char *p, size_t n, size_t take)
{
    if (take == 0) {
        return;
    }

    /* a copy that is gone after the call: nothing of it may be kept */

    r->fed = malloc(take);
    r->nfed = take;
    memcpy(r->fed, p, take);
    cwmp_envelope_feed(r->e, r->fed, take);
    free(r->fed);
    r->nfed = 0;
}


static void TAP_UNUSED
reading(reading_t *r, const void *text, size_t n, const reading_way_t *way)
{
    size_t                take;
    const unsigned char  *begin, *p = text;

    memset(r, 0, sizeof(*r));
    r->arena.alloc = tap_alloc;
    r->arena.owner = &r->owner;
    r->way = way;
    begin = n ? memchr(p, '<', n) : NULL;
    r->size = begin ? p + n - begin : 0;
    r->e = cwmp_envelope_create(&r->arena,
                                way->limits ? way->limits
                                            : &cwmp_default_limits,
                                reading_row, r);
    if (way->charset) {
        cwmp_envelope_charset(r->e, (const unsigned char *) way->charset,
                              strlen(way->charset));
    }

    /* who reads is said when the first byte is known, which is taken back */

    if (way->by != READING_ALL) {
        while (n && !r->e->started && r->e->rc == CWMP_OK) {
            reading_feed(r, p++, n--, 1);
        }

        r->e->plain.on = 0;
        r->e->same.wait = (way->by == READING_LIBXML2) ? (size_t) -1 : 0;
    }

    if (r->e->staged) {
        r->e->staged = 0;
        p--;
        n++;
    }

    if (way->cut) {
        reading_declared(r, begin);
        r->e->gather = 1;
    }

    for (take = way->first; n; p += take, n -= take) {

        if (p != text || take == 0) {
            take = way->next ? way->next(way->data, n) : way->piece;
        }

        take = (take && take < n) ? take : n;
        reading_feed(r, p, n, take);
    }

    r->rc = cwmp_envelope_end(r->e);
    reading_facts(r);
}


static void TAP_UNUSED
reading_free(reading_t *r)
{
    cwmp_envelope_free(r->e);
    tap_free(&r->owner);
    free(r->text);
}


/*
 * What does not begin like XML is read by nobody.  libxml2's dictionary is
 * bounded, and nothing else has one; it says nothing of less than four bytes.
 */

static int TAP_UNUSED
reading_same(const reading_t *a, const reading_t *b)
{
    static const char  names[] = "too many different element names";

    return !a->e->started || a->size < 4 || strcmp(a->e->reason, names) == 0
           || strcmp(b->e->reason, names) == 0
           || (a->len == b->len && memcmp(a->text, b->text, a->len) == 0);
}

#endif
