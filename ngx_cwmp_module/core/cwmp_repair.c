/*
 * A pass over the bytes in which a token is taken whole or not at all: what
 * has no end yet is held until it has.  Good bytes are handed on where they
 * lie; only when something was put in their stead are they copied, to keep the
 * order.  A '<' that begins no tag is text, so a tag's syntax is checked here
 * (cwmp_chars.c), but not what it means, nor whether tags match.
 */

#include <ctype.h>
#include <string.h>

#include "cwmp_chars.h"
#include "cwmp_guard.h"
#include "cwmp_mend.h"


static const struct {
    unsigned char  mark;                /* so often, then '>': its end */
    unsigned       need;
} cwmp_repair_ends[] = {
    { 0, 0 }, { 0, 0 }, { ']', 2 }, { '-', 2 }, { '?', 1 }
};


/* 0: [*p, end) must be longer before anything can be said of it */

typedef int cwmp_repair_take_t(cwmp_repair_t *r, const unsigned char **p,
    const unsigned char *end);

static void cwmp_repair_rest(cwmp_repair_t *r, const unsigned char *p,
    size_t n);
static size_t cwmp_repair_scan(cwmp_repair_t *r, const unsigned char *p,
    const unsigned char *end);
static cwmp_repair_take_t  cwmp_repair_text, cwmp_repair_misc;
static cwmp_repair_take_t  cwmp_repair_plain, cwmp_repair_lt, cwmp_repair_amp,
                           cwmp_repair_bracket, cwmp_repair_control,
                           cwmp_repair_high;
static cwmp_repair_take_t  cwmp_repair_start_tag, cwmp_repair_end_tag,
                           cwmp_repair_bang, cwmp_repair_pi, cwmp_repair_more;
static int cwmp_repair_bare_tag(cwmp_repair_t *r, const unsigned char **p,
    const unsigned char *name, const unsigned char *end);
static void cwmp_repair_tag(cwmp_repair_t *r, const unsigned char **p,
    const unsigned char *end, const cwmp_tag_t *tag);


static cwmp_repair_take_t *const  cwmp_repair_states[] = {
    cwmp_repair_text,
    NULL,
    cwmp_repair_misc,
    cwmp_repair_misc,
    cwmp_repair_misc
};

static cwmp_repair_take_t *const  cwmp_repair_classes[] = {
    cwmp_repair_plain,
    cwmp_repair_lt,
    cwmp_repair_amp,
    cwmp_repair_bracket,
    cwmp_repair_control,
    cwmp_repair_high
};


void
cwmp_repair_init(cwmp_repair_t *r, cwmp_arena_t *arena, cwmp_repair_pt good,
    void *data)
{
    memset(r, 0, sizeof(*r));

    r->arena = arena;
    r->good = good;
    r->data = data;
}


void
cwmp_repair_feed(cwmp_repair_t *r, const unsigned char *p, size_t n, int last)
{
    size_t                take, done;
    const unsigned char  *end;

    end = p + n;

    while (r->held && (p < end || last) && r->rc == CWMP_OK && !r->ended) {
        take = CWMP_REPAIR_HOLD - r->held;
        take = (take < (size_t) (end - p)) ? take : (size_t) (end - p);

        if (take) {
            memcpy(r->hold + r->held, p, take);
        }

        r->last = (last && p + take == end);
        done = cwmp_repair_scan(r, r->hold, r->hold + r->held + take);

        if (done >= r->held) {          /* the rest from where it lies */
            p += done - r->held;
            r->held = 0;

        } else {
            memmove(r->hold, r->hold + done, r->held + take - done);
            r->held += take - done;
            p += take;
        }
    }

    r->last = last;

    if (p < end && r->rc == CWMP_OK && !r->ended) {
        p += cwmp_repair_scan(r, p, end);
    }

    if (r->ended) {
        cwmp_repair_rest(r, r->hold, r->held);
        cwmp_repair_rest(r, p, end - p);
        r->held = 0;
        return;
    }

    if (p == end || r->rc != CWMP_OK) {
        return;
    }

    if (r->hold == NULL) {
        r->hold = cwmp_alloc(r->arena, CWMP_REPAIR_HOLD);
        if (r->hold == NULL) {
            r->rc = CWMP_ERROR;
            return;
        }
    }

    memcpy(r->hold, p, end - p);
    r->held = end - p;
}


