
/*
 * Which CWMP a message speaks, by the URI that its prefix is bound to.  Only
 * that URI matters here: all other namespaces are left alone, so a CPE may
 * declare them or not.  It must not know what the versions mean.
 */

#include <string.h>
#include <strings.h>

#include "cwmp_walk.h"


static int cwmp_ns_of(const char *uri, cwmp_ns_t *ns);


/* xmlns:cwmp="urn:dslforum-org:cwmp-1-2" */

void
cwmp_ns_declared(cwmp_envelope_t *e, const char **atts)
{
    cwmp_ns_t    ns;
    const char  *prefix;

    for ( /* void */ ; atts[0]; atts += 2) {

        if (strncmp(atts[0], "xmlns", 5) != 0 || atts[1] == NULL
            || (atts[0][5] != ':' && atts[0][5] != '\0')
            || e->nprefixes == CWMP_PREFIXES
            || !cwmp_ns_of(atts[1], &ns))
        {
            continue;
        }

        prefix = atts[0] + 5 + (atts[0][5] == ':');

        if (!cwmp_text_copy(e, &e->prefixes[e->nprefixes].prefix, prefix,
                            strlen(prefix)))
        {
            return;
        }

        e->prefixes[e->nprefixes].ns = ns;
        e->nprefixes++;
    }
}


/*
 * Met in the field: blanks around it, and its letters in either case.  One of
 * a later CWMP is taken as the last that we know, which is the nearest.
 */

static int
cwmp_ns_of(const char *uri, cwmp_ns_t *ns)
{
    size_t    i, len;
    unsigned  n;

    static const char  cwmp[] = "urn:dslforum-org:cwmp-1-";

    uri += strspn(uri, " \t\r\n");
    len = strcspn(uri, " \t\r\n");

    if (len < sizeof(cwmp) || strncasecmp(uri, cwmp, sizeof(cwmp) - 1) != 0) {
        return 0;
    }

    for (i = sizeof(cwmp) - 1, n = 0; i < len; i++) {

        if (uri[i] < '0' || uri[i] > '9') {
            return 0;
        }

        n = n * 10 + (uri[i] - '0');
        n = (n < CWMP_NS_COUNT) ? n : CWMP_NS_COUNT - 1;
    }

    *ns = n;

    return 1;
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
        if (e->prefixes[i - 1].prefix.len == len
            && memcmp(e->prefixes[i - 1].prefix.data, name, len) == 0)
        {
            e->facts.ns = e->prefixes[i - 1].ns;
            return;
        }
    }
}
