
/*
 * A CPE that sends SupportedCWMPVersions is told which version to use; of any
 * other the version shows by its namespace, and 1.3 by its SessionTimeout.
 * All that came after 1.0 and cannot be sent to an older device has a row in
 * cwmp_since[].
 */

#include <string.h>

#include "cwmp_version.h"


static const struct {
    const char    *method;
    unsigned       since;
} cwmp_since[] = {
    { "GetAllQueuedTransfers", 11 },
    { "ScheduleDownload", 12 },
    { "CancelTransfer", 12 },
    { "ChangeDUState", 12 }
};


static unsigned cwmp_version_best(const cwmp_str_t *list);


void
cwmp_version_choose(const cwmp_facts_t *facts, cwmp_session_version_t *v)
{
    unsigned  ns;

    ns = facts->ns;

    v->ns = facts->ns;
    v->negotiated = facts->has_versions && facts->versions.len != 0;

    if (!v->negotiated) {
        v->version = CWMP_VERSION_MIN + ns;

        if (facts->has_session_timeout && v->version == 12) {
            v->version = 13;
        }

        return;
    }

    v->version = cwmp_version_best(&facts->versions);

    /* 1.2 and what is newer share a namespace; ours is never a newer one than
       the CPE's, since it may take the version from there */

    if (v->version && v->version < 12 && v->version - CWMP_VERSION_MIN < ns) {
        v->ns = v->version - CWMP_VERSION_MIN;
    }
}


unsigned
cwmp_version_since(const char *method)
{
    size_t  i;

    for (i = 0; i < sizeof(cwmp_since) / sizeof(cwmp_since[0]); i++) {
        if (strcmp(cwmp_since[i].method, method) == 0) {
            return cwmp_since[i].since;
        }
    }

    return CWMP_VERSION_MIN;
}


/* "1.0, 1.2,1.4,2.0": the highest that is ours */

static unsigned
cwmp_version_best(const cwmp_str_t *list)
{
    unsigned              best, version;
    const unsigned char  *p, *word, *end;

    best = CWMP_VERSION_NONE;
    end = list->data + list->len;

    for (p = list->data; p < end; p++) {

        for (word = p; p < end && !strchr(",; \t\r\n", *p); p++) { /* void */ }

        if (p - word != 3 || word[0] != '1' || word[1] != '.'
            || word[2] < '0' || word[2] > '4')
        {
            continue;
        }

        version = CWMP_VERSION_MIN + (word[2] - '0');

        if (version > best) {
            best = version;
        }
    }

    return best;
}
