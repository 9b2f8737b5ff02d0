
/* The RPCs on the data model: values, names, attributes, objects. */

#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "rpc.h"
#include "soap.h"


static int
is_partial(str_t path)
{
    return path.len == 0 || path.p[path.len - 1] == '.';
}


static int
is_true(str_t s)
{
    return str_is(s, "1") || str_is_nocase(s, "true");
}


/* ParameterKey becomes what the ACS said with a change. */

static void
set_key(cpe_t *cpe, const xml_node_t *args)
{
    buf_t  path = { NULL, 0, 0 };

    buf_format(&path, "%sManagementServer.ParameterKey", model_root());

    if (model_find(cpe, (str_t) { path.p, path.len })) {
        model_set(cpe, (str_t) { path.p, path.len },
                  xml_text(args, "ParameterKey"));
    }

    buf_free(&path);
}


/* --- SetParameterValues -------------------------------------------------- */

static void
set_fault(buf_t *out, str_t name, unsigned code)
{
    buf_lit(out, "<SetParameterValuesFault>");
    soap_element(out, "ParameterName", name.p, name.len);
    soap_fault_code(out, code);
    buf_lit(out, "</SetParameterValuesFault>");
}


static int
name_compare(const void *one, const void *two)
{
    const str_t  *a = one, *b = two;
    size_t        n = a->len < b->len ? a->len : b->len;
    int           rc = memcmp(a->p, b->p, n);

    return rc ? rc : (a->len > b->len) - (a->len < b->len);
}


static int
has_twice(const xml_node_t *list)
{
    int                twice = 0;
    size_t             n = 0, i;
    str_t             *names = mem_alloc((xml_count(list) + 1)
                                         * sizeof(str_t));
    const xml_node_t  *row;

    for (row = list->first; row; row = row->next) {
        names[n++] = xml_text(row, "Name");
    }

    qsort(names, n, sizeof(str_t), name_compare);

    for (i = 1; i < n; i++) {
        twice |= name_compare(&names[i - 1], &names[i]) == 0;
    }

    free(names);
    return twice;
}


/* All or nothing: checked first, then set. */

unsigned
rpc_set_values(cpe_t *cpe, const xml_node_t *args, buf_t *out)
{
    str_t              type, none = { "", 0 };
    unsigned           code, bad = 0;
    const xml_node_t  *list = xml_child(args, "ParameterList"), *row, *value;
    const xml_attr_t  *attr;

    if (list == NULL || has_twice(list)) {
        return 9003;
    }

    for (row = list->first; row; row = row->next) {
        value = xml_child(row, "Value");
        attr = value ? xml_attr(value, "type") : NULL;
        type = attr ? attr->value : none;
        code = model_check(cpe, xml_text(row, "Name"), type,
                           xml_text(row, "Value"));

        if (code) {
            set_fault(out, xml_text(row, "Name"), code);
            bad++;
        }
    }

    if (bad) {
        return 9003;
    }

    for (row = list->first; row; row = row->next) {
        model_set(cpe, xml_text(row, "Name"), xml_text(row, "Value"));
    }

    set_key(cpe, args);
    soap_number(out, "Status", 0);
    return 0;
}


/* --- reading ------------------------------------------------------------- */

typedef void (*put_t)(cpe_t *cpe, const entry_t *e, buf_t *rows);


static void
put_value(cpe_t *cpe, const entry_t *e, buf_t *rows)
{
    soap_value(rows, str_of(e->path), e->type->name, model_value(cpe, e));
}


static void
put_attributes(cpe_t *cpe, const entry_t *e, buf_t *rows)
{
    size_t       n, i = 0;
    const char  *p = e->access ? e->access : "Subscriber";

    (void) cpe;

    for (n = *p ? 1 : 0; p[i]; i++) {
        n += p[i] == ',';
    }

    buf_lit(rows, "<ParameterAttributeStruct>");
    soap_element(rows, "Name", e->path, strlen(e->path));
    soap_number(rows, "Notification", e->notification);
    soap_array(rows, "AccessList", "xsd:string", n);

    while (n--) {
        i = strcspn(p, ",");
        soap_element(rows, "string", p, i);
        p += i + 1;
    }

    soap_array_end(rows, "AccessList");
    buf_lit(rows, "</ParameterAttributeStruct>");
}


/* Rows of what a name stands for; their number, or -1: no such name. */

static long
put_below(cpe_t *cpe, str_t name, put_t put, buf_t *rows)
{
    long             n = 0;
    const entry_t   *e = NULL;
    model_walk_t     w;

    if (name.len && (e = model_find(cpe, name)) == NULL) {
        return -1;
    }

    if (!is_partial(name)) {
        put(cpe, e, rows);
        return 1;
    }

    model_walk(&w, cpe, name);

    while ((e = model_next(&w)) != NULL) {
        if (e->type) {
            put(cpe, e, rows);
            n++;
        }
    }

    return n;
}


static unsigned
read_list(cpe_t *cpe, const xml_node_t *args, buf_t *out, put_t put,
    const char *type)
{
    long               n, total = 0;
    static buf_t       rows;
    const xml_node_t  *list = xml_child(args, "ParameterNames"), *name;

    if (list == NULL || list->first == NULL) {
        return 9003;
    }

    rows.len = 0;

    for (name = list->first; name; name = name->next) {
        n = put_below(cpe, name->text, put, &rows);

        if (n < 0) {
            return 9005;
        }

        total += n;
    }

    soap_array(out, "ParameterList", type, (size_t) total);
    buf_add(out, rows.p, rows.len);
    soap_array_end(out, "ParameterList");

    if (rows.cap > 1 << 20) {
        buf_free(&rows);
    }

    return 0;
}


