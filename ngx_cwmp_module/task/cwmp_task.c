/*
 * Walks an RPC's row and the task's JSON side by side and makes the nodes that
 * the writer takes.  A list of {Name, Value} is an object in JSON, any other
 * list an array.  All texts are copied to the arena, so that the JSON tree is
 * gone when this returns.  Must not know nginx, Redis, or a clock.
 */

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cwmp_value.h"
#include "cwmp_task.h"


/* what is being built; the first refusal stands */
typedef struct {
    cwmp_arena_t        *arena;
    const cwmp_order_t  *order;
    cwmp_task_rpc_t     *out;
    json_t              *task;
    json_t              *known;     /* name -> index + 1 in order->known */
    cwmp_rc_t            rc;
} cwmp_build_t;


static cwmp_rc_t cwmp_build_plain(cwmp_build_t *b);
static cwmp_rc_t cwmp_build_read(cwmp_build_t *b, int all);
static cwmp_rc_t cwmp_build_set(cwmp_build_t *b);
static cwmp_rc_t cwmp_build_args(cwmp_build_t *b, const cwmp_arg_t *arg,
    json_t *object, const char *path, cwmp_node_t *node);
static cwmp_rc_t cwmp_build_strings(cwmp_build_t *b, const cwmp_arg_t *arg,
    json_t *v, const char *path, cwmp_node_t *node);
static cwmp_rc_t cwmp_build_structs(cwmp_build_t *b, const cwmp_arg_t *arg,
    json_t *v, const char *path, cwmp_node_t *node);
static cwmp_rc_t cwmp_build_values(cwmp_build_t *b, const char *path,
    json_t *list, const char *prefix, cwmp_node_t *node);
static cwmp_rc_t cwmp_build_value(cwmp_build_t *b, const char *path,
    const char *name, json_t *v, cwmp_node_t *node);
static cwmp_rc_t cwmp_build_scalar(cwmp_build_t *b, const cwmp_arg_t *arg,
    json_t *v, const char *path, cwmp_node_t *node);


/* fields that are ours, of any task (redis/cwmp.lua checks them) */
static const char  *cwmp_task_fields[] = {
    "method", "id", "expires", "notBefore", "priority", "wake", "retry",
    "attempts", "note", "new", NULL
};

/* in the order of cwmp_value_type_t */
static const char  cwmp_letters[] = "ssbiluUdtBh";


char
cwmp_type_letter(const cwmp_str_t *type)
{
    return cwmp_letters[cwmp_value_type(type->data, type->len)];
}


static cwmp_value_type_t
cwmp_letter_type(char letter)
{
    const char  *p;

    p = letter ? strchr(cwmp_letters + 1, letter) : NULL;

    return p ? (cwmp_value_type_t) (p - cwmp_letters) : CWMP_V_NONE;
}


static cwmp_rc_t
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


static char *
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


static char *
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


static void
cwmp_node_text(cwmp_node_t *node, const char *text)
{
    node->text.data = (unsigned char *) text;
    node->text.len = strlen(text);
    node->given = 1;
}


static int
cwmp_order_is(const cwmp_order_t *order, const char *phase)
{
    return order->phase.len == strlen(phase)
           && memcmp(order->phase.data, phase, order->phase.len) == 0;
}


static cwmp_node_t *
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


/* what the device last reported, by the names that the task uses */

static cwmp_rc_t
cwmp_build_known(cwmp_build_t *b)
{
    size_t         i;
    cwmp_known_t  *k;

    b->known = json_object();
    if (b->known == NULL) {
        return CWMP_ERROR;
    }

    for (i = 0; i < b->order->nknown; i++) {
        k = &b->order->known[i];

        if (json_object_setn_new_nocheck(b->known, (char *) k->name.data,
                                         k->name.len, json_integer(i + 1)))
        {
            return CWMP_ERROR;
        }
    }

    return CWMP_OK;
}


static const cwmp_known_t *
cwmp_build_find(cwmp_build_t *b, const char *name)
{
    json_t  *v;

    v = json_object_get(b->known, name);

    return v ? &b->order->known[json_integer_value(v) - 1] : NULL;
}


