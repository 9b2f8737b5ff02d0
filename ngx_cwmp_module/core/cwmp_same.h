/*
 * A long answer is one row after the other with the same markup, byte for
 * byte; only texts and the value's type differ.  One row's markup is the
 * pattern for those that follow, and a row that fits it is handed over from
 * where it lies: none of its tags is taken apart, none of its bytes copied.
 * A row in which a character means something to XML, or that needs mending or
 * trimming, is read as ever: what comes of it is the same.
 */

#ifndef CWMP_SAME_H
#define CWMP_SAME_H

#include "cwmp_rpc.h"

#define CWMP_SAME_ROW     4096      /* bytes of one that is taken so */
#define CWMP_SAME_MARKUP  480       /* bytes of it without its texts */
#define CWMP_SAME_HOLES   12        /* in it */


typedef enum {
    CWMP_SAME_END = 0,              /* the row ends here */
    CWMP_SAME_TEXT,
    CWMP_SAME_TYPE                  /* of the value, inside of its quotes */
} cwmp_hole_t;


typedef struct {
    const cwmp_arg_t  *arg;         /* of the array; NULL: no pattern */
    unsigned           nholes;
    struct {
        unsigned       markup;      /* bytes in front of it */
        cwmp_hole_t    hole;
        unsigned       cell;        /* TEXT: of the row */
        unsigned       flags;       /* TEXT: the argument's */
    } holes[CWMP_SAME_HOLES];
    unsigned           used;
    unsigned char      markup[CWMP_SAME_MARKUP];
    unsigned           lines;       /* line breaks in it */

    /* while libxml2 reads the rest */

    size_t             wait;        /* bytes for it before another try */
    size_t             pause;       /* so many after the next vain one */
} cwmp_same_t;

#endif
