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
static cwmp_rc_t cwmp_build_members(cwmp_build_t *b, const cwmp_arg_t *args,
    const char *values);
static const cwmp_rpc_t *cwmp_build_own(cwmp_build_t *b);
static cwmp_rc_t cwmp_build_whole(cwmp_build_t *b, const cwmp_rpc_t *rpc);
static cwmp_rc_t cwmp_build_split(cwmp_build_t *b, const cwmp_rpc_t *rpc);


/* "" too: what is no other phase is the task's own RPC */
static const struct {
    const char        *phase;
    cwmp_build_pt      build;
} cwmp_phases[] = {
    { "types", cwmp_phase_types },
    { "verify", cwmp_phase_read },
    { "confirm", cwmp_phase_read },
    { "confirmed", cwmp_phase_confirmed },
    { "set", cwmp_phase_set },
    { "names", cwmp_phase_names },
    { "level", cwmp_phase_level },
    { "compare", cwmp_build_whole },
    { "check", cwmp_build_whole }
};


/* tasks that are no RPC of their name; these have no fields but ours */
static const struct {
    const char        *method;
    cwmp_build_pt      build;
} cwmp_tasks[] = {
    { "RotateCredentials", cwmp_rotate }
};

static const cwmp_arg_t  cwmp_no_args[] = { { 0 } };


/* fields that are ours, of any task (redis/lua checks them) */
static const char  *cwmp_task_fields[] = {
    "method", "id", "expires", "notBefore", "priority", "wake", "retry",
    "attempts", "note", "new", "after", NULL
};


int
cwmp_build_is_phase(const cwmp_build_t *b, const char *phase)
{
    return b->phase.len == strlen(phase)
           && memcmp(b->phase.data, phase, b->phase.len) == 0;
}


/* "PHASE FROM TO MOST"; the numbers may lack */

static void
cwmp_order_phase(cwmp_build_t *b, const cwmp_order_t *order)
{
    size_t         i, n, number[3];
    unsigned char  ch;

    memset(number, 0, sizeof(number));
    b->phase = order->phase;

    for (i = 0, n = 0; i < order->phase.len; i++) {
        ch = order->phase.data[i];

        if (ch == ' ') {
            b->phase.len = n ? b->phase.len : i;
            n++;

        } else if (n && n <= 3 && ch >= '0' && ch <= '9'
                   && number[n - 1] < 1000000)
        {
            number[n - 1] = number[n - 1] * 10 + (ch - '0');
        }
    }

    b->from = number[0];
    b->to = number[1] ? number[1] : (size_t) -1;
    b->most = number[2];
}


static cwmp_build_pt
cwmp_build_phase(const cwmp_build_t *b)
{
    size_t  i;

    for (i = 0; i < sizeof(cwmp_phases) / sizeof(cwmp_phases[0]); i++) {
        if (cwmp_build_is_phase(b, cwmp_phases[i].phase)) {
            return cwmp_phases[i].build;
        }
    }

    return cwmp_build_whole;
}


/* NULL: its method is an RPC */

static cwmp_build_pt
cwmp_build_no_rpc(const cwmp_build_t *b)
{
    size_t       i;
    const char  *method;

    method = json_string_value(json_object_get(b->task, "method"));

    for (i = 0; method && i < sizeof(cwmp_tasks) / sizeof(cwmp_tasks[0]); i++) {
        if (strcmp(method, cwmp_tasks[i].method) == 0) {
            return cwmp_tasks[i].build;
        }
    }

    return NULL;
}


/* where a number is that JSON has and 64 bits have not; NULL: nowhere */

static char *
cwmp_build_too_big(cwmp_build_t *b, json_t *v, int depth)
{
    char        *p, n[32];
    size_t       i;
    json_t      *item;
    const char  *name;

    if (json_is_real(v) && (json_real_value(v) >= 9223372036854775808.0
                            || json_real_value(v) <= -9223372036854775808.0))
    {
        return cwmp_build_path(b, "", "", "");
    }

    if (depth == 0) {
        return NULL;
    }

    json_object_foreach(v, name, item) {
        p = cwmp_build_too_big(b, item, depth - 1);
        if (p) {
            return cwmp_build_path(b, name, (*p && *p != '[') ? "." : "", p);
        }
    }

    json_array_foreach(v, i, item) {
        p = cwmp_build_too_big(b, item, depth - 1);
        if (p) {
            snprintf(n, sizeof(n), "[%zu]", i);
            return cwmp_build_path(b, n, (*p && *p != '[') ? "." : "", p);
        }
    }

    return NULL;
}


static cwmp_rc_t
cwmp_build_no_json(cwmp_build_t *b, const json_error_t *error)
{
    char        *field;
    const char  *near;

    switch (json_error_code(error)) {

    case json_error_numeric_overflow:
        b->task = json_loadb((char *) b->order->json.data, b->order->json.len,
                             JSON_REJECT_DUPLICATES|JSON_DECODE_INT_AS_REAL,
                             NULL);
        field = cwmp_build_too_big(b, b->task, CWMP_TASK_DEPTH);
        json_decref(b->task);

        if (field) {
            return cwmp_build_refuse(b, field, "has more digits than a number "
                                     "may have: write it as a text");
        }

        break;

    case json_error_null_character:
    case json_error_null_byte_in_key:
        return cwmp_build_refuse(b, "task", "has \\u0000, which no message "
                                 "of CWMP can carry");

    default:
        break;
    }

    /* without what is near: it may be a secret */

    near = strstr(error->text, " near ");

    if (near == NULL) {
        near = error->text + strlen(error->text);
    }

    return cwmp_build_refuse(b, "task", "%.*s", (int) (near - error->text),
                             error->text);
}


