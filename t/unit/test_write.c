
/* Envelopes out: bytes, pieces, escaping, and the schema where it is there. */

#include "cwmp_write.h"
#include <unistd.h>

#include "tap.h"


#define S(s)  { sizeof(s) - 1, (unsigned char *) (s) }

static unsigned char  buf[65536];
static size_t         piece;
static int            room;


static cwmp_rc_t
more(cwmp_out_t *out)
{
    if (room-- == 0) {
        return CWMP_ERROR;
    }

    out->end = out->pos + piece;

    return CWMP_OK;
}


static void
start(cwmp_out_t *out, size_t n)
{
    memset(buf, 0, sizeof(buf));
    memset(out, 0, sizeof(*out));

    piece = n;
    room = sizeof(buf) / n;

    out->pos = buf;
    out->end = buf;
    out->more = more;
}


static const cwmp_rpc_t *
find(const char *name)
{
    return cwmp_rpc_find((const unsigned char *) name, strlen(name));
}


static int
has(const char *text)
{
    return strstr((char *) buf, text) != NULL;
}


/* RPC by RPC against the official schema, each namespace made 1-2 for it */

static void
validate(const char *name)
{
    char         cmd[512], path[] = "/tmp/cwmp_write_XXXXXX", *p;
    int          fd;
    FILE        *f;
    const char  *shared;

    shared = getenv("CWMP_SHARED");

    if (shared == NULL || system("command -v xmllint >/dev/null") != 0) {
        ok(1, "SOAP-05 %s # SKIP no CWMP_SHARED or xmllint", name);
        return;
    }

    p = strstr((char *) buf, "cwmp-1-");
    if (p) {
        p[7] = '2';
    }

    fd = mkstemp(path);
    f = fdopen(fd, "w");
    fputs((char *) buf, f);
    fclose(f);

    snprintf(cmd, sizeof(cmd), "xmllint --noout --nonet --schema "
             "%s/cwmp/xsd/driver.xsd %s 2>/dev/null", shared, path);

    if (!ok(system(cmd) == 0, "SOAP-05 %s is valid", name)) {
        diag("%s", buf);
    }

    unlink(path);
}


static void
test_requests(void)
{
    cwmp_out_t         out;
    const cwmp_str_t   id = S("id-1");
    cwmp_node_t        cells[4] = {
        { S("Device.A"), S(""), NULL, 0, 1 },
        { S("a&<b>\"\xc3\xa9"), S("string"), NULL, 0, 1 },
        { S("Device.B"), S(""), NULL, 0, 1 },
        { S("1"), S("boolean"), NULL, 0, 1 }
    };
    cwmp_node_t        rows[2] = {
        { S(""), S(""), cells, 2, 1 }, { S(""), S(""), cells + 2, 2, 1 }
    };
    cwmp_node_t        spv[2] = {
        { S(""), S(""), rows, 2, 1 }, { S("key"), S(""), NULL, 0, 1 }
    };
    cwmp_node_t        names[2] = {
        { S("Device.X"), S(""), NULL, 0, 1 }, { S(""), S(""), NULL, 0, 1 }
    };
    cwmp_node_t        gpv[1] = { { S(""), S(""), names, 2, 1 } };
    cwmp_node_t        gpn[2] = {
        { S("Device."), S(""), NULL, 0, 1 }, { S("1"), S(""), NULL, 0, 1 }
    };
    cwmp_node_t        add[2] = {
        { S("Device.T."), S(""), NULL, 0, 1 }, { S("k"), S(""), NULL, 0, 1 }
    };
    cwmp_node_t        reboot[1] = { { S("job-1"), S(""), NULL, 0, 1 } };
    cwmp_node_t        download[10] = {
        { S("k"), S(""), NULL, 0, 1 },
        { S("1 Firmware Upgrade Image"), S(""), NULL, 0, 1 },
        { S("https://h/f?a=1&b=2"), S(""), NULL, 0, 1 },
        { S(""), S(""), NULL, 0, 1 }, { S(""), S(""), NULL, 0, 1 },
        { S("0"), S(""), NULL, 0, 1 }, { S(""), S(""), NULL, 0, 1 },
        { S("0"), S(""), NULL, 0, 1 }, { S(""), S(""), NULL, 0, 1 },
        { S(""), S(""), NULL, 0, 1 }
    };
    unsigned char     *whole;
    size_t             i, n;
    struct {
        const char    *name;
        cwmp_node_t   *args;
    } all[] = {
        { "GetRPCMethods", NULL }, { "GetParameterValues", gpv },
        { "SetParameterValues", spv }, { "GetParameterNames", gpn },
        { "AddObject", add }, { "DeleteObject", add }, { "Reboot", reboot },
        { "FactoryReset", NULL }, { "Download", download }
    };

    start(&out, sizeof(buf) / 2);
    is_num(cwmp_write_request(&out, CWMP_NS_1_2, &id,
                              find("SetParameterValues"), spv),
           CWMP_OK, "a request is written");

    ok(memcmp(buf, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soap-env:Env",
              51) == 0, "SOAP-15 XML declaration comes first");
    ok(has("<cwmp:ID soap-env:mustUnderstand=\"1\">id-1</cwmp:ID>"),
       "SOAP-03 own ID, mustUnderstand 1");
    ok(has("<cwmp:SetParameterValues><ParameterList soap-enc:arrayType="
           "\"cwmp:ParameterValueStruct[2]\"><ParameterValueStruct><Name>"),
       "SOAP-04 SOAP-06 method qualified, children not, count right");
    ok(has("<Value xsi:type=\"xsd:string\">a&amp;&lt;b&gt;&quot;\xc3\xa9"
           "</Value>"), "SOAP-13 value escaped");
    ok(has("<Value xsi:type=\"xsd:boolean\">1</Value>"), "RPC-02 xsi:type");

    n = out.pos - buf;
    whole = malloc(n);
    memcpy(whole, buf, n);

    start(&out, 1);
    is_num(cwmp_write_request(&out, CWMP_NS_1_2, &id,
                              find("SetParameterValues"), spv),
           CWMP_OK, "in pieces of one byte");
    ok((size_t) (out.pos - buf) == n && memcmp(buf, whole, n) == 0,
       "the same bytes");
    free(whole);

    start(&out, 16);
    room = 3;
    is_num(cwmp_write_request(&out, CWMP_NS_1_2, &id, find("Reboot"),
                              reboot), CWMP_ERROR, "no more memory: ERROR");
    is_num(out.pos - buf, 48, "and nothing beyond it was written");

    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        start(&out, 4096);
        cwmp_write_request(&out, i % CWMP_NS_COUNT, &id, find(all[i].name),
                           all[i].args);
        ok(has(cwmp_ns_uri(i % CWMP_NS_COUNT)), "VER-01 %s in %s",
           all[i].name, cwmp_ns_uri(i % CWMP_NS_COUNT));
        validate(all[i].name);
    }
}


