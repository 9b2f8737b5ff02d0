
/*
 * From elements to facts.  Each open element that means something has a frame
 * that says how to take its children: Envelope's parts, header blocks, the one
 * message, an argument list, an array's items, a leaf's text.  What a frame
 * does not know is skipped with all below it, names are matched without their
 * prefix, and order does not matter: CPEs get all of that wrong.  What the
 * lists look like is data (cwmp_rpc.c); this file only walks it.
 */

#include <string.h>

#include "cwmp_walk.h"


#define CWMP_METHOD_TEXT  128


static void cwmp_open_root(cwmp_envelope_t *e, const char *name);
static void cwmp_open_part(cwmp_envelope_t *e, const char *name);
static void cwmp_open_message(cwmp_envelope_t *e, const char *name);
static void cwmp_open_fault(cwmp_envelope_t *e, const char *name);
static void cwmp_open_arg(cwmp_envelope_t *e, const char *name);
static void cwmp_open_item(cwmp_envelope_t *e, const char *name);
static void cwmp_open_cell(cwmp_envelope_t *e, const char *name);
static int cwmp_open_wrapped(cwmp_envelope_t *e, const char *name);
static void cwmp_open_listed(cwmp_envelope_t *e, const char *name);
static void cwmp_open_nothing(cwmp_envelope_t *e, const char *name);

static const cwmp_arg_t *cwmp_arg_find(const cwmp_arg_t *args,
    const char *name);


typedef void (*cwmp_open_pt)(cwmp_envelope_t *e, const char *name);

/* by what we are in */

static const cwmp_open_pt  cwmp_open[] = {
    cwmp_open_part,
    cwmp_header_open,
    cwmp_open_message,
    cwmp_open_fault,
    cwmp_open_arg,
    cwmp_open_item,
    cwmp_open_cell,
    cwmp_open_cell,
    cwmp_open_listed,
    cwmp_open_nothing
};


static const cwmp_arg_t  cwmp_no_args[] = {
    { NULL, CWMP_T_STRING, 0, 0, NULL, NULL, NULL, NULL }
};


void
cwmp_walk_open(cwmp_envelope_t *e, const char *name, const char **atts)
{
    unsigned       n;
    cwmp_frame_t  *f;

    if (++e->depth > e->limits.depth) {
        cwmp_envelope_refuse(e, "elements nested deeper than %u",
                             e->limits.depth);
        return;
    }

    if (e->skip) {
        e->skip++;
        return;
    }

    /* namespaces matter down to the message, to learn CWMP's version */

    if (e->nframes < 3 && atts) {
        cwmp_ns_declared(e, atts);
    }

    if (e->nframes == 0) {
        cwmp_open_root(e, name);
        return;
    }

    e->atts = atts;
    n = e->nframes;
    f = &e->frames[n - 1];

    cwmp_open[f->in](e, name);

    if (atts && e->nframes > n && f->in > CWMP_IN_FAULT) {
        cwmp_refs_note(e, f);
    }
}


void
cwmp_walk_close(cwmp_envelope_t *e)
{
    cwmp_frame_t  *f;

    e->depth--;

    if (e->skip) {
        e->skip--;
        return;
    }

    f = &e->frames[--e->nframes];

    if (f->in == CWMP_IN_LEAF) {
        cwmp_text_close_leaf(e, f);

    } else if (f->in == CWMP_IN_ROW && e->row_known) {
        cwmp_text_close_row(e, f->arg);
    }
}


static void
cwmp_open_root(cwmp_envelope_t *e, const char *name)
{
    if (strcmp(cwmp_walk_local(name), "Envelope") != 0) {
        cwmp_envelope_refuse(e, "root element is '%.64s', not Envelope",
                             cwmp_walk_local(name));
        return;
    }

    cwmp_push(e, CWMP_IN_ENVELOPE, name, NULL);
}


static void
cwmp_open_part(cwmp_envelope_t *e, const char *name)
{
    if (strcmp(cwmp_walk_local(name), "Header") == 0) {
        cwmp_push(e, CWMP_IN_HEADER, name, NULL);

    } else if (strcmp(cwmp_walk_local(name), "Body") == 0 && !e->body) {
        e->body = 1;
        cwmp_push(e, CWMP_IN_BODY, name, NULL);

    } else {
        e->skip = 1;
    }
}


