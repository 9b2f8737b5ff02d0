
/*
 * Envelopes in: whoever reads, the same comes of it.  Each message is read as
 * it is, and by libxml2 alone; then cut at each byte, with nothing gathered,
 * as it is and with only the rows that look the same read by a pattern.
 */

#include <libxml/parser.h>

#include "reading.h"

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
              "envelope/\" xmlns:cwmp='urn:dslforum-org:cwmp-1-2'>"
#define HEAD  ENV "<s:Header><cwmp:ID s:mustUnderstand=\"1\">id</cwmp:ID>"    \
              "</s:Header><s:Body>"
#define TAIL  "</s:Body></s:Envelope>"
#define GPVR  HEAD "<cwmp:GetParameterValuesResponse><ParameterList "         \
              "a:arrayType=\"b:P[9]\">"
#define GPVE  "</ParameterList></cwmp:GetParameterValuesResponse>" TAIL

#define OPEN   "<ParameterValueStruct>"
#define CLOSE  "</ParameterValueStruct>"
#define ROW(name, value)  TYPED(name, "xsd:string", value)
#define TYPED(name, type, value)                                              \
    OPEN "<Name>Device." name "</Name><Value xsi:type=\"" type "\">" value     \
    "</Value>" CLOSE

#define A     ROW("A", "1")
#define B     ROW("B", "22")
#define C     ROW("C", "")
#define GPVD  "</ParameterList></cwmp:GetParameterValuesResponse></s:Body>\n" \
              "</wrong>"            /* a reason with its line */

#define X8    "aaaaaaaa"
#define X64   X8 X8 X8 X8 X8 X8 X8 X8
#define X256  X64 X64 X64 X64
#define S32   "                              \n "
#define S64   S32 S32
#define S256  S64 S64 S64 S64


/* who is not needed: 0: nobody; 1: libxml2 is not */