static void
test_replies(void)
{
    cwmp_out_t        out;
    const cwmp_str_t  id = S("a&b \r<\"'>");
    const cwmp_str_t  none = S("");
    unsigned          code;

    start(&out, 4096);
    cwmp_write_response(&out, CWMP_NS_1_0, &id, find("Inform"));
    ok(has(">a&amp;b &#13;&lt;&quot;'&gt;</cwmp:ID>"),
       "SOAP-01 ID survives a parser byte by byte");
    ok(has("<cwmp:InformResponse><MaxEnvelopes>1</MaxEnvelopes>"
           "</cwmp:InformResponse>"), "SES-02 MaxEnvelopes 1");
    ok(has("urn:dslforum-org:cwmp-1-0"), "VER-01 namespace mirrored");
    validate("InformResponse");

    start(&out, 4096);
    cwmp_write_response(&out, CWMP_NS_1_2, NULL, find("GetRPCMethods"));
    ok(!has("Header"), "SOAP-02 no ID, no header");
    ok(has("arrayType=\"xsd:string[8]\"><string>Inform</string><string>"
           "GetRPCMethods</string><string>TransferComplete</string><string>"
           "AutonomousTransferComplete</string><string>RequestDownload"
           "</string><string>Kicked</string><string>DUStateChangeComplete"
           "</string><string>AutonomousDUStateChangeComplete</string>"),
       "RPC-01 SOAP-06 all served methods, counted");
    validate("GetRPCMethodsResponse");

    start(&out, 4096);
    cwmp_write_response(&out, CWMP_NS_1_2, &none, find("TransferComplete"));
    ok(has("mustUnderstand=\"1\"></cwmp:ID>"), "SOAP-02 empty ID is echoed");
    ok(has("<cwmp:TransferCompleteResponse></cwmp:TransferCompleteResponse>"),
       "an empty response");
    validate("TransferCompleteResponse");

    start(&out, 4096);
    cwmp_write_response(&out, CWMP_NS_1_2, NULL, find("Kicked"));
    ok(has("<cwmp:KickedResponse><NextURL></NextURL></cwmp:KickedResponse>"),
       "RPC-32 KickedResponse names no URL");
    validate("KickedResponse");

    for (code = 8000; code < 8007; code++) {
        start(&out, 4096);
        cwmp_write_fault(&out, CWMP_NS_1_2, &id, code);
        validate("a fault");
    }

    start(&out, 4096);
    cwmp_write_fault(&out, CWMP_NS_1_2, &id, 8000);
    ok(has("<soap-env:Fault><faultcode>Server</faultcode><faultstring>CWMP "
           "fault</faultstring><detail><cwmp:Fault><FaultCode>8000</FaultCode>"
           "<FaultString>Method not supported</FaultString></cwmp:Fault>"
           "</detail></soap-env:Fault>"), "FLT-01 shape of a fault");

    start(&out, 4096);
    cwmp_write_fault(&out, CWMP_NS_1_2, &id, 8800);
    ok(has("<FaultCode>8800</FaultCode>"), "a vendor's code keeps its number");

    start(&out, 4096);
    cwmp_write_fault(&out, CWMP_NS_1_2, &id, 8900);
    ok(has("<FaultCode>8002</FaultCode>"), "what is no ACS' code is 8002");
}