unsigned
rpc_get_values(cpe_t *cpe, const xml_node_t *args, buf_t *out)
{
    return read_list(cpe, args, out, put_value, "cwmp:ParameterValueStruct");
}


unsigned
rpc_get_attributes(cpe_t *cpe, const xml_node_t *args, buf_t *out)
{
    return read_list(cpe, args, out, put_attributes,
                     "cwmp:ParameterAttributeStruct");
}


/* --- GetParameterNames --------------------------------------------------- */

static void
put_name(buf_t *rows, const entry_t *e)
{
    buf_lit(rows, "<ParameterInfoStruct>");
    soap_element(rows, "Name", e->path, strlen(e->path));
    soap_number(rows, "Writable", e->writable);
    buf_lit(rows, "</ParameterInfoStruct>");
}


/* Whether it is right below the path, with nothing between. */

static int
is_child(const entry_t *e, size_t prefix)
{
    const char  *dot = strchr(e->path + prefix, '.');

    return e->path[prefix] && (dot == NULL || dot[1] == '\0');
}


unsigned
rpc_get_names(cpe_t *cpe, const xml_node_t *args, buf_t *out)
{
    int              next = is_true(xml_text(args, "NextLevel"));
    str_t            path = xml_text(args, "ParameterPath");
    size_t           n = 0;
    static buf_t     rows;
    const entry_t   *e;
    model_walk_t     w;

    if (path.len && model_find(cpe, path) == NULL) {
        return 9005;
    }

    if (next && !is_partial(path)) {
        return 9003;
    }

    rows.len = 0;
    model_walk(&w, cpe, path);

    while ((e = model_next(&w)) != NULL) {
        if (next && !is_child(e, path.len)) {
            continue;
        }

        if (is_partial(path) || strlen(e->path) == path.len) {
            put_name(&rows, e);
            n++;
        }
    }

    soap_array(out, "ParameterList", "cwmp:ParameterInfoStruct", n);
    buf_add(out, rows.p, rows.len);
    soap_array_end(out, "ParameterList");
    return 0;
}


/* --- SetParameterAttributes ---------------------------------------------- */

static unsigned
attributes_check(cpe_t *cpe, const xml_node_t *row)
{
    str_t  name = xml_text(row, "Name");
    str_t  n = xml_text(row, "Notification");

    if (name.len && model_find(cpe, name) == NULL) {
        return 9005;
    }

    return n.len == 1 && n.p[0] >= '0' && n.p[0] <= '6' ? 0 : 9003;
}


static void
attributes_set(cpe_t *cpe, const xml_node_t *row)
{
    int                notification = -1;
    char              *path;
    buf_t              access = { NULL, 0, 0 };
    str_t              name = xml_text(row, "Name");
    const entry_t     *e;
    model_walk_t       w;
    const xml_node_t  *list = xml_child(row, "AccessList"), *who;

    if (is_true(xml_text(row, "NotificationChange"))) {
        notification = xml_text(row, "Notification").p[0] - '0';
    }

    for (who = list ? list->first : NULL; who; who = who->next) {
        buf_add(&access, who->text.p, who->text.len);
        buf_add(&access, ",", who->next ? 1 : 0);
    }

    buf_add(&access, "", 1);
    model_walk(&w, cpe, name);

    while ((e = model_next(&w)) != NULL) {
        if (e->type && (is_partial(name) || strlen(e->path) == name.len)) {
            path = e->path;
            model_notify(cpe, e, notification,
                         is_true(xml_text(row, "AccessListChange"))
                         ? access.p : NULL);
            model_walk(&w, cpe, str_of(path));  /* the list has moved */
            w.prefix = name;
            model_next(&w);
        }
    }

    buf_free(&access);
}


unsigned
rpc_set_attributes(cpe_t *cpe, const xml_node_t *args, buf_t *out)
{
    unsigned           code;
    const xml_node_t  *list = xml_child(args, "ParameterList"), *row;

    (void) out;

    if (list == NULL || list->first == NULL) {
        return 9003;
    }

    for (row = list->first; row; row = row->next) {
        code = attributes_check(cpe, row);

        if (code) {
            return code;
        }
    }

    for (row = list->first; row; row = row->next) {
        attributes_set(cpe, row);
    }

    return 0;
}


/* --- objects ------------------------------------------------------------- */

unsigned
rpc_add_object(cpe_t *cpe, const xml_node_t *args, buf_t *out)
{
    str_t      name = xml_text(args, "ObjectName");
    unsigned   code;
    uint64_t   instance;

    if (name.len == 0 || !is_partial(name)) {
        return 9005;
    }

    code = model_add(cpe, name, &instance);

    if (code) {
        return code;
    }

    set_key(cpe, args);
    soap_number(out, "InstanceNumber", instance);
    soap_number(out, "Status", 0);
    return 0;
}


unsigned
rpc_delete_object(cpe_t *cpe, const xml_node_t *args, buf_t *out)
{
    str_t      name = xml_text(args, "ObjectName");
    unsigned   code;

    if (name.len == 0 || !is_partial(name)) {
        return 9005;
    }

    code = model_delete(cpe, name);

    if (code) {
        return code;
    }

    set_key(cpe, args);
    soap_number(out, "Status", 0);
    return 0;
}
