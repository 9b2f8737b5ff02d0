/*
 * Inside of task/: what the files that turn JSON into an RPC's arguments
 * share.  The first refusal stands; after it every call returns at once.
 */

#ifndef CWMP_BUILD_H
#define CWMP_BUILD_H

#include <jansson.h>

#include "cwmp_value.h"
#include "cwmp_task.h"


/* where a list has to be cut, so that each part fits into one message */
typedef struct {
    size_t               bytes;     /* of the part so far */
    size_t               items;
    size_t               cuts;      /* made so far */
    size_t              *at;
    size_t               size;
} cwmp_cut_t;


#define CWMP_TASK_DEPTH  4          /* of what a task can hold */
#define CWMP_DIFFER_MAX  1024
#define CWMP_REASON_MAX  (CWMP_DIFFER_MAX + 256)

typedef struct {
    cwmp_arena_t        *arena;
    const cwmp_order_t  *order;
    cwmp_task_rpc_t     *out;
    json_t              *task;
    json_t              *known;     /* name -> index + 1 in order->known */
    cwmp_str_t           phase;
    size_t               from;      /* of the task's list: items of this part */
    size_t               to;
    size_t               most;      /* names in a read; 0: any number */
    cwmp_cut_t           cut;
    char                *differ;    /* values that the device does not have */
    size_t               ndiffer;
    size_t               nnamed;    /* of them, in differ */
    cwmp_rc_t            rc;
} cwmp_build_t;


typedef cwmp_rc_t (*cwmp_build_pt)(cwmp_build_t *b, const cwmp_rpc_t *rpc);


/* cwmp_task.c: plain is all arguments from the task's JSON */
int cwmp_build_is_phase(const cwmp_build_t *b, const char *phase);
cwmp_rc_t cwmp_build_plain(cwmp_build_t *b, const cwmp_rpc_t *rpc);

/* cwmp_conceal.c: what is sealed, in b->task */
cwmp_rc_t cwmp_build_open(cwmp_build_t *b);

/* cwmp_phase.c */
char *cwmp_build_instance(cwmp_build_t *b, const char *instance);
cwmp_node_t *cwmp_build_rpc(cwmp_build_t *b, const char *name, size_t items);
cwmp_rc_t cwmp_phase_types(cwmp_build_t *b, const cwmp_rpc_t *rpc);
cwmp_rc_t cwmp_phase_read(cwmp_build_t *b, const cwmp_rpc_t *rpc);
cwmp_rc_t cwmp_phase_confirmed(cwmp_build_t *b, const cwmp_rpc_t *rpc);
cwmp_rc_t cwmp_phase_set(cwmp_build_t *b, const cwmp_rpc_t *rpc);
cwmp_rc_t cwmp_phase_names(cwmp_build_t *b, const cwmp_rpc_t *rpc);
cwmp_rc_t cwmp_phase_level(cwmp_build_t *b, const cwmp_rpc_t *rpc);

/* cwmp_rotate.c */
cwmp_rc_t cwmp_rotate(cwmp_build_t *b, const cwmp_rpc_t *rpc);

/* cwmp_build.c: arguments by their rows.  path is the field's name for a
   message; node NULL in cwmp_build_values() only checks */
cwmp_rc_t cwmp_build_args(cwmp_build_t *b, const cwmp_arg_t *arg,
    json_t *object, const char *path, cwmp_node_t *node);
cwmp_rc_t cwmp_build_refuse(cwmp_build_t *b, const char *path,
    const char *reason, ...)
    __attribute__((format(printf, 3, 4)));
json_t *cwmp_json_member(json_t *object, const char *name);
cwmp_rc_t cwmp_build_too_new(cwmp_build_t *b, const char *path,
    unsigned since);
int cwmp_build_is_field(const cwmp_arg_t *args, const char *name);
cwmp_rc_t cwmp_build_canonical(cwmp_build_t *b, cwmp_value_type_t type,
    const char *path, const char *text, size_t len, cwmp_str_t *out);
const char *cwmp_json_text(json_t *v, char *number, size_t size, size_t *len);
char *cwmp_build_path(cwmp_build_t *b, const char *path, const char *sep,
    const char *name);
char *cwmp_build_copy(cwmp_build_t *b, const cwmp_str_t *s);
cwmp_node_t *cwmp_build_nodes(cwmp_build_t *b, size_t n);
void cwmp_node_text(cwmp_node_t *node, const char *text);

/* cwmp_check.c: what is wrong with a text or a number as this argument, with
   the name of what is set, with arguments that are good by themselves */
cwmp_rc_t cwmp_check_scalar(cwmp_build_t *b, const cwmp_arg_t *arg,
    const char *path, const cwmp_str_t *text);
cwmp_rc_t cwmp_check_name(cwmp_build_t *b, const char *path, const char *name);
cwmp_rc_t cwmp_check_args(cwmp_build_t *b, const cwmp_rpc_t *rpc,
    const cwmp_node_t *args);
size_t cwmp_characters(const cwmp_str_t *text);

/* cwmp_cut.c: items of a list, in their order; index is the item's in it. The
   outcome is split, empty when all of it fits into one message */
cwmp_rc_t cwmp_cut_name(cwmp_build_t *b, size_t index, const cwmp_str_t *name);
cwmp_rc_t cwmp_cut_value(cwmp_build_t *b, size_t index, const char *name,
    const cwmp_str_t *value);
cwmp_rc_t cwmp_cut_end(cwmp_build_t *b, size_t from, size_t to);

/* cwmp_values.c: parameters and their values */
cwmp_rc_t cwmp_build_values(cwmp_build_t *b, const char *path, json_t *list,
    const char *prefix, cwmp_node_t *node);
const cwmp_known_t *cwmp_build_find(cwmp_build_t *b, const char *name);

#endif
