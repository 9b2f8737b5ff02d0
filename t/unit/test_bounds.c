
/*
 * Envelopes in: just inside of each bound, and one more; what there may be
 * twice; what follows the document.
 */

#include <libxml/parser.h>

#include "cwmp_envelope.h"
#include "tap.h"


#define ENV   "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/"         \
              "envelope/\" xmlns:cwmp=\"urn:dslforum-org:cwmp-1-2\">"
#define HEAD  ENV "<s:Header><cwmp:ID s:mustUnderstand=\"1\">id</cwmp:ID>"    \
              "</s:Header><s:Body>"
#define TAIL  "</s:Body></s:Envelope>"
#define GPVR  HEAD "<cwmp:GetParameterValuesResponse><ParameterList>"
#define GPVE  "</ParameterList></cwmp:GetParameterValuesResponse>" TAIL


static tap_arena_t       owner;
static cwmp_arena_t      arena = { tap_alloc, &owner };
static cwmp_envelope_t  *envelope;


static void
begin(const cwmp_limits_t *limits, const char *text)
{
    if (envelope) {
        cwmp_envelope_free(envelope);
        tap_free(&owner);
    }

    envelope = cwmp_envelope_create(&arena, limits, NULL, NULL);
    cwmp_envelope_feed(envelope, (const unsigned char *) text, strlen(text));
}


static const cwmp_facts_t *
parse(const cwmp_limits_t *limits, const char *text)
{
    begin(limits, text);
    cwmp_envelope_end(envelope);

    return cwmp_envelope_facts(envelope);
}


/* why it is refused; "" when it is taken */

static const char *
bounded(const cwmp_limits_t *limits, const char *text)
{
    parse(limits, text);

    return cwmp_envelope_reason(envelope);
}


/* just inside of each bound, and one more */

static void
test_bounds(void)
{
    int                   i;
    char                 *text, *p;
    static const char    *cells[] = { "UUID", "Version", "CurrentState" };
    static const char     frame[] = HEAD "<x></x>" TAIL;
    const cwmp_limits_t   size = { sizeof(frame) - 1, 64, 8 };
    const cwmp_limits_t   small = { 4000, 64, 8 };
    const cwmp_limits_t   large = { 1 << 20, 65536, 8 };

    is_str(bounded(&size, frame), "", "as many bytes as may be");
    is_str(bounded(&size, HEAD "<x>a</x>" TAIL), "envelope over 203 bytes",
           "one more");

    begin(&size, frame);
    ok(cwmp_envelope_feed(envelope, (const unsigned char *) " ", 1)
       == CWMP_REFUSED, "one more in a piece of its own");

    is_str(bounded(&small, "<Envelope><Body/><a><a><a><a><a><a><a/></a></a>"
                           "</a></a></a></a></Envelope>"), "", "as deep");
    is_str(bounded(&small, "<Envelope><Body/><a><a><a><a><a><a><a><a/></a>"
                           "</a></a></a></a></a></a></Envelope>"),
           "elements nested deeper than 8", "one more");

    /* libxml2 hands out such a text in three pieces */

    is_str(bounded(&small, GPVR "<P><Name>n</Name><Value>"
                           "0123456789012345678901234567890&lt;"
                           "01234567890123456789012345678901</Value></P>" GPVE),
           "", "as long a text");
    is_str(bounded(&small, GPVR "<P><Name>n</Name><Value>"
                           "0123456789012345678901234567890&lt;"
                           "012345678901234567890123456789012</Value></P>"
                           GPVE),
           "element text over 64 bytes in ParameterList[1].Value", "one more");

    text = malloc(400000);
    p = text + sprintf(text, HEAD "<cwmp:DUStateChangeComplete><Results>");

    for (i = 0; i < 3; i++) {
        p += sprintf(p, "<%s>%060000d</%s>", cells[i], 0, cells[i]);
    }

    sprintf(p, "</Results></cwmp:DUStateChangeComplete>" TAIL);
    is_str(bounded(&large, text), "one row over 139264 bytes in Results."
           "CurrentState", "a row of long texts");
    free(text);

    is_str(bounded(&small, "<h\xc3\xa9/>"),
           "root element is 'h?" "?', not Envelope",
           "a reason has printable characters only");
}


/* a tag and a comment, before they are there as a whole */

static void
test_guard(void)
{
    int    i, n;
    char  *text, *p;

    text = malloc(200000);

    for (n = 32; n <= 33; n++) {
        p = text + sprintf(text, HEAD "<x");

        for (i = 0; i < n; i++) {
            p += sprintf(p, " a%d=''", i);
        }

        sprintf(p, "/>" TAIL);
        is_str(bounded(&cwmp_default_limits, text), n == 32 ? ""
               : "tag with over 32 attributes, inside Body",
               n == 32 ? "as many attributes as may be" : "one more");
    }

    for (n = 65530; n <= 65540; n += 10) {
        sprintf(text, HEAD "<!--%0*d-->" TAIL, n, 0);
        is_str(bounded(&cwmp_default_limits, text), n == 65530 ? ""
               : "comment or instruction over 65536 bytes, inside Body",
               n == 65530 ? "as long a comment as may be" : "a longer one");
    }

    for (n = 16380; n <= 16384; n += 4) {
        sprintf(text, HEAD "<x a='%0*d'/>" TAIL, n - 6, 0);
        is_str(bounded(&cwmp_default_limits, text), n == 16380 ? ""
               : "tag over 16384 bytes, inside Body",
               n == 16380 ? "as long a tag as may be" : "a longer one");
    }

    free(text);
}


static void
test_twice(void)
{
    const cwmp_str_t    *value;
    const cwmp_facts_t  *facts;

    facts = parse(&cwmp_default_limits, HEAD TAIL " \r\n");
    ok(!facts->extra, "blanks behind the document");

    facts = parse(&cwmp_default_limits, HEAD TAIL "<a/>");
    ok(facts->extra, "more behind it is noted");

    facts = parse(&cwmp_default_limits, ENV "<s:Header><cwmp:ID>one</cwmp:ID>"
                  "<cwmp:ID>two</cwmp:ID></s:Header><s:Body>" TAIL);
    is_mem(facts->id.data, facts->id.len, "one",
           "SOAP-01 of two IDs the first counts");

    facts = parse(&cwmp_default_limits, HEAD "<cwmp:Inform><DeviceId>"
                  "<OUI>one</OUI><OUI>two</OUI></DeviceId></cwmp:Inform>"
                  TAIL);
    value = cwmp_envelope_value(envelope, "DeviceId.OUI");
    is_mem(value->data, value->len, "one", "of two OUIs, too");

    facts = parse(&cwmp_default_limits, ENV "<s:Header>"
                  "<x s:mustUnderstand=\"0\"/><y s:mustUnderstand=\"1\"/>"
                  "</s:Header><s:Body>" TAIL);
    is_mem(facts->not_understood.data, facts->not_understood.len, "y",
           "SOAP-09 the header that must be understood is named");
}


int
main(void)
{
    xmlInitParser();
    test_bounds();
    test_guard();
    test_twice();
    cwmp_envelope_free(envelope);
    tap_free(&owner);
    xmlCleanupParser();

    return done();
}
