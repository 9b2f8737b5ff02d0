/*
 * Reads tags and text, and tells cwmp_walk.c of them as libxml2 would.  What
 * is plain is a matter of a few lines; all that is hard about XML is somebody
 * else's.  It must not know what an element means, but for one thing: text
 * between the elements of a message means nothing.
 */

#include <ctype.h>
#include <string.h>

#include "cwmp_chars.h"
#include "cwmp_walk.h"


#define CWMP_PLAIN_DECLARATION  128 /* bytes */

#define cwmp_blank(c)                                                         \
    ((c) == ' ' || (c) == '\n' || (c) == '\r' || (c) == '\t')

typedef const unsigned char  *cwmp_at_t;


static size_t cwmp_plain_more(cwmp_envelope_t *e, cwmp_at_t p, size_t n);
static cwmp_at_t cwmp_plain_scan(cwmp_envelope_t *e, cwmp_at_t p,
    cwmp_at_t end);
static cwmp_at_t cwmp_plain_between(cwmp_envelope_t *e, cwmp_at_t p,
    cwmp_at_t end);
static int cwmp_plain_declaration(cwmp_at_t p, cwmp_at_t end);
static int cwmp_plain_att_is(const cwmp_plain_tag_t *tag, unsigned i,
    const char *name, const char *value);
static int cwmp_plain_tag(cwmp_envelope_t *e, cwmp_at_t p, cwmp_at_t end);
static int cwmp_plain_reference(cwmp_envelope_t *e, cwmp_at_t p,
    cwmp_at_t end);
static int cwmp_plain_open(cwmp_envelope_t *e, cwmp_at_t p, cwmp_at_t end);
static int cwmp_plain_close(cwmp_envelope_t *e, cwmp_at_t p, cwmp_at_t end);
static int cwmp_plain_push(cwmp_plain_t *plain, const cwmp_plain_tag_t *tag);
static const char **cwmp_plain_atts(const cwmp_plain_tag_t *tag,
    const char **atts, char *text);
static size_t cwmp_plain_lines(cwmp_at_t p, int n);
static void cwmp_plain_pop(cwmp_envelope_t *e);
static int cwmp_plain_att(cwmp_plain_tag_t *tag, cwmp_at_t p, cwmp_at_t end);
static int cwmp_plain_is_twice(const cwmp_plain_tag_t *tag);
static cwmp_at_t cwmp_plain_name(cwmp_at_t p, cwmp_at_t end);


/* what may be in a line of text: printable ASCII and tabs, but '<' and '&', and
   ']' only where it does not begin "]]>" */

#define X16  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
#define P16  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1

static const unsigned char  cwmp_plain_class[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0,
    X16,
    1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1,
    P16,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1,
    P16,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0,
    X16, X16, X16, X16, X16, X16, X16, X16
};

#undef P16
#undef X16


/*
 * As much of [p, p + n) as is plain; returns how many bytes that was, which may
 * be less than there is.  A tag's beginning at the end is held.  When it is no
 * longer on, the rest is for the others: first what is held, then what was not
 * taken.
 */

size_t
cwmp_plain_read(cwmp_envelope_t *e, const unsigned char *p, size_t n)
{
    size_t         done;
    cwmp_plain_t  *plain = &e->plain;

    if (plain->held) {
        return cwmp_plain_more(e, p, n);
    }

    done = cwmp_plain_scan(e, p, p + n) - p;

    if (done == n || !plain->on || e->rc != CWMP_OK) {
        return done;
    }

    if (n - done >= CWMP_PLAIN_TAG) {
        plain->on = 0;
        return done;
    }

    plain->held = n - done;
    memcpy(plain->hold, p + done, plain->held);

    return n;
}


/* more of what is held: once its end is there, the rest is read from where it
   lies, so nothing that is held was taken in part */

static size_t
cwmp_plain_more(cwmp_envelope_t *e, cwmp_at_t p, size_t n)
{
    size_t         take, done;
    cwmp_plain_t  *plain = &e->plain;

    take = CWMP_PLAIN_TAG - plain->held;
    take = (take < n) ? take : n;

    memcpy(plain->hold + plain->held, p, take);
    done = cwmp_plain_scan(e, plain->hold, plain->hold + plain->held + take)
           - plain->hold;

    if (done) {
        done -= plain->held;
        plain->held = 0;
        return done;
    }

    if (!plain->on) {
        return 0;
    }

    plain->held += take;
    plain->on = (plain->held < CWMP_PLAIN_TAG);

    return take;
}


