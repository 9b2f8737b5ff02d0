
/*
 * From an admin's JSON to the RPC that is sent: each RPC, each phase of the
 * state table, each bound, each refusal with its field and its reason.  What
 * comes out is compared as the envelope's body, as "field: reason", as "done"
 * or as "ERROR".  "test_task --tables" prints the tables that redis/lua
 * has too, for t/tables.t.
 */

#include <jansson.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cwmp_task.h"
#include "cwmp_value.h"
#include "task_cases.h"
#include "task_cases_further.h"
#include "tap.h"


/* what the device reported, in all cases */

#define K(n, l, v)  { cwmp_string(n), l, cwmp_string(v) }

static cwmp_known_t  known[] = {
    K("S", 's', "text"), K("B", 'b', "true"), K("I", 'i', "-5"),
    K("U", 'u', "007"), K("L", 'l', "-9"), K("UL", 'U', "9"),
    K("D", 'd', "1.50"), K("T", 't', "2025-03-01T02:00:00+05:30"),
    K("B64", 'B', "AAEC"), K("H", 'h', "0a"), K("Odd", 'a', "1"),
    K("Empty", 's', ""), K("BadU", 'u', "many"),
    K("N.1.", '\0', ""), K("N.2", '\0', "")    /* asked for in phase names */
};


static const cwmp_credentials_t  *credentials;

static size_t          count;       /* allocations since the start */
static size_t          fail_from;   /* 0: none fails */
static size_t          fail_to;

static unsigned char   sheet[262144];
static char            answer[sizeof(sheet)];
static tap_arena_t     owner;


static void *
counted_alloc(void *data, size_t size)
{
    count++;

    if (fail_from && count >= fail_from && count <= fail_to) {
        return NULL;
    }

    return tap_alloc(data, size);
}


static void *
json_alloc(size_t size)
{
    count++;

    return (fail_from && count >= fail_from && count <= fail_to)
           ? NULL : malloc(size);
}


static cwmp_rc_t
no_more(cwmp_out_t *out)
{
    (void) out;

    return CWMP_ERROR;
}


/* a copy of its exact size, for the sanitizer to look at */

static cwmp_str_t
exact(const char *p, size_t len)
{
    cwmp_str_t  s;

    s.len = len;
    s.data = malloc(len ? len : 1);
    memcpy(s.data, p, len);

    return s;
}


static void
write_body(const cwmp_task_rpc_t *rpc)
{
    char        *body, *end;
    cwmp_out_t   out;
    cwmp_str_t   id = cwmp_string("1");

    memset(&out, 0, sizeof(out));
    out.pos = sheet;
    out.end = sheet + sizeof(sheet) - 1;
    out.more = no_more;

    if (cwmp_write_request(&out, CWMP_NS_1_0, &id, rpc->rpc, rpc->args)
        != CWMP_OK)
    {
        strcpy(answer, "written too much");
        return;
    }

    *out.pos = '\0';
    body = strstr((char *) sheet, "<soap-env:Body>") + 15;
    end = strstr(body, "</soap-env:Body>");
    sprintf(answer, "%.*s", (int) (end - body), body);
}


static cwmp_rc_t
run_bytes(const char *phase, const char *json, size_t len)
{
    cwmp_rc_t        rc;
    cwmp_order_t     order;
    cwmp_arena_t     arena = { counted_alloc, &owner };
    cwmp_task_rpc_t  rpc;

    memset(&order, 0, sizeof(order));
    order.phase = exact(phase, strlen(phase));
    order.json = exact(json, len);
    order.key = exact("key-1", 5);
    order.instance = exact("17", 2);
    order.known = known;
    order.nknown = sizeof(known) / sizeof(known[0]);
    order.credentials = credentials;

    rc = cwmp_task_rpc(&arena, &order, &rpc);

    /* of the order only the key may be needed still */

    free(order.json.data);
    free(order.phase.data);
    free(order.instance.data);

    if (rc == CWMP_REFUSED) {
        snprintf(answer, sizeof(answer), "%.*s: %s", (int) rpc.field.len,
                 rpc.field.data, rpc.reason ? rpc.reason : "(null)");

    } else if (rc != CWMP_OK) {
        strcpy(answer, "ERROR");

    } else if (rpc.done) {
        strcpy(answer, "done");

    } else if (rpc.credentials) {
        strcpy(answer, "credentials");

    } else if (rpc.split.len) {
        snprintf(answer, sizeof(answer), "split %.*s", (int) rpc.split.len,
                 rpc.split.data);

    } else {
        write_body(&rpc);
    }

    free(order.key.data);
    tap_free(&owner);

    return rc;
}


