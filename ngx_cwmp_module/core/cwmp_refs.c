
/*
 * References of the SOAP encoding (SOAP 1.1, 5.4.1): an element that says
 * href="#id1" has its content in a later child of Body that says id="id1".
 * Old toolkits write a whole message so.  What the element would have been is
 * kept, and taken up again where its content comes; a row that lacks a cell is
 * held back until the end.  What never comes stays empty, and is counted.  All
 * of it is bounded: a CPE decides how many there are.
 */

#include <string.h>

#include "cwmp_walk.h"


#define CWMP_REFS        256
#define CWMP_REF_ID      32
#define CWMP_REFS_BYTES  262144     /* of rows that are held back */


/* a row that waits for a cell; the list is in the order they came */

typedef struct cwmp_held_s  cwmp_held_t;

struct cwmp_held_s {
    cwmp_row_t         row;
    cwmp_held_t       *next;
};


typedef struct {
    char               id[CWMP_REF_ID];
    size_t             len;         /* of the id; 0: it was resolved */
    cwmp_frame_t       frame;       /* what was about to be read */
    size_t             max;         /* of a leaf */
    unsigned           item:1;      /* of an array: a row by itself */
    cwmp_held_t       *held;        /* the row that the leaf is a cell of */
} cwmp_ref_t;


struct cwmp_refs_s {
    cwmp_ref_t         ref[CWMP_REFS];
    unsigned           n;
    size_t             bytes;
    cwmp_held_t       *row;         /* the one that is open now */
    cwmp_held_t       *first;
    cwmp_held_t      **last;
    cwmp_held_t       *filled;      /* had its last cell read */
};


static const char *cwmp_refs_attribute(const char **atts, const char *name);
static cwmp_ref_t *cwmp_refs_add(cwmp_envelope_t *e, const char *id);
static void cwmp_refs_hold(cwmp_envelope_t *e, cwmp_ref_t *ref);
static void cwmp_refs_let_go(cwmp_envelope_t *e, const cwmp_held_t *held);
static void cwmp_refs_take_up(cwmp_envelope_t *e, const char *name,
    cwmp_ref_t *ref);
static void cwmp_refs_filled(cwmp_envelope_t *e);


/*
 * The element whose frame was just pushed, below the frame "parent": has it
 * its content elsewhere?  Then it is skipped for now.
 */

void
cwmp_refs_note(cwmp_envelope_t *e, const cwmp_frame_t *parent)
{
    const char    *id;
    cwmp_ref_t    *ref;
    cwmp_frame_t  *f;

    id = cwmp_refs_attribute(e->atts, "href");

    if (id == NULL || *id++ != '#') {
        return;
    }

    f = &e->frames[--e->nframes];
    e->skip = 1;
    e->facts.unresolved++;

    /* a struct in a row, and what is in one, are not looked for */

    if (parent->in != CWMP_IN_ARGS && parent->in != CWMP_IN_ARRAY
        && (parent->in != CWMP_IN_ROW || f->in != CWMP_IN_LEAF))
    {
        return;
    }

    ref = cwmp_refs_add(e, id);
    if (ref == NULL) {
        return;
    }

    ref->frame = *f;
    ref->max = (e->max < CWMP_SCALAR_TEXT) ? e->max : CWMP_SCALAR_TEXT;
    ref->item = parent->in == CWMP_IN_ARRAY || f->in == CWMP_IN_ROW;

    if (parent->in == CWMP_IN_ROW) {
        cwmp_refs_hold(e, ref);
    }
}


/* a child of Body after the message: 1 when it is what was referred to */

int
cwmp_refs_open(cwmp_envelope_t *e, const char *name)
{
    size_t       len;
    unsigned     i;
    cwmp_ref_t  *ref;
    const char  *id;

    if (e->refs == NULL || e->atts == NULL) {
        return 0;
    }

    id = cwmp_refs_attribute(e->atts, "id");
    len = id ? strlen(id) : 0;

    for (i = 0; len && i < e->refs->n; i++) {
        ref = &e->refs->ref[i];

        if (ref->len == len && memcmp(ref->id, id, len) == 0) {
            cwmp_refs_take_up(e, name, ref);
            return 1;
        }
    }

    return 0;
}


/* a row that is about to be handed over: 1 when it has to wait */

