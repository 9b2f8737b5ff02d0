/*
 * Walks an RPC's row and the task's JSON side by side and makes the nodes that
 * the writer takes.  A list of {Name, Value} is an object in JSON
 * (cwmp_values.c), any other list an array.  Must not know a single RPC.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cwmp_build.h"


static cwmp_rc_t cwmp_build_strings(cwmp_build_t *b, const cwmp_arg_t *arg,
    json_t *v, const char *path, cwmp_node_t *node);
static cwmp_rc_t cwmp_build_structs(cwmp_build_t *b, const cwmp_arg_t *arg,
    json_t *v, const char *path, cwmp_node_t *node);
static cwmp_rc_t cwmp_build_scalar(cwmp_build_t *b, const cwmp_arg_t *arg,
    json_t *v, const char *path, cwmp_node_t *node);
static cwmp_rc_t cwmp_build_root(cwmp_build_t *b, const cwmp_arg_t *arg,
    cwmp_node_t *node);


cwmp_rc_t
cwmp_build_refuse(cwmp_build_t *b, const char *path, const char *reason, ...)
{
    char         text[CWMP_REASON_MAX];
    size_t       len;
    va_list      args;
    cwmp_str_t   s;

    if (b->rc != CWMP_OK) {
        return b->rc;
    }

    va_start(args, reason);
    vsnprintf(text, sizeof(text), reason, args);
    va_end(args);

    s.data = (unsigned char *) text;
    s.len = strlen(text);
    len = strlen(path);

    b->out->reason = cwmp_build_copy(b, &s);
    b->out->field.data = cwmp_alloc(b->arena, len + 1);

    if (b->out->reason == NULL || b->out->field.data == NULL) {
        return b->rc = CWMP_ERROR;
    }

    memcpy(b->out->field.data, path, len + 1);
    b->out->field.len = len;

    return b->rc = CWMP_REFUSED;
}


/* what is null is as if it was left out */

json_t *
cwmp_json_member(json_t *object, const char *name)
{
    json_t  *v;

    v = json_object_get(object, name);

    return json_is_null(v) ? NULL : v;
}


char *
cwmp_build_path(cwmp_build_t *b, const char *path, const char *sep,
    const char *name)
{
    char    *p;
    size_t   len, sep_len, name_len;

    len = strlen(path);
    sep_len = strlen(sep);
    name_len = strlen(name) + 1;

    p = cwmp_alloc(b->arena, len + sep_len + name_len);
    if (p == NULL) {
        b->rc = CWMP_ERROR;
        return NULL;
    }

    memcpy(p, path, len);
    memcpy(p + len, sep, sep_len);
    memcpy(p + len + sep_len, name, name_len);

    return p;
}


char *
cwmp_build_copy(cwmp_build_t *b, const cwmp_str_t *s)
{
    char  *p;

    p = cwmp_alloc(b->arena, s->len + 1);
    if (p == NULL) {
        b->rc = CWMP_ERROR;
        return NULL;
    }

    if (s->len) {
        memcpy(p, s->data, s->len);
    }

    p[s->len] = '\0';

    return p;
}


void
cwmp_node_text(cwmp_node_t *node, const char *text)
{
    node->text.data = (unsigned char *) text;
    node->text.len = strlen(text);
    node->given = 1;
}


cwmp_node_t *
cwmp_build_nodes(cwmp_build_t *b, size_t n)
{
    size_t        size;
    cwmp_node_t  *nodes;

    size = n * sizeof(cwmp_node_t);
    nodes = cwmp_alloc(b->arena, size ? size : 1);

    if (nodes == NULL) {
        b->rc = CWMP_ERROR;
        return NULL;
    }

    memset(nodes, 0, size);

    return nodes;
}


/* is it the argument that a task may leave to us? */

static int
cwmp_arg_is_key(const cwmp_arg_t *arg)
{
    return !(arg->flags & CWMP_NONEMPTY)
           && (strcmp(arg->name, "CommandKey") == 0
               || strcmp(arg->name, "ParameterKey") == 0);
}


