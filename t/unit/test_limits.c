
/*
 * How long a text of a task may be, and how large a number, for each argument
 * of each RPC that can be sent: written down here once more, from the
 * standard, so that a limit that changes in cwmp_rpcs[] is noticed.  What is
 * at the limit is sent, what is above is refused by its field.  An argument
 * without a row here is a failure, and a row without an argument.
 */

#include <jansson.h>

#include "cwmp_task.h"
#include "tap.h"


/* a task that is good, with all of its lists; what is tried replaces a part */

static const struct {
    const char  *rpc;
    const char  *json;
} tasks[] = {
    { "GetRPCMethods", "{}" },
    { "GetParameterValues", "{'ParameterNames':['A']}" },
    { "SetParameterValues",
      "{'ParameterList':{'A':{'value':1,'type':'int'}}}" },
    { "GetParameterNames", "{}" },
    { "AddObject", "{'ObjectName':'A.'}" },
    { "DeleteObject", "{'ObjectName':'A.1.'}" },
    { "Reboot", "{}" },
    { "FactoryReset", "{}" },
    { "Download", "{'FileType':'2 Web Content','URL':'http://h'}" },
    { "Upload", "{'FileType':'2 Vendor Log File','URL':'http://h'}" },
    { "ScheduleDownload", "{'FileType':'2 Web Content','URL':'http://h',"
      "'TimeWindowList':[{'WindowStart':1,'WindowEnd':4294967295,"
      "'WindowMode':'4 Confirmation Needed'}]}" },
    { "ScheduleInform", "{'DelaySeconds':1}" },
    { "CancelTransfer", "{'CommandKey':'a'}" },
    { "GetQueuedTransfers", "{}" },
    { "GetAllQueuedTransfers", "{}" },
    { "SetParameterAttributes",
      "{'ParameterList':[{'Name':'A','AccessList':['X_a']}]}" },
    { "GetParameterAttributes", "{'ParameterNames':['A']}" },
    { "SetVouchers", "{'VoucherList':['AAAA']}" },
    { "GetOptions", "{}" },
    { "ChangeDUState", "{'Operations':[{'Operation':'Install','URL':"
      "'http://h'},{'Operation':'Update'},{'Operation':'Uninstall','UUID':"
      "'2a68e9bf-3e8a-320c-9c4f-3fd9d71f6d87'}]}" }
};


#define UNBOUND  0                  /* any length, or no number */