/* what follows the root element is none of ours: NULs, a second envelope of a
   CPE from 2004, a count of bytes that was too high */

static void
cwmp_repair_rest(cwmp_repair_t *r, const unsigned char *p, size_t n)
{
    for ( /* void */ ; n && !r->extra; p++, n--) {
        r->extra = (*p != ' ' && (*p < '\t' || *p > '\r') && *p != '\0');
    }
}


/* how many of the bytes were taken, and handed on */

static size_t
cwmp_repair_scan(cwmp_repair_t *r, const unsigned char *p,
    const unsigned char *end)
{
    const unsigned char  *start;

    start = p;
    r->start = p;
    r->from = p;

    while (p < end && r->rc == CWMP_OK && r->why == NULL && !r->ended) {
        if (!cwmp_repair_states[r->state](r, &p, end)) {
            break;
        }
    }

    if (r->used) {
        cwmp_mend_copy(r, r->from, p - r->from);
        cwmp_mend_flush(r);

    } else if (p > r->from && r->rc == CWMP_OK) {
        r->rc = r->good(r->data, r->from, p - r->from);
    }

    if (r->why && r->rc == CWMP_OK) {
        r->rc = CWMP_REFUSED;
    }

    r->at += p - start;

    return p - start;
}


static int
cwmp_repair_text(cwmp_repair_t *r, const unsigned char **p,
    const unsigned char *end)
{
    const unsigned char  *q;

    for (q = *p; q < end && cwmp_char_class[*q] == CWMP_CHAR_PLAIN; q++) {
        /* void */
    }

    *p = q;

    return q == end || cwmp_repair_classes[cwmp_char_class[*q]](r, p, end);
}


/* comment, PI, CDATA section */

static int
cwmp_repair_misc(cwmp_repair_t *r, const unsigned char **p,
    const unsigned char *end)
{
    unsigned             need;
    unsigned char        mark, class;

    mark = cwmp_repair_ends[r->state].mark;
    need = cwmp_repair_ends[r->state].need;

    while (*p < end) {
        class = cwmp_char_class[**p];

        if (class >= CWMP_CHAR_CONTROL) {
            r->seen = 0;

            if (!cwmp_repair_classes[class](r, p, end)) {
                return 0;
            }

            continue;
        }

        if (**p == '>' && r->seen >= need) {
            (*p)++;
            r->state = CWMP_R_TEXT;
            return 1;
        }

        r->seen = (**p == mark) ? r->seen + 1 : 0;
        (*p)++;
    }

    return 1;
}


static int
cwmp_repair_plain(cwmp_repair_t *r, const unsigned char **p,
    const unsigned char *end)
{
    (void) r;
    (void) end;

    (*p)++;

    return 1;
}


static int
cwmp_repair_lt(cwmp_repair_t *r, const unsigned char **p,
    const unsigned char *end)
{
    unsigned char  next;

    if (end - *p < 2) {
        return cwmp_repair_more(r, p, end);
    }

    next = (*p)[1];

    if (next == '\0' && !r->opened) {
        r->why = "body is not in an 8-bit encoding: send UTF-8";
        return 0;
    }

    switch (next) {

    case '/':
        return cwmp_repair_end_tag(r, p, end);

    case '!':
        return cwmp_repair_bang(r, p, end);

    case '?':
        return cwmp_repair_pi(r, p, end);
    }

    if (!cwmp_char_begins_name(next)) {
        return cwmp_mend_bare(r, p, CWMP_MARK_LT, "&lt;");
    }

    return cwmp_repair_start_tag(r, p, end);
}


static int
cwmp_repair_amp(cwmp_repair_t *r, const unsigned char **p,
    const unsigned char *end)
{
    int       n;
    uint32_t  code;

    n = cwmp_char_reference(*p, end, &code);

    if (n < 0 && r->state != CWMP_R_TAG && !r->last) {
        return 0;
    }

    if (n <= 0) {
        return cwmp_mend_bare(r, p, CWMP_MARK_AMP, "&amp;");
    }

    if (!cwmp_char_allowed(code)) {
        return cwmp_mend_instead(r, p, n, "\xef\xbf\xbd");
    }

    cwmp_mend_literal(r, *p, code);
    *p += n;

    return 1;
}


