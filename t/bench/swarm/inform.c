#include <stdio.h>
#include <time.h>
#include "inform.h"
#include "soap.h"

void
inform_write(session_t *s)
{
    unsigned i;
    char name[80], id[16], now[40];
    time_t t = time(NULL);
    struct tm tm;
    buf_t *b = &s->body;
    str_t n, v = { "value", 5 };

    b->len = 0;
    n.p = id;
    n.len = (size_t) sprintf(id, "%u", ++s->ids);
    soap_begin(b, n, NULL);
    strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
    buf_format(b, "<cwmp:Inform><DeviceId><Manufacturer>%s</Manufacturer><OUI>%s</OUI><ProductClass>%s</ProductClass><SerialNumber>%08u</SerialNumber></DeviceId>",
      settings.manufacturer, settings.oui, settings.product_class, s->cpe->number);
    buf_format(b, "<Event soap-enc:arrayType=\"cwmp:EventStruct[1]\"><EventStruct><EventCode>2 PERIODIC</EventCode><CommandKey></CommandKey></EventStruct></Event><MaxEnvelopes>1</MaxEnvelopes><CurrentTime>%s</CurrentTime><RetryCount>0</RetryCount>", now);
    soap_array(b, "ParameterList", "cwmp:ParameterValueStruct", settings.inform);
    for (i = 0; i < settings.inform; i++) {
        n.p = name;
        n.len = (size_t) sprintf(name, "Device.Hosts.Host.%u.HostName", i + 1);
        soap_value(b, n, "xsd:string", v);
    }
    soap_array_end(b, "ParameterList");
    buf_text(b, "</cwmp:Inform>");
    soap_end(b);
}