static void
run(const char *phase, const char *json)
{
    run_bytes(phase, json, strlen(json));
}


static void
check(const char *want, const char *name)
{
    size_t  n;

    n = strlen(want);

    if (n && want[n - 1] == '*') {
        if (!ok(strncmp(answer, want, n - 1) == 0, "%s", name)) {
            diag("got:  %.2000s", answer);
            diag("want: %s", want);
        }

        return;
    }

    is_str(answer, want, name);
}


static void
test_cases(const case_t *cases, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        run(cases[i].phase, cases[i].json);
        check(cases[i].want, cases[i].name);
    }
}

#define test(cases)  test_cases(cases, sizeof(cases) / sizeof(cases[0]))


#define ROTATE  "{\"method\":\"RotateCredentials\",\"note\":\"x\"}"

static const cwmp_credentials_t  fresh = {
    cwmp_string("D.ManagementServer."),
    { cwmp_string("a<b"), cwmp_string("p1"), cwmp_string("c"),
      cwmp_string("p2") }
};

static const cwmp_credentials_t  bad = {
    cwmp_string("D.ManagementServer."),
    { cwmp_string("a\xff"), cwmp_string("p1"), cwmp_string("c"),
      cwmp_string("p2") }
};


static void
test_rotate(void)
{
    run("", ROTATE);
    check("credentials", "new credentials are asked for");
    run("refused", ROTATE);
    check("credentials", "so is who is to know that they were refused");
    run("names", ROTATE);
    check("credentials", "whatever the phase is");
    run("", "{\"method\":\"RotateCredentials\",\"ParameterList\":{\"A\":1}}");
    check("ParameterList: is no field of this task", "it has no arguments");
    run("", "{\"method\":\"RotateCredentials\",\"values\":{\"A\":1}}");
    check("values: is no field of this task", "... nor those of another task");

    credentials = &fresh;
    run("", ROTATE);
    check(SPV("4", ROW("D.ManagementServer.Username", "string", "a&lt;b")
                   ROW("D.ManagementServer.Password", "string", "p1")
                   ROW("D.ManagementServer.ConnectionRequestUsername",
                       "string", "c")
                   ROW("D.ManagementServer.ConnectionRequestPassword",
                       "string", "p2"), "key-1"), "they are set at once");
    credentials = &bad;
    run("", ROTATE);
    check("Username: *", "a name that no message can carry");
    credentials = NULL;
}


/* bounds are in characters: of one byte, of two, of four */

