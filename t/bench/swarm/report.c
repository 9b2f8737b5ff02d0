
/*
 * What is told of a run: a line a second while it lasts, a text at its end,
 * and the same as JSON.  Reads stats and changes nothing.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "arrive.h"
#include "settings.h"
#include "stats.h"
#include "tls.h"


static const double  percents[] = { 50, 90, 99, 99.9 };
static const char   *percent_names[] = { "p50", "p90", "p99", "p999" };

#define PERCENTS  (sizeof(percents) / sizeof(percents[0]))

typedef unsigned long long  big_t;


static double
seconds(uint64_t ns)
{
    return (double) ns / NS_S;
}


static double
run_seconds(void)
{
    return seconds(stats.ended - stats.began);
}


static double
cpu_seconds(void)
{
    struct rusage  u;

    getrusage(RUSAGE_SELF, &u);
    return (double) (u.ru_utime.tv_sec + u.ru_stime.tv_sec)
           + (double) (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}


/* Seconds that it was ready to run while others had its core; 0: not told. */

static double
waited_seconds(void)
{
    FILE                *f = fopen("/proc/self/schedstat", "r");
    unsigned long long   waited = 0;

    if (f) {
        if (fscanf(f, "%*u %llu", &waited) != 1) {
            waited = 0;
        }

        fclose(f);
    }

    return seconds(waited);
}


static long
memory_kb(void)
{
    struct rusage  u;

    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}


/* --- while it runs ------------------------------------------------------- */

void
stats_progress(size_t busy)
{
    static uint64_t  done, posts;

    fprintf(stderr, "%4.0f s  %6llu sessions/s  %7llu POSTs/s  %llu done  "
                    "%llu failed  %zu under way  %zu connections\n",
            seconds(clock_ns() - stats.began), (big_t) (stats.done - done),
            (big_t) (stats.posts - posts), (big_t) stats.done,
            (big_t) stats_failed(), busy, net_open_count());

    done = stats.done;
    posts = stats.posts;
}


/* --- text ---------------------------------------------------------------- */

static void
text_failed(void)
{
    int          i;
    const char  *separator = "failed     ";

    if (stats_failed() == 0) {
        return;
    }

    for (i = 0; i < FAIL_COUNT; i++) {
        if (stats.failed[i] && i != FAIL_STATUS) {
            printf("%s%s %llu", separator, stats_fail_name(i),
                   (big_t) stats.failed[i]);
            separator = ", ";
        }
    }

    for (i = 0; i < STATS_STATUS; i++) {
        if (stats.status[i]) {
            printf("%sstatus %d %llu", separator, i, (big_t) stats.status[i]);
            separator = ", ";
        }
    }

    printf("\n");
}


static void
text_row(const char *name, const hist_t *h)
{
    size_t  i;

    printf("%-32s %9llu", name, (big_t) h->n);

    for (i = 0; i < PERCENTS; i++) {
        printf(" %9.3f", (double) hist_percentile(h, percents[i]) / 1000);
    }

    printf(" %9.3f\n", (double) h->max / 1000);
}


static void
text_times(void)
{
    unsigned  i;

    printf("\n%-32s %9s %9s %9s %9s %9s %9s\n", "ms", "count", "p50", "p90",
           "p99", "p99.9", "max");

    if (stats.session.n) {
        text_row("whole session", &stats.session);
    }

    for (i = 0; i < stats.kinds_n; i++) {
        if (stats.kinds[i].times) {
            text_row(stats.kinds[i].name, stats.kinds[i].times);
        }
    }
}


static void
text_storm(void)
{
    size_t          i;
    const storm_t  *s = arrive_storm_result();

    const struct { const char *name; uint64_t at; } marks[] = {
        { "50 %", s->half }, { "90 %", s->p90 }, { "99 %", s->p99 },
        { "100 %", s->served == settings.cpes ? s->last : 0 }
    };

    printf("storm      %llu of %llu CPEs served;", (big_t) s->served,
           (big_t) settings.cpes);

    for (i = 0; i < 4; i++) {
        if (marks[i].at) {
            printf(" %s after %.2f s", marks[i].name, seconds(marks[i].at));
        } else {
            printf(" %s never", marks[i].name);
        }

        printf(i < 3 ? "," : "\n");
    }

    printf("refused    %llu times, %.2f per CPE, at most %llu of one in a "
           "row\n", (big_t) s->refusals,
           (double) s->refusals / (double) settings.cpes, (big_t) s->worst);
}