/* past what was read; what follows is not plain, or not all there */

static cwmp_at_t
cwmp_plain_scan(cwmp_envelope_t *e, cwmp_at_t p, cwmp_at_t end)
{
    int        n;
    cwmp_at_t  q;

    while (p < end && e->rc == CWMP_OK && !e->done) {

        q = cwmp_plain_between(e, p, end);

        if (q > p && e->skip == 0) {
            cwmp_walk_text(e, p, q - p);
        }

        p = q;

        if (p == end || e->rc != CWMP_OK) {
            break;
        }

        n = cwmp_plain_tag(e, p, end);

        if (n <= 0) {
            e->plain.on = (n < 0);
            break;
        }

        p += n;

        if (e->rc == CWMP_OK && !e->done) {
            p += cwmp_same_rows(e, p, end - p);
        }
    }

    if (e->done) {
        e->plain.on = 0;
        e->repair.ended = 1;
    }

    return p;
}


/* what is between tags; in a leaf that is its text, else CR means nothing */

static cwmp_at_t
cwmp_plain_between(cwmp_envelope_t *e, cwmp_at_t p, cwmp_at_t end)
{
    int  leaf;

    leaf = e->nframes && e->frames[e->nframes - 1].in == CWMP_IN_LEAF;

    for ( ;; ) {

        if (e->plain.open) {
            p = cwmp_plain_line(p, end);

        } else {
            while (p < end && (*p == ' ' || *p == '\t')) {
                p++;
            }
        }

        if (p == end || (*p != '\n' && (leaf || *p != '\r'))) {
            return p;
        }

        e->plain.lines += (*p++ == '\n');
    }
}


const unsigned char *
cwmp_plain_line(const unsigned char *p, const unsigned char *end)
{
    for ( ;; ) {

        while (p < end && cwmp_plain_class[*p]) {
            p++;
        }

        if (end - p < 2 || *p != ']' || p[1] == ']') {
            return p;
        }

        p++;
    }
}


const unsigned char *
cwmp_plain_blanks(const unsigned char *p, const unsigned char *end)
{
    while (p < end && cwmp_blank(*p)) {
        p++;
    }

    return p;
}


/* the length of what was taken; 0: it is not plain; -1: it is not all there */

static int
cwmp_plain_tag(cwmp_envelope_t *e, cwmp_at_t p, cwmp_at_t end)
{
    int  n;

    if (*p == '&' && e->plain.open) {
        return cwmp_plain_reference(e, p, end);
    }

    if (*p != '<') {
        return (*p == ']' && end - p == 1) ? -1 : 0;    /* of a "]]>"? */
    }

    if (end - p < 2) {
        return -1;
    }

    if (p[1] == '/') {
        return cwmp_plain_close(e, p, end);
    }

    if (p[1] == '?' && !e->plain.begun) {
        n = cwmp_plain_declaration(p, end);
        e->plain.begun = e->plain.declared = (n > 0);
        e->plain.lines += cwmp_plain_lines(p, n);
        return n;
    }

    e->plain.begun = 1;

    return cwmp_plain_open(e, p, end);
}


/* version, then encoding and standalone, if at all; which encoding it is was
   seen before */

static int
cwmp_plain_declaration(cwmp_at_t p, cwmp_at_t end)
{
    unsigned           i, k;
    cwmp_at_t          q;
    cwmp_plain_tag_t   tag;
    unsigned char      copy[CWMP_PLAIN_DECLARATION];

    static const struct {
        const char    *name;
        const char    *value;           /* NULL: an encoding's name */
    } atts[] = {
        { "version", "1.0" }, { "encoding", NULL }, { "standalone", "yes" },
        { "standalone", "no" }
    };

    end = ((size_t) (end - p) > sizeof(copy)) ? p + sizeof(copy) : end;
    q = memchr(p, '>', end - p);

    if (q == NULL) {
        return (end - p < (int) sizeof(copy)) ? -1 : 0;
    }

    /* "<?xml ...?>" without its question marks is a tag */

    if (q - p < 8 || memcmp(p, "<?xml ", 6) != 0 || q[-1] != '?') {
        return 0;
    }

    memcpy(copy, p + 1, q - p - 2);
    copy[0] = '<';
    copy[q - p - 2] = '>';

    if (cwmp_plain_open_tag(&tag, copy, copy + (q - p - 1)) <= 0
        || tag.closed || tag.natts == 0)
    {
        return 0;
    }

    for (i = 0, k = 0; i < tag.natts; i++, k++) {

        while (k < 4 && !cwmp_plain_att_is(&tag, i, atts[k].name,
                                           atts[k].value))
        {
            if (k++ == 0) {
                return 0;
            }
        }

        if (k == 4) {
            return 0;
        }
    }

    return (int) (q + 1 - p);
}


