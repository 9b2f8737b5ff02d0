
/*
 * The RPCs of TR-069 Amendment 6, Annex A, as rows.  Arguments stand in the
 * order of the schema, which is the order they are sent in; what is received
 * may come in any order.  To add an RPC: add its two lists and its row in
 * cwmp_rpcs[]; parser, writer and task check pick it up from there.  This
 * file is data: it must not know of XML, JSON or sessions.
 */

#include <string.h>

#include "cwmp_rpc.h"


/* name, type, max, flags, fallback, item, array_type, fields */

#define cwmp_args_end                                                         \
    { NULL, CWMP_T_STRING, 0, 0, NULL, NULL, NULL, NULL }

#define cwmp_text(name, max, flags, fallback)                                 \
    { name, CWMP_T_STRING, max, flags, fallback, NULL, NULL, NULL }

#define cwmp_simple(name, type, fallback)                                     \
    { name, type, 0, 0, fallback, NULL, NULL, NULL }

#define cwmp_strings(name, max, flags, fallback)                              \
    { name, CWMP_T_STRINGS, max, flags, fallback, "string", "xsd:string",     \
      NULL }

#define cwmp_structs(name, flags, item, fields)                               \
    { name, CWMP_T_STRUCTS, 0, flags, NULL, item, "cwmp:" item, fields }