cwmp_rc_t
cwmp_task_rpc(cwmp_arena_t *arena, const cwmp_order_t *order,
    cwmp_task_rpc_t *out)
{
    json_error_t       error;
    cwmp_build_t       b;
    cwmp_build_pt      build;
    const cwmp_rpc_t  *rpc;

    memset(out, 0, sizeof(cwmp_task_rpc_t));
    memset(&b, 0, sizeof(cwmp_build_t));
    b.arena = arena;
    b.order = order;
    b.out = out;
    cwmp_order_phase(&b, order);

    b.task = json_loadb((char *) order->json.data, order->json.len,
                        JSON_REJECT_DUPLICATES, &error);

    if (b.task == NULL && error.text[0] == '\0') {
        return CWMP_ERROR;
    }

    if (b.task == NULL) {
        return cwmp_build_no_json(&b, &error);
    }

    rpc = NULL;
    build = cwmp_build_no_rpc(&b);

    if (cwmp_build_known(&b) != CWMP_OK) {
        b.rc = CWMP_ERROR;

    } else if (build) {
        if (cwmp_build_members(&b, cwmp_no_args, NULL) == CWMP_OK) {
            build(&b, NULL);
        }

    } else if (cwmp_build_open(&b) == CWMP_OK) {
        rpc = cwmp_build_own(&b);
    }

    if (rpc) {
        cwmp_build_phase(&b)(&b, rpc);
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


/* every member of the task must be ours, one of the RPC's arguments, or this */

static cwmp_rc_t
cwmp_build_members(cwmp_build_t *b, const cwmp_arg_t *args,
    const char *values)
{
    json_t      *v;
    const char  *name, **f;

    json_object_foreach(b->task, name, v) {

        for (f = cwmp_task_fields; *f && strcmp(*f, name); f++) { /* void */ }

        if (*f || (values && !strcmp(name, values))) {
            continue;
        }

        if (!cwmp_build_is_field(args, name)) {
            return cwmp_build_refuse(b, name, "is no field of this task");
        }
    }

    return CWMP_OK;
}


/* REFUSED when the device speaks an older CWMP, if that is known */

cwmp_rc_t
cwmp_build_too_new(cwmp_build_t *b, const char *path, unsigned since)
{
    if (b->order->version == CWMP_VERSION_NONE || b->order->version >= since) {
        return CWMP_OK;
    }

    return cwmp_build_refuse(b, path, "needs CWMP %u.%u, the device speaks "
                             "%u.%u", since / 10, since % 10,
                             b->order->version / 10, b->order->version % 10);
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

    if (cwmp_build_members(b, rpc->request,
                           strcmp(rpc->name, "AddObject") ? NULL : "values")
        != CWMP_OK)
    {
        return NULL;
    }

    /* what follows an AddObject must be good before the object is made */

    v = cwmp_json_member(b->task, "values");
    if (v) {
        prefix = cwmp_build_instance(b, "1");

        if (prefix == NULL
            || cwmp_build_values(b, "values", v, prefix, NULL) != CWMP_OK)
        {
            return NULL;
        }

        /* the object and its values are one thing: no part of them is */

        if (b->cut.cuts) {
            cwmp_build_refuse(b, "values", "are more than a message of 32 KB "
                              "can hold: set the rest by another task");
            return NULL;
        }

        memset(&b->cut, 0, sizeof(cwmp_cut_t));
    }

    return rpc;
}


/* all arguments from the task's JSON */

cwmp_rc_t
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

    check = cwmp_build_is_phase(b, "check");
    b->out->done = check || cwmp_build_is_phase(b, "compare");

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


/*
 * Lists of what is set or read may be longer than a message: what is set was
 * counted when it was built.
 */

static cwmp_rc_t
cwmp_build_split(cwmp_build_t *b, const cwmp_rpc_t *rpc)
{
    size_t              i;
    const cwmp_node_t  *list;

    list = b->out->args;

    if (strcmp(rpc->name, "SetParameterValues") == 0) {
        return cwmp_cut_end(b, b->from, b->from + list->nitems);
    }

    if (strcmp(rpc->name, "GetParameterValues") != 0) {
        return CWMP_OK;
    }

    for (i = 0; i < list->nitems; i++) {
        if (cwmp_cut_name(b, i, &list->items[i].text) != CWMP_OK) {
            return b->rc;
        }
    }

    return cwmp_cut_end(b, 0, list->nitems);
}


/* the task's own RPC, or in parts, or nothing when the device has the values */

static cwmp_rc_t
cwmp_build_whole(cwmp_build_t *b, const cwmp_rpc_t *rpc)
{
    if (cwmp_build_plain(b, rpc) != CWMP_OK || b->out->done) {
        return b->rc;
    }

    return cwmp_build_split(b, rpc);
}
