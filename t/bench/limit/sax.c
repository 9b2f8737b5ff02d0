/*
 * sax FILE MS: the CPU that libxml2's SAX2 push parser needs for the body in
 * FILE, with handlers that do nothing, a new parser for each body, in pieces of
 * 16 KB, as nginx hands them on.  Less cannot be needed to read it by libxml2.
 */

#include <libxml/parser.h>
#include <string.h>

#include "clock.h"


#define PIECE  16384


typedef struct {
    char           *body;
    size_t          len;
    xmlSAXHandler   sax;
} sax_t;


static void
sax_start(void *data, const xmlChar *name, const xmlChar *prefix,
    const xmlChar *uri, int nns, const xmlChar **ns, int n, int defaulted,
    const xmlChar **attributes)
{
    (void) data, (void) name, (void) prefix, (void) uri, (void) nns;
    (void) ns, (void) n, (void) defaulted, (void) attributes;
}


static void
sax_end(void *data, const xmlChar *name, const xmlChar *prefix,
    const xmlChar *uri)
{
    (void) data, (void) name, (void) prefix, (void) uri;
}


static void
sax_text(void *data, const xmlChar *text, int len)
{
    (void) data, (void) text, (void) len;
}


static void
sax_once(void *data)
{
    size_t            at, n;
    sax_t            *s = data;
    xmlParserCtxtPtr  ctxt;

    ctxt = xmlCreatePushParserCtxt(&s->sax, NULL, NULL, 0, NULL);

    if (ctxt == NULL) {
        fprintf(stderr, "sax: out of memory\n");
        exit(2);
    }

    for (at = 0; at < s->len; at += n) {
        n = s->len - at < PIECE ? s->len - at : PIECE;

        if (xmlParseChunk(ctxt, s->body + at, (int) n, 0) != 0) {
            fprintf(stderr, "sax: the body is not XML\n");
            exit(2);
        }
    }

    if (xmlParseChunk(ctxt, NULL, 0, 1) != 0) {
        fprintf(stderr, "sax: the body has no end\n");
        exit(2);
    }

    xmlFreeParserCtxt(ctxt);
}


int
main(int argc, char **argv)
{
    sax_t  s;

    if (argc != 3) {
        fprintf(stderr, "usage: sax FILE MS\n");
        return 2;
    }

    memset(&s.sax, 0, sizeof(s.sax));
    s.sax.initialized = XML_SAX2_MAGIC;
    s.sax.startElementNs = sax_start;
    s.sax.endElementNs = sax_end;
    s.sax.characters = sax_text;
    s.sax.cdataBlock = sax_text;
    s.body = clock_read(argv[1], &s.len);

    clock_print(sax_once, &s, atof(argv[2]));
    return 0;
}
