
/*
 * The blocks of a SOAP Header (TR-069 A6 3.5.2).  Each that we know has a row;
 * one that we do not is skipped, and noted when it must be understood (SOAP
 * 1.1, 4.2.3).  What follows from a header is decided elsewhere.
 */

#include <string.h>

#include "cwmp_walk.h"


enum {
    CWMP_H_ID = 0,
    CWMP_H_TIMEOUT,
    CWMP_H_VERSIONS,
    CWMP_H_IGNORED,                 /* of 2004; TR-069 A1 has taken it back */
    CWMP_H_MISPLACED                /* an ACS sends it, no CPE does */
};

static const cwmp_arg_t  cwmp_headers[] = {
    { "ID", CWMP_T_STRING, 0, 0, NULL, NULL, NULL, NULL },
    { "SessionTimeout", CWMP_T_UINT, 0, 0, NULL, NULL, NULL, NULL },
    { "SupportedCWMPVersions", CWMP_T_STRING, 0, CWMP_TRIM, NULL, NULL, NULL,
      NULL },
    { "NoMoreRequests", CWMP_T_BOOLEAN, 0, 0, NULL, NULL, NULL, NULL },
    { "HoldRequests", CWMP_T_BOOLEAN, 0, 0, NULL, NULL, NULL, NULL },
    { "UseCWMPVersion", CWMP_T_STRING, 0, 0, NULL, NULL, NULL, NULL },

    /* so spelled by some CPEs, in each Inform, and to be understood */

    { "HoldRequest", CWMP_T_BOOLEAN, 0, 0, NULL, NULL, NULL, NULL },
    { NULL, CWMP_T_STRING, 0, 0, NULL, NULL, NULL, NULL }
};


static void cwmp_header_unknown(cwmp_envelope_t *e, const char *name);
static const char *cwmp_header_attribute(cwmp_envelope_t *e,
    const char *name, size_t *len);


/* of two headers of one name the first counts */

void
cwmp_header_open(cwmp_envelope_t *e, const char *name)
{
    unsigned           i;
    const cwmp_arg_t  *arg;

    for (i = 0; cwmp_headers[i].name; i++) {
        if (strcmp(cwmp_headers[i].name, cwmp_walk_local(name)) == 0) {
            break;
        }
    }

    arg = &cwmp_headers[i];

    if (arg->name == NULL) {
        cwmp_header_unknown(e, name);

    } else if (i == CWMP_H_ID && !e->facts.has_id) {
        e->facts.has_id = 1;
        cwmp_walk_leaf(e, name, arg, &e->facts.id, CWMP_SCALAR_TEXT);
        return;

    } else if (i == CWMP_H_TIMEOUT && e->session_timeout.data == NULL) {
        cwmp_walk_leaf(e, name, arg, &e->session_timeout, CWMP_SCALAR_TEXT);
        return;

    } else if (i == CWMP_H_VERSIONS && !e->facts.has_versions) {
        e->facts.has_versions = 1;
        cwmp_walk_leaf(e, name, arg, &e->facts.versions, CWMP_SCALAR_TEXT);
        return;

    } else if (i >= CWMP_H_MISPLACED && e->facts.misplaced == NULL) {
        e->facts.misplaced = arg->name;
    }

    e->skip = 1;
}


static void
cwmp_header_unknown(cwmp_envelope_t *e, const char *name)
{
    size_t       len;
    const char  *value;

    static const char  next[] = "http://schemas.xmlsoap.org/soap/actor/next";

    if (e->facts.not_understood.len) {
        return;
    }

    value = cwmp_header_attribute(e, "mustUnderstand", &len);

    if (value == NULL
        || !((len == 1 && *value == '1')
             || (len == 4 && memcmp(value, "true", 4) == 0)))
    {
        return;
    }

    /* for somebody on the way who is not us? */

    value = cwmp_header_attribute(e, "actor", &len);

    if (value && len
        && (len != sizeof(next) - 1 || memcmp(value, next, len) != 0))
    {
        return;
    }

    name = cwmp_walk_local(name);
    len = strlen(name);

    cwmp_text_copy(e, &e->facts.not_understood, name, len < 64 ? len : 64);
}


/* by its local name: prefixes are the CPE's own; blanks around the value do
   not count */

static const char *
cwmp_header_attribute(cwmp_envelope_t *e, const char *name, size_t *len)
{
    const char   *value;
    const char  **atts;

    for (atts = e->atts; atts && atts[0]; atts += 2) {

        if (atts[1] == NULL || strcmp(cwmp_walk_local(atts[0]), name) != 0) {
            continue;
        }

        value = atts[1] + strspn(atts[1], " \t\r\n");
        *len = strcspn(value, " \t\r\n");

        return value;
    }

    return NULL;
}