static const struct {
    const char  *name;
    int          plain;
    int          lying;             /* rows that were handed over as they lay */
    const char  *text;
} cases[] = {
    { "rows", 1, 3, GPVR A B C GPVE },
    { "rows of all types", 1, 4, GPVR TYPED("A", "xsd:int", "1")
      TYPED("B", "boolean", "2") TYPED("C", "", "3") TYPED("D", "x:", "4")
      GPVE },
    { "a type of 64 bytes", 1, 2, GPVR A TYPED("B", X64, "1") GPVE },
    { "a type of 65 bytes", 1, 2, GPVR A TYPED("B", X64 "b", "1") C GPVE },
    { "a type of two words", 1, 2, GPVR A TYPED("B", "a b", "1") C GPVE },
    { "rows with and without type", 1, 4, GPVR A OPEN "<Name>Device.B</Name>"
      "<Value>1</Value>" CLOSE C OPEN "<Value>2</Value><Name>Device.D</Name>"
      CLOSE GPVE },
    { "types of other elements", 1, 2, GPVR
      "<P xsi:type='a:b'><Name xsi:type=\"x:string\">Device.A</Name><Value "
      "type='x:y'>1</Value></P><P xsi:type='a:b'><Name xsi:type=\"x:string\">"
      "Device.B</Name><Value type='x:z'>2</Value></P>" GPVE },
    { "self-closed cells", 1, 3, GPVR OPEN "<Name>Device.A</Name><Value/>" CLOSE
      OPEN "<Name>Device.B</Name><Value xsi:type=\"xsd:int\"/>" CLOSE
      OPEN "<Name/><Value />" CLOSE A GPVE },
    { "rows in lines", 1, 3, GPVR "\r\n" OPEN "\r\n\t<Name>Device.A</Name>\n "
      "<Value>1</Value>\n" CLOSE "\r\n" OPEN "\r\n\t<Name>Device.B</Name>\n "
      "<Value>2</Value>\n" CLOSE "\r\n" OPEN "\r\n\t<Name>Device.C</Name>\n "
      "<Value>3</Value>\n" CLOSE "\r\n" GPVE },
    { "line of an error after rows in lines", 0, 3, GPVR "\n" A "\n" B "\r\n\n"
      C "\r" GPVD },
    { "line of an error after lines in tags", 0, 2,
      "<?xml version=\"1.0\"\nencoding='UTF-8'\n?>\n" HEAD
      "<cwmp:GetParameterValuesResponse\na='1'\r\nb='2'><ParameterList\n>" A B
      "</ParameterList\n\n></cwmp:GetParameterValuesResponse></s:Body\n></x>" },
    { "line of an error after lines in a pattern's tags", 0, 2, GPVR
      "<P\n><Name\n>Device.A</Name><Value/></P\n><P\n><Name\n>Device.B</Name>"
      "<Value/></P\n>" GPVD },
    { "references to ASCII", 1, 0, GPVR ROW("A", "&lt;a&amp;&#38;&#x41;&gt;")
      ROW("B", "&quot;&apos; ]&amp;]&gt;") GPVE },
    { "references to what is none", 0, 0, GPVR ROW("A", "a&#233;b") ROW("B",
      "c&#10;&#9;d&#127;") GPVE },
    { "references that are none", 0, 0, GPVR ROW("A", "a&b;&#;&#x;") ROW("B",
      "&amp") GPVE },
    { "entities in the middle", 0, 3, GPVR A ROW("B", "a&amp;b") C
      ROW("D", "&") ROW("E", "5") GPVD },
    { "high bytes in the middle", 0, 3, GPVR A ROW("B", "\xc3\xa9") C
      ROW("D", "\xe9") ROW("E", "5") GPVE },
    { "blanks at the ends", 1, 5, GPVR A ROW("B", "2 ") C ROW("D", " 3")
      ROW("E", "4\t") ROW("F", "\t5") A B TYPED("G", "xsd:int", "6\t")
      TYPED("H", "xsd:int", "7") GPVE },
    { "blanks at the ends of names", 1, 1, GPVR
      ROW("A ", "1") ROW("B\t", "2") OPEN "<Name>\tDevice.C</Name><Value/>"
      CLOSE OPEN "<Name> Device.C</Name><Value/>" CLOSE A GPVE },
    { "line breaks in values", 0, 4, GPVR A ROW("B", "2\n") C
      ROW("D", "\n 4\n") ROW("E", "5\r\n") A B GPVE },
    { "names without a root", 1, 1, GPVR A OPEN "<Name>device.B</Name><Value/>"
      CLOSE OPEN "<Name>Dev</Name><Value/>" CLOSE OPEN "<Name>"
      "INTERNETGATEWAYDEVICE.X</Name><Value/>" CLOSE GPVE },
    { "an unknown cell", 1, 2, GPVR A OPEN "<Name>Device.B</Name><More>1</More>"
      "<Value>2</Value>" CLOSE C GPVE },
    { "a cell twice", 1, 2, GPVR A OPEN "<Name>Device.B</Name><Name>Device.C"
      "</Name><Value>1</Value>" CLOSE OPEN "<Name/><Name>Device.D</Name>" CLOSE
      C GPVE },
    { "no known cell", 1, 1, GPVR OPEN CLOSE OPEN "<X/>" CLOSE "<P/>" A GPVE },
    { "an element in a cell", 1, 2, GPVR A ROW("B", "a<i>b</i>c") C GPVE },
    { "a row's end in a value", 0, 1, GPVR A ROW("B", "<![CDATA[" CLOSE "]]>")
      C GPVE },
    { "text between rows", 1, 0, GPVR "x" A "y>" B "z P>" C GPVE },
    { "text before a cell", 1, 2, GPVR A OPEN "x<Name>Device.B</Name>" CLOSE
      C GPVE },
    { "a row that lacks its '<'", 0, 1, GPVR A "aP><Name>Device.B</Name></P>"
      C GPVE },
    { "a cell that lacks its '<'", 0, 1, GPVR A
      OPEN "xName>Device.B</Name><Value>1</Value>" CLOSE C GPVE },
    { "a tag that lacks its '<' at the end", 0, 1, GPVR A "P>" },
    { "rows in other attributes", 1, 2, GPVR A "<P a='1'><Name b='2'>Device.B"
      "</Name><Value xsi:type='xsd:int' c='3'>4</Value></P>" C GPVE },
    { "attributes in both quotes", 1, 0, ENV "<s:Body a='\"' b=\"'\" c=\"]]>\" "
      "d='>' e=''><cwmp:Inform  f=\"1\"\tg='/'/>" TAIL },
    { "attributes that are not plain", 0, 0, ENV "<s:Body a='\t'><x b='\n'/>"
      "<x c='\xc3\xa9' d='&lt;' e=1/></s:Body></s:Envelope>" },
    { "an attribute twice", 0, 0, ENV "<s:Body a='1' a='2'>" TAIL },
    { "an attribute without a blank", 0, 0, ENV "<s:Body a='1'b='2'>" TAIL },
    { "sixteen attributes", 1, 0, HEAD "<x a='' b='' c='' d='' e='' f='' g='' "
      "h='' i='' j='' k='' l='' m='' n='' o='' p=''/>" TAIL },
    { "seventeen attributes", 0, 0, HEAD "<x a='' b='' c='' d='' e='' f='' "
      "g='' h='' i='' j='' k='' l='' m='' n='' o='' p='' q=''/>" TAIL },
    { "attributes that mean something", 1, 0, "<E:Envelope xmlns:E='e' "
      "xmlns:c0='urn:dslforum-org:cwmp-1-0' xmlns:c3='urn:dslforum-org:cwmp-"
      "1-3'><E:Header><c3:ID E:mustUnderstand='1'>7</c3:ID><x:Y "
      "E:mustUnderstand='1'>1</x:Y><c3:HoldRequests>1</c3:HoldRequests>"
      "<c3:SupportedCWMPVersions>1.0,1.2</c3:SupportedCWMPVersions>"
      "</E:Header><E:Body><c3:Kicked/></E:Body></E:Envelope>" },
    { "brackets", 1, 3, GPVR ROW("A", "]") ROW("B", "a]b]") ROW("C", "]>")
      "]x" "</ParameterList></cwmp:GetParameterValuesResponse>]" TAIL },
    { "\"]]\"", 0, 2, GPVR A ROW("B", "a]]b") C GPVE },
    { "\"]]>\"", 0, 2, GPVR A ROW("B", "a]]>b") C GPVE },
    { "\"]]>\" between", 0, 1, GPVR A "]]>" B GPVE },
    { "line ends in leaves", 0, 0, HEAD "<cwmp:Inform><DeviceId><OUI>\n00D09E "
      "</OUI><SerialNumber>1\r2\r\n3\n</SerialNumber></DeviceId>" TAIL },
    { "line ends outside of leaves", 1, 0, "\r\n<?xml version='1.0'?>\r\r\n"
      HEAD "\r<cwmp:Inform>\r\n<DeviceId>\n<OUI>0\n1</OUI>\r\n</DeviceId>\r"
      "<RetryCount> 7 </RetryCount></cwmp:Inform>\n\r" TAIL "\r\n" },
    { "a carriage return in what is skipped in a leaf", 0, 0, HEAD
      "<cwmp:Inform><RetryCount>1<x>\r</x>2</RetryCount></cwmp:Inform>" TAIL },
    { "tabs", 1, 0, "<?xml version='1.0'?>\t" HEAD "\t<cwmp:Inform>\t"
      "<CurrentTime>\t2\t</CurrentTime></cwmp:Inform\t>" TAIL "\t" },
    { "a comment between rows", 0, 1, GPVR A "<!-- " B " -->" B C GPVE },
    { "an instruction between rows", 0, 1, GPVR A "<?x " CLOSE "?>" B C GPVE },
    { "references", 1, 1, GPVR OPEN "<Name>Device.A</Name><Value a:type='x:y' "
      "href='#v'/>" CLOSE "<P href='#p'/>" B "</ParameterList>"
      "</cwmp:GetParameterValuesResponse><Value id='v' type='x:int'>1</Value>"
      "<P id='p'><Name>Device.C</Name><Value>2</Value></P>" TAIL },
    { "a reference with a tab, which is a blank", 0, 0, GPVR OPEN "<Value "
      "href='#a\tb'/>" CLOSE "</ParameterList>"
      "</cwmp:GetParameterValuesResponse><Value id='a b'>1</Value>" TAIL },
    { "a list that is referred to", 1, 2, HEAD
      "<cwmp:GetParameterValuesResponse><ParameterList href='#l'/>"
      "</cwmp:GetParameterValuesResponse><l id='l'>" A B "</l>" TAIL },
    { "events and parameters", 1, 3, HEAD "<cwmp:Inform><Event><EventStruct>"
      "<EventCode>0 BOOTSTRAP</EventCode><CommandKey/></EventStruct></Event>"
      "<ParameterList>" A B "</ParameterList></cwmp:Inform>" TAIL },
    { "rows of strings", 1, 0, HEAD "<cwmp:GetRPCMethodsResponse><MethodList>"
      "<string>Inform</string><string>Reboot </string><string/></MethodList>"
      "</cwmp:GetRPCMethodsResponse>" TAIL },
    { "rows of a fault", 1, 0, HEAD "<s:Fault><faultcode>Client</faultcode>"
      "<faultstring>CWMP fault</faultstring><detail><cwmp:Fault><FaultCode>"
      "9003</FaultCode><FaultString>bad</FaultString><SetParameterValuesFault>"
      "<ParameterName>Device.A</ParameterName><FaultCode>9007</FaultCode>"
      "<FaultString>no</FaultString></SetParameterValuesFault></cwmp:Fault>"
      "</detail></s:Fault>" TAIL },
    { "a fault in its faultstring", 1, 0, HEAD "<s:Fault><faultstring>a<detail>"
      "<Fault><FaultCode>9001</FaultCode></Fault></detail></faultstring>"
      "</s:Fault>" TAIL },
    { "a scalar twice", 1, 0, HEAD "<cwmp:Inform><RetryCount/><RetryCount>1"
      "</RetryCount><RetryCount>2</RetryCount></cwmp:Inform><second/>" TAIL },

    { "no declaration", 1, 0, HEAD TAIL },
    { "a declaration", 1, 0, "<?xml version=\"1.0\"?>" HEAD TAIL },
    { "all of a declaration", 1, 0, "\xef\xbb\xbf<?xml version='1.0' "
      "encoding=\"UTF-8\" standalone='no' ?>\n" HEAD TAIL },
    { "a declaration without encoding", 1, 0, "<?xml version='1.0'  "
      "standalone='yes'?>" HEAD TAIL },
    { "a declaration twice", 0, 0, "<?xml version='1.0'?><?xml version='1.0'?>"
      HEAD TAIL },
    { "a declaration in the middle", 0, 0, HEAD "<?xml version='1.0'?>" TAIL },
    { "a declaration that is closed", 0, 0, "<?xml version='1.0'/?>"
      HEAD TAIL },
    { "a declaration of nothing", 0, 0, "<?xml ?>" HEAD TAIL },
    { "a declaration of 1.1", 0, 0, "<?xml version='1.1'?>" HEAD TAIL },
    { "a declaration of 2.0", 0, 0, "<?xml version='2.0'?>" HEAD TAIL },
    { "a declaration without version", 0, 0, "<?xml encoding='UTF-8'?>"
      HEAD TAIL },
    { "a declaration in another order", 0, 0, "<?xml version='1.0' "
      "standalone='yes' encoding='UTF-8'?>" HEAD TAIL },
    { "a declaration with a thing twice", 0, 0, "<?xml version='1.0' "
      "standalone='yes' standalone='no'?>" HEAD TAIL },
    { "a declaration with more", 0, 0, "<?xml version='1.0' x='y'?>"
      HEAD TAIL },
    { "an encoding that begins otherwise", 0, 0, "<?xml version='1.0' "
      "encoding='_a'?>" HEAD TAIL },
    { "an encoding with a colon", 0, 0, "<?xml version='1.0' "
      "encoding='a:b'?>" HEAD TAIL },
    { "an empty encoding", 0, 0, "<?xml version='1.0' encoding=''?>"
      HEAD TAIL },
    { "an unknown encoding", 1, 0, "<?xml version='1.0' encoding='x-y.z'?>"
      HEAD TAIL },
    { "an encoding of two bytes", 1, 0, "<?xml version='1.0' "
      "encoding='UTF-16'?>" HEAD TAIL },
    { "standalone, maybe", 0, 0, "<?xml version='1.0' standalone='maybe'?>"
      HEAD TAIL },
    { "a long declaration", 0, 0, "<?xml version='1.0' encoding='" X64 X64
      "'?>" HEAD TAIL },
    { "a declaration without end", 0, 0, "<?xml version='1.0'" HEAD TAIL },
    { "a declaration that says '>'", 0, 0, "<?xml version='1.0' "
      "encoding='a?>'?>" HEAD TAIL },
    { "a declaration in capitals", 0, 0, "<?XML version='1.0'?>" HEAD TAIL },
    { "a declaration and a comment", 0, 0, "<?xml version='1.0'?>\n<!-- -->\n"
      HEAD "<a></b>" TAIL },

    { "GBK", 0, 0, "<?xml version='1.0' encoding='GBK'?>" GPVR A
      ROW("B", "\xd6\xd0") C ROW("D", "\xd6") "\xd6\xd0" A GPVE },
    { "Latin-1", 0, 2, "<?xml version='1.0' encoding='ISO-8859-1'?>" GPVR A
      ROW("B", "\xd6\xd0") C GPVE },
    { "plain all the same", 1, 0, "<?xml version='1.0' encoding='gb2312'?>"
      GPVR A B C GPVE },

    { "a mismatch", 0, 1, GPVR A "</ParameterLisT>" },
    { "a mismatch of a prefix", 0, 0, ENV "<s:Body></Body></s:Envelope>" },
    { "a mismatch of a longer name", 0, 0, ENV "<a></ab>" TAIL },
    { "a mismatch of a shorter name", 0, 0, ENV "<abc></ab>" TAIL },
    { "an end too many", 0, 0, "</s:Body>" HEAD TAIL },
    { "a mismatch of a row", 0, 1, GPVR A OPEN "<Name>Device.B</Name></P>" },
    { "a mismatch of a cell", 0, 1, GPVR A OPEN "<Name>Device.B</name>" CLOSE },
    { "another root", 1, 0, "<html><body/></html>" },
    { "a root that closes itself", 1, 0, "<Envelope/>" },
    { "no Body", 1, 0, "<Envelope><Header/></Envelope>" },
    { "text before the root", 0, 0, "<?xml version='1.0'?> x" HEAD TAIL },
    { "a bracket before the root", 0, 0, "<?xml version='1.0'?>]" HEAD TAIL },
    { "blanks before the root", 1, 0, "<?xml version='1.0'?>\r\n \t" HEAD
      TAIL },
    { "text after the root", 1, 0, HEAD TAIL " x" },
    { "a bracket after the root", 1, 0, HEAD TAIL "]" },
    { "a second root", 1, 0, HEAD TAIL HEAD TAIL },
    { "blanks after the root", 1, 0, HEAD TAIL " \r\n\t" },
    { "a DOCTYPE", 0, 0, "<!DOCTYPE x>" HEAD TAIL },
    { "a DOCTYPE inside", 0, 0, HEAD "<!DOCTYPE x>" TAIL },
    { "'<' as text", 0, 0, HEAD "<cwmp:Inform><CurrentTime>a < b <1 c"
      "</CurrentTime></cwmp:Inform>" TAIL },
    { "names of other letters", 0, 0, HEAD "<:a/><a\xc3\xa9/><a:/><-/>" TAIL },
    { "names of all kinds", 1, 0, HEAD "<a:b:c/><_a-1.2/><a:></a:>" TAIL },
    { "control characters", 0, 1, GPVR A ROW("B", "\x01\x7f") GPVE },

    { "a long tag", 1, 0, HEAD "<x a='" X256 X256 X256 X64 X64 "'/>" TAIL },
    { "a tag over a kilobyte", 0, 1, GPVR A "<x a='" X256 X256 X256 X256
      "'/>" B GPVE },
    { "an open tag over a kilobyte", 0, 0, HEAD "<x a='" X256 X256 X256 X256 },
    { "an end tag of nearly a kilobyte", 1, 0, HEAD "<x></x\n" S256 S256 S256
      S64 S64 S64 ">" TAIL },
    { "an end tag over a kilobyte", 1, 0, HEAD "<x></x" S256 S256 S256 S256 ">"
      TAIL },
    { "an open end tag over a kilobyte", 0, 0, HEAD "<x></x" S256 S256 S256
      S256 },
    { "names over a kilobyte", 0, 0, ENV "<" X256 "><" X256 "b><" X256 "c><"
      X256 "d></" X256 "d></" X256 "c></" X256 "b></" X256 "></x>" TAIL },
    { "a row of over four kilobytes", 1, 1, GPVR ROW("A", X256 X256 X256 X256
      X256 X256 X256 X256 X256 X256 X256 X256 X256 X256 X256 X256) B GPVE },
    { "a row with much markup", 1, 1, GPVR "<" X256 "><Name>Device.A</Name>"
      "</" X256 ">" B GPVE }
};