cwmp_rc_t
cwmp_task_rpc(cwmp_arena_t *arena, const cwmp_order_t *order,
    cwmp_task_rpc_t *out)
{
    json_error_t  error;
    cwmp_build_t  b;

    memset(out, 0, sizeof(cwmp_task_rpc_t));
    memset(&b, 0, sizeof(cwmp_build_t));
    b.arena = arena;
    b.order = order;
    b.out = out;

    b.task = json_loadb((char *) order->json.data, order->json.len,
                        JSON_REJECT_DUPLICATES, &error);

    if (b.task == NULL) {
        cwmp_str_t  text = { strlen(error.text), (unsigned char *) error.text };

        out->reason = cwmp_build_copy(&b, &text);
        return cwmp_build_refuse(&b, "task", out->reason ? out->reason : "");
    }

    if (cwmp_build_known(&b) != CWMP_OK) {
        b.rc = CWMP_ERROR;

    } else if (cwmp_order_is(order, "types")) {
        cwmp_build_read(&b, 0);

    } else if (cwmp_order_is(order, "verify")) {
        cwmp_build_read(&b, 1);

    } else if (cwmp_order_is(order, "set")) {
        cwmp_build_set(&b);

    } else {
        cwmp_build_plain(&b);
    }

    json_decref(b.known);
    json_decref(b.task);

    return b.rc;
}


/* every member of the task must be ours or one of the RPC's arguments */

static cwmp_rc_t
cwmp_build_members(cwmp_build_t *b, const cwmp_rpc_t *rpc)
{
    json_t            *v;
    const char        *name, **f;
    const cwmp_arg_t  *arg;

    json_object_foreach(b->task, name, v) {

        for (f = cwmp_task_fields; *f && strcmp(*f, name); f++) { /* void */ }

        if (*f || (!strcmp(name, "values") && !strcmp(rpc->name, "AddObject")))
        {
            continue;
        }

        for (arg = rpc->request; arg->name && strcmp(arg->name, name); arg++) {
            /* void */
        }

        if (arg->name == NULL) {
            return cwmp_build_refuse(b, name, "is no field of this task");
        }
    }

    return CWMP_OK;
}


/* the RPC that the task names, all arguments from its JSON */

static cwmp_rc_t
cwmp_build_plain(cwmp_build_t *b)
{
    size_t             n;
    json_t            *v;
    const char        *method;
    const cwmp_rpc_t  *rpc;

    method = json_string_value(json_object_get(b->task, "method"));
    if (method == NULL) {
        return cwmp_build_refuse(b, "method", "is missing, or is not a text");
    }

    rpc = cwmp_rpc_find((unsigned char *) method, strlen(method));
    if (rpc == NULL || !(rpc->from & CWMP_FROM_ACS)) {
        return cwmp_build_refuse(b, "method", "is no RPC that can be sent");
    }

    if (cwmp_build_members(b, rpc) != CWMP_OK) {
        return b->rc;
    }

    /* what follows an AddObject must be good before the object is made */

    v = json_object_get(b->task, "values");
    if (v && cwmp_build_values(b, "values", v, "", NULL) != CWMP_OK) {
        return b->rc;
    }

    for (n = 0; rpc->request[n].name; n++) { /* void */ }

    b->out->rpc = rpc;
    b->out->args = cwmp_build_nodes(b, n);
    if (b->out->args == NULL) {
        return b->rc;
    }

    b->out->done = cwmp_order_is(b->order, "compare");

    return cwmp_build_args(b, rpc->request, b->task, NULL, b->out->args);
}


/* the names and values that the task sets, and below which path */

static json_t *
cwmp_build_target(cwmp_build_t *b, const char **prefix)
{
    json_t      *v;
    const char  *object;

    *prefix = "";

    v = json_object_get(b->task, "values");

    if (v) {
        object = json_string_value(json_object_get(b->task, "ObjectName"));
        *prefix = cwmp_build_path(b, object ? object : "",
                                  cwmp_build_copy(b, &b->order->instance), ".");
    } else {
        v = json_object_get(b->task, "ParameterList");
    }

    if (!json_is_object(v)) {
        cwmp_build_refuse(b, "ParameterList",
                          "is not an object of names and values");
        return NULL;
    }

    return v;
}


