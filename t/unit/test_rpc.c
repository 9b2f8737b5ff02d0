
/* The table of RPCs: what it must hold for those who walk it. */

#include "cwmp_rpc.h"
#include "tap.h"


static int
good_args(const cwmp_arg_t *args, int depth)
{
    int  n;

    for (n = 0; args->name; args++, n++) {

        if (args->type == CWMP_T_STRUCT || args->type == CWMP_T_STRUCTS) {
            if (args->fields == NULL || depth > 3
                || !good_args(args->fields, depth + 1))
            {
                return 0;
            }
        }

        if (args->type >= CWMP_T_STRINGS && args->type != CWMP_T_STRUCT
            && !(args->flags & CWMP_REPEATED)
            && (args->item == NULL || args->array_type == NULL))
        {
            return 0;
        }
    }

    return n <= CWMP_MAX_FIELDS;
}


/* a row's cells are a fixed array: structs in a row count by their fields */

static int
cells_fit(const cwmp_arg_t *args)
{
    for ( /* void */ ; args->name; args++) {
        if (args->type == CWMP_T_STRUCTS
            && cwmp_cells(args->fields, NULL) > CWMP_MAX_FIELDS)
        {
            return 0;
        }
    }

    return 1;
}


static const cwmp_rpc_t *
find(const char *name)
{
    return cwmp_rpc_find((const unsigned char *) name, strlen(name));
}


int
main(void)
{
    size_t             i;
    const cwmp_rpc_t  *rpc;

    static const char  *cpe[] = { "Inform", "GetRPCMethods",
                                  "TransferComplete",
                                  "AutonomousTransferComplete",
                                  "RequestDownload", "Kicked",
                                  "DUStateChangeComplete",
                                  "AutonomousDUStateChangeComplete", NULL };
    static const char  *acs[] = { "GetRPCMethods", "GetParameterValues",
                                  "SetParameterValues", "GetParameterNames",
                                  "AddObject", "DeleteObject", "Reboot",
                                  "FactoryReset", "Download", "Upload",
                                  "ScheduleDownload", "ScheduleInform",
                                  "CancelTransfer", "GetQueuedTransfers",
                                  "GetAllQueuedTransfers",
                                  "SetParameterAttributes",
                                  "GetParameterAttributes", "SetVouchers",
                                  "GetOptions", "ChangeDUState", NULL };

    for (rpc = cwmp_rpcs; rpc->name; rpc++) {
        ok(good_args(rpc->request, 0) && good_args(rpc->response, 0),
           "%s: rows are complete", rpc->name);
        ok(find(rpc->name) == rpc, "%s: found by name", rpc->name);
        ok(cells_fit(rpc->request) && cells_fit(rpc->response),
           "%s: its rows have cells enough", rpc->name);
    }

    for (i = 0; cpe[i]; i++) {
        rpc = find(cpe[i]);
        ok(rpc && (rpc->from & CWMP_FROM_CPE), "RPC-01 %s is served", cpe[i]);
    }

    for (i = 0; acs[i]; i++) {
        rpc = find(acs[i]);
        ok(rpc && (rpc->from & CWMP_FROM_ACS), "%s can be sent", acs[i]);
    }

    ok(find("inform") == NULL && find("Info") == NULL && find("") == NULL
       && find("InformResponse") == NULL, "names match exactly");

    rpc = find("Download");
    is_str(rpc->request[7].name, "DelaySeconds",
           "RPC-15 Download: order of arguments");
    is_str(rpc->request[7].fallback, "0", "Download: DelaySeconds may lack");
    ok(rpc->request[2].fallback == NULL && rpc->request[2].max == 256,
       "RPC-15 Download: URL must be given, 256 characters");

    rpc = find("AddObject");
    ok(rpc->request[0].flags & CWMP_PATH_DOT, "RPC-13 ObjectName ends in '.'");

    rpc = find("GetParameterValues");
    ok(rpc->request[0].flags & CWMP_NONEMPTY, "RPC-06 at least one name");

    is_str(cwmp_fault_find(8003)->type, "Client", "8003 is the client's");
    is_str(cwmp_fault_find(8000)->text, "Method not supported", "8000");
    is_num(cwmp_fault_find(8006)->code, 8006, "8006");
    is_num(cwmp_fault_find(8800)->code, 8002, "unknown codes are 8002's");

    return done();
}
