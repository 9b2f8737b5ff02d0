
/* What a CPE answers to the RPCs of an ACS. */

#ifndef SWARM_RPC_H
#define SWARM_RPC_H

#include "cpe.h"


/* writes what is inside of the response; or a fault's details, and its code */
typedef unsigned (*rpc_do_t)(cpe_t *cpe, const xml_node_t *args, buf_t *out);

typedef struct {
    const char  *name;
    rpc_do_t     run;
    int          kind;              /* of the response, for stats */
} rpc_t;


void rpc_init(void);

/* writes the answer; returns what kind of message it is */
int rpc_answer(cpe_t *cpe, const xml_node_t *request, str_t id, buf_t *out);

/* rpc_model.c */
unsigned rpc_set_values(cpe_t *cpe, const xml_node_t *args, buf_t *out);
unsigned rpc_get_values(cpe_t *cpe, const xml_node_t *args, buf_t *out);
unsigned rpc_get_names(cpe_t *cpe, const xml_node_t *args, buf_t *out);
unsigned rpc_set_attributes(cpe_t *cpe, const xml_node_t *args, buf_t *out);
unsigned rpc_get_attributes(cpe_t *cpe, const xml_node_t *args, buf_t *out);
unsigned rpc_add_object(cpe_t *cpe, const xml_node_t *args, buf_t *out);
unsigned rpc_delete_object(cpe_t *cpe, const xml_node_t *args, buf_t *out);

/* rpc_later.c */
unsigned rpc_reboot(cpe_t *cpe, const xml_node_t *args, buf_t *out);
unsigned rpc_factory_reset(cpe_t *cpe, const xml_node_t *args, buf_t *out);
unsigned rpc_schedule_inform(cpe_t *cpe, const xml_node_t *args, buf_t *out);
unsigned rpc_download(cpe_t *cpe, const xml_node_t *args, buf_t *out);
unsigned rpc_schedule_download(cpe_t *cpe, const xml_node_t *args,
    buf_t *out);
unsigned rpc_upload(cpe_t *cpe, const xml_node_t *args, buf_t *out);
unsigned rpc_cancel(cpe_t *cpe, const xml_node_t *args, buf_t *out);
unsigned rpc_queued(cpe_t *cpe, const xml_node_t *args, buf_t *out);
unsigned rpc_all_queued(cpe_t *cpe, const xml_node_t *args, buf_t *out);
unsigned rpc_change_units(cpe_t *cpe, const xml_node_t *args, buf_t *out);

#endif
