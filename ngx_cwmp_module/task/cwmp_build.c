/*
 * Walks an RPC's row and the task's JSON side by side and makes the nodes that
 * the writer takes.  A list of {Name, Value} is an object in JSON
 * (cwmp_values.c), any other list an array.  Must not know a single RPC.
 */

#include <ctype.h>
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


cwmp_rc_t
cwmp_build_refuse(cwmp_build_t *b, const char *path, const char *reason)
{
    size_t  len;

    if (b->rc != CWMP_OK) {
        return b->rc;
    }

    len = strlen(path);
    b->out->field.data = cwmp_alloc(b->arena, len + 1);
    if (b->out->field.data == NULL) {
        return b->rc = CWMP_ERROR;
    }

    memcpy(b->out->field.data, path, len + 1);
    b->out->field.len = len;
    b->out->reason = reason;

    return b->rc = CWMP_REFUSED;
}


char *
cwmp_build_path(cwmp_build_t *b, const char *path, const char *sep,
    const char *name)
{
    char    *p;
    size_t   len;

    len = strlen(path) + strlen(sep) + strlen(name) + 1;

    p = cwmp_alloc(b->arena, len);
    if (p == NULL) {
        b->rc = CWMP_ERROR;
        return NULL;
    }

    snprintf(p, len, "%s%s%s", path, sep, name);

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
    return strcmp(arg->name, "CommandKey") == 0
           || strcmp(arg->name, "ParameterKey") == 0;
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

    if (cwmp_arg_is_key(arg) && json_is_null(v)) {
        v = NULL;
    }

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
        return CWMP_OK;
    }

    switch (arg->type) {

    case CWMP_T_STRINGS:
        return cwmp_build_strings(b, arg, v, path, node);

    case CWMP_T_STRUCTS:
        if (cwmp_arg_is_values(arg)) {
            return cwmp_build_values(b, path, v, "", node);
        }

        return cwmp_build_structs(b, arg, v, path, node);

    default:
        return cwmp_build_scalar(b, arg, v, path, node);
    }
}


cwmp_rc_t
cwmp_build_args(cwmp_build_t *b, const cwmp_arg_t *arg, json_t *object,
    const char *path, cwmp_node_t *node)
{
    char  *p;

    for ( /* void */ ; arg->name; arg++, node++) {

        p = path ? cwmp_build_path(b, path, ".", arg->name)
                 : (char *) arg->name;

        if (p == NULL
            || cwmp_build_arg(b, arg, json_object_get(object, arg->name), p,
                              node)
               != CWMP_OK)
        {
            return b->rc;
        }
    }

    return CWMP_OK;
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
    one.type = CWMP_T_STRING;
    one.flags = 0;

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


static cwmp_rc_t
cwmp_build_structs(cwmp_build_t *b, const cwmp_arg_t *arg, json_t *v,
    const char *path, cwmp_node_t *node)
{
    char         *p;
    size_t        i;
    json_t       *item;
    cwmp_node_t  *row;

    if (!json_is_array(v) || json_array_size(v) == 0) {
        return cwmp_build_refuse(b, path, "is not a list of objects");
    }

    node->items = cwmp_build_nodes(b, json_array_size(v));
    if (node->items == NULL) {
        return b->rc;
    }

    json_array_foreach(v, i, item) {

        p = cwmp_build_index(b, path, i);
        row = &node->items[i];
        row->given = 1;
        row->items = cwmp_build_nodes(b, CWMP_MAX_FIELDS);
        row->nitems = CWMP_MAX_FIELDS;

        if (p == NULL || row->items == NULL) {
            return b->rc;
        }

        if (!json_is_object(item)) {
            return cwmp_build_refuse(b, p, "is not an object");
        }

        if (cwmp_build_args(b, arg->fields, item, p, row->items) != CWMP_OK) {
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

    return wrong ? cwmp_build_refuse(b, path, wrong) : CWMP_OK;
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


size_t
cwmp_characters(const cwmp_str_t *text)
{
    size_t  i, n;

    for (i = 0, n = 0; i < text->len; i++) {
        n += (text->data[i] & 0xC0) != 0x80;
    }

    return n;
}


/* scheme://authority, the latter without user:password@ (RFC 3986) */

static const char *
cwmp_url_wrong(const char *p, const char *last)
{
    const char  *scheme;

    for (scheme = p; p < last && (isalnum((unsigned char) *p) || *p == '+'
                                  || *p == '-' || *p == '.'); p++)
    {
        /* void */
    }

    if (p == scheme || !isalpha((unsigned char) *scheme) || last - p < 4
        || memcmp(p, "://", 3) != 0)
    {
        return "is not an absolute URL such as https://host/file";
    }

    for (p += 3; p < last && !strchr("/?#", *p); p++) {
        if (*p == '@') {
            return "holds a user name or password: use Username and Password";
        }
    }

    return NULL;
}


/* what is wrong with a text as this argument; NULL: nothing */

static const char *
cwmp_text_wrong(const cwmp_arg_t *arg, const cwmp_str_t *text)
{
    const char  *p;

    if (arg->max && cwmp_characters(text) > arg->max) {
        return "is too long";
    }

    if (text->len == 0 && (arg->flags & CWMP_NONEMPTY)) {
        return "is empty";
    }

    p = (const char *) text->data;

    if ((arg->flags & CWMP_PATH_DOT)
        && (text->len == 0 || p[text->len - 1] != '.'))
    {
        return "does not end with a dot";
    }

    if (arg->flags & CWMP_URL) {
        return cwmp_url_wrong(p, p + text->len);
    }

    return NULL;
}


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
        return cwmp_build_refuse(b, path, cwmp_scalars[arg->type].expected);
    }

    if (cwmp_build_canonical(b, type, path, text, len, &node->text)
        != CWMP_OK)
    {
        return b->rc;
    }

    text = cwmp_text_wrong(arg, &node->text);

    if (text) {
        return cwmp_build_refuse(b, path, text);
    }

    node->given = 1;

    return CWMP_OK;
}
