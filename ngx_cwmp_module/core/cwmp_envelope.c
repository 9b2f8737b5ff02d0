
/*
 * The bytes' way: what is no XML is trimmed off; what is plain is read by
 * cwmp_plain.c, and from where it is not, the repair mends what libxml2 would
 * not take, the guard bounds what libxml2 would gather, and libxml2's SAX push
 * parser finds elements and text.  cwmp_walk.c makes facts of them.
 * The first refusal stands and nothing is fed after it.  What the CPE's
 * namespaces say does not matter, so libxml2's are left off (SAX1 events): an
 * undeclared prefix then is no error, and costs nothing.  The process calls
 * xmlInitParser() once, before the first envelope.  This file must not know
 * what an RPC looks like.
 *
 * stdio.h is here for vsnprintf() only.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/xmlerror.h>

#include "cwmp_walk.h"


#define CWMP_PIECE  16384           /* libxml2 copies what it is fed */
#define CWMP_NAMES  65536           /* of distinct names; a CPE has a hundred */

#if (LIBXML_VERSION >= 21200)
typedef const xmlError  *cwmp_xml_error_pt;
#else
typedef xmlErrorPtr      cwmp_xml_error_pt;
#endif


static const unsigned char *cwmp_envelope_trim(cwmp_envelope_t *e,
    const unsigned char *p, const unsigned char *end);
static void cwmp_envelope_begin(cwmp_envelope_t *e, const unsigned char *p,
    size_t n);
static void cwmp_envelope_encoded(cwmp_envelope_t *e,
    const unsigned char *name, size_t len);
static void cwmp_envelope_pass(cwmp_envelope_t *e, const unsigned char *p,
    size_t n, int last);
static void cwmp_envelope_mend(void *data, const unsigned char *p, size_t n,
    int last);
static void cwmp_envelope_hand_over(cwmp_envelope_t *e);
static void cwmp_envelope_parser(cwmp_envelope_t *e);
static void cwmp_envelope_repair(cwmp_envelope_t *e, const unsigned char *p,
    size_t n, int last);
static cwmp_rc_t cwmp_envelope_good(void *data, const unsigned char *p,
    size_t n);
static void cwmp_envelope_bad(cwmp_envelope_t *e, const char *why);
static void cwmp_envelope_parse(cwmp_envelope_t *e, const unsigned char *p,
    size_t n, int last);
static size_t cwmp_envelope_path(cwmp_envelope_t *e, char *p, size_t room);

static void cwmp_sax_open(void *data, const xmlChar *name,
    const xmlChar **atts);
static void cwmp_sax_close(void *data, const xmlChar *name);
static void cwmp_sax_text(void *data, const xmlChar *p, int n);
static void cwmp_sax_doctype(void *data, const xmlChar *name,
    const xmlChar *external, const xmlChar *system);
static void cwmp_sax_error(void *data, cwmp_xml_error_pt error);


const cwmp_limits_t  cwmp_default_limits = { 32 << 20, 256 << 10, 32 };

static unsigned char     cwmp_nothing[] = "";
static const cwmp_str_t  cwmp_empty = { 0, cwmp_nothing };


cwmp_envelope_t *
cwmp_envelope_create(cwmp_arena_t *arena, const cwmp_limits_t *limits,
    cwmp_row_pt row, void *data)
{
    cwmp_envelope_t  *e;

    e = cwmp_alloc(arena, sizeof(cwmp_envelope_t));
    if (e == NULL) {
        return NULL;
    }

    /* not the stage: a bare session of empty POSTs should not pay for it */

    memset(e, 0, offsetof(cwmp_envelope_t, stage));

    e->reason[0] = '\0';
    e->arena = arena;
    e->limits = *limits;
    e->row = row;
    e->data = data;
    e->facts.kind = CWMP_EMPTY;
    e->facts.method = cwmp_empty;
    e->facts.id = cwmp_empty;
    e->facts.fault_text = cwmp_empty;
    e->facts.versions = cwmp_empty;
    e->facts.not_understood = cwmp_empty;

    cwmp_repair_init(&e->repair, arena, cwmp_envelope_good, e);
    cwmp_guard_init(&e->guard, limits->text);

    e->gather = CWMP_STAGE;
    memset(&e->plain, 0, offsetof(cwmp_plain_t, names));
    memset(&e->same, 0, offsetof(cwmp_same_t, holes));

    e->same.wait = 0;
    e->same.pause = 0;

    return e;
}


