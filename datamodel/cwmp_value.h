/*
 * The types of TR-069 values (TR-106, XML Schema simple types): which lexical
 * forms are accepted from an admin or a CPE, and the one form that is sent.
 * Pure: no nginx, no Redis, no core.
 */

#ifndef CWMP_VALUE_H
#define CWMP_VALUE_H

#include <stddef.h>


typedef enum {
    CWMP_V_NONE = 0,                /* not a type's name */
    CWMP_V_STRING,
    CWMP_V_BOOLEAN,
    CWMP_V_INT,
    CWMP_V_LONG,
    CWMP_V_UNSIGNEDINT,
    CWMP_V_UNSIGNEDLONG,
    CWMP_V_DECIMAL,
    CWMP_V_DATETIME,
    CWMP_V_BASE64,
    CWMP_V_HEXBINARY
} cwmp_value_type_t;


/*
 * By local name, with or without a prefix ("xsd:unsignedInt", "boolean"), case
 * ignored, with the aliases met in the field: uint, integer, base64Binary,
 * datetime, ... and without a bound behind it: string(256).
 */
cwmp_value_type_t cwmp_value_type(const unsigned char *name, size_t len);

/* "unsignedInt"; NUL-terminated; NULL for CWMP_V_NONE */
const char *cwmp_value_type_name(cwmp_value_type_t type);

/*
 * Is this text a value of the type, and if so what is sent: booleans as 0/1
 * (accepts 0 1 true false yes no on off in any case), numbers without plus
 * sign, blanks and leading zeros, in the range of 32 or 64 bits; dateTime as
 * YYYY-MM-DDThh:mm:ss[.f]Z (an offset is applied; Unknown and Infinite Time
 * pass); hexBinary in upper case; base64 without line breaks; strings as they
 * are but without characters that XML 1.0 forbids, and valid UTF-8.
 * out has room for max(len, 40) + 1 bytes, *outlen is set, no NUL is needed.
 * NULL when good, else what is wrong, for a message after the field's name:
 * "is not a boolean: use true or false", "is above 4294967295", ...
 */
const char *cwmp_value_canonical(cwmp_value_type_t type,
    const unsigned char *text, size_t len, unsigned char *out, size_t *outlen);

#endif