static void
cwmp_open_message(cwmp_envelope_t *e, const char *name)
{
    size_t                len;
    unsigned              in;
    cwmp_frame_t         *f;
    const unsigned char  *method;

    if (e->message) {
        e->skip = !cwmp_refs_open(e, name);
        return;
    }

    e->message = 1;
    method = (const unsigned char *) cwmp_walk_local(name);
    len = strlen((const char *) method);

    if (len > CWMP_METHOD_TEXT) {
        cwmp_envelope_refuse(e, "method's name over %d bytes",
                             CWMP_METHOD_TEXT);
        return;
    }

    in = CWMP_IN_ARGS;
    e->args = cwmp_no_args;
    e->facts.kind = CWMP_REQUEST;
    e->facts.rpc = cwmp_rpc_find(method, len);

    if (e->facts.rpc) {
        e->args = e->facts.rpc->request;

    } else if (len == 5 && memcmp(method, "Fault", 5) == 0) {
        in = CWMP_IN_FAULT;
        e->args = cwmp_fault_detail;
        e->facts.kind = CWMP_FAULT;

    } else if (len > 8 && memcmp(method + len - 8, "Response", 8) == 0) {
        e->facts.kind = CWMP_RESPONSE;
        e->facts.rpc = cwmp_rpc_find(method, len - 8);

        if (e->facts.rpc) {
            e->args = e->facts.rpc->response;
        }
    }

    cwmp_ns_choose(e, name);

    e->nvalues = cwmp_leaves(e->args, NULL);

    if (e->nvalues) {
        e->values = cwmp_alloc(e->arena, e->nvalues * sizeof(cwmp_str_t));
        if (e->values == NULL) {
            cwmp_envelope_stop(e, CWMP_ERROR);
            return;
        }

        memset(e->values, 0, e->nvalues * sizeof(cwmp_str_t));
    }

    if (!cwmp_text_copy(e, &e->facts.method, method, len)) {
        return;
    }

    f = cwmp_push(e, in, name, NULL);
    f->args = e->args;
    f->index = 0;
}


/* <detail><cwmp:Fault>FaultCode ...; some send FaultCode further up */

static void
cwmp_open_fault(cwmp_envelope_t *e, const char *name)
{
    unsigned       in;
    cwmp_frame_t  *f;
    const char    *local;

    static const cwmp_arg_t  faultstring = {
        "faultstring", CWMP_T_STRING, 0, CWMP_CUT, NULL, NULL, NULL, NULL
    };

    local = cwmp_walk_local(name);

    if (strcmp(local, faultstring.name) == 0 && e->faultstring.data == NULL) {
        cwmp_walk_leaf(e, name, &faultstring, &e->faultstring,
                       CWMP_SCALAR_TEXT);
        return;
    }

    if (strcmp(local, "detail") == 0 || strcmp(local, "Detail") == 0) {
        in = CWMP_IN_FAULT;

    } else if (strcmp(local, "Fault") == 0) {
        in = CWMP_IN_ARGS;

    } else {
        cwmp_open_arg(e, name);
        return;
    }

    f = cwmp_push(e, in, name, NULL);

    if (f) {
        f->args = cwmp_fault_detail;
        f->index = 0;
    }
}


static void
cwmp_open_arg(cwmp_envelope_t *e, const char *name)
{
    unsigned           index;
    cwmp_frame_t      *f;
    const cwmp_arg_t  *arg, *args;

    f = &e->frames[e->nframes - 1];
    args = f->args;
    index = f->index;

    arg = cwmp_arg_find(args, cwmp_walk_local(name));
    if (arg == NULL) {
        e->skip = 1;
        return;
    }

    if (arg->flags & CWMP_REPEATED) {
        cwmp_push_row(e, name, arg);
        return;
    }

    index += cwmp_leaves(args, arg);

    if (arg->type == CWMP_T_STRUCT) {
        f = cwmp_push(e, CWMP_IN_ARGS, name, arg);
        if (f) {
            f->args = arg->fields;
            f->index = index;
        }

        return;
    }

    if (arg->type >= CWMP_T_STRINGS) {
        cwmp_push(e, CWMP_IN_ARRAY, name, arg);
        return;
    }

    /* the first one of its name counts: what we keep stays bounded */

    if (e->values[index].data) {
        e->skip = 1;
        return;
    }

    e->used = 0;
    cwmp_walk_leaf(e, name, arg, &e->values[index], CWMP_SCALAR_TEXT);
}


/*
 * Any child of an array is an item, since their names vary in the field; one
 * that turns out to have nothing of an item in it is none.
 */

static void
cwmp_open_item(cwmp_envelope_t *e, const char *name)
{
    cwmp_frame_t  *f = &e->frames[e->nframes - 1];

    f->index++;
    cwmp_push_row(e, name, f->arg);
}


static void
cwmp_open_cell(cwmp_envelope_t *e, const char *name)
{
    unsigned           cell;
    cwmp_frame_t      *f;
    const cwmp_arg_t  *arg;

    f = &e->frames[e->nframes - 1];
    arg = cwmp_arg_find(f->args, cwmp_walk_local(name));

    if (arg == NULL && cwmp_open_wrapped(e, name)) {
        return;
    }

    cell = f->index + cwmp_cells(f->args, arg);
    e->row_known |= (arg != NULL);

    /* here too the first one of its name counts */

    if (arg == NULL || arg->type > CWMP_T_STRUCT
        || (arg->type != CWMP_T_STRUCT && e->cells[cell].len))
    {
        e->skip = 1;
        return;
    }

    if (arg->type == CWMP_T_STRUCT || arg->type == CWMP_T_STRINGS) {

        f = cwmp_push(e, arg->type == CWMP_T_STRUCT ? CWMP_IN_STRUCT
                                                    : CWMP_IN_LIST, name, arg);
        if (f) {
            f->args = arg->fields;
            f->index = cell;
        }

        if (f && arg->type == CWMP_T_STRINGS) {
            cwmp_text_open_list(e, cell);
        }

        return;
    }

    if (arg->type == CWMP_T_VALUE && e->atts) {
        cwmp_text_read_type(e, e->atts);
    }

    f = cwmp_walk_leaf(e, name, arg, NULL, e->limits.text);

    if (f) {
        f->index = cell;
    }
}


