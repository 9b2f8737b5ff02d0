/*
 * Such a row has an element for each cell, with no attribute but a type, and
 * text of printable ASCII.  What is taken of it is what cwmp_walk.c and
 * cwmp_text.c make of the same row, so whatever they would have to change, such
 * as blanks around a text, is not taken.  Whoever reads must stand between two
 * rows of an array, with nothing held back: that is looked at each time, and
 * believed of nobody.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE                 /* memmem() */
#endif

#include <ctype.h>
#include <string.h>

#include "cwmp_walk.h"


#define CWMP_SAME_PAUSE     8192    /* bytes; from then on no longer */
#define CWMP_SAME_TYPE_MAX  64      /* bytes of a type's name */

#define cwmp_same_blank(c)  ((c) == ' ' || (c) == '\t')


typedef const unsigned char  *cwmp_at_t;


static void cwmp_same_in_vain(cwmp_envelope_t *e);
static int cwmp_same_between(const cwmp_envelope_t *e);
static cwmp_at_t cwmp_same_row(cwmp_envelope_t *e, cwmp_at_t p,
    cwmp_at_t end);
static int cwmp_same_is_kept(const cwmp_envelope_t *e, cwmp_at_t p,
    cwmp_at_t end, unsigned flags);
static cwmp_at_t cwmp_same_word(cwmp_at_t p, cwmp_at_t end);
static cwmp_at_t cwmp_same_local(cwmp_at_t p, cwmp_at_t end);
static int cwmp_same_learn(cwmp_envelope_t *e, const cwmp_arg_t *arg,
    cwmp_at_t p, cwmp_at_t end);
static int cwmp_same_cell(cwmp_same_t *same, const cwmp_arg_t *fields,
    cwmp_at_t p, cwmp_at_t end, cwmp_at_t *from, unsigned *seen);
static int cwmp_same_is_typed(const cwmp_plain_tag_t *tag);
static const cwmp_arg_t *cwmp_same_field(const cwmp_arg_t *fields,
    const cwmp_plain_tag_t *tag);
static int cwmp_same_hole(cwmp_same_t *same, cwmp_hole_t hole,
    cwmp_at_t from, cwmp_at_t to);


/*
 * Hands over as many rows as there are; returns how many bytes they had.  One
 * whose end has not come yet is left.
 */

size_t
cwmp_same_rows(cwmp_envelope_t *e, const unsigned char *p, size_t n)
{
    cwmp_at_t      at, next, end;
    cwmp_frame_t  *f;
    cwmp_same_t  *same = &e->same;

    if (n == 0 || same->wait) {
        return 0;
    }

    if (!cwmp_same_between(e)) {
        cwmp_same_in_vain(e);
        return 0;
    }

    f = &e->frames[e->nframes - 1];
    end = p + n;

    for (at = p; at < end && e->rc == CWMP_OK; at = next) {

        next = (same->arg == f->arg) ? cwmp_same_row(e, at, end) : NULL;

        if (next == NULL && cwmp_same_learn(e, f->arg, at, end)) {
            next = cwmp_same_row(e, at, end);
        }

        if (next == NULL) {
            break;
        }

        f->index++;
        e->plain.lines += e->plain.on ? same->lines : 0;

        if (e->ctxt) {
            e->ctxt->input->line += same->lines;
        }
    }

    if (at == p) {
        cwmp_same_in_vain(e);

    } else {
        same->pause = 0;
    }

    return at - p;
}


/* the more often, the more bytes libxml2 gets before the next try: small pieces
   are dearer to it */

static void
cwmp_same_in_vain(cwmp_envelope_t *e)
{
    cwmp_same_t  *same = &e->same;

    if (e->plain.on) {
        return;
    }

    same->wait = same->pause;

    if (same->pause < CWMP_SAME_PAUSE) {
        same->pause = 2 * same->pause + 256;
    }
}


/* how many of n bytes libxml2 has to take until it may stand behind a row */

size_t
cwmp_same_until(cwmp_envelope_t *e, const unsigned char *p, size_t n)
{
    cwmp_at_t      at, q, end;
    cwmp_same_t  *same = &e->same;

    static const char  name[] = "Struct>";

    if (same->wait >= n) {
        same->wait -= n;
        return n;
    }

    at = p + same->wait;
    end = p + n;
    same->wait = 0;

    for ( ;; ) {
        at = memmem(at, end - at, name, sizeof(name) - 1);

        if (at == NULL) {
            return n;
        }

        for (q = at; q > p && (isalnum(q[-1]) || q[-1] == ':'); q--) { /**/ }

        at += sizeof(name) - 1;

        if (q > p && q[-1] == '/') {
            break;
        }
    }

    return at - p;
}