static const struct {
    const char  *phase;
    const char  *before;            /* JSON up to the text, and after it */
    const char  *after;
    const char  *start;             /* of the text */
    const char  *end;
    size_t       max;
    const char  *refused;           /* "%s": the text */
    const char  *name;
    int          unsent;            /* only looked at in this phase */
} bounds[] = {
    { "", "{\"method\":\"Reboot\",\"CommandKey\":\"", "\"}", "", "", 32,
      "CommandKey: is longer than "
      "32 characters", "CommandKey", 0 },
    { "", SET("{\"U\":1},\"ParameterKey\":\""), "\"}", "", "", 32,
      "ParameterKey: is longer than "
      "32 characters", "RPC-02 ParameterKey", 0 },
    { "", GET("[\"A\",\""), "\"]}", "", "", 256,
      "ParameterNames[1]: is longer than "
      "256 characters", "PAR-06 ParameterNames", 0 },
    { "", "{\"method\":\"GetParameterNames\",\"ParameterPath\":\"", "\"}",
      "", ".", 256, "ParameterPath: is longer than "
      "256 characters", "PAR-06 ParameterPath", 0 },
    { "", "{\"method\":\"AddObject\",\"ObjectName\":\"", "\"}", "", ".", 256,
      "ObjectName: is longer than "
      "256 characters", "PAR-06 ObjectName", 0 },
    { "", "{\"method\":\"Download\",\"URL\":\"https://h/\",\"FileType\":\"",
      "\"}", "X ACME ", "", 64, "FileType: is longer than "
      "64 characters", "RPC-15 FileType", 0 },
    { "", "{\"method\":\"Download\",\"FileType\":\"X Y Z\",\"URL\":\"", "\"}",
      "https://h/", "", 256, "URL: is longer than "
      "256 characters", "RPC-15 URL", 0 },
    { "", LOAD(",\"Username\":\""), "\"}", "", "", 256,
      "Username: is longer than "
      "256 characters", "RPC-15 Username", 0 },
    { "", LOAD(",\"Password\":\""), "\"}", "", "", 256,
      "Password: is longer than "
      "256 characters", "RPC-15 Password", 0 },
    { "", LOAD(",\"TargetFileName\":\""), "\"}", "", "", 256,
      "TargetFileName: is longer than "
      "256 characters", "RPC-15 TargetFileName", 0 },
    { "", LOAD(",\"SuccessURL\":\""), "\"}", "", "", 256,
      "SuccessURL: is longer than "
      "256 characters", "RPC-15 SuccessURL", 0 },
    { "", LOAD(",\"FailureURL\":\""), "\"}", "", "", 256,
      "FailureURL: is longer than "
      "256 characters", "RPC-15 FailureURL", 0 },
    { "", SET("{\""), "\":{\"value\":1,\"type\":\"int\"}}}", "", "", 256,
      "ParameterList.%s: is longer than 256 characters",
      "PAR-06 a parameter's name", 0 },
    { "types", SET("{\""), "\":1}}", "", "", 256,
      "ParameterList.%s: is longer than 256 characters",
      "PAR-06 a name to read", 0 },
    { "set", ADD("{\""), "\":{\"value\":1,\"type\":\"int\"}}}", "", "",
      256 - 7, "values.%s: is longer than 256 characters",
      "PAR-06 a name with its object's", 0 },
    { "", ADD("{\""), "\":1}}", "", "", 256 - 6,
      "values.%s: is longer than 256 characters",
      "PAR-06 RPC-12 a name that no instance leaves room for", 1 }
};


/* LOAD() and SET() close the object, which goes on here */

static size_t
append_open(char *json, const char *before)
{
    size_t  n;

    n = strlen(before);
    memcpy(json, before, n);

    return (n > 1 && before[n - 1] == '}' && before[n - 2] == '"') ? n - 1 : n;
}


static void
test_bound(size_t i, const char *character, size_t n)
{
    char    json[4096], text[2048], want[4096];
    size_t  k, len;

    len = sprintf(text, "%s", bounds[i].start);
    n -= strlen(bounds[i].start) + strlen(bounds[i].end);

    for (k = 0; k < n; k++) {
        len += sprintf(text + len, "%s", character);
    }

    sprintf(text + len, "%s", bounds[i].end);

    len = append_open(json, bounds[i].before);
    sprintf(json + len, "%s%s", text, bounds[i].after);

    run(bounds[i].phase, json);

    n += strlen(bounds[i].start) + strlen(bounds[i].end);

    if (n <= bounds[i].max) {
        if (!ok(answer[0] == '<' && (bounds[i].unsent || strstr(answer, text)),
                "%s: %zu characters of %zu bytes", bounds[i].name, n,
                strlen(character)))
        {
            diag("got: %.300s", answer);
        }

        return;
    }

    sprintf(want, bounds[i].refused, text);

    if (!ok(strcmp(answer, want) == 0, "%s: not %zu characters of %zu bytes",
            bounds[i].name, n, strlen(character)))
    {
        diag("got:  %.300s", answer);
        diag("want: %.300s", want);
    }
}


