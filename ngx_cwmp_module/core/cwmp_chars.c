/*
 * The syntax that the repair needs to tell markup from text.  A name is any
 * run of name-like ASCII and of bytes that are none: what exactly may be in a
 * name is libxml2's business.  A tag has no '<' in it, so that looking ahead
 * from one '<' never passes the next one, and all of it stays linear.
 */

#include <ctype.h>
#include <string.h>

#include "cwmp_chars.h"


#define CWMP_REFERENCE_MAX  64

#define cwmp_blank(c)                                                         \
    ((c) == ' ' || (c) == '\t' || (c) == '\n' || (c) == '\r')


static const unsigned char *cwmp_char_name(const unsigned char *p,
    const unsigned char *end);
static const unsigned char *cwmp_char_blanks(const unsigned char *p,
    const unsigned char *end);
static const unsigned char *cwmp_char_value(const unsigned char *p,
    const unsigned char *end, int *bad);
static int cwmp_char_number(const unsigned char *p, const unsigned char *end,
    uint32_t *code);


#define C  CWMP_CHAR_CONTROL
#define H  CWMP_CHAR_HIGH
#define H16  H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H

const unsigned char  cwmp_char_class[256] = {
    C, C, C, C, C, C, C, C, C, 0, 0, C, C, 0, C, C,
    C, C, C, C, C, C, C, C, C, C, C, C, C, C, C, C,
    0, 0, 0, 0, 0, 0, CWMP_CHAR_AMP, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, CWMP_CHAR_LT, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, CWMP_CHAR_BRACKET, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    H16, H16, H16, H16, H16, H16, H16, H16
};

#undef C
#undef H
#undef H16


int
cwmp_char_allowed(uint32_t code)
{
    return code == 0x9 || code == 0xa || code == 0xd
           || (code >= 0x20 && code <= 0xd7ff)
           || (code >= 0xe000 && code <= 0xfffd)
           || (code >= 0x10000 && code <= 0x10ffff);
}


int
cwmp_char_begins_name(unsigned char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '_'
           || ch == ':' || ch >= 0x80;
}


/* no overlong forms, no surrogates */

int
cwmp_char_utf8(const unsigned char *p, const unsigned char *end,
    uint32_t *code)
{
    int            i, n;
    unsigned char  low, high;

    if (*p < 0xc2 || *p > 0xf4) {
        return 0;
    }

    n = (*p < 0xe0) ? 2 : (*p < 0xf0) ? 3 : 4;
    low = (*p == 0xe0) ? 0xa0 : (*p == 0xf0) ? 0x90 : 0x80;
    high = (*p == 0xed) ? 0x9f : (*p == 0xf4) ? 0x8f : 0xbf;

    *code = *p & (0x7f >> n);

    for (i = 1; i < n; i++) {

        if (p + i == end) {
            return -1;
        }

        if (p[i] < low || p[i] > high) {
            return 0;
        }

        *code = (*code << 6) | (p[i] & 0x3f);
        low = 0x80;
        high = 0xbf;
    }

    return n;
}


int
cwmp_char_reference(const unsigned char *p, const unsigned char *end,
    uint32_t *code)
{
    size_t  i, len, have;

    static const struct {
        const char     *name;
        unsigned char   ch;
    } names[] = {
        { "&amp;", '&' }, { "&lt;", '<' }, { "&gt;", '>' }, { "&quot;", '"' },
        { "&apos;", '\'' }
    };

    have = end - p;

    if (have == 1) {
        return -1;
    }

    if (p[1] == '#') {
        return cwmp_char_number(p, end, code);
    }

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {

        if (p[1] != (unsigned char) names[i].name[1]) {
            continue;
        }

        len = strlen(names[i].name);

        if (memcmp(p, names[i].name, have < len ? have : len) == 0) {
            *code = names[i].ch;
            return have < len ? -1 : (int) len;
        }
    }

    return 0;
}


