/*
 * Any bytes as a task's JSON, in each phase: an RPC that can be written, or a
 * refusal with its field and reason.  The first byte is the phase.
 */

#include "cwmp_task.h"
#include "cwmp_write.h"
#include "fuzz.h"


static unsigned char  sheet[65536];


/* nobody reads it: the same room once more */

static cwmp_rc_t
more(cwmp_out_t *out)
{
    out->pos = sheet;
    out->end = sheet + sizeof(sheet);

    return CWMP_OK;
}


static cwmp_known_t  known[] = {
    { cwmp_string("Device.A"), 'u', cwmp_string("5") },
    { cwmp_string("Device.B"), 'b', cwmp_string("1") },
    { cwmp_string("Device.NAT.PortMapping.17.Port"), 's', cwmp_string("x") }
};


int
LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
    cwmp_rc_t        rc;
    cwmp_str_t       id = cwmp_string("1");
    cwmp_out_t       out;
    cwmp_order_t     order;
    tap_arena_t      owner;
    cwmp_arena_t     arena = { tap_alloc, &owner };
    cwmp_task_rpc_t  rpc;

    static const char  *phases[] = {
        "", "types", "set", "verify", "compare", "check"
    };

    if (n == 0) {
        return 0;
    }

    memset(&owner, 0, sizeof(owner));
    memset(&order, 0, sizeof(order));
    memset(&rpc, 0, sizeof(rpc));

    order.phase.data = (unsigned char *) phases[*p % 6];
    order.phase.len = strlen(phases[*p % 6]);
    order.instance.data = (unsigned char *) "17";
    order.instance.len = 2;
    order.key.data = (unsigned char *) "key-1";
    order.key.len = 5;
    order.known = known;
    order.nknown = 3;
    order.json.data = (unsigned char *) p + 1;
    order.json.len = n - 1;

    rc = cwmp_task_rpc(&arena, &order, &rpc);

    must(rc != CWMP_REFUSED || rpc.reason);

    if (rc == CWMP_OK && !rpc.done) {
        memset(&out, 0, sizeof(out));
        more(&out);
        out.more = more;
        cwmp_write_request(&out, CWMP_NS_1_2, &id, rpc.rpc, rpc.args);
    }

    tap_free(&owner);

    return 0;
}