static void
test_bounds(void)
{
    size_t  i, k;

    static const char  *characters[] = { "x", "\xc3\xa9", "\xf0\x9f\x98\x80" };

    for (i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        for (k = 0; k < 3; k++) {
            test_bound(i, characters[k], bounds[i].max);
            test_bound(i, characters[k], bounds[i].max + 1);
        }
    }
}


/* paths: wherever one may stand, the same ones are refused */

#define WILD        "has a wildcard, "
#define WILD_NEVER  WILD "which only GetParameterValues, GetParameterNames "   \
                    "and GetParameterAttributes may have"
#define WILD_UNSAID WILD "and the device did not report ManagementServer."    \
                    "InstanceWildcardsSupported as true"
#define NO_PATH     "is no path: a part is empty, or has a blank or a "       \
                    "control character"
#define NO_NAME     "is no parameter's name"
#define NO_OBJECT   "is no object's path"

static const struct {
    const char  *json;              /* "%s%s": a path, and what it ends with */
    const char  *end;
    const char  *field;             /* "%s": the path */
    const char  *wrong;
    const char  *wild;
    int          partial;           /* may be everything below an object */
} places[] = {
    { GET("[\"A\",\"%s%s\"]"), "", "ParameterNames[1]", NO_PATH,
      WILD_UNSAID, 1 },
    { "{\"method\":\"GetParameterAttributes\",\"ParameterNames\":[\"%s%s\"]}",
      "", "ParameterNames[0]", NO_PATH, WILD_UNSAID, 1 },
    { "{\"method\":\"GetParameterNames\",\"ParameterPath\":\"%s%s\"}", "",
      "ParameterPath", NO_PATH, WILD_UNSAID, 1 },
    { "{\"method\":\"SetParameterAttributes\",\"ParameterList\":[{\"Name\":"
      "\"%s%s\",\"Notification\":1}]}", "", "ParameterList[0].Name", NO_PATH,
      WILD_NEVER, 1 },
    { SET("{\"%s%s\":{\"value\":1,\"type\":\"int\"}}"), "",
      "ParameterList.%s", NO_NAME, WILD_NEVER, 0 },
    { ADD("{\"%s%s\":{\"value\":1,\"type\":\"int\"}}"), "", "values.%s",
      NO_NAME, WILD_NEVER, 0 },
    { "{\"method\":\"AddObject\",\"ObjectName\":\"%s%s\"}", ".", "ObjectName",
      NO_OBJECT, WILD_NEVER, 0 },
    { "{\"method\":\"DeleteObject\",\"ObjectName\":\"%s%s\"}", ".1.",
      "ObjectName", NO_OBJECT, WILD_NEVER, 0 }
};


static void
test_path(size_t i, const char *path, const char *reason)
{
    char    json[512], want[512], name[600], text[64];
    size_t  k, n;

    /* as JSON has it */

    for (k = 0, n = 0; path[k]; k++) {
        n += sprintf(text + n, (unsigned char) path[k] < ' ' ? "\\u%04x"
                                                            : "%c", path[k]);
    }

    text[n] = '\0';
    sprintf(json, places[i].json, text, places[i].end);
    run("", json);

    if (reason) {
        n = sprintf(want, places[i].field, path);
        sprintf(want + n, ": %s", reason);
    } else {
        strcpy(want, "<cwmp:*");
    }

    sprintf(name, "PAR-06 %s", json);
    check(want, name);
}