#define CASES  (sizeof(cases) / sizeof(cases[0]))


static int
is_same(reading_t *want, const char *text, size_t n, const reading_way_t *way)
{
    int        same;
    reading_t  got;

    reading(&got, text, n, way);
    same = reading_same(want, &got);

    if (!same) {
        diag("by %d, cut %d at %zu, pieces of %zu:", way->by, way->cut,
             way->first, way->piece);
        diag("want: %s", want->text);
        diag("got: %s", got.text);
    }

    reading_free(&got);

    return same;
}


/* whole by libxml2, then cut at each byte and byte by byte */

static int
is_same_cut(reading_t *want, const char *text, size_t n)
{
    int            same;
    size_t         i;
    reading_way_t  way;

    way = *want->way;
    way.by = READING_LIBXML2;
    same = is_same(want, text, n, &way);

    way.cut = 1;

    for (way.by = READING_ALL; same && way.by < READING_LIBXML2; way.by++) {
        way.first = 0;
        way.piece = 1;
        same = is_same(want, text, n, &way);

        way.piece = 0;

        for (i = 1; same && i < n; i += SLOW ? 3 : 1) {
            way.first = i;
            same = is_same(want, text, n, &way);
        }
    }

    return same;
}


static void
test_cases(void)
{
    int            lying;
    size_t         i, n;
    reading_t      r;
    reading_way_t  way;

    memset(&way, 0, sizeof(way));

    for (i = 0; i < CASES; i++) {
        n = strlen(cases[i].text);
        reading(&r, cases[i].text, n, &way);
        lying = (int) r.lying;

        ok(is_same_cut(&r, cases[i].text, n), "the same: %s", cases[i].name);

        if (!ok((r.e->ctxt == NULL) == cases[i].plain
                && lying == cases[i].lying, "%s libxml2, %d rows as they lie",
                cases[i].plain ? "without" : "with", cases[i].lying))
        {
            diag("%s libxml2, %d rows: %s", r.e->ctxt ? "with" : "without",
                 lying, r.text);
        }

        reading_free(&r);
    }
}


