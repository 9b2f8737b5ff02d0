/*
 * Bounds that libxml2 does not have.  Looks at the bytes of a document before
 * libxml2 sees them, and stops at the first that opens a DOCTYPE, or makes a
 * tag, comment, reference or CDATA section longer, or a tag richer in
 * attributes, than any CWMP message needs: libxml2 gathers each of those in
 * memory, and compares every attribute of a tag with every other.  Pure.
 */

#ifndef CWMP_GUARD_H
#define CWMP_GUARD_H

#include "cwmp_types.h"

#define CWMP_GUARD_TAG         16384    /* bytes of a tag */
#define CWMP_GUARD_ATTRIBUTES  32       /* of a tag */
#define CWMP_GUARD_COMMENT     65536    /* bytes, also of a PI */
#define CWMP_GUARD_REFERENCE   64       /* bytes from & to ; */


typedef struct {
    unsigned          state;
    unsigned          seen;         /* of the mark that ends this token */
    unsigned          attributes;   /* of this tag */
    unsigned char     quote;
    unsigned char     mark;
    size_t            run;          /* bytes of this token so far */
    size_t            cdata;        /* bound of a CDATA section */
} cwmp_guard_t;


void cwmp_guard_init(cwmp_guard_t *g, size_t cdata);

/* how many of the n bytes are good; when it is less, *why says what the next
   one is part of, and the guard must not be used again */
size_t cwmp_guard_scan(cwmp_guard_t *g, const unsigned char *p, size_t n,
    const char **why);

#endif
