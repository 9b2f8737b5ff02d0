
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

#define cwmp_choice(name, max, choices)                                       \
    { name, CWMP_T_STRING, max, CWMP_NONEMPTY, NULL, NULL, NULL, choices }

#define cwmp_one(choice)                                                      \
    { choice, CWMP_T_STRING, 0, 0, NULL, NULL, NULL, NULL }

#define cwmp_simple(name, type, fallback)                                     \
    { name, type, 0, 0, fallback, NULL, NULL, NULL }

#define cwmp_strings(name, max, flags, fallback)                              \
    cwmp_some_strings(name, max, flags, fallback, NULL)

#define cwmp_some_strings(name, max, flags, fallback, choices)                \
    { name, CWMP_T_STRINGS, max, flags, fallback, "string", "xsd:string",     \
      choices }

#define cwmp_number(name, type, max, flags, fallback)                         \
    { name, type, max, flags, fallback, NULL, NULL, NULL }

#define cwmp_structs(name, flags, item, fields)                               \
    cwmp_some_structs(name, 0, flags, item, fields)

#define cwmp_some_structs(name, max, flags, item, fields)                     \
    { name, CWMP_T_STRUCTS, max, flags, NULL, item, "cwmp:" item, fields }

#define cwmp_struct(name, fields)                                             \
    { name, CWMP_T_STRUCT, 0, 0, NULL, NULL, NULL, fields }

#define cwmp_repeated(name, fields)                                           \
    { name, CWMP_T_STRUCTS, 0, CWMP_REPEATED, NULL, NULL, NULL, fields }

