
/*
 * What is inside of each message that an ACS may send: arguments, in the
 * order of the schema, with their types and bounds.  To add an RPC, add its
 * row.
 */

#include <stdio.h>
#include <string.h>

#include "verify.h"


typedef enum { TEXT, UINT, INT, BOOL, ARRAY, OPERATIONS } shape_t;

typedef struct {
    const char  *name;
    shape_t      shape;
    unsigned     bound;             /* characters; of an array: most items */
    const char  *item;
    const char  *type;              /* of the array, without its prefix */
    const char  *fields;            /* of an item, in order */
    unsigned     least;             /* items */
} arg_t;

typedef struct {
    const char  *method;
    arg_t        args[11];
} row_t;

#define KEY       { "CommandKey", TEXT, 32, NULL, NULL, NULL, 0 }
#define PARAM_KEY { "ParameterKey", TEXT, 32, NULL, NULL, NULL, 0 }
#define STRING(name, bound)  { name, TEXT, bound, NULL, NULL, NULL, 0 }
#define NUMBER(name)         { name, UINT, 0, NULL, NULL, NULL, 0 }
#define FLAG(name)           { name, BOOL, 0, NULL, NULL, NULL, 0 }
#define LIST(name, item, type, fields, least, most)                          \
                             { name, ARRAY, most, item, type, fields, least }
#define FILE_ARGS                                                            \
    KEY, STRING("FileType", 64), STRING("URL", 256),                         \
    STRING("Username", 256), STRING("Password", 256)
#define NAMES  LIST("ParameterNames", "string", "string", NULL, 1, 0)


static const row_t  rows[] = {
    { "InformResponse", { NUMBER("MaxEnvelopes") } },
    { "GetRPCMethodsResponse",
      { LIST("MethodList", "string", "string", NULL, 1, 0) } },
    { "TransferCompleteResponse", { { 0 } } },
    { "DUStateChangeCompleteResponse", { { 0 } } },
    { "GetRPCMethods", { { 0 } } },
    { "SetParameterValues",
      { LIST("ParameterList", "ParameterValueStruct", "ParameterValueStruct",
             "Name Value", 1, 0), PARAM_KEY } },
    { "GetParameterValues", { NAMES } },
    { "GetParameterNames",
      { STRING("ParameterPath", 256), FLAG("NextLevel") } },
    { "SetParameterAttributes",
      { LIST("ParameterList", "SetParameterAttributesStruct",
             "SetParameterAttributesStruct", "Name NotificationChange "
             "Notification AccessListChange AccessList", 1, 0) } },
    { "GetParameterAttributes", { NAMES } },
    { "AddObject", { STRING("ObjectName", 256), PARAM_KEY } },
    { "DeleteObject", { STRING("ObjectName", 256), PARAM_KEY } },
    { "Reboot", { KEY } },
    { "Download",
      { FILE_ARGS, NUMBER("FileSize"), STRING("TargetFileName", 256),
        NUMBER("DelaySeconds"), STRING("SuccessURL", 256),
        STRING("FailureURL", 256) } },
    { "ScheduleDownload",
      { FILE_ARGS, NUMBER("FileSize"), STRING("TargetFileName", 256),
        LIST("TimeWindowList", "TimeWindowStruct", "TimeWindowStruct",
             "WindowStart WindowEnd WindowMode UserMessage MaxRetries", 1,
             2) } },
    { "Upload", { FILE_ARGS, NUMBER("DelaySeconds") } },
    { "FactoryReset", { { 0 } } },
    { "ScheduleInform", { NUMBER("DelaySeconds"), KEY } },
    { "CancelTransfer", { KEY } },
    { "GetQueuedTransfers", { { 0 } } },
    { "GetAllQueuedTransfers", { { 0 } } },
    { "ChangeDUState",
      { { "Operations", OPERATIONS, 0, NULL, NULL, NULL, 1 }, KEY } },
    { "SetVouchers",
      { LIST("VoucherList", "base64", "base64", NULL, 1, 0) } },
    { "GetOptions", { STRING("OptionName", 64) } }
};


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
    size_t  i;

    for (i = 0; i < node->text.len; i++) {
        if (node->text.p[i] < '0' || node->text.p[i] > '9') {
            break;
        }
    }

    if (i == 0 || i < node->text.len || i > 10) {
        verify_fail(s, "%s is no unsignedInt", arg->name);
    }
}


