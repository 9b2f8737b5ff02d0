
/*
 * Where bytes go, and text among them.  Whatever text it is given, what comes
 * out is well-formed.  Must not know what an envelope is.
 */

#include <string.h>

#include "cwmp_out.h"


/* characters that stand for themselves */

#define P16  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1

static const unsigned char  cwmp_out_plain[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 0, 1,
    P16, P16, P16, P16
};

#undef P16


static size_t cwmp_utf8(const unsigned char *p, const unsigned char *end);


void
cwmp_put(cwmp_out_t *out, const void *p, size_t n)
{
    size_t                room;
    const unsigned char  *src = p;

    if (out->opened && n) {
        out->opened = 0;
        cwmp_put_lit(out, ">");
    }

    while (n && out->rc == CWMP_OK) {
        room = out->end - out->pos;

        if (room == 0) {
            if (out->more(out) != CWMP_OK) {
                out->rc = CWMP_ERROR;
            }

            continue;
        }

        if (room > n) {
            room = n;
        }

        memcpy(out->pos, src, room);
        out->pos += room;
        src += room;
        n -= room;
    }
}


void
cwmp_write_text(cwmp_out_t *out, const cwmp_str_t *text)
{
    size_t                n;
    const char           *instead;
    const unsigned char  *p, *start, *end;

    p = text->data;
    end = p + text->len;

    for (start = p; p < end; /* void */ ) {

        if (cwmp_out_plain[*p]) {
            p++;
            continue;
        }

        n = 1;
        instead = NULL;

        switch (*p) {

        case '&':
            instead = "&amp;";
            break;

        case '<':
            instead = "&lt;";
            break;

        case '>':
            instead = "&gt;";
            break;

        case '"':
            instead = "&quot;";
            break;

        case '\r':

            /* a parser would make a line feed of it, and an ID must come
               back byte by byte */

            instead = "&#13;";
            break;

        default:

            if (*p < 0x20) {
                instead = "\xef\xbf\xbd";

            } else if (*p >= 0x80) {
                n = cwmp_utf8(p, end);

                if (n == 0) {
                    n = 1;
                    instead = "\xef\xbf\xbd";
                }
            }
        }

        if (instead) {
            cwmp_put(out, start, p - start);
            cwmp_put_str(out, instead);
            start = p + n;
        }

        p += n;
    }

    cwmp_put(out, start, p - start);
}


/* bytes of the character at p; 0 when it is none that XML 1.0 allows */

static size_t
cwmp_utf8(const unsigned char *p, const unsigned char *end)
{
    size_t    i, n;
    uint32_t  c;

    n = (*p >= 0xc2 && *p < 0xe0) ? 2 : (*p >= 0xe0 && *p < 0xf0) ? 3
        : (*p >= 0xf0 && *p < 0xf5) ? 4 : 0;

    if (n == 0 || (size_t) (end - p) < n) {
        return 0;
    }

    c = *p & (0x7f >> n);

    for (i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        c = (c << 6) | (p[i] & 0x3f);
    }

    if ((n == 3 && c < 0x800) || (n == 4 && c < 0x10000) || c > 0x10ffff
        || (c >= 0xd800 && c < 0xe000) || c == 0xfffe || c == 0xffff)
    {
        return 0;
    }

    return n;
}
