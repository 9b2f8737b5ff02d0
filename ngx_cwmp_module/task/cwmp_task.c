/*
 * The RPC that a task asks for in its present phase.  Most tasks are one RPC;
 * those of several (a read of types before values are set, values for a new
 * object) are told apart here, by the state table's phase.  All texts are
 * copied to the arena: the JSON tree is gone when this returns.  Must not know
 * nginx, Redis, or a clock.
 *
 * stdio.h is here for snprintf() only.
 */

#include <stdio.h>
#include <string.h>

#include "cwmp_build.h"
#include "cwmp_version.h"


static cwmp_rc_t cwmp_build_known(cwmp_build_t *b);
static const cwmp_rpc_t *cwmp_build_own(cwmp_build_t *b);
static cwmp_rc_t cwmp_build_plain(cwmp_build_t *b, const cwmp_rpc_t *rpc);
static cwmp_rc_t cwmp_build_read(cwmp_build_t *b, int all);
static cwmp_rc_t cwmp_build_set(cwmp_build_t *b);


/* fields that are ours, of any task (redis/cwmp.lua checks them) */
static const char  *cwmp_task_fields[] = {
    "method", "id", "expires", "notBefore", "priority", "wake", "retry",
    "attempts", "note", "new", "after", NULL
};


static int
cwmp_order_is(const cwmp_order_t *order, const char *phase)
{
    return order->phase.len == strlen(phase)
           && memcmp(order->phase.data, phase, order->phase.len) == 0;
}


cwmp_rc_t
cwmp_task_rpc(cwmp_arena_t *arena, const cwmp_order_t *order,
    cwmp_task_rpc_t *out)
{
    json_error_t       error;
    cwmp_build_t       b;
    const cwmp_rpc_t  *rpc;

    memset(out, 0, sizeof(cwmp_task_rpc_t));
    memset(&b, 0, sizeof(cwmp_build_t));
    b.arena = arena;
    b.order = order;
    b.out = out;

    b.task = json_loadb((char *) order->json.data, order->json.len,
                        JSON_REJECT_DUPLICATES, &error);

    if (b.task == NULL && error.text[0] == '\0') {
        return CWMP_ERROR;
    }

    if (b.task == NULL) {
        cwmp_str_t  text = { strlen(error.text), (unsigned char *) error.text };

        out->reason = cwmp_build_copy(&b, &text);
        return cwmp_build_refuse(&b, "task", out->reason ? out->reason : "");
    }

    rpc = NULL;

    if (cwmp_build_known(&b) != CWMP_OK) {
        b.rc = CWMP_ERROR;

    } else {
        rpc = cwmp_build_own(&b);
    }

    if (rpc == NULL) {
        /* refused, or no memory */

    } else if (cwmp_order_is(order, "types")) {
        cwmp_build_read(&b, 0);

    } else if (cwmp_order_is(order, "verify")) {
        cwmp_build_read(&b, 1);

    } else if (cwmp_order_is(order, "set")) {
        cwmp_build_set(&b);

    } else {
        cwmp_build_plain(&b, rpc);
    }

    json_decref(b.known);
    json_decref(b.task);

    return b.rc;
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


/* every member of the task must be ours or one of the RPC's arguments */

static cwmp_rc_t
cwmp_build_members(cwmp_build_t *b, const cwmp_rpc_t *rpc)
{
    json_t      *v;
    const char  *name, **f;

    json_object_foreach(b->task, name, v) {

        for (f = cwmp_task_fields; *f && strcmp(*f, name); f++) { /* void */ }

        if (*f || (!strcmp(name, "values") && !strcmp(rpc->name, "AddObject")))
        {
            continue;
        }

        if (!cwmp_build_is_field(rpc->request, name)) {
            return cwmp_build_refuse(b, name, "is no field of this task");
        }
    }

    return CWMP_OK;
}


/* REFUSED when the device speaks an older CWMP, if that is known */

cwmp_rc_t
cwmp_build_too_new(cwmp_build_t *b, const char *path, unsigned since)
{
    char        text[80];
    cwmp_str_t  reason;

    if (b->order->version == CWMP_VERSION_NONE || b->order->version >= since) {
        return CWMP_OK;
    }

    reason.data = (unsigned char *) text;
    reason.len = snprintf(text, sizeof(text), "needs CWMP %u.%u, the device "
                          "speaks %u.%u", since / 10, since % 10,
                          b->order->version / 10, b->order->version % 10);

    b->out->reason = cwmp_build_copy(b, &reason);

    return cwmp_build_refuse(b, path, b->out->reason ? b->out->reason : "");
}


/* where the object is that AddObject makes: "T.[a]." makes T.17., too */

static char *
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


/*
 * The RPC that the task names.  What can be wrong with the task is found here,
 * before anything is sent, whatever its phase.
 */

static const cwmp_rpc_t *
cwmp_build_own(cwmp_build_t *b)
{
    char              *prefix;
    json_t            *v;
    const char        *method;
    const cwmp_rpc_t  *rpc;

    method = json_string_value(json_object_get(b->task, "method"));
    if (method == NULL) {
        cwmp_build_refuse(b, "method", "is missing, or is not a text");
        return NULL;
    }

    /* an unknown RPC would get fault 9000 at best */

    if (!b->order->listed
        && cwmp_build_too_new(b, "method", cwmp_version_since(method))
           != CWMP_OK)
    {
        return NULL;
    }

    rpc = cwmp_rpc_find((unsigned char *) method, strlen(method));
    if (rpc == NULL || !(rpc->from & CWMP_FROM_ACS)) {
        cwmp_build_refuse(b, "method", "is no RPC that can be sent");
        return NULL;
    }

    if (cwmp_build_members(b, rpc) != CWMP_OK) {
        return NULL;
    }

    /* what follows an AddObject must be good before the object is made */

    v = json_object_get(b->task, "values");
    if (v) {
        prefix = cwmp_build_instance(b, "1");

        if (prefix == NULL
            || cwmp_build_values(b, "values", v, prefix, NULL) != CWMP_OK)
        {
            return NULL;
        }
    }

    return rpc;
}


/* all arguments from the task's JSON */

static cwmp_rc_t
cwmp_build_plain(cwmp_build_t *b, const cwmp_rpc_t *rpc)
{
    int     check;
    size_t  n;

    for (n = 0; rpc->request[n].name; n++) { /* void */ }

    b->out->rpc = rpc;
    b->out->args = cwmp_build_nodes(b, n);
    if (b->out->args == NULL) {
        return b->rc;
    }

    check = cwmp_order_is(b->order, "check");
    b->out->done = check || cwmp_order_is(b->order, "compare");

    if (cwmp_build_args(b, rpc->request, b->task, NULL, b->out->args)
        != CWMP_OK
        || cwmp_check_args(b, rpc, b->out->args) != CWMP_OK)
    {
        return b->rc;
    }

    if (check && !b->out->done) {
        return cwmp_build_refuse(b, "attempts", "are used up, and reading "
                                 "back shows that it was not applied");
    }

    return CWMP_OK;
}


/* the names and values that the task sets, and below which path */

static json_t *
cwmp_build_target(cwmp_build_t *b, const char **prefix)
{
    char    *instance;
    json_t  *v;

    *prefix = "";

    v = json_object_get(b->task, "values");

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

    if (list == NULL
        || cwmp_build_values(b, "ParameterList", list, prefix, NULL)
           != CWMP_OK)
    {
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

        cwmp_node_text(&arg->items[arg->nitems++], path);
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