static int
cwmp_repair_bracket(cwmp_repair_t *r, const unsigned char **p,
    const unsigned char *end)
{
    size_t  have;

    have = end - *p;

    if (r->state == CWMP_R_TAG || memcmp(*p, "]]>", have < 3 ? have : 3) != 0) {
        (*p)++;
        return 1;
    }

    if (have < 3) {

        if (!r->last) {
            return 0;
        }

        (*p)++;
        return 1;
    }

    *p += 2;

    return cwmp_mend_bare(r, p, CWMP_MARK ">", "&gt;");
}


static int
cwmp_repair_control(cwmp_repair_t *r, const unsigned char **p,
    const unsigned char *end)
{
    (void) end;

    return cwmp_mend_instead(r, p, 1, "\xef\xbf\xbd");
}


static int
cwmp_repair_high(cwmp_repair_t *r, const unsigned char **p,
    const unsigned char *end)
{
    int       n;
    char      latin1[3];
    uint32_t  code;

    n = 0;
    code = 0;

    if (r->charset != CWMP_CHARSET_LATIN1) {
        n = cwmp_char_utf8(*p, end, &code);
    }

    if (n > 0) {

        if (!cwmp_char_allowed(code)) {
            return cwmp_mend_instead(r, p, n, "\xef\xbf\xbd");
        }

        cwmp_mend_literal(r, *p, code);
        *p += n;

        return 1;
    }

    if (n < 0 && r->state != CWMP_R_TAG && !r->last) {
        return 0;
    }

    latin1[0] = (char) (0xc0 | (**p >> 6));
    latin1[1] = (char) (0x80 | (**p & 0x3f));
    latin1[2] = '\0';

    if (r->charset != CWMP_CHARSET_LATIN1) {
        return cwmp_mend_instead(r, p, 1, latin1);
    }

    cwmp_mend_copy(r, r->from, *p - r->from);
    cwmp_mend_copy(r, latin1, 2);
    r->from = ++(*p);

    return 1;
}


/* nearly all tags are a name and nothing else, with nothing to be mended */

static int
cwmp_repair_bare_tag(cwmp_repair_t *r, const unsigned char **p,
    const unsigned char *name, const unsigned char *end)
{
    const unsigned char  *q;

    if (name == end || !isalpha(*name)) {
        return 0;
    }

    for (q = name; q < end && (isalnum(*q) || *q == ':'); q++) { /* void */ }

    if (q == end || *q != '>') {
        return 0;
    }

    *p = q + 1;
    r->opened = 1;
    r->marked = 0;

    return 1;
}


static int
cwmp_repair_start_tag(cwmp_repair_t *r, const unsigned char **p,
    const unsigned char *end)
{
    int         n;
    size_t      at, have;
    cwmp_tag_t  tag;

    if (cwmp_repair_bare_tag(r, p, *p + 1, end)) {
        r->depth++;
        return 1;
    }

    at = r->at + (*p - r->start);
    have = end - *p;

    /* again when there is twice as much of it: all of it stays linear */

    if (at == r->tag && have < 2 * r->tried && have <= CWMP_GUARD_TAG
        && !r->last)
    {
        return 0;
    }

    n = cwmp_char_start_tag(*p, end, &tag);

    if (n < 0) {
        r->tag = at;
        r->tried = have;
        return cwmp_repair_more(r, p, end);
    }

    if (n == 0) {
        return cwmp_mend_bare(r, p, CWMP_MARK_LT, "&lt;");
    }

    r->opened = 1;
    r->depth += !tag.closed;
    r->ended = (r->depth == 0);

    cwmp_repair_tag(r, p, *p + n, &tag);

    return 1;
}


