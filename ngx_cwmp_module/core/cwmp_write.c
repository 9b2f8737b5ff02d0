
/*
 * From decisions to bytes: an envelope is a fixed beginning, an optional ID,
 * the arguments as a walk over the RPC's rows with a node beside each, and a
 * fixed end.  Nothing is gathered or measured: bytes go where the caller says,
 * in pieces of any size.  It checks no task (lengths, types, missing
 * arguments): that is done before; whatever it is given, the output stays
 * well-formed, because all text goes through cwmp_write_text().
 */

#include <string.h>

#include "cwmp_write.h"


static void cwmp_begin(cwmp_out_t *out, cwmp_ns_t ns, const cwmp_str_t *id);
static void cwmp_write_header(cwmp_out_t *out, const cwmp_str_t *id);
static cwmp_rc_t cwmp_end(cwmp_out_t *out);
static void cwmp_write_soap(cwmp_out_t *out, const char *open,
    const char *name);
static void cwmp_write_args(cwmp_out_t *out, const cwmp_arg_t *args,
    const cwmp_node_t *nodes, size_t n);
static void cwmp_write_arg(cwmp_out_t *out, const cwmp_arg_t *arg,
    const cwmp_node_t *node);
static void cwmp_write_array(cwmp_out_t *out, const cwmp_arg_t *arg,
    const cwmp_node_t *node);
static void cwmp_write_scalar(cwmp_out_t *out, const cwmp_arg_t *arg,
    const cwmp_node_t *node);
static void cwmp_write_variants(cwmp_out_t *out, const cwmp_arg_t *arg,
    const cwmp_node_t *node);
static void cwmp_write_methods(cwmp_out_t *out, const cwmp_arg_t *arg);
static void cwmp_write_array_open(cwmp_out_t *out, const cwmp_arg_t *arg,
    size_t n);
static void cwmp_write_tag(cwmp_out_t *out, const char *open,
    const char *name, const char *suffix);
static void cwmp_write_opened(cwmp_out_t *out);
static void cwmp_write_number(cwmp_out_t *out, size_t n);


static const char  *cwmp_uris[CWMP_NS_COUNT] = {
    "urn:dslforum-org:cwmp-1-0",
    "urn:dslforum-org:cwmp-1-1",
    "urn:dslforum-org:cwmp-1-2",
    "urn:dslforum-org:cwmp-1-3",
    "urn:dslforum-org:cwmp-1-4"
};

static const cwmp_node_t  cwmp_no_node;


const char *
cwmp_ns_uri(cwmp_ns_t ns)
{
    return cwmp_uris[(unsigned) ns < CWMP_NS_COUNT ? ns : CWMP_NS_1_0];
}


cwmp_rc_t
cwmp_write_request(cwmp_out_t *out, cwmp_ns_t ns, const cwmp_str_t *id,
    const cwmp_rpc_t *rpc, const cwmp_node_t *args)
{
    size_t  n;

    for (n = 0; rpc->request[n].name; n++) { /* void */ }

    cwmp_begin(out, ns, id);
    cwmp_write_tag(out, "<cwmp:", rpc->name, "");
    cwmp_write_args(out, rpc->request, args, n);
    cwmp_write_tag(out, "</cwmp:", rpc->name, "");

    return cwmp_end(out);
}


cwmp_rc_t
cwmp_write_response(cwmp_out_t *out, cwmp_ns_t ns, const cwmp_str_t *id,
    const cwmp_rpc_t *rpc)
{
    const cwmp_arg_t  *arg;

    cwmp_begin(out, ns, id);
    cwmp_write_tag(out, "<cwmp:", rpc->name, "Response");

    /* the fallbacks of a response that we give are what we answer */

    for (arg = rpc->response; arg->name; arg++) {

        if (arg->type == CWMP_T_STRINGS) {
            cwmp_write_methods(out, arg);
            continue;
        }

        cwmp_write_tag(out, "<", arg->name, "");
        cwmp_put_str(out, arg->fallback ? arg->fallback : "");
        cwmp_write_tag(out, "</", arg->name, "");
    }

    cwmp_write_tag(out, "</cwmp:", rpc->name, "Response");

    return cwmp_end(out);
}


cwmp_rc_t
cwmp_write_fault(cwmp_out_t *out, cwmp_ns_t ns, const cwmp_str_t *id,
    unsigned code)
{
    const cwmp_fault_t  *fault;

    fault = cwmp_fault_find(code);

    /* a vendor's code keeps its number and reads as an internal error */

    if (code < 8000 || code > 8899) {
        code = fault->code;
    }

    cwmp_begin(out, ns, id);
    cwmp_write_soap(out, "<", "Fault><faultcode>");
    cwmp_put_str(out, fault->type);
    cwmp_put_lit(out, "</faultcode><faultstring>CWMP fault</faultstring>"
                      "<detail><cwmp:Fault><FaultCode>");
    cwmp_write_number(out, code);
    cwmp_put_lit(out, "</FaultCode><FaultString>");
    cwmp_put_str(out, fault->text);
    cwmp_put_lit(out, "</FaultString></cwmp:Fault></detail>");
    cwmp_write_soap(out, "</", "Fault>");

    return cwmp_end(out);
}