/* What the load was, other than was asked for. */

static void
text_held(void)
{
    if (stats.held == 0 && !stats.full) {
        return;
    }

    printf("held back  %llu sessions by more than 0.1 s, one by %.2f s: ",
           (big_t) stats.held, seconds(stats.behind));

    if (stats.full) {
        printf("%llu connections are as many as may be open here (ulimit "
               "-n)\n", (big_t) settings.connections);
    } else {
        printf("the swarm did not keep up\n");
    }
}


static void
text_counts(void)
{
    uint64_t  in, out, full, resumed;

    net_bytes(&in, &out);
    tls_counts(&full, &resumed);

    printf("POSTs      %llu, %.1f MB sent, %.1f MB received\n",
           (big_t) stats.posts, (double) out / 1e6, (double) in / 1e6);
    printf("made       %llu connections; TLS: %llu full handshakes, %llu "
           "resumed; %zu open at the end\n", (big_t) stats.connects,
           (big_t) full, (big_t) resumed, net_open_count());
    printf("ACS        %llu requests, %llu answered with a fault; %llu "
           "challenges, %llu redirects, %llu connection requests\n",
           (big_t) stats.requests, (big_t) stats.faults,
           (big_t) stats.challenges, (big_t) stats.redirects,
           (big_t) stats.asked);
    printf("swarm      %.2f s of CPU (waited %.2f s for it), %.1f us a "
           "session, %.1f MB of memory\n", cpu_seconds(), waited_seconds(),
           stats.done ? cpu_seconds() * 1e6 / (double) stats.done : 0.0,
           (double) memory_kb() / 1024);
}


void
stats_text(void)
{
    unsigned  i;

    printf("sessions   %llu done, %llu failed, %llu retries, %llu late, in "
           "%.2f s: %.1f sessions/s\n", (big_t) stats.done,
           (big_t) stats_failed(), (big_t) stats.retries, (big_t) stats.late,
           run_seconds(), (double) stats.done / run_seconds());
    text_failed();
    text_held();

    if (settings.arrive == ARRIVE_STORM) {
        text_storm();
    }

    text_counts();
    text_times();

    if (stats.notes_n) {
        printf("\nnoted\n");
    }

    for (i = 0; i < stats.notes_n; i++) {
        printf("%9llu  %s\n", (big_t) stats.notes[i].n, stats.notes[i].text);
    }
}


/* --- JSON ---------------------------------------------------------------- */

typedef struct {
    FILE        *f;
    int          first;             /* in the object or list */
} json_t;


static void
json_string(json_t *j, const char *s)
{
    fputc('"', j->f);

    for ( ; *s; s++) {
        if (*s == '"' || *s == '\\') {
            fputc('\\', j->f);
        }

        fputc((unsigned char) *s < ' ' || (unsigned char) *s > '~' ? '?' : *s,
              j->f);
    }

    fputc('"', j->f);
}


static void
json_name(json_t *j, const char *name)
{
    fprintf(j->f, "%s\n", j->first ? "" : ",");
    j->first = 0;
    json_string(j, name);
    fputs(": ", j->f);
}


static void
json_text(json_t *j, const char *name, const char *text)
{
    json_name(j, name);
    json_string(j, text);
}


static void
json_open(json_t *j, const char *name)
{
    json_name(j, name);
    fputc('{', j->f);
    j->first = 1;
}


static void
json_close(json_t *j)
{
    fputs("\n}", j->f);
    j->first = 0;
}


static void
json_count(json_t *j, const char *name, uint64_t n)
{
    json_name(j, name);
    fprintf(j->f, "%llu", (big_t) n);
}


static void
json_real(json_t *j, const char *name, double n)
{
    json_name(j, name);
    fprintf(j->f, "%.3f", n);
}


