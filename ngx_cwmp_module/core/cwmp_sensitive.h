/*
 * What must not be shown to everybody who may read results, events and logs:
 * parameters that are passwords or keys, by their names, and the user in a
 * URL.  One table; t/secrets.t holds that the function library's words
 * (several.SENSITIVE) miss none of it.
 */

#ifndef CWMP_SENSITIVE_H
#define CWMP_SENSITIVE_H

#include "cwmp_types.h"

#define CWMP_HIDDEN  "(hidden)"     /* what is shown instead */


/* of a path, or of a name: what is behind the last dot tells */
int cwmp_sensitive_name(const cwmp_str_t *path);

/* of the first "://USER@" or "://USER:PASSWORD@" of a text: where the part
   before the @ begins, and its length; what is behind it may have more.  0:
   there is none */
int cwmp_sensitive_url(const cwmp_str_t *text, size_t *from, size_t *len);

#endif
