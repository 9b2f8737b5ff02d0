/*
 * JSON is appended to one growing buffer of the arena: an answer is written
 * once, in the order in which it comes, and never looked at again, which a
 * tree of objects would only slow down.  Must not know nginx or Redis.
 */

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cwmp_sensitive.h"
#include "cwmp_value.h"
#include "cwmp_result.h"


static unsigned char *cwmp_json_grow(cwmp_result_t *r, size_t n);
static void cwmp_json_string(cwmp_result_t *r, const cwmp_str_t *s);
static void cwmp_json_leaf(cwmp_result_t *r, cwmp_type_t type,
    const cwmp_str_t *s);


#define cwmp_json_literal(r, s)  cwmp_json_add(r, s, sizeof(s) - 1)

/* what JSON, or a terminal, would not take as it is */

static const unsigned char  cwmp_json_escaped[256] = {
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    ['"'] = 1, ['\\'] = 1, [0x7f] = 1
};


void
cwmp_result_init(cwmp_result_t *result, cwmp_arena_t *arena)
{
    memset(result, 0, sizeof(cwmp_result_t));
    result->arena = arena;
}


/* room for n bytes; NULL: they are not wanted, or there is no memory */

static inline unsigned char *
cwmp_json_room(cwmp_result_t *r, size_t n)
{
    return (n <= r->size - r->len) ? r->data + r->len : cwmp_json_grow(r, n);
}


static unsigned char *
cwmp_json_grow(cwmp_result_t *r, size_t n)
{
    size_t          size;
    unsigned char  *data;

    /* of a row that is going to be taken back no more is gathered */

    if (r->failed || (r->list && r->len > CWMP_RESULT_MAX)) {
        return NULL;
    }

    /* what it grows out of stays in the arena: few steps */

    size = r->size ? 4 * r->size : 512;
    while (size < r->len + n) {
        size *= 2;
    }

    data = cwmp_alloc(r->arena, size);
    if (data == NULL) {
        r->failed = 1;
        return NULL;
    }

    if (r->len) {
        memcpy(data, r->data, r->len);
    }

    r->data = data;
    r->size = size;

    return data + r->len;
}


/* inline: a text whose length is known is stored without a call */

static inline void
cwmp_json_add(cwmp_result_t *r, const void *p, size_t n)
{
    unsigned char  *to;

    to = cwmp_json_room(r, n);

    if (to && n) {
        memcpy(to, p, n);
        r->len += n;
    }
}


/*
 * Eight bytes at once: is one of them below 0x20, '"', '\\' or 0x7f?  (It says
 * so of a byte above 0x7f now and then, too.)
 */

static inline int
cwmp_json_any_escaped(const unsigned char *p)
{
    uint64_t  w, found;

    static const uint64_t  ones = 0x0101010101010101, tops = 0x8080808080808080;

    memcpy(&w, p, 8);

    found = (w - ones * 0x20) | ((w ^ ones * '"') - ones)
            | ((w ^ ones * '\\') - ones) | ((w ^ ones * 0x7f) - ones);

    return (found & tops) != 0;
}


/* how many of its bytes stand for themselves with a '\\' only */

static size_t
cwmp_json_escapes(const unsigned char *p, size_t len)
{
    size_t  i, n;

    for (i = 0; i + 8 <= len && !cwmp_json_any_escaped(p + i); i += 8) {
        /* void */
    }

    if (len >= 8 && i + 8 > len && !cwmp_json_any_escaped(p + len - 8)) {
        return 0;
    }

    for (n = 0; i < len; i++) {
        n += cwmp_json_escaped[p[i]];
    }

    return n;
}


/* the text is valid UTF-8: the parser saw to that */

static void
cwmp_json_string(cwmp_result_t *r, const cwmp_str_t *s)
{
    size_t          i, len, more;
    unsigned char   ch, *p, *to;

    static const char  hex[] = "0123456789abcdef";

    /* of a row: a longer one is taken back */

    len = (r->list && s->len > CWMP_RESULT_MAX) ? CWMP_RESULT_MAX : s->len;

    more = cwmp_json_escapes(s->data, len);

    to = cwmp_json_room(r, len + 5 * more + 2);
    if (to == NULL) {
        return;
    }

    p = to;
    *p++ = '"';

    if (more == 0 && len) {
        memcpy(p, s->data, len);
        p += len;
    }

    for (i = 0; more && i < len; i++) {
        ch = s->data[i];

        if (!cwmp_json_escaped[ch]) {
            *p++ = ch;
            continue;
        }

        *p++ = '\\';

        if (ch == '"' || ch == '\\') {
            *p++ = ch;
            continue;
        }

        memcpy(p, "u00", 3);
        p[3] = hex[ch >> 4];
        p[4] = hex[ch & 15];
        p += 5;
    }

    *p++ = '"';
    r->len += p - to;
}


