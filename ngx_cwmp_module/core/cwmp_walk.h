/*
 * Inside of an envelope: what cwmp_envelope.c (bytes, libxml2), cwmp_walk.c
 * (elements), cwmp_header.c (header blocks), cwmp_ns.c (namespaces),
 * cwmp_text.c (leaves, rows), cwmp_plain.c (what needs no parser), cwmp_same.c
 * (rows that look the same), cwmp_refs.c (references) and cwmp_facts.c (what
 * was read) share.  Nobody else includes it.
 */

#ifndef CWMP_WALK_H
#define CWMP_WALK_H

#include <libxml/parser.h>

#include "cwmp_envelope.h"
#include "cwmp_guard.h"
#include "cwmp_plain.h"
#include "cwmp_repair.h"
#include "cwmp_same.h"

#define CWMP_FRAMES      12         /* elements that mean something to us are
                                       never nested deeper */
#define CWMP_PREFIXES    8          /* declarations of CWMP's namespace */
#define CWMP_STAGE       1024
#define CWMP_REASON      200
#define CWMP_SCALAR_TEXT 8192       /* TR-069's longest scalar has 1024 */


enum {
    CWMP_IN_ENVELOPE = 0,
    CWMP_IN_HEADER,
    CWMP_IN_BODY,
    CWMP_IN_FAULT,
    CWMP_IN_ARGS,
    CWMP_IN_ARRAY,
    CWMP_IN_ROW,
    CWMP_IN_STRUCT,                 /* a struct in a row: its cells */
    CWMP_IN_LIST,                   /* texts in a row: one cell */
    CWMP_IN_LEAF
};


/* one open element, and how to take what is inside it */

typedef struct {
    unsigned           in;          /* CWMP_IN_* */
    unsigned           index;       /* of the first leaf or cell, or of the
                                       cell; items so far for an array */
    const char        *name;        /* local; there while it is open */
    const cwmp_arg_t  *arg;         /* of this element */
    const cwmp_arg_t  *args;        /* of its children */
    cwmp_str_t        *to;          /* LEAF: where the text goes; NULL: cell */
} cwmp_frame_t;


typedef struct cwmp_refs_s  cwmp_refs_t;


struct cwmp_envelope_s {
    cwmp_rc_t          rc;          /* the first that is not CWMP_OK stands */
    cwmp_arena_t      *arena;
    cwmp_limits_t      limits;
    cwmp_row_pt        row;
    void              *data;
    xmlParserCtxtPtr   ctxt;        /* NULL before the first byte of XML */
    cwmp_charset_t     charset;     /* of the bytes, by HTTP or by XML */
    cwmp_decode_t     *decode;      /* NULL: they need none */
    cwmp_facts_t       facts;

    size_t             bytes;       /* seen so far */
    unsigned           bom;         /* bytes of it seen */
    unsigned           started:1;   /* past what is trimmed in front */
    unsigned           erring:1;    /* inside of libxml2's error handler */
    unsigned           declared:1;  /* past where an XML declaration may be */
    unsigned           done:1;      /* the root element was closed */
    unsigned           ending:1;    /* no more bytes will come */
    unsigned           body:1;
    unsigned           message:1;
    unsigned           mark:1;      /* CWMP_MARK was seen: what is next? */
    unsigned           leaf_repaired:1;
    unsigned           row_repaired:1;
    unsigned           row_known:1; /* it has one of its cells */

    unsigned           depth;       /* open elements */
    unsigned           skip;        /* of which inside a skipped one */
    unsigned           nframes;
    const char       **atts;        /* of the element that opens; or NULL */
    cwmp_frame_t       frames[CWMP_FRAMES];
    cwmp_refs_t       *refs;        /* NULL: nothing is referred to */

    const cwmp_arg_t  *args;        /* of the message */
    cwmp_str_t        *values;      /* its scalar leaves */
    unsigned           nvalues;
    cwmp_str_t         session_timeout;
    cwmp_str_t         faultstring;

