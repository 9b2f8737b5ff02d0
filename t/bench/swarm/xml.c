
/*
 * Reads XML as an ACS writes it: elements, attributes, text, CDATA, comments
 * and processing instructions, XML's own entities and references to
 * characters.  It is tolerant of what does not matter to a CPE, but tags that
 * do not match are an error.  No DTD.  Knows nothing of SOAP.
 *
 * Nodes are in a store that is used again for each document.
 */

#define _GNU_SOURCE

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "xml.h"


typedef struct {
    char         *p;
    char         *end;
    xml_node_t   *at;               /* the open element */
    xml_node_t   *root;
    unsigned      depth;
    int           stray;            /* text outside of the root */
    size_t        nodes_n;
    size_t        attrs_n;
    const char   *error;
} xml_reader_t;


static xml_node_t  *xml_nodes;
static xml_attr_t  *xml_attrs;


static int xml_markup(xml_reader_t *r);


static int
xml_fail(xml_reader_t *r, const char *what)
{
    r->error = what;
    return 0;
}


/* --- characters ---------------------------------------------------------- */

static size_t
xml_utf8(char *to, unsigned long c)
{
    if (c < 0x80) {
        to[0] = (char) c;
        return 1;
    }

    if (c < 0x800) {
        to[0] = (char) (0xc0 | c >> 6);
        to[1] = (char) (0x80 | (c & 0x3f));
        return 2;
    }

    if (c < 0x10000) {
        to[0] = (char) (0xe0 | c >> 12);
        to[1] = (char) (0x80 | (c >> 6 & 0x3f));
        to[2] = (char) (0x80 | (c & 0x3f));
        return 3;
    }

    to[0] = (char) (0xf0 | (c >> 18 & 7));
    to[1] = (char) (0x80 | (c >> 12 & 0x3f));
    to[2] = (char) (0x80 | (c >> 6 & 0x3f));
    to[3] = (char) (0x80 | (c & 0x3f));
    return 4;
}


int
xml_is_char(unsigned long c)
{
    return c == '\t' || c == '\n' || c == '\r'
           || (c >= ' ' && c < 0xd800) || (c >= 0xe000 && c < 0xfffe)
           || (c >= 0x10000 && c <= 0x10ffff);
}


/* Of what follows a '&': bytes read, with the ';', or 0. */

static size_t
xml_entity(const char *p, size_t n, char *to, size_t *len)
{
    int             hex;
    size_t          i;
    char            number[12];
    char           *stop;
    unsigned long   c;

    static const struct { const char *name; size_t len; char c; } known[] = {
        { "amp;", 4, '&' }, { "lt;", 3, '<' }, { "gt;", 3, '>' },
        { "quot;", 5, '"' }, { "apos;", 5, '\'' }
    };

    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (n >= known[i].len && memcmp(p, known[i].name, known[i].len) == 0) {
            to[0] = known[i].c;
            *len = 1;
            return known[i].len;
        }
    }

    for (i = 1; i < n && i < sizeof(number) && p[i] != ';'; i++) {
        number[i - 1] = p[i];
    }

    if (n < 3 || p[0] != '#' || i == n || i == sizeof(number) || i < 2) {
        return 0;
    }

    number[i - 1] = '\0';
    hex = number[0] == 'x';

    if (!isxdigit((unsigned char) number[hex])) {
        return 0;
    }

    c = strtoul(number + hex, &stop, hex ? 16 : 10);

    if (*stop || !xml_is_char(c)) {
        return 0;
    }

    *len = xml_utf8(to, c);
    return i + 1;
}


/* A reference is never shorter than its character: it is done in place. */

static str_t
xml_decode(xml_reader_t *r, char *p, size_t n)
{
    char    *amp = memchr(p, '&', n), *from, *to, *end = p + n, c[4];
    str_t    s = { p, n };
    size_t   len, used;

    if (amp == NULL) {
        return s;
    }

    for (from = to = amp; from < end; ) {
        if (*from != '&') {
            *to++ = *from++;
            continue;
        }

        used = xml_entity(from + 1, (size_t) (end - from) - 1, c, &len);

        if (used == 0) {
            xml_fail(r, "an unknown reference");
            return s;
        }

        memcpy(to, c, len);
        to += len;
        from += used + 1;
    }

    s.len = (size_t) (to - p);
    return s;
}


/* --- nodes --------------------------------------------------------------- */

static int
xml_is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}


