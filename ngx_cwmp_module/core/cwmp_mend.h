/*
 * Inside of the repair: what cwmp_repair.c (what is wrong) and cwmp_mend.c
 * (what goes on instead) share.  Nobody else includes it.
 */

#ifndef CWMP_MEND_H
#define CWMP_MEND_H

#include "cwmp_repair.h"


#define CWMP_MEND_PI  16384             /* so far is looked for its end */


enum {
    CWMP_R_TEXT = 0,
    CWMP_R_TAG,                         /* inside of one, while it is copied */
    CWMP_R_CDATA,
    CWMP_R_COMMENT,
    CWMP_R_PI
};


/* a '&' or '<' that is text: marked in text, as a reference elsewhere */
int cwmp_mend_bare(cwmp_repair_t *r, const unsigned char **p, const char *mark,
    const char *reference);

/* has "<?" at p its "?>"?  No: there is a tag, but no end of it.  -1: not in
   [p, end), where there may be more.  What was looked at is not looked at
   again, for the next one */
int cwmp_mend_closed(cwmp_repair_t *r, const unsigned char *p,
    const unsigned char *end);

/* text in the place of n bytes; marked where it may become a value */
int cwmp_mend_instead(cwmp_repair_t *r, const unsigned char **p, size_t n,
    const char *text);

/* before a character that may be a mark, and that a CPE really sent */
void cwmp_mend_literal(cwmp_repair_t *r, const unsigned char *p,
    uint32_t code);

void cwmp_mend_copy(cwmp_repair_t *r, const void *p, size_t n);
void cwmp_mend_flush(cwmp_repair_t *r);

#endif