/*
 * Some wrap a struct in an element of its type's name: Results are then an
 * array, and the Fault in one of them has a FaultStruct.
 */

static int
cwmp_open_wrapped(cwmp_envelope_t *e, const char *name)
{
    size_t         len;
    const char    *local;
    cwmp_frame_t  *f, *wrapped;

    local = cwmp_walk_local(name);
    len = strlen(local);

    if (len < 6 || strcmp(local + len - 6, "Struct") != 0) {
        return 0;
    }

    f = &e->frames[e->nframes - 1];

    if (f->in == CWMP_IN_STRUCT) {
        wrapped = cwmp_push(e, CWMP_IN_STRUCT, name, f->arg);

        if (wrapped) {
            wrapped->args = f->args;
            wrapped->index = f->index;
        }

        return 1;
    }

    if (!(f->arg->flags & CWMP_REPEATED) || e->used) {
        return 0;
    }

    f->in = CWMP_IN_ARRAY;
    cwmp_open_item(e, name);

    return 1;
}


/* as in any array, whatever its items are called */

static void
cwmp_open_listed(cwmp_envelope_t *e, const char *name)
{
    cwmp_frame_t  *f, *leaf;

    f = &e->frames[e->nframes - 1];
    leaf = cwmp_walk_leaf(e, name, f->arg, NULL, e->limits.text);

    if (leaf) {
        leaf->index = f->index;
    }
}


/* in a leaf; but some have a Fault's detail inside of its faultstring */

static void
cwmp_open_nothing(cwmp_envelope_t *e, const char *name)
{
    cwmp_frame_t  *f;

    f = &e->frames[e->nframes - 1];

    if (f->to != &e->faultstring) {

        /* in a value it was meant as text; elsewhere it may be an extension,
           to be ignored, if it does not stand in the middle of a text */

        e->leaf_repaired |= (f->arg->type == CWMP_T_VALUE
                             || e->used > e->start);
        e->skip = 1;
        return;
    }

    cwmp_text_close_leaf(e, f);

    f->in = CWMP_IN_FAULT;
    f->args = cwmp_fault_detail;

    cwmp_open_fault(e, name);
}


cwmp_frame_t *
cwmp_push(cwmp_envelope_t *e, unsigned in, const char *name,
    const cwmp_arg_t *arg)
{
    cwmp_frame_t  *f;

    if (e->nframes == CWMP_FRAMES) {
        e->skip = 1;
        return NULL;
    }

    f = &e->frames[e->nframes++];

    f->in = in;
    f->index = 0;
    f->name = cwmp_walk_local(name);
    f->arg = arg;
    f->args = NULL;
    f->to = NULL;

    return f;
}


void
cwmp_push_row(cwmp_envelope_t *e, const char *name, const cwmp_arg_t *arg)
{
    cwmp_frame_t  *f;

    e->used = 0;
    e->type_len = 0;
    e->row_repaired = 0;
    e->row_known = 0;
    memset(e->cells, 0, sizeof(e->cells));
    cwmp_refs_new_row(e);

    if (arg->type == CWMP_T_STRINGS) {
        cwmp_walk_leaf(e, name, arg, NULL, e->limits.text);
        return;
    }

    f = cwmp_push(e, CWMP_IN_ROW, name, arg);

    if (f) {
        f->args = arg->fields;
    }
}


cwmp_frame_t *
cwmp_walk_leaf(cwmp_envelope_t *e, const char *name, const cwmp_arg_t *arg,
    cwmp_str_t *to, size_t max)
{
    cwmp_frame_t  *f;

    f = cwmp_push(e, CWMP_IN_LEAF, name, arg);

    if (f == NULL) {
        return NULL;
    }

    if (to) {
        e->used = 0;
    }

    f->to = to;
    e->start = e->used;
    e->max = max;
    e->mark = 0;
    e->leaf_repaired = 0;

    return f;
}


/* a prefix that was not declared is still in the name */

const char *
cwmp_walk_local(const char *name)
{
    const char  *colon;

    colon = strrchr(name, ':');

    return colon ? colon + 1 : name;
}


static const cwmp_arg_t *
cwmp_arg_find(const cwmp_arg_t *args, const char *name)
{
    for ( /* void */ ; args->name; args++) {
        if (strcmp(args->name, name) == 0) {
            return args;
        }
    }

    return NULL;
}