/*
 * A read of what the task is going to set: of those whose type nobody knows,
 * or of all.
 */

static cwmp_rc_t
cwmp_build_read(cwmp_build_t *b, int all)
{
    char         *path;
    json_t       *list, *v;
    const char   *name, *prefix;
    cwmp_node_t  *arg;

    list = cwmp_build_target(b, &prefix);
    if (list == NULL) {
        return b->rc;
    }

    b->out->rpc = cwmp_rpc_find((unsigned char *) "GetParameterValues",
                                sizeof("GetParameterValues") - 1);
    b->out->args = arg = cwmp_build_nodes(b, 1);
    if (arg == NULL) {
        return b->rc;
    }

    arg->given = 1;
    arg->items = cwmp_build_nodes(b, json_object_size(list));
    if (arg->items == NULL) {
        return b->rc;
    }

    json_object_foreach(list, name, v) {

        if (!all && (json_object_get(v, "type") || cwmp_build_find(b, name))) {
            continue;
        }

        path = cwmp_build_path(b, prefix, "", name);
        if (path == NULL) {
            return b->rc;
        }

        cwmp_node_text(&arg->items[arg->nitems], path);        arg->nitems++;
    }

    return CWMP_OK;
}


/* values for the object that AddObject made */

static cwmp_rc_t
cwmp_build_set(cwmp_build_t *b)
{
    json_t      *list;
    const char  *prefix, *key;

    list = cwmp_build_target(b, &prefix);
    if (list == NULL) {
        return b->rc;
    }

    b->out->rpc = cwmp_rpc_find((unsigned char *) "SetParameterValues",
                                sizeof("SetParameterValues") - 1);
    b->out->args = cwmp_build_nodes(b, 2);
    if (b->out->args == NULL) {
        return b->rc;
    }

    key = cwmp_build_copy(b, &b->order->key);
    if (key == NULL) {
        return b->rc;
    }

    cwmp_node_text(&b->out->args[1], key);

    return cwmp_build_values(b, "values", list, prefix, &b->out->args[0]);
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


static cwmp_rc_t
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


/* node NULL: only checks, as far as is possible while types are not known */

static cwmp_rc_t
cwmp_build_values(cwmp_build_t *b, const char *path, json_t *list,
    const char *prefix, cwmp_node_t *node)
{
    char         *p, *full;
    json_t       *v;
    const char   *name;
    cwmp_node_t  *row;

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

    json_object_foreach(list, name, v) {

        p = cwmp_build_path(b, path, ".", name);
        full = cwmp_build_path(b, prefix, "", name);
        row = node ? &node->items[node->nitems++] : NULL;

        if (p == NULL || full == NULL) {
            return b->rc;
        }

        if (*name == '\0' || name[strlen(name) - 1] == '.') {
            return cwmp_build_refuse(b, p, "is no parameter's name");
        }

        if (strlen(full) > 256) {
            return cwmp_build_refuse(b, p, "is longer than 256 characters");
        }

        if (row) {
            row->given = 1;
            row->nitems = 2;
            row->items = cwmp_build_nodes(b, 2);
            if (row->items == NULL) {
                return b->rc;
            }

            cwmp_node_text(&row->items[0], full);
        }

        if (cwmp_build_value(b, p, name, v, row ? &row->items[1] : NULL)
            != CWMP_OK)
        {
            return b->rc;
        }
    }

    return CWMP_OK;
}


/* a JSON scalar as text; NULL for null, lists and objects */

static const char *
cwmp_json_text(json_t *v, char *number, size_t size, size_t *len)
{
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
        *len = (size_t) snprintf(number, size, "%.15g", json_real_value(v));
        return number;

    default:
        return NULL;
    }
}


/* text in its one form, as a value of this type */

static cwmp_rc_t
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


/* does the device have this value? (phase compare) */