static int
cwmp_char_number(const unsigned char *p, const unsigned char *end,
    uint32_t *code)
{
    unsigned              base, digit;
    const unsigned char  *q, *digits;

    base = 10;
    q = p + 2;

    if (q < end && *q == 'x') {
        base = 16;
        q++;
    }

    digits = q;
    *code = 0;

    for ( /* void */ ; q < end && q - p < CWMP_REFERENCE_MAX; q++) {

        if (*q == ';') {
            return (q > digits) ? (int) (q + 1 - p) : 0;
        }

        digit = (*q >= '0' && *q <= '9') ? (unsigned) (*q - '0')
                : isalpha(*q) ? (*q | 0x20) - 'a' + 10u : base;

        if (digit >= base) {
            return 0;
        }

        *code = (*code > 0x110000) ? *code : *code * base + digit;
    }

    return (q == end && q - p < CWMP_REFERENCE_MAX) ? -1 : 0;
}


static const unsigned char *
cwmp_char_name(const unsigned char *p, const unsigned char *end)
{
    while (p < end
           && (cwmp_char_begins_name(*p) || (*p >= '0' && *p <= '9')
               || *p == '-' || *p == '.'))
    {
        p++;
    }

    return p;
}


static const unsigned char *
cwmp_char_blanks(const unsigned char *p, const unsigned char *end)
{
    while (p < end && cwmp_blank(*p)) {
        p++;
    }

    return p;
}


/* past ="value", or end when that is not all there */

static const unsigned char *
cwmp_char_value(const unsigned char *p, const unsigned char *end, int *bad)
{
    unsigned char  quote;

    p = cwmp_char_blanks(p, end);

    if (p == end || *p != '=') {
        *bad = (p < end);
        return end;
    }

    p = cwmp_char_blanks(p + 1, end);

    if (p == end || (*p != '"' && *p != '\'')) {
        *bad = (p < end);
        return end;
    }

    quote = *p++;

    while (p < end && *p != quote && *p != '<') {
        p++;
    }

    if (p == end || *p == '<') {
        *bad = (p < end);
        return end;
    }

    return p + 1;
}


/* one bit for a name, so that names that differ are mostly not compared */

static uint64_t
cwmp_char_bit(const unsigned char *p, size_t n)
{
    uint32_t  hash;

    for (hash = 2166136261u; n; n--) {
        hash = (hash ^ *p++) * 16777619u;
    }

    return (uint64_t) 1 << (hash >> 26);
}


int
cwmp_char_start_tag(const unsigned char *p, const unsigned char *end,
    cwmp_tag_t *tag)
{
    int                   bad;
    size_t                len;
    uint64_t              bit, bits;
    unsigned              i, n;
    const unsigned char  *start, *q, *before;

    struct {
        const unsigned char  *name;
        size_t                len;
    } names[CWMP_TAG_NAMES];

    bits = 0;
    bad = 0;
    n = 0;
    tag->ndrops = 0;
    start = p;
    p = cwmp_char_name(p + 1, end);

    for ( ;; ) {
        before = p;
        p = cwmp_char_blanks(p, end);

        if (p == end) {
            return -1;
        }

        if (*p == '>') {
            tag->closed = 0;
            return (int) (p + 1 - start);
        }

        if (*p == '/') {
            if (p + 1 == end) {
                return -1;
            }

            tag->closed = 1;
            return (p[1] == '>') ? (int) (p + 2 - start) : 0;
        }

        if (!cwmp_char_begins_name(*p)) {
            return 0;
        }

        q = p;
        p = cwmp_char_name(p, end);
        len = p - q;
        p = cwmp_char_value(p, end, &bad);

        if (bad) {
            return 0;
        }

        if (p == end) {
            return -1;
        }

        if (n == CWMP_TAG_NAMES) {
            continue;                   /* the guard will refuse it */
        }

        bit = cwmp_char_bit(q, len);

        for (i = (bits & bit) ? 0 : n; i < n; i++) {
            if (names[i].len == len && memcmp(names[i].name, q, len) == 0) {
                tag->drops[tag->ndrops].from = before;
                tag->drops[tag->ndrops++].to = p;
                break;
            }
        }

        bits |= bit;
        names[n].name = q;
        names[n++].len = len;
    }
}


int
cwmp_char_end_tag(const unsigned char *p, const unsigned char *end)
{
    const unsigned char  *q;

    if (end - p < 3) {
        return -1;
    }

    if (!cwmp_char_begins_name(p[2])) {
        return 0;
    }

    q = cwmp_char_blanks(cwmp_char_name(p + 2, end), end);

    if (q == end) {
        return -1;
    }

    return (*q == '>') ? (int) (q + 1 - p) : 0;
}