/* SOAP's own fault: one about a header has no detail */

cwmp_rc_t
cwmp_write_not_understood(cwmp_out_t *out, cwmp_ns_t ns, const cwmp_str_t *id,
    const cwmp_str_t *header)
{
    cwmp_begin(out, ns, id);
    cwmp_write_soap(out, "<", "Fault><faultcode>");
    cwmp_write_soap(out, "", "MustUnderstand</faultcode>"
                             "<faultstring>Header not understood: ");
    cwmp_write_text(out, header);
    cwmp_put_lit(out, "</faultstring>");
    cwmp_write_soap(out, "</", "Fault>");

    return cwmp_end(out);
}


static void
cwmp_begin(cwmp_out_t *out, cwmp_ns_t ns, const cwmp_str_t *id)
{
    if (!out->style.bare) {
        cwmp_put_lit(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    }

    cwmp_write_soap(out, "<", "Envelope xmlns:");
    cwmp_put_str(out, cwmp_style_envelope(&out->style));
    cwmp_put_lit(out, "=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:");
    cwmp_put_str(out, cwmp_style_encoding(&out->style));
    cwmp_put_lit(out,
        "=\"http://schemas.xmlsoap.org/soap/encoding/\""
        " xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\""
        " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\""
        " xmlns:cwmp=\"");
    cwmp_put_str(out, cwmp_ns_uri(ns));
    cwmp_put_lit(out, "\">");

    if (id || out->use_version) {
        cwmp_write_header(out, id);
    }

    cwmp_write_soap(out, "<", "Body>");
}


static void
cwmp_write_header(cwmp_out_t *out, const cwmp_str_t *id)
{
    cwmp_write_soap(out, "<", "Header>");

    if (id) {
        cwmp_write_soap(out, "<cwmp:ID ", "mustUnderstand=\"1\"");
        cwmp_write_opened(out);
        cwmp_write_text(out, id);
        cwmp_write_tag(out, "</cwmp:", "ID", "");
    }

    if (out->use_version) {
        cwmp_write_soap(out, "<cwmp:UseCWMPVersion ", "mustUnderstand=\"1\">");
        cwmp_write_number(out, out->use_version / 10);
        cwmp_put_lit(out, ".");
        cwmp_write_number(out, out->use_version % 10);
        cwmp_put_lit(out, "</cwmp:UseCWMPVersion>");
    }

    cwmp_write_soap(out, "</", "Header>");
}


static cwmp_rc_t
cwmp_end(cwmp_out_t *out)
{
    cwmp_write_soap(out, "</", "Body>");
    cwmp_write_soap(out, "</", "Envelope>");

    return out->rc;
}


/* a name of SOAP's, and whatever ends it */

static void
cwmp_write_soap(cwmp_out_t *out, const char *open, const char *name)
{
    cwmp_put_str(out, open);
    cwmp_put_str(out, cwmp_style_envelope(&out->style));
    cwmp_put_lit(out, ":");
    cwmp_put_str(out, name);
}


static void
cwmp_write_args(cwmp_out_t *out, const cwmp_arg_t *args,
    const cwmp_node_t *nodes, size_t n)
{
    size_t              i;
    const cwmp_node_t  *node;

    for (i = 0; args[i].name; i++) {
        node = (nodes && i < n) ? &nodes[i] : &cwmp_no_node;

        if ((args[i].flags & CWMP_OPTIONAL) && !node->given) {
            continue;
        }

        cwmp_write_arg(out, &args[i], node);
    }
}


static void
cwmp_write_arg(cwmp_out_t *out, const cwmp_arg_t *arg,
    const cwmp_node_t *node)
{
    if (arg->type == CWMP_T_STRINGS || arg->type == CWMP_T_STRUCTS) {
        cwmp_write_array(out, arg, node);
        return;
    }

    if (arg->type == CWMP_T_VARIANTS) {
        cwmp_write_variants(out, arg, node);
        return;
    }

    if (arg->type == CWMP_T_VALUE) {
        cwmp_write_tag(out, "<", arg->name, NULL);
        cwmp_put_lit(out, " xsi:type=\"xsd:");

        if (node->type.len) {
            cwmp_write_text(out, &node->type);

        } else {
            cwmp_put_lit(out, "string");
        }

        cwmp_put_lit(out, "\"");
        cwmp_write_opened(out);

    } else {
        cwmp_write_tag(out, "<", arg->name, "");
    }

    if (arg->type == CWMP_T_STRUCT) {
        cwmp_write_args(out, arg->fields, node->items, node->nitems);

    } else {
        cwmp_write_scalar(out, arg, node);
    }

    cwmp_write_tag(out, "</", arg->name, "");
}


/* a boolean comes as 1 or 0; the device may want words */

static void
cwmp_write_scalar(cwmp_out_t *out, const cwmp_arg_t *arg,
    const cwmp_node_t *node)
{
    int                words;
    const cwmp_str_t  *text;

    text = &node->text;
    words = out->style.words;

    if (out->style.next_level && strcmp(arg->name, "NextLevel") == 0) {
        words = out->style.next_level == CWMP_STYLE_WORDS;
    }

    if (words && text->len == 1
        && (arg->type == CWMP_T_BOOLEAN
            || (arg->type == CWMP_T_VALUE
                && node->type.len == sizeof("boolean") - 1
                && memcmp(node->type.data, "boolean", node->type.len) == 0)))
    {
        cwmp_put_str(out, text->data[0] == '1' ? "true" : "false");
        return;
    }

    cwmp_write_text(out, text);
}


static void
cwmp_write_array(cwmp_out_t *out, const cwmp_arg_t *arg,
    const cwmp_node_t *node)
{
    int                 repeated;
    size_t              i;
    const char         *name;
    const cwmp_node_t  *item;

    repeated = (arg->flags & CWMP_REPEATED) != 0;
    name = repeated ? arg->name : arg->item;

    if (!repeated) {
        cwmp_write_array_open(out, arg, node->nitems);
    }

    for (i = 0; i < node->nitems; i++) {
        item = &node->items[i];
        cwmp_write_tag(out, "<", name, "");

        if (arg->type == CWMP_T_STRUCTS) {
            cwmp_write_args(out, arg->fields, item->items, item->nitems);

        } else {
            cwmp_write_text(out, &item->text);
        }

        cwmp_write_tag(out, "</", name, "");
    }

    if (!repeated) {
        cwmp_write_tag(out, "</", arg->name, "");
    }
}


/* the type that all of them derive from is abstract: each tells its own */

static void
cwmp_write_variants(cwmp_out_t *out, const cwmp_arg_t *arg,
    const cwmp_node_t *node)
{
    size_t              i;
    const cwmp_arg_t   *variant;
    const cwmp_node_t  *item;

    for (i = 0; i < node->nitems; i++) {
        item = &node->items[i];

        for (variant = arg->fields; variant->name; variant++) {
            if (strlen(variant->name) == item->type.len
                && memcmp(variant->name, item->type.data, item->type.len) == 0)
            {
                break;
            }
        }

        if (variant->name == NULL) {
            continue;
        }

        cwmp_write_tag(out, "<", arg->name, NULL);
        cwmp_put_lit(out, " xsi:type=\"");
        cwmp_put_str(out, variant->array_type);
        cwmp_put_lit(out, "\"");
        cwmp_write_opened(out);
        cwmp_write_args(out, variant->fields, item->items, item->nitems);
        cwmp_write_tag(out, "</", arg->name, "");
    }
}


/* every RPC that is served: CPEs do not send what is not listed */

static void
cwmp_write_methods(cwmp_out_t *out, const cwmp_arg_t *arg)
{
    size_t             n;
    const cwmp_rpc_t  *rpc;

    for (n = 0, rpc = cwmp_rpcs; rpc->name; rpc++) {
        n += (rpc->from & CWMP_FROM_CPE) != 0;
    }

    cwmp_write_array_open(out, arg, n);

    for (rpc = cwmp_rpcs; rpc->name; rpc++) {
        if (rpc->from & CWMP_FROM_CPE) {
            cwmp_write_tag(out, "<", arg->item, "");
            cwmp_put_str(out, rpc->name);
            cwmp_write_tag(out, "</", arg->item, "");
        }
    }

    cwmp_write_tag(out, "</", arg->name, "");
}


static void
cwmp_write_array_open(cwmp_out_t *out, const cwmp_arg_t *arg, size_t n)
{
    cwmp_write_tag(out, "<", arg->name, NULL);
    cwmp_put_lit(out, " ");
    cwmp_put_str(out, cwmp_style_encoding(&out->style));
    cwmp_put_lit(out, ":arrayType=\"");
    cwmp_put_str(out, arg->array_type);
    cwmp_put_lit(out, "[");
    cwmp_write_number(out, n);
    cwmp_put_lit(out, "]\"");
    cwmp_write_opened(out);
}


/* suffix NULL: the tag stays open, for attributes */

static void
cwmp_write_tag(cwmp_out_t *out, const char *open, const char *name,
    const char *suffix)
{
    if (out->opened && open[1] == '/') {
        out->opened = 0;
        cwmp_put_lit(out, "/>");
        return;
    }

    cwmp_put_str(out, open);
    cwmp_put_str(out, name);

    if (suffix == NULL) {
        return;
    }

    cwmp_put_str(out, suffix);

    if (open[1] == '/') {
        cwmp_put_lit(out, ">");

    } else {
        cwmp_write_opened(out);
    }
}


/* a start tag ends here; or, when what is empty is written as one tag, by what
   comes next */

static void
cwmp_write_opened(cwmp_out_t *out)
{
    if (out->style.short_tags) {
        out->opened = 1;
        return;
    }

    cwmp_put_lit(out, ">");
}


static void
cwmp_write_number(cwmp_out_t *out, size_t n)
{
    char  text[24], *p;

    p = text + sizeof(text);

    do {
        *--p = '0' + n % 10;
        n /= 10;
    } while (n);

    cwmp_put(out, p, text + sizeof(text) - p);
}
