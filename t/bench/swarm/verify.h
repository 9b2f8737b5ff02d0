
/* Whether an ACS' replies are as CWMP wants them. */

#ifndef SWARM_VERIFY_H
#define SWARM_VERIFY_H

#include "cpe.h"


#define ENC_NS  "http://schemas.xmlsoap.org/soap/encoding/"

void verify_http(session_t *s, const http_response_t *r);
void verify_text(session_t *s, const char *p, size_t n);    /* not parsed */
void verify_envelope(session_t *s, const xml_node_t *root);

/* verify_rpc.c: of a method and its arguments; says what is wrong */

void verify_fail(session_t *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void verify_method(session_t *s, const xml_node_t *method);

#endif