static void
check_flag(session_t *s, const xml_node_t *node, const arg_t *arg)
{
    if (!str_is(node->text, "0") && !str_is(node->text, "1")) {
        verify_fail(s, "%s is neither 0 nor 1", arg->name);
    }
}


/* Fields of a struct, as names with blanks between, in this order. */

static void
check_fields(session_t *s, const xml_node_t *item, const char *fields)
{
    char               name[64];
    size_t             n;
    const xml_node_t  *f = item->first;

    while (*fields) {
        n = strcspn(fields, " ");
        snprintf(name, sizeof(name), "%.*s", (int) n, fields);

        if (f == NULL || !str_is(f->name, name)) {
            verify_fail(s, "%.*s has no %s where it belongs",
                        (int) item->name.len, item->name.p, name);
            return;
        }

        if (strcmp(name, "Value") == 0 && xml_attr(f, "type") == NULL) {
            verify_fail(s, "a Value without xsi:type");
        }

        f = f->next;
        fields += n + strspn(fields + n, " ");
    }

    if (f) {
        verify_fail(s, "%.*s has a %.*s that does not belong there",
                    (int) item->name.len, item->name.p, (int) f->name.len,
                    f->name.p);
    }
}


static void
check_count(session_t *s, const xml_node_t *node, const char *name,
    const char *type)
{
    char               expected[96];
    str_t              v;
    const char        *colon;
    const xml_attr_t  *a = xml_attr(node, "arrayType");

    if (a == NULL) {
        verify_fail(s, "%s has no arrayType", name);
        return;
    }

    v = a->value;
    colon = memchr(v.p, ':', v.len);

    if (colon) {
        v.len -= (size_t) (colon + 1 - v.p);
        v.p = colon + 1;
    }

    snprintf(expected, sizeof(expected), "%s[%u]", type, xml_count(node));

    if (!str_is(v, expected)) {
        verify_fail(s, "%s has the arrayType %.*s, not %s", name, (int) v.len,
                    v.p, expected);
    }
}


static void
check_array(session_t *s, const xml_node_t *node, const arg_t *arg)
{
    unsigned           n = xml_count(node);
    const xml_node_t  *item, *access;

    check_count(s, node, arg->name, arg->type);

    if (n < arg->least || (arg->bound && n > arg->bound)) {
        verify_fail(s, "%s has %u items", arg->name, n);
    }

    for (item = node->first; item; item = item->next) {
        if (!str_is(item->name, arg->item)) {
            verify_fail(s, "%s has a %.*s in it", arg->name,
                        (int) item->name.len, item->name.p);
            continue;
        }

        if (arg->fields) {
            check_fields(s, item, arg->fields);
        }

        access = xml_child(item, "AccessList");

        if (access) {
            check_count(s, access, "AccessList", "string");
        }
    }
}


static void
check_operation(session_t *s, const xml_node_t *node, const arg_t *arg)
{
    (void) arg;

    if (xml_attr(node, "type") == NULL) {
        verify_fail(s, "Operations without xsi:type");
    }
}


static void (*const checks[])(session_t *s, const xml_node_t *node,
    const arg_t *arg) = {
    [TEXT] = check_text,
    [UINT] = check_number,
    [INT] = check_number,
    [BOOL] = check_flag,
    [ARRAY] = check_array,
    [OPERATIONS] = check_operation
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


static void
check_args(session_t *s, const xml_node_t *method, const row_t *row)
{
    size_t             i;
    const arg_t       *arg;
    const xml_node_t  *node = method->first;

    for (i = 0; i < 11 && row->args[i].name; i++) {
        arg = &row->args[i];

        if (node == NULL || !str_is(node->name, arg->name)) {
            verify_fail(s, "%s has no %s where it belongs", row->method,
                        arg->name);
            return;
        }

        do {
            checks[arg->shape](s, node, arg);
            node = node->next;
        } while (arg->shape == OPERATIONS && node
                 && str_is(node->name, arg->name));
    }

    if (node) {
        verify_fail(s, "%s has a %.*s that does not belong there",
                    row->method, (int) node->name.len, node->name.p);
    }
}


void
verify_method(session_t *s, const xml_node_t *method)
{
    size_t  i;

    check_unqualified(s, method);

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (str_is(method->name, rows[i].method)) {
            check_args(s, method, &rows[i]);
            break;
        }
    }

    if (str_is(method->name, "InformResponse")
        && !str_is(xml_text(method, "MaxEnvelopes"), "1"))
    {
        verify_fail(s, "MaxEnvelopes is not 1");
    }
}
