
/*
 * A tokenizer of XML that knows only where tokens begin and end.  It has to
 * agree with libxml2 on documents that are well-formed; on others libxml2
 * stops at the first error, so what is scanned beyond it does not matter.
 * Text, which is most of a long message, is passed over with memchr().  It
 * must not know what a tag means.
 */

#include <string.h>

#include "cwmp_guard.h"


enum {
    CWMP_G_TEXT = 0,
    CWMP_G_REFERENCE,               /* after & */
    CWMP_G_OPEN,                    /* after < */
    CWMP_G_BANG,                    /* after <! */
    CWMP_G_CDATA_NAME,              /* inside <![CDATA[ */
    CWMP_G_TAG,
    CWMP_G_VALUE,                   /* inside the quotes of an attribute */
    CWMP_G_CLOSE,                   /* after </ */
    CWMP_G_MISC,                    /* comment, PI */
    CWMP_G_CDATA
};


static const unsigned char *cwmp_guard_text(cwmp_guard_t *g,
    const unsigned char *p, const unsigned char *end, const char **why);
static const unsigned char *cwmp_guard_reference(cwmp_guard_t *g,
    const unsigned char *p, const unsigned char *end, const char **why);
static const unsigned char *cwmp_guard_open(cwmp_guard_t *g,
    const unsigned char *p, const unsigned char *end, const char **why);
static const unsigned char *cwmp_guard_bang(cwmp_guard_t *g,
    const unsigned char *p, const unsigned char *end, const char **why);
static const unsigned char *cwmp_guard_cdata_name(cwmp_guard_t *g,
    const unsigned char *p, const unsigned char *end, const char **why);
static const unsigned char *cwmp_guard_tag(cwmp_guard_t *g,
    const unsigned char *p, const unsigned char *end, const char **why);
static const unsigned char *cwmp_guard_value(cwmp_guard_t *g,
    const unsigned char *p, const unsigned char *end, const char **why);
static const unsigned char *cwmp_guard_close(cwmp_guard_t *g,
    const unsigned char *p, const unsigned char *end, const char **why);
static const unsigned char *cwmp_guard_marked(cwmp_guard_t *g,
    const unsigned char *p, const unsigned char *end, const char **why);
static const unsigned char *cwmp_guard_bound(cwmp_guard_t *g,
    const unsigned char *p, const unsigned char *last, size_t max,
    const char *text, const char **why);


typedef const unsigned char *(*cwmp_guard_pt)(cwmp_guard_t *g,
    const unsigned char *p, const unsigned char *end, const char **why);

/* each takes what it can of [p, end) and returns where it stopped */

static const cwmp_guard_pt  cwmp_guard_states[] = {
    cwmp_guard_text,
    cwmp_guard_reference,
    cwmp_guard_open,
    cwmp_guard_bang,
    cwmp_guard_cdata_name,
    cwmp_guard_tag,
    cwmp_guard_value,
    cwmp_guard_close,
    cwmp_guard_marked,
    cwmp_guard_marked
};


void
cwmp_guard_init(cwmp_guard_t *g, size_t cdata)
{
    memset(g, 0, sizeof(cwmp_guard_t));
    g->cdata = cdata;
}


size_t
cwmp_guard_scan(cwmp_guard_t *g, const unsigned char *p, size_t n,
    const char **why)
{
    const unsigned char  *start, *end;

    start = p;
    end = p + n;
    *why = NULL;

    while (p < end && *why == NULL) {
        p = cwmp_guard_states[g->state](g, p, end, why);
    }

    return p - start;
}


static const unsigned char *
cwmp_guard_text(cwmp_guard_t *g, const unsigned char *p,
    const unsigned char *end, const char **why)
{
    const unsigned char  *lt, *amp;

    (void) why;

    lt = memchr(p, '<', end - p);
    amp = memchr(p, '&', (lt ? lt : end) - p);

    if (amp) {
        g->state = CWMP_G_REFERENCE;
        g->run = 0;
        return amp + 1;
    }

    if (lt) {
        g->state = CWMP_G_OPEN;
        g->run = 0;
        return lt + 1;
    }

    return end;
}


static const unsigned char *
cwmp_guard_reference(cwmp_guard_t *g, const unsigned char *p,
    const unsigned char *end, const char **why)
{
    for ( /* void */ ; p < end; p++) {

        if (*p == ';') {
            g->state = CWMP_G_TEXT;
            return p + 1;
        }

        if (*p == '<' || ++g->run > CWMP_GUARD_REFERENCE) {
            *why = "'&' in text begins no reference: it must be sent as "
                   "&amp;";
            return p;
        }
    }

    return p;
}


