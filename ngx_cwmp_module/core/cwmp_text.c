
/*
 * The text of leaves: gathered in one buffer that a row's cells share and the
 * next row uses again, trimmed, and handed over as a row or copied to a fact.
 * What a message of any length needs of the arena therefore depends on its
 * longest row only.  It must not know where in a message it is.
 *
 * stdio.h is here for snprintf() only.
 */

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cwmp_walk.h"


#define cwmp_blank(c)                                                         \
    ((c) == ' ' || (c) == '\t' || cwmp_newline(c))

#define cwmp_newline(c)  ((c) == '\n' || (c) == '\r')


static const unsigned char *cwmp_text_mark(const unsigned char *p,
    const unsigned char *end);
static void cwmp_text_add(cwmp_envelope_t *e, const unsigned char *p,
    size_t n);
static size_t cwmp_text_cut(cwmp_envelope_t *e, const unsigned char *p);
static int cwmp_text_room(cwmp_envelope_t *e, size_t n);
static void cwmp_text_close_listed(cwmp_envelope_t *e, unsigned cell,
    const unsigned char *text, size_t len);
static void cwmp_text_trim(const cwmp_envelope_t *e, const cwmp_arg_t *arg,
    const unsigned char **text, size_t *len);
static void cwmp_text_root(unsigned char *text, size_t len);
static void cwmp_text_refuse(cwmp_envelope_t *e, const char *what,
    size_t max);


static unsigned char  cwmp_nothing[] = "";


/* the repair's marks are taken out again (cwmp_repair.h) */

void
cwmp_walk_text(cwmp_envelope_t *e, const unsigned char *p, size_t n)
{
    unsigned              code;
    const unsigned char  *mark, *end;

    if (e->nframes == 0 || e->frames[e->nframes - 1].in != CWMP_IN_LEAF) {
        return;
    }

    if (e->repair.marks == 0) {
        cwmp_text_add(e, p, n);
        return;
    }

    for (end = p + n; p < end && e->rc == CWMP_OK; p = mark + 3) {

        mark = cwmp_text_mark(p, end);

        if (mark > p) {
            e->leaf_repaired |= e->mark;
            e->mark = 0;
            cwmp_text_add(e, p, mark - p);
        }

        /* a refusal stops libxml2, which frees the bytes at once */

        if (mark == end || e->rc != CWMP_OK) {
            return;
        }

        code = mark[2] - 0x90;

        if (e->mark) {
            e->mark = 0;
            cwmp_text_add(e, mark, 3);

        } else if (code == 0) {
            e->mark = 1;

        } else {
            e->leaf_repaired = 1;
            cwmp_text_add(e, (const unsigned char *) (code == 1 ? "&" : "<"),
                          1);
        }
    }
}


/* the next mark of any kind, or end */

static const unsigned char *
cwmp_text_mark(const unsigned char *p, const unsigned char *end)
{
    while (end - p > 2) {
        p = memchr(p, 0xef, end - p - 2);

        if (p == NULL) {
            return end;
        }

        if (p[1] == 0xb7 && p[2] >= 0x90 && p[2] <= 0x92) {
            return p;
        }

        p++;
    }

    return end;
}


static void
cwmp_text_add(cwmp_envelope_t *e, const unsigned char *p, size_t n)
{
    if (n > e->max - (e->used - e->start)) {

        if (!(e->frames[e->nframes - 1].arg->flags & CWMP_CUT)) {
            cwmp_text_refuse(e, "element text", e->max);
            return;
        }

        n = cwmp_text_cut(e, p);
    }

    if (n > e->room - e->used && !cwmp_text_room(e, n)) {
        return;
    }

    memcpy(e->text + e->used, p, n);
    e->used += n;
}


/* how much of p is kept: to the last whole character, and no more after it */

static size_t
cwmp_text_cut(cwmp_envelope_t *e, const unsigned char *p)
{
    size_t  n;

    for (n = e->max - (e->used - e->start); n && (p[n] & 0xc0) == 0x80; n--) {
        /* void */
    }

    e->max = e->used - e->start + n;

    return n;
}