/* an array of {Name, Value}: an object in JSON */

static int
cwmp_arg_is_values(const cwmp_arg_t *arg)
{
    return arg->type == CWMP_T_STRUCTS && arg->fields[0].name
           && arg->fields[1].name && arg->fields[1].type == CWMP_T_VALUE;
}


static cwmp_rc_t
cwmp_build_arg(cwmp_build_t *b, const cwmp_arg_t *arg, json_t *v,
    const char *path, cwmp_node_t *node)
{
    node->given = 1;

    if (v == NULL || (cwmp_arg_is_key(arg) && json_is_string(v)
                      && json_string_length(v) == 0))
    {
        if (cwmp_arg_is_key(arg)) {
            node->text = b->order->key;
            return CWMP_OK;
        }

        if (arg->flags & CWMP_OPTIONAL) {
            node->given = 0;
            return CWMP_OK;
        }

        if (arg->fallback == NULL) {
            return cwmp_build_refuse(b, path, "is missing");
        }

        cwmp_node_text(node, arg->fallback);
        return cwmp_build_root(b, arg, node);
    }

    switch (arg->type) {

    case CWMP_T_STRINGS:
        return cwmp_build_strings(b, arg, v, path, node);

    case CWMP_T_STRUCTS:
        if (cwmp_arg_is_values(arg)) {
            return cwmp_build_values(b, path, v, "", node);
        }

        return cwmp_build_structs(b, arg, v, path, node);

    case CWMP_T_VARIANTS:
        return cwmp_build_structs(b, arg, v, path, node);

    default:
        return cwmp_build_scalar(b, arg, v, path, node);
    }
}


cwmp_rc_t
cwmp_build_args(cwmp_build_t *b, const cwmp_arg_t *arg, json_t *object,
    const char *path, cwmp_node_t *node)
{
    char    *p;
    json_t  *v;

    for ( /* void */ ; arg->name; arg++, node++) {

        if (arg->flags & CWMP_CHANGE) {
            v = cwmp_json_member(object, arg[1].name);
            cwmp_node_text(node, v ? "1" : "0");
            continue;
        }

        v = cwmp_json_member(object, arg->name);
        p = path ? cwmp_build_path(b, path, ".", arg->name)
                 : (char *) arg->name;

        if (p == NULL || cwmp_build_arg(b, arg, v, p, node) != CWMP_OK) {
            return b->rc;
        }
    }

    return CWMP_OK;
}


/* may a task's object have this member? */

int
cwmp_build_is_field(const cwmp_arg_t *args, const char *name)
{
    for ( /* void */ ; args->name; args++) {
        if (strcmp(args->name, name) == 0) {
            return !(args->flags & CWMP_CHANGE);
        }
    }

    return 0;
}


static char *
cwmp_build_index(cwmp_build_t *b, const char *path, size_t i)
{
    char  n[32];

    snprintf(n, sizeof(n), "[%zu]", i);

    return cwmp_build_path(b, path, "", n);
}


static cwmp_rc_t
cwmp_build_strings(cwmp_build_t *b, const cwmp_arg_t *arg, json_t *v,
    const char *path, cwmp_node_t *node)
{
    char        *p;
    size_t       i;
    json_t      *item;
    cwmp_arg_t   one;

    if (!json_is_array(v)) {
        return cwmp_build_refuse(b, path, "is not a list of texts");
    }

    if (json_array_size(v) == 0 && (arg->flags & CWMP_NONEMPTY)) {
        return cwmp_build_refuse(b, path, "is an empty list");
    }

    node->items = cwmp_build_nodes(b, json_array_size(v));
    if (node->items == NULL) {
        return b->rc;
    }

    one = *arg;
    one.type = (arg->flags & CWMP_ENCODED) ? CWMP_T_BASE64 : CWMP_T_STRING;
    one.flags = (arg->flags & (CWMP_NAME|CWMP_WILDCARD))
                | ((arg->flags & CWMP_ENCODED) ? CWMP_NONEMPTY : 0);

    json_array_foreach(v, i, item) {

        p = cwmp_build_index(b, path, i);

        if (p == NULL
            || cwmp_build_scalar(b, &one, item, p, &node->items[i]) != CWMP_OK)
        {
            return b->rc;
        }
    }

    node->nitems = json_array_size(v);

    return CWMP_OK;
}


