/*
 * From an admin's JSON to the RPC that is sent.  The RPC's row in cwmp_rpcs[]
 * says which arguments there are, their types, bounds and defaults; nothing
 * here knows a single RPC but for the tasks that are more than one.  Pure: no
 * nginx, no Redis.
 */

#ifndef CWMP_TASK_H
#define CWMP_TASK_H

#include "cwmp_types.h"
#include "cwmp_rpc.h"
#include "cwmp_secret.h"
#include "cwmp_write.h"


/* a parameter as the device last reported it */
typedef struct {
    cwmp_str_t    name;             /* as the task spells it */
    char          letter;           /* cwmp_type_letter() of its type */
    cwmp_str_t    value;
} cwmp_known_t;


/* what RotateCredentials sets, when there is something to be set */
#define CWMP_CREDENTIALS  4

typedef struct {
    cwmp_str_t    object;           /* "Device.ManagementServer." */
    cwmp_str_t    values[CWMP_CREDENTIALS];     /* name, password; those of
                                                   connection requests */
} cwmp_credentials_t;


/* what the session's state table asks for (redis/lua, "phase") */
typedef struct {
    cwmp_str_t    json;
    cwmp_str_t    phase;            /* "", types, set, verify, compare, check,
                                       confirm, confirmed, names, level; or
                                       "PHASE FROM TO MOST": of the task's list
                                       only these items (TO 0: all), and no
                                       more than that many in a read (0: any
                                       number) */
    cwmp_str_t    instance;         /* of AddObject, in phases after it */
    cwmp_str_t    key;              /* CommandKey or ParameterKey to use when
                                       the task has none */
    cwmp_known_t *known;            /* phases names, level: what is asked for */
    size_t        nknown;
    unsigned      version;          /* of CWMP, that the device speaks: 14 for
                                       1.4; 0 when it is not known */
    unsigned      listed:1;         /* the device says that it can do it */
    const cwmp_credentials_t  *credentials;     /* or NULL, as long as nobody
                                                   has asked for them */
    const cwmp_secret_t *secret;    /* the key file; or NULL */
    cwmp_str_t    id;               /* of the device: what is sealed is its */
    cwmp_str_t    root;             /* goes for an empty path, without its dot;
                                       len 0: the empty path goes */
} cwmp_order_t;


typedef struct {
    const cwmp_rpc_t   *rpc;
    cwmp_node_t        *args;       /* for cwmp_write_request() */
    unsigned            done:1;     /* phases compare, confirmed: the device
                                       has these values; types: there is nothing
                                       to read. Nothing is to be sent */
    unsigned            credentials:1;  /* it lacks those of the order; nothing
                                           is to be sent without them */
    unsigned            clear:1;    /* there is a key, and the task has secrets
                                       that are not sealed */
    cwmp_str_t          split;      /* too much for one message, nothing is to
                                       be sent: "0 120 240 300", where each part
                                       of the list begins, and its end */
    cwmp_str_t          field;      /* REFUSED: which, e.g.
                                       "ParameterList.Device.X" */
    const char         *reason;     /* REFUSED: "is missing", ... */
    cwmp_str_t          lacks;      /* REFUSED: since the key of this name is
                                       not here; len 0: it is no such reason */
} cwmp_task_rpc_t;


/* REFUSED: the task cannot be sent: field and reason say why */
cwmp_rc_t cwmp_task_rpc(cwmp_arena_t *arena, const cwmp_order_t *order,
    cwmp_task_rpc_t *out);


/*
 * The task with its secrets sealed, and with all that is sealed opened.  Seal:
 * empty when there is nothing to seal, or it is no task; open: REFUSED, with
 * *reason, when something does not open.
 */
cwmp_rc_t cwmp_task_seal(const cwmp_secret_t *secret, cwmp_arena_t *arena,
    const cwmp_str_t *id, const cwmp_str_t *json, cwmp_str_t *sealed);
cwmp_rc_t cwmp_task_open(const cwmp_secret_t *secret, cwmp_arena_t *arena,
    const cwmp_str_t *id, const cwmp_str_t *json, cwmp_str_t *opened,
    const char **reason);

/* one letter for each type of a value, as it is stored; 's' for none, 'a' for
   one that is not TR-069's: a set has to give its type */
char cwmp_type_letter(const cwmp_str_t *type);

#endif
