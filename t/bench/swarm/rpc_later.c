
/*
 * The RPCs whose outcome is told in a later session.  No file is moved: a
 * transfer is over when its delay is, with the fault of --transfer-fault.
 */

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "model.h"
#include "rpc.h"
#include "soap.h"
#include "todo.h"


#define TRANSFERS_MAX  16


static double
seconds_of(str_t s)
{
    unsigned long  n = s.len ? strtoul(s.p, NULL, 10) : 0;

    return n < UINT32_MAX ? (double) n : (double) UINT32_MAX;
}


unsigned
rpc_reboot(cpe_t *cpe, const xml_node_t *args, buf_t *out)
{
    (void) out;
    todo_add(cpe, TODO_REBOOT, xml_text(args, "CommandKey"), settings.delay);
    return 0;
}


unsigned
rpc_factory_reset(cpe_t *cpe, const xml_node_t *args, buf_t *out)
{
    (void) args;
    (void) out;

    todo_clear(cpe);
    model_reset(cpe);
    todo_add(cpe, TODO_RESET, str_of(""), settings.delay);
    return 0;
}


unsigned
rpc_schedule_inform(cpe_t *cpe, const xml_node_t *args, buf_t *out)
{
    double  delay = seconds_of(xml_text(args, "DelaySeconds"));

    (void) out;

    if (delay < 1) {
        return 9003;
    }

    todo_add(cpe, TODO_SCHEDULED, xml_text(args, "CommandKey"), delay);
    return 0;
}


/* --- transfers ----------------------------------------------------------- */

static unsigned
transfer_add(cpe_t *cpe, const xml_node_t *args, todo_kind_t kind,
    double delay)
{
    str_t    url = xml_text(args, "URL"), type = xml_text(args, "FileType");
    todo_t  *t;

    if (type.len == 0 || url.len == 0) {
        return 9003;
    }

    if (url.len < 8 || (strncasecmp(url.p, "http://", 7) != 0
                        && strncasecmp(url.p, "https://", 8) != 0))
    {
        return 9013;
    }

    if (todo_transfers(cpe) >= TRANSFERS_MAX) {
        return 9004;
    }

    t = todo_add(cpe, kind, xml_text(args, "CommandKey"),
                 delay + settings.delay);
    t->data = mem_copy(type.p, type.len);
    return 0;
}


static unsigned
transfer_begin(cpe_t *cpe, const xml_node_t *args, todo_kind_t kind,
    buf_t *out)
{
    unsigned  code;

    code = transfer_add(cpe, args, kind,
                        seconds_of(xml_text(args, "DelaySeconds")));

    if (code == 0) {
        buf_lit(out, "<Status>1</Status>"
                     "<StartTime>0001-01-01T00:00:00Z</StartTime>"
                     "<CompleteTime>0001-01-01T00:00:00Z</CompleteTime>");
    }

    return code;
}


unsigned
rpc_download(cpe_t *cpe, const xml_node_t *args, buf_t *out)
{
    return transfer_begin(cpe, args, TODO_DOWNLOAD, out);
}


unsigned
rpc_upload(cpe_t *cpe, const xml_node_t *args, buf_t *out)
{
    return transfer_begin(cpe, args, TODO_UPLOAD, out);
}


unsigned
rpc_schedule_download(cpe_t *cpe, const xml_node_t *args, buf_t *out)
{
    double             start, end;
    const xml_node_t  *window = xml_child(args, "TimeWindowList");

    (void) out;
    window = window ? window->first : NULL;

    if (window == NULL) {
        return 9003;
    }

    start = seconds_of(xml_text(window, "WindowStart"));
    end = seconds_of(xml_text(window, "WindowEnd"));

    return start < end ? transfer_add(cpe, args, TODO_SCHEDULED_DOWNLOAD,
                                      start)
                       : 9003;
}


unsigned
rpc_cancel(cpe_t *cpe, const xml_node_t *args, buf_t *out)
{
    (void) out;
    return todo_cancel(cpe, xml_text(args, "CommandKey"));
}


