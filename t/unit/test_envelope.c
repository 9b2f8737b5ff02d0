
/*
 * Envelopes in: what CPEs send, whole and in pieces (what attackers send is
 * test_hostile.c's).  Every message of CWMP_SHARED (examples/ and
 * corpus) must give the same facts however it is cut.
 */

#include <dirent.h>

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


typedef struct {
    tap_arena_t          owner;
    cwmp_arena_t         arena;
    cwmp_envelope_t     *e;
    const cwmp_facts_t  *facts;
    cwmp_rc_t            rc;
    char                *rows;      /* "Name=value:type\n", all of them */
    size_t               len;
    size_t               room;
    size_t               nrows;
    size_t               stop;      /* at this row */
} parse_t;


static cwmp_rc_t
on_row(void *data, const cwmp_row_t *row)
{
    size_t    i, need;
    parse_t  *t = data;

    t->nrows++;

    if (t->stop && t->nrows == t->stop) {
        return cwmp_envelope_refuse(t->e, "row %zu of %s is too much",
                                    t->nrows, row->arg->name);
    }

    need = 64 + row->type.len;

    for (i = 0; i < CWMP_MAX_FIELDS; i++) {
        need += row->cells[i].len + 1;
    }

    if (t->len + need > t->room) {
        t->room = 2 * (t->len + need);
        t->rows = realloc(t->rows, t->room);
    }

    t->len += sprintf(t->rows + t->len, "%.20s", row->arg->name);

    for (i = 0; i < 3; i++) {
        t->rows[t->len++] = '|';
        memcpy(t->rows + t->len, row->cells[i].data, row->cells[i].len);
        t->len += row->cells[i].len;
    }

    t->rows[t->len++] = ':';
    memcpy(t->rows + t->len, row->type.data, row->type.len);
    t->len += row->type.len;
    t->rows[t->len++] = '\n';
    t->rows[t->len] = '\0';

    return CWMP_OK;
}


static void
begin(parse_t *t)
{
    memset(t, 0, sizeof(*t));

    t->arena.alloc = tap_alloc;
    t->arena.owner = &t->owner;
    t->e = cwmp_envelope_create(&t->arena, &cwmp_default_limits, on_row, t);
}


static void
feed(parse_t *t, const char *p, size_t n, size_t piece)
{
    size_t          take;
    unsigned char  *copy;

    while (n) {
        take = (piece && piece < n) ? piece : n;

        /* a copy that is gone after the call: nothing of it may be kept */

        copy = malloc(take);
        memcpy(copy, p, take);
        t->rc = cwmp_envelope_feed(t->e, copy, take);
        free(copy);

        p += take;
        n -= take;
    }

    t->rc = cwmp_envelope_end(t->e);
    t->facts = cwmp_envelope_facts(t->e);
}


static void
end(parse_t *t)
{
    cwmp_envelope_free(t->e);
    tap_free(&t->owner);
    free(t->rows);
}


static void
parse(parse_t *t, const char *text)
{
    begin(t);
    feed(t, text, strlen(text), 0);

    if (t->rc == CWMP_REFUSED) {
        diag("%s", cwmp_envelope_reason(t->e));
    }
}


static void
value(parse_t *t, const char *path, const char *want, const char *name)
{
    const cwmp_str_t  *s;

    s = cwmp_envelope_value(t->e, path);
    is_mem(s->data, s->len, want, name);
}


/* a text of everything that was read, to compare */

static char *
digest(parse_t *t)
{
    char              *p;
    size_t             i, n;
    const cwmp_str_t  *s;

    static const char  *paths[] = {
        "DeviceId.Manufacturer", "DeviceId.OUI", "DeviceId.ProductClass",
        "DeviceId.SerialNumber", "MaxEnvelopes", "CurrentTime", "RetryCount",
        "CommandKey", "FaultStruct.FaultCode", "FaultStruct.FaultString",
        "StartTime", "CompleteTime", "Status", "InstanceNumber", "FaultCode",
        "FaultString"
    };

    p = malloc(t->len + 65536);

    n = sprintf(p, "%d %d %s %.*s %.*s %d %d %d %u %.*s %u %zu\n", t->rc,
                t->facts->kind, t->facts->rpc ? t->facts->rpc->name : "-",
                (int) t->facts->method.len, t->facts->method.data,
                (int) t->facts->id.len, t->facts->id.data, t->facts->has_id,
                t->facts->has_ns, t->facts->ns, t->facts->fault_code,
                (int) t->facts->fault_text.len, t->facts->fault_text.data,
                t->facts->session_timeout, t->facts->rows);

    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        s = cwmp_envelope_value(t->e, paths[i]);
        n += sprintf(p + n, "%.*s\n", (int) s->len, s->data);
    }

    if (t->len) {
        memcpy(p + n, t->rows, t->len);
    }

    p[n + t->len] = '\0';

    return p;
}


