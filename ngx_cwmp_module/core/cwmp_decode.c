/*
 * iconv() in pieces.  It stops at a character that is cut by the end of a
 * piece, which is kept for the next, and at bytes that are no character, of
 * which one is passed on.  Where that happens again and again the encoding is
 * another one: the rest goes on as it is.
 */

#include <ctype.h>
#include <errno.h>
#include <iconv.h>
#include <string.h>
#include <strings.h>

#include "cwmp_decode.h"


#define CWMP_DECODE_OUT   4096
#define CWMP_DECODE_HELD  16            /* no character is longer */
#define CWMP_DECODE_NAME  31
#define CWMP_DECODE_BAD   1000          /* bytes: that is not its encoding */
#define CWMP_DECODE_DECL  256           /* of an XML declaration */


struct cwmp_decode_s {
    iconv_t         cd;
    size_t          held;
    size_t          bad;                /* bytes that are none of it */
    unsigned char   hold[CWMP_DECODE_HELD];
    unsigned char   out[CWMP_DECODE_OUT];
};


/* what it is called, where a * ends what begins so, and what iconv() calls it:
   by the same name (NULL), or by that of what has all of it and more */

static const struct {
    const char      *name;
    cwmp_charset_t   charset;
    const char      *iconv;
} cwmp_charsets[] = {
    { "utf-8", CWMP_CHARSET_UTF8, NULL },
    { "utf8", CWMP_CHARSET_UTF8, NULL },
    { "us-ascii", CWMP_CHARSET_UTF8, NULL },
    { "ascii", CWMP_CHARSET_UTF8, NULL },
    { "iso-8859-1", CWMP_CHARSET_LATIN1, NULL },
    { "iso8859-1", CWMP_CHARSET_LATIN1, NULL },
    { "latin1", CWMP_CHARSET_LATIN1, NULL },
    { "gb2312", CWMP_CHARSET_FOREIGN, "GBK" },
    { "gbk", CWMP_CHARSET_FOREIGN, NULL },
    { "cp936", CWMP_CHARSET_FOREIGN, NULL },
    { "gb18030", CWMP_CHARSET_FOREIGN, NULL },
    { "big5", CWMP_CHARSET_FOREIGN, NULL },
    { "shift_jis", CWMP_CHARSET_FOREIGN, "CP932" },
    { "euc-jp", CWMP_CHARSET_FOREIGN, NULL },
    { "euc-kr", CWMP_CHARSET_FOREIGN, "CP949" },
    { "windows-1255", CWMP_CHARSET_UNKNOWN, NULL },     /* they have a state */
    { "windows-1258", CWMP_CHARSET_UNKNOWN, NULL },
    { "cp1255", CWMP_CHARSET_UNKNOWN, NULL },
    { "cp1258", CWMP_CHARSET_UNKNOWN, NULL },
    { "iso-8859-*", CWMP_CHARSET_FOREIGN, NULL },
    { "iso8859-*", CWMP_CHARSET_FOREIGN, NULL },
    { "windows-125*", CWMP_CHARSET_FOREIGN, NULL },
    { "cp125*", CWMP_CHARSET_FOREIGN, NULL },
    { "koi8-*", CWMP_CHARSET_FOREIGN, NULL },
    { "tis-620", CWMP_CHARSET_FOREIGN, NULL }
};

#define CWMP_CHARSETS  (sizeof(cwmp_charsets) / sizeof(cwmp_charsets[0]))


/* its row, CWMP_CHARSETS if there is none; iconv() gives a '/' in a name a
   meaning of its own, so there must be nothing but words */

static size_t
cwmp_charset_row(const unsigned char *name, size_t len)
{
    size_t       i, n;
    const char  *row;

    for (i = 0; i < len; i++) {
        if (!isalnum(name[i]) && name[i] != '-' && name[i] != '_') {
            return CWMP_CHARSETS;
        }
    }

    for (i = 0; i < CWMP_CHARSETS; i++) {
        row = cwmp_charsets[i].name;
        n = strcspn(row, "*");

        if ((row[n] ? len > n : len == n)
            && strncasecmp((const char *) name, row, n) == 0)
        {
            break;
        }
    }

    return i;
}


cwmp_charset_t
cwmp_charset(const unsigned char *name, size_t len)
{
    size_t  i;

    i = cwmp_charset_row(name, len);

    return (i < CWMP_CHARSETS) ? cwmp_charsets[i].charset
                               : CWMP_CHARSET_UNKNOWN;
}


