
/*
 * What is inside of each message that an ACS may send: arguments, in the
 * order of the schema, with their types and bounds.  To add an RPC, add its
 * row.
 */

#include <stdio.h>
#include <string.h>

#include "model.h"
#include "verify.h"


#define XSD_NS  "http://www.w3.org/2001/XMLSchema"


typedef enum { END, TEXT, UINT, INT, BOOL, VALUE, ARRAY, OPERATION } shape_t;

typedef struct arg_s  arg_t;

struct arg_s {
    const char   *name;
    shape_t       shape;
    unsigned      bound;            /* characters; of an array: most items */
    unsigned      least;            /* items of an array */
    const char   *item;             /* of an array, and its type */
    const arg_t  *fields;           /* of an item; NULL: texts */
    int           optional;
};

typedef struct {
    const char  *method;
    arg_t        args[12];
} row_t;

#define STRING(name, bound)  { name, TEXT, bound, 0, NULL, NULL, 0 }
#define MAYBE(name, bound)   { name, TEXT, bound, 0, NULL, NULL, 1 }
#define NUMBER(name)         { name, UINT, 0, 0, NULL, NULL, 0 }
#define FLAG(name)           { name, BOOL, 0, 0, NULL, NULL, 0 }
#define LIST(name, item, fields, least, most)                                \
                             { name, ARRAY, most, least, item, fields, 0 }
#define LAST                 { NULL, END, 0, 0, NULL, NULL, 0 }
#define KEY                  STRING("CommandKey", 32)
#define PARAM_KEY            STRING("ParameterKey", 32)
#define NAMES                LIST("ParameterNames", "string", NULL, 1, 0)
#define FILE_ARGS                                                            \
    KEY, STRING("FileType", 64), STRING("URL", 256),                         \
    STRING("Username", 256), STRING("Password", 256)


static const arg_t  value_fields[] = {
    STRING("Name", 256), { "Value", VALUE, 0, 0, NULL, NULL, 0 }, LAST
};

static const arg_t  attributes_fields[] = {
    STRING("Name", 256), FLAG("NotificationChange"), NUMBER("Notification"),
    FLAG("AccessListChange"), LIST("AccessList", "string", NULL, 0, 0), LAST
};

static const arg_t  window_fields[] = {
    NUMBER("WindowStart"), NUMBER("WindowEnd"), STRING("WindowMode", 64),
    STRING("UserMessage", 256), { "MaxRetries", INT, 0, 0, NULL, NULL, 0 }, LAST
};

/* by xsi:type */
static const row_t  operations[] = {
    { "InstallOpStruct",
      { STRING("URL", 1024), MAYBE("UUID", 36), MAYBE("Username", 256),
        MAYBE("Password", 256), MAYBE("ExecutionEnvRef", 256), LAST } },
    { "UpdateOpStruct",
      { MAYBE("UUID", 36), MAYBE("Version", 32), MAYBE("URL", 1024),
        MAYBE("Username", 256), MAYBE("Password", 256), LAST } },
    { "UninstallOpStruct",
      { STRING("UUID", 36), MAYBE("Version", 32),
        MAYBE("ExecutionEnvRef", 256), LAST } }
};