    unsigned           replayed;    /* tags that libxml2 is told once more */
    unsigned           nprefixes;
    struct {
        cwmp_str_t     prefix;
        cwmp_ns_t      ns;
    } prefixes[CWMP_PREFIXES];

    unsigned char     *text;        /* of the row, or of the scalar */
    size_t             room;
    size_t             used;
    size_t             start;       /* of the open leaf */
    size_t             max;         /* bytes of the open leaf */
    struct {
        size_t         start;
        size_t         len;
    } cells[CWMP_MAX_FIELDS];
    size_t             type_len;
    unsigned char      type[64];

    size_t             staged;
    size_t             gather;      /* small pieces, up to this: CWMP_STAGE */
    unsigned char      stage[CWMP_STAGE];
    cwmp_repair_t      repair;
    cwmp_guard_t       guard;
    cwmp_plain_t       plain;
    cwmp_same_t        same;
    char               reason[CWMP_REASON + 1];
};


void cwmp_walk_open(cwmp_envelope_t *e, const char *name, const char **atts);
void cwmp_walk_close(cwmp_envelope_t *e);
void cwmp_walk_text(cwmp_envelope_t *e, const unsigned char *p, size_t n);
void cwmp_walk_end(cwmp_envelope_t *e);

/* NULL: too many frames, it is skipped */
cwmp_frame_t *cwmp_walk_leaf(cwmp_envelope_t *e, const char *name,
    const cwmp_arg_t *arg, cwmp_str_t *to, size_t max);
const char *cwmp_walk_local(const char *name);
cwmp_frame_t *cwmp_push(cwmp_envelope_t *e, unsigned in, const char *name,
    const cwmp_arg_t *arg);
void cwmp_push_row(cwmp_envelope_t *e, const char *name,
    const cwmp_arg_t *arg);

void cwmp_refs_note(cwmp_envelope_t *e, const cwmp_frame_t *parent);
int cwmp_refs_open(cwmp_envelope_t *e, const char *name);
int cwmp_refs_row(cwmp_envelope_t *e, const cwmp_row_t *row);
void cwmp_refs_new_row(cwmp_envelope_t *e);
void cwmp_refs_end(cwmp_envelope_t *e);

unsigned cwmp_leaves(const cwmp_arg_t *args, const cwmp_arg_t *end);

void cwmp_header_open(cwmp_envelope_t *e, const char *name);

void cwmp_ns_declared(cwmp_envelope_t *e, const char **atts);
void cwmp_ns_choose(cwmp_envelope_t *e, const char *name);

void cwmp_text_close_leaf(cwmp_envelope_t *e, cwmp_frame_t *f);
void cwmp_text_close_row(cwmp_envelope_t *e, const cwmp_arg_t *arg);
void cwmp_text_empty_row(cwmp_row_t *row, const cwmp_arg_t *arg);
void cwmp_text_hand_over(cwmp_envelope_t *e, const cwmp_row_t *row);
void cwmp_text_open_list(cwmp_envelope_t *e, unsigned cell);
void cwmp_text_read_type(cwmp_envelope_t *e, const char **atts);
int cwmp_text_copy(cwmp_envelope_t *e, cwmp_str_t *to, const void *p,
    size_t len);

/* how many of the bytes were taken */
size_t cwmp_plain_read(cwmp_envelope_t *e, const unsigned char *p, size_t n);
size_t cwmp_same_rows(cwmp_envelope_t *e, const unsigned char *p, size_t n);

/* how many are libxml2's before it may stand between two rows */
size_t cwmp_same_until(cwmp_envelope_t *e, const unsigned char *p, size_t n);

/* stops the parse; rc is not CWMP_OK */
void cwmp_envelope_stop(cwmp_envelope_t *e, cwmp_rc_t rc);

#endif
