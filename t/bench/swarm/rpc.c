
/*
 * The table of RPCs: a request of the ACS is looked up by its name, carried
 * out, and answered with its response or a fault.  To add one, add a row and a
 * function that writes what is inside of the response.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc.h"
#include "soap.h"


static unsigned rpc_get_methods(cpe_t *cpe, const xml_node_t *args,
    buf_t *out);
static unsigned rpc_set_vouchers(cpe_t *cpe, const xml_node_t *args,
    buf_t *out);
static unsigned rpc_get_options(cpe_t *cpe, const xml_node_t *args,
    buf_t *out);


static rpc_t  rpcs[] = {
    { "GetRPCMethods", rpc_get_methods, 0 },
    { "SetParameterValues", rpc_set_values, 0 },
    { "GetParameterValues", rpc_get_values, 0 },
    { "GetParameterNames", rpc_get_names, 0 },
    { "SetParameterAttributes", rpc_set_attributes, 0 },
    { "GetParameterAttributes", rpc_get_attributes, 0 },
    { "AddObject", rpc_add_object, 0 },
    { "DeleteObject", rpc_delete_object, 0 },
    { "Reboot", rpc_reboot, 0 },
    { "Download", rpc_download, 0 },
    { "ScheduleDownload", rpc_schedule_download, 0 },
    { "Upload", rpc_upload, 0 },
    { "FactoryReset", rpc_factory_reset, 0 },
    { "ScheduleInform", rpc_schedule_inform, 0 },
    { "CancelTransfer", rpc_cancel, 0 },
    { "GetQueuedTransfers", rpc_queued, 0 },
    { "GetAllQueuedTransfers", rpc_all_queued, 0 },
    { "ChangeDUState", rpc_change_units, 0 },
    { "SetVouchers", rpc_set_vouchers, 0 },
    { "GetOptions", rpc_get_options, 0 }
};

#define RPCS  (sizeof(rpcs) / sizeof(rpcs[0]))

static int    rpc_fault_kind;
static FILE  *rpc_journal_file;


void
rpc_init(void)
{
    size_t  i;
    buf_t   name;

    for (i = 0; i < RPCS; i++) {
        memset(&name, 0, sizeof(buf_t));
        buf_format(&name, "%sResponse", rpcs[i].name);
        buf_add(&name, "", 1);
        rpcs[i].kind = stats_kind(name.p);      /* keeps the name */
    }

    rpc_fault_kind = stats_kind("Fault");

    if (settings.journal) {
        rpc_journal_file = fopen(settings.journal, "a");

        if (rpc_journal_file == NULL) {
            die("%s: %s", settings.journal, strerror(errno));
        }

        setvbuf(rpc_journal_file, NULL, _IOLBF, 0);
    }
}


static const rpc_t *
rpc_find(str_t name)
{
    size_t  i;

    for (i = 0; i < RPCS; i++) {
        if (str_is(name, rpcs[i].name)) {
            return &rpcs[i];
        }
    }

    return NULL;
}


/*
 * What was really carried out, for those who must know that it was not done
 * twice; a line is in the file when its response is sent.
 */

static void
rpc_journal(cpe_t *cpe, const xml_node_t *request, unsigned fault)
{
    str_t  key;

    if (rpc_journal_file == NULL) {
        return;
    }

    key = xml_text(request, xml_child(request, "CommandKey") ? "CommandKey"
                                                             : "ParameterKey");
    fprintf(rpc_journal_file, "%u\t%.*s\t%.*s\t%u\n", cpe->number,
            (int) request->name.len, request->name.p,
            (int) key.len, key.p, fault);
}


int
rpc_answer(cpe_t *cpe, const xml_node_t *request, str_t id, buf_t *out)
{
    unsigned        fault;
    const rpc_t    *rpc = rpc_find(request->name);
    static buf_t    inside;

    stats.requests++;
    inside.len = 0;
    fault = rpc ? rpc->run(cpe, request, &inside) : 9000;
    out->len = 0;
    rpc_journal(cpe, request, fault);

    if (fault) {
        stats.faults++;
        stats_note("%.*s answered with fault %u", (int) request->name.len,
                   request->name.p, fault);
        inside.len = fault == 9003 ? inside.len : 0;
        soap_fault(out, id, fault, &inside);
        return rpc_fault_kind;
    }

    soap_begin(out, id, NULL);
    buf_format(out, "<cwmp:%sResponse>", rpc->name);
    buf_add(out, inside.p, inside.len);
    buf_format(out, "</cwmp:%sResponse>", rpc->name);
    soap_end(out);

    if (inside.cap > 1 << 20) {
        buf_free(&inside);
    }

    return rpc->kind;
}


static unsigned
rpc_get_methods(cpe_t *cpe, const xml_node_t *args, buf_t *out)
{
    size_t  i;

    (void) cpe;
    (void) args;

    soap_array(out, "MethodList", "xsd:string", RPCS);

    for (i = 0; i < RPCS; i++) {
        soap_element(out, "string", rpcs[i].name, strlen(rpcs[i].name));
    }

    soap_array_end(out, "MethodList");
    return 0;
}


static unsigned
rpc_set_vouchers(cpe_t *cpe, const xml_node_t *args, buf_t *out)
{
    const xml_node_t  *list = xml_child(args, "VoucherList");

    (void) cpe;
    (void) out;

    return list && list->first ? 0 : 9003;
}


static unsigned
rpc_get_options(cpe_t *cpe, const xml_node_t *args, buf_t *out)
{
    str_t  name = xml_text(args, "OptionName");

    (void) cpe;

    if (name.len && !str_is(name, "Swarm")) {
        return 9003;
    }

    soap_array(out, "OptionList", "cwmp:OptionStruct", 1);
    buf_lit(out, "<OptionStruct><OptionName>Swarm</OptionName>"
                 "<VoucherSN>1</VoucherSN><State>3</State><Mode>2</Mode>"
                 "<StartDate>2025-01-01T00:00:00Z</StartDate>"
                 "<IsTransferable>0</IsTransferable></OptionStruct>");
    soap_array_end(out, "OptionList");
    return 0;
}
