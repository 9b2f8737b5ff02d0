/*
 * The head of an HTTP response as servers for connection requests in CPEs
 * write them (TR-069 A6 3.2.2; field deviation D50): lines may end with a bare
 * LF, headers may be folded, the connection may close after a 401.  Bytes in,
 * facts out; pure.  What the status means for the device is the caller's.
 */

#ifndef CWMP_RESPONSE_H
#define CWMP_RESPONSE_H

#include "cwmp_types.h"


#define CWMP_RESPONSE_HEAD  8192        /* bytes of a head, of 100s too */
#define CWMP_RESPONSE_BODY  65536       /* that are read to keep a connection */


typedef struct {
    unsigned        status;             /* 200 to 599; 100s are passed over */
    unsigned        retry_after;        /* seconds; 0: not said, or a date */
    cwmp_str_t      digest;             /* the challenge behind "Digest "; a
                                           NULL data: none was offered */
    unsigned        basic:1;            /* Basic was offered */
    unsigned        reusable:1;         /* the connection, once complete */
    unsigned        complete:1;         /* the response is over */

    /* private */
    unsigned        headed:1;
    unsigned        encoded:1;          /* in chunks, most likely */
    unsigned        line:1;             /* this line has a character */
    size_t          rest;               /* of the body */
    size_t          len;
    const char     *reason;
    unsigned char   head[CWMP_RESPONSE_HEAD];
} cwmp_response_t;


void cwmp_response_init(cwmp_response_t *r);

/* What follows a complete response is ignored, and the connection then not
   reusable.  digest points into r.  REFUSED: reason says why. */
cwmp_rc_t cwmp_response_feed(cwmp_response_t *r, const unsigned char *p,
    size_t n);

/* the connection was closed: whatever came is all; REFUSED without a head */
cwmp_rc_t cwmp_response_end(cwmp_response_t *r);

#endif
