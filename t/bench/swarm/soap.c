
/*
 * Writes what a CPE says.  Knows the shape of SOAP and of CWMP's arrays and
 * faults; which RPC says what is in rpc.c and inform.c.
 */

#include <string.h>
#include <time.h>

#include "settings.h"
#include "soap.h"
#include "timer.h"


void
soap_begin(buf_t *b, str_t id, const char *headers)
{
    buf_lit(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
               "<soap-env:Envelope"
               " xmlns:soap-env=\"http://schemas.xmlsoap.org/soap/envelope/\""
               " xmlns:soap-enc=\"http://schemas.xmlsoap.org/soap/encoding/\""
               " xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\""
               " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\""
               " xmlns:cwmp=\"");
    buf_text(b, settings.ns);
    buf_lit(b, "\"><soap-env:Header>");

    if (id.p) {
        buf_lit(b, "<cwmp:ID soap-env:mustUnderstand=\"1\">");
        buf_escaped(b, id.p, id.len);
        buf_lit(b, "</cwmp:ID>");
    }

    if (headers) {
        buf_text(b, headers);
    }

    buf_lit(b, "</soap-env:Header><soap-env:Body>");
}


void
soap_end(buf_t *b)
{
    buf_lit(b, "</soap-env:Body></soap-env:Envelope>\n");
}


void
soap_element(buf_t *b, const char *name, const char *text, size_t n)
{
    buf_lit(b, "<");
    buf_text(b, name);
    buf_lit(b, ">");
    buf_escaped(b, text, n);
    buf_lit(b, "</");
    buf_text(b, name);
    buf_lit(b, ">");
}


void
soap_number(buf_t *b, const char *name, uint64_t n)
{
    buf_lit(b, "<");
    buf_text(b, name);
    buf_lit(b, ">");
    buf_number(b, n);
    buf_lit(b, "</");
    buf_text(b, name);
    buf_lit(b, ">");
}


void
soap_array(buf_t *b, const char *name, const char *type, size_t n)
{
    buf_lit(b, "<");
    buf_text(b, name);
    buf_lit(b, " soap-enc:arrayType=\"");
    buf_text(b, type);
    buf_lit(b, "[");
    buf_number(b, n);
    buf_lit(b, "]\">");
}


void
soap_array_end(buf_t *b, const char *name)
{
    buf_lit(b, "</");
    buf_text(b, name);
    buf_lit(b, ">");
}


void
soap_value(buf_t *b, str_t name, const char *type, str_t value)
{
    buf_lit(b, "<ParameterValueStruct><Name>");
    buf_escaped(b, name.p, name.len);
    buf_lit(b, "</Name><Value xsi:type=\"");
    buf_text(b, type);
    buf_lit(b, "\">");
    buf_escaped(b, value.p, value.len);
    buf_lit(b, "</Value></ParameterValueStruct>");
}


static const struct {
    unsigned     code;
    int          server;            /* whose fault */
    const char  *text;
} faults[] = {
    { 9000, 1, "Method not supported" },
    { 9001, 1, "Request denied" },
    { 9002, 1, "Internal error" },
    { 9003, 0, "Invalid arguments" },
    { 9004, 1, "Resources exceeded" },
    { 9005, 0, "Invalid parameter name" },
    { 9006, 0, "Invalid parameter type" },
    { 9007, 0, "Invalid parameter value" },
    { 9008, 0, "Attempt to set a non-writable parameter" },
    { 9009, 1, "Notification request rejected" },
    { 9013, 1, "Unsupported protocol for file transfer" },
    { 9021, 0, "Cancelation of file transfer not permitted" }
};


static size_t
fault_row(unsigned code)
{
    size_t  i;

    for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        if (faults[i].code == code) {
            return i;
        }
    }

    return 2;
}


void
soap_fault_code(buf_t *b, unsigned code)
{
    const char  *text = faults[fault_row(code)].text;

    soap_number(b, "FaultCode", code);
    soap_element(b, "FaultString", text, strlen(text));
}


void
soap_fault(buf_t *b, str_t id, unsigned code, const buf_t *details)
{
    soap_begin(b, id, NULL);
    buf_lit(b, "<soap-env:Fault><faultcode>");
    buf_text(b, faults[fault_row(code)].server ? "Server" : "Client");
    buf_lit(b, "</faultcode><faultstring>CWMP fault</faultstring>"
               "<detail><cwmp:Fault>");
    soap_fault_code(b, code);
    buf_add(b, details->p, details->len);
    buf_lit(b, "</cwmp:Fault></detail></soap-env:Fault>");
    soap_end(b);
}


/* A time of the monotonic clock, as of the calendar, in UTC. */

void
soap_time(buf_t *b, const char *name, uint64_t ns)
{
    char              text[32];
    time_t            s;
    struct tm         tm;
    static time_t     told;
    static char       last[32];

    s = time(NULL) - (time_t) ((clock_ns() - ns) / NS_S);

    if (s != told) {
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&s, &tm));
        memcpy(last, text, sizeof(last));
        told = s;
    }

    soap_element(b, name, last, strlen(last));
}
