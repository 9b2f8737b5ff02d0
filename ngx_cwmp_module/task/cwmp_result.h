/*
 * From what a CPE answered to the JSON that an admin reads: a task's
 * "response" and "fault".  Rows come one by one, as they are parsed; over a
 * bound only their count and a beginning are kept.  Pure: no nginx, no Redis.
 */

#ifndef CWMP_RESULT_H
#define CWMP_RESULT_H

#include "cwmp_types.h"
#include "cwmp_envelope.h"

#define CWMP_RESULT_MAX  65536      /* bytes of JSON kept of a response */


typedef struct {
    cwmp_arena_t       *arena;
    unsigned char      *data;
    size_t              len;
    size_t              size;
    const cwmp_arg_t   *list;       /* the array that the rows belong to */
    size_t              rows;       /* seen */
    unsigned            fault;      /* of what is told as complete: its fault's
                                       code, the first one of several results;
                                       0 only when it says so */
    const char         *why;        /* none could be read: what was there */
    unsigned            cut:1;      /* more than was kept */
    unsigned            repaired:1; /* of what was not kept, some */
    unsigned            failed:1;   /* out of memory */
} cwmp_result_t;


void cwmp_result_init(cwmp_result_t *result, cwmp_arena_t *arena);

/* one row of the answer's array; rows of a second array are not kept */
cwmp_rc_t cwmp_result_row(cwmp_result_t *result, const cwmp_row_t *row);

/*
 * The whole: {"ParameterList":[{"Name":...},...],"Status":0} with the names of
 * the RPC's row, "count" and "truncated" when rows were left out; for a fault
 * {"FaultCode":9003,"FaultString":...,"SetParameterValuesFault":[...]}.  What
 * is told as complete without a code that can be read counts as 9002, and has
 * a "reason"; result->fault is then set.
 */
cwmp_rc_t cwmp_result_json(cwmp_result_t *result, const cwmp_envelope_t *e,
    cwmp_str_t *json);

#endif
