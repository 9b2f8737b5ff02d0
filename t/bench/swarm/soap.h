
/* Envelopes of a CPE. */

#ifndef SWARM_SOAP_H
#define SWARM_SOAP_H

#include "buf.h"


void soap_begin(buf_t *b, str_t id, const char *headers);
void soap_end(buf_t *b);
void soap_fault(buf_t *b, str_t id, unsigned code, const buf_t *details);
void soap_fault_code(buf_t *b, unsigned code);      /* and its text */
void soap_element(buf_t *b, const char *name, const char *text, size_t n);
void soap_number(buf_t *b, const char *name, uint64_t n);
void soap_time(buf_t *b, const char *name, uint64_t ns);   /* of clock_ns() */

/* <Name arrayType="TYPE[ and the place where the count goes */
void soap_array(buf_t *b, const char *name, const char *type, size_t n);
void soap_array_end(buf_t *b, const char *name);
void soap_value(buf_t *b, str_t name, const char *type, str_t value);

#endif