static const row_t  rows[] = {
    { "InformResponse", { NUMBER("MaxEnvelopes"), LAST } },
    { "TransferCompleteResponse", { LAST } },
    { "DUStateChangeCompleteResponse", { LAST } },
    { "GetRPCMethods", { LAST } },
    { "SetParameterValues",
      { LIST("ParameterList", "ParameterValueStruct", value_fields, 1, 0),
        PARAM_KEY, LAST } },
    { "GetParameterValues", { NAMES, LAST } },
    { "GetParameterNames",
      { STRING("ParameterPath", 256), FLAG("NextLevel"), LAST } },
    { "SetParameterAttributes",
      { LIST("ParameterList", "SetParameterAttributesStruct",
             attributes_fields, 1, 0), LAST } },
    { "GetParameterAttributes", { NAMES, LAST } },
    { "AddObject", { STRING("ObjectName", 256), PARAM_KEY, LAST } },
    { "DeleteObject", { STRING("ObjectName", 256), PARAM_KEY, LAST } },
    { "Reboot", { KEY, LAST } },
    { "Download",
      { FILE_ARGS, NUMBER("FileSize"), STRING("TargetFileName", 256),
        NUMBER("DelaySeconds"), STRING("SuccessURL", 256),
        STRING("FailureURL", 256), LAST } },
    { "ScheduleDownload",
      { FILE_ARGS, NUMBER("FileSize"), STRING("TargetFileName", 256),
        LIST("TimeWindowList", "TimeWindowStruct", window_fields, 1, 2),
        LAST } },
    { "Upload", { FILE_ARGS, NUMBER("DelaySeconds"), LAST } },
    { "FactoryReset", { LAST } },
    { "ScheduleInform", { NUMBER("DelaySeconds"), KEY, LAST } },
    { "CancelTransfer", { KEY, LAST } },
    { "GetQueuedTransfers", { LAST } },
    { "GetAllQueuedTransfers", { LAST } },
    { "ChangeDUState",
      { { "Operations", OPERATION, 0, 1, NULL, NULL, 0 }, KEY, LAST } },
    { "SetVouchers", { LIST("VoucherList", "base64", NULL, 1, 0), LAST } },
    { "GetOptions", { STRING("OptionName", 64), LAST } }
};


static void check_args(session_t *s, const xml_node_t *in, const char *name,
    const arg_t *arg);


/* The type behind the prefix, which has to be bound to its namespace. */

static str_t
type_of(session_t *s, const xml_node_t *node, str_t type)
{
    str_t        prefix = type, ns;
    const char  *colon = type.len ? memchr(type.p, ':', type.len) : NULL;

    prefix.len = colon ? (size_t) (colon - type.p) : 0;
    ns = xml_namespace(node, prefix);

    if (colon) {
        type.len -= prefix.len + 1;
        type.p = colon + 1;
    }

    /* CWMP's begin with a capital */

    if (type.len == 0 || type.p[0] < 'A' || type.p[0] > 'Z') {
        if (!str_is(ns, XSD_NS) && !(str_is(ns, ENC_NS) && type.len >= 6
                                     && memcmp(type.p, "base64", 6) == 0))
        {
            verify_fail(s, "the type %.*s is not in its namespace",
                        (int) type.len, type.p);
        }

    } else if (ns.len < 24 || memcmp(ns.p, "urn:dslforum-org:cwmp-1-", 24)) {
        verify_fail(s, "the type %.*s is not in its namespace",
                    (int) type.len, type.p);
    }

    return type;
}


static size_t
characters(str_t s)
{
    size_t  i, n = 0;

    for (i = 0; i < s.len; i++) {
        n += (s.p[i] & 0xc0) != 0x80;
    }

    return n;
}


static void
check_text(session_t *s, const xml_node_t *node, const arg_t *arg)
{
    if (characters(node->text) > arg->bound) {
        verify_fail(s, "%s has more than %u characters", arg->name,
                    arg->bound);
    }
}


static void
check_number(session_t *s, const xml_node_t *node, const arg_t *arg)
{
    const char  *type = arg->shape == INT ? "int" : "unsignedInt";

    if (!model_type(str_of(type))->valid(node->text)) {
        verify_fail(s, "%s is no %s", arg->name, type);
    }
}


static void
check_flag(session_t *s, const xml_node_t *node, const arg_t *arg)
{
    if (!str_is(node->text, "0") && !str_is(node->text, "1")) {
        verify_fail(s, "%s is neither 0 nor 1", arg->name);
    }
}


static void
check_value(session_t *s, const xml_node_t *node, const arg_t *arg)
{
    str_t                name;
    const xml_attr_t    *a = xml_attr(node, "type");
    const model_type_t  *type;

    (void) arg;

    if (a == NULL) {
        verify_fail(s, "a Value without xsi:type");
        return;
    }

    name = type_of(s, node, a->value);
    type = model_type(name);

    if (type == NULL) {
        verify_fail(s, "a Value of a type that CWMP does not have");

    } else if (!type->valid(node->text)) {
        verify_fail(s, "a Value that is no %.*s", (int) name.len, name.p);
    }
}