/* the same, without the users of URLs in it */

static void
cwmp_json_text(cwmp_result_t *r, const cwmp_str_t *s)
{
    size_t           from, len, n, hidden = sizeof(CWMP_HIDDEN) - 1;
    cwmp_str_t       text, rest = *s;
    unsigned char   *p;

    for (n = 0; cwmp_sensitive_url(&rest, &from, &len); n++) {
        rest.data += from + len;
        rest.len -= from + len;
    }

    if (n == 0) {
        cwmp_json_string(r, s);
        return;
    }

    p = cwmp_alloc(r->arena, s->len + n * hidden);

    if (p == NULL) {
        r->failed = 1;
        return;
    }

    text.data = p;
    rest = *s;

    while (cwmp_sensitive_url(&rest, &from, &len)) {
        memcpy(p, rest.data, from);
        memcpy(p + from, CWMP_HIDDEN, hidden);
        p += from + hidden;
        rest.data += from + len;
        rest.len -= from + len;
    }

    memcpy(p, rest.data, rest.len);
    text.len = p + rest.len - text.data;

    cwmp_json_string(r, &text);
}


static void
cwmp_json_name(cwmp_result_t *r, const char *name)
{
    size_t          len;
    unsigned char  *p;

    len = strlen(name);
    p = cwmp_json_room(r, len + 3);

    if (p) {
        p[0] = '"';
        memcpy(p + 1, name, len);
        memcpy(p + 1 + len, "\":", 2);
        r->len += len + 3;
    }
}


/*
 * Is it a number as JSON spells one, and of at most 64 bits?  (In the field:
 * leading zeros, signs, blanks, counters that ran over.)
 */

static int
cwmp_json_is_number(const cwmp_str_t *s)
{
    size_t  i;

    i = (s->len && s->data[0] == '-') ? 1 : 0;

    if (s->len == i || s->len > i + 19
        || (s->len == i + 19
            && memcmp(s->data + i, "9223372036854775807", 19) > 0)
        || (s->data[i] == '0' && s->len > i + 1)) {
        return 0;
    }

    for ( /* void */ ; i < s->len; i++) {
        if (s->data[i] < '0' || s->data[i] > '9') {
            return 0;
        }
    }

    return 1;
}


static void
cwmp_json_leaf(cwmp_result_t *r, cwmp_type_t type, const cwmp_str_t *s)
{
    size_t  i;

    static const char  *words[] = {
        "0", "1", "no", "yes", "off", "on", "false", "true"
    };

    if (type == CWMP_T_BOOLEAN) {

        if (s->len == 0) {              /* some leave it out */
            cwmp_json_literal(r, "false");
            return;
        }

        for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
            if (s->len == strlen(words[i])
                && strncasecmp((char *) s->data, words[i], s->len) == 0)
            {
                cwmp_json_add(r, words[6 + i % 2], strlen(words[6 + i % 2]));
                return;
            }
        }
    }

    if ((type == CWMP_T_INT || type == CWMP_T_UINT) && cwmp_json_is_number(s)) {
        cwmp_json_add(r, s->data, s->len);
        return;
    }

    cwmp_json_text(r, s);
}


static void
cwmp_result_value_type(cwmp_result_t *r, const cwmp_row_t *row)
{
    const char  *name;

    name = cwmp_value_type_name(cwmp_value_type(row->type.data,
                                                row->type.len));

    if (name == NULL) {
        name = "anySimpleType";         /* none of TR-069's */
    }

    cwmp_json_literal(r, ",\"Type\":\"xsd:");
    cwmp_json_add(r, name, strlen(name));
    cwmp_json_literal(r, "\"");
}


/* texts of a list inside of a row: each is followed by a NUL */

static void
cwmp_result_list(cwmp_result_t *r, const cwmp_str_t *cell)
{
    size_t      i, from;
    cwmp_str_t  text;

    cwmp_json_literal(r, "[");

    for (i = 0, from = 0; i < cell->len; i++) {

        if (cell->data[i] != '\0') {
            continue;
        }

        if (from) {
            cwmp_json_literal(r, ",");
        }

        text.data = cell->data + from;
        text.len = i - from;
        cwmp_json_string(r, &text);
        from = i + 1;
    }

    cwmp_json_literal(r, "]");
}