/* has this attribute that name and that value, or one that may be an
   encoding's? */

static int
cwmp_plain_att_is(const cwmp_plain_tag_t *tag, unsigned i, const char *name,
    const char *value)
{
    size_t     n;
    cwmp_at_t  p;

    p = tag->atts[i].value;
    n = tag->atts[i].value_len;

    if (tag->atts[i].len != strlen(name)
        || memcmp(tag->atts[i].name, name, strlen(name)) != 0)
    {
        return 0;
    }

    return value ? n == strlen(value) && memcmp(p, value, n) == 0
                 : n > 0 && isalpha(*p) && memchr(p, ':', n) == NULL
                   && cwmp_plain_name(p, p + n) == p + n;
}


/* of a character that is as plain as text: "&amp;", "&#38;" */

static int
cwmp_plain_reference(cwmp_envelope_t *e, cwmp_at_t p, cwmp_at_t end)
{
    int            n;
    uint32_t       code;
    unsigned char  ch;

    n = cwmp_char_reference(p, end, &code);

    if (n <= 0) {
        return n;
    }

    if (code < 0x20 || code > 0x7e) {
        return 0;
    }

    if (e->skip == 0) {
        ch = (unsigned char) code;
        cwmp_walk_text(e, &ch, 1);
    }

    return n;
}


static int
cwmp_plain_open(cwmp_envelope_t *e, cwmp_at_t p, cwmp_at_t end)
{
    int                n;
    char               text[CWMP_PLAIN_TAG];
    const char        *atts[2 * CWMP_PLAIN_ATTS + 1];
    cwmp_plain_tag_t   tag;

    n = cwmp_plain_open_tag(&tag, p, end);

    if (n <= 0) {
        return n;
    }

    if (n > CWMP_PLAIN_TAG || !cwmp_plain_push(&e->plain, &tag)) {
        return 0;
    }

    cwmp_walk_open(e, e->plain.names + e->plain.names_at[e->plain.open - 1],
                   tag.natts ? cwmp_plain_atts(&tag, atts, text) : NULL);

    if ((size_t) n > tag.len + 2 + tag.closed) {
        e->plain.lines += cwmp_plain_lines(p, n);
    }

    if (tag.closed && e->rc == CWMP_OK) {
        cwmp_plain_pop(e);
    }

    return n;
}


static int
cwmp_plain_close(cwmp_envelope_t *e, cwmp_at_t p, cwmp_at_t end)
{
    int            n;
    size_t         len;
    unsigned       at;
    cwmp_plain_t  *plain = &e->plain;

    if (plain->open == 0) {
        return 0;
    }

    at = plain->names_at[plain->open - 1];
    len = plain->names_used - at - 1;
    n = cwmp_plain_end_tag(plain->names + at, len, p, end);

    if (n <= 0) {
        return n;
    }

    if ((size_t) n > len + 3) {
        plain->lines += cwmp_plain_lines(p, n);
    }

    cwmp_plain_pop(e);

    return n;
}


static int
cwmp_plain_push(cwmp_plain_t *plain, const cwmp_plain_tag_t *tag)
{
    if (plain->open == CWMP_PLAIN_DEPTH
        || tag->len >= CWMP_PLAIN_NAMES - (size_t) plain->names_used)
    {
        return 0;
    }

    plain->names_at[plain->open++] = plain->names_used;
    memcpy(plain->names + plain->names_used, tag->name, tag->len);
    plain->names[plain->names_used + tag->len] = '\0';
    plain->names_used += tag->len + 1;

    return 1;
}


/* line breaks in the n bytes of a tag, which is 0 or -1 when there is none; few
   tags have blanks, and the others need not come here */

static size_t
cwmp_plain_lines(cwmp_at_t p, int n)
{
    size_t  lines;

    for (lines = 0; n > 0; p++, n--) {
        lines += (*p == '\n');
    }

    return lines;
}


/* frames refer to their elements' names, so these go last */