#define cwmp_variants(name, member, fields)                                   \
    { name, CWMP_T_VARIANTS, 0, CWMP_REPEATED|CWMP_NONEMPTY, NULL, member,    \
      NULL, fields }


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
    cwmp_text("Name", 256, CWMP_TRIM|CWMP_NONEMPTY|CWMP_NAME, NULL),
    cwmp_simple("Value", CWMP_T_VALUE, NULL),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_parameter_info[] = {
    cwmp_text("Name", 256, CWMP_TRIM|CWMP_NAME, NULL),
    cwmp_simple("Writable", CWMP_T_BOOLEAN, NULL),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_fault_struct[] = {
    cwmp_simple("FaultCode", CWMP_T_UINT, NULL),
    cwmp_text("FaultString", 256, CWMP_CUT, NULL),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_parameter_fault[] = {
    cwmp_text("ParameterName", 256, CWMP_TRIM|CWMP_NAME, NULL),
    cwmp_simple("FaultCode", CWMP_T_UINT, NULL),
    cwmp_text("FaultString", 256, CWMP_CUT, NULL),
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
    cwmp_struct("DeviceId", cwmp_device_id),
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
    cwmp_struct("FaultStruct", cwmp_fault_struct),
    cwmp_simple("StartTime", CWMP_T_DATETIME, NULL),
    cwmp_simple("CompleteTime", CWMP_T_DATETIME, NULL),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_get_values[] = {
    cwmp_strings("ParameterNames", 256, CWMP_NONEMPTY|CWMP_TRIM|CWMP_NAME
                                        |CWMP_WILDCARD, NULL),
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
    cwmp_text("ParameterPath", 256, CWMP_TRIM|CWMP_NAME|CWMP_WILDCARD, ""),
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

static const cwmp_arg_t  cwmp_instance[] = {
    cwmp_text("ObjectName", 256, CWMP_NONEMPTY|CWMP_PATH_DOT|CWMP_INSTANCE
                                 |CWMP_TRIM, NULL),
    cwmp_text("ParameterKey", 32, 0, ""),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_add_object_response[] = {
    cwmp_simple("InstanceNumber", CWMP_T_UINT, NULL),
    cwmp_simple("Status", CWMP_T_INT, NULL),
    cwmp_args_end
};

/* CWMP's own, and those of vendors (the schema's patterns would let any other
   number pass, which no standard has) */

static const cwmp_arg_t  cwmp_download_types[] = {
    cwmp_one("1 Firmware Upgrade Image"),
    cwmp_one("2 Web Content"),
    cwmp_one("3 Vendor Configuration File"),
    cwmp_one("4 Tone File"),
    cwmp_one("5 Ringer File"),
    cwmp_one("6 Stored Firmware Image"),
    cwmp_one("X <VENDOR> <id>"),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_download[] = {
    cwmp_text("CommandKey", 32, 0, ""),
    cwmp_choice("FileType", 64, cwmp_download_types),
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


/* attributes of parameters */

/* TR-069 A.3.2.4 has those of vendors, the schema has not */

static const cwmp_arg_t  cwmp_entities[] = {
    cwmp_one("Subscriber"),
    cwmp_one("X_<VENDOR>"),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_set_attributes_row[] = {
    cwmp_text("Name", 256, CWMP_TRIM|CWMP_NAME, NULL),
    cwmp_number("NotificationChange", CWMP_T_BOOLEAN, 0, CWMP_CHANGE, "0"),
    cwmp_number("Notification", CWMP_T_INT, 6, 0, "0"),
    cwmp_number("AccessListChange", CWMP_T_BOOLEAN, 0, CWMP_CHANGE, "0"),
    cwmp_some_strings("AccessList", 64, CWMP_TRIM, "", cwmp_entities),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_set_attributes[] = {
    cwmp_structs("ParameterList", CWMP_NONEMPTY, "SetParameterAttributesStruct",
                 cwmp_set_attributes_row),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_attribute[] = {
    cwmp_text("Name", 256, CWMP_TRIM|CWMP_NAME, NULL),
    cwmp_simple("Notification", CWMP_T_INT, NULL),
    cwmp_strings("AccessList", 64, CWMP_TRIM, NULL),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_get_attributes_response[] = {
    cwmp_structs("ParameterList", 0, "ParameterAttributeStruct",
                 cwmp_attribute),
    cwmp_args_end
};


/* transfers */

static const cwmp_arg_t  cwmp_upload_types[] = {
    cwmp_one("1 Vendor Configuration File"),
    cwmp_one("2 Vendor Log File"),
    cwmp_one("3 Vendor Configuration File <i>"),
    cwmp_one("4 Vendor Log File <i>"),
    cwmp_one("X <VENDOR> <id>"),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_upload[] = {
    cwmp_text("CommandKey", 32, 0, ""),
    cwmp_choice("FileType", 64, cwmp_upload_types),
    cwmp_text("URL", 256, CWMP_NONEMPTY|CWMP_URL, NULL),
    cwmp_text("Username", 256, 0, ""),
    cwmp_text("Password", 256, 0, ""),
    cwmp_simple("DelaySeconds", CWMP_T_UINT, "0"),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_window_modes[] = {
    cwmp_one("1 At Any Time"),
    cwmp_one("2 Immediately"),
    cwmp_one("3 When Idle"),
    cwmp_one("4 Confirmation Needed"),
    cwmp_one("X <VENDOR> <id>"),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_time_window[] = {
    cwmp_simple("WindowStart", CWMP_T_UINT, NULL),
    cwmp_simple("WindowEnd", CWMP_T_UINT, NULL),
    cwmp_choice("WindowMode", 64, cwmp_window_modes),
    cwmp_text("UserMessage", 256, 0, ""),
    cwmp_number("MaxRetries", CWMP_T_INT, 0, CWMP_MINUS_ONE, "0"),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_schedule_download[] = {
    cwmp_text("CommandKey", 32, 0, ""),
    cwmp_choice("FileType", 64, cwmp_download_types),
    cwmp_text("URL", 256, CWMP_NONEMPTY|CWMP_URL, NULL),
    cwmp_text("Username", 256, 0, ""),
    cwmp_text("Password", 256, 0, ""),
    cwmp_simple("FileSize", CWMP_T_UINT, "0"),
    cwmp_text("TargetFileName", 256, 0, ""),
    cwmp_some_structs("TimeWindowList", 2, CWMP_NONEMPTY, "TimeWindowStruct",
                      cwmp_time_window),
    cwmp_args_end
};

/* the key is another task's: none is made up */

static const cwmp_arg_t  cwmp_cancel_transfer[] = {
    cwmp_text("CommandKey", 32, CWMP_NONEMPTY, NULL),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_queued_transfer[] = {
    cwmp_text("CommandKey", 32, 0, NULL),
    cwmp_simple("State", CWMP_T_INT, NULL),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_queued_response[] = {
    cwmp_structs("TransferList", 0, "QueuedTransferStruct",
                 cwmp_queued_transfer),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_any_transfer[] = {
    cwmp_text("CommandKey", 32, 0, NULL),
    cwmp_simple("State", CWMP_T_INT, NULL),
    cwmp_simple("IsDownload", CWMP_T_BOOLEAN, NULL),
    cwmp_text("FileType", 64, 0, NULL),
    cwmp_simple("FileSize", CWMP_T_UINT, NULL),
    cwmp_text("TargetFileName", 256, 0, NULL),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_all_queued_response[] = {
    cwmp_structs("TransferList", 0, "AllQueuedTransferStruct",
                 cwmp_any_transfer),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_autonomous_transfer[] = {
    cwmp_text("AnnounceURL", 1024, 0, NULL),
    cwmp_text("TransferURL", 1024, 0, NULL),
    cwmp_simple("IsDownload", CWMP_T_BOOLEAN, NULL),
    cwmp_text("FileType", 64, 0, NULL),
    cwmp_simple("FileSize", CWMP_T_UINT, NULL),
    cwmp_text("TargetFileName", 256, 0, NULL),
    cwmp_struct("FaultStruct", cwmp_fault_struct),
    cwmp_simple("StartTime", CWMP_T_DATETIME, NULL),
    cwmp_simple("CompleteTime", CWMP_T_DATETIME, NULL),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_file_type_arg[] = {
    cwmp_text("Name", 64, 0, NULL),
    cwmp_text("Value", 256, 0, NULL),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_request_download[] = {
    cwmp_text("FileType", 64, 0, NULL),
    cwmp_structs("FileTypeArg", 0, "ArgStruct", cwmp_file_type_arg),
    cwmp_args_end
};


/* informs and kicks */

static const cwmp_arg_t  cwmp_schedule_inform[] = {
    cwmp_number("DelaySeconds", CWMP_T_UINT, 0, CWMP_POSITIVE, NULL),
    cwmp_text("CommandKey", 32, 0, ""),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_kicked[] = {
    cwmp_text("Command", 32, 0, NULL),
    cwmp_text("Referer", 64, 0, NULL),
    cwmp_text("Arg", 256, 0, NULL),
    cwmp_text("Next", 1024, 0, NULL),
    cwmp_args_end
};

/* whatever Next says: somebody's browser is sent there */

static const cwmp_arg_t  cwmp_kicked_response[] = {
    cwmp_text("NextURL", 1024, 0, ""),
    cwmp_args_end
};


/* options and vouchers */

static const cwmp_arg_t  cwmp_set_vouchers[] = {
    { "VoucherList", CWMP_T_STRINGS, 0, CWMP_NONEMPTY|CWMP_ENCODED, NULL,
      "base64", "soap-enc:base64", NULL },
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_get_options[] = {
    cwmp_text("OptionName", 64, 0, ""),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_option[] = {
    cwmp_text("OptionName", 64, 0, NULL),
    cwmp_simple("VoucherSN", CWMP_T_UINT, NULL),
    cwmp_simple("State", CWMP_T_UINT, NULL),
    cwmp_simple("Mode", CWMP_T_INT, NULL),
    cwmp_simple("StartDate", CWMP_T_DATETIME, NULL),
    cwmp_number("ExpirationDate", CWMP_T_DATETIME, 0, CWMP_OPTIONAL, NULL),
    cwmp_simple("IsTransferable", CWMP_T_BOOLEAN, NULL),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_get_options_response[] = {
    cwmp_structs("OptionList", 0, "OptionStruct", cwmp_option),
    cwmp_args_end
};


/* deployment units */

#define cwmp_optional(name, max)                                              \
    cwmp_text(name, max, CWMP_OPTIONAL, NULL)

static const cwmp_arg_t  cwmp_install[] = {
    cwmp_text("URL", 1024, CWMP_NONEMPTY|CWMP_URL, NULL),
    cwmp_text("UUID", 36, CWMP_OPTIONAL|CWMP_UUID, NULL),
    cwmp_optional("Username", 256),
    cwmp_optional("Password", 256),
    cwmp_optional("ExecutionEnvRef", 256),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_update[] = {
    cwmp_text("UUID", 36, CWMP_OPTIONAL|CWMP_UUID, NULL),
    cwmp_optional("Version", 32),
    cwmp_text("URL", 1024, CWMP_OPTIONAL|CWMP_URL, NULL),
    cwmp_optional("Username", 256),
    cwmp_optional("Password", 256),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_uninstall[] = {
    cwmp_text("UUID", 36, CWMP_NONEMPTY|CWMP_UUID, NULL),
    cwmp_optional("Version", 32),
    cwmp_optional("ExecutionEnvRef", 256),
    cwmp_args_end
};

#define cwmp_variant(name, xsi_type, fields)                                  \
    { name, CWMP_T_STRUCT, 0, 0, NULL, NULL, xsi_type, fields }

static const cwmp_arg_t  cwmp_operations[] = {
    cwmp_variant("Install", "cwmp:InstallOpStruct", cwmp_install),
    cwmp_variant("Update", "cwmp:UpdateOpStruct", cwmp_update),
    cwmp_variant("Uninstall", "cwmp:UninstallOpStruct", cwmp_uninstall),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_change_du_state[] = {
    cwmp_variants("Operations", "Operation", cwmp_operations),
    cwmp_text("CommandKey", 32, 0, ""),
    cwmp_args_end
};

#define CWMP_DU_RESULT                                                        \
    cwmp_text("UUID", 36, 0, NULL),                                           \
    cwmp_text("DeploymentUnitRef", 256, 0, NULL),                             \
    cwmp_text("Version", 32, 0, NULL),                                        \
    cwmp_text("CurrentState", 0, CWMP_TRIM, NULL),                            \
    cwmp_simple("Resolved", CWMP_T_BOOLEAN, NULL),                            \
    cwmp_text("ExecutionUnitRefList", 0, 0, NULL),                            \
    cwmp_simple("StartTime", CWMP_T_DATETIME, NULL),                          \
    cwmp_simple("CompleteTime", CWMP_T_DATETIME, NULL),                       \
    cwmp_struct("Fault", cwmp_fault_struct)

static const cwmp_arg_t  cwmp_du_result[] = {
    CWMP_DU_RESULT,
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_autonomous_du_result[] = {
    CWMP_DU_RESULT,
    cwmp_text("OperationPerformed", 0, CWMP_TRIM, NULL),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_du_complete[] = {
    cwmp_repeated("Results", cwmp_du_result),
    cwmp_text("CommandKey", 32, 0, NULL),
    cwmp_args_end
};

static const cwmp_arg_t  cwmp_autonomous_du_complete[] = {
    cwmp_repeated("Results", cwmp_autonomous_du_result),
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
    { "AddObject", CWMP_FROM_ACS|CWMP_ONCE,
      cwmp_object, cwmp_add_object_response },
    { "DeleteObject", CWMP_FROM_ACS|CWMP_ONCE,
      cwmp_instance, cwmp_status },
    { "Reboot", CWMP_FROM_ACS|CWMP_ONCE,
      cwmp_command_key, cwmp_nothing },
    { "FactoryReset", CWMP_FROM_ACS|CWMP_ONCE,
      cwmp_nothing, cwmp_nothing },
    { "Download", CWMP_FROM_ACS|CWMP_ONCE,
      cwmp_download, cwmp_transfer_response },
    { "Upload", CWMP_FROM_ACS|CWMP_ONCE,
      cwmp_upload, cwmp_transfer_response },
    { "ScheduleDownload", CWMP_FROM_ACS|CWMP_ONCE,
      cwmp_schedule_download, cwmp_nothing },
    { "ScheduleInform", CWMP_FROM_ACS|CWMP_ONCE,
      cwmp_schedule_inform, cwmp_nothing },
    { "CancelTransfer", CWMP_FROM_ACS,
      cwmp_cancel_transfer, cwmp_nothing },
    { "GetQueuedTransfers", CWMP_FROM_ACS,
      cwmp_nothing, cwmp_queued_response },
    { "GetAllQueuedTransfers", CWMP_FROM_ACS,
      cwmp_nothing, cwmp_all_queued_response },
    { "SetParameterAttributes", CWMP_FROM_ACS,
      cwmp_set_attributes, cwmp_nothing },
    { "GetParameterAttributes", CWMP_FROM_ACS,
      cwmp_get_values, cwmp_get_attributes_response },
    { "SetVouchers", CWMP_FROM_ACS,
      cwmp_set_vouchers, cwmp_nothing },
    { "GetOptions", CWMP_FROM_ACS,
      cwmp_get_options, cwmp_get_options_response },
    { "ChangeDUState", CWMP_FROM_ACS|CWMP_ONCE,
      cwmp_change_du_state, cwmp_nothing },
    { "AutonomousTransferComplete", CWMP_FROM_CPE,
      cwmp_autonomous_transfer, cwmp_nothing },
    { "RequestDownload", CWMP_FROM_CPE,
      cwmp_request_download, cwmp_nothing },
    { "Kicked", CWMP_FROM_CPE,
      cwmp_kicked, cwmp_kicked_response },
    { "DUStateChangeComplete", CWMP_FROM_CPE,
      cwmp_du_complete, cwmp_nothing },
    { "AutonomousDUStateChangeComplete", CWMP_FROM_CPE,
      cwmp_autonomous_du_complete, cwmp_nothing },
    { NULL, 0, NULL, NULL }
};


const cwmp_arg_t  cwmp_fault_detail[] = {
    cwmp_simple("FaultCode", CWMP_T_UINT, NULL),
    cwmp_text("FaultString", 256, CWMP_CUT, NULL),
    cwmp_repeated("SetParameterValuesFault", cwmp_parameter_fault),
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


unsigned
cwmp_cells(const cwmp_arg_t *args, const cwmp_arg_t *end)
{
    unsigned  n;

    for (n = 0; args->name && args != end; args++) {
        n += (args->type == CWMP_T_STRUCT) ? cwmp_cells(args->fields, NULL)
                                           : 1;
    }

    return n;
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
