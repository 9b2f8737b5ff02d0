/*
 * Versions of CWMP (TR-069 A6 3.5.2 and A.6): which one a session has, and
 * what came with which.  A version is a number of two digits, 10 for CWMP 1.0
 * to 14 for CWMP 1.4; 0 stands for one that is not known.  Pure.
 */

#ifndef CWMP_VERSION_H
#define CWMP_VERSION_H

#include "cwmp_envelope.h"

#define CWMP_VERSION_NONE  0
#define CWMP_VERSION_MIN   10
#define CWMP_VERSION_MAX   14


typedef struct {
    unsigned       version;         /* NONE: the CPE speaks none of ours */
    unsigned       negotiated:1;    /* the CPE offered a list: tell it which
                                       one (UseCWMPVersion) */
    cwmp_ns_t      ns;              /* of all that we send in the session */
} cwmp_session_version_t;


/* from the facts of an Inform */
void cwmp_version_choose(const cwmp_facts_t *facts,
    cwmp_session_version_t *v);

/* the version that brought this RPC of ours: MIN for most, and for those that
   are not known */
unsigned cwmp_version_since(const char *method);

#endif