static void
cwmp_result_struct(cwmp_result_t *r, const cwmp_row_t *row,
    const cwmp_arg_t *fields, const cwmp_str_t *cell)
{
    int                first, top;
    const cwmp_arg_t  *field = fields;

    top = (field == row->arg->fields);

    cwmp_json_literal(r, "{");

    for (first = 1; field->name; field++) {

        if ((field->flags & CWMP_OPTIONAL) && cell->len == 0) {
            cell++;
            continue;
        }

        if (!first) {
            cwmp_json_literal(r, ",");
        }

        first = 0;
        cwmp_json_name(r, field->name);

        if (field->type == CWMP_T_STRUCT) {
            cwmp_result_struct(r, row, field->fields, cell);
            cell += cwmp_cells(field->fields, NULL);
            continue;
        }

        if (field->type == CWMP_T_STRINGS) {
            cwmp_result_list(r, cell);

        } else if (field > fields && field->type == CWMP_T_STRING && cell->len
                   && strcmp(field[-1].name, "Name") == 0
                   && cwmp_sensitive_name(&cell[-1]))
        {
            cwmp_json_literal(r, "\"" CWMP_HIDDEN "\"");

        } else {
            cwmp_json_leaf(r, field->type, cell);
        }

        if (field->type == CWMP_T_VALUE) {
            cwmp_result_value_type(r, row);
        }

        cell++;
    }

    if (row->repaired && top) {
        cwmp_json_literal(r, ",\"repaired\":true");
    }

    cwmp_json_literal(r, "}");
}


/* a FaultCode; -1: there is none that can be read */

static long
cwmp_result_code(const cwmp_str_t *text)
{
    long    code;
    size_t  i;

    for (i = 0, code = 0; i < text->len && i < 9; i++) {

        if (text->data[i] < '0' || text->data[i] > '9') {
            return -1;
        }

        code = code * 10 + (text->data[i] - '0');
    }

    return (i && i == text->len) ? code : -1;
}


static int
cwmp_result_is(const cwmp_str_t *text, const char *word)
{
    return text->len == strlen(word)
           && memcmp(text->data, word, text->len) == 0;
}


/*
 * DUStateChangeComplete: each of its results has a fault of its own.  Without
 * a code its CurrentState tells; and one that has failed, whatever its code.
 */

static void
cwmp_result_fault(cwmp_result_t *r, const cwmp_row_t *row)
{
    long               code;
    size_t             cell;
    const cwmp_str_t  *state, *text;
    const cwmp_arg_t  *field;

    state = NULL;
    text = NULL;

    for (field = row->arg->fields; field && field->name; field++) {
        cell = cwmp_cells(row->arg->fields, field);

        if (strcmp(field->name, "CurrentState") == 0) {
            state = &row->cells[cell];

        } else if (field->type == CWMP_T_STRUCT
                   && strcmp(field->fields->name, "FaultCode") == 0)
        {
            text = &row->cells[cell];
        }
    }

    if (text == NULL || r->fault) {
        return;
    }

    code = cwmp_result_code(text);

    if (code > 0) {
        r->fault = (unsigned) code;

    } else if (cwmp_result_is(state, "Failed")
               || (code < 0 && (text->len
                                || !(cwmp_result_is(state, "Installed")
                                     || cwmp_result_is(state, "Uninstalled")))))
    {
        r->fault = 9002;
        r->why = "a result without success has no FaultCode: taken as 9002";
    }
}


/* of the whole, once it is there; TransferComplete has its code on top */

static void
cwmp_result_outcome(cwmp_result_t *r, const cwmp_envelope_t *e,
    const cwmp_arg_t *arg)
{
    long  code;

    for ( /* void */ ; arg->name; arg++) {

        if (strcmp(arg->name, "FaultStruct") == 0) {
            code = cwmp_result_code(cwmp_envelope_value(e, "FaultStruct."
                                                           "FaultCode"));
            r->fault = (code < 0) ? 9002 : (unsigned) code;
            r->why = (code < 0) ? "FaultStruct has no FaultCode: taken as 9002"
                                : NULL;

        } else if (strcmp(arg->name, "Results") == 0 && r->rows == 0) {
            r->fault = 9002;
            r->why = "it has no Results: taken as 9002";
        }
    }
}