static void
cwmp_plain_pop(cwmp_envelope_t *e)
{
    cwmp_walk_close(e);

    e->plain.names_used = e->plain.names_at[--e->plain.open];
    e->done = (e->rc == CWMP_OK && e->plain.open == 0);
}


/* as libxml2 has them: name, value, ..., NULL */

static const char **
cwmp_plain_atts(const cwmp_plain_tag_t *tag, const char **atts, char *text)
{
    unsigned  i;

    for (i = 0; i < tag->natts; i++) {
        atts[2 * i] = text;
        memcpy(text, tag->atts[i].name, tag->atts[i].len);
        text += tag->atts[i].len;
        *text++ = '\0';

        atts[2 * i + 1] = text;
        memcpy(text, tag->atts[i].value, tag->atts[i].value_len);
        text += tag->atts[i].value_len;
        *text++ = '\0';
    }

    atts[2 * i] = NULL;

    return atts;
}


int
cwmp_plain_open_tag(cwmp_plain_tag_t *tag, const unsigned char *p,
    const unsigned char *end)
{
    int        n;
    cwmp_at_t  start, q;

    if (end - p < 2) {
        return -1;
    }

    start = p;
    tag->name = p + 1;
    tag->natts = 0;
    p = cwmp_plain_name(tag->name, end);
    tag->len = p - tag->name;

    if (*start != '<' || tag->len == 0) {
        return 0;
    }

    for ( ;; ) {
        q = cwmp_plain_blanks(p, end);

        if (q == end || (*q == '/' && q + 1 == end)) {
            return -1;
        }

        if (*q == '>' || *q == '/') {
            break;
        }

        if (q == p) {
            return 0;
        }

        n = cwmp_plain_att(tag, q, end);

        if (n <= 0) {
            return n;
        }

        p = q + n;
    }

    tag->closed = (*q == '/');
    q += tag->closed;

    return (*q == '>' && !cwmp_plain_is_twice(tag)) ? (int) (q + 1 - start)
                                                    : 0;
}


/* name="value": a tab in it would have to become a blank */

static int
cwmp_plain_att(cwmp_plain_tag_t *tag, cwmp_at_t p, cwmp_at_t end)
{
    cwmp_at_t      name, value;
    unsigned char  quote;

    name = p;
    p = cwmp_plain_name(name, end);

    if (end - p < 2) {
        return -1;
    }

    quote = p[1];

    if (p == name || *p != '=' || (quote != '"' && quote != '\'')
        || tag->natts == CWMP_PLAIN_ATTS)
    {
        return 0;
    }

    tag->atts[tag->natts].name = name;
    tag->atts[tag->natts].len = p - name;

    value = p + 2;

    for (p = value; p < end && *p != quote && *p != '\t'
                    && (cwmp_plain_class[*p] || *p == ']'); p++)
    {
        /* void */
    }

    if (p == end) {
        return -1;
    }

    if (*p != quote) {
        return 0;
    }

    tag->atts[tag->natts].value = value;
    tag->atts[tag->natts++].value_len = p - value;

    return (int) (p + 1 - name);
}


/* the repair leaves out all but the first */

static int
cwmp_plain_is_twice(const cwmp_plain_tag_t *tag)
{
    unsigned  i, k;

    for (i = 1; i < tag->natts; i++) {
        for (k = 0; k < i; k++) {
            if (tag->atts[i].len == tag->atts[k].len
                && memcmp(tag->atts[i].name, tag->atts[k].name,
                          tag->atts[i].len)
                   == 0)
            {
                return 1;
            }
        }
    }

    return 0;
}


int
cwmp_plain_end_tag(const void *name, size_t len, const unsigned char *p,
    const unsigned char *end)
{
    size_t     n;
    cwmp_at_t  q;

    n = end - p;

    if (n < len + 3) {
        return -1;
    }

    if (p[0] != '<' || p[1] != '/' || memcmp(p + 2, name, len) != 0) {
        return 0;
    }

    q = cwmp_plain_blanks(p + 2 + len, end);

    if (q == end) {
        return -1;
    }

    return (*q == '>') ? (int) (q + 1 - p) : 0;
}


/* past a name; p when there is none */

static cwmp_at_t
cwmp_plain_name(cwmp_at_t p, cwmp_at_t end)
{
    if (p == end || !(isalpha(*p) || *p == '_')) {
        return p;
    }

    while (p < end
           && (isalnum(*p) || *p == ':' || *p == '_' || *p == '-'
               || *p == '.'))
    {
        p++;
    }

    return p;
}