/* what ends anywhere ends early at the same place */

static void
test_truncated(void)
{
    int            same;
    size_t         i, k, n;
    reading_t      r;
    reading_way_t  way;

    static const char  *texts[] = {
        "<?xml version='1.0' encoding='UTF-8'?>\n" GPVR A "\n" B ROW("D", "]x")
        "</ParameterList></cwmp:GetParameterValuesResponse>" TAIL,
        HEAD "<cwmp:Inform><DeviceId a='b'>x<OUI/>y</DeviceId><!-- --><Event>"
        "<EventStruct><EventCode>1 &amp;</EventCode></EventStruct></Event>"
        "</cwmp:Inform>" TAIL
    };

    memset(&way, 0, sizeof(way));

    for (i = 0; i < 2; i++) {
        same = 1;

        for (n = strlen(texts[i]), k = 0; same && k < n; k++) {
            reading(&r, texts[i], k, &way);
            way.by = READING_LIBXML2;
            same = is_same(&r, texts[i], k, &way);
            way.by = READING_ALL;
            way.cut = 1;
            way.piece = 1;
            same &= is_same(&r, texts[i], k, &way);
            same &= (r.e->nframes == 0
                     || strncmp(r.e->reason, "envelope ends early", 19) == 0);
            way.cut = 0;
            way.piece = 0;

            if (!same) {
                diag("at %zu: %s", k, r.text);
            }

            reading_free(&r);
        }

        ok(same, "the same: truncated anywhere, %zu", i);
    }

    reading(&r, texts[0], strlen(texts[0]) - sizeof(TAIL) + 1, &way);
    is_str(r.e->reason, "envelope ends early, inside Body", "where it was");
    reading_free(&r);
}