cwmp_rc_t
cwmp_result_row(cwmp_result_t *r, const cwmp_row_t *row)
{
    size_t  before;

    if (r->list == NULL) {
        r->list = row->arg;
    }

    if (r->list != row->arg) {
        return CWMP_OK;
    }

    r->rows++;
    cwmp_result_fault(r, row);

    if (r->cut) {
        r->repaired |= row->repaired;
        return CWMP_OK;
    }

    before = r->len;

    if (r->len) {
        cwmp_json_literal(r, ",");
    }

    if (row->arg->type == CWMP_T_STRINGS) {
        cwmp_json_string(r, &row->cells[0]);

    } else {
        cwmp_result_struct(r, row, row->arg->fields, row->cells);
    }

    /* the one that does not fit is taken back */

    if (r->len > CWMP_RESULT_MAX) {
        r->len = before;
        r->cut = 1;
        r->repaired |= row->repaired;
    }

    return r->failed ? CWMP_ERROR : CWMP_OK;
}


static void
cwmp_json_list(cwmp_result_t *r, const cwmp_result_t *rows,
    const cwmp_arg_t *arg)
{
    char  count[32];

    cwmp_json_literal(r, "[");

    if (rows->list == arg) {
        cwmp_json_add(r, rows->data, rows->len);
    }

    cwmp_json_literal(r, "]");

    if (rows->list == arg && rows->cut) {
        snprintf(count, sizeof(count), ",\"count\":%zu", rows->rows);
        cwmp_json_add(r, count, strlen(count));
        cwmp_json_literal(r, ",\"truncated\":true");
    }
}


/* the members of an argument list; rows were gathered before, apart */

static void
cwmp_json_members(cwmp_result_t *r, const cwmp_result_t *rows,
    const cwmp_envelope_t *e, const cwmp_arg_t *arg, const char *path)
{
    char  full[128];

    cwmp_json_literal(r, "{");

    for ( /* void */ ; arg->name && !r->failed; arg++) {

        if (r->data[r->len - 1] != '{') {
            cwmp_json_literal(r, ",");
        }

        snprintf(full, sizeof(full), "%s%s%s", path, *path ? "." : "",
                 arg->name);

        cwmp_json_name(r, arg->name);

        if (arg->type == CWMP_T_STRUCT) {
            cwmp_json_members(r, rows, e, arg->fields, full);

        } else if (arg->type >= CWMP_T_STRINGS) {
            cwmp_json_list(r, rows, arg);

        } else {
            cwmp_json_leaf(r, arg->type, cwmp_envelope_value(e, full));
        }
    }

    cwmp_json_literal(r, "}");
}


/* members more of the object that was just written */

static void
cwmp_json_more(cwmp_result_t *r, const char *why, int repaired)
{
    cwmp_str_t  text;

    if (r->failed) {
        return;
    }

    r->len--;

    if (why) {
        text.data = (unsigned char *) why;
        text.len = strlen(why);

        cwmp_json_literal(r, ",");
        cwmp_json_name(r, "reason");
        cwmp_json_string(r, &text);
    }

    if (repaired) {
        cwmp_json_literal(r, ",\"repaired\":true");
    }

    cwmp_json_literal(r, "}");
}


static void
cwmp_json_fault(cwmp_result_t *r, const cwmp_result_t *rows,
    const cwmp_facts_t *facts)
{
    char  code[32];

    snprintf(code, sizeof(code), "{\"FaultCode\":%u", facts->fault_code);
    cwmp_json_add(r, code, strlen(code));
    cwmp_json_literal(r, ",\"FaultString\":");
    cwmp_json_text(r, &facts->fault_text);

    if (rows->list) {
        cwmp_json_literal(r, ",");
        cwmp_json_name(r, rows->list->name);
        cwmp_json_list(r, rows, rows->list);
    }

    cwmp_json_literal(r, "}");
}


cwmp_rc_t
cwmp_result_json(cwmp_result_t *rows, const cwmp_envelope_t *e,
    cwmp_str_t *json)
{
    cwmp_result_t        r;
    const cwmp_facts_t  *facts;

    facts = cwmp_envelope_facts(e);
    cwmp_result_init(&r, rows->arena);

    if (facts->kind == CWMP_FAULT) {
        cwmp_json_fault(&r, rows, facts);

    } else if (facts->rpc && facts->kind == CWMP_RESPONSE) {
        cwmp_json_members(&r, rows, e, facts->rpc->response, "");

    } else if (facts->rpc) {
        cwmp_result_outcome(rows, e, facts->rpc->request);
        cwmp_json_members(&r, rows, e, facts->rpc->request, "");

    } else {
        cwmp_json_literal(&r, "{}");
    }

    if (facts->flagged || rows->repaired || rows->why) {
        cwmp_json_more(&r, rows->why, facts->flagged || rows->repaired);
    }

    if (r.failed || rows->failed) {
        return CWMP_ERROR;
    }

    json->data = r.data;
    json->len = r.len;

    return CWMP_OK;
}