static const unsigned char *
cwmp_guard_open(cwmp_guard_t *g, const unsigned char *p,
    const unsigned char *end, const char **why)
{
    (void) end;

    g->seen = 0;

    switch (*p) {

    case '\0':
        *why = "body is not in an 8-bit encoding: send UTF-8";
        return p;

    case '!':
        g->state = CWMP_G_BANG;
        break;

    case '?':
        g->state = CWMP_G_MISC;
        g->mark = '?';
        return p + 1;

    case '/':
        g->state = CWMP_G_CLOSE;
        break;

    default:
        g->state = CWMP_G_TAG;
        g->attributes = 0;
    }


    return p + 1;
}


/* a DOCTYPE is refused by its first letter, before libxml2 sees any of it */

static const unsigned char *
cwmp_guard_bang(cwmp_guard_t *g, const unsigned char *p,
    const unsigned char *end, const char **why)
{
    (void) end;

    if (*p == '-' && g->seen == 0) {
        g->seen = 1;
        return p + 1;
    }

    if (*p == '-' && g->seen == 1) {
        g->state = CWMP_G_MISC;
        g->mark = '-';
        g->seen = 0;
        return p + 1;
    }

    if (*p == '[' && g->seen == 0) {
        g->state = CWMP_G_CDATA_NAME;
        return p + 1;
    }

    *why = (*p == 'D' && g->seen == 0) ? "DOCTYPE is not allowed"
                                       : "'<!' begins no comment";
    return p;
}


static const unsigned char *
cwmp_guard_cdata_name(cwmp_guard_t *g, const unsigned char *p,
    const unsigned char *end, const char **why)
{
    static const char  name[] = "CDATA[";

    (void) end;

    if (*p != name[g->seen]) {
        *why = "'<![' begins no CDATA section";
        return p;
    }

    if (++g->seen == sizeof(name) - 1) {
        g->state = CWMP_G_CDATA;
        g->mark = ']';
        g->seen = 0;
    }

    return p + 1;
}


static const unsigned char *
cwmp_guard_tag(cwmp_guard_t *g, const unsigned char *p,
    const unsigned char *end, const char **why)
{
    const unsigned char  *start;

    start = p;

    for ( /* void */ ; p < end; p++) {

        if (*p == '>') {
            g->state = CWMP_G_TEXT;
            p++;
            break;
        }

        if (*p == '=' && ++g->attributes > CWMP_GUARD_ATTRIBUTES) {
            *why = "tag with over 32 attributes";
            return p;
        }

        if (*p == '"' || *p == '\'') {
            g->state = CWMP_G_VALUE;
            g->quote = *p++;
            break;
        }
    }

    return cwmp_guard_bound(g, start, p, CWMP_GUARD_TAG,
                            "tag over 16384 bytes", why);
}


static const unsigned char *
cwmp_guard_value(cwmp_guard_t *g, const unsigned char *p,
    const unsigned char *end, const char **why)
{
    const unsigned char  *quote;

    quote = memchr(p, g->quote, end - p);

    if (quote) {
        g->state = CWMP_G_TAG;
        end = quote + 1;
    }

    return cwmp_guard_bound(g, p, end, CWMP_GUARD_TAG,
                            "tag over 16384 bytes", why);
}


static const unsigned char *
cwmp_guard_close(cwmp_guard_t *g, const unsigned char *p,
    const unsigned char *end, const char **why)
{
    const unsigned char  *gt;

    gt = memchr(p, '>', end - p);

    if (gt) {
        g->state = CWMP_G_TEXT;
        end = gt + 1;
    }

    return cwmp_guard_bound(g, p, end, CWMP_GUARD_TAG,
                            "tag over 16384 bytes", why);
}


/* "-->" ends a comment, "]]>" a CDATA section, "?>" a PI */

static const unsigned char *
cwmp_guard_marked(cwmp_guard_t *g, const unsigned char *p,
    const unsigned char *end, const char **why)
{
    int                   cdata;
    unsigned              need;
    const unsigned char  *start;

    start = p;
    cdata = (g->state == CWMP_G_CDATA);
    need = (g->mark == '?') ? 1 : 2;

    for ( /* void */ ; p < end; p++) {

        if (*p == g->mark) {
            g->seen++;
            continue;
        }

        if (*p == '>' && g->seen >= need) {
            g->state = CWMP_G_TEXT;
            p++;
            break;
        }

        g->seen = 0;
    }

    return cwmp_guard_bound(g, start, p,
                            cdata ? g->cdata : CWMP_GUARD_COMMENT,
                            cdata ? "CDATA section over the bound of text"
                                  : "comment or instruction over 65536 "
                                    "bytes", why);
}


/* the bytes [p, last) join the token; they are good while it stays in bounds */

static const unsigned char *
cwmp_guard_bound(cwmp_guard_t *g, const unsigned char *p,
    const unsigned char *last, size_t max, const char *text, const char **why)
{
    g->run += last - p;

    if (g->run > max) {
        *why = text;
        return p;
    }

    return last;
}