static void
xml_name(char *p, size_t n, str_t *prefix, str_t *name)
{
    char  *colon = memchr(p, ':', n);

    prefix->p = p;
    prefix->len = colon ? (size_t) (colon - p) : 0;
    name->p = colon ? colon + 1 : p;
    name->len = colon ? n - prefix->len - 1 : n;
}


/* Pieces are joined over what was between; behind a child text is nothing. */

static void
xml_add_text(xml_reader_t *r, str_t s)
{
    if (r->at == NULL) {
        r->stray |= str_trim(s).len != 0;
        return;
    }

    if (s.len == 0) {
        return;
    }

    if (r->at->first) {
        r->at->mixed |= str_trim(s).len != 0;
        return;
    }

    if (r->at->text.len == 0) {
        r->at->text = s;
        return;
    }

    /* CDATA or a comment was between */

    memmove((char *) r->at->text.p + r->at->text.len, s.p, s.len);
    r->at->text.len += s.len;
}


static xml_node_t *
xml_open(xml_reader_t *r, char *p, size_t n)
{
    xml_node_t  *node;

    if (r->nodes_n == XML_NODES || r->depth == XML_DEPTH) {
        xml_fail(r, "too many elements");
        return NULL;
    }

    node = &xml_nodes[r->nodes_n++];
    memset(node, 0, sizeof(xml_node_t));
    xml_name(p, n, &node->prefix, &node->name);
    node->parent = r->at;
    node->text.p = p;

    if (r->at) {
        r->at->mixed |= str_trim(r->at->text).len != 0;
    }

    if (r->at == NULL) {
        if (r->root) {
            xml_fail(r, "more than one root element");
            return NULL;
        }

        r->root = node;

    } else if (r->at->last) {
        r->at->last->next = node;
        r->at->last = node;

    } else {
        r->at->first = r->at->last = node;
    }

    r->at = node;
    r->depth++;
    return node;
}


static int
xml_close(xml_reader_t *r, str_t prefix, str_t name)
{
    xml_node_t  *node = r->at;

    if (node == NULL || node->name.len != name.len
        || node->prefix.len != prefix.len
        || memcmp(node->name.p, name.p, name.len) != 0
        || memcmp(node->prefix.p, prefix.p, prefix.len) != 0)
    {
        return xml_fail(r, "tags that do not match");
    }

    r->at = node->parent;
    r->depth--;
    return 1;
}


static int
xml_attribute(xml_reader_t *r, xml_node_t *node)
{
    char         *name = r->p, *name_end, *close;
    xml_attr_t   *a;

    while (r->p < r->end && *r->p != '=' && !xml_is_blank(*r->p)) {
        r->p++;
    }

    name_end = r->p;

    while (r->p < r->end && (*r->p == '=' || xml_is_blank(*r->p))) {
        r->p++;
    }

    if (r->p == r->end || (*r->p != '"' && *r->p != '\'')) {
        return xml_fail(r, "an attribute without value");
    }

    close = memchr(r->p + 1, *r->p, (size_t) (r->end - r->p - 1));

    if (close == NULL || r->attrs_n == XML_ATTRS) {
        return xml_fail(r, "an attribute without end");
    }

    a = &xml_attrs[r->attrs_n++];
    xml_name(name, (size_t) (name_end - name), &a->prefix, &a->name);
    a->value = xml_decode(r, r->p + 1, (size_t) (close - r->p - 1));

    node->attrs = node->attrs_n ? node->attrs : a;
    node->attrs_n++;
    r->p = close + 1;
    return 1;
}


static int
xml_start_tag(xml_reader_t *r)
{
    char        *name = r->p;
    xml_node_t  *node;

    while (r->p < r->end && *r->p != '>' && *r->p != '/'
           && !xml_is_blank(*r->p))
    {
        r->p++;
    }

    node = xml_open(r, name, (size_t) (r->p - name));

    while (node && r->p < r->end) {
        if (xml_is_blank(*r->p)) {
            r->p++;

        } else if (*r->p == '>') {
            r->p++;
            return 1;

        } else if (*r->p == '/' && r->p + 1 < r->end && r->p[1] == '>') {
            r->p += 2;
            return xml_close(r, node->prefix, node->name);

        } else if (!xml_attribute(r, node)) {
            return 0;
        }
    }

    return r->error ? 0 : xml_fail(r, "a tag without end");
}


