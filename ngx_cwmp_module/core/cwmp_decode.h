/*
 * Bytes of an encoding of other days to UTF-8, before the repair sees them.
 * Which encodings there are is a table: what CPEs and their vendors use, each
 * with ASCII as ASCII, none with a state.  A byte that is none of its encoding
 * goes on as it is; the repair reads it as Latin-1 then, and flags it.  Pure
 * but for iconv() of the C library, which may load a table from disk when an
 * encoding is met for the first time.
 */

#ifndef CWMP_DECODE_H
#define CWMP_DECODE_H

#include "cwmp_types.h"

typedef enum {
    CWMP_CHARSET_UNKNOWN = 0,           /* not said, or nothing we know */
    CWMP_CHARSET_UTF8,
    CWMP_CHARSET_LATIN1,
    CWMP_CHARSET_FOREIGN                /* cwmp_decode_t knows it */
} cwmp_charset_t;

typedef struct cwmp_decode_s  cwmp_decode_t;

/* takes UTF-8 and what is to be read as Latin-1 */
typedef void (*cwmp_decode_pt)(void *data, const unsigned char *p, size_t n,
    int last);


/* what the name of an encoding says, in any case ("GB2312", "latin1") */
cwmp_charset_t cwmp_charset(const unsigned char *name, size_t len);

/* the encoding that a document's declaration names; NULL: none */
const unsigned char *cwmp_decode_name(const unsigned char *p, size_t n,
    size_t *len);

/* NULL when there is none for it, or the C library lacks it; to be freed */
cwmp_rc_t cwmp_decode_create(cwmp_decode_t **decode, cwmp_arena_t *arena,
    const unsigned char *name, size_t len);
void cwmp_decode_free(cwmp_decode_t *d);

/* any number of bytes; what is no whole character yet is kept */
void cwmp_decode_feed(cwmp_decode_t *d, const unsigned char *p, size_t n,
    int last, cwmp_decode_pt take, void *data);

#endif