static void
test_paths(void)
{
    size_t  i, k;

    static const char  *wrong[] = { ".", "..", ".A", "A..B", "A.", "A. B",
        "A .B", " A", "A ", "A.\nB", "\n", "A\tB", "A.\x7f", "A.[].B",
        "A.[b", "A.[b\n].C" };
    static const char  *wild[] = { "A.*.B", "*.B", "A.*", "*", "A.*.B.*",
                                   "A.[b.c].*.D" };
    static const char  *good[] = { "A", "A.B", "A.0.B", "A.1", "A.[b].C",
        "A.[b c.d].E", "A.[*].B", "A.[a.*.b].C", "X_00D09E_A.B", "A.X_A-B.C_d",
        "A.B*.C", "A.**.B", "A.*b", "A.\xc3\xa9", "a.b", "A.B:C" };

    for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {

        for (k = 0; k < sizeof(wrong) / sizeof(wrong[0]); k++) {
            if (strcmp(wrong[k], "A.") != 0) {
                test_path(i, wrong[k], places[i].wrong);

            } else {
                test_path(i, wrong[k], places[i].partial ? NULL
                                                         : places[i].wrong);
            }
        }

        for (k = 0; k < sizeof(wild) / sizeof(wild[0]); k++) {
            test_path(i, wild[k], places[i].wild);
        }

        for (k = 0; k < sizeof(good) / sizeof(good[0]); k++) {
            test_path(i, good[k], NULL);
        }
    }

    for (i = 0; places[i].partial; i++) {
        test_path(i, "", NULL);
        test_path(i, "A.*.", places[i].wild);
        test_path(i, "A..", NO_PATH);
    }

    run("types", SET("{\"A.*.B\":1}"));
    check("ParameterList.A.*.B: " WILD_NEVER,
          "PAR-04 nor is it asked of which type they are");
    run("verify", SET("{\"A.*\":{\"value\":1,\"type\":\"int\"}}"));
    check("ParameterList.A.*: " WILD_NEVER, "PAR-04 nor of which value");
}


/* what only a program can write down */

/* {"A0000":"v...","A0001":... } of so many values, each of 100 characters */

static void
make_list(char *p, const char *before, size_t n, char fill)
{
    size_t  i;
    char    value[101];

    memset(value, fill, 100);
    value[100] = '\0';
    p += sprintf(p, "%s", before);

    for (i = 0; i < n; i++) {
        p += sprintf(p, "%s\"A%04zu\":{\"value\":\"%s\",\"type\":"
                     "\"string\"}", i ? "," : "", i, value);
    }

    strcpy(p, "}}");
}


static void
test_parts(char *json)
{
    const char  *set = "{\"method\":\"SetParameterValues\","
                       "\"ParameterList\":{";

    make_list(json, set, 300, 'v');
    run("", json);
    check("split 0 136 272 300", "RPC-03 300 values of 100 characters are cut");

    run(" 0 136 0", json);
    check("<cwmp:SetParameterValues><ParameterList soap-enc:arrayType=\"cwmp:"
          "ParameterValueStruct[136]\"><ParameterValueStruct><Name>A0000<*",
          "RPC-03 the first part");
    ok(strlen(answer) > 25000 && strlen(answer) < 31000, "is below 32 KiB");
    ok(strstr(answer, "<Name>A0135<") && !strstr(answer, "<Name>A0136<"),
       "and ends where the next begins");

    run(" 272 300 0", json);
    check("<cwmp:SetParameterValues><ParameterList soap-enc:arrayType=\"cwmp:"
          "ParameterValueStruct[28]\"><ParameterValueStruct><Name>A0272<*",
          "RPC-03 the last part");

    make_list(json, set, 300, '&');
    run("", json);
    check("split 0 48 96 144 192 240 288 300",
          "RPC-03 what is escaped counts as it is sent");

    run("compare", json);
    check("split 0 48 96 144 192 240 288 300",
          "RPC-03 one that was never sent at once, either");

    run("verify 0 300 100", json);
    check("split 0 100 200 300", "RPC-03 as many names in a read as are allowed");

    make_list(json, "{\"method\":\"AddObject\",\"ObjectName\":\"T.\","
                    "\"values\":{", 137, 'v');
    run("", json);
    check("values: are more than a message of 32 KB can hold: set the rest by "
          "another task", "RPC-03 a new object's values are not cut");

    make_list(json, "{\"method\":\"AddObject\",\"ObjectName\":\"T.\","
                    "\"values\":{", 100, 'v');
    run("", json);
    check("<cwmp:AddObject>*", "RPC-03 as many as fit are taken");
    run("set", json);
    check("<cwmp:SetParameterValues>*", "and sent in one message");
}