static int
cwmp_same_between(const cwmp_envelope_t *e)
{
    const cwmp_frame_t  *f;

    if (e->rc != CWMP_OK || e->done || e->skip || e->nframes == 0
        || e->nframes + 2 > CWMP_FRAMES || e->depth + 2 > e->limits.depth)
    {
        return 0;
    }

    f = &e->frames[e->nframes - 1];

    return f->in == CWMP_IN_ARRAY && f->arg->type == CWMP_T_STRUCTS
           && (e->plain.on
               || (e->repair.state == 0 && e->repair.held == 0
                   && e->guard.state == 0
                   && e->ctxt->input->cur == e->ctxt->input->end));
}


/* past it, when it fits the pattern: it was handed over then */

static cwmp_at_t
cwmp_same_row(cwmp_envelope_t *e, cwmp_at_t p, cwmp_at_t end)
{
    unsigned       i, n;
    cwmp_at_t      from, markup;
    cwmp_row_t     row;
    cwmp_same_t  *same = &e->same;

    cwmp_text_empty_row(&row, same->arg);

    markup = same->markup;
    end = (end - p > CWMP_SAME_ROW) ? p + CWMP_SAME_ROW : end;

    for (i = 0; i < same->nholes; i++) {
        n = same->holes[i].markup;

        if ((size_t) (end - p) < n || memcmp(p, markup, n) != 0) {
            return NULL;
        }

        markup += n;
        p += n;
        from = p;

        if (same->holes[i].hole == CWMP_SAME_TEXT) {
            p = cwmp_plain_line(from, end);

            if (!cwmp_same_is_kept(e, from, p, same->holes[i].flags)) {
                return NULL;
            }

            row.cells[same->holes[i].cell].len = p - from;
            row.cells[same->holes[i].cell].data = (unsigned char *) from;

        } else if (same->holes[i].hole == CWMP_SAME_TYPE) {
            p = cwmp_same_word(from, end);

            if (p - from > CWMP_SAME_TYPE_MAX) {
                return NULL;
            }

            from = cwmp_same_local(from, p);

            if (p > from) {
                row.type.len = p - from;
                row.type.data = (unsigned char *) from;
            }
        }
    }

    cwmp_text_hand_over(e, &row);

    return p;
}


/* would this text come out of cwmp_text.c as it is? */

static int
cwmp_same_is_kept(const cwmp_envelope_t *e, cwmp_at_t p, cwmp_at_t end,
    unsigned flags)
{
    size_t  len;

    len = end - p;

    if (len == 0) {
        return 1;
    }

    if (cwmp_same_blank(*p) || cwmp_same_blank(end[-1])
        || len > e->limits.text)
    {
        return 0;
    }

    return !(flags & CWMP_NAME)
           || (len >= 7 && memcmp(p, "Device.", 7) == 0)
           || (len >= 22 && memcmp(p, "InternetGatewayDevice.", 22) == 0);
}


/* the name of a type */

static cwmp_at_t
cwmp_same_word(cwmp_at_t p, cwmp_at_t end)
{
    while (p < end
           && (isalnum(*p) || *p == ':' || *p == '_' || *p == '-'
               || *p == '.'))
    {
        p++;
    }

    return p;
}


/* where its local name begins */

static cwmp_at_t
cwmp_same_local(cwmp_at_t p, cwmp_at_t end)
{
    cwmp_at_t  q;

    for (q = end; q > p && q[-1] != ':'; q--) { /* void */ }

    return q;
}


/* the row at p as the pattern: 1 when it can be one */