void
cwmp_envelope_free(cwmp_envelope_t *e)
{
    if (e->ctxt) {
        xmlFreeParserCtxt(e->ctxt);
        e->ctxt = NULL;
    }

    if (e->decode) {
        cwmp_decode_free(e->decode);
        e->decode = NULL;
    }
}


void
cwmp_envelope_charset(cwmp_envelope_t *e, const unsigned char *name,
    size_t len)
{
    cwmp_envelope_encoded(e, name, len);
}


/* the first word of it stands; what we do not know is no word */

static void
cwmp_envelope_encoded(cwmp_envelope_t *e, const unsigned char *name,
    size_t len)
{
    if (e->charset != CWMP_CHARSET_UNKNOWN) {
        return;
    }

    e->charset = cwmp_charset(name, len);
    e->repair.charset = e->charset;

    if (e->charset == CWMP_CHARSET_FOREIGN
        && cwmp_decode_create(&e->decode, e->arena, name, len) != CWMP_OK)
    {
        cwmp_envelope_stop(e, CWMP_ERROR);
    }
}


cwmp_rc_t
cwmp_envelope_feed(cwmp_envelope_t *e, const unsigned char *p, size_t n)
{
    const unsigned char  *end;

    if (e->rc != CWMP_OK) {
        return e->rc;
    }

    if (n > e->limits.bytes - e->bytes) {
        return cwmp_envelope_refuse(e, "envelope over %zu bytes",
                                    e->limits.bytes);
    }

    e->bytes += n;
    end = p + n;

    if (!e->started) {
        p = cwmp_envelope_trim(e, p, end);
        if (p == end || e->rc != CWMP_OK) {
            return e->rc;
        }
    }

    /* libxml2 looks over all it holds each time it is fed: not byte by byte */

    if (e->staged || (size_t) (end - p) < e->gather) {
        n = e->gather - e->staged;
        n = (n < (size_t) (end - p)) ? n : (size_t) (end - p);

        memcpy(e->stage + e->staged, p, n);
        e->staged += n;
        p += n;

        if (e->staged < e->gather) {
            return e->rc;
        }

        cwmp_envelope_pass(e, e->stage, e->staged, 0);
        e->staged = 0;
    }

    if (p < end) {
        cwmp_envelope_pass(e, p, end - p, 0);
    }

    return e->rc;
}


cwmp_rc_t
cwmp_envelope_end(cwmp_envelope_t *e)
{
    char  path[160];

    if (e->rc != CWMP_OK || e->ending) {
        return e->rc;
    }

    cwmp_envelope_pass(e, e->stage, e->staged, 1);
    e->staged = 0;
    e->ending = 1;

    if (e->rc != CWMP_OK || !e->started) {
        return e->rc;
    }

    if (!e->done && e->ctxt) {

        /* it may hold back the last byte or two */

        cwmp_envelope_parse(e, cwmp_nothing, 0, 1);
    }

    if (e->rc == CWMP_OK && !e->done) {
        path[cwmp_envelope_path(e, path, sizeof(path) - 1)] = '\0';
        return cwmp_envelope_refuse(e, "envelope ends early%s%s",
                                    path[0] ? ", inside " : "", path);
    }

    if (e->rc == CWMP_OK) {
        cwmp_walk_end(e);
    }

    return e->rc;
}


const cwmp_facts_t *
cwmp_envelope_facts(const cwmp_envelope_t *e)
{
    return &e->facts;
}


const char *
cwmp_envelope_reason(const cwmp_envelope_t *e)
{
    return e->reason;
}


