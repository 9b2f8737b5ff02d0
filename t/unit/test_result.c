
/*
 * From what a CPE answers to the JSON that an admin reads: each response and
 * fault through the envelope parser, hostile texts and numbers, answers of any
 * size, and no memory.  All JSON is read back by jansson.
 */

#include <jansson.h>
#include <libxml/parser.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cwmp_result.h"
#include "tap.h"


#define HEAD  "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/"         \
              "envelope/\" xmlns:cwmp=\"urn:dslforum-org:cwmp-1-2\">"          \
              "<s:Body>"
#define TAIL  "</s:Body></s:Envelope>"
#define MSG(name, args)  HEAD "<cwmp:" name ">" args "</cwmp:" name ">" TAIL
#define GPVR(rows)  MSG("GetParameterValuesResponse",                         \
                        "<ParameterList>" rows "</ParameterList>")
#define ROW(name, type, value)                                                \
    "<P><Name>" name "</Name><Value xsi:type=\"" type "\">" value "</Value></P>"
#define FAULT(detail)  HEAD "<s:Fault><faultcode>Client</faultcode>"          \
    "<faultstring>CWMP fault</faultstring><detail><cwmp:Fault>" detail        \
    "</cwmp:Fault></detail></s:Fault>" TAIL
#define TC(fault, start)  MSG("TransferComplete", "<CommandKey>k \"1\""       \
    "</CommandKey><FaultStruct>" fault "</FaultStruct><StartTime>" start      \
    "</StartTime><CompleteTime>0001-01-01T00:00:00Z</CompleteTime>")
#define NAMES(rows)  MSG("GetParameterNamesResponse",                         \
                         "<ParameterList>" rows "</ParameterList>")
#define INFO(name, writable)  "<P><Name>" name "</Name><Writable>" writable   \
                              "</Writable></P>"
#define STATUS(s)    MSG("SetParameterValuesResponse",                        \
                         "<Status>" s "</Status>")
#define LIST(rows)   "{\"ParameterList\":[" rows "]}"
#define JROW(name, value, type)  "{\"Name\":\"" name "\",\"Value\":\"" value  \
                                 "\",\"Type\":\"xsd:" type "\"}"


typedef struct {
    tap_arena_t          owner;
    cwmp_arena_t         arena;
    tap_arena_t          kept;      /* of the result */
    cwmp_arena_t         keeps;
    cwmp_envelope_t     *e;
    cwmp_result_t        result;
    cwmp_rc_t            rc;
    cwmp_str_t           json;
    json_t              *value;     /* the same, read back */
} answer_t;


static size_t  count;               /* allocations of the result */
static size_t  fail_from;           /* 0: none fails */
static size_t  fail_to;


static void *
counted_alloc(void *data, size_t size)
{
    count++;

    if (fail_from && count >= fail_from && count <= fail_to) {
        return NULL;
    }

    return tap_alloc(data, size);
}


static cwmp_rc_t
on_row(void *data, const cwmp_row_t *row)
{
    answer_t  *a = data;

    return cwmp_result_row(&a->result, row);
}


static void
parse_bytes(answer_t *a, const char *text, size_t len)
{
    size_t  n;

    memset(a, 0, sizeof(*a));
    count = 0;

    a->arena.alloc = tap_alloc;
    a->arena.owner = &a->owner;
    a->keeps.alloc = counted_alloc;
    a->keeps.owner = &a->kept;

    cwmp_result_init(&a->result, &a->keeps);
    a->e = cwmp_envelope_create(&a->arena, &cwmp_default_limits, on_row, a);

    for (a->rc = CWMP_OK; len && a->rc == CWMP_OK; text += n, len -= n) {
        n = len < 1000 ? len : 1000;
        a->rc = cwmp_envelope_feed(a->e, (const unsigned char *) text, n);
    }

    if (a->rc == CWMP_OK) {
        a->rc = cwmp_envelope_end(a->e);
    }

    if (a->rc == CWMP_OK) {
        a->rc = cwmp_result_json(&a->result, a->e, &a->json);
    }

    if (a->rc == CWMP_OK) {
        a->value = json_loadb((char *) a->json.data, a->json.len,
                              JSON_REJECT_DUPLICATES, NULL);
    }
}


static void
parse(answer_t *a, const char *text)
{
    parse_bytes(a, text, strlen(text));
}


static void
end(answer_t *a)
{
    json_decref(a->value);
    cwmp_envelope_free(a->e);
    tap_free(&a->owner);
    tap_free(&a->kept);
}