static int
cwmp_same_learn(cwmp_envelope_t *e, const cwmp_arg_t *arg, cwmp_at_t p,
    cwmp_at_t end)
{
    int                n;
    unsigned           seen;
    cwmp_at_t          from;
    cwmp_same_t       *same = &e->same;
    cwmp_plain_tag_t   row;

    same->arg = NULL;
    same->nholes = 0;
    same->used = 0;
    same->lines = 0;

    seen = 0;
    from = p;
    end = (end - p > CWMP_SAME_ROW) ? p + CWMP_SAME_ROW : end;
    p = cwmp_plain_blanks(p, end);
    n = cwmp_plain_open_tag(&row, p, end);

    if (n <= 0 || row.closed || !cwmp_same_is_typed(&row)) {
        return 0;
    }

    for (p += n; /* void */ ; p += n) {
        p = cwmp_plain_blanks(p, end);

        if (end - p > 1 && p[1] == '/') {
            break;
        }

        n = cwmp_same_cell(same, arg->fields, p, end, &from, &seen);

        if (n <= 0) {
            return 0;
        }
    }

    n = cwmp_plain_end_tag(row.name, row.len, p, end);

    if (n <= 0 || seen == 0
        || !cwmp_same_hole(same, CWMP_SAME_END, from, p + n))
    {
        return 0;
    }

    same->arg = arg;

    return 1;
}


/* the length of a cell's element; 0 or less: it is none of this kind */

static int
cwmp_same_cell(cwmp_same_t *same, const cwmp_arg_t *fields, cwmp_at_t p,
    cwmp_at_t end, cwmp_at_t *from, unsigned *seen)
{
    int                n, m;
    unsigned           cell;
    const cwmp_arg_t  *arg;
    cwmp_plain_tag_t   tag;

    n = cwmp_plain_open_tag(&tag, p, end);
    arg = (n > 0) ? cwmp_same_field(fields, &tag) : NULL;

    if (arg == NULL || arg->type > CWMP_T_VALUE || !cwmp_same_is_typed(&tag)) {
        return 0;
    }

    cell = cwmp_cells(fields, arg);

    if (*seen & (1u << cell)) {
        return 0;
    }

    *seen |= 1u << cell;

    if (tag.natts && arg->type == CWMP_T_VALUE) {
        if (!cwmp_same_hole(same, CWMP_SAME_TYPE, *from, tag.atts[0].value)) {
            return 0;
        }

        *from = tag.atts[0].value + tag.atts[0].value_len;
    }

    if (tag.closed) {
        return n;
    }

    if (!cwmp_same_hole(same, CWMP_SAME_TEXT, *from, p + n)) {
        return 0;
    }

    same->holes[same->nholes - 1].cell = cell;
    same->holes[same->nholes - 1].flags = arg->flags;

    *from = cwmp_plain_line(p + n, end);
    m = cwmp_plain_end_tag(tag.name, tag.len, *from, end);

    return (m > 0) ? (int) (*from + m - p) : 0;
}


/* without attributes, or with a type that is a word */

static int
cwmp_same_is_typed(const cwmp_plain_tag_t *tag)
{
    cwmp_at_t  name, end;

    if (tag->natts == 0) {
        return 1;
    }

    end = tag->atts[0].name + tag->atts[0].len;
    name = cwmp_same_local(tag->atts[0].name, end);

    return tag->natts == 1 && end - name == 4 && memcmp(name, "type", 4) == 0
           && tag->atts[0].value_len <= CWMP_SAME_TYPE_MAX
           && cwmp_same_word(tag->atts[0].value,
                             tag->atts[0].value + tag->atts[0].value_len)
              == tag->atts[0].value + tag->atts[0].value_len;
}


static const cwmp_arg_t *
cwmp_same_field(const cwmp_arg_t *fields, const cwmp_plain_tag_t *tag)
{
    size_t     len;
    cwmp_at_t  local;

    local = cwmp_same_local(tag->name, tag->name + tag->len);
    len = tag->name + tag->len - local;

    for ( /* void */ ; fields->name; fields++) {
        if (strlen(fields->name) == len
            && memcmp(fields->name, local, len) == 0)
        {
            return fields;
        }
    }

    return NULL;
}


static int
cwmp_same_hole(cwmp_same_t *same, cwmp_hole_t hole, cwmp_at_t from,
    cwmp_at_t to)
{
    size_t  n;

    n = to - from;

    if (same->nholes == CWMP_SAME_HOLES
        || n > CWMP_SAME_MARKUP - same->used)
    {
        return 0;
    }

    memcpy(same->markup + same->used, from, n);
    same->used += n;
    same->holes[same->nholes].markup = n;
    same->holes[same->nholes++].hole = hole;

    for ( /* void */ ; from < to; from++) {
        same->lines += (*from == '\n');
    }

    return 1;
}