static const struct {
    const char  *rpc;
    const char  *arg;               /* its fields behind dots */
    const char  *field;             /* of the refusal */
    size_t       max;               /* characters; of a number: of its text */
    const char  *start;             /* of a text; the last number there is */
    const char  *end;               /* of a text; the first beyond it */
    int          number;
} limits[] = {

#define TEXT(rpc, arg, max, start, end)                                       \
    { rpc, arg, arg, max, start, end, 0 }
#define ITEM(rpc, arg, field, max, start, end)                                \
    { rpc, arg, field, max, start, end, 0 }
#define NUMBER(rpc, arg, last, beyond)                                        \
    { rpc, arg, arg, 10, last, beyond, 1 }
#define UINT(rpc, arg)  NUMBER(rpc, arg, "4294967295", "4294967296")
#define FREE(rpc, arg)  { rpc, arg, arg, UNBOUND, "", "", 0 }

    ITEM("GetParameterValues", "ParameterNames", "ParameterNames[0]", 256,
         "", ""),
    ITEM("SetParameterValues", "ParameterList.Name", "ParameterList.", 256,
         "", ""),
    FREE("SetParameterValues", "ParameterList.Value"),
    TEXT("SetParameterValues", "ParameterKey", 32, "", ""),
    TEXT("GetParameterNames", "ParameterPath", 256, "", ""),
    FREE("GetParameterNames", "NextLevel"),
    TEXT("AddObject", "ObjectName", 256, "", "."),
    TEXT("AddObject", "ParameterKey", 32, "", ""),
    TEXT("DeleteObject", "ObjectName", 256, "", ".1."),
    TEXT("DeleteObject", "ParameterKey", 32, "", ""),
    TEXT("Reboot", "CommandKey", 32, "", ""),

    TEXT("Download", "CommandKey", 32, "", ""),
    TEXT("Download", "FileType", 64, "X A ", ""),
    TEXT("Download", "URL", 256, "http://h/", ""),
    TEXT("Download", "Username", 256, "", ""),
    TEXT("Download", "Password", 256, "", ""),
    UINT("Download", "FileSize"),
    TEXT("Download", "TargetFileName", 256, "", ""),
    UINT("Download", "DelaySeconds"),
    TEXT("Download", "SuccessURL", 256, "", ""),
    TEXT("Download", "FailureURL", 256, "", ""),

    TEXT("Upload", "CommandKey", 32, "", ""),
    TEXT("Upload", "FileType", 64, "X A ", ""),
    TEXT("Upload", "URL", 256, "http://h/", ""),
    TEXT("Upload", "Username", 256, "", ""),
    TEXT("Upload", "Password", 256, "", ""),
    UINT("Upload", "DelaySeconds"),

    TEXT("ScheduleDownload", "CommandKey", 32, "", ""),
    TEXT("ScheduleDownload", "FileType", 64, "X A ", ""),
    TEXT("ScheduleDownload", "URL", 256, "http://h/", ""),
    TEXT("ScheduleDownload", "Username", 256, "", ""),
    TEXT("ScheduleDownload", "Password", 256, "", ""),
    UINT("ScheduleDownload", "FileSize"),
    TEXT("ScheduleDownload", "TargetFileName", 256, "", ""),

    /* a window ends after it starts */

    { "ScheduleDownload", "TimeWindowList.WindowStart",
      "TimeWindowList[0].WindowStart", 10, "4294967294", "4294967296", 1 },
    { "ScheduleDownload", "TimeWindowList.WindowEnd",
      "TimeWindowList[0].WindowEnd", 10, "4294967295", "4294967296", 1 },
    ITEM("ScheduleDownload", "TimeWindowList.WindowMode",
         "TimeWindowList[0].WindowMode", 64, "X A ", ""),
    ITEM("ScheduleDownload", "TimeWindowList.UserMessage",
         "TimeWindowList[0].UserMessage", 256, "", ""),
    { "ScheduleDownload", "TimeWindowList.MaxRetries",
      "TimeWindowList[0].MaxRetries", 10, "2147483647", "2147483648", 1 },

    UINT("ScheduleInform", "DelaySeconds"),
    TEXT("ScheduleInform", "CommandKey", 32, "", ""),
    TEXT("CancelTransfer", "CommandKey", 32, "", ""),

    ITEM("SetParameterAttributes", "ParameterList.Name",
         "ParameterList[0].Name", 256, "", ""),
    { "SetParameterAttributes", "ParameterList.Notification",
      "ParameterList[0].Notification", 1, "6", "7", 1 },
    ITEM("SetParameterAttributes", "ParameterList.AccessList",
         "ParameterList[0].AccessList[0]", 64, "X_", ""),
    ITEM("GetParameterAttributes", "ParameterNames", "ParameterNames[0]", 256,
         "", ""),
    FREE("SetVouchers", "VoucherList"),
    TEXT("GetOptions", "OptionName", 64, "", ""),

    ITEM("ChangeDUState", "Operations.Install.URL", "Operations[0].URL", 1024,
         "http://h/", ""),
    ITEM("ChangeDUState", "Operations.Install.UUID", "Operations[0].UUID", 36,
         "2a68e9bf-3e8a-320c-9c4f-3fd9d71f6d87", ""),
    ITEM("ChangeDUState", "Operations.Install.Username",
         "Operations[0].Username", 256, "", ""),
    ITEM("ChangeDUState", "Operations.Install.Password",
         "Operations[0].Password", 256, "", ""),
    ITEM("ChangeDUState", "Operations.Install.ExecutionEnvRef",
         "Operations[0].ExecutionEnvRef", 256, "", ""),
    ITEM("ChangeDUState", "Operations.Update.UUID", "Operations[1].UUID", 36,
         "2a68e9bf-3e8a-320c-9c4f-3fd9d71f6d87", ""),
    ITEM("ChangeDUState", "Operations.Update.Version", "Operations[1].Version",
         32, "", ""),
    ITEM("ChangeDUState", "Operations.Update.URL", "Operations[1].URL", 1024,
         "http://h/", ""),
    ITEM("ChangeDUState", "Operations.Update.Username",
         "Operations[1].Username", 256, "", ""),
    ITEM("ChangeDUState", "Operations.Update.Password",
         "Operations[1].Password", 256, "", ""),
    ITEM("ChangeDUState", "Operations.Uninstall.UUID", "Operations[2].UUID",
         36, "2a68e9bf-3e8a-320c-9c4f-3fd9d71f6d87", ""),
    ITEM("ChangeDUState", "Operations.Uninstall.Version",
         "Operations[2].Version", 32, "", ""),
    ITEM("ChangeDUState", "Operations.Uninstall.ExecutionEnvRef",
         "Operations[2].ExecutionEnvRef", 256, "", ""),
    TEXT("ChangeDUState", "CommandKey", 32, "", "")
};

#define LIMITS  (sizeof(limits) / sizeof(limits[0]))


static int           seen[LIMITS];
static tap_arena_t   owner;


/* puts the text where the refusal's field says that it stands */

