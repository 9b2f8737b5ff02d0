/*
 * Undoes a Content-Encoding (TR-069 A6 3.4.7) while the body arrives: bytes
 * in, pieces of the inflated body out, never more at a time than one piece.
 * Bounded twice: by the size of the whole, and by how much a body may grow,
 * so that a bomb ends after its first few kilobytes.  Pure; zlib does the
 * work.
 */

#ifndef CWMP_INFLATE_H
#define CWMP_INFLATE_H

#include "cwmp_types.h"


typedef enum {
    CWMP_CODING_NONE = 0,           /* "", "identity" */
    CWMP_CODING_GZIP,               /* "gzip", "x-gzip" */
    CWMP_CODING_DEFLATE,            /* "deflate": zlib's format, or without
                                       its header, as some clients send it */
    CWMP_CODING_UNKNOWN             /* any other; also more than one */
} cwmp_coding_t;

/* the value of a Content-Encoding header */
cwmp_coding_t cwmp_coding_parse(const unsigned char *p, size_t len);


#define CWMP_INFLATE_FREE   (1 << 20)   /* bytes that may come of anything */
#define CWMP_INFLATE_RATIO  150         /* beyond them: times what came in */


typedef struct cwmp_inflate_s  cwmp_inflate_t;

/* limit: bytes of the inflated body.  NULL: out of memory.  What zlib needs
   comes from the arena: about 60 KB, however long the body is */
cwmp_inflate_t *cwmp_inflate_create(cwmp_arena_t *arena, cwmp_coding_t coding,
    size_t limit);

/* The next piece: takes from *p, at most to end, and moves it on.  An empty
   piece: all of the input was used.  The piece is good until the next call. */
cwmp_rc_t cwmp_inflate_next(cwmp_inflate_t *z, const unsigned char **p,
    const unsigned char *end, cwmp_str_t *piece);

/* no more input: REFUSED when the body is not whole */
cwmp_rc_t cwmp_inflate_end(cwmp_inflate_t *z);

/* why it was refused, NUL-terminated; and whether it was for its size */
const char *cwmp_inflate_reason(const cwmp_inflate_t *z);
int cwmp_inflate_too_large(const cwmp_inflate_t *z);

#endif
