/*
 * Reads one CWMP envelope as it arrives, in pieces of any size, and leaves
 * facts: what kind of message, its ID, its scalar arguments; rows of arrays
 * are handed to the caller as they complete, so that a message of any length
 * needs the same memory.  Pure: reads no clock, keeps nothing of the input,
 * knows neither nginx nor Redis.  (TR-069 A6 3.4, 3.5; SOAP 1.1)
 */

#ifndef CWMP_ENVELOPE_H
#define CWMP_ENVELOPE_H

#include "cwmp_types.h"
#include "cwmp_rpc.h"


typedef enum {
    CWMP_EMPTY = 0,                 /* no bytes, blanks or NULs only, or an
                                       Envelope with an empty Body */
    CWMP_REQUEST,
    CWMP_RESPONSE,
    CWMP_FAULT
} cwmp_kind_t;


/*
 * What was read.  All strings live in the arena.  "values" holds the text of
 * scalar arguments in the order of a depth-first walk over the scalar leaves
 * outside arrays; ask with cwmp_envelope_value().
 */
typedef struct {
    cwmp_kind_t         kind;
    const cwmp_rpc_t   *rpc;        /* NULL: no row of that name */
    cwmp_str_t          method;     /* as sent, local name: "InformResponse" */
    cwmp_str_t          id;         /* text of the ID header */
    unsigned            has_id:1;
    unsigned            has_ns:1;   /* a CWMP namespace was recognised */
    cwmp_ns_t           ns;
    unsigned            fault_code; /* FAULT: 9002 when detail is missing */
    cwmp_str_t          fault_text; /* FAULT: FaultString, else faultstring */
    unsigned            session_timeout;    /* header of that name; 0: none */
    unsigned            has_session_timeout:1;
    unsigned            has_versions:1;
    cwmp_str_t          versions;   /* SupportedCWMPVersions, as sent */
    cwmp_str_t          not_understood;     /* the first header that is not
                                               ours and must be understood */
    const char         *misplaced;  /* a header that only an ACS sends */
    size_t              rows;       /* how many rows were handed over */
    size_t              repaired;   /* values that were, of rows and others */
    unsigned            flagged:1;  /* one of them is in no row with a flag */
    size_t              unresolved; /* references (href) to what never came */
    unsigned            extra:1;    /* more than blanks after the envelope */
} cwmp_facts_t;


/*
 * One completed row of an array: cells in the order of arg->fields, those of
 * a struct among them in its place (cwmp_cells()), a list of texts as one cell
 * (CWMP_MAX_FIELDS); or one cell for a STRINGS array.  Valid during the call
 * only.  type is the local name of xsi:type of the CWMP_T_VALUE cell ("string"
 * when there was none).
 */
typedef struct {
    const cwmp_arg_t   *arg;        /* ParameterList, Event, MethodList, ...;
                                       SetParameterValuesFault in a fault */
    cwmp_str_t          cells[CWMP_MAX_FIELDS];
    cwmp_str_t          type;
    unsigned            repaired:1; /* a cell is not quite what was sent */
} cwmp_row_t;

/* CWMP_OK to go on; CWMP_ERROR stops the parse with that result; CWMP_REFUSED
   likewise (the callback may leave a reason with cwmp_envelope_refuse()) */
typedef cwmp_rc_t (*cwmp_row_pt)(void *data, const cwmp_row_t *row);


typedef struct {
    size_t              bytes;      /* of the whole envelope */
    size_t              text;       /* of one element's text: 64 KB or more */
    unsigned            depth;      /* of elements: 32 is plenty */
} cwmp_limits_t;

extern const cwmp_limits_t  cwmp_default_limits;   /* 32 MB, 256 KB, 32 */


typedef struct cwmp_envelope_s  cwmp_envelope_t;

/* NULL: out of memory.  The object lives in the arena, libxml2's part does
   not: cwmp_envelope_free() must be called once, at any time after. */
cwmp_envelope_t *cwmp_envelope_create(cwmp_arena_t *arena,
    const cwmp_limits_t *limits, cwmp_row_pt row, void *data);
void cwmp_envelope_free(cwmp_envelope_t *e);

/* what the HTTP header says; before the first byte.  It outweighs the XML
   declaration when it is UTF-8 or Latin-1, and is ignored when it is not */
void cwmp_envelope_charset(cwmp_envelope_t *e, const unsigned char *name,
    size_t len);

/* any number of bytes, also 0.  After CWMP_REFUSED the first error stands and
   further bytes are ignored at once (they cost nothing). */
cwmp_rc_t cwmp_envelope_feed(cwmp_envelope_t *e, const unsigned char *p,
    size_t n);

/* no more bytes: CWMP_OK means that the facts are complete */
cwmp_rc_t cwmp_envelope_end(cwmp_envelope_t *e);

const cwmp_facts_t *cwmp_envelope_facts(const cwmp_envelope_t *e);

/* text of a scalar argument by its path: "CommandKey", or "DeviceId.OUI".
   Empty string when it was not sent.  Never NULL. */
const cwmp_str_t *cwmp_envelope_value(const cwmp_envelope_t *e,
    const char *path);

/* why it was refused: one sentence for a log line and for the HTTP body, NUL-
   terminated, printable ASCII, at most 200 characters, naming the element and
   the bound: "DOCTYPE is not allowed", "body is not XML: starts with 'AAAA'",
   "element text over 262144 bytes in ParameterList[3].Value",
   "not well-formed XML at line 3: ..." */
const char *cwmp_envelope_reason(const cwmp_envelope_t *e);

/* for row callbacks: refuse with this reason (printf format) */
cwmp_rc_t cwmp_envelope_refuse(cwmp_envelope_t *e, const char *fmt, ...);

#endif