cwmp_rc_t
cwmp_envelope_refuse(cwmp_envelope_t *e, const char *fmt, ...)
{
    char     *p;
    va_list   args;

    if (e->rc != CWMP_OK) {
        return e->rc;
    }

    va_start(args, fmt);
    vsnprintf(e->reason, sizeof(e->reason), fmt, args);
    va_end(args);

    for (p = e->reason; *p; p++) {
        if (*p < 0x20 || *p > 0x7e) {
            *p = '?';
        }
    }

    cwmp_envelope_stop(e, CWMP_REFUSED);

    return CWMP_REFUSED;
}


void
cwmp_envelope_stop(cwmp_envelope_t *e, cwmp_rc_t rc)
{
    e->rc = rc;

    /* libxml2 goes on after an error in its converter, with the input that
       stopping would free; a fatal error stops it as well */

    if (e->ctxt && !e->erring) {
        xmlStopParser(e->ctxt);
    }
}


/* blanks, NULs and a BOM in front of a document are fatal to libxml2 */

static const unsigned char *
cwmp_envelope_trim(cwmp_envelope_t *e, const unsigned char *p,
    const unsigned char *end)
{
    static const unsigned char  bom[] = { 0xef, 0xbb, 0xbf };

    for ( /* void */ ; p < end; p++) {

        if (e->bom < 3 && *p == bom[e->bom]) {
            e->bom++;
            continue;
        }

        if (e->bom == 1 || e->bom == 2) {
            cwmp_envelope_begin(e, bom, e->bom);
            return p;
        }

        if (*p == ' ' || (*p >= '\t' && *p <= '\r') || *p == '\0') {
            continue;
        }

        cwmp_envelope_begin(e, p, end - p);
        return p;
    }

    return p;
}


static void
cwmp_envelope_begin(cwmp_envelope_t *e, const unsigned char *p, size_t n)
{
    char    text[64], *t;
    size_t  i;

    if (n > 1 && (*p >= 0xfe || *p == '\0') && p[1] >= 0xfe) {
        cwmp_envelope_refuse(e, "body is not in an 8-bit encoding: send UTF-8");
        return;
    }

    if (*p != '<') {
        for (i = 0, t = text; i < n && i < 12; i++) {
            t += sprintf(t, (p[i] > 0x1f && p[i] < 0x7f && p[i] != '\\')
                            ? "%c" : "\\x%02x", p[i]);
        }

        *t = '\0';
        cwmp_envelope_refuse(e, "body is not XML: starts with '%s'", text);
        return;
    }

    e->started = 1;
    e->plain.on = 1;
}


/* the first piece has all of an XML declaration, if there is one */

static void
cwmp_envelope_pass(cwmp_envelope_t *e, const unsigned char *p, size_t n,
    int last)
{
    size_t                len;
    const unsigned char  *name;

    if (!e->declared && n) {
        e->declared = 1;
        name = cwmp_decode_name(p, n, &len);

        if (name) {
            cwmp_envelope_encoded(e, name, len);
        }
    }

    if (e->decode) {
        cwmp_decode_feed(e->decode, p, n, last, cwmp_envelope_mend, e);
    } else {
        cwmp_envelope_mend(e, p, n, last);
    }
}


/*
 * What is plain is read where it lies.  From where it is not, all is mended by
 * the repair, bounded by the guard, then libxml2's; but for rows that look the
 * same.
 */

static void
cwmp_envelope_mend(void *data, const unsigned char *p, size_t n, int last)
{
    size_t            take;
    cwmp_envelope_t  *e = data;

    if (!e->started) {
        return;
    }

    while (e->plain.on && n && e->rc == CWMP_OK) {
        take = cwmp_plain_read(e, p, n);
        p += take;
        n -= take;
    }

    if (e->plain.on && !last) {
        return;
    }

    e->plain.on = 0;

    if (e->ctxt == NULL && !e->done && e->rc == CWMP_OK) {
        cwmp_envelope_hand_over(e);
    }

    while (e->rc == CWMP_OK) {
        take = cwmp_same_rows(e, p, n);
        p += take;
        n -= take;

        take = cwmp_same_until(e, p, n);
        cwmp_envelope_repair(e, p, take, last && take == n);
        p += take;
        n -= take;

        if (n == 0) {
            return;
        }
    }
}