static void
test_large(void)
{
    char    *json, *p;
    size_t   i;

    json = malloc(400000);

    memset(json, '[', 100000);
    json[100000] = '\0';
    run("", json);
    check("task: *", "100,000 lists in one another");

    p = json + sprintf(json, "%s", "{\"method\":\"SetParameterValues\","
                       "\"ParameterList\":{\"U\":");
    memset(p, '[', 1000);
    memset(p + 1000, ']', 1000);
    strcpy(p + 2000, "}}");
    run("", json);
    check("ParameterList.U" NO_VALUE, "1,000 lists as a value");

    p = json + sprintf(json, "%s", "{\"method\":\"GetParameterValues\","
                       "\"ParameterNames\":[\"A\"");
    for (i = 0; i < 5000; i++) {
        p += sprintf(p, ",\"A.%zu\"", i);
    }
    strcpy(p, "]}");
    run("", json);
    check("split 0 1361 2674 3987 5001",
          "RPC-03 5,001 names are cut into parts");

    test_parts(json);

    p = json + sprintf(json, "%s", "{\"method\":\"SetParameterValues\","
                       "\"ParameterList\":{\"S\":\"");
    memset(p, 'x', 100000);
    strcpy(p + 100000, "\"}}");
    run("", json);
    check("<cwmp:SetParameterValues>*", "a value of 100,000 characters");
    ok(strlen(answer) > 100000, "and all of it");

    free(json);

    run_bytes("", "{\"method\":\"Reboot\"}\0", 20);
    check("task: *", "a NUL after the task");

    run_bytes("", "{\"method\":\"Re\0boot\"}", 20);
    check("task: *", "a NUL in the task");

    run("frobnicate", "{\"method\":\"Reboot\"}");
    check("<cwmp:Reboot>*", "an unknown phase is none");
}


/*
 * Each allocation fails once, alone or with all that follow: ERROR is said,
 * and nothing else happens.  In a process of its own: a crash is one failure.
 * jansson does not always tell a text that it has no memory for from one that
 * is no JSON: a refusal of the whole task, with a reason, is as good there.
 * That it may cut a text when one allocation only fails is jansson's affair.
 */

static const struct {
    const char  *phase;
    const char  *json;
} memory[] = {
    { "", "{\"method\":\"GetRPCMethods\"}" },
    { "", "{\"method\":\"FactoryReset\"}" },
    { "", "{\"method\":\"Reboot\"}" },
    { "", GET("[\"A\",\"B\"]") },
    { "", "{\"method\":\"GetParameterNames\",\"NextLevel\":true}" },
    { "", SET("{\"U\":1,\"C\":{\"value\":1.5,\"type\":\"decimal\"}}") },
    { "", ADD("{\"X\":1,\"U\":2}") },
    { "", "{\"method\":\"DeleteObject\",\"ObjectName\":\"D.T.1.\"}" },
    { "", LOAD(",\"FileSize\":5") },
    { "", "{\"method\":\"Reboot\",\"CommandKey\":7}" },
    { "", "{\"method\":\"Reboot\"" },
    { "", GET("[1]") },
    { "types", SET("{\"A\":1,\"B\":2}") },
    { "types", ADD("{\"A\":1,\"B\":2}") },
    { "verify", SET("{\"A\":1,\"U\":2}") },
    { "set", ADD("{\"U\":1,\"S\":\"a\"}") },
    { "compare", SET("{\"U\":7}") },
    { "compare", SET("{\"U\":8}") },
    { "confirmed", SET("{\"U\":8,\"S\":\"x\"}") },
    { "confirm 0 1 2", SET("{\"U\":8,\"S\":\"x\"}") },
    { "verify 0 3 1", SET("{\"U\":8,\"S\":\"x\",\"B\":1}") },
    { "names", GET("[\"A\"]") },
    { "names 0 0 1", GET("[\"A\"]") },
    { "", ROTATE },
    { "level", GET("[\"A\"]") },
    { "", "{\"method\":\"ChangeDUState\",\"Operations\":[{\"Operation\":"
      "\"Update\",\"Version\":\"1\"}]}" },
    { "", "{\"method\":\"SetParameterAttributes\",\"ParameterList\":[{"
      "\"Name\":\"A\",\"AccessList\":[\"X_x\"]}]}" }
};


