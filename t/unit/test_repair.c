
/*
 * What is mended in an envelope, and that it is flagged; the same however it
 * is cut; and that a document that is right passes through unchanged.
 */

#include <libxml/parser.h>

#include "cwmp_envelope.h"
#include "cwmp_repair.h"
#include "tap.h"


#define HEAD  "<Envelope><Body><GetParameterValuesResponse><ParameterList>"
#define TAIL  "</ParameterList></GetParameterValuesResponse></Body></Envelope>"
#define ROW   HEAD "<P><Name>A</Name><Value>"
#define END   "</Value></P><P><Name>B</Name><Value>b</Value></P>" TAIL


typedef struct {
    cwmp_arena_t   arena;
    tap_arena_t    owner;
    char           text[400];
    size_t         len;
} seen_t;


static cwmp_rc_t
on_row(void *data, const cwmp_row_t *row)
{
    seen_t  *s = data;

    s->len += sprintf(s->text + s->len, "%.*s=%.*s%s\n",
                      (int) row->cells[0].len, row->cells[0].data,
                      (int) row->cells[1].len, row->cells[1].data,
                      row->repaired ? " (repaired)" : "");

    return CWMP_OK;
}


static void
is_rows(const char *xml, const char *charset, const char *want,
    unsigned repaired, const char *name)
{
    size_t            n, piece, i;
    seen_t            s;
    cwmp_envelope_t  *e;

    static const size_t  pieces[] = { 4096, 1, 3 };

    for (i = 0; i < 3; i++) {
        memset(&s, 0, sizeof(s));
        s.arena.alloc = tap_alloc;
        s.arena.owner = &s.owner;
        e = cwmp_envelope_create(&s.arena, &cwmp_default_limits, on_row, &s);

        if (charset) {
            cwmp_envelope_charset(e, (const unsigned char *) charset,
                                  strlen(charset));
        }

        for (n = 0; n < strlen(xml); n += piece) {
            piece = strlen(xml + n) < pieces[i] ? strlen(xml + n) : pieces[i];
            cwmp_envelope_feed(e, (const unsigned char *) xml + n, piece);
        }

        if (cwmp_envelope_end(e) != CWMP_OK) {
            diag("%s", cwmp_envelope_reason(e));
        }

        is_str(s.text, want, name);
        is_num(cwmp_envelope_facts(e)->repaired, repaired, "so many values");
        is_num(cwmp_envelope_facts(e)->extra, strstr(xml, "junk") != NULL,
               "is there more behind the envelope?");

        cwmp_envelope_free(e);
        tap_free(&s.owner);
    }
}


