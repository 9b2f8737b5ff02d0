
/*
 * The built-in data models: what each device of TR-181 or TR-098 has, then
 * rows of tables until there are as many parameters as were asked for.
 */

#include <string.h>

#include "model.h"


typedef struct {
    const char  *path;              /* {}: the row of a table */
    const char  *type;
    int          writable;
    const char  *value;
} gen_t;


/* First come those that an Inform must have. */

static const gen_t  tr181[] = {
    { "Device.RootDataModelVersion", "string", 0, "2.16" },
    { "Device.DeviceInfo.HardwareVersion", "string", 0, "HW1" },
    { "Device.DeviceInfo.SoftwareVersion", "string", 0, "4.0.2" },
    { "Device.DeviceInfo.ProvisioningCode", "string", 1, "" },
    { "Device.ManagementServer.ParameterKey", "string", 0, "" },
    { "Device.ManagementServer.ConnectionRequestURL", "string", 0, "" },
    { "Device.IP.Interface.1.IPv4Address.1.IPAddress", "string", 1,
      "192.0.2.1" },
    { "Device.DeviceInfo.Manufacturer", "string", 0, "" },
    { "Device.DeviceInfo.ManufacturerOUI", "string", 0, "" },
    { "Device.DeviceInfo.ProductClass", "string", 0, "" },
    { "Device.DeviceInfo.SerialNumber", "string", 0, "" },
    { "Device.DeviceInfo.ModelName", "string", 0, "Swarm One" },
    { "Device.DeviceInfo.UpTime", "unsignedInt", 0, "0" },
    { "Device.DeviceInfo.MemoryStatus.Free", "unsignedInt", 0, "61440" },
    { "Device.DeviceInfo.MemoryStatus.Total", "unsignedInt", 0, "262144" },
    { "Device.DeviceInfo.ProcessStatus.CPUUsage", "unsignedInt", 0, "7" },
    { "Device.ManagementServer.EnableCWMP", "boolean", 1, "1" },
    { "Device.ManagementServer.URL", "string", 1, "" },
    { "Device.ManagementServer.Username", "string", 1, "" },
    { "Device.ManagementServer.Password", "string", 1, "" },
    { "Device.ManagementServer.PeriodicInformEnable", "boolean", 1, "1" },
    { "Device.ManagementServer.PeriodicInformInterval", "unsignedInt", 1,
      "3600" },
    { "Device.ManagementServer.PeriodicInformTime", "dateTime", 1,
      "0001-01-01T00:00:00Z" },
    { "Device.ManagementServer.ConnectionRequestUsername", "string", 1, "" },
    { "Device.ManagementServer.ConnectionRequestPassword", "string", 1, "" },
    { "Device.ManagementServer.CWMPRetryMinimumWaitInterval", "unsignedInt",
      1, "5" },
    { "Device.Time.Enable", "boolean", 1, "1" },
    { "Device.Time.NTPServer1", "string", 1, "ntp.example" },
    { "Device.Time.NTPServer2", "string", 1, "" },
    { "Device.Time.LocalTimeZone", "string", 1, "CET-1CEST,M3.5.0,M10.5.0/3" },
    { "Device.WiFi.Radio.1.Enable", "boolean", 1, "1" },
    { "Device.WiFi.Radio.1.Channel", "unsignedInt", 1, "11" },
    { "Device.WiFi.SSID.1.SSID", "string", 1, "home & garden" },
    { "Device.WiFi.AccessPoint.1.Security.KeyPassphrase", "string", 1, "" },
    { "Device.NAT.PortMappingNumberOfEntries", "unsignedInt", 0, "1" },
    { "Device.NAT.PortMapping.", NULL, 1, "" },
    { "Device.NAT.PortMapping.1.", NULL, 1, "" },
    { "Device.NAT.PortMapping.1.Enable", "boolean", 1, "0" },
    { "Device.NAT.PortMapping.1.ExternalPort", "unsignedInt", 1, "8080" },
    { "Device.NAT.PortMapping.1.InternalPort", "unsignedInt", 1, "80" },
    { "Device.NAT.PortMapping.1.InternalClient", "string", 1, "192.168.1.9" },
    { "Device.NAT.PortMapping.1.Protocol", "string", 1, "TCP" },
    { "Device.NAT.PortMapping.1.Description", "string", 1, "" },
    { NULL, NULL, 0, NULL }
};