static void
cwmp_build_compare(cwmp_build_t *b, cwmp_value_type_t type,
    const cwmp_known_t *known, const cwmp_str_t *text)
{
    size_t       len;
    cwmp_str_t   have;
    const char  *wrong;

    if (known == NULL || !b->out->done) {
        b->out->done = 0;
        return;
    }

    have.data = cwmp_alloc(b->arena,
                           (known->value.len > 40 ? known->value.len : 40) + 1);
    if (have.data == NULL) {
        b->rc = CWMP_ERROR;
        return;
    }

    wrong = cwmp_value_canonical(type, known->value.data, known->value.len,
                                 have.data, &len);

    if (wrong || len != text->len || memcmp(have.data, text->data, len)) {
        b->out->done = 0;
    }
}


/*
 * The type comes from the task, else from what the device last reported; it
 * is never guessed (the state table has a read sent before when it is needed).
 */

static cwmp_rc_t
cwmp_build_value(cwmp_build_t *b, const char *path, const char *name,
    json_t *v, cwmp_node_t *node)
{
    char                 number[40];
    size_t               len;
    json_t              *type;
    const char          *text;
    cwmp_str_t           value;
    cwmp_value_type_t    t;
    const cwmp_known_t  *known;

    known = cwmp_build_find(b, name);
    t = known ? cwmp_letter_type(known->letter) : CWMP_V_NONE;

    if (json_is_object(v)) {
        type = json_object_get(v, "type");

        if (type) {
            text = json_string_value(type);
            t = text ? cwmp_value_type((const unsigned char *) text,
                                       strlen(text))
                     : CWMP_V_NONE;

            if (t == CWMP_V_NONE) {
                return cwmp_build_refuse(b, path, "has a type that is none: "
                            "use xsd:string, boolean, int, unsignedInt, long, "
                            "unsignedLong, dateTime, base64, hexBinary");
            }
        }

        v = json_object_get(v, "value");
    }

    text = v ? cwmp_json_text(v, number, sizeof(number), &len) : NULL;
    if (text == NULL) {
        return cwmp_build_refuse(b, path, "has no value: use a text, a "
                                 "number, true, false or {\"value\":..., "
                                 "\"type\":\"xsd:...\"}");
    }

    if (t == CWMP_V_NONE) {
        if (node) {
            return cwmp_build_refuse(b, path, "is of unknown type, and the "
                                     "device did not report it; give it as "
                                     "{\"value\":..., \"type\":\"xsd:...\"}");
        }

        t = CWMP_V_STRING;
    }

    if (cwmp_build_canonical(b, t, path, text, len, &value) != CWMP_OK) {
        return b->rc;
    }

    cwmp_build_compare(b, t, known, &value);

    if (node) {
        text = cwmp_value_type_name(t);
        node->text = value;
        node->type.data = (unsigned char *) text;
        node->type.len = strlen(text);
        node->given = 1;
    }

    return b->rc;
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


static size_t
cwmp_characters(const cwmp_str_t *text)
{
    size_t  i, n;

    for (i = 0, n = 0; i < text->len; i++) {
        n += (text->data[i] & 0xC0) != 0x80;
    }

    return n;
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
    text = cwmp_json_text(v, number, sizeof(number), &len);

    if (text == NULL || (type == CWMP_V_STRING && !json_is_string(v))) {
        return cwmp_build_refuse(b, path, cwmp_scalars[arg->type].expected);
    }

    if (cwmp_build_canonical(b, type, path, text, len, &node->text)
        != CWMP_OK)
    {
        return b->rc;
    }

    text = (const char *) node->text.data;
    len = node->text.len;

    if (arg->max && cwmp_characters(&node->text) > arg->max) {
        return cwmp_build_refuse(b, path, "is too long");
    }

    if (len == 0 && (arg->flags & CWMP_NONEMPTY)) {
        return cwmp_build_refuse(b, path, "is empty");
    }

    if ((arg->flags & CWMP_PATH_DOT) && (len == 0 || text[len - 1] != '.')) {
        return cwmp_build_refuse(b, path, "does not end with a dot");
    }

    node->given = 1;

    return CWMP_OK;
}
