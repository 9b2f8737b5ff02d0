/*
 * Bytes that are written, into buffers that the caller hands out.
 */

#ifndef CWMP_OUT_H
#define CWMP_OUT_H

#include "cwmp_style.h"
#include "cwmp_types.h"


/*
 * Bytes go to [pos, end).  When it is full, more() is called and must set pos
 * and end to the next piece (of any size above 0) and return CWMP_OK, or
 * return CWMP_ERROR, after which everything written is swallowed and
 * cwmp_write_*() returns CWMP_ERROR.
 */
typedef struct cwmp_out_s  cwmp_out_t;

struct cwmp_out_s {
    unsigned char    *pos;
    unsigned char    *end;
    cwmp_rc_t       (*more)(cwmp_out_t *out);
    void             *data;         /* the caller's */
    cwmp_rc_t         rc;           /* CWMP_OK at the start */
    unsigned          use_version;  /* UseCWMPVersion in the header: 14 for
                                       1.4; 0: no such header */
    cwmp_style_t      style;
    unsigned          opened:1;     /* inside: the start tag lacks its ">" */
};


#define cwmp_put_lit(out, s)  cwmp_put(out, s, sizeof(s) - 1)
#define cwmp_put_str(out, s)  cwmp_put(out, s, strlen(s))

void cwmp_put(cwmp_out_t *out, const void *p, size_t n);

/* text with & < > " escaped; characters that XML 1.0 forbids become U+FFFD */
void cwmp_write_text(cwmp_out_t *out, const cwmp_str_t *text);

#endif
