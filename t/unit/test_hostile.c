
/*
 * Envelopes in: what attackers send, megabytes of one thing, and what it costs
 * in CPU time and memory.
 */

#include <malloc.h>

#include <libxml/parser.h>

#include "cwmp_envelope.h"
#include "tap.h"

#if defined(__SANITIZE_ADDRESS__)
#define SLOW  1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLOW  1
#endif
#endif

#ifndef SLOW
#define SLOW  0
#endif


#define ENV   "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/"         \
              "envelope/\" xmlns:cwmp=\"urn:dslforum-org:cwmp-1-2\">"
#define HEAD  ENV "<s:Header><cwmp:ID s:mustUnderstand=\"1\">id</cwmp:ID>"    \
              "</s:Header><s:Body>"
#define TAIL  "</s:Body></s:Envelope>"
#define GPVR  HEAD "<cwmp:GetParameterValuesResponse><ParameterList>"
#define GPVE  "</ParameterList></cwmp:GetParameterValuesResponse>" TAIL


static size_t  nrows;


static cwmp_rc_t
on_row(void *data, const cwmp_row_t *row)
{
    nrows++;

    return CWMP_OK;
}


/* head, then the repeated part up to size bytes, then the tail */

static void
hostile(const char *name, const char *head, const char *part,
    const char *tail, size_t size)
{
    char             *text;
    size_t            n, len, peak;
    double            cpu;
    cwmp_rc_t         rc;
    tap_arena_t       owner = { 0 };
    cwmp_arena_t      arena = { tap_alloc, &owner };
    cwmp_envelope_t  *e;
    struct mallinfo2  before, after;

    text = malloc(size + strlen(head) + strlen(part) + strlen(tail) + 32);
    n = strlen(head);
    memcpy(text, head, n);

    for (len = strlen(part); n < size; n += len) {
        if (part[0] == '#') {               /* a name of its own each time */
            len = sprintf(text + n, "%s%zx%s", part + 1, n,
                          part[1] == '<' ? "/>" : "=\"\"");
            continue;
        }

        memcpy(text + n, part, len);
    }

    memcpy(text + n, tail, strlen(tail));
    n += strlen(tail);

    nrows = 0;
    e = cwmp_envelope_create(&arena, &cwmp_default_limits, on_row, NULL);

    before = mallinfo2();
    cpu = tap_cpu();

    for (len = 0; len < n; len += 65536) {
        cwmp_envelope_feed(e, (unsigned char *) text + len,
                           n - len < 65536 ? n - len : 65536);
    }

    rc = cwmp_envelope_end(e);
    cpu = (tap_cpu() - cpu) * 1000 / (n / 1048576.0);
    after = mallinfo2();

    peak = after.uordblks + after.hblkhd - before.uordblks - before.hblkhd;

    diag("%-34s %6.1f ms/MB, %5zu KB held, %6zu rows, %s", name, cpu,
         peak / 1024, nrows, rc ? cwmp_envelope_reason(e) : "taken");
    ok((SLOW || cpu < 50) && (SLOW || peak < 8 << 20), "hostile: %s", name);

    cwmp_envelope_free(e);
    tap_free(&owner);
    free(text);
}