/* however large: what is above the last unsignedInt counts as that */

static void
test_timeouts(void)
{
    char     text[512];
    size_t   i;
    parse_t  t;

    static const struct {
        const char  *text;
        unsigned     seconds;
    } timeouts[] = {
        { "0", 0 }, { "120", 120 }, { "1000000010", 1000000010 },
        { "2000000000", 2000000000 }, { "2147483647", 2147483647 },
        { "4294967295", 4294967295U }, { "4294967296", 4294967295U },
        { "99999999999999999999999999", 4294967295U },
        { "", 0 }, { "-1", 0 }, { "30 s", 0 },
        { "99999999999999999999999999x", 0 }
    };

    for (i = 0; i < sizeof(timeouts) / sizeof(timeouts[0]); i++) {
        snprintf(text, sizeof(text), ENV "<s:Header><cwmp:SessionTimeout>%s"
                 "</cwmp:SessionTimeout></s:Header><s:Body><cwmp:Inform/>"
                 TAIL, timeouts[i].text);
        parse(&t, text);

        if (!ok(t.facts->session_timeout == timeouts[i].seconds,
                "VER-05 SessionTimeout \"%s\"", timeouts[i].text))
        {
            diag("got %u", t.facts->session_timeout);
        }

        end(&t);
    }
}


static void
test_inform(void)
{
    parse_t  t;

    parse(&t, "\xef\xbb\xbf \r\n" "<?xml version='1.0'?>" ENV
          "<s:Header><cwmp:ID> a&amp;b </cwmp:ID><cwmp:SessionTimeout> 120 "
          "</cwmp:SessionTimeout><x:Other>1</x:Other></s:Header><s:Body>"
          "<cwmp:Inform><DeviceId><Manufacturer>Acme</Manufacturer><OUI>\n "
          "00D09E </OUI><ProductClass/><SerialNumber><![CDATA[AB-1]]>2"
          "</SerialNumber></DeviceId><Event><EventStruct><EventCode>1 BOOT"
          "</EventCode></EventStruct></Event><!-- c --><?pi x?><Unknown><Deep/>"
          "</Unknown><RetryCount> 7 </RetryCount><ParameterList "
          "soap-enc:arrayType=\"x[9]\"><Wrong><cwmp:Name> A.B </cwmp:Name>"
          "<Value xsi:type=\"xsd:int\">5</Value></Wrong><P><Name>C</Name></P>"
          "</ParameterList></cwmp:Inform><second/>" TAIL "\n\0\0 junk");
    is_num(t.rc, CWMP_OK, "SOAP-07 an Inform with unknown things in it");
    is_num(t.facts->kind, CWMP_REQUEST, "is a request");
    is_mem(t.facts->id.data, t.facts->id.len, " a&b ", "SOAP-01 ID verbatim");
    is_num(t.facts->session_timeout, 120, "VER-05 SessionTimeout");
    is_num(t.facts->ns, CWMP_NS_1_2, "VER-01 namespace");
    value(&t, "DeviceId.OUI", "00D09E", "D17 OUI trimmed");
    value(&t, "DeviceId.ProductClass", "", "empty ProductClass");
    value(&t, "DeviceId.SerialNumber", "AB-12", "CDATA joins text");
    value(&t, "RetryCount", "7", "EVT-05 number trimmed");
    value(&t, "CurrentTime", "", "not sent: empty");
    value(&t, "DeviceId.Nothing", "", "no such argument: empty");
    value(&t, "Event", "", "an array has no text");
    is_num(t.facts->rows, 3, "three rows");
    is_str(t.rows, "Event|1 BOOT||:string\nParameterList|A.B|5|:int\n"
           "ParameterList|C||:string\n",
           "SOAP-10 D12 D16 rows of any item name, missing cells, no prefix");
    end(&t);
}