static int
cwmp_repair_end_tag(cwmp_repair_t *r, const unsigned char **p,
    const unsigned char *end)
{
    int         n;
    cwmp_tag_t  tag;

    if (cwmp_repair_bare_tag(r, p, *p + 2, end)) {
        r->ended = (r->depth == 1);
        r->depth -= (r->depth > 0);
        return 1;
    }

    n = cwmp_char_end_tag(*p, end);

    if (n < 0) {
        return cwmp_repair_more(r, p, end);
    }

    if (n == 0) {
        return cwmp_mend_bare(r, p, CWMP_MARK_LT, "&lt;");
    }

    r->opened = 1;
    r->ended = (r->depth == 1);
    r->depth -= (r->depth > 0);

    tag.ndrops = 0;
    cwmp_repair_tag(r, p, *p + n, &tag);

    return 1;
}


/*
 * A DOCTYPE and its like go on as they are, for the guard to refuse; inside of
 * the root anything else is text.
 */

static int
cwmp_repair_bang(cwmp_repair_t *r, const unsigned char **p,
    const unsigned char *end)
{
    size_t  i, len, have;

    static const struct {
        const char  *text;
        unsigned     state;
    } begins[] = {
        { "<!--", CWMP_R_COMMENT }, { "<![CDATA[", CWMP_R_CDATA },
        { "<!DOCTYPE", CWMP_R_TEXT }, { "<!ENTITY", CWMP_R_TEXT },
        { "<!ELEMENT", CWMP_R_TEXT }, { "<!ATTLIST", CWMP_R_TEXT },
        { "<!NOTATION", CWMP_R_TEXT }
    };

    have = end - *p;

    for (i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
        len = strlen(begins[i].text);

        if (memcmp(*p, begins[i].text, have < len ? have : len) != 0) {
            continue;
        }

        if (have < len) {
            return cwmp_repair_more(r, p, end);
        }

        r->opened = 1;
        r->state = begins[i].state;
        r->seen = 0;
        *p += len;

        return 1;
    }

    if (r->depth == 0 && cwmp_char_begins_name((*p)[2]) && (*p)[2] < 0x80) {
        *p += 2;
        return 1;
    }

    return cwmp_mend_bare(r, p, CWMP_MARK_LT, "&lt;");
}


static int
cwmp_repair_pi(cwmp_repair_t *r, const unsigned char **p,
    const unsigned char *end)
{
    int  closed;

    if (end - *p < 3) {
        return cwmp_repair_more(r, p, end);
    }

    if (!cwmp_char_begins_name((*p)[2])) {
        return cwmp_mend_bare(r, p, CWMP_MARK_LT, "&lt;");
    }

    if (r->depth) {
        closed = cwmp_mend_closed(r, *p, end);

        if (closed <= 0) {
            return closed ? 0 : cwmp_mend_bare(r, p, CWMP_MARK_LT, "&lt;");
        }
    }

    r->opened = 1;
    r->state = CWMP_R_PI;
    r->seen = 0;
    *p += 2;

    return 1;
}


/* a tag that is all there: its attributes' values mended, doubles left out */

static void
cwmp_repair_tag(cwmp_repair_t *r, const unsigned char **p,
    const unsigned char *end, const cwmp_tag_t *tag)
{
    unsigned              i;
    const unsigned char  *q, *stop;

    r->state = CWMP_R_TAG;
    r->marked = 0;
    (*p)++;

    for (i = 0; /* void */ ; i++) {
        stop = (i < tag->ndrops) ? tag->drops[i].from : end;

        while (*p < stop) {
            for (q = *p; q < stop && cwmp_char_class[*q] == 0; q++) { /**/ }

            *p = q;

            if (q < stop) {
                cwmp_repair_classes[cwmp_char_class[*q]](r, p, stop);
            }
        }

        if (i == tag->ndrops) {
            break;
        }

        cwmp_mend_copy(r, r->from, stop - r->from);
        *p = tag->drops[i].to;
        r->from = *p;
    }

    r->state = CWMP_R_TEXT;
}


/* of a document that ends here, or of a tag without end, others tell better */

static int
cwmp_repair_more(cwmp_repair_t *r, const unsigned char **p,
    const unsigned char *end)
{
    if (r->last) {
        *p = end;
        return 1;
    }

    if (end - *p > CWMP_GUARD_TAG) {
        r->why = "tag over 16384 bytes";
    }

    return 0;
}
