/*
 * Values that a task sets.  A type comes from the task, else from what the
 * device last reported; it is never guessed: the state table has a read sent
 * before when one is missing.
 */

#include <string.h>

#include "cwmp_build.h"


static cwmp_rc_t cwmp_build_value(cwmp_build_t *b, const char *path,
    const char *name, json_t *v, int typed, const char *full,
    cwmp_node_t *node);


/* in the order of cwmp_value_type_t; the first is of a type that is none */
static const char  cwmp_letters[] = "asbiluUdtBh";


char
cwmp_type_letter(const cwmp_str_t *type)
{
    return cwmp_letters[type->len ? cwmp_value_type(type->data, type->len)
                                  : CWMP_V_STRING];
}


static cwmp_value_type_t
cwmp_letter_type(char letter)
{
    const char  *p;

    p = letter ? strchr(cwmp_letters + 1, letter) : NULL;

    return p ? (cwmp_value_type_t) (p - cwmp_letters) : CWMP_V_NONE;
}


const cwmp_known_t *
cwmp_build_find(cwmp_build_t *b, const char *name)
{
    json_t  *v;

    v = json_object_get(b->known, name);

    return v ? &b->order->known[json_integer_value(v) - 1] : NULL;
}


/* a parameter's name: full is its path, p says where it stands in the task */

static cwmp_rc_t
cwmp_build_name(cwmp_build_t *b, const char *p, const char *name,
    const char *full)
{
    cwmp_str_t  text;

    if (cwmp_check_name(b, p, name) != CWMP_OK) {
        return b->rc;
    }

    if (cwmp_build_canonical(b, CWMP_V_STRING, p, full, strlen(full), &text)
        != CWMP_OK)
    {
        return b->rc;
    }

    if (cwmp_characters(&text) > 256) {
        return cwmp_build_refuse(b, p, "is longer than 256 characters");
    }

    return CWMP_OK;
}


static cwmp_rc_t
cwmp_build_entry(cwmp_build_t *b, size_t index, const char *path,
    const char *prefix, const char *name, json_t *v, cwmp_node_t *node)
{
    char         *p, *full;
    cwmp_node_t   value, *row;

    p = cwmp_build_path(b, path, ".", name);
    full = cwmp_build_path(b, prefix, "", name);

    if (p == NULL || full == NULL
        || cwmp_build_name(b, p, name, full) != CWMP_OK)
    {
        return b->rc;
    }

    memset(&value, 0, sizeof(cwmp_node_t));

    if (cwmp_build_value(b, p, name, v, node != NULL,
                         index < b->to ? full : NULL, &value)
        != CWMP_OK)
    {
        return b->rc;
    }

    /* another part's: it was only looked at */

    if (index >= b->to) {
        return CWMP_OK;
    }

    if (node) {
        row = &node->items[node->nitems++];
        row->given = 1;
        row->nitems = 2;
        row->items = cwmp_build_nodes(b, 2);
        if (row->items == NULL) {
            return b->rc;
        }

        cwmp_node_text(&row->items[0], full);
        row->items[1] = value;
    }

    return cwmp_cut_value(b, index, full, &value.text);
}


/*
 * node NULL: only checks, as far as is possible while types are not known.
 * With the first part all of the list is checked, so that nothing of a task
 * that is wrong is sent.
 */

cwmp_rc_t
cwmp_build_values(cwmp_build_t *b, const char *path, json_t *list,
    const char *prefix, cwmp_node_t *node)
{
    size_t       i;
    json_t      *v;
    const char  *name;

    if (!json_is_object(list) || json_object_size(list) == 0) {
        return cwmp_build_refuse(b, path,
                                 "is not an object of names and values");
    }

    if (node) {
        node->given = 1;
        node->items = cwmp_build_nodes(b, json_object_size(list));
        if (node->items == NULL) {
            return b->rc;
        }
    }

    i = 0;

    json_object_foreach(list, name, v) {

        if (i >= b->from && (b->from == 0 || i < b->to)
            && cwmp_build_entry(b, i, path, prefix, name, v, node) != CWMP_OK)
        {
            return b->rc;
        }

        i++;
    }

    return CWMP_OK;
}


/* names of what is not as it was set, as many as a reason has room for */

static void
cwmp_build_differs(cwmp_build_t *b, const char *path)
{
    size_t  n;

    n = strlen(path);
    b->ndiffer++;

    if (b->differ == NULL) {
        b->differ = cwmp_alloc(b->arena, CWMP_DIFFER_MAX);
        if (b->differ == NULL) {
            b->rc = CWMP_ERROR;
            return;
        }

        b->differ[0] = '\0';
    }

    if (strlen(b->differ) + n + 3 < CWMP_DIFFER_MAX) {
        strcat(strcat(b->differ, b->differ[0] ? ", " : ""), path);
        b->nnamed++;
    }
}


/* what the device has, as it told it: what is secret is kept sealed */