static void
test_values(void)
{
    parse_t  t;

    parse(&t, GPVR "<P><Name>A</Name><Value> a </Value></P><P><Name>B</Name>"
          "<Value>\n  b c\n </Value></P><P><Name>C</Name><Value type='long'> "
          "</Value></P>" GPVE);
    is_num(t.facts->kind, CWMP_RESPONSE, "a response");
    is_str(t.facts->rpc->name, "GetParameterValues", "of its RPC");
    is_str(t.rows, "ParameterList|A| a |:string\nParameterList|B|b c|:string\n"
           "ParameterList|C||:long\n", "TYP-06 blanks kept, indent not");
    end(&t);

    parse(&t, GPVR "<P><Name>A\n</Name><Value>51.9\n</Value></P><P><Name>B"
          "</Name><Value type='x:String'> a\n\n</Value></P><P><Name>C</Name>"
          "<Value type='x:int'>5\n</Value></P><P><Name>D</Name><Value>d\n  "
          "</Value></P><P><Name>E</Name><Value>\ne\n</Value></P><P><Name>F"
          "</Name><Value>\n</Value></P>" GPVE);
    is_str(t.rows, "ParameterList|A|51.9\n|:string\nParameterList|B| a\n\n|"
           ":String\nParameterList|C|5|:int\nParameterList|D|d|:string\n"
           "ParameterList|E|e|:string\nParameterList|F||:string\n",
           "TYP-06 a last line break is a string's own");
    end(&t);

    parse(&t, "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>" GPVR
          "<P><Name>A</Name><Value>\xe9</Value></P>" GPVE);
    is_str(t.rows, "ParameterList|A|\xc3\xa9|:string\n",
           "D14 declared Latin-1");
    end(&t);

    parse(&t, HEAD "<cwmp:GetRPCMethodsResponse><MethodList><string> A "
          "</string><string/></MethodList></cwmp:GetRPCMethodsResponse>"
          TAIL);
    is_str(t.rows, "MethodList|A||:string\nMethodList|||:string"
           "\n", "strings are rows of one cell");
    end(&t);
}


static void
test_faults(void)
{
    parse_t  t;

    parse(&t, HEAD "<s:Fault><faultcode>Client</faultcode><faultstring>CWMP "
          "fault</faultstring><detail><cwmp:Fault><FaultCode>9899</FaultCode>"
          "<FaultString>bad</FaultString><SetParameterValuesFault>"
          "<ParameterName>A</ParameterName><FaultCode>9007</FaultCode>"
          "<FaultString>no</FaultString></SetParameterValuesFault>"
          "</cwmp:Fault></detail></s:Fault>" TAIL);
    is_num(t.facts->kind, CWMP_FAULT, "a fault");
    is_num(t.facts->fault_code, 9899, "FLT-02 code verbatim");
    is_mem(t.facts->fault_text.data, t.facts->fault_text.len, "bad", "text");
    is_str(t.rows, "SetParameterValuesFa|A|9007|no:string\n", "RPC-05 rows");
    end(&t);

    parse(&t, HEAD "<s:Fault><faultcode>9</faultcode><faultstring>oops"
          "</faultstring></s:Fault>" TAIL);
    is_num(t.facts->fault_code, 9002, "FLT-03 D29 no detail: 9002");
    is_mem(t.facts->fault_text.data, t.facts->fault_text.len, "oops",
           "with faultstring");
    end(&t);

    parse(&t, HEAD "<s:Fault><detail><cwmp:Fault><FaultCode>99999999999"
          "</FaultCode><FaultString>no</FaultString></cwmp:Fault></detail>"
          "</s:Fault>" TAIL);
    is_num(t.facts->fault_code, 9002, "FLT-03 a code that no number holds");
    end(&t);
}


static void
test_namespaces(void)
{
    parse_t  t;

    parse(&t, "<Envelope><Header><ID> \n</ID></Header><Body><Bogus a:b='1'>"
          "<x>1</x></Bogus></Body></Envelope>");
    is_num(t.rc, CWMP_OK, "SOAP-08 unknown method, no namespace at all");
    ok(t.facts->rpc == NULL && t.facts->kind == CWMP_REQUEST, "no row");
    ok(t.facts->has_id && t.facts->id.len == 0, "SOAP-02 D8 blank ID is empty");
    ok(!t.facts->has_ns && t.facts->ns == CWMP_NS_1_0, "D34 default 1-0");
    end(&t);

    parse(&t, "<Envelope xmlns:a=' urn:dslforum-org:cwmp-1-4 '><Body>"
          "<FooResponse xmlns='urn:dslforum-org:cwmp-1-1'/></Body>"
          "</Envelope>");
    is_num(t.facts->kind, CWMP_RESPONSE, "a response of no row");
    is_num(t.facts->ns, CWMP_NS_1_1, "SOAP-10 default namespace");
    ok(!t.facts->has_id, "SOAP-02 no ID");
    end(&t);

    parse(&t, "<Envelope xmlns:a=' urn:dslforum-org:cwmp-1-4 '><Body>"
          "<b:Inform/></Body></Envelope>");
    ok(t.facts->has_ns && t.facts->ns == CWMP_NS_1_4,
       "VER-08 D34 Envelope's declaration, blanks around");
    end(&t);
}