static unsigned
list_transfers(cpe_t *cpe, buf_t *out, const char *type, int all)
{
    uint64_t       now = clock_ns();
    const todo_t  *t;
    buf_t          array = { NULL, 0, 0 };

    buf_format(&array, "cwmp:%s", type);
    buf_add(&array, "", 1);
    soap_array(out, "TransferList", array.p, todo_transfers(cpe));
    buf_free(&array);

    for (t = cpe->todo; t; t = t->next) {
        if (!todo_is_transfer(t)) {
            continue;
        }

        buf_format(out, "<%s>", type);
        soap_element(out, "CommandKey", t->key, strlen(t->key));
        soap_number(out, "State", t->due <= now ? 3 : 1);

        if (all) {
            soap_number(out, "IsDownload", t->kind != TODO_UPLOAD);
            soap_element(out, "FileType", t->data, strlen(t->data));
            soap_number(out, "FileSize", 0);
            soap_element(out, "TargetFileName", "", 0);
        }

        buf_format(out, "</%s>", type);
    }

    soap_array_end(out, "TransferList");
    return 0;
}


unsigned
rpc_queued(cpe_t *cpe, const xml_node_t *args, buf_t *out)
{
    (void) args;
    return list_transfers(cpe, out, "QueuedTransferStruct", 0);
}


unsigned
rpc_all_queued(cpe_t *cpe, const xml_node_t *args, buf_t *out)
{
    (void) args;
    return list_transfers(cpe, out, "AllQueuedTransferStruct", 1);
}


/* --- ChangeDUState ------------------------------------------------------- */

static const struct {
    const char  *operation;         /* of xsi:type */
    const char  *state;             /* that it ends in */
} operations[] = {
    { "InstallOpStruct", "Installed" },
    { "UpdateOpStruct", "Installed" },
    { "UninstallOpStruct", "Uninstalled" }
};


static const char *
operation_state(const xml_node_t *op)
{
    size_t             i, n;
    const xml_attr_t  *type = xml_attr(op, "type");

    for (i = 0; type && i < 3; i++) {
        n = strlen(operations[i].operation);

        if (type->value.len >= n
            && memcmp(type->value.p + type->value.len - n,
                      operations[i].operation, n) == 0)
        {
            return operations[i].state;
        }
    }

    return NULL;
}


static void
operation_result(buf_t *b, const xml_node_t *op, const char *state,
    unsigned n)
{
    str_t  uuid = xml_text(op, "UUID"), version = xml_text(op, "Version");

    if (uuid.len == 0) {
        uuid = str_of("2a68e9bf-3e8a-320c-9c4f-3fd9d71f6d87");
    }

    buf_lit(b, "<Results>");
    soap_element(b, "UUID", uuid.p, uuid.len);
    buf_format(b, "<DeploymentUnitRef>%sSoftwareModules.DeploymentUnit.%u"
                  "</DeploymentUnitRef>", model_root(), n);
    soap_element(b, "Version", version.len ? version.p : "1.0",
                 version.len ? version.len : 3);
    soap_element(b, "CurrentState", state, strlen(state));
    soap_number(b, "Resolved", 1);
    buf_lit(b, "<ExecutionUnitRefList></ExecutionUnitRefList>");
    soap_time(b, "StartTime", clock_ns());
    soap_time(b, "CompleteTime", clock_ns());
    buf_lit(b, "<Fault><FaultCode>0</FaultCode><FaultString></FaultString>"
               "</Fault></Results>");
}


unsigned
rpc_change_units(cpe_t *cpe, const xml_node_t *args, buf_t *out)
{
    buf_t              results = { NULL, 0, 0 };
    todo_t            *t;
    unsigned           n = 0;
    const char        *state;
    const xml_node_t  *op;

    (void) out;

    for (op = args->first; op; op = op->next) {
        if (!str_is(op->name, "Operations")) {
            continue;
        }

        state = operation_state(op);

        if (state == NULL) {
            buf_free(&results);
            return 9003;
        }

        operation_result(&results, op, state, ++n);
    }

    if (n == 0) {
        return 9003;
    }

    t = todo_add(cpe, TODO_UNITS, xml_text(args, "CommandKey"),
                 settings.delay);
    t->data = mem_copy(results.p, results.len);
    buf_free(&results);
    return 0;
}
