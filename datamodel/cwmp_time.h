/*
 * xsd:dateTime: the forms that are accepted, and the one that is sent.
 * Pure: no nginx, no Redis, no core, no clock.
 */

#ifndef CWMP_TIME_H
#define CWMP_TIME_H

#include <stddef.h>


/*
 * text has no blanks around it.  out has room for max(len, 40) + 1 bytes;
 * *outlen is set, no NUL is written.  NULL when good, else what is wrong, as
 * of cwmp_value_canonical(), with *outlen 0.
 */
const char *cwmp_time_canonical(const unsigned char *text, size_t len,
    unsigned char *out, size_t *outlen);

#endif