static const gen_t  tr181_rows[] = {
    { "Device.Hosts.Host.{}.HostName", "string", 0, "host-{}" },
    { "Device.Hosts.Host.{}.PhysAddress", "string", 0, "00:D0:9E:00:00:01" },
    { "Device.Hosts.Host.{}.IPAddress", "string", 0, "192.168.1.20" },
    { "Device.Hosts.Host.{}.Active", "boolean", 0, "1" },
    { "Device.Hosts.Host.{}.LeaseTimeRemaining", "int", 0, "43200" },
    { "Device.Hosts.Host.{}.AddressSource", "string", 0, "DHCP" },
    { "Device.Hosts.Host.{}.Layer1Interface", "string", 0,
      "Device.WiFi.SSID.1" },
    { "Device.Hosts.Host.{}.X_00D09E_Alias", "string", 1, "" },
    { NULL, NULL, 0, NULL }
};

#define WANIP  "InternetGatewayDevice.WANDevice.1.WANConnectionDevice.1."    \
               "WANIPConnection.1."

static const gen_t  tr098[] = {
    { "InternetGatewayDevice.DeviceSummary", "string", 0,
      "InternetGatewayDevice:1.8[](Baseline:1)" },
    { "InternetGatewayDevice.DeviceInfo.SpecVersion", "string", 0, "1.0" },
    { "InternetGatewayDevice.DeviceInfo.HardwareVersion", "string", 0, "HW1" },
    { "InternetGatewayDevice.DeviceInfo.SoftwareVersion", "string", 0,
      "4.0.2" },
    { "InternetGatewayDevice.DeviceInfo.ProvisioningCode", "string", 1, "" },
    { "InternetGatewayDevice.ManagementServer.ParameterKey", "string", 0,
      "" },
    { "InternetGatewayDevice.ManagementServer.ConnectionRequestURL", "string",
      0, "" },
    { WANIP "ExternalIPAddress", "string", 0, "192.0.2.1" },
    { "InternetGatewayDevice.DeviceInfo.Manufacturer", "string", 0, "" },
    { "InternetGatewayDevice.DeviceInfo.ManufacturerOUI", "string", 0, "" },
    { "InternetGatewayDevice.DeviceInfo.ProductClass", "string", 0, "" },
    { "InternetGatewayDevice.DeviceInfo.SerialNumber", "string", 0, "" },
    { "InternetGatewayDevice.DeviceInfo.ModelName", "string", 0, "Swarm One" },
    { "InternetGatewayDevice.DeviceInfo.UpTime", "unsignedInt", 0, "0" },
    { "InternetGatewayDevice.ManagementServer.URL", "string", 1, "" },
    { "InternetGatewayDevice.ManagementServer.Username", "string", 1, "" },
    { "InternetGatewayDevice.ManagementServer.Password", "string", 1, "" },
    { "InternetGatewayDevice.ManagementServer.PeriodicInformEnable",
      "boolean", 1, "1" },
    { "InternetGatewayDevice.ManagementServer.PeriodicInformInterval",
      "unsignedInt", 1, "3600" },
    { "InternetGatewayDevice.ManagementServer.ConnectionRequestUsername",
      "string", 1, "" },
    { "InternetGatewayDevice.ManagementServer.ConnectionRequestPassword",
      "string", 1, "" },
    { "InternetGatewayDevice.Time.NTPServer1", "string", 1, "ntp.example" },
    { "InternetGatewayDevice.Time.LocalTimeZone", "string", 1, "+01:00" },
    { "InternetGatewayDevice.LANDevice.1.WLANConfiguration.1.SSID", "string",
      1, "home & garden" },
    { "InternetGatewayDevice.LANDevice.1.WLANConfiguration.1.Channel",
      "unsignedInt", 1, "11" },
    { "InternetGatewayDevice.LANDevice.1.WLANConfiguration.1."
      "PreSharedKey.1.KeyPassphrase", "string", 1, "" },
    { WANIP "PortMappingNumberOfEntries", "unsignedInt", 0, "1" },
    { WANIP "PortMapping.", NULL, 1, "" },
    { WANIP "PortMapping.1.", NULL, 1, "" },
    { WANIP "PortMapping.1.PortMappingEnabled", "boolean", 1, "0" },
    { WANIP "PortMapping.1.ExternalPort", "unsignedInt", 1, "8080" },
    { WANIP "PortMapping.1.InternalPort", "unsignedInt", 1, "80" },
    { WANIP "PortMapping.1.InternalClient", "string", 1, "192.168.1.9" },
    { WANIP "PortMapping.1.PortMappingProtocol", "string", 1, "TCP" },
    { NULL, NULL, 0, NULL }
};