static void
test_stopped(void)
{
    int            same;
    reading_t      r;
    reading_way_t  way;

    static const char  text[] = GPVR A B C "\n" ROW("D", "&amp;") A B C GPVE;

    memset(&way, 0, sizeof(way));

    for (way.stop_rc = CWMP_REFUSED; way.stop_rc < CWMP_OK; way.stop_rc++) {
        same = 1;

        for (way.stop = 1; way.stop < 9; way.stop++) {
            reading(&r, text, sizeof(text) - 1, &way);
            same &= is_same_cut(&r, text, sizeof(text) - 1);
            same &= (r.rc == (way.stop < 8 ? way.stop_rc : CWMP_OK));
            same &= (r.rows == (way.stop < 8 ? way.stop : 7));
            reading_free(&r);
        }

        ok(same, "the same: a callback that leaves with %d", way.stop_rc);
    }
}


static void
test_limits(void)
{
    size_t         i, n;
    reading_t      r;
    reading_way_t  way;

    static const cwmp_limits_t  limits = { 4000, 40, 6 };

    static const struct {
        const char  *text;
        const char  *reason;
    } narrow[] = {
        { GPVR A ROW("B", X8 X8 X8 X8 X8) GPVE, "" },
        { GPVR A ROW("B", X8 X8 X8 X8 X8 "b") GPVE,
          "element text over 40 bytes in ParameterList[2].Value" },
        { GPVR A B ROW(X8 X8 X8 X8 X8, "") GPVE,
          "element text over 40 bytes in ParameterList[3].Name" },
        { GPVR "<x>" X64 "</x>" A X64 B X64 GPVE, "" },
        { HEAD "<cwmp:Inform><DeviceId><OUI>" X8 X8 X8 X8 X8 X8 "</OUI>"
          "</DeviceId></cwmp:Inform>" TAIL, "" },
        { GPVR A OPEN "<Value><a/></Value>" CLOSE GPVE,
          "elements nested deeper than 6" },
        { HEAD "<a><b><c><d/>", "" },
        { HEAD "<a><b><c><d><e/>", "elements nested deeper than 6" }
    };

    memset(&way, 0, sizeof(way));
    way.limits = &limits;

    for (i = 0; i < sizeof(narrow) / sizeof(narrow[0]); i++) {
        n = strlen(narrow[i].text);
        reading(&r, narrow[i].text, n, &way);
        ok(is_same_cut(&r, narrow[i].text, n), "the same: limits %zu", i);

        if (r.rc != CWMP_OK && strstr(r.e->reason, "ends early") == NULL) {
            is_str(r.e->reason, narrow[i].reason, "and said so");
        } else {
            is_str("", narrow[i].reason, "and nothing is over");
        }

        reading_free(&r);
    }
}