static void
test_hostile(void)
{
    size_t  mb;

    mb = SLOW ? 1 << 20 : 10 << 20;

    hostile("one text", HEAD "<x>", "aaaaaaaaaaaaaaaa", "</x>" TAIL, mb);
    hostile("one value", GPVR "<P><Value>", "aaaaaaaaaaaaaaaa", GPVE, mb);
    hostile("text of two-byte characters", HEAD "<x>", "\xc3\xa9",
            "</x>" TAIL, mb);
    hostile("text of lines", HEAD "<x>", "a\r\n", "</x>" TAIL, mb);
    hostile("text of ]]", HEAD "<x>", "]]a", "</x>" TAIL, mb);
    hostile("blanks between", HEAD, " ", TAIL, mb);
    hostile("blanks in front", "", " ", HEAD TAIL, mb);
    hostile("blanks after the declaration", "<?xml version='1.0'?>", "\n",
            HEAD TAIL, mb);
    hostile("nested elements", HEAD, "<a>", "", mb);
    hostile("small elements", HEAD, "<a/>", TAIL, mb);
    hostile("small pairs", HEAD, "<a></a>", TAIL, mb);
    hostile("undeclared prefixes", HEAD, "<a:b/>", TAIL, mb);
    hostile("undeclared prefixes below", HEAD "<x>", "<a:b c:d=''/>",
            "</x>" TAIL, mb);
    hostile("elements of all names", HEAD "<x>", "#<a", "</x>" TAIL, mb);
    hostile("attributes of one element", HEAD "<x", "# a", "/>" TAIL, mb);
    hostile("one attribute's value", HEAD "<x a=\"", "aaaaaaaa>",
            "\"/>" TAIL, mb);
    hostile("many declarations", HEAD "<x>",
            "<y xmlns:a='1' xmlns:b='2' xmlns:c='3' xmlns:d='4'/>",
            "</x>" TAIL, mb);
    hostile("32 attributes each", HEAD "<x>",
            "<y a0='' a1='' a2='' a3='' a4='' a5='' a6='' a7='' a8='' a9='' "
            "b0='' b1='' b2='' b3='' b4='' b5='' b6='' b7='' b8='' b9='' "
            "c0='' c1='' c2='' c3='' c4='' c5='' c6='' c7='' c8='' c9='' "
            "d0='' d1=''/>", "</x>" TAIL, mb);
    hostile("one comment", HEAD "<!--", "aaaaaaaaaaaaaaaa", "-->" TAIL, mb);
    hostile("small comments", HEAD "<x>", "<!---->", "</x>" TAIL, mb);
    hostile("small instructions", HEAD "<x>", "<?a b?>", "</x>" TAIL, mb);
    hostile("one CDATA section", HEAD "<x><![CDATA[", "aaaaaaaaaaaaaaaa",
            "]]></x>" TAIL, mb);
    hostile("small CDATA sections", HEAD "<x>", "<![CDATA[a]]>",
            "</x>" TAIL, mb);
    hostile("references", HEAD "<x>", "&lt;", "</x>" TAIL, mb);
    hostile("character references", HEAD "<x>", "&#65;", "</x>" TAIL, mb);
    hostile("one open reference", HEAD "<x>&", "aaaa", ";</x>" TAIL, mb);
    hostile("bare ampersands", HEAD "<x>", "&", "</x>" TAIL, mb);
    hostile("bare less-than signs", HEAD "<x>", "<", "</x>" TAIL, mb);
    hostile("what looks like tags", HEAD "<x>", "<a b='", "</x>" TAIL, mb);
    hostile("control characters", HEAD "<x>", "\x01", "</x>" TAIL, mb);
    hostile("Latin-1", HEAD "<x>", "\xe9", "</x>" TAIL, mb);
    hostile("a double attribute each", HEAD "<x>", "<a b='' b=''/>",
            "</x>" TAIL, mb);
    hostile("bytes of a foreign encoding",
            "<?xml version='1.0' encoding='GBK'?>" HEAD "<x>", "\xd6\xd0",
            "</x>" TAIL, mb);
    hostile("bytes that are none of it",
            "<?xml version='1.0' encoding='GBK'?>" HEAD "<x>", "\xff",
            "</x>" TAIL, mb);
    hostile("bare characters of a foreign encoding",
            "<?xml version='1.0' encoding='GBK'?>" HEAD "<x>", "&",
            "</x>" TAIL, mb);
    hostile("rows without anything", GPVR, "<P/>", GPVE, mb);
    hostile("strings", HEAD "<cwmp:GetRPCMethodsResponse><MethodList>",
            "<a/>", "</MethodList></cwmp:GetRPCMethodsResponse>" TAIL, mb);
    hostile("one row's names", GPVR "<P>", "<Name>a</Name>", "</P>" GPVE, mb);
    hostile("one scalar again and again", HEAD "<cwmp:Inform>",
            "<RetryCount>1</RetryCount>", "</cwmp:Inform>" TAIL, mb);
    hostile("texts deeper than what means something", HEAD
            "<DUStateChangeComplete><Results><OpStruct><Fault><AStruct>"
            "<AStruct><AStruct><AStruct><AStruct><AStruct>", "<FaultString/>",
            "</AStruct></AStruct></AStruct></AStruct></AStruct></AStruct>"
            "</Fault></OpStruct></Results></DUStateChangeComplete>" TAIL, mb);
    hostile("after the document", HEAD TAIL, "<a>", "", mb);
    hostile("a long response", GPVR, "<ParameterValueStruct><Name>Device."
            "WiFi.AccessPoint.1.AssociatedDevice.1.MACAddress</Name><Value "
            "xsi:type=\"xsd:string\">00:11:22:33:44:55</Value>"
            "</ParameterValueStruct>", GPVE, mb);
}


int
main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    xmlInitParser();
    test_hostile();
    xmlCleanupParser();

    return done();
}