/*
 * From here on the document is libxml2's.  It is told which elements are open,
 * and must not tell us.
 */

static void
cwmp_envelope_hand_over(cwmp_envelope_t *e)
{
    size_t          n;
    unsigned        i;
    cwmp_plain_t   *plain = &e->plain;
    unsigned char   tags[CWMP_PLAIN_NAMES + CWMP_PLAIN_DEPTH + 32], *p;

    static const char  declaration[] = "<?xml version=\"1.0\"?>";

    cwmp_envelope_parser(e);

    if (e->rc != CWMP_OK) {
        return;
    }

    p = tags;

    if (plain->declared) {
        memcpy(p, declaration, sizeof(declaration) - 1);
        p += sizeof(declaration) - 1;
    }

    for (i = 0; i < plain->open; i++) {
        n = strlen(plain->names + plain->names_at[i]);
        *p++ = '<';
        memcpy(p, plain->names + plain->names_at[i], n);
        p += n;
        *p++ = '>';
    }

    e->replayed = plain->open;
    e->repair.depth = plain->open;
    e->repair.opened = (plain->open || plain->declared);

    if (p > tags) {
        cwmp_envelope_parse(e, tags, p - tags, 0);
    }

    e->ctxt->input->line += plain->lines;

    if (plain->held) {
        cwmp_envelope_repair(e, plain->hold, plain->held, 0);
    }
}


/* anything but the magic number of SAX2: libxml2 leaves namespaces alone, and
   reports errors to the handler set in cwmp_envelope_parse() */

static void
cwmp_envelope_parser(cwmp_envelope_t *e)
{
    xmlSAXHandler  sax;

    memset(&sax, 0, sizeof(sax));
    sax.initialized = 1;
    sax.startElement = cwmp_sax_open;
    sax.endElement = cwmp_sax_close;
    sax.characters = cwmp_sax_text;
    sax.ignorableWhitespace = cwmp_sax_text;
    sax.cdataBlock = cwmp_sax_text;
    sax.internalSubset = cwmp_sax_doctype;

    e->ctxt = xmlCreatePushParserCtxt(&sax, e, NULL, 0, NULL);
    if (e->ctxt == NULL) {
        cwmp_envelope_stop(e, CWMP_ERROR);
        return;
    }

    /* what the repair hands on is UTF-8, whatever the declaration says */

    xmlCtxtUseOptions(e->ctxt, XML_PARSE_NONET | XML_PARSE_IGNORE_ENC);
}


static void
cwmp_envelope_repair(cwmp_envelope_t *e, const unsigned char *p, size_t n,
    int last)
{
    if (e->rc != CWMP_OK) {
        return;
    }

    cwmp_repair_feed(&e->repair, p, n, last);
    e->facts.extra = e->repair.extra;

    if (e->rc == CWMP_OK && e->repair.rc == CWMP_ERROR) {
        cwmp_envelope_stop(e, CWMP_ERROR);

    } else if (e->rc == CWMP_OK && e->repair.why) {
        cwmp_envelope_bad(e, e->repair.why);
    }
}


/* what the guard lets through goes on, so that a refusal knows where it was */

static cwmp_rc_t
cwmp_envelope_good(void *data, const unsigned char *p, size_t n)
{
    cwmp_envelope_t  *e = data;

    size_t       piece, good;
    const char  *why;

    while (n && e->rc == CWMP_OK && !e->done) {
        piece = (n < CWMP_PIECE) ? n : CWMP_PIECE;
        good = cwmp_guard_scan(&e->guard, p, piece, &why);

        if (good) {
            cwmp_envelope_parse(e, p, good, 0);
        }

        if (good < piece && !e->done) {
            cwmp_envelope_bad(e, why);
        }

        p += piece;
        n -= piece;
    }

    return e->rc;
}


static void
cwmp_envelope_bad(cwmp_envelope_t *e, const char *why)
{
    char  path[120];

    path[cwmp_envelope_path(e, path, sizeof(path) - 1)] = '\0';
    cwmp_envelope_refuse(e, "%s%s%s", why, path[0] ? ", inside " : "", path);
}


