
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
verify_full(session_t *s, const http_response_t *r)
{
    if (r->status != 200) {
        verify_fail(s, "status %d with a body", r->status);
    }

    if (r->type.len < 8 || strncasecmp(r->type.p, "text/xml", 8) != 0) {
        verify_fail(s, "Content-Type is not text/xml");
    }

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

void
verify_text(session_t *s, const char *p, size_t n)
{
    size_t       i, line = n < 100 ? n : 100;
    const char  *end = memmem(p, line, "?>", 2);

    if (n < 5 || memcmp(p, "<?xml", 5) != 0 || end == NULL
        || strncasecmp(end - 6, "UTF-8", 5) != 0)
    {
        verify_fail(s, "no XML declaration of UTF-8");
    }

    for (i = 0; i < n; i++) {
        if ((unsigned char) p[i] < ' ' && p[i] != '\n' && p[i] != '\r'
            && p[i] != '\t')
        {
            verify_fail(s, "a character that XML forbids");
            return;
        }
    }
}


static int
must_understand(const xml_node_t *node)
{
    const xml_attr_t  *a = xml_attr(node, "mustUnderstand");

    return a && str_is(a->value, "1");
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
               || memmem(settings.versions, strlen(settings.versions),
                         version->text.p, version->text.len) == NULL)
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
    str_t              code = xml_text(fault, "faultcode");

    if (inner == NULL || xml_child(inner, "FaultCode") == NULL) {
        verify_fail(s, "a fault without CWMP's detail");
        return;
    }

    verify_namespace(s, inner);

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
    const xml_node_t  *h;

    for (h = header ? header->first : NULL; h; h = h->next) {
        if (str_is(h->name, "NoMoreRequests")) {
            verify_fail(s, "the header NoMoreRequests");
        }

        if (must_understand(h)) {
            verify_namespace(s, h);
        }
    }

    verify_id(s, xml_child(header, "ID"));
    verify_version(s, xml_child(header, "UseCWMPVersion"));
}


void
verify_envelope(session_t *s, const xml_node_t *root)
{
    const xml_node_t  *body = xml_child(root, "Body"), *method;

    if (!str_is(root->name, "Envelope")
        || !str_is(xml_namespace(root, root->prefix), SOAP_NS))
    {
        verify_fail(s, "the root is not an Envelope of SOAP 1.1");
    }

    verify_header(s, xml_child(root, "Header"));
    method = body ? body->first : NULL;

    if (method == NULL || body->next || method->next) {
        verify_fail(s, "not one element in one Body");
        return;
    }

    if (str_is(method->name, "Fault")) {
        verify_fault(s, method);
        return;
    }

    verify_namespace(s, method);
    verify_method(s, method);
}
