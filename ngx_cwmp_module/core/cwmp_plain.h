/*
 * XML of the plainest kind, which nearly all of CWMP is: tags, attributes and
 * text of printable ASCII, or of references to it.  It is read here; at the
 * first byte that is anything else (a comment, a character that is no ASCII, a
 * tag that does not match) the repair, the guard and libxml2 take over in the
 * middle of the document, and go on to its end.
 * Whichever reads, the same comes of it, except that libxml2 may remember so
 * many names of elements only, and nothing is remembered of them here.
 */

#ifndef CWMP_PLAIN_H
#define CWMP_PLAIN_H

#include <stddef.h>

#define CWMP_PLAIN_DEPTH  32        /* open elements */
#define CWMP_PLAIN_NAMES  1024      /* bytes of their names */
#define CWMP_PLAIN_TAG    1024      /* bytes of a tag */
#define CWMP_PLAIN_ATTS   16        /* of a tag */


typedef struct {
    unsigned               on:1;    /* it is plain so far */
    unsigned               begun:1; /* past where an XML declaration may be */
    unsigned               declared:1;  /* and there was one */
    unsigned               open;
    unsigned short         names_at[CWMP_PLAIN_DEPTH];
    unsigned short         names_used;
    size_t                 lines;   /* line breaks so far */
    size_t                 held;    /* of a tag that is not there yet */
    char                   names[CWMP_PLAIN_NAMES];     /* NUL-terminated */
    unsigned char          hold[CWMP_PLAIN_TAG];
} cwmp_plain_t;


typedef struct {
    const unsigned char   *name;
    size_t                 len;
    int                    closed;  /* ends in "/>" */
    unsigned               natts;
    struct {
        const unsigned char  *name;
        size_t                len;
        const unsigned char  *value;
        size_t                value_len;
    } atts[CWMP_PLAIN_ATTS];
} cwmp_plain_tag_t;


/*
 * The length of the tag at p; 0 when it is not plain, -1 when [p, end) is only
 * the beginning of one.  The end tag of that name: likewise.
 */
int cwmp_plain_open_tag(cwmp_plain_tag_t *tag, const unsigned char *p,
    const unsigned char *end);
int cwmp_plain_end_tag(const void *name, size_t len, const unsigned char *p,
    const unsigned char *end);

/* past blanks; past text of one line */
const unsigned char *cwmp_plain_blanks(const unsigned char *p,
    const unsigned char *end);
const unsigned char *cwmp_plain_line(const unsigned char *p,
    const unsigned char *end);

#endif