void
cwmp_text_close_leaf(cwmp_envelope_t *e, cwmp_frame_t *f)
{
    size_t                i, len;
    const unsigned char  *text;

    text = e->text ? e->text + e->start : cwmp_nothing;
    len = e->used - e->start;

    e->facts.repaired += e->leaf_repaired;
    e->facts.flagged |= (e->leaf_repaired && (f->to || f[-1].arg == f->arg));
    e->row_repaired |= e->leaf_repaired;

    if (f->to == &e->facts.id) {

        /* echoed as it came, unless there is nothing to see in it */

        for (i = 0; i < len && cwmp_blank(text[i]); i++) { /* void */ }

        cwmp_text_copy(e, f->to, text, i < len ? len : 0);
        return;
    }

    cwmp_text_trim(e, f->arg, &text, &len);

    if (f->to) {
        cwmp_text_copy(e, f->to, text, len);
        return;
    }

    if (f[-1].in == CWMP_IN_LIST) {
        cwmp_text_close_listed(e, f->index, text, len);
        return;
    }

    e->cells[f->index].start = len ? (size_t) (text - e->text) : 0;
    e->cells[f->index].len = len;

    if (len && (f->arg->flags & CWMP_NAME)) {
        cwmp_text_root(e->text + e->cells[f->index].start, len);
    }

    if (f->arg->type == CWMP_T_STRINGS) {
        cwmp_text_close_row(e, f->arg);
    }
}


/* a list in a row: its texts follow one another in the row's buffer */

void
cwmp_text_open_list(cwmp_envelope_t *e, unsigned cell)
{
    e->cells[cell].start = e->used;
    e->cells[cell].len = 0;
}


static void
cwmp_text_close_listed(cwmp_envelope_t *e, unsigned cell,
    const unsigned char *text, size_t len)
{
    e->used = e->start + len;

    if (e->used == e->room && !cwmp_text_room(e, 1)) {
        return;
    }

    if (len) {
        memmove(e->text + e->start, text, len);
    }

    e->text[e->used++] = '\0';
    e->cells[cell].len = e->used - e->cells[cell].start;
}


void
cwmp_text_close_row(cwmp_envelope_t *e, const cwmp_arg_t *arg)
{
    unsigned    i;
    cwmp_row_t  row;

    cwmp_text_empty_row(&row, arg);

    row.repaired = e->row_repaired;

    for (i = 0; i < CWMP_MAX_FIELDS; i++) {
        if (e->cells[i].len) {
            row.cells[i].len = e->cells[i].len;
            row.cells[i].data = e->text + e->cells[i].start;
        }
    }

    if (e->type_len) {
        row.type.data = e->type;
        row.type.len = e->type_len;
    }

    if (!cwmp_refs_row(e, &row)) {
        cwmp_text_hand_over(e, &row);
    }
}


void
cwmp_text_empty_row(cwmp_row_t *row, const cwmp_arg_t *arg)
{
    unsigned  i;

    static const cwmp_str_t  string = cwmp_string("string");
    static const cwmp_str_t  nothing = { 0, cwmp_nothing };

    row->arg = arg;
    row->type = string;
    row->repaired = 0;

    for (i = 0; i < CWMP_MAX_FIELDS; i++) {
        row->cells[i] = nothing;
    }
}


void
cwmp_text_hand_over(cwmp_envelope_t *e, const cwmp_row_t *row)
{
    cwmp_rc_t  rc;

    e->facts.rows++;

    if (e->row == NULL) {
        return;
    }

    rc = e->row(e->data, row);

    if (rc == CWMP_REFUSED) {
        cwmp_envelope_refuse(e, "refused a row of %s", row->arg->name);

    } else if (rc != CWMP_OK && e->rc == CWMP_OK) {
        cwmp_envelope_stop(e, CWMP_ERROR);
    }
}


/* the local name of xsi:type, whatever it is called and bound to */

void
cwmp_text_read_type(cwmp_envelope_t *e, const char **atts)
{
    size_t       len;
    const char  *type, *colon;

    for ( /* void */ ; atts[0]; atts += 2) {

        colon = strrchr(atts[0], ':');

        if (strcmp(colon ? colon + 1 : atts[0], "type") != 0
            || atts[1] == NULL)
        {
            continue;
        }

        colon = strrchr(atts[1], ':');
        type = colon ? colon + 1 : atts[1];
        type += strspn(type, " \t\r\n");
        len = strcspn(type, " \t\r\n");

        if (len > sizeof(e->type)) {
            len = sizeof(e->type);
        }

        memcpy(e->type, type, len);
        e->type_len = len;
        return;
    }
}


int
cwmp_text_copy(cwmp_envelope_t *e, cwmp_str_t *to, const void *p, size_t len)
{
    to->len = len;
    to->data = cwmp_nothing;

    if (len == 0) {
        return 1;
    }

    to->data = cwmp_alloc(e->arena, len);
    if (to->data == NULL) {
        to->len = 0;
        to->data = cwmp_nothing;
        cwmp_envelope_stop(e, CWMP_ERROR);
        return 0;
    }

    memcpy(to->data, p, len);

    return 1;
}