static cwmp_str_t
cwmp_build_told(cwmp_build_t *b, const char *path, const cwmp_known_t *known)
{
    cwmp_str_t   field, name, value;
    const char  *reason;

    field.data = (unsigned char *) path;
    field.len = strlen(path);

    if (b->order->secret && cwmp_secret_is_sealed(&known->value)
        && cwmp_secret_name(b->arena, &b->order->id, &field, &name) == CWMP_OK
        && cwmp_secret_open(b->order->secret, b->arena, &name, &known->value,
                            &value, &reason) == CWMP_OK)
    {
        return value;
    }

    return known->value;
}


/*
 * Does the device have this value? (phases compare, check, confirmed)  A text
 * that was set and reads as empty may be a password, which is never told
 * (TR-069 A.3.2.2): that proves nothing against what the device has confirmed.
 */

static void
cwmp_build_compare(cwmp_build_t *b, const char *path, cwmp_value_type_t type,
    const cwmp_known_t *known, const cwmp_str_t *text)
{
    size_t       len;
    cwmp_str_t   have, told;
    const char  *wrong;

    if (!b->out->done && b->ndiffer == 0) {
        return;                         /* nothing is compared */
    }

    if (known && known->value.len == 0 && type == CWMP_V_STRING
        && cwmp_build_is_phase(b, "confirmed"))
    {
        return;
    }

    wrong = "";

    if (known) {
        told = cwmp_build_told(b, path, known);

        have.data = cwmp_alloc(b->arena,
                               (told.len > 40 ? told.len : 40) + 1);
        if (have.data == NULL) {
            b->rc = CWMP_ERROR;
            return;
        }

        wrong = cwmp_value_canonical(type, told.data, told.len, have.data,
                                     &len);

        if (wrong == NULL && (len != text->len
                              || memcmp(have.data, text->data, len) != 0))
        {
            wrong = "";
        }
    }

    if (wrong == NULL) {
        return;
    }

    b->out->done = 0;

    cwmp_build_differs(b, path);
}


/* {"value": ..., "type": "xsd:..."}: the type, when it has one */

static cwmp_rc_t
cwmp_build_typed(cwmp_build_t *b, const char *path, json_t *v,
    cwmp_value_type_t *t)
{
    json_t      *type;
    const char  *name;

    type = cwmp_json_member(v, "type");

    if (json_object_size(v) > (json_object_get(v, "type") ? 2 : 1)) {
        return cwmp_build_refuse(b, path, "has a member that is neither "
                                 "\"value\" nor \"type\"");
    }

    if (type == NULL) {
        return CWMP_OK;
    }

    name = json_string_value(type);
    *t = name ? cwmp_value_type((const unsigned char *) name, strlen(name))
              : CWMP_V_NONE;

    if (*t == CWMP_V_NONE) {
        return cwmp_build_refuse(b, path, "has a type that is none: use "
                                 "xsd:string, boolean, int, unsignedInt, long, "
                                 "unsignedLong, decimal, dateTime, base64, "
                                 "hexBinary");
    }

    return CWMP_OK;
}


/*
 * typed: it is refused while its type is not known; full: its path when it is
 * to be compared, NULL for another part's
 */

static cwmp_rc_t
cwmp_build_value(cwmp_build_t *b, const char *path, const char *name,
    json_t *v, int typed, const char *full, cwmp_node_t *node)
{
    char                 number[40];
    size_t               len;
    const char          *text;
    cwmp_str_t           value;
    cwmp_value_type_t    t;
    const cwmp_known_t  *known;

    known = cwmp_build_find(b, name);
    t = known ? cwmp_letter_type(known->letter) : CWMP_V_NONE;

    if (json_is_object(v)) {
        if (cwmp_build_typed(b, path, v, &t) != CWMP_OK) {
            return b->rc;
        }

        v = json_object_get(v, "value");
    }

    len = 0;
    text = v ? cwmp_json_text(v, number, sizeof(number), &len) : NULL;

    if (text == NULL) {
        return cwmp_build_refuse(b, path, "has no value: use a text, a "
                                 "number, true, false or {\"value\":..., "
                                 "\"type\":\"xsd:...\"}");
    }

    if (t == CWMP_V_NONE && typed) {
        return cwmp_build_refuse(b, path, "is of unknown type, and the device "
                                 "reported none that there is; give its type: "
                                 "{\"value\":..., \"type\":\"xsd:...\"}");
    }

    t = (t == CWMP_V_NONE) ? CWMP_V_STRING : t;

    if (cwmp_build_canonical(b, t, path, text, len, &value) != CWMP_OK) {
        return b->rc;
    }

    if (full) {
        cwmp_build_compare(b, full, t, known, &value);
    }

    node->text = value;
    node->given = 1;
    node->type.data = (unsigned char *) cwmp_value_type_name(t);
    node->type.len = strlen(cwmp_value_type_name(t));

    return b->rc;
}