/* which of its types an object is meant to be; NULL: refused */

static const cwmp_arg_t *
cwmp_build_variant(cwmp_build_t *b, const cwmp_arg_t *arg, json_t *object,
    const char *path)
{
    char              *p, choice[128];
    size_t             len;
    const char        *name;
    const cwmp_arg_t  *variant;

    name = json_string_value(json_object_get(object, arg->item));

    for (variant = arg->fields, len = 0; variant->name; variant++) {

        if (name && strcmp(variant->name, name) == 0) {
            return variant;
        }

        if (len < sizeof(choice)) {
            len += snprintf(choice + len, sizeof(choice) - len, "%s%s",
                            len ? ", " : "", variant->name);
        }
    }

    p = cwmp_build_path(b, path, ".", arg->item);

    if (p) {
        cwmp_build_refuse(b, p, "is none of %s", choice);
    }

    return NULL;
}


/* one entry of a list of objects */

static cwmp_rc_t
cwmp_build_row(cwmp_build_t *b, const cwmp_arg_t *arg, json_t *object,
    const char *path, cwmp_node_t *row)
{
    char              *p;
    json_t            *v;
    const char        *name;
    const cwmp_arg_t  *fields, *variant;

    if (!json_is_object(object)) {
        return cwmp_build_refuse(b, path, "is not an object");
    }

    variant = NULL;
    fields = arg->fields;

    if (arg->type == CWMP_T_VARIANTS) {
        variant = cwmp_build_variant(b, arg, object, path);
        if (variant == NULL) {
            return b->rc;
        }

        fields = variant->fields;
        row->type.data = (unsigned char *) variant->name;
        row->type.len = strlen(variant->name);
    }

    json_object_foreach(object, name, v) {

        if (cwmp_build_is_field(fields, name)
            || (variant && strcmp(name, arg->item) == 0))
        {
            continue;
        }

        p = cwmp_build_path(b, path, ".", name);

        return p ? cwmp_build_refuse(b, p, "is no field of this object")
                 : b->rc;
    }

    row->given = 1;
    row->nitems = CWMP_MAX_FIELDS;
    row->items = cwmp_build_nodes(b, CWMP_MAX_FIELDS);

    return row->items ? cwmp_build_args(b, fields, object, path, row->items)
                      : b->rc;
}


static cwmp_rc_t
cwmp_build_structs(cwmp_build_t *b, const cwmp_arg_t *arg, json_t *v,
    const char *path, cwmp_node_t *node)
{
    char    *p;
    size_t   i;
    json_t  *item;

    if (!json_is_array(v) || json_array_size(v) == 0) {
        return cwmp_build_refuse(b, path, "is not a list of objects");
    }

    if (arg->max && json_array_size(v) > arg->max) {
        return cwmp_build_refuse(b, path, "has more than %u entries",
                                 arg->max);
    }

    node->items = cwmp_build_nodes(b, json_array_size(v));
    if (node->items == NULL) {
        return b->rc;
    }

    json_array_foreach(v, i, item) {

        p = cwmp_build_index(b, path, i);

        if (p == NULL
            || cwmp_build_row(b, arg, item, p, &node->items[i]) != CWMP_OK)
        {
            return b->rc;
        }
    }

    node->nitems = json_array_size(v);

    return CWMP_OK;
}


/* a JSON scalar as text; NULL for null, lists and objects */