static void
put(json_t *task, const char *field, const char *text)
{
    char     name[64];
    size_t   n;
    json_t  *at;

    for (at = task; *field; /* void */) {

        if (*field == '[') {
            n = strtoul(field + 1, NULL, 10);
            field = strchr(field, ']') + 1;
            field += (*field == '.');

            if (*field == '\0') {
                json_array_set_new(at, n, json_string(text));
                return;
            }

            at = json_array_get(at, n);
            continue;
        }

        n = strcspn(field, ".[");
        sprintf(name, "%.*s", (int) n, field);
        field += n;

        if (*field == '.') {        /* a parameter's name */
            at = json_object_get(at, name);
            json_object_set(at, text, json_object_get(at, "A"));
            json_object_del(at, "A");
            return;
        }

        if (*field == '\0') {
            json_object_set_new(at, name, json_string(text));
            return;
        }

        at = json_object_get(at, name);
    }
}


/* NULL: it can be sent */

static const char *
refusal(size_t row, const char *text, char *got)
{
    char             json[512], *p;
    size_t           i;
    json_t          *task;
    cwmp_rc_t        rc;
    cwmp_order_t     order;
    cwmp_arena_t     arena = { tap_alloc, &owner };
    cwmp_task_rpc_t  rpc;

    memset(&order, 0, sizeof(order));
    order.key = (cwmp_str_t) cwmp_string("key-1");

    for (i = 0; strcmp(tasks[i].rpc, limits[row].rpc) != 0; i++) { /* void */ }

    strcpy(json, tasks[i].json);

    for (p = json; *p; p++) {
        *p = (*p == '\'') ? '"' : *p;
    }

    task = json_loads(json, 0, NULL);
    json_object_set_new(task, "method", json_string(limits[row].rpc));
    put(task, limits[row].field, text);
    order.json.data = (unsigned char *) json_dumps(task, 0);
    order.json.len = strlen((char *) order.json.data);

    rc = cwmp_task_rpc(&arena, &order, &rpc);

    if (rc == CWMP_REFUSED) {
        sprintf(got, "%.*s: %s", (int) rpc.field.len, rpc.field.data,
                rpc.reason);
    }

    free(order.json.data);
    json_decref(task);
    tap_free(&owner);

    return rc == CWMP_OK ? NULL : rc == CWMP_REFUSED ? got : "ERROR";
}


/* so many characters, of two bytes each where the text is free */

static char *
fill(char *to, size_t row, size_t n)
{
    char    *p;
    size_t   have;

    have = strlen(limits[row].start) + strlen(limits[row].end);
    p = to + sprintf(to, "%s", limits[row].start);

    for ( /* void */ ; n > have; n--) {
        p += sprintf(p, "\xc3\xa9");
    }

    strcpy(p, limits[row].end);

    return to;
}


static void
test_limit(size_t row)
{
    char         at[3000], above[3000], want[4000], got[4000];
    const char  *wrong;

    if (limits[row].max == UNBOUND) {
        return;
    }

    if (limits[row].number) {
        strcpy(at, limits[row].start);
        strcpy(above, limits[row].end);
        sprintf(want, "%s: is above ", limits[row].field);

    } else {
        fill(at, row, limits[row].max);
        fill(above, row, limits[row].max + 1);
        sprintf(want, "%s%s: is longer than %zu characters", limits[row].field,
                strcmp(limits[row].field, "ParameterList.") ? "" : above,
                limits[row].max);
    }

    wrong = refusal(row, at, got);

    if (!ok(wrong == NULL, "%s %s: at its limit", limits[row].rpc,
            limits[row].arg))
    {
        diag("got: %.300s", wrong);
    }

    wrong = refusal(row, above, got);

    if (!ok(wrong && (limits[row].number
                      ? strncmp(wrong, want, strlen(want)) == 0
                      : strcmp(wrong, want) == 0),
            "%s %s: above it", limits[row].rpc, limits[row].arg))
    {
        diag("got:  %.300s", wrong ? wrong : "it is sent");
        diag("want: %.300s", want);
    }
}


static void
test_args(const char *rpc, const char *path, const cwmp_arg_t *args)
{
    char    name[200];
    size_t  i;

    for ( /* void */ ; args->name; args++) {

        if (args->flags & CWMP_CHANGE) {
            continue;                   /* no task has it */
        }

        sprintf(name, "%s%s%s", path, *path ? "." : "", args->name);

        if (args->type == CWMP_T_STRUCT || args->type == CWMP_T_STRUCTS
            || args->type == CWMP_T_VARIANTS)
        {
            test_args(rpc, name, args->fields);
            continue;
        }

        for (i = 0; i < LIMITS && (strcmp(limits[i].rpc, rpc) != 0
                                   || strcmp(limits[i].arg, name) != 0); i++)
        {
            /* void */
        }

        if (i < LIMITS) {
            seen[i]++;
            test_limit(i);

        } else {
            ok(0, "%s %s: no limit is known", rpc, name);
        }
    }
}


int
main(void)
{
    size_t             i;
    const cwmp_rpc_t  *rpc;

    for (rpc = cwmp_rpcs; rpc->name; rpc++) {
        if (rpc->from & CWMP_FROM_ACS) {
            test_args(rpc->name, "", rpc->request);
        }
    }

    for (i = 0; i < LIMITS; i++) {
        is_num(seen[i], 1, limits[i].arg);
    }

    return done();
}