static const char *
memory_fails(size_t i, size_t *at, int forever, int json)
{
    size_t       most;
    cwmp_rc_t    rc;

    static char  want[sizeof(answer)];

    count = 0;
    run(memory[i].phase, memory[i].json);
    strcpy(want, answer);
    most = count;

    for (*at = 1; *at <= most; ++*at) {
        count = 0;
        fail_from = *at;
        fail_to = forever ? (size_t) -1 : *at;
        rc = run_bytes(memory[i].phase, memory[i].json,
                       strlen(memory[i].json));
        fail_from = 0;

        if (rc != CWMP_ERROR
            && !(json && rc == CWMP_REFUSED
                 && strncmp(answer, "task: ", 6) == 0 && answer[6]))
        {
            return answer;
        }
    }

    run(memory[i].phase, memory[i].json);

    return strcmp(answer, want) ? "another answer than before" : NULL;
}


static void
test_memory(const char *what, int forever, int json)
{
    int          status;
    pid_t        pid;
    size_t       i;
    const char  *wrong;
    struct {
        size_t   at;
        char     wrong[120];
    } *shared;

    shared = mmap(NULL, sizeof(*shared), PROT_READ|PROT_WRITE,
                  MAP_SHARED|MAP_ANONYMOUS, -1, 0);
    credentials = &fresh;

    for (i = 0; i < sizeof(memory) / sizeof(memory[0]); i++) {
        memset(shared, 0, sizeof(*shared));
        fflush(stdout);
        pid = fork();

        if (pid == 0) {
            wrong = memory_fails(i, &shared->at, forever, json);

            if (wrong) {
                snprintf(shared->wrong, sizeof(shared->wrong), "%.119s", wrong);
            }

            exit(wrong != NULL);
        }

        status = -1;
        waitpid(pid, &status, 0);

        if (!ok(status == 0, "%s: %s %.40s", what, memory[i].phase,
                memory[i].json))
        {
            diag("allocation %zu: %s", shared->at,
                 shared->wrong[0] ? shared->wrong : "the program died");
        }
    }

    munmap(shared, sizeof(*shared));
}


/* one line an entry of what redis/lua has too */

static int
tables(void)
{
    size_t             i;
    cwmp_str_t         type;
    const cwmp_rpc_t  *rpc;

    static const cwmp_str_t  any = cwmp_string("anySimpleType");

    for (rpc = cwmp_rpcs; rpc->name; rpc++) {
        if (rpc->from & CWMP_FROM_ACS) {
            printf("rpc %s\n", rpc->name);
        }
    }

    for (i = CWMP_V_STRING; cwmp_value_type_name(i); i++) {
        type.data = (unsigned char *) cwmp_value_type_name(i);
        type.len = strlen((char *) type.data);
        printf("type %c %s\n", cwmp_type_letter(&type), type.data);
    }

    printf("type %c %s\n", cwmp_type_letter(&any), any.data);

    return 0;
}


int
main(int argc, char **argv)
{
    size_t  i;

    static const cwmp_str_t  none = cwmp_string("");
    static const cwmp_str_t  odd[] = {
        cwmp_string("thing"), cwmp_string("float"), cwmp_string("short"),
        cwmp_string("unsignedByte"), cwmp_string("anySimpleType"),
        cwmp_string("enumeration")
    };

    if (argc > 1 && strcmp(argv[1], "--tables") == 0) {
        return tables();
    }

    test(rpcs);
    test(forms);
    test(further);
    test(values);
    test(refused);
    test(phases);
    test_bounds();
    test_paths();
    test_rotate();
    test_large();

    for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        is_num(cwmp_type_letter(&odd[i]), 'a', "TYP-05 a type that is none");
    }

    is_num(cwmp_type_letter(&none), 's', "TYP-05 D16 no type is a string");

    test_memory("no memory once", 0, 0);
    test_memory("no memory any more", 1, 0);

    json_set_alloc_funcs(json_alloc, free);
    test_memory("no memory any more, of JSON too", 1, 1);
    json_set_alloc_funcs(malloc, free);

    return done();
}
