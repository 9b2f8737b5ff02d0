/*
 * What the repair puts in the place of what it found.  As long as nothing is,
 * r->from to where the repair stands are good bytes that lie where they came;
 * from the first replacement on they are copied to r->out, which goes on when
 * it is full, and at the end of each piece.
 */

#include <string.h>

#include "cwmp_mend.h"


int
cwmp_mend_bare(cwmp_repair_t *r, const unsigned char **p, const char *mark,
    const char *reference)
{
    int  plain;

    plain = (r->state == CWMP_R_TAG);

    cwmp_mend_copy(r, r->from, *p - r->from);
    cwmp_mend_copy(r, plain ? reference : mark,
                     strlen(plain ? reference : mark));

    r->from = ++(*p);
    r->marks++;

    return 1;
}


int
cwmp_mend_closed(cwmp_repair_t *r, const unsigned char *p,
    const unsigned char *end)
{
    size_t  at, i, n;

    at = r->at + (p - r->start);
    n = end - p;
    n = (n < CWMP_MEND_PI) ? n : CWMP_MEND_PI;

    for (i = (r->open > at + 2) ? r->open - at : 2; i + 1 < n; i++) {
        if (p[i] == '?' && p[i + 1] == '>') {
            return 1;
        }
    }

    r->open = at + i;

    if (n < CWMP_MEND_PI && !r->last) {
        return -1;
    }

    return memchr(p + 1, '<', n - 1) == NULL;   /* long: others refuse it */
}


int
cwmp_mend_instead(cwmp_repair_t *r, const unsigned char **p, size_t n,
    const char *text)
{
    cwmp_mend_copy(r, r->from, *p - r->from);

    if (!r->marked && (r->state == CWMP_R_TEXT || r->state == CWMP_R_CDATA)) {
        cwmp_mend_copy(r, CWMP_MARK, 3);
        r->marked = 1;
        r->marks++;
    }

    cwmp_mend_copy(r, text, strlen(text));

    *p += n;
    r->from = *p;

    return 1;
}


void
cwmp_mend_literal(cwmp_repair_t *r, const unsigned char *p, uint32_t code)
{
    if (code < 0xfdd0 || code > 0xfdd2
        || (r->state != CWMP_R_TEXT && r->state != CWMP_R_CDATA))
    {
        return;
    }

    cwmp_mend_copy(r, r->from, p - r->from);
    cwmp_mend_copy(r, CWMP_MARK, 3);
    r->from = p;
    r->marks++;
}


void
cwmp_mend_copy(cwmp_repair_t *r, const void *p, size_t n)
{
    if (r->rc != CWMP_OK || n == 0) {
        return;
    }

    if (r->out == NULL) {
        r->out = cwmp_alloc(r->arena, CWMP_REPAIR_OUT);
        if (r->out == NULL) {
            r->rc = CWMP_ERROR;
            return;
        }
    }

    if (n > CWMP_REPAIR_OUT - r->used) {
        cwmp_mend_flush(r);
    }

    if (n > CWMP_REPAIR_OUT) {
        r->rc = (r->rc == CWMP_OK) ? r->good(r->data, p, n) : r->rc;
        return;
    }

    memcpy(r->out + r->used, p, n);
    r->used += n;
}


void
cwmp_mend_flush(cwmp_repair_t *r)
{
    size_t  n;

    n = r->used;
    r->used = 0;

    if (n && r->rc == CWMP_OK) {
        r->rc = r->good(r->data, r->out, n);
    }
}
