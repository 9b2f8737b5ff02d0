/*
 * Writes CWMP envelopes, straight into buffers that the caller hands out.
 * Conservative form (TR-069 field experience): XML declaration, soap-env and
 * soap-enc and xsd and xsi and cwmp prefixes on the Envelope, double quotes,
 * no white space between elements, explicit end tags for arguments, booleans
 * as 0/1; what a device wants otherwise is in its style.  Knows no nginx and
 * no clock.
 */

#ifndef CWMP_WRITE_H
#define CWMP_WRITE_H

#include "cwmp_types.h"
#include "cwmp_out.h"
#include "cwmp_rpc.h"


/*
 * One argument's value, parallel to the table's rows: text for a scalar; type
 * for CWMP_T_VALUE ("boolean"; written as xsd:boolean); items for arrays and
 * structs: the strings of STRINGS, the fields of a STRUCT, for STRUCTS and
 * VARIANTS one node an entry whose items are the fields, with the name of the
 * variant as its type.  given=0 leaves an OPTIONAL argument out.
 */
typedef struct cwmp_node_s  cwmp_node_t;

struct cwmp_node_s {
    cwmp_str_t        text;
    cwmp_str_t        type;
    cwmp_node_t      *items;
    size_t            nitems;
    unsigned          given:1;
};


/* NULL id: no ID header; a present but empty ID is echoed as empty */

/* a request of ours; args has one node for each row of rpc->request */
cwmp_rc_t cwmp_write_request(cwmp_out_t *out, cwmp_ns_t ns,
    const cwmp_str_t *id, const cwmp_rpc_t *rpc, const cwmp_node_t *args);

/* our response to a CPE's request.  InformResponse gets MaxEnvelopes 1,
   GetRPCMethodsResponse all rows with CWMP_FROM_CPE, KickedResponse an empty
   NextURL; others in this table are empty */
cwmp_rc_t cwmp_write_response(cwmp_out_t *out, cwmp_ns_t ns,
    const cwmp_str_t *id, const cwmp_rpc_t *rpc);

/* code: one of 8000..8899 */
cwmp_rc_t cwmp_write_fault(cwmp_out_t *out, cwmp_ns_t ns,
    const cwmp_str_t *id, unsigned code);

/* a header of this name must be understood, and is not (SOAP 1.1, 4.4.1) */
cwmp_rc_t cwmp_write_not_understood(cwmp_out_t *out, cwmp_ns_t ns,
    const cwmp_str_t *id, const cwmp_str_t *header);

/* the namespace's URI, NUL-terminated */
const char *cwmp_ns_uri(cwmp_ns_t ns);

#endif