/* 31 to 34 elements in each other, in a piece and cut */

static void
test_deep(void)
{
    int            depth, i;
    char           text[2048];
    size_t         n;
    reading_t      r;
    reading_way_t  way;

    static const cwmp_limits_t  deeper = { 1 << 20, 8192, 200 };

    memset(&way, 0, sizeof(way));

    for (depth = 31; depth < 35; depth++) {
        n = sprintf(text, "%s", HEAD);

        for (i = 2; i < depth; i++) {
            n += sprintf(text + n, "<a>");
        }

        for (i = 2; i < depth; i++) {
            n += sprintf(text + n, "</a>");
        }

        n += sprintf(text + n, "%s", TAIL);

        way.limits = NULL;
        reading(&r, text, n, &way);
        ok(is_same_cut(&r, text, n), "the same: %d elements deep", depth);
        is_num(r.rc, depth > 32 ? CWMP_REFUSED : CWMP_OK, "bounded");
        reading_free(&r);

        way.limits = &deeper;
        reading(&r, text, n, &way);
        ok(is_same_cut(&r, text, n) && r.rc == CWMP_OK,
           "the same: %d deep, which is allowed", depth);
        reading_free(&r);
    }
}


/* HTTP's charset, and bytes that are no text of 8 bits */

static void
test_charsets(void)
{
    size_t         i, n;
    reading_t      r;
    reading_way_t  way;

    static const struct {
        const char  *charset;
        const char  *text;
        size_t       size;
    } texts[] = {
        { "gbk", GPVR A ROW("B", "\xd6\xd0") C GPVE, 0 },
        { "Shift_JIS", GPVR A ROW("B", "~\\\x83\x65") C GPVE, 0 },
        { "gb18030", "<?xml version='1.0' encoding='UTF-8'?>" GPVR A B C GPVE,
          0 },
        { "iso-8859-1", GPVR A ROW("B", "\xe9") C GPVE, 0 },
        { "utf-16", GPVR A B GPVE, 0 },
        { NULL, "<\0E\0n\0v\0e\0l\0o\0p\0e\0/\0>\0", 22 },
        { NULL, ENV "<s:Body>\0</s:Body></s:Envelope>\0\0 x",
          sizeof(ENV) + 34 },
        { NULL, ENV "<\0s:Body>", sizeof(ENV) + 8 },
        { NULL, "<?xml version='1.0'?><\0s:Body>", 30 }
    };

    memset(&way, 0, sizeof(way));

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        n = texts[i].size ? texts[i].size : strlen(texts[i].text);
        way.charset = texts[i].charset;
        reading(&r, texts[i].text, n, &way);
        ok(is_same_cut(&r, texts[i].text, n), "the same: charset %zu", i);
        reading_free(&r);
    }
}


