
/*
 * Which CWMP a message speaks, by the URI that its prefix is bound to.  Only
 * that URI matters here: all other namespaces are left alone, so a CPE may
 * declare them or not.  It must not know what the versions mean.
 */

#include <string.h>

#include "cwmp_walk.h"


/* xmlns:cwmp="urn:dslforum-org:cwmp-1-2", blanks around it met in the field */

void
cwmp_ns_declared(cwmp_envelope_t *e, const char **atts)
{
    size_t       len;
    const char  *uri;

    static const char  cwmp[] = "urn:dslforum-org:cwmp-1-";

    for ( /* void */ ; atts[0]; atts += 2) {

        if (strncmp(atts[0], "xmlns", 5) != 0 || atts[1] == NULL
            || (atts[0][5] != ':' && atts[0][5] != '\0')
            || e->nprefixes == CWMP_PREFIXES)
        {
            continue;
        }

        uri = atts[1] + strspn(atts[1], " \t\r\n");
        len = strcspn(uri, " \t\r\n");

        if (len != sizeof(cwmp) || strncmp(uri, cwmp, sizeof(cwmp) - 1) != 0
            || uri[len - 1] < '0' || uri[len - 1] >= '0' + CWMP_NS_COUNT)
        {
            continue;
        }

        /* libxml2's dictionary keeps the name of the attribute */

        e->prefixes[e->nprefixes].prefix = atts[0] + 5 + (atts[0][5] == ':');
        e->prefixes[e->nprefixes].ns = uri[len - 1] - '0';
        e->nprefixes++;
    }
}


/* innermost declaration of the message's prefix, else any at all */

void
cwmp_ns_choose(cwmp_envelope_t *e, const char *name)
{
    size_t       len;
    unsigned     i;
    const char  *colon;

    if (e->nprefixes == 0) {
        return;
    }

    colon = strrchr(name, ':');
    len = colon ? (size_t) (colon - name) : 0;

    e->facts.has_ns = 1;
    e->facts.ns = e->prefixes[0].ns;

    for (i = e->nprefixes; i > 0; i--) {
        if (strlen(e->prefixes[i - 1].prefix) == len
            && memcmp(e->prefixes[i - 1].prefix, name, len) == 0)
        {
            e->facts.ns = e->prefixes[i - 1].ns;
            return;
        }
    }
}
