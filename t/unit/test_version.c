/*
 * Which version of CWMP a session has, and which RPCs a device is too old for.
 */

#include <string.h>

#include "tap.h"
#include "cwmp_task.h"
#include "cwmp_version.h"


static unsigned
chosen(unsigned ns, const char *list, unsigned *session)
{
    cwmp_facts_t            facts;
    cwmp_session_version_t  v;

    memset(&facts, 0, sizeof(facts));
    facts.ns = (cwmp_ns_t) ns;
    facts.has_versions = 1;
    facts.versions.data = (unsigned char *) list;
    facts.versions.len = strlen(list);

    cwmp_version_choose(&facts, &v);
    *session = v.ns;

    return v.version;
}


/* the reason for which a task is refused, "" when it is not for its version */

static const char *
refused(const char *json, unsigned version)
{
    static char      reason[200];
    cwmp_order_t     order;
    tap_arena_t      owner = { 0 };
    cwmp_arena_t     arena = { tap_alloc, &owner };
    cwmp_task_rpc_t  rpc;

    memset(&order, 0, sizeof(order));
    order.json.data = (unsigned char *) json;
    order.json.len = strlen(json);
    order.version = version;
    reason[0] = '\0';

    if (cwmp_task_rpc(&arena, &order, &rpc) == CWMP_REFUSED
        && strstr(rpc.reason, "needs CWMP"))
    {
        snprintf(reason, sizeof(reason), "%.*s: %s", (int) rpc.field.len,
                 rpc.field.data, rpc.reason);
    }

    tap_free(&owner);

    return reason;
}


int
main(void)
{
    unsigned  ns;

    is_num(chosen(2, "1.0,1.4", &ns), 14, "VER-02 the highest");
    is_num(ns, 2, "VER-02 in the CPE's namespace");
    is_num(chosen(2, "1.1, 1.0", &ns), 11, "VER-02 in any order");
    is_num(ns, 1, "VER-02 the namespace of the version");
    is_num(chosen(0, "1.4", &ns), 14, "VER-02 an old namespace");
    is_num(ns, 0, "VER-02 is never answered by a newer one");
    is_num(chosen(2, "9.9", &ns), CWMP_VERSION_NONE, "VER-04 none is common");
    is_num(chosen(2, "1.", &ns), CWMP_VERSION_NONE, "VER-04 a cut one");

    is_str(refused("{\"method\":\"ScheduleDownload\"}", 11),
           "method: needs CWMP 1.2, the device speaks 1.1",
           "VER-07 ScheduleDownload to CWMP 1.1");
    is_str(refused("{\"method\":\"ChangeDUState\"}", 10),
           "method: needs CWMP 1.2, the device speaks 1.0",
           "VER-07 ChangeDUState to CWMP 1.0");
    is_str(refused("{\"method\":\"GetAllQueuedTransfers\"}", 10),
           "method: needs CWMP 1.1, the device speaks 1.0",
           "VER-07 GetAllQueuedTransfers to CWMP 1.0");
    is_str(refused("{\"method\":\"ScheduleDownload\"}", 12), "",
           "VER-07 ScheduleDownload to CWMP 1.2");
    is_str(refused("{\"method\":\"ChangeDUState\"}", 0), "",
           "VER-07 a version that is not known");
    is_str(refused("{\"method\":\"Reboot\"}", 10), "",
           "VER-07 Reboot to CWMP 1.0");

    return done();
}
