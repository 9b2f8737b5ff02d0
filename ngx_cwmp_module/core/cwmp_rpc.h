/*
 * What each RPC looks like, as data: names, order, types and bounds of its
 * arguments, in both directions (TR-069 Amendment 6, Annex A).  The parser,
 * the writer and the check of a task's JSON all walk these rows: a further RPC
 * is a further row in cwmp_rpcs[].  What becomes of a task of it is a row in
 * METHODS (redis/lua), one newer than CWMP 1.0 a row in cwmp_since[].
 */

#ifndef CWMP_RPC_H
#define CWMP_RPC_H

#include "cwmp_types.h"


typedef enum {
    CWMP_T_STRING = 0,
    CWMP_T_BOOLEAN,
    CWMP_T_INT,
    CWMP_T_UINT,
    CWMP_T_DATETIME,
    CWMP_T_BASE64,
    CWMP_T_VALUE,                   /* anySimpleType: text and its xsi:type */
    CWMP_T_STRINGS,                 /* SOAP array of one simple type */
    CWMP_T_STRUCT,                  /* one struct: fields */
    CWMP_T_STRUCTS,                 /* SOAP array of structs: rows of fields */
    CWMP_T_VARIANTS                 /* repeated elements, each of one of several
                                       types: fields are the types, as STRUCTs
                                       with their xsi:type as array_type; item
                                       is the member of a task's object that
                                       names one of them */
} cwmp_type_t;


#define CWMP_REPEATED   0x01        /* repeated elements, not a SOAP array */
#define CWMP_OPTIONAL   0x02        /* left out of the envelope if not given */
#define CWMP_NONEMPTY   0x04        /* an array of at least one item, or a
                                       string of at least one character */
#define CWMP_PATH_DOT   0x08        /* a path that must end with a dot */
#define CWMP_TRIM       0x10        /* a name or code: blanks around its text
                                       never belong to it (received text) */
#define CWMP_URL        0x20        /* an absolute URL without user:password@
                                       (TR-069 A.3.2.8) */
#define CWMP_CHANGE     0x40        /* "is what follows to be changed?": no
                                       field of a task, true when the task has
                                       the argument after it */
#define CWMP_POSITIVE   0x80        /* a number of at least 1 */
#define CWMP_MINUS_ONE  0x100       /* an int that may be -1; without it, in a
                                       task, none is negative */
#define CWMP_UUID       0x200       /* 8-4-4-4-12 hexadecimal digits */
#define CWMP_ENCODED    0x400       /* STRINGS whose items are base64 */
#define CWMP_NAME       0x800       /* a path of the data model: the case of
                                       its root is mended (received text); a
                                       device may want its root for the empty
                                       one */
#define CWMP_INSTANCE   0x1000      /* with PATH_DOT: an object's instance */
#define CWMP_CUT        0x2000      /* for people: cut where it is too long,
                                       not refused (received text) */
#define CWMP_WILDCARD   0x4000      /* with NAME: a "*" may be for instances, if
                                       the device takes that */


typedef struct cwmp_arg_s  cwmp_arg_t;

struct cwmp_arg_s {
    const char        *name;        /* TR-069's own spelling */
    cwmp_type_t        type;
    unsigned           max;         /* characters of the text (of each item for
                                       STRINGS), the largest number, or how many
                                       entries of STRUCTS and VARIANTS; 0: no
                                       bound of its own */
    unsigned           flags;
    const char        *fallback;    /* what a task that leaves the argument out
                                       gets; NULL: the task must give it */
    const char        *item;        /* arrays: "string", "EventStruct", ... */
    const char        *array_type;  /* arrays: "xsd:string", "cwmp:..." */
    const cwmp_arg_t  *fields;      /* STRUCT, STRUCTS: ends with name NULL;
                                       STRING, STRINGS: what the text of a task
                                       may be, as names; NULL: any text */
};

/*
 * In such a name <i> stands for a whole number of at least 1, <id> for all that
 * is left of the line, another word between < and > for one without blanks.
 */

#define CWMP_MAX_FIELDS  16         /* of a struct, and arguments of an RPC;
                                       and cells of a row */

/* Texts of a list inside of a row: each is followed by a NUL, which no text of
   XML has, so that an empty one counts too. */


#define CWMP_FROM_CPE  0x01         /* requests that the ACS serves */
#define CWMP_FROM_ACS  0x02         /* requests that the ACS can send */
#define CWMP_ONCE      0x04         /* of these, what must not happen twice */

typedef struct {
    const char        *name;        /* "GetParameterValues" */
    unsigned           from;        /* CWMP_FROM_*, may be both; CWMP_ONCE */
    const cwmp_arg_t  *request;     /* ends with name NULL */
    const cwmp_arg_t  *response;
} cwmp_rpc_t;


/* ends with name NULL */
extern const cwmp_rpc_t  cwmp_rpcs[];

/*
 * Cells of a row before this field, or of all its fields (NULL): a struct in a
 * row takes as many as it has fields, all else one.
 */
unsigned cwmp_cells(const cwmp_arg_t *fields, const cwmp_arg_t *field);

/* by exact name of the request ("Inform"); NULL when there is no such row */
const cwmp_rpc_t *cwmp_rpc_find(const unsigned char *name, size_t len);


/* the detail of a SOAP Fault: FaultCode, FaultString, SetParameterValuesFault
   rows {ParameterName, FaultCode, FaultString}; walked as an argument list */
extern const cwmp_arg_t  cwmp_fault_detail[];


/* the faults an ACS sends (TR-069 A.5.1): code, "Server" or "Client", text */
typedef struct {
    unsigned           code;
    const char        *type;
    const char        *text;
} cwmp_fault_t;

const cwmp_fault_t *cwmp_fault_find(unsigned code);   /* 8002's for unknown */

#endif