/*
 * libxml2 reports errors, and also what its converters meet, to the thread's
 * handler, which writes to stderr unless somebody took it: it is ours for the
 * moment, and goes back to whoever had it.
 */

static void
cwmp_envelope_parse(cwmp_envelope_t *e, const unsigned char *p, size_t n,
    int last)
{
    int                     rc;
    void                   *data;
    xmlStructuredErrorFunc  handler;

    handler = xmlStructuredError;
    data = xmlStructuredErrorContext;

    xmlSetStructuredErrorFunc(e, (xmlStructuredErrorFunc) cwmp_sax_error);

    /* each time: libxml2 2.15 sets its own, of 100 MB, in the first chunk */

    xmlDictSetLimit(e->ctxt->dict, CWMP_NAMES);

    rc = xmlParseChunk(e->ctxt, (const char *) p, (int) n, last);

    xmlSetStructuredErrorFunc(data, handler);

    if (e->rc != CWMP_OK || e->done || last) {
        return;
    }

    if (rc == XML_ERR_NO_MEMORY) {
        cwmp_envelope_stop(e, CWMP_ERROR);
        return;
    }

    if (!e->ctxt->wellFormed) {
        cwmp_envelope_refuse(e, "not well-formed XML");
    }
}


/* "Body > Inform > ParameterList"; returns its length */

static size_t
cwmp_envelope_path(cwmp_envelope_t *e, char *p, size_t room)
{
    int       n;
    size_t    len;
    unsigned  i;

    len = 0;

    for (i = 1; i < e->nframes && len < room; i++) {
        n = snprintf(p + len, room - len, "%s%s", i > 1 ? " > " : "",
                     e->frames[i].name);
        len += n;
    }

    return (len < room) ? len : room - 1;
}


static void
cwmp_sax_open(void *data, const xmlChar *name, const xmlChar **atts)
{
    cwmp_envelope_t  *e = data;

    if (e->replayed) {
        e->replayed--;
        return;
    }

    if (e->rc == CWMP_OK && !e->done) {
        cwmp_walk_open(e, (const char *) name, (const char **) atts);
    }
}


static void
cwmp_sax_close(void *data, const xmlChar *name)
{
    cwmp_envelope_t  *e = data;

    (void) name;

    if (e->rc != CWMP_OK || e->done) {
        return;
    }

    cwmp_walk_close(e);

    if (e->depth == 0) {
        e->done = 1;
        xmlStopParser(e->ctxt);
    }
}


static void
cwmp_sax_text(void *data, const xmlChar *p, int n)
{
    cwmp_envelope_t  *e = data;

    if (e->rc == CWMP_OK && !e->done && e->skip == 0) {
        cwmp_walk_text(e, p, n);
    }
}


/* the guard does not let one come so far: this is the second lock */

static void
cwmp_sax_doctype(void *data, const xmlChar *name, const xmlChar *external,
    const xmlChar *system)
{
    (void) name;
    (void) external;
    (void) system;

    cwmp_envelope_refuse(data, "DOCTYPE is not allowed");
}


static void
cwmp_sax_error(void *data, cwmp_xml_error_pt error)
{
    cwmp_envelope_t  *e = data;
    const char       *text;
    int               len;

    if (e->rc != CWMP_OK || e->done || e->ending
        || error->level < XML_ERR_FATAL)
    {
        return;
    }

    e->erring = 1;

    if (error->code == XML_ERR_NO_MEMORY) {

        /* a dictionary that is full says the same: it is the input's fault */

        cwmp_envelope_refuse(e, "too many different element names");
        e->erring = 0;
        return;
    }

    text = error->message ? error->message : "";

    for (len = strlen(text); len && text[len - 1] == '\n'; len--) { /**/ }

    cwmp_envelope_refuse(e, "not well-formed XML at line %d: %.*s%s",
                         error->line, len, text, e->repair.marks
                         ? "; what is no markup before it was taken as text"
                         : "");
    e->erring = 0;
}