static void
test_text(void)
{
    size_t      i;
    cwmp_out_t  out;

    static const struct {
        cwmp_str_t   in;
        const char  *out;
        const char  *name;
    } cases[] = {
        { S("plain \t\n"), "plain \t\n", "plain" },
        { S("\xed\xbf\xbf"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
          "the last surrogate" },
        { S("a\x01" "b\0c\x1f"), "a\xef\xbf\xbd" "b\xef\xbf\xbd" "c\xef\xbf"
          "\xbd", "SOAP-14 control characters" },
        { S("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
          "a surrogate" },
        { S("\xef\xbf\xbe"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
          "U+FFFE" },
        { S("caf\xe9"), "caf\xef\xbf\xbd", "Latin-1" },
        { S("\xf0\x9f\x98\x80 \xc3\xa9"), "\xf0\x9f\x98\x80 \xc3\xa9",
          "four bytes, two bytes" },
        { S("\xc3"), "\xef\xbf\xbd", "cut short" },
        { S("\xc0\xaf\xf8"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
          "overlong" },
        { S("]]>&amp;"), "]]&gt;&amp;amp;", "SOAP-13 no double unescaping" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        start(&out, 3);
        cwmp_write_text(&out, &cases[i].in);
        is_mem(buf, out.pos - buf, cases[i].out, cases[i].name);
    }
}


/* how a style is said, and that it holds whatever the pieces are */

static void
test_style(void)
{
    size_t            i;
    cwmp_out_t        out;
    cwmp_style_t      style;
    cwmp_str_t        words;
    const cwmp_str_t  id = S("");
    cwmp_node_t       args[2] = {
        { S(""), S(""), NULL, 0, 1 }, { S("0"), S(""), NULL, 0, 1 }
    };

    static const struct {
        const char  *words;
        const char  *want;
    } cases[] = {
        { "", "\"?><soap-env:E" },
        { "prefix=s prefix=x  unknown=1 =", "\"?><s:E" },
        { "prefix=SOAP-ENV declaration=false", "<SOAP-ENV:E" },
        { "nextLevel=digits booleans=words", "<NextLevel>0</" },
        { "booleans=words", "<NextLevel>false</" },
        { "nextLevel=words", "<NextLevel>false</" },
        { "nextLevel=word", "<NextLevel>0</" },
        { "emptyTags=short root=", "<cwmp:ID soap-env:mustUnderstand=\"1\"/>"
          "</soap-env:Header><soap-env:Body><cwmp:GetParameterNames>"
          "<ParameterPath/><NextLevel>" }
    };

    for (i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
        words.len = strlen(cases[i / 2].words);
        words.data = (unsigned char *) cases[i / 2].words;

        start(&out, i % 2 ? 1 : sizeof(buf));
        cwmp_style_read(&out.style, &words);
        cwmp_write_request(&out, CWMP_NS_1_2, &id, find("GetParameterNames"),
                           args);
        ok(has(cases[i / 2].want), "TOL-35 \"%s\"", cases[i / 2].words);
        validate(cases[i / 2].words);
    }

    words = (cwmp_str_t) S("booleans=words");
    start(&out, sizeof(buf));
    cwmp_style_read(&out.style, &words);
    cwmp_write_request(&out, CWMP_NS_1_2, &id, find("GetParameterNames"), NULL);
    ok(has("<NextLevel></NextLevel>"), "a boolean that is not given");

    words = (cwmp_str_t) S("prefix=s root=Device");
    cwmp_style_read(&style, &words);
    is_mem(style.root.data, style.root.len, "Device", "the root");
}


int
main(void)
{
    test_requests();
    test_style();
    test_replies();
    test_text();

    return done();
}