static void
json_hist(json_t *j, const char *name, const hist_t *h)
{
    size_t  i;

    json_open(j, name);
    json_count(j, "count", h->n);
    json_real(j, "mean", h->n ? (double) h->sum / (double) h->n : 0);

    for (i = 0; i < PERCENTS; i++) {
        json_count(j, percent_names[i], hist_percentile(h, percents[i]));
    }

    json_count(j, "max", h->max);
    json_close(j);
}


static void
json_failed(json_t *j)
{
    int   i;
    char  status[16];

    json_open(j, "failed");
    json_count(j, "total", stats_failed());

    for (i = 1; i < FAIL_COUNT; i++) {
        json_count(j, stats_fail_name(i), stats.failed[i]);
    }

    json_close(j);
    json_open(j, "statuses");

    for (i = 0; i < STATS_STATUS; i++) {
        if (stats.status[i]) {
            snprintf(status, sizeof(status), "%d", i);
            json_count(j, status, stats.status[i]);
        }
    }

    json_close(j);
}


static void
json_times(json_t *j)
{
    unsigned  i;

    json_open(j, "latency_us");
    json_hist(j, "session", &stats.session);

    for (i = 0; i < stats.kinds_n; i++) {
        if (stats.kinds[i].times) {
            json_hist(j, stats.kinds[i].name, stats.kinds[i].times);
        }
    }

    json_close(j);
}


static void
json_storm(json_t *j)
{
    const storm_t  *s = arrive_storm_result();

    json_open(j, "storm");
    json_count(j, "cpes", settings.cpes);
    json_count(j, "served", s->served);
    json_real(j, "s50", seconds(s->half));
    json_real(j, "s90", seconds(s->p90));
    json_real(j, "s99", seconds(s->p99));
    json_real(j, "s100", s->served == settings.cpes ? seconds(s->last) : 0);
    json_count(j, "refusals", s->refusals);
    json_count(j, "refusals_of_one", s->worst);
    json_close(j);
}


static void
json_counts(json_t *j)
{
    size_t    i;
    uint64_t  in, out, full, resumed;

    net_bytes(&in, &out);
    tls_counts(&full, &resumed);

    const struct { const char *name; uint64_t n; } counts[] = {
        { "sessions", stats.done }, { "started", stats.started },
        { "retries", stats.retries }, { "late", stats.late },
        { "held", stats.held }, { "full", (uint64_t) stats.full },
        { "posts", stats.posts }, { "bytes_sent", out },
        { "bytes_received", in }, { "connections", stats.connects },
        { "connections_open", net_open_count() },
        { "tls_full", full }, { "tls_resumed", resumed },
        { "resent", stats.resent }, { "acs_requests", stats.requests },
        { "faults_sent", stats.faults }, { "challenges", stats.challenges },
        { "redirects", stats.redirects },
        { "connection_requests", stats.asked },
        { "memory_kb", (uint64_t) memory_kb() }
    };

    for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        json_count(j, counts[i].name, counts[i].n);
    }

    json_real(j, "behind_seconds", seconds(stats.behind));
    json_real(j, "seconds", run_seconds());
    json_real(j, "sessions_per_second", (double) stats.done / run_seconds());
    json_real(j, "cpu_seconds", cpu_seconds());
    json_real(j, "waited_seconds", waited_seconds());
}


void
stats_json(const char *file)
{
    unsigned  i;
    json_t    j = { strcmp(file, "-") ? fopen(file, "w") : stdout, 1 };

    if (j.f == NULL) {
        die("%s: %s", file, strerror(errno));
    }

    fputc('{', j.f);
    json_text(&j, "url", settings.urls[0]);
    json_counts(&j);
    json_failed(&j);
    json_times(&j);

    if (settings.arrive == ARRIVE_STORM) {
        json_storm(&j);
    }

    json_open(&j, "notes");

    for (i = 0; i < stats.notes_n; i++) {
        json_count(&j, stats.notes[i].text, stats.notes[i].n);
    }

    json_close(&j);
    fputs("\n}\n", j.f);

    if (fflush(j.f) != 0 || (j.f != stdout && fclose(j.f) != 0)) {
        die("%s: %s", file, strerror(errno));
    }
}