/* head, the part so often, tail: each megabyte costs the same, and no memory
   but for a row */

static void
linear(const char *name, const char *head, const char *part, const char *tail,
    size_t times)
{
    char                 *text;
    double                cpu;
    size_t                n;
    reading_t             r;
    reading_way_t         way;

    static const cwmp_limits_t  wide = { 32 << 20, 8 << 20, 32 };

    memset(&way, 0, sizeof(way));
    way.limits = &wide;
    way.piece = 4096;

    times = SLOW ? times / 10 : times;
    text = malloc(strlen(head) + times * strlen(part) + strlen(tail) + 1);
    n = sprintf(text, "%s", head);

    for ( /* void */ ; times; times--) {
        n += sprintf(text + n, "%s", part);
    }

    n += sprintf(text + n, "%s", tail);

    cpu = tap_cpu();
    reading(&r, text, n, &way);
    cpu = (tap_cpu() - cpu) * 1000 / (n / 1048576.0);

    diag("%-36s %5.1f ms/MB, %4zu KB, %zu of %zu rows as they lie", name, cpu,
         r.owner.used / 1024, r.lying, r.rows);
    ok(r.rc == CWMP_OK && r.owner.used < 4 << 20 && (SLOW || cpu < 100),
       "linear: %s", name);

    reading_free(&r);
    free(text);
}