/* arrayType tells type and count. */

static void
check_count(session_t *s, const xml_node_t *node, const arg_t *arg,
    unsigned n)
{
    char               expected[96];
    str_t              v;
    const xml_attr_t  *a = xml_attr(node, "arrayType");

    if (a == NULL) {
        verify_fail(s, "%s has no arrayType", arg->name);
        return;
    }

    v = type_of(s, node, a->value);
    snprintf(expected, sizeof(expected), "%s[%u]", arg->item, n);

    if (!str_is(v, expected)) {
        verify_fail(s, "%s has the arrayType %.*s, not %s", arg->name,
                    (int) v.len, v.p, expected);
    }
}


static void
check_array(session_t *s, const xml_node_t *node, const arg_t *arg)
{
    unsigned           n = xml_count(node);
    const xml_node_t  *item;
    const arg_t        text = STRING(arg->item, 256);

    check_count(s, node, arg, n);

    if (n < arg->least || (arg->bound && n > arg->bound)) {
        verify_fail(s, "%s has %u items", arg->name, n);
    }

    for (item = node->first; item; item = item->next) {
        if (!str_is(item->name, arg->item)) {
            verify_fail(s, "%s has a %.*s in it", arg->name,
                        (int) item->name.len, item->name.p);

        } else if (arg->fields) {
            check_args(s, item, arg->item, arg->fields);

        } else if (strcmp(arg->item, "string") == 0) {
            check_text(s, item, &text);
        }
    }
}


static void
check_operation(session_t *s, const xml_node_t *node, const arg_t *arg)
{
    size_t             i;
    str_t              type = { "", 0 };
    const xml_attr_t  *a = xml_attr(node, "type");

    (void) arg;

    if (a) {
        type = type_of(s, node, a->value);
    }

    for (i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        if (str_is(type, operations[i].method)) {
            check_args(s, node, operations[i].method, operations[i].args);
            return;
        }
    }

    verify_fail(s, "Operations whose xsi:type is none of CWMP's");
}


static void (*const checks[])(session_t *s, const xml_node_t *node,
    const arg_t *arg) = {
    [TEXT] = check_text,
    [UINT] = check_number,
    [INT] = check_number,
    [BOOL] = check_flag,
    [VALUE] = check_value,
    [ARRAY] = check_array,
    [OPERATION] = check_operation
};


/* All below a method is unqualified. */

static void
check_unqualified(session_t *s, const xml_node_t *node)
{
    const xml_node_t  *child;

    for (child = node->first; child; child = child->next) {
        if (child->prefix.len || xml_namespace(child, child->prefix).len) {
            verify_fail(s, "%.*s is in a namespace", (int) child->name.len,
                        child->name.p);
            return;
        }

        check_unqualified(s, child);
    }
}


/* What is inside, in this order and nothing else; operations are several. */

static void
check_args(session_t *s, const xml_node_t *in, const char *name,
    const arg_t *arg)
{
    const xml_node_t  *node = in->first;

    for ( ; arg->name; arg++) {
        if (node == NULL || !str_is(node->name, arg->name)) {
            if (arg->optional) {
                continue;
            }

            verify_fail(s, "%s has no %s where it belongs", name, arg->name);
            return;
        }

        do {
            if (node->first && arg->shape < ARRAY) {
                verify_fail(s, "%s has elements in it", arg->name);
            }

            checks[arg->shape](s, node, arg);
            node = node->next;
        } while (arg->shape == OPERATION && node
                 && str_is(node->name, arg->name));
    }

    if (node) {
        verify_fail(s, "%s has a %.*s that does not belong there", name,
                    (int) node->name.len, node->name.p);
    }
}


void
verify_method(session_t *s, const xml_node_t *method)
{
    size_t  i;

    check_unqualified(s, method);

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (str_is(method->name, rows[i].method)) {
            check_args(s, method, rows[i].method, rows[i].args);
            break;
        }
    }

    if (str_is(method->name, "InformResponse")
        && !str_is(xml_text(method, "MaxEnvelopes"), "1"))
    {
        verify_fail(s, "MaxEnvelopes is not 1");
    }
}
