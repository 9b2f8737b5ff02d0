
/*
 * Writes the Inform: who, which events, and as many parameters as were asked
 * for, first those that the data model forces into each Inform.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "identity.h"
#include "inform.h"
#include "soap.h"
#include "todo.h"


/* behind the root; those that the model does not have are left out */
static const char  *forced[] = {
    "RootDataModelVersion",
    "DeviceSummary",
    "DeviceInfo.SpecVersion",
    "DeviceInfo.HardwareVersion",
    "DeviceInfo.SoftwareVersion",
    "DeviceInfo.ProvisioningCode",
    "ManagementServer.ParameterKey",
    "ManagementServer.ConnectionRequestURL",
    "WANDevice.1.WANConnectionDevice.1.WANIPConnection.1.ExternalIPAddress",
    "IP.Interface.1.IPv4Address.1.IPAddress"
};

static struct {
    char    **paths;
    size_t    n;
    char     *headers;
} inform;


static int
inform_has(const char *path)
{
    size_t  i;

    for (i = 0; i < inform.n; i++) {
        if (strcmp(inform.paths[i], path) == 0) {
            return 1;
        }
    }

    return 0;
}


static void
inform_add(const entry_t *e)
{
    if (e && e->type && inform.n < settings.inform && !inform_has(e->path)) {
        inform.paths[inform.n++] = e->path;
    }
}


static void
inform_write_headers(void)
{
    buf_t  b = { NULL, 0, 0 };

    if (settings.session_timeout) {
        buf_format(&b, "<cwmp:SessionTimeout>%llu</cwmp:SessionTimeout>",
                   (unsigned long long) settings.session_timeout);
    }

    if (settings.versions) {
        buf_format(&b, "<cwmp:SupportedCWMPVersions>%s"
                       "</cwmp:SupportedCWMPVersions>", settings.versions);
    }

    buf_add(&b, "", 1);
    inform.headers = b.p;
}


void
inform_init(void)
{
    size_t           i;
    char             path[256];
    cpe_t           *cpe = cpe_at(0);
    const entry_t   *e;
    model_walk_t     w;

    inform.paths = mem_alloc((settings.inform + 1) * sizeof(char *));

    for (i = 0; i < sizeof(forced) / sizeof(forced[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", model_root(), forced[i]);
        inform_add(model_find(cpe, str_of(path)));
    }

    model_walk(&w, cpe, str_of(""));

    while (inform.n < settings.inform && (e = model_next(&w)) != NULL) {
        inform_add(e);
    }

    inform_write_headers();
}


static void
inform_device(buf_t *b, uint32_t number)
{
    buf_t  serial = { NULL, 0, 0 };

    identity_expand(&serial, settings.serial, number);
    buf_lit(b, "<DeviceId>");
    soap_element(b, "Manufacturer", settings.manufacturer,
                 strlen(settings.manufacturer));
    soap_element(b, "OUI", settings.oui, strlen(settings.oui));
    soap_element(b, "ProductClass", settings.product_class,
                 strlen(settings.product_class));
    soap_element(b, "SerialNumber", serial.p, serial.len);
    buf_lit(b, "</DeviceId>");
    buf_free(&serial);
}


static void
inform_parameters(buf_t *b, cpe_t *cpe)
{
    size_t          i, n = 0;
    static buf_t    rows;
    const entry_t  *e;

    rows.len = 0;

    for (i = 0; i < inform.n; i++) {
        e = model_find(cpe, str_of(inform.paths[i]));

        if (e) {
            soap_value(&rows, str_of(e->path), e->type->name,
                       model_value(cpe, e));
            n++;
        }
    }

    soap_array(b, "ParameterList", "cwmp:ParameterValueStruct", n);
    buf_add(b, rows.p, rows.len);
    soap_array_end(b, "ParameterList");
}


void
inform_write(session_t *s)
{
    char    id[12];
    buf_t  *b = &s->body;

    b->len = 0;
    snprintf(id, sizeof(id), "%u", ++s->ids);
    soap_begin(b, str_of(id), inform.headers);
    buf_lit(b, "<cwmp:Inform>");
    inform_device(b, s->cpe->number);
    todo_events(b, s->cpe);
    soap_number(b, "MaxEnvelopes", 1);
    soap_time(b, "CurrentTime", clock_ns());
    soap_number(b, "RetryCount", s->cpe->retries);
    inform_parameters(b, s->cpe);
    buf_lit(b, "</cwmp:Inform>");
    soap_end(b);
}