static int
xml_end_tag(xml_reader_t *r)
{
    char   *gt = memchr(r->p, '>', (size_t) (r->end - r->p)), *end = gt;
    str_t   prefix, name;

    if (gt == NULL) {
        return xml_fail(r, "a tag without end");
    }

    while (end > r->p && xml_is_blank(end[-1])) {
        end--;
    }

    xml_name(r->p, (size_t) (end - r->p), &prefix, &name);
    r->p = gt + 1;
    return xml_close(r, prefix, name);
}


static int
xml_skip(xml_reader_t *r, const char *until)
{
    size_t   n = strlen(until);
    char    *end = memmem(r->p, (size_t) (r->end - r->p), until, n);
    str_t    s;

    if (end == NULL) {
        return xml_fail(r, "a comment or CDATA without end");
    }

    if (until[0] == ']') {
        s.p = r->p;
        s.len = (size_t) (end - r->p);
        xml_add_text(r, s);
    }

    r->p = end + n;
    return 1;
}


/* What follows a '<'. */

static int
xml_markup(xml_reader_t *r)
{
    size_t  i, left = (size_t) (r->end - r->p);

    static const struct { const char *open; const char *close; } skipped[] = {
        { "!--", "-->" }, { "![CDATA[", "]]>" }, { "?", "?>" }
    };

    for (i = 0; i < sizeof(skipped) / sizeof(skipped[0]); i++) {
        size_t  n = strlen(skipped[i].open);

        if (left >= n && memcmp(r->p, skipped[i].open, n) == 0) {
            r->p += n;
            return xml_skip(r, skipped[i].close);
        }
    }

    if (left && *r->p == '/') {
        r->p++;
        return xml_end_tag(r);
    }

    if (left && *r->p == '!') {
        return xml_fail(r, "a DOCTYPE");
    }

    return xml_start_tag(r);
}


xml_node_t *
xml_parse(char *p, size_t n, const char **error)
{
    char          *lt;
    xml_reader_t   r = { p, p + n, NULL, NULL, 0, 0, 0, 0, NULL };

    if (xml_nodes == NULL) {
        xml_nodes = mem_alloc(XML_NODES * sizeof(xml_node_t));
        xml_attrs = mem_alloc(XML_ATTRS * sizeof(xml_attr_t));
    }

    while (r.p < r.end && r.error == NULL) {
        lt = memchr(r.p, '<', (size_t) (r.end - r.p));

        if (lt == NULL) {
            xml_add_text(&r, (str_t) { r.p, (size_t) (r.end - r.p) });
            break;
        }

        xml_add_text(&r, xml_decode(&r, r.p, (size_t) (lt - r.p)));
        r.p = lt + 1;
        xml_markup(&r);
    }

    if (r.error == NULL && (r.root == NULL || r.at)) {
        r.error = r.root ? "an element without end" : "no element";
    }

    if (r.error == NULL) {
        r.root->mixed |= r.stray;
    }

    *error = r.error;
    return r.error ? NULL : r.root;
}


/* --- looking ------------------------------------------------------------- */

xml_node_t *
xml_child(const xml_node_t *node, const char *name)
{
    xml_node_t  *child;

    for (child = node ? node->first : NULL; child; child = child->next) {
        if (str_is(child->name, name)) {
            return child;
        }
    }

    return NULL;
}


str_t
xml_text(const xml_node_t *node, const char *name)
{
    xml_node_t  *child = xml_child(node, name);
    str_t        none = { "", 0 };

    return child ? child->text : none;
}


const xml_attr_t *
xml_attr(const xml_node_t *node, const char *name)
{
    unsigned  i;

    for (i = 0; i < node->attrs_n; i++) {
        if (str_is(node->attrs[i].name, name)) {
            return &node->attrs[i];
        }
    }

    return NULL;
}


unsigned
xml_count(const xml_node_t *node)
{
    unsigned           n = 0;
    const xml_node_t  *child;

    for (child = node->first; child; child = child->next) {
        n++;
    }

    return n;
}


str_t
xml_namespace(const xml_node_t *node, str_t prefix)
{
    unsigned  i;
    str_t     none = { "", 0 };

    for ( ; node; node = node->parent) {
        for (i = 0; i < node->attrs_n; i++) {
            const xml_attr_t  *a = &node->attrs[i];

            if (prefix.len == 0
                ? a->prefix.len == 0 && str_is(a->name, "xmlns")
                : str_is(a->prefix, "xmlns") && a->name.len == prefix.len
                  && memcmp(a->name.p, prefix.p, prefix.len) == 0)
            {
                return a->value;
            }
        }
    }

    return none;
}
