
/*
 * --verify: each reply against the rules of CWMP, from the status to the
 * envelope; arguments are verify_rpc.c's.  Whatever is not as it has to be is
 * noted, and its session counts as failed, but goes on.
 */

#define _GNU_SOURCE

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "verify.h"


#define COOKIES_MAX   512           /* what a CPE has to keep */
#define REQUEST_MAX   32768         /* what a CPE has to take */
#define ID_MAX        32

#define SOAP_NS  "http://schemas.xmlsoap.org/soap/envelope/"
#define XSI_NS   "http://www.w3.org/2001/XMLSchema-instance"


void
verify_fail(session_t *s, const char *format, ...)
{
    char     text[200];
    va_list  args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    stats_note("verify: %s", text);
    s->why = FAIL_VERIFY;
}


/* --- HTTP ---------------------------------------------------------------- */

static void
verify_cookies(session_t *s, const http_response_t *r)
{
    size_t    total = 0, k;
    unsigned  i;

    static const char  *never[] = { "expires=", "max-age=", "domain=" };

    for (i = 0; i < r->cookies_n; i++) {
        str_t  c = r->cookies[i];
        char   text[600];

        total += c.len;
        snprintf(text, sizeof(text), "%.*s;", (int) c.len, c.p);

        if (strcasestr(text, "path=/;") == NULL) {
            verify_fail(s, "a cookie without Path=/");
        }

        for (k = 0; k < 3; k++) {
            if (strcasestr(text, never[k])) {
                verify_fail(s, "a cookie with %s", never[k]);
            }
        }
    }

    if (total > COOKIES_MAX) {
        verify_fail(s, "cookies of more than %d bytes", COOKIES_MAX);
    }
}


static void
verify_empty(session_t *s, const http_response_t *r)
{
    if (r->status != 204) {
        verify_fail(s, "status %d without a body", r->status);
    }

    if (r->has_length && r->length) {
        verify_fail(s, "204 with Content-Length: %zu", r->length);
    }

    if (r->type.len) {
        verify_fail(s, "204 with a Content-Type");
    }
}


static void
verify_type(session_t *s, str_t type)
{
    char         text[128];
    const char  *charset;

    snprintf(text, sizeof(text), "%.*s", (int) type.len, type.p);

    if (strncasecmp(text, "text/xml", 8) != 0
        || (text[8] && text[8] != ';' && text[8] != ' '))
    {
        verify_fail(s, "Content-Type is not text/xml");
    }

    charset = strcasestr(text, "charset=");

    if (charset && strcasestr(charset, "utf-8") == NULL) {
        verify_fail(s, "Content-Type is not of UTF-8");
    }
}


static void
verify_full(session_t *s, const http_response_t *r)
{
    if (r->status != 200) {
        verify_fail(s, "status %d with a body", r->status);
    }

    verify_type(s, r->type);

    if (!r->has_length || r->chunked) {
        verify_fail(s, "no Content-Length");
    }

    if (r->body_len > REQUEST_MAX) {
        verify_fail(s, "an envelope of more than %d bytes", REQUEST_MAX);
    }
}


void
verify_http(session_t *s, const http_response_t *r)
{
    verify_cookies(s, r);

    if (s->phase == PHASE_INFORM && r->cookies_n == 0 && r->body_len) {
        stats_note("remark: no cookie with the reply to an Inform");
    }

    if (r->status == 204 || r->body_len == 0) {
        verify_empty(s, r);
    } else {
        verify_full(s, r);
    }
}


/* --- the envelope -------------------------------------------------------- */

/* Bytes of the first character; 0: XML or UTF-8 has none such. */

static size_t
utf8_character(const char *p, size_t n)
{
    size_t         i, len;
    unsigned char  first = (unsigned char) p[0];
    unsigned long  c;

    static const unsigned long  least[] = { 0, 0, 0x80, 0x800, 0x10000 };

    len = first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2
          : first < 0xf0 ? 3 : first < 0xf8 ? 4 : 0;

    if (len == 0 || len > n) {
        return 0;
    }

    c = len == 1 ? first : first & (0x7fu >> len);

    for (i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        c = c << 6 | (p[i] & 0x3f);
    }

    return c >= least[len] && xml_is_char(c) ? len : 0;
}


void
verify_text(session_t *s, const char *p, size_t n)
{
    size_t       line = n < 100 ? n : 100;
    const char  *end = memmem(p, line, "?>", 2);

    if (n < 5 || memcmp(p, "<?xml", 5) != 0 || end == NULL
        || strncasecmp(end - 6, "UTF-8", 5) != 0)
    {
        verify_fail(s, "no XML declaration of UTF-8");
    }

    while (n && (line = utf8_character(p, n)) != 0) {
        p += line;
        n -= line;
    }

    if (n) {
        verify_fail(s, "a character that XML forbids, or no UTF-8");
    }
}


static int
must_understand(const xml_node_t *node)
{
    const xml_attr_t  *a = xml_attr(node, "mustUnderstand");

    return a && str_is(a->value, "1")
           && str_is(xml_namespace(node, a->prefix), SOAP_NS);
}


/* What holds of any element: prefixes are bound, text is in leaves only. */