/* the name that a document's declaration has, NULL when it has none */

const unsigned char *
cwmp_decode_name(const unsigned char *p, size_t n, size_t *len)
{
    unsigned char         quote;
    const unsigned char  *end, *last;

    static const char  begin[] = "<?xml", key[] = "encoding";

    n = (n < CWMP_DECODE_DECL) ? n : CWMP_DECODE_DECL;

    if (n < sizeof(begin) || memcmp(p, begin, sizeof(begin) - 1) != 0) {
        return NULL;
    }

    end = memchr(p, '>', n);
    last = end ? end - sizeof(key) : p;

    while (p < last && memcmp(p, key, sizeof(key) - 1) != 0) {
        p++;
    }

    if (p >= last) {
        return NULL;
    }

    for (p += sizeof(key) - 1; p < end && *p != '"' && *p != '\''; p++) { /**/ }

    if (end - p < 2) {
        return NULL;
    }

    quote = *p++;

    for (*len = 0; p + *len < end && p[*len] != quote; (*len)++) { /* void */ }

    return p;
}


cwmp_rc_t
cwmp_decode_create(cwmp_decode_t **decode, cwmp_arena_t *arena,
    const unsigned char *name, size_t len)
{
    char            from[CWMP_DECODE_NAME + 1];
    size_t          i;
    cwmp_decode_t  *d;

    *decode = NULL;
    i = cwmp_charset_row(name, len);

    if (i == CWMP_CHARSETS || len > CWMP_DECODE_NAME) {
        return CWMP_OK;
    }

    memcpy(from, name, len);
    from[len] = '\0';

    d = cwmp_alloc(arena, sizeof(cwmp_decode_t));
    if (d == NULL) {
        return CWMP_ERROR;
    }

    d->held = 0;
    d->bad = 0;
    d->cd = iconv_open("UTF-8", cwmp_charsets[i].iconv ? cwmp_charsets[i].iconv
                                                       : from);

    if (d->cd != (iconv_t) -1) {
        *decode = d;
    }

    return CWMP_OK;
}


void
cwmp_decode_free(cwmp_decode_t *d)
{
    iconv_close(d->cd);
}


/* how many of the n bytes were taken; the rest may become a character yet */

static size_t
cwmp_decode_piece(cwmp_decode_t *d, const unsigned char *p, size_t n, int last,
    cwmp_decode_pt take, void *data)
{
    int     stopped;
    char   *in, *out;
    size_t  left, room;

    in = (char *) p;
    left = n;

    while (left) {

        if (d->bad > CWMP_DECODE_BAD) {
            take(data, (unsigned char *) in, left, 0);
            return n;
        }

        out = (char *) d->out;
        room = CWMP_DECODE_OUT - 1;     /* one for a byte that is none */

        stopped = (iconv(d->cd, &in, &left, &out, &room) == (size_t) -1)
                  ? errno : 0;

        if (stopped == EILSEQ || (stopped == EINVAL && last)) {
            *out++ = *in++;
            left--;
            d->bad++;
        }

        if (out > (char *) d->out) {
            take(data, d->out, out - (char *) d->out, 0);
        }

        if (stopped == EINVAL && !last) {
            break;
        }
    }

    return n - left;
}


void
cwmp_decode_feed(cwmp_decode_t *d, const unsigned char *p, size_t n, int last,
    cwmp_decode_pt take, void *data)
{
    size_t  more, done;

    while (d->held && (n || last)) {
        more = CWMP_DECODE_HELD - d->held;
        more = (more < n) ? more : n;

        if (more) {
            memcpy(d->hold + d->held, p, more);
        }

        done = cwmp_decode_piece(d, d->hold, d->held + more, last && more == n,
                                 take, data);

        if (done >= d->held) {          /* the rest from where it lies */
            p += done - d->held;
            n -= done - d->held;
            d->held = 0;

        } else {
            memmove(d->hold, d->hold + done, d->held + more - done);
            d->held += more - done;
            p += more;
            n -= more;
        }
    }

    done = n ? cwmp_decode_piece(d, p, n, last, take, data) : 0;

    if (done < n) {
        memcpy(d->hold, p + done, n - done);
        d->held = n - done;
    }

    if (last) {
        take(data, d->out, 0, 1);
    }
}
