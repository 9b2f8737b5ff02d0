
/*
 * What was read, asked for by name: scalar arguments by their path, and what a
 * message as a whole says once its last element was closed.  Where an argument
 * stands among the values follows from the RPC's row; it must not know of
 * elements.
 */

#include <string.h>

#include "cwmp_walk.h"


#define CWMP_NUMBER_MAX  4294967295U


static unsigned cwmp_number(const cwmp_str_t *text);


static unsigned char     cwmp_nothing[] = "";
static const cwmp_str_t  cwmp_empty = { 0, cwmp_nothing };


void
cwmp_walk_end(cwmp_envelope_t *e)
{
    const cwmp_str_t  *text;

    if (!e->body) {
        cwmp_envelope_refuse(e, "Envelope has no Body");
        return;
    }

    cwmp_refs_end(e);

    e->facts.session_timeout = cwmp_number(&e->session_timeout);
    e->facts.has_session_timeout = e->session_timeout.data != NULL;

    if (e->facts.kind != CWMP_FAULT) {
        return;
    }

    e->facts.fault_code = cwmp_number(cwmp_envelope_value(e, "FaultCode"));

    text = cwmp_envelope_value(e, "FaultString");

    if (e->facts.fault_code == 0 || e->facts.fault_code == CWMP_NUMBER_MAX) {
        e->facts.fault_code = 9002;

        if (text->len == 0 && e->faultstring.data) {
            text = &e->faultstring;         /* no detail: all there is */
        }
    }

    e->facts.fault_text = *text;
}


const cwmp_str_t *
cwmp_envelope_value(const cwmp_envelope_t *e, const char *path)
{
    size_t             len;
    unsigned           index;
    const char        *dot;
    const cwmp_arg_t  *arg, *args;

    args = e->args;
    index = 0;

    while (args) {
        dot = strchr(path, '.');
        len = dot ? (size_t) (dot - path) : strlen(path);

        for (arg = args; arg->name; arg++) {
            if (strncmp(arg->name, path, len) == 0 && arg->name[len] == '\0') {
                break;
            }
        }

        if (arg->name == NULL) {
            return &cwmp_empty;
        }

        index += cwmp_leaves(args, arg);

        if (dot == NULL) {
            if (arg->type < CWMP_T_STRINGS && e->values[index].data) {
                return &e->values[index];
            }

            return &cwmp_empty;
        }

        args = (arg->type == CWMP_T_STRUCT) ? arg->fields : NULL;
        path = dot + 1;
    }

    return &cwmp_empty;
}


/* scalar leaves outside arrays, of the rows before end, or of all */

unsigned
cwmp_leaves(const cwmp_arg_t *args, const cwmp_arg_t *end)
{
    unsigned  n;

    for (n = 0; args->name && args != end; args++) {

        if (args->type == CWMP_T_STRUCT) {
            n += cwmp_leaves(args->fields, NULL);

        } else if (args->type < CWMP_T_STRINGS) {
            n++;
        }
    }

    return n;
}


/* 0 for what is none; what is above the last number there is counts as that */

static unsigned
cwmp_number(const cwmp_str_t *text)
{
    size_t    i;
    uint64_t  n;

    for (i = 0, n = 0; i < text->len; i++) {

        if (text->data[i] < '0' || text->data[i] > '9') {
            return 0;
        }

        n = n * 10 + (text->data[i] - '0');

        if (n > CWMP_NUMBER_MAX) {
            n = CWMP_NUMBER_MAX;
        }
    }

    return (unsigned) n;
}