static void
test_linear(void)
{
    linear("rows that look the same", GPVR, A, GPVE, 20000);
    linear("rows that alternate", GPVR, A "<P><Name>Device.B</Name></P>", GPVE,
           20000);
    linear("rows that never fit", GPVR, ROW("A", " 1") OPEN "<Name> Device.B"
           "</Name><Value/>" CLOSE, GPVE, 20000);
    linear("long rows that never fit", GPVR, ROW("A", X256 X256 X256 X256 X256
           X256 X256 X256 X256 X256 X256 X256 X256 X256 " "), GPVE, 1000);
    linear("rows that alternate, with libxml2", "<?xml version='1.1'?>" GPVR,
           A "<PStruct><Name>Device.B</Name></PStruct>", GPVE, 20000);
    linear("rows that never fit, with libxml2", "<?xml version='1.1'?>" GPVR,
           ROW("A", " 1"), GPVE, 20000);
    linear("ends of rows in a text, with libxml2", "<?xml version='1.1'?>"
           GPVR "<P><Value>", "/Struct>/Struct>/Struct>", "</Value></P>" GPVE,
           40000);
    linear("such texts and rows, with libxml2", "<?xml version='1.1'?>" GPVR,
           A ROW("B", " /Struct>/Struct>/Struct>/Struct>/Struct>/Struct>"),
           GPVE, 10000);
    linear("a text of a megabyte", GPVR OPEN "<Value>", X64, "</Value>" CLOSE
           GPVE, 16384);
    linear("a text of line breaks", GPVR OPEN "<Value>", "]\n", "</Value>" CLOSE
           GPVE, 524288);
    linear("empty elements", HEAD, "<a/>", TAIL, 100000);
    linear("empty rows", GPVR, "<P/>", GPVE, 100000);
    linear("blanks between rows", GPVR, " ", A GPVE, 1 << 20);
    linear("what begins like rows", GPVR, "<P><Name>Device.A</Name><Value/>"
           "<Name/></P>", GPVE, 20000);
    linear("tags of a kilobyte", HEAD, "<x a='" X256 X256 X256 X64 X64 "'/>",
           TAIL, 1000);
}


int
main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    xmlInitParser();

    test_cases();
    test_truncated();
    test_stopped();
    test_limits();
    test_deep();
    test_charsets();
    test_linear();

    xmlCleanupParser();

    return done();
}