static void
verify_element(session_t *s, const xml_node_t *node)
{
    unsigned           i;
    str_t              ns;
    const xml_attr_t  *a;
    const xml_node_t  *child;

    if (node->mixed) {
        verify_fail(s, "text beside elements");
    }

    if (node->prefix.len && xml_namespace(node, node->prefix).len == 0) {
        verify_fail(s, "a prefix without a namespace");
    }

    for (i = 0; i < node->attrs_n; i++) {
        a = &node->attrs[i];
        ns = a->prefix.len ? xml_namespace(node, a->prefix)
                           : (str_t) { "", 0 };

        if (str_is(a->prefix, "xmlns") || str_is(a->prefix, "xml")) {
            continue;
        }

        if ((a->prefix.len && ns.len == 0)
            || (str_is(a->name, "arrayType") && !str_is(ns, ENC_NS))
            || (str_is(a->name, "type") && !str_is(ns, XSI_NS)))
        {
            verify_fail(s, "the attribute %.*s is not in its namespace",
                        (int) a->name.len, a->name.p);
        }
    }

    for (child = node->first; child; child = child->next) {
        verify_element(s, child);
    }
}


/* The ID of a response is the request's; a request has one of its own. */

static void
verify_id(session_t *s, const xml_node_t *id)
{
    char  expected[12];

    if (id == NULL) {
        verify_fail(s, "no header ID");
        return;
    }

    if (!must_understand(id)) {
        verify_fail(s, "an ID without mustUnderstand=\"1\"");
    }

    if (s->phase == PHASE_INFORM || s->phase == PHASE_REQUEST) {
        snprintf(expected, sizeof(expected), "%u", s->ids);

        if (!str_is(id->text, expected)) {
            verify_fail(s, "the ID of a response is not its request's");
        }

    } else if (id->text.len == 0 || id->text.len > ID_MAX) {
        verify_fail(s, "the ID of a request has %zu characters",
                    id->text.len);
    }
}


static void
verify_version(session_t *s, const xml_node_t *version)
{
    if (version == NULL) {
        if (settings.versions && s->phase == PHASE_INFORM) {
            verify_fail(s, "no UseCWMPVersion, though versions were offered");
        }

        return;
    }

    if (settings.versions == NULL || s->phase != PHASE_INFORM) {
        verify_fail(s, "UseCWMPVersion that nobody asked for");

    } else if (!must_understand(version)
               || !str_listed(str_of(settings.versions), version->text))
    {
        verify_fail(s, "UseCWMPVersion that was not offered");
    }
}


/* With versions offered, an older one may have been chosen. */

static void
verify_namespace(session_t *s, const xml_node_t *node)
{
    str_t  ns = xml_namespace(node, node->prefix);

    if (str_is(ns, settings.ns)) {
        return;
    }

    if (settings.versions && ns.len == strlen(settings.ns)
        && memcmp(ns.p, "urn:dslforum-org:cwmp-1-", 24) == 0
        && ns.p[24] <= settings.ns[24])
    {
        return;
    }

    verify_fail(s, "%.*s is not in the Inform's namespace",
                (int) node->name.len, node->name.p);
}


static void
verify_fault(session_t *s, const xml_node_t *fault)
{
    const xml_node_t  *inner = xml_child(xml_child(fault, "detail"), "Fault");
    str_t              code = xml_text(fault, "faultcode"), number;

    if (inner == NULL || xml_child(inner, "FaultCode") == NULL) {
        verify_fail(s, "a fault without CWMP's detail");
        return;
    }

    verify_namespace(s, inner);
    number = xml_text(inner, "FaultCode");

    if (number.len != 4 || number.p[0] != '8') {
        verify_fail(s, "a fault whose code is none of an ACS");
    }

    if (!str_is(xml_text(fault, "faultstring"), "CWMP fault")) {
        verify_fail(s, "a faultstring that is not \"CWMP fault\"");
    }

    if (!str_is(code, "Client") && !str_is(code, "Server")) {
        verify_fail(s, "a faultcode that is neither Client nor Server");
    }
}


static void
verify_header(session_t *s, const xml_node_t *header)
{
    unsigned           i;
    const xml_node_t  *h;

    static const char  *known[] = { "ID", "HoldRequests", "UseCWMPVersion" };

    for (h = header ? header->first : NULL; h; h = h->next) {
        for (i = 0; i < 3 && !str_is(h->name, known[i]); i++) { /* void */ }

        if (i == 3) {
            verify_fail(s, "a header %.*s", (int) h->name.len, h->name.p);
        } else if (xml_child(header, known[i]) != h) {
            verify_fail(s, "%s twice", known[i]);
        } else if (i == 1 && !str_is(h->text, "0") && !str_is(h->text, "1")) {
            verify_fail(s, "HoldRequests is neither 0 nor 1");
        }

        verify_namespace(s, h);
    }

    verify_id(s, xml_child(header, "ID"));
    verify_version(s, xml_child(header, "UseCWMPVersion"));
}


static int
is_soap(const xml_node_t *node, const char *name)
{
    return node && str_is(node->name, name)
           && str_is(xml_namespace(node, node->prefix), SOAP_NS);
}


void
verify_envelope(session_t *s, const xml_node_t *root)
{
    const xml_node_t  *header = root->first, *body, *method;

    verify_element(s, root);
    body = header ? header->next : NULL;

    if (!is_soap(root, "Envelope") || !is_soap(header, "Header")
        || !is_soap(body, "Body") || body->next)
    {
        verify_fail(s, "not one Header and one Body in an Envelope of SOAP "
                       "1.1");
        return;
    }

    verify_header(s, header);
    method = body->first;

    if (method == NULL || method->next) {
        verify_fail(s, "not one element in the Body");
        return;
    }

    if (is_soap(method, "Fault")) {
        verify_fault(s, method);
        return;
    }

    verify_namespace(s, method);
    verify_method(s, method);
}
