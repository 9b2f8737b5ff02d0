/*
 * What libxml2 would refuse or drop, mended before it sees it: characters that
 * XML forbids become U+FFFD, bytes that are no UTF-8 are read as Latin-1, a
 * bare '&', '<' or "]]>" is text, an attribute given twice is given once.
 * Nothing that a CPE sent in an element's text is lost.  A document that is
 * right passes unchanged, and uncopied.  Pure.
 *
 * What was mended must be found again when the text comes out of libxml2, so
 * it carries marks: three noncharacters of Unicode that no CPE has a use for.
 * Where one of them was really sent, CWMP_MARK stands before it.
 */

#ifndef CWMP_REPAIR_H
#define CWMP_REPAIR_H

#include "cwmp_decode.h"

#define CWMP_MARK       "\xef\xb7\x90"  /* U+FDD0: this text was repaired */
#define CWMP_MARK_AMP   "\xef\xb7\x91"  /* U+FDD1: a bare '&' */
#define CWMP_MARK_LT    "\xef\xb7\x92"  /* U+FDD2: a bare '<' */

#define CWMP_REPAIR_HOLD     17408      /* of a tag that is not there yet */
#define CWMP_REPAIR_OUT      8192


/* takes what goes on; not CWMP_OK: no more of it is wanted */
typedef cwmp_rc_t (*cwmp_repair_pt)(void *data, const unsigned char *p,
    size_t n);


typedef struct {
    cwmp_arena_t         *arena;
    cwmp_repair_pt        good;
    void                 *data;
    cwmp_rc_t             rc;
    const char           *why;          /* CWMP_REFUSED by this file */
    cwmp_charset_t        charset;      /* any but LATIN1: as UTF-8 */

    unsigned              state;
    unsigned              seen;         /* of the mark that ends this token */
    unsigned              depth;        /* of open tags */
    size_t                marks;        /* put in, of any kind */
    unsigned              opened:1;     /* some token has begun */
    unsigned              ended:1;      /* the root's end tag has passed */
    unsigned              extra:1;      /* and more than blanks after it */
    unsigned              marked:1;     /* this text has its CWMP_MARK */
    unsigned              last:1;
    const unsigned char  *from;         /* good so far, not handed over */
    const unsigned char  *start;        /* of this piece */
    size_t                at;           /* bytes before it */
    size_t                open;         /* there is no "?>" before this one */
    size_t                tag;          /* at this one a tag has begun, which */
    size_t                tried;        /* in so many bytes has no end */

    unsigned char        *hold;         /* a token's beginning */
    size_t                held;
    unsigned char        *out;
    size_t                used;
} cwmp_repair_t;


void cwmp_repair_init(cwmp_repair_t *r, cwmp_arena_t *arena,
    cwmp_repair_pt good, void *data);

/* any number of bytes; last: no more will come.  Those that come after the root
   element are not handed on */
void cwmp_repair_feed(cwmp_repair_t *r, const unsigned char *p, size_t n,
    int last);

#endif