static void
test_values(void)
{
    size_t  i;
    char    want[200], xml[1000];

    static const struct {
        const char  *sent, *value, *name;
    } cases[] = {
        { "a\x01\x02z", "a\xef\xbf\xbd\xef\xbf\xbdz", "TOL-13 controls" },
        { "&#x2;&#0;", "\xef\xbf\xbd\xef\xbf\xbd", "TOL-13 references" },
        { "<![CDATA[a\x0b&]]>", "a\xef\xbf\xbd&", "TOL-13 in CDATA" },
        { "\xef\xbf\xbf", "\xef\xbf\xbd", "TOL-13 U+FFFF" },
        { "caf\xe9", "caf\xc3\xa9", "TOL-14 Latin-1" },
        { "\xc3\xa9\xe9\xe2\x82", "\xc3\xa9\xc3\xa9\xc3\xa2\xc2\x82",
          "TOL-14 only what is no UTF-8" },
        { "\xc0\xaf\xed\xa0\x80", "\xc3\x80\xc2\xaf\xc3\xad\xc2\xa0\xc2\x80",
          "TOL-14 overlong, a surrogate" },
        { "\xe0\x80\xaf", "\xc3\xa0\xc2\x80\xc2\xaf",
          "TOL-14 overlong, of three bytes" },
        { "\xf0\x80\x80\xaf", "\xc3\xb0\xc2\x80\xc2\x80\xc2\xaf",
          "TOL-14 and of four" },
        { "\xf4\x90\x80\x80", "\xc3\xb4\xc2\x90\xc2\x80\xc2\x80",
          "TOL-14 above U+10FFFF" },
        { "T&T <3", "T&T <3", "TOL-15 bare" },
        { "a<b", "a<b", "TOL-15 what looks like a tag" },
        { "a <b c & d", "a <b c & d", "TOL-15 and more so" },
        { "&nbsp;&#x;&;&#xg;", "&nbsp;&#x;&;&#xg;", "TOL-15 no references" },
        { "&#x0@;&#1`;&#1_;", "&#x0@;&#1`;&#1_;", "TOL-15 nor these" },
        { "&amp;&<", "&&<", "TOL-15 beside a good one" },
        { "<<<", "<<<", "TOL-15 three" },
        { "<!<?</ >", "<!<?</ >", "TOL-15 no markup" },
        { "a <!b <!doctype <![c", "a <!b <!doctype <![c",
          "TOL-15 what looks like a declaration" },
        { "a <?b c", "a <?b c", "TOL-15 an instruction without an end" },
        { "<?a<?b?", "<?a<?b?", "TOL-15 two of them" },
        { "a]]>b", "a]]>b", "TOL-15 the end of no CDATA section" },
        { "]]]>]]>]]", "]]]>]]>]]", "TOL-15 and more so" },
        { "<![CDATA[a]]>b]]>", "ab]]>", "TOL-15 behind one" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sprintf(xml, ROW "%s" END, cases[i].sent);
        sprintf(want, "A=%s (repaired)\nB=b\n", cases[i].value);
        is_rows(xml, NULL, want, 1, cases[i].name);
    }

    is_rows(ROW "a<?b <c?>d]]" END, NULL, "A=ad]]\nB=b\n", 0,
            "TOL-15 an instruction that ends");
    is_rows(ROW "&amp;\xef\xb7\x90\xef\xb7\x91&#xfdd2;" END, NULL,
            "A=&\xef\xb7\x90\xef\xb7\x91\xef\xb7\x92\nB=b\n", 0,
            "TOL-13 what we use as marks is a character like others");
    is_rows("<?xml version='1.0' encoding='UTF-8'?>" ROW "\xc3\xa9" END,
            "ISO-8859-1", "A=\xc3\x83\xc2\xa9\nB=b\n", 0,
            "TOL-14 HTTP's header outweighs the declaration");
    is_rows("<?xml version='1.0' encoding='ISO-8859-1'?>" ROW "\xe9\x01" END,
            NULL, "A=\xc3\xa9\xef\xbf\xbd (repaired)\nB=b\n", 1,
            "TOL-14 declared Latin-1");
    is_rows(HEAD "<P a='1' a='2'><Name b='&' b='x'>A</Name><Value xsi:type="
            "'int' xsi:type='x'>1</Value></P>" TAIL, NULL, "A=1\n", 0,
            "TOL-47 a duplicate attribute is left out");
}


/* bytes of other encodings, by HTTP's word or the declaration's */

static void
test_encodings(void)
{
    size_t  i, n;
    char    want[200], xml[1000], big[2000];

    static const struct {
        const char  *http, *xml, *sent, *value, *name;
    } cases[] = {
        { NULL, "GBK", "\xd6\xd0", "\xe4\xb8\xad", "GBK" },
        { NULL, "gb2312", "\x81\x40", "\xe4\xb8\x82", "what only GBK has" },
        { NULL, "GB18030", "\x81\x30\x81\x30", "\xc2\x80", "of four bytes" },
        { NULL, "Big5", "\xa4\xa4", "\xe4\xb8\xad", "Big5" },
        { NULL, "Shift_JIS", "\x92\x86\\~", "\xe4\xb8\xad\\~", "Shift_JIS" },
        { NULL, "ISO-8859-15", "\xa4", "\xe2\x82\xac", "ISO-8859-15" },
        { NULL, "windows-1252", "\x80", "\xe2\x82\xac", "Windows-1252" },
        { NULL, "KOI8-R", "\xc1", "\xd0\xb0", "KOI8-R" },
        { "GBK", NULL, "\xd6\xd0", "\xe4\xb8\xad", "by HTTP's header" },
        { "big5", "utf-8", "\xa4\xa4", "\xe4\xb8\xad", "... which outweighs" },
        { "utf-8", "UTF-16", "\xc3\xa9", "\xc3\xa9", "... whatever it says" },
        { "x-own", "GBK", "\xd6\xd0", "\xe4\xb8\xad", "HTTP's is unknown" },
        { NULL, "UTF-16", "\xc3\xa9", "\xc3\xa9", "declared UTF-16, is UTF-8" },
        { "windows-1252//IGNORE", NULL, "\xc3\xa9", "\xc3\xa9", "no name" },
        { NULL, "GBK", "\xc2\xb7\xff<b", "\xe8\xb7\xaf\xc3\xbf<b (repaired)",
          "a byte that is none" },
        { NULL, "GBK", "a\x01&#2;\xd6\xd0", "a\xef\xbf\xbd\xef\xbf\xbd"
          "\xe4\xb8\xad (repaired)", "TOL-13 controls" },
        { NULL, "GBK", "\xd6\xd0 & <3", "\xe4\xb8\xad & <3 (repaired)",
          "TOL-15 bare" },
        { NULL, "windows-1252", "\x81", "\xc2\x81 (repaired)",
          "what the encoding lacks" },
        { NULL, "windows-1258", "A\x8a" "B", "A\xc2\x8a" "B (repaired)",
          "one with a state is none of ours" },
        { NULL, "x-own", "\xe9", "\xc3\xa9 (repaired)", "nobody knows it" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        n = cases[i].xml ? sprintf(xml, "<?xml version='1.0' encoding='%s'?>",
                                   cases[i].xml) : 0;
        sprintf(xml + n, ROW "%s" END, cases[i].sent);
        sprintf(want, "A=%s\nB=b\n", cases[i].value);
        n = sprintf(xml + 900, "TOL-14 %s", cases[i].name);
        is_rows(xml, cases[i].http, want,
                strstr(cases[i].value, "(repaired)") != NULL, xml + 900);
    }

    is_rows(ROW "a<?b" END "\n", NULL, "A=a<?b (repaired)\nB=b\n", 1,
            "TOL-15 an instruction without an end, and a line break at the end");
    sprintf(big, HEAD "%1200s<P><Name>A</Name><Value>a<?b" END " junk", "");
    is_rows(big, NULL, "A=a<?b (repaired)\nB=b\n", 1, "TOL-38 or more");
    memset(xml, ' ', 1000);
    n = sprintf(xml, ROW "a<?b" END);
    xml[n] = ' ';
    xml[999] = '\0';
    is_rows(xml, NULL, "A=a<?b (repaired)\nB=b\n", 1, "TOL-15 or many blanks");

    is_rows(ROW "<b>x</b>y" END, NULL, "A=y (repaired)\nB=b\n", 1,
            "TOL-15 an element at the beginning of a value");
    is_rows(ROW "<b>x</b>" END, NULL, "A= (repaired)\nB=b\n", 1,
            "TOL-15 an element as the value");
    is_rows(ROW "<!-- c --><?pi?>x" END, NULL, "A=x\nB=b\n", 0,
            "SOAP-07 a comment and an instruction are none");
}


static cwmp_rc_t
on_good(void *data, const unsigned char *p, size_t n)
{
    seen_t  *s = data;

    memcpy(s->text + s->len, p, n);
    s->len += n;

    return CWMP_OK;
}


static void
test_unchanged(void)
{
    size_t         i, n;
    seen_t         s;
    cwmp_repair_t  r;

    static const char  xml[] =
        "<?xml version=\"1.0\"?><!-- <&\xc3\xa9 --><?p <& ?>\r\n<a:b c = '&amp;"
        "\">\xe2\x82\xac' d=\"'\"\n><e/>&lt;&#x41;&#10;\t<![CDATA[ ]] <& ]]>"
        "\xf0\x9f\x98\x80<?q <? <r> ]]>?>]] ]><f\n></f ></a:b>";

    for (n = 1; n < sizeof(xml); n++) {
        memset(&s, 0, sizeof(s));
        s.arena.alloc = tap_alloc;
        s.arena.owner = &s.owner;
        cwmp_repair_init(&r, &s.arena, on_good, &s);

        for (i = 0; i < sizeof(xml) - 1; i += n) {
            cwmp_repair_feed(&r, (const unsigned char *) xml + i,
                             i + n < sizeof(xml) ? n : sizeof(xml) - 1 - i, 0);
        }

        if (s.len != sizeof(xml) - 1 || memcmp(s.text, xml, s.len) != 0
            || !r.ended || r.marks)
        {
            is_num(n, 0, "TOL-13 unchanged, cut every so many bytes");
        }

        tap_free(&s.owner);
    }

    ok(1, "TOL-13 a document that is right passes unchanged");
}


/* A CDATA section that is refused for its length has marks behind the place
   where it is: nothing is read of what libxml2 has freed by then. */

static void
test_too_long(void)
{
    char             *text, *p;
    size_t            i;
    seen_t            s;
    cwmp_envelope_t  *e;

    text = malloc(30000);
    p = text + sprintf(text, "<Envelope><Body><Inform><DeviceId><OUI>"
                             "<![CDATA[");

    for (i = 0; i < 2000; i++) {
        p += sprintf(p, "xxxxx" CWMP_MARK_AMP);
    }

    p += sprintf(p, "]]></OUI>");

    memset(&s, 0, sizeof(s));
    s.arena.alloc = tap_alloc;
    s.arena.owner = &s.owner;
    e = cwmp_envelope_create(&s.arena, &cwmp_default_limits, on_row, &s);

    cwmp_envelope_feed(e, (unsigned char *) text, p - text);
    is_num(cwmp_envelope_end(e), CWMP_REFUSED,
           "TOL-15 a text full of marks is bounded like any other");
    is_str(cwmp_envelope_reason(e),
           "element text over 8192 bytes in DeviceId.OUI", "and why");

    cwmp_envelope_free(e);

    tap_free(&s.owner);
    free(text);
}


int
main(void)
{
    xmlInitParser();
    test_values();
    test_encodings();
    test_unchanged();
    test_too_long();
    xmlCleanupParser();

    return done();
}