static const gen_t  tr098_rows[] = {
    { "InternetGatewayDevice.LANDevice.1.Hosts.Host.{}.HostName", "string", 0,
      "host-{}" },
    { "InternetGatewayDevice.LANDevice.1.Hosts.Host.{}.MACAddress", "string",
      0, "00:D0:9E:00:00:01" },
    { "InternetGatewayDevice.LANDevice.1.Hosts.Host.{}.IPAddress", "string",
      0, "192.168.1.20" },
    { "InternetGatewayDevice.LANDevice.1.Hosts.Host.{}.Active", "boolean", 0,
      "1" },
    { "InternetGatewayDevice.LANDevice.1.Hosts.Host.{}.LeaseTimeRemaining",
      "int", 0, "43200" },
    { "InternetGatewayDevice.LANDevice.1.Hosts.Host.{}.X_00D09E_Alias",
      "string", 1, "" },
    { NULL, NULL, 0, NULL }
};

static const struct {
    const char   *kind;
    const gen_t  *fixed;
    const gen_t  *rows;
} gens[] = {
    { "tr181", tr181, tr181_rows },
    { "tr098", tr098, tr098_rows }
};


/* The text with the row's number in it. */

static void
gen_expand(buf_t *b, const char *text, uint64_t row)
{
    const char  *mark = strstr(text, "{}");

    b->len = 0;

    if (mark) {
        buf_add(b, text, (size_t) (mark - text));
        buf_number(b, row);
        text = mark + 2;
    }

    buf_text(b, text);
    buf_room(b, 1);
}


/* Fewer than all rows of the list when there are enough parameters. */

static uint64_t
gen_put(const gen_t *g, uint64_t row, uint64_t parameters)
{
    buf_t                path = { NULL, 0, 0 }, value = { NULL, 0, 0 };
    uint64_t             n = 0;
    const model_type_t  *type;

    for ( ; g->path && n < parameters; g++) {
        gen_expand(&path, g->path, row);
        gen_expand(&value, g->value, row);
        type = g->type ? model_type(str_of(g->type)) : NULL;
        model_put((str_t) { path.p, path.len }, g->writable, type,
                  (str_t) { value.p, value.len });
        n += type != NULL;
    }

    buf_free(&path);
    buf_free(&value);
    return n;
}


void
modelgen_fill(const char *kind, uint64_t parameters)
{
    size_t    i;
    uint64_t  n, row;

    for (i = 0; i < sizeof(gens) / sizeof(gens[0]); i++) {
        if (strcmp(kind, gens[i].kind) != 0) {
            continue;
        }

        n = gen_put(gens[i].fixed, 0, parameters);

        for (row = 1; n < parameters; row++) {
            n += gen_put(gens[i].rows, row, parameters - n);
        }

        return;
    }

    die("--model %s: it can be tr181 or tr098", kind);
}