static const cwmp_arg_t  cwmp_nothing[] = {
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_device_id[] = {
    cwmp_text("Manufacturer", 64, 0, NULL),
    cwmp_text("OUI", 6, CWMP_TRIM, NULL),
    cwmp_text("ProductClass", 64, CWMP_TRIM, NULL),
    cwmp_text("SerialNumber", 64, CWMP_TRIM, NULL),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_event[] = {
    cwmp_text("EventCode", 64, CWMP_TRIM, NULL),
    cwmp_text("CommandKey", 32, 0, NULL),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_parameter_value[] = {
    cwmp_text("Name", 256, CWMP_TRIM|CWMP_NONEMPTY, NULL),
    cwmp_simple("Value", CWMP_T_VALUE, NULL),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_parameter_info[] = {
    cwmp_text("Name", 256, CWMP_TRIM, NULL),
    cwmp_simple("Writable", CWMP_T_BOOLEAN, NULL),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_fault_struct[] = {
    cwmp_simple("FaultCode", CWMP_T_UINT, NULL),
    cwmp_text("FaultString", 256, 0, NULL),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_parameter_fault[] = {
    cwmp_text("ParameterName", 256, CWMP_TRIM, NULL),
    cwmp_simple("FaultCode", CWMP_T_UINT, NULL),
    cwmp_text("FaultString", 256, 0, NULL),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_status[] = {
    cwmp_simple("Status", CWMP_T_INT, NULL),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_command_key[] = {
    cwmp_text("CommandKey", 32, 0, ""),
    cwmp_args_end
};


static const cwmp_arg_t  cwmp_inform[] = {
    { "DeviceId", CWMP_T_STRUCT, 0, 0, NULL, NULL, NULL, cwmp_device_id },
    cwmp_structs("Event", 0, "EventStruct", cwmp_event),
    cwmp_simple("MaxEnvelopes", CWMP_T_UINT, NULL),
    cwmp_simple("CurrentTime", CWMP_T_DATETIME, NULL),
    cwmp_simple("RetryCount", CWMP_T_UINT, NULL),
    cwmp_structs("ParameterList", 0, "ParameterValueStruct",
                 cwmp_parameter_value),
    cwmp_args_end
};

/* fallbacks of what we answer are the answer */

static const cwmp_arg_t  cwmp_inform_response[] = {
    cwmp_simple("MaxEnvelopes", CWMP_T_UINT, "1"),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_methods_response[] = {
    cwmp_strings("MethodList", 64, CWMP_TRIM, NULL),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_transfer_complete[] = {
    cwmp_text("CommandKey", 32, 0, NULL),
    { "FaultStruct", CWMP_T_STRUCT, 0, 0, NULL, NULL, NULL,
      cwmp_fault_struct },
    cwmp_simple("StartTime", CWMP_T_DATETIME, NULL),
    cwmp_simple("CompleteTime", CWMP_T_DATETIME, NULL),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_get_values[] = {
    cwmp_strings("ParameterNames", 256, CWMP_NONEMPTY|CWMP_TRIM, NULL),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_get_values_response[] = {
    cwmp_structs("ParameterList", 0, "ParameterValueStruct",
                 cwmp_parameter_value),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_set_values[] = {
    cwmp_structs("ParameterList", CWMP_NONEMPTY, "ParameterValueStruct",
                 cwmp_parameter_value),
    cwmp_text("ParameterKey", 32, 0, ""),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_get_names[] = {
    cwmp_text("ParameterPath", 256, CWMP_TRIM, ""),
    cwmp_simple("NextLevel", CWMP_T_BOOLEAN, "0"),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_get_names_response[] = {
    cwmp_structs("ParameterList", 0, "ParameterInfoStruct",
                 cwmp_parameter_info),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_object[] = {
    cwmp_text("ObjectName", 256, CWMP_NONEMPTY|CWMP_PATH_DOT|CWMP_TRIM, NULL),
    cwmp_text("ParameterKey", 32, 0, ""),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_add_object_response[] = {
    cwmp_simple("InstanceNumber", CWMP_T_UINT, NULL),
    cwmp_simple("Status", CWMP_T_INT, NULL),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_download[] = {
    cwmp_text("CommandKey", 32, 0, ""),
    cwmp_text("FileType", 64, CWMP_NONEMPTY, NULL),
    cwmp_text("URL", 256, CWMP_NONEMPTY|CWMP_URL, NULL),
    cwmp_text("Username", 256, 0, ""),
    cwmp_text("Password", 256, 0, ""),
    cwmp_simple("FileSize", CWMP_T_UINT, "0"),
    cwmp_text("TargetFileName", 256, 0, ""),
    cwmp_simple("DelaySeconds", CWMP_T_UINT, "0"),
    cwmp_text("SuccessURL", 256, 0, ""),
    cwmp_text("FailureURL", 256, 0, ""),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_transfer_response[] = {
    cwmp_simple("Status", CWMP_T_INT, NULL),
    cwmp_simple("StartTime", CWMP_T_DATETIME, NULL),
    cwmp_simple("CompleteTime", CWMP_T_DATETIME, NULL),
    cwmp_args_end
};


const cwmp_rpc_t  cwmp_rpcs[] = {
    { "Inform", CWMP_FROM_CPE,
      cwmp_inform, cwmp_inform_response },
    { "GetRPCMethods", CWMP_FROM_CPE|CWMP_FROM_ACS,
      cwmp_nothing, cwmp_methods_response },
    { "TransferComplete", CWMP_FROM_CPE,
      cwmp_transfer_complete, cwmp_nothing },
    { "GetParameterValues", CWMP_FROM_ACS,
      cwmp_get_values, cwmp_get_values_response },
    { "SetParameterValues", CWMP_FROM_ACS,
      cwmp_set_values, cwmp_status },
    { "GetParameterNames", CWMP_FROM_ACS,
      cwmp_get_names, cwmp_get_names_response },
    { "AddObject", CWMP_FROM_ACS,
      cwmp_object, cwmp_add_object_response },
    { "DeleteObject", CWMP_FROM_ACS,
      cwmp_object, cwmp_status },
    { "Reboot", CWMP_FROM_ACS,
      cwmp_command_key, cwmp_nothing },
    { "FactoryReset", CWMP_FROM_ACS,
      cwmp_nothing, cwmp_nothing },
    { "Download", CWMP_FROM_ACS,
      cwmp_download, cwmp_transfer_response },
    { NULL, 0, NULL, NULL }
};


const cwmp_arg_t  cwmp_fault_detail[] = {
    cwmp_simple("FaultCode", CWMP_T_UINT, NULL),
    cwmp_text("FaultString", 256, 0, NULL),
    { "SetParameterValuesFault", CWMP_T_STRUCTS, 0, CWMP_REPEATED, NULL,
      NULL, NULL, cwmp_parameter_fault },
    cwmp_args_end
};


static const cwmp_fault_t  cwmp_faults[] = {
    { 8000, "Server", "Method not supported" },
    { 8001, "Server", "Request denied" },
    { 8002, "Server", "Internal error" },
    { 8003, "Client", "Invalid arguments" },
    { 8004, "Server", "Resources exceeded" },
    { 8005, "Server", "Retry request" },
    { 8006, "Server", "ACS version incompatible with CPE" }
};


const cwmp_rpc_t *
cwmp_rpc_find(const unsigned char *name, size_t len)
{
    const cwmp_rpc_t  *rpc;

    for (rpc = cwmp_rpcs; rpc->name; rpc++) {
        if (strlen(rpc->name) == len && memcmp(rpc->name, name, len) == 0) {
            return rpc;
        }
    }

    return NULL;
}


const cwmp_fault_t *
cwmp_fault_find(unsigned code)
{
    size_t  i;

    for (i = 0; i < sizeof(cwmp_faults) / sizeof(cwmp_faults[0]); i++) {
        if (cwmp_faults[i].code == code) {
            return &cwmp_faults[i];
        }
    }

    /* 8007 to 8899, and whatever else there is, count as internal errors */

    return &cwmp_faults[2];
}
