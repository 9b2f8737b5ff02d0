
/*
 * Writes what a CPE says.  Knows the shape of SOAP and of CWMP's arrays and
 * faults; which RPC says what is in rpc.c and inform.c.
 */

#include <string.h>

#include "settings.h"
#include "soap.h"


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


void
soap_fault(buf_t *b, str_t id, unsigned code, const char *text)
{
    soap_begin(b, id, NULL);
    buf_lit(b, "<soap-env:Fault><faultcode>");
    buf_text(b, code == 9000 || code == 9002 || code == 9004 ? "Server"
                                                             : "Client");
    buf_lit(b, "</faultcode><faultstring>CWMP fault</faultstring>"
               "<detail><cwmp:Fault>");
    soap_number(b, "FaultCode", code);
    soap_element(b, "FaultString", text, strlen(text));
    buf_lit(b, "</cwmp:Fault></detail></soap-env:Fault>");
    soap_end(b);
}