static void
test_empty(void)
{
    size_t   i;
    parse_t  t;

    static const struct {
        const char  *text;
        size_t       len;
    } cases[] = {
        { "", 0 }, { "  \r\n", 4 }, { "\0\0\0\0\0", 5 }, { "\xef\xbb\xbf", 3 },
        { HEAD TAIL, sizeof(HEAD TAIL) - 1 },
        { "<Envelope><Body/></Envelope>\0", 29 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin(&t);
        feed(&t, cases[i].text, cases[i].len, 1);
        ok(t.rc == CWMP_OK && t.facts->kind == CWMP_EMPTY, "D3 empty %d",
           (int) i);
        end(&t);
    }
}


static void
test_refused(void)
{
    size_t         i;
    cwmp_rc_t      rc;
    parse_t        t;
    cwmp_limits_t  limits = { 2000, 64, 8 };

    static const struct {
        const char  *text;
        const char  *reason;
    } cases[] = {
        { "POST / HT\x01", "body is not XML: starts with 'POST / HT\\x01'" },
        { "\xff\xfe<\0", "body is not in an 8-bit encoding: send UTF-8" },
        { "\xfe\xff\0<", "body is not in an 8-bit encoding: send UTF-8" },
        { "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><x>&a;</x>",
          "DOCTYPE is not allowed" },
        { "<?xml version='1.0'?><!-- --><!DOCTYPE lol>",
          "DOCTYPE is not allowed" },
        { HEAD "<!DOCTYPE x>" TAIL,
          "DOCTYPE is not allowed, inside Body" },
        { "<html><body/></html>", "root element is 'html', not Envelope" },
        { "<Envelope><Header/></Envelope>", "Envelope has no Body" },
        { HEAD "<cwmp:Inform><DeviceId>",
          "envelope ends early, inside Body > Inform > DeviceId" },
        { "<", "envelope ends early" },
        { HEAD "<cwmp:Inform><a></b></cwmp:Inform>" TAIL,
          "not well-formed XML at line 1: " },
        { HEAD "<x>a <b> c</x>" TAIL, "not well-formed XML at line 1: " }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin(&t);
        feed(&t, cases[i].text, strlen(cases[i].text), 0);

        if (!ok(t.rc == CWMP_REFUSED
                && strncmp(cwmp_envelope_reason(t.e), cases[i].reason,
                           strlen(cases[i].reason)) == 0,
                "SOAP-11 SOAP-12 %.60s", cases[i].reason))
        {
            diag("rc %d: %s", t.rc, cwmp_envelope_reason(t.e));
        }

        rc = cwmp_envelope_feed(t.e, (const unsigned char *) "<a>", 3);
        ok(rc == CWMP_REFUSED && cwmp_envelope_end(t.e) == CWMP_REFUSED
           && strlen(cwmp_envelope_reason(t.e)) <= 200,
           "and the first error stands");
        end(&t);
    }

    begin(&t);
    t.e = cwmp_envelope_create(&t.arena, &limits, on_row, &t);
    feed(&t, GPVR "<P/><P/><P><Value>"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "</Value></P>" GPVE, sizeof(GPVR GPVE) + 18 + 69 + 11, 0);
    is_str(cwmp_envelope_reason(t.e),
           "element text over 64 bytes in ParameterList[3].Value",
           "a long text is refused with its place");
    end(&t);

    begin(&t);
    t.e = cwmp_envelope_create(&t.arena, &limits, on_row, &t);
    feed(&t, "<Envelope><a><a><a><a><a><a><a><a><a>", 37, 0);
    is_str(cwmp_envelope_reason(t.e), "elements nested deeper than 8",
           "depth is bounded");
    end(&t);

    begin(&t);
    t.e = cwmp_envelope_create(&t.arena, &limits, on_row, &t);
    for (i = 0; i < 101; i++) {
        cwmp_envelope_feed(t.e, (const unsigned char *)
                           "                    ", 20);
    }
    is_str(cwmp_envelope_reason(t.e), "envelope over 2000 bytes",
           "size is bounded");
    end(&t);

    begin(&t);
    t.stop = 2;
    feed(&t, GPVR "<P><Name/></P><P/><P><Name/></P>" GPVE,
         sizeof(GPVR GPVE) - 1 + 32, 0);
    ok(t.rc == CWMP_REFUSED && t.nrows == 2, "a row can be refused");
    is_str(cwmp_envelope_reason(t.e), "row 2 of ParameterList is too much",
           "with its reason");
    end(&t);
}


/* every allocation fails once */

static void
test_memory(void)
{
    int      good;
    size_t   limit, text;
    parse_t  t;

    static const char  message[] = GPVR
        "<P><Name>Device.A</Name><Value>1</Value></P>" GPVE;

    begin(&t);
    feed(&t, message, sizeof(message) - 1, 0);
    text = t.owner.used;
    end(&t);

    good = 1;

    for (limit = 1; limit < text; limit++) {
        memset(&t, 0, sizeof(t));
        t.owner.limit = limit;
        t.arena.alloc = tap_alloc;
        t.arena.owner = &t.owner;
        t.e = cwmp_envelope_create(&t.arena, &cwmp_default_limits, on_row,
                                   &t);
        if (t.e == NULL) {
            continue;
        }

        feed(&t, message, sizeof(message) - 1, 0);
        good &= (t.rc == CWMP_ERROR);
        end(&t);
    }

    ok(good, "out of memory anywhere is CWMP_ERROR");
}


static void
test_files(const char *shared, const char *dir)
{
    int             i, same, refused, count;
    char            path[1024], *text, *whole, *other;
    DIR            *d;
    size_t          n;
    parse_t         t;
    struct dirent  *entry;

    static const size_t  pieces[] = { 1, 7, 1000 };

    snprintf(path, sizeof(path), "%s/%s", shared, dir);

    d = opendir(path);
    if (d == NULL) {
        ok(0, "%s can be read", path);
        return;
    }

    same = 1;
    refused = 0;
    count = 0;

    while ((entry = readdir(d)) != NULL) {
        n = strlen(entry->d_name);

        if (n < 4 || strcmp(entry->d_name + n - 4, ".xml") != 0) {
            continue;
        }

        snprintf(path, sizeof(path), "%s/%s/%s", shared, dir, entry->d_name);
        text = tap_read(path, &n);
        count++;

        begin(&t);
        feed(&t, text, n, 0);
        whole = digest(&t);

        if (t.rc != CWMP_OK) {
            refused++;
            diag("%s: %s", entry->d_name, cwmp_envelope_reason(t.e));

        } else if (t.facts->rpc == NULL && t.facts->kind != CWMP_FAULT) {
            diag("%s: no row for %.*s", entry->d_name,
                 (int) t.facts->method.len, t.facts->method.data);
        }

        end(&t);

        for (i = 0; i < 3; i++) {
            begin(&t);
            feed(&t, text, n, pieces[i]);
            other = digest(&t);

            if (strcmp(whole, other) != 0) {
                same = 0;
                diag("%s: differs in pieces of %zu", entry->d_name,
                     pieces[i]);
            }

            free(other);
            end(&t);
        }

        free(whole);
        free(text);
    }

    closedir(d);

    ok(count > 50, "%s: %d messages", dir, count);
    ok(same, "HTTP-05 %s: the same however they are cut", dir);
    is_num(refused, strcmp(dir, "corpus") == 0 ? 0 : 2,
           "refused: what is no envelope");
}


int
main(void)
{
    const char  *shared;

    setvbuf(stdout, NULL, _IOLBF, 0);
    xmlInitParser();

    test_timeouts();
    test_inform();
    test_values();
    test_faults();
    test_namespaces();
    test_empty();
    test_refused();
    test_memory();

    shared = getenv("CWMP_SHARED");

    if (shared) {
        test_files(shared, "cwmp/examples");
        test_files(shared, "corpus");

    } else {
        ok(1, "messages of real devices # SKIP no CWMP_SHARED");
    }

    xmlCleanupParser();

    return done();
}
