
/*
 * Counters, histograms and notes.  A note is a text that is counted: what went
 * wrong, in words, so that a failed run says what to look at.  How it is told
 * is in report.c.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "stats.h"


stats_t  stats;

static const char  *fail_names[FAIL_COUNT] = {
    [FAIL_NONE] = "none",
    [FAIL_OWN] = "own",
    [FAIL_CONNECT] = "connect",
    [FAIL_TLS] = "tls",
    [FAIL_TIMEOUT] = "timeout",
    [FAIL_CLOSED] = "closed",
    [FAIL_STATUS] = "status",
    [FAIL_HTTP] = "http",
    [FAIL_XML] = "xml",
    [FAIL_PROTOCOL] = "protocol",
    [FAIL_VERIFY] = "verify",
    [FAIL_FAULT] = "fault"
};


const char *
stats_fail_name(fail_t why)
{
    return fail_names[why];
}


int
stats_kind(const char *name)
{
    unsigned  i;

    for (i = 0; i < stats.kinds_n; i++) {
        if (strcmp(stats.kinds[i].name, name) == 0) {
            return (int) i;
        }
    }

    if (stats.kinds_n == STATS_KINDS) {
        die("too many kinds of messages");
    }

    stats.kinds[stats.kinds_n].name = name;
    return (int) stats.kinds_n++;
}


void
stats_post(int kind, uint64_t ns)
{
    stats_kind_t  *k = &stats.kinds[kind];

    if (k->times == NULL) {
        k->times = mem_alloc(sizeof(hist_t));
    }

    hist_add(k->times, ns / 1000);
}


void
stats_note(const char *format, ...)
{
    char      text[256], *p;
    unsigned  i;
    va_list   args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    for (p = text; *p; p++) {           /* an ACS may have said it */
        *p = *p < ' ' || *p > '~' ? '?' : *p;
    }

    for (i = 0; i < stats.notes_n; i++) {
        if (strcmp(stats.notes[i].text, text) == 0) {
            stats.notes[i].n++;
            return;
        }
    }

    if (stats.notes_n == STATS_NOTES) {
        stats.notes[STATS_NOTES - 1].n++;
        return;
    }

    if (stats.notes_n == STATS_NOTES - 1) {
        strcpy(text, "others");
    }

    stats.notes[stats.notes_n].text = mem_copy(text, strlen(text));
    stats.notes[stats.notes_n++].n = 1;
}


uint64_t
stats_failed(void)
{
    unsigned  i;
    uint64_t  n = 0;

    for (i = 0; i < FAIL_COUNT; i++) {
        n += stats.failed[i];
    }

    return n;
}