/* one long value and what comes with it fits a row; sixteen of them do not */

static int
cwmp_text_room(cwmp_envelope_t *e, size_t n)
{
    size_t          max, room;
    unsigned char  *text;

    max = 2 * e->limits.text + CWMP_SCALAR_TEXT;

    if (e->used + n > max) {
        cwmp_text_refuse(e, "one row", max);
        return 0;
    }

    for (room = e->room ? e->room : 512; room < e->used + n; room *= 2) {
        /* void */
    }

    room = (room < max) ? room : max;

    text = cwmp_alloc(e->arena, room);
    if (text == NULL) {
        cwmp_envelope_stop(e, CWMP_ERROR);
        return 0;
    }

    if (e->used) {
        memcpy(text, e->text, e->used);
    }

    e->text = text;
    e->room = room;

    return 1;
}


/* the type that the value has, said or not */

static int
cwmp_text_is_string(const cwmp_envelope_t *e)
{
    return e->type_len == 0
           || (e->type_len == sizeof("string") - 1
               && strncasecmp((const char *) e->type, "string", e->type_len)
                  == 0);
}


/* is it said to be a number, a time or the like, by whatever name? */

static int
cwmp_text_is_literal(const cwmp_envelope_t *e)
{
    size_t  i, n;

    static const char  *names[] = {
        "bool", "int", "uint", "unsigned", "long", "short", "byte", "decimal",
        "float", "double", "date", "base64", "hex"
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        n = strlen(names[i]);

        if (e->type_len >= n
            && strncasecmp((const char *) e->type, names[i], n) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/*
 * Blanks are part of a string unless they are indentation, which shows by its
 * line breaks; they are never part of a name, a number or a time.  A line
 * break at the very end of a string value, with none before the value, belongs
 * to it: devices report logs and lines of files so.
 */

static void
cwmp_text_trim(const cwmp_envelope_t *e, const cwmp_arg_t *arg,
    const unsigned char **text, size_t *len)
{
    int                   newline, indent;
    const unsigned char  *p, *last;

    newline = 0;
    p = *text;
    last = p + *len;

    if (p == last || !(cwmp_blank(*p) || cwmp_blank(last[-1]))) {
        return;
    }

    for ( /* void */ ; p < last && cwmp_blank(*p); p++) {
        newline |= cwmp_newline(*p);
    }

    indent = (arg->type != CWMP_T_VALUE || !cwmp_text_is_string(e));

    for ( /* void */ ; p < last && cwmp_blank(last[-1]); last--) {

        if (cwmp_newline(last[-1])) {
            newline |= indent;

        } else {
            indent = 1;
        }
    }

    if (newline || (arg->flags & CWMP_TRIM)
        || (arg->type > CWMP_T_STRING && arg->type < CWMP_T_VALUE)
        || (arg->type == CWMP_T_VALUE && cwmp_text_is_literal(e)))
    {
        *text = p;
        *len = last - p;
    }
}


/* some devices report "InternetGateWayDevice." now and then (D48) */

static void
cwmp_text_root(unsigned char *text, size_t len)
{
    size_t  i, j, n;

    static const char  *roots[] = { "InternetGatewayDevice.", "Device." };

    for (i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
        n = strlen(roots[i]);

        for (j = 0; j < n && j < len
                    && (text[j] | 0x20) == (roots[i][j] | 0x20); j++)
        {
            /* void */
        }

        if (j == n) {
            memcpy(text, roots[i], n);
            return;
        }
    }
}


/* "... in ParameterList[3].Value" */

static void
cwmp_text_refuse(cwmp_envelope_t *e, const char *what, size_t max)
{
    int            n;
    char           path[120];
    size_t         len;
    unsigned       i;
    cwmp_frame_t  *f;

    path[0] = '\0';
    i = (e->frames[1].in == CWMP_IN_HEADER) ? 2 : 3;

    for (len = 0; i < e->nframes && len < sizeof(path); i++) {
        f = &e->frames[i];

        if (f[-1].in == CWMP_IN_ARRAY) {
            n = snprintf(path + len, sizeof(path) - len, "[%u]", f[-1].index);

        } else {
            n = snprintf(path + len, sizeof(path) - len, "%s%s",
                         len ? "." : "", f->name);
        }

        len += n;
    }

    cwmp_envelope_refuse(e, "%s over %zu bytes in %s", what, max, path);
}