static const struct {
    const char  *text;
    const char  *json;
    const char  *name;
} cases[] = {
    { MSG("GetRPCMethodsResponse", "<MethodList><string>Reboot</string>"
      "<string> X_\"1\" </string></MethodList>"),
      "{\"MethodList\":[\"Reboot\",\"X_\\\"1\\\"\"]}",
      "GetRPCMethodsResponse" },
    { MSG("GetRPCMethodsResponse", ""), "{\"MethodList\":[]}",
      "without a list" },
    { GPVR(ROW("A.B", "xsd:unsignedInt", "007") ROW("A.C", "xsd:string", "")),
      LIST(JROW("A.B", "007", "unsignedInt") "," JROW("A.C", "", "string")),
      "GetParameterValuesResponse: values verbatim, with their types" },
    { GPVR(""), "{\"ParameterList\":[]}", "RPC-08 an empty list" },
    { GPVR("<P/><Q><Other>A</Other></Q>"), LIST(""),
      "SOAP-07 what has nothing of a row is none" },
    { GPVR("<P><Value/></P>"), LIST(JROW("", "", "string")),
      "a row without a name" },
    { GPVR(ROW("A", "xsd:string", "a\"b\\c/&lt;&amp;")),
      LIST(JROW("A", "a\\\"b\\\\c/<&", "string")), "quotes, backslashes" },
    { GPVR(ROW("A", "xsd:string", "a\nb&#13;c\td\x7f.")),
      LIST(JROW("A", "a\\u000ab\\u000dc\\u0009d\\u007f.", "string")),
      "control characters" },
    { GPVR(ROW("A", "xsd:string", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80")),
      LIST(JROW("A", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "string")),
      "what is not ASCII" },
    { GPVR(ROW("A\"},{\"B", "xsd:string", "\"],\"x\":[\"")),
      LIST(JROW("A\\\"},{\\\"B", "\\\"],\\\"x\\\":[\\\"", "string")),
      "JSON in names and values" },
    { GPVR(ROW("A", "xsd:boolean", "true") ROW("B", "xsd:int", "-5")),
      LIST(JROW("A", "true", "boolean") "," JROW("B", "-5", "int")),
      "values are texts whatever their type" },
    { GPVR(ROW("A", "xsd:&quot;},{", "1") ROW("B", "&quot;", "2")
      ROW("C", "::", "3") ROW("D", "", "4") ROW("E", "a b c", "5")
      ROW("F", "xsd:unsignedIntunsignedIntunsignedIntunsignedIntunsignedInt",
      "6")),
      LIST(JROW("A", "1", "anySimpleType") "," JROW("B", "2", "anySimpleType")
      "," JROW("C", "3", "string") "," JROW("D", "4", "string") ","
      JROW("E", "5", "anySimpleType") "," JROW("F", "6", "anySimpleType")),
      "TYP-05 a type that is none is not taken for a text's" },
    { GPVR(ROW("A", "x:UINT", "1") ROW("B", "base64", "AA==")
      ROW("C", "xsd:datetime", "x") "<P><Name>D</Name><Value>1</Value></P>"),
      LIST(JROW("A", "1", "unsignedInt") "," JROW("B", "AA==", "base64Binary")
      "," JROW("C", "x", "dateTime") "," JROW("D", "1", "string")),
      "TYP-05 types by other names, or none" },
    { NAMES(INFO("D.", "0") INFO("D.A", "1") INFO("D.B", "True")
      INFO("D.C", "FALSE")),
      LIST("{\"Name\":\"D.\",\"Writable\":false},{\"Name\":\"D.A\","
      "\"Writable\":true},{\"Name\":\"D.B\",\"Writable\":true},"
      "{\"Name\":\"D.C\",\"Writable\":false}"),
      "RPC-09 GetParameterNamesResponse: objects, parameters" },
    { NAMES(INFO("A", "") INFO("B", "2") INFO("C", "no")),
      LIST("{\"Name\":\"A\",\"Writable\":false},{\"Name\":\"B\",\"Writable\":"
      "\"2\"},{\"Name\":\"C\",\"Writable\":false}"),
      "TOL-16 TOL-18 missing and words are booleans, a number is not" },
    { NAMES(INFO("A", "fnord") INFO("B", "10") INFO("C", "tru\"e")),
      LIST("{\"Name\":\"A\",\"Writable\":\"fnord\"},{\"Name\":\"B\","
      "\"Writable\":\"10\"},{\"Name\":\"C\",\"Writable\":\"tru\\\"e\"}"),
      "nor is what begins as one" },
    { STATUS("0"), "{\"Status\":0}", "SetParameterValuesResponse" },
    { STATUS(" 1\n"), "{\"Status\":1}", "RPC-04 Status 1" },
    { STATUS("-7"), "{\"Status\":-7}", "a Status below 0" },
    { MSG("SetParameterValuesResponse", ""), "{\"Status\":\"\"}",
      "no Status" },
    { STATUS("01"), "{\"Status\":\"01\"}", "01 is no number of JSON" },
    { STATUS("+1"), "{\"Status\":\"+1\"}", "nor is +1" },
    { STATUS("-"), "{\"Status\":\"-\"}", "nor is -" },
    { STATUS("-01"), "{\"Status\":\"-01\"}", "nor is -01" },
    { STATUS("1.0"), "{\"Status\":\"1.0\"}", "1.0 stays a text" },
    { STATUS("1e5"), "{\"Status\":\"1e5\"}", "1e5 stays a text" },
    { STATUS("0x1"), "{\"Status\":\"0x1\"}", "0x1 stays a text" },
    { STATUS("1 2"), "{\"Status\":\"1 2\"}", "1 2 stays a text" },
    { STATUS("1,\"x\":2"), "{\"Status\":\"1,\\\"x\\\":2\"}",
      "JSON in a number" },
    { STATUS("\xd9\xa1"), "{\"Status\":\"\xd9\xa1\"}",
      "another script's digit stays a text" },
    { STATUS("9223372036854775807"), "{\"Status\":9223372036854775807}",
      "64 bits" },
    { STATUS("9223372036854775808"), "{\"Status\":\"9223372036854775808\"}",
      "a number that JSON readers refuse stays a text" },
    { STATUS("99999999999999999999"), "{\"Status\":\"99999999999999999999\"}",
      "20 digits stay a text" },
    { STATUS("-9999999999999999999"), "{\"Status\":\"-9999999999999999999\"}",
      "19 digits below 0 stay a text" },
    { STATUS("123456789012345678901234567890"),
      "{\"Status\":\"123456789012345678901234567890\"}",
      "30 digits stay a text" },
    { MSG("AddObjectResponse", "<Status>0</Status><InstanceNumber>4294967295"
      "</InstanceNumber>"), "{\"InstanceNumber\":4294967295,\"Status\":0}",
      "PAR-03 AddObjectResponse" },
    { MSG("DeleteObjectResponse", "<Status>1</Status>"), "{\"Status\":1}",
      "DeleteObjectResponse" },
    { MSG("RebootResponse", ""), "{}", "RebootResponse" },
    { MSG("FactoryResetResponse", "<Status>0</Status>"), "{}",
      "FactoryResetResponse, with what is not in the schema" },
    { MSG("DownloadResponse", "<Status>1</Status><StartTime>"
      "0001-01-01T00:00:00Z</StartTime><CompleteTime/>"),
      "{\"Status\":1,\"StartTime\":\"0001-01-01T00:00:00Z\",\"CompleteTime\":"
      "\"\"}", "RPC-21 DownloadResponse, times verbatim" },
    { MSG("BogusResponse", "<a>1</a>"), "{}", "a response of no RPC" },
    { TC("<FaultCode>0</FaultCode><FaultString/>", "2025-03-01T08:00:00Z"),
      "{\"CommandKey\":\"k \\\"1\\\"\",\"FaultStruct\":{\"FaultCode\":0,"
      "\"FaultString\":\"\"},\"StartTime\":\"2025-03-01T08:00:00Z\","
      "\"CompleteTime\":\"0001-01-01T00:00:00Z\"}", "RPC-17 TransferComplete" },
    { TC("<FaultString>a\\b</FaultString><FaultCode>9017</FaultCode>", "soon"),
      "{\"CommandKey\":\"k \\\"1\\\"\",\"FaultStruct\":{\"FaultCode\":9017,"
      "\"FaultString\":\"a\\\\b\"},\"StartTime\":\"soon\","
      "\"CompleteTime\":\"0001-01-01T00:00:00Z\"}",
      "RPC-20 TransferComplete with a fault" },
    { MSG("TransferComplete", ""),
      "{\"CommandKey\":\"\",\"FaultStruct\":{\"FaultCode\":\"\","
      "\"FaultString\":\"\"},\"StartTime\":\"\",\"CompleteTime\":\"\","
      "\"reason\":\"FaultStruct has no FaultCode: taken as 9002\"}",
      "TransferComplete of nothing" },
    { MSG("GetParameterAttributesResponse", "<ParameterList><P><AccessList>"
      "<string>Subscriber</string><x> X_\"1\" </x><string/></AccessList><Name>"
      "A</Name><Notification>2</Notification></P><P><Name>B</Name>"
      "<Notification>0</Notification><AccessList/></P><P><Name>C</Name></P>"
      "</ParameterList>"),
      LIST("{\"Name\":\"A\",\"Notification\":2,\"AccessList\":[\"Subscriber\","
      "\"X_\\\"1\\\"\",\"\"]},{\"Name\":\"B\",\"Notification\":0,"
      "\"AccessList\":[]},{\"Name\":\"C\",\"Notification\":\"\",\"AccessList\""
      ":[]}"), "a list inside of a row" },
    { MSG("GetParameterAttributesResponse", "<ParameterList><P><AccessList>"
      "<string>a</string></AccessList><AccessList><string>b</string>"
      "</AccessList><Name>A</Name><Name>B</Name></P></ParameterList>"),
      LIST("{\"Name\":\"A\",\"Notification\":\"\",\"AccessList\":[\"a\"]}"),
      "two lists of one name: the first counts" },
    { MSG("AutonomousDUStateChangeComplete", "<Results><Fault><FaultString>x"
      "</FaultString><FaultCode>9022</FaultCode></Fault><OperationPerformed>"
      "Install</OperationPerformed><UUID>u</UUID><Resolved>1</Resolved>"
      "</Results><Results><UUID>v</UUID></Results>"),
      "{\"Results\":[{\"UUID\":\"u\",\"DeploymentUnitRef\":\"\",\"Version\":\"\","
      "\"CurrentState\":\"\",\"Resolved\":true,\"ExecutionUnitRefList\":\"\","
      "\"StartTime\":\"\",\"CompleteTime\":\"\",\"Fault\":{\"FaultCode\":9022,"
      "\"FaultString\":\"x\"},\"OperationPerformed\":\"Install\"},{\"UUID\":\"v\","
      "\"DeploymentUnitRef\":\"\",\"Version\":\"\",\"CurrentState\":\"\","
      "\"Resolved\":false,\"ExecutionUnitRefList\":\"\",\"StartTime\":\"\","
      "\"CompleteTime\":\"\",\"Fault\":{\"FaultCode\":\"\",\"FaultString\":\"\"},"
      "\"OperationPerformed\":\"\"}]}",
      "RPC-30 a struct inside of a row, repeated rows" },
    { MSG("GetOptionsResponse", "<OptionList><O><OptionName>a</OptionName>"
      "<VoucherSN>7</VoucherSN><State>3</State><Mode>1</Mode><StartDate>s"
      "</StartDate><IsTransferable>0</IsTransferable></O><O><ExpirationDate>e"
      "</ExpirationDate></O></OptionList>"),
      "{\"OptionList\":[{\"OptionName\":\"a\",\"VoucherSN\":7,\"State\":3,"
      "\"Mode\":1,\"StartDate\":\"s\",\"IsTransferable\":false},{\"OptionName\":"
      "\"\",\"VoucherSN\":\"\",\"State\":\"\",\"Mode\":\"\",\"StartDate\":\"\","
      "\"ExpirationDate\":\"e\",\"IsTransferable\":false}]}",
      "what is optional is there when it was sent" },
    { FAULT("<FaultCode>9899</FaultCode><FaultString>\"no\"\\</FaultString>"),
      "{\"FaultCode\":9899,\"FaultString\":\"\\\"no\\\"\\\\\"}",
      "FLT-02 a fault's code and text verbatim" },
    { FAULT("<FaultCode>9010</FaultCode><FaultString>a@b: http://u:p@h/x, then "
      "ftp://v:q@i,http://w@j</FaultString>"),
      "{\"FaultCode\":9010,\"FaultString\":\"a@b: http://(hidden)@h/x, then "
      "ftp://(hidden)@i,http://(hidden)@j\"}",
      "... without the users of its URLs" },
    { FAULT("<FaultCode>9003</FaultCode><FaultString>bad</FaultString>"
      "<SetParameterValuesFault><ParameterName>A</ParameterName><FaultCode>"
      "9007</FaultCode><FaultString>v</FaultString></SetParameterValuesFault>"
      "<SetParameterValuesFault><FaultCode>x</FaultCode><ParameterName>B"
      "</ParameterName></SetParameterValuesFault>"),
      "{\"FaultCode\":9003,\"FaultString\":\"bad\",\"SetParameterValuesFault\":"
      "[{\"ParameterName\":\"A\",\"FaultCode\":9007,\"FaultString\":\"v\"},"
      "{\"ParameterName\":\"B\",\"FaultCode\":\"x\",\"FaultString\":\"\"}]}",
      "RPC-05 a fault for each parameter" },
    { HEAD "<s:Fault><faultstring>o&quot;ops</faultstring></s:Fault>" TAIL,
      "{\"FaultCode\":9002,\"FaultString\":\"o\\\"ops\"}",
      "FLT-03 a fault without detail is 9002" },
    { HEAD "<s:Fault/>" TAIL, "{\"FaultCode\":9002,\"FaultString\":\"\"}",
      "FLT-03 a fault of nothing" },
    { HEAD TAIL, "{}", "an empty body" }
};


static void
test_cases(void)
{
    size_t    i;
    answer_t  a;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        parse(&a, cases[i].text);

        if (a.rc != CWMP_OK) {
            ok(0, "%s: rc %d: %s", cases[i].name, a.rc,
               cwmp_envelope_reason(a.e));

        } else {
            is_mem(a.json.data, a.json.len, cases[i].json, cases[i].name);
            ok(json_is_object(a.value), "%s: is JSON", cases[i].name);
        }

        end(&a);
    }
}


/* an answer of n rows, each with a value of size bytes of ch */

static char *
rows_of(const char *before, const char *open, const char *close,
    const char *after, size_t n, size_t size, char ch)
{
    char    *text, *p;
    size_t   i;

    text = malloc(strlen(before) + strlen(after)
                  + n * (strlen(open) + size + strlen(close) + 20) + 1);
    p = text + sprintf(text, "%s", before);

    for (i = 0; i < n; i++) {
        p += sprintf(p, open, i);
        memset(p, ch, size);
        p += size;
        p += sprintf(p, "%s", close);
    }

    sprintf(p, "%s", after);

    return text;
}


#define values(n, size, ch)                                                   \
    rows_of(HEAD "<cwmp:GetParameterValuesResponse><ParameterList>",          \
            "<P><Name>A.%06zu</Name><Value>", "</Value></P>",                 \
            "</ParameterList></cwmp:GetParameterValuesResponse>" TAIL,        \
            n, size, ch)


static void
test_size(const char *name, char *text, const char *list, size_t n,
    int truncated)
{
    size_t        i, len, kept;
    json_t       *rows, *row, *v;
    answer_t      a;
    const char   *s;
    char          want[32];

    parse(&a, text);
    free(text);

    rows = json_object_get(a.value, list);
    kept = json_array_size(rows);

    if (!ok(a.rc == CWMP_OK && json_is_array(rows), "%s: is JSON", name)) {
        end(&a);
        return;
    }

    diag("%zu rows of %zu in %zu bytes", kept, n, a.json.len);

    ok(a.kept.used < 1 << 20, "%s: less than 1 MB for it", name);
    diag("%zu", a.kept.used);

    ok(a.json.len <= CWMP_RESULT_MAX + 512, "%s: at most 64 KB are kept",
       name);

    if (truncated) {
        ok(kept < n, "%s: not all rows are kept", name);
        is_num(json_integer_value(json_object_get(a.value, "count")), n,
               "count says how many there were");
        ok(json_is_true(json_object_get(a.value, "truncated")),
           "truncated says so");

    } else {
        ok(kept == n, "%s: all rows are kept", name);
        ok(json_object_get(a.value, "count") == NULL
           && json_object_get(a.value, "truncated") == NULL,
           "neither count nor truncated");
    }

    for (i = 0; i < kept; i++) {
        v = json_array_get(rows, i);

        if (json_is_object(v)) {
            row = json_object_get(v, "Name");
            v = row ? row : json_object_get(v, "ParameterName");
        }

        s = json_string_value(v);
        len = (size_t) sprintf(want, "A.%06zu", i);

        if (s == NULL || strncmp(s, want, len) != 0) {
            break;
        }
    }

    ok(i == kept, "%s: it is the beginning", name);
    end(&a);
}


static void
test_sizes(void)
{
    char      *text;
    answer_t   a;

    test_size("1,000 short values", values(1000, 10, 'v'), "ParameterList",
              1000, 0);
    test_size("20,000 short values", values(20000, 10, 'v'), "ParameterList",
              20000, 1);
    test_size("60 values of 1,000 bytes", values(60, 1000, 'v'),
              "ParameterList", 60, 0);
    test_size("3 values of 30,000 bytes", values(3, 30000, 'v'),
              "ParameterList", 3, 1);
    test_size("a value of 200,000 bytes", values(1, 200000, 'v'),
              "ParameterList", 1, 1);
    test_size("a value of 60,000 quotes", values(1, 60000, '"'),
              "ParameterList", 1, 1);
    test_size("a value of 250,000 characters that JSON escapes",
              values(1, 250000, 0x7f), "ParameterList", 1, 1);
    test_size("20,000 methods",
              rows_of(HEAD "<cwmp:GetRPCMethodsResponse><MethodList>",
                      "<string>A.%06zu_", "</string>", "</MethodList>"
                      "</cwmp:GetRPCMethodsResponse>" TAIL, 20000, 4, 'm'),
              "MethodList", 20000, 1);
    test_size("2,000 faults of parameters",
              rows_of(HEAD "<s:Fault><detail><cwmp:Fault><FaultCode>9003"
                      "</FaultCode>", "<SetParameterValuesFault><ParameterName>"
                      "A.%06zu</ParameterName><FaultString>", "</FaultString>"
                      "</SetParameterValuesFault>", "</cwmp:Fault></detail>"
                      "</s:Fault>" TAIL, 2000, 50, 'f'),
              "SetParameterValuesFault", 2000, 1);

    /* what comes after a row that was left out is left out, too */

    text = rows_of(HEAD "<cwmp:GetRPCMethodsResponse><MethodList><string>A"
                   "</string>", "<string>%zu", "</string>", "<string>B"
                   "</string></MethodList></cwmp:GetRPCMethodsResponse>" TAIL,
                   1, 100000, 'x');
    parse(&a, text);
    ok(a.json.len < 100 && json_integer_value(json_object_get(a.value, "count"))
                           == 3,
       "a short row, a row of 100,000 bytes, a short row: a beginning of one");
    diag("%.*s", a.json.len < 100 ? (int) a.json.len : 100, a.json.data);
    end(&a);
    free(text);

    /* a second list of the same name goes on with the first */

    parse(&a, MSG("GetParameterValuesResponse", "<ParameterList>"
          ROW("A", "xsd:int", "1") "</ParameterList><ParameterList>"
          ROW("B", "xsd:int", "2") "</ParameterList>"));
    ok(a.rc == CWMP_OK && json_is_object(a.value),
       "two lists of one name are JSON");
    end(&a);
}


/* in a process of its own: a crash is one failure */

static void
test_memory(const char *name, const char *text, int forever)
{
    int        status;
    pid_t      pid;
    size_t     most, *at;
    answer_t   a;

    parse(&a, text);
    most = count;
    end(&a);

    at = mmap(NULL, sizeof(*at), PROT_READ|PROT_WRITE,
              MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    fflush(stdout);
    pid = fork();

    if (pid == 0) {
        a.rc = CWMP_ERROR;

        for (*at = 1; *at <= most && a.rc == CWMP_ERROR; ++*at) {
            fail_from = *at;
            fail_to = forever ? (size_t) -1 : *at;
            parse(&a, text);
            end(&a);
        }

        exit(a.rc != CWMP_ERROR);
    }

    status = -1;
    waitpid(pid, &status, 0);

    if (!ok(status == 0 && most, "%s without memory%s: ERROR", name,
            forever ? "" : ", once"))
    {
        diag("allocation %zu of %zu, status %d", *at, most, status);
    }

    munmap(at, sizeof(*at));
}


static void
test_memories(void)
{
    int    forever;
    char  *text;

    text = values(2000, 30, '"');

    for (forever = 0; forever < 2; forever++) {
        test_memory("a long response", text, forever);
        test_memory("an empty response", MSG("RebootResponse", ""), forever);
        test_memory("a response", STATUS("0"), forever);
        test_memory("an empty list", GPVR(""), forever);
        test_memory("a TransferComplete", TC("<FaultCode>0</FaultCode>", ""),
                    forever);
        test_memory("a fault", cases[sizeof(cases) / sizeof(cases[0]) - 4].text,
                    forever);
        test_memory("a fault of nothing", HEAD "<s:Fault/>" TAIL, forever);
    }

    free(text);
}


int
main(void)
{
    xmlInitParser();

    test_cases();
    test_sizes();
    test_memories();

    xmlCleanupParser();

    return done();
}
