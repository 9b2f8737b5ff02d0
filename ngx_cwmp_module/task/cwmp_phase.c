/*
 * RPCs that are not the task's own, for tasks of several: reads of what is
 * set, values of a new object, and a read with less of what was asked for.
 * Which phase there is, is said by the state table; each is a row in
 * cwmp_phases[] (cwmp_task.c).
 *
 * stdio.h is here for snprintf() only.
 */

#include <stdio.h>
#include <string.h>

#include "cwmp_build.h"


/* where the object is that AddObject makes: "T.[a]." makes T.17., too */

char *
cwmp_build_instance(cwmp_build_t *b, const char *instance)
{
    char        *table, *alias;
    cwmp_str_t   object;
    const char  *name;

    name = json_string_value(json_object_get(b->task, "ObjectName"));
    object.data = (unsigned char *) (name ? name : "");
    object.len = name ? strlen(name) : 0;

    table = cwmp_build_copy(b, &object);
    if (table == NULL) {
        return NULL;
    }

    alias = strrchr(table, '[');

    if (alias && strcspn(alias, "]") + 2 == strlen(alias)) {
        *alias = '\0';
    }

    return cwmp_build_path(b, table, instance, ".");
}


/* the names and values that the task sets, and below which path */

static json_t *
cwmp_build_target(cwmp_build_t *b, const char **prefix)
{
    char    *instance;
    json_t  *v;

    *prefix = "";

    v = cwmp_json_member(b->task, "values");

    if (v) {
        instance = cwmp_build_copy(b, &b->order->instance);
        *prefix = instance ? cwmp_build_instance(b, instance) : NULL;

        if (*prefix == NULL) {
            return NULL;
        }

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


/* an RPC that is not the task's own; items of its first argument, if any */

cwmp_node_t *
cwmp_build_rpc(cwmp_build_t *b, const char *name, size_t items)
{
    cwmp_node_t  *args;

    b->out->rpc = cwmp_rpc_find((const unsigned char *) name, strlen(name));
    b->out->args = args = cwmp_build_nodes(b, 2);

    if (args == NULL) {
        return NULL;
    }

    args->given = 1;
    args->items = items ? cwmp_build_nodes(b, items) : NULL;

    return (items && args->items == NULL) ? NULL : args;
}


/* a read of what the task sets: of those whose type nobody knows, or of all */

static cwmp_rc_t
cwmp_build_read(cwmp_build_t *b, int all)
{
    char         *path;
    size_t        i;
    json_t       *list, *v;
    const char   *name, *prefix;
    cwmp_node_t  *arg, *item;

    list = cwmp_build_target(b, &prefix);

    if (list == NULL
        || cwmp_build_values(b, "ParameterList", list, prefix, NULL)
           != CWMP_OK)
    {
        return b->rc;
    }

    arg = cwmp_build_rpc(b, "GetParameterValues", json_object_size(list));
    if (arg == NULL) {
        return b->rc;
    }

    memset(&b->cut, 0, sizeof(cwmp_cut_t));
    i = 0;

    json_object_foreach(list, name, v) {

        if (i < b->from || i >= b->to
            || (!all && (cwmp_json_member(v, "type")
                         || cwmp_build_find(b, name))))
        {
            i++;
            continue;
        }

        path = cwmp_build_path(b, prefix, "", name);
        if (path == NULL) {
            return b->rc;
        }

        item = &arg->items[arg->nitems++];
        cwmp_node_text(item, path);

        if (cwmp_cut_name(b, i++, &item->text) != CWMP_OK) {
            return b->rc;
        }
    }

    b->out->done = (arg->nitems == 0);

    return cwmp_cut_end(b, b->from, i < b->to ? i : b->to);
}


cwmp_rc_t
cwmp_phase_types(cwmp_build_t *b, const cwmp_rpc_t *rpc)
{
    (void) rpc;

    return cwmp_build_read(b, 0);
}


cwmp_rc_t
cwmp_phase_read(cwmp_build_t *b, const cwmp_rpc_t *rpc)
{
    (void) rpc;

    return cwmp_build_read(b, 1);
}


/* the names that the state table asks for, not all of the task's */

cwmp_rc_t
cwmp_phase_names(cwmp_build_t *b, const cwmp_rpc_t *rpc)
{
    char         *name;
    size_t        i, n;
    cwmp_node_t  *arg, *item;

    n = b->order->nknown;

    /* what is wrong with the task is said first */

    arg = (cwmp_build_plain(b, rpc) == CWMP_OK)
          ? cwmp_build_rpc(b, "GetParameterValues", n) : NULL;

    if (arg == NULL) {
        return b->rc;
    }

    for (i = 0; i < n; i++) {

        if (b->order->known[i].letter) {
            continue;               /* what is known, not what is asked for */
        }

        name = cwmp_build_copy(b, &b->order->known[i].name);
        if (name == NULL) {
            return b->rc;
        }

        item = &arg->items[arg->nitems++];
        cwmp_node_text(item, name);

        if (cwmp_cut_name(b, arg->nitems - 1, &item->text) != CWMP_OK) {
            return b->rc;
        }
    }

    return cwmp_cut_end(b, 0, arg->nitems);
}


/* what is right below the path that the state table asks for */

cwmp_rc_t
cwmp_phase_level(cwmp_build_t *b, const cwmp_rpc_t *rpc)
{
    char         *path;
    cwmp_node_t  *args;

    args = (cwmp_build_plain(b, rpc) == CWMP_OK)
           ? cwmp_build_rpc(b, "GetParameterNames", 0) : NULL;

    if (args == NULL) {
        return b->rc;
    }

    if (b->order->nknown == 0) {
        return cwmp_build_refuse(b, "task", "has no path to be listed");
    }

    path = cwmp_build_copy(b, &b->order->known[0].name);
    if (path == NULL) {
        return b->rc;
    }

    cwmp_node_text(&args[0], path);
    cwmp_node_text(&args[1], "1");

    return CWMP_OK;
}


/* values for the object that AddObject made */

cwmp_rc_t
cwmp_phase_set(cwmp_build_t *b, const cwmp_rpc_t *rpc)
{
    json_t       *list;
    const char   *prefix, *key;
    cwmp_node_t  *args;

    (void) rpc;

    list = cwmp_build_target(b, &prefix);
    args = list ? cwmp_build_rpc(b, "SetParameterValues", 0) : NULL;
    key = args ? cwmp_build_copy(b, &b->order->key) : NULL;

    if (key == NULL) {
        return b->rc;
    }

    cwmp_node_text(&args[1], key);

    return cwmp_build_values(b, "values", list, prefix, &args[0]);
}


/*
 * What was set with success was read back: does the device have it?  "done" is
 * yes, a refusal names what it has not.
 */

cwmp_rc_t
cwmp_phase_confirmed(cwmp_build_t *b, const cwmp_rpc_t *rpc)
{
    char         *reason, more[40];
    json_t       *list;
    const char   *prefix;
    cwmp_node_t   values;

    (void) rpc;

    memset(&values, 0, sizeof(cwmp_node_t));
    b->out->done = 1;

    list = cwmp_build_target(b, &prefix);
    if (list == NULL) {
        return b->rc;
    }

    if (cwmp_build_values(b, "", list, prefix, &values) != CWMP_OK
        || b->out->done)
    {
        return b->rc;
    }

    snprintf(more, sizeof(more), " and %zu more", b->ndiffer - b->nnamed);

    reason = cwmp_build_path(b, "is set, the device says; read back, other "
                             "values are in: ", b->differ,
                             b->ndiffer > b->nnamed ? more : "");

    return reason ? cwmp_build_refuse(b, cwmp_json_member(b->task, "values")
                                         ? "values" : "ParameterList",
                                      "%s", reason)
                  : b->rc;
}
