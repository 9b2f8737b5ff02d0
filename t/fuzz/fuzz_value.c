/*
 * Any bytes as the text of a value: what is read is what they say, by a reader
 * that shares nothing with ours, and it is flagged just when it is not quite
 * what was sent.  Nothing is lost.  First two bytes: where it is cut.  No '>'
 * and no "<!" among them, so that all of it is text.
 */

#include <ctype.h>
#include <iconv.h>
#include <stdlib.h>

#include "fuzz.h"


#define HEAD  "<Envelope><Body><GetParameterValuesResponse><ParameterList><P>"   \
              "<Name>A</Name><Value>x"
#define TAIL  "x</Value></P></ParameterList></GetParameterValuesResponse></Body>" \
              "</Envelope>"


typedef struct {
    unsigned char  *text;
    size_t          len;
    int             flagged;
    size_t          rows;
} value_t;


static iconv_t  utf32;


/* the character that [p, end) begins with; 0: none */

static size_t
character(const unsigned char *p, const unsigned char *end, uint32_t *code)
{
    char    *in, *out;
    size_t   n, left, room;

    for (n = 1; n <= 4 && p + n <= end; n++) {
        in = (char *) p;
        left = n;
        out = (char *) code;
        room = sizeof(*code);
        (void) iconv(utf32, NULL, NULL, NULL, NULL);

        if (iconv(utf32, &in, &left, &out, &room) != (size_t) -1 && room == 0) {
            return n;
        }
    }

    return 0;
}


static void
put(value_t *v, uint32_t code)
{
    unsigned char  *p = v->text + v->len;

    if (code < 0x80) {
        *p++ = (unsigned char) code;

    } else if (code < 0x800) {
        *p++ = (unsigned char) (0xc0 | code >> 6);
        *p++ = (unsigned char) (0x80 | (code & 63));

    } else if (code < 0x10000) {
        *p++ = (unsigned char) (0xe0 | code >> 12);
        *p++ = (unsigned char) (0x80 | (code >> 6 & 63));
        *p++ = (unsigned char) (0x80 | (code & 63));

    } else {
        *p++ = (unsigned char) (0xf0 | code >> 18);
        *p++ = (unsigned char) (0x80 | (code >> 12 & 63));
        *p++ = (unsigned char) (0x80 | (code >> 6 & 63));
        *p++ = (unsigned char) (0x80 | (code & 63));
    }

    v->len = p - v->text;
}


static void
put_allowed(value_t *v, uint32_t code)
{
    int  bad;

    bad = (code < 0x20 && code != 9 && code != 10 && code != 13)
          || (code >= 0xd800 && code < 0xe000) || code == 0xfffe
          || code == 0xffff || code > 0x10ffff;

    v->flagged |= bad;
    put(v, bad ? 0xfffd : code);
}


/* how long the reference at p is, at most 64; 0: it is none */

static size_t
reference(const unsigned char *p, const unsigned char *end, uint32_t *code)
{
    char           text[65], *after;
    size_t         i, n;
    unsigned long  number;

    static const struct {
        const char  *name;
        uint32_t     code;
    } names[] = {
        { "&amp;", '&' }, { "&lt;", '<' }, { "&gt;", '>' }, { "&quot;", '"' },
        { "&apos;", '\'' }
    };

    n = end - p < 64 ? end - p : 64;
    memcpy(text, p, n);
    text[n] = '\0';

    for (i = 0; i < 5; i++) {
        if (strncmp(text, names[i].name, strlen(names[i].name)) == 0) {
            *code = names[i].code;
            return strlen(names[i].name);
        }
    }

    i = (strncmp(text, "&#x", 3) == 0) ? 3 : 2;

    if (strncmp(text, "&#", 2) != 0 || !isxdigit((unsigned char) text[i])) {
        return 0;
    }

    number = strtoul(text + i, &after, i == 3 ? 16 : 10);
    *code = number > 0x110000 ? 0x110000 : (uint32_t) number;

    return *after == ';' && after > text + i ? after + 1 - text : 0;
}


/* what an XML processor, and we where it gives up, make of it */

static void
expect(value_t *v, const unsigned char *p, size_t n)
{
    size_t                len;
    uint32_t              code;
    const unsigned char  *end;

    v->text = malloc(4 * n + 8);
    v->len = 0;
    v->flagged = 0;
    put(v, 'x');

    for (end = p + n; p < end; p += len) {

        if (*p == '&' && (len = reference(p, end, &code)) != 0) {
            put_allowed(v, code);
            continue;
        }

        v->flagged |= (*p == '&' || *p == '<');
        len = character(p, end, &code);

        if (len == 0) {
            v->flagged = 1;
            put(v, *p);
            len = 1;
            continue;
        }

        if (*p == '\r') {               /* XML 1.0, 2.11 */
            len += (p + 1 < end && p[1] == '\n');
            code = '\n';
        }

        put_allowed(v, code);
    }

    put(v, 'x');
}


static cwmp_rc_t
on_row(void *data, const cwmp_row_t *row)
{
    value_t  *v = data;

    must(row->cells[1].len == v->len
         && memcmp(row->cells[1].data, v->text, v->len) == 0);
    must(row->repaired == (unsigned) v->flagged);
    v->rows++;

    return CWMP_OK;
}


int
LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
    value_t           v;
    tap_arena_t       owner;
    cwmp_arena_t      arena = { tap_alloc, &owner };
    unsigned char    *xml;
    cwmp_envelope_t  *e;

    if (n < 2 || memchr(p + 2, '>', n - 2) || memmem(p + 2, n - 2, "<!", 2)) {
        return 0;
    }

    if (utf32 == NULL) {
        utf32 = iconv_open("UTF-32LE", "UTF-8");
    }

    memset(&owner, 0, sizeof(owner));
    memset(&v, 0, sizeof(v));
    expect(&v, p + 2, n - 2);

    xml = malloc(sizeof(HEAD TAIL) + n);
    memcpy(xml, HEAD, sizeof(HEAD) - 1);
    memcpy(xml + sizeof(HEAD) - 1, p + 2, n - 2);
    memcpy(xml + sizeof(HEAD) - 1 + n - 2, TAIL, sizeof(TAIL));

    e = cwmp_envelope_create(&arena, &cwmp_default_limits, on_row, &v);
    must(fuzz_feed(e, xml, sizeof(HEAD TAIL) - 1 + n - 2, p[0] | p[1] << 8)
         == CWMP_OK);
    must(v.rows == 1);

    cwmp_envelope_free(e);
    tap_free(&owner);
    free(v.text);
    free(xml);

    return 0;
}