const char *
cwmp_json_text(json_t *v, char *number, size_t size, size_t *len)
{
    int  digits;

    switch (json_typeof(v)) {

    case JSON_STRING:
        *len = json_string_length(v);
        return json_string_value(v);

    case JSON_TRUE:
        *len = 4;
        return "true";

    case JSON_FALSE:
        *len = 5;
        return "false";

    case JSON_INTEGER:
        *len = (size_t) snprintf(number, size, "%" JSON_INTEGER_FORMAT,
                                 json_integer_value(v));
        return number;

    case JSON_REAL:
        /* as few digits as give the same number */

        for (digits = 15; digits <= 17; digits++) {
            *len = (size_t) snprintf(number, size, "%.*g", digits,
                                     json_real_value(v));
            if (strtod(number, NULL) == json_real_value(v)) {
                break;
            }
        }

        return number;

    default:
        return NULL;
    }
}


/* text in its one form, as a value of this type */

cwmp_rc_t
cwmp_build_canonical(cwmp_build_t *b, cwmp_value_type_t type, const char *path,
    const char *text, size_t len, cwmp_str_t *out)
{
    const char  *wrong;

    out->data = cwmp_alloc(b->arena, (len > 40 ? len : 40) + 1);
    if (out->data == NULL) {
        return b->rc = CWMP_ERROR;
    }

    wrong = cwmp_value_canonical(type, (const unsigned char *) text, len,
                                 out->data, &out->len);

    return wrong ? cwmp_build_refuse(b, path, "%s", wrong) : CWMP_OK;
}


/* what JSON may be for an argument of this type, and as which value it goes */

static const struct {
    cwmp_value_type_t   type;
    const char         *expected;
} cwmp_scalars[] = {
    { CWMP_V_STRING, "is not a text" },                 /* CWMP_T_STRING */
    { CWMP_V_BOOLEAN, "is not true or false" },         /* CWMP_T_BOOLEAN */
    { CWMP_V_INT, "is not a whole number" },            /* CWMP_T_INT */
    { CWMP_V_UNSIGNEDINT, "is not a whole number" },    /* CWMP_T_UINT */
    { CWMP_V_DATETIME, "is not a date and time" },      /* CWMP_T_DATETIME */
    { CWMP_V_BASE64, "is not base64" }                  /* CWMP_T_BASE64 */
};


static cwmp_rc_t
cwmp_build_scalar(cwmp_build_t *b, const cwmp_arg_t *arg, json_t *v,
    const char *path, cwmp_node_t *node)
{
    char               number[40];
    size_t             len;
    const char        *text;
    cwmp_value_type_t  type;

    if ((size_t) arg->type >= sizeof(cwmp_scalars) / sizeof(cwmp_scalars[0])) {
        return cwmp_build_refuse(b, path, "cannot be given in a task");
    }

    type = cwmp_scalars[arg->type].type;
    len = 0;
    text = cwmp_json_text(v, number, sizeof(number), &len);

    if (text == NULL || (type == CWMP_V_STRING && !json_is_string(v))) {
        return cwmp_build_refuse(b, path, "%s",
                                 cwmp_scalars[arg->type].expected);
    }

    if (cwmp_build_canonical(b, type, path, text, len, &node->text)
        != CWMP_OK
        || cwmp_check_scalar(b, arg, path, &node->text) != CWMP_OK)
    {
        return b->rc;
    }

    node->given = 1;

    return cwmp_build_root(b, arg, node);
}


/* the empty path is the whole data model, which not every device knows */

static cwmp_rc_t
cwmp_build_root(cwmp_build_t *b, const cwmp_arg_t *arg, cwmp_node_t *node)
{
    char  *root;

    if (node->text.len || !(arg->flags & CWMP_NAME) || b->order->root.len == 0)
    {
        return CWMP_OK;
    }

    root = cwmp_build_copy(b, &b->order->root);
    root = root ? cwmp_build_path(b, root, ".", "") : NULL;

    if (root == NULL) {
        return b->rc;
    }

    cwmp_node_text(node, root);

    return CWMP_OK;
}