int
cwmp_refs_row(cwmp_envelope_t *e, const cwmp_row_t *row)
{
    size_t        len;
    unsigned      i;
    cwmp_held_t  *held;

    if (e->refs == NULL || e->refs->row == NULL) {
        return 0;
    }

    held = e->refs->row;
    e->refs->row = NULL;

    for (i = 0, len = row->type.len; i < CWMP_MAX_FIELDS; i++) {
        len += row->cells[i].len;
    }

    if (len > CWMP_REFS_BYTES - e->refs->bytes) {
        cwmp_refs_let_go(e, held);
        return 0;
    }

    e->refs->bytes += len;
    held->row = *row;

    for (i = 0; i < CWMP_MAX_FIELDS; i++) {
        cwmp_text_copy(e, &held->row.cells[i], row->cells[i].data,
                       row->cells[i].len);
    }

    cwmp_text_copy(e, &held->row.type, row->type.data, row->type.len);

    *e->refs->last = held;
    e->refs->last = &held->next;

    return 1;
}


/* too much is held back: this row goes without its cells */

static void
cwmp_refs_let_go(cwmp_envelope_t *e, const cwmp_held_t *held)
{
    unsigned  i;

    for (i = 0; i < e->refs->n; i++) {
        if (e->refs->ref[i].held == held) {
            e->refs->ref[i].len = 0;
        }
    }
}


/* a new row begins: what a damaged one left behind is none of its */

void
cwmp_refs_new_row(cwmp_envelope_t *e)
{
    if (e->refs) {
        e->refs->row = NULL;
    }
}


/* no more will come: rows go as they are */

void
cwmp_refs_end(cwmp_envelope_t *e)
{
    cwmp_held_t  *held;

    if (e->refs == NULL) {
        return;
    }

    cwmp_refs_filled(e);

    for (held = e->refs->first; held && e->rc == CWMP_OK; held = held->next) {
        cwmp_text_hand_over(e, &held->row);
    }
}


static const char *
cwmp_refs_attribute(const char **atts, const char *name)
{
    for ( /* void */ ; atts[0]; atts += 2) {
        if (strcmp(atts[0], name) == 0) {
            return atts[1];
        }
    }

    return NULL;
}


static cwmp_ref_t *
cwmp_refs_add(cwmp_envelope_t *e, const char *id)
{
    size_t       len;
    cwmp_ref_t  *ref;

    len = strlen(id);

    if (len == 0 || len > CWMP_REF_ID
        || (e->refs && e->refs->n == CWMP_REFS))
    {
        return NULL;
    }

    if (e->refs == NULL) {
        e->refs = cwmp_alloc(e->arena, sizeof(cwmp_refs_t));
        if (e->refs == NULL) {
            cwmp_envelope_stop(e, CWMP_ERROR);
            return NULL;
        }

        memset(e->refs, 0, sizeof(cwmp_refs_t));
        e->refs->last = &e->refs->first;
    }

    ref = &e->refs->ref[e->refs->n++];

    memcpy(ref->id, id, len);
    ref->len = len;

    return ref;
}


/* the open row lacks a cell, and will be held back for it */

static void
cwmp_refs_hold(cwmp_envelope_t *e, cwmp_ref_t *ref)
{
    if (e->refs->row == NULL) {
        e->refs->row = cwmp_alloc(e->arena, sizeof(cwmp_held_t));
        if (e->refs->row == NULL) {
            cwmp_envelope_stop(e, CWMP_ERROR);
            return;
        }

        memset(e->refs->row, 0, sizeof(cwmp_held_t));
    }

    ref->held = e->refs->row;
    ref->frame.to = &ref->held->row.cells[ref->frame.index];
}


static void
cwmp_refs_take_up(cwmp_envelope_t *e, const char *name, cwmp_ref_t *ref)
{
    cwmp_frame_t  *f;

    ref->len = 0;
    e->facts.unresolved--;

    cwmp_refs_filled(e);

    if (ref->item) {
        cwmp_push_row(e, name, ref->frame.arg);
        return;
    }

    if (ref->frame.in != CWMP_IN_LEAF) {
        f = cwmp_push(e, ref->frame.in, name, ref->frame.arg);

        if (f) {
            f->args = ref->frame.args;
            f->index = ref->frame.index;
        }

        return;
    }

    cwmp_walk_leaf(e, name, ref->frame.arg, ref->frame.to, ref->max);

    if (ref->held) {
        e->row_repaired = 0;
        e->refs->filled = ref->held;
    }

    if (ref->held && ref->frame.arg->type == CWMP_T_VALUE) {
        e->type_len = 0;
        cwmp_text_read_type(e, e->atts);

        if (e->type_len) {
            cwmp_text_copy(e, &ref->held->row.type, e->type, e->type_len);
        }
    }
}


/* the cell that was read last may have been repaired */

static void
cwmp_refs_filled(cwmp_envelope_t *e)
{
    if (e->refs->filled) {
        e->refs->filled->row.repaired |= e->row_repaired;
        e->refs->filled = NULL;
    }
}
