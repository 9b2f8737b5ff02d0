
/*
 * swarm: a load test for Auto Configuration Servers.  Thousands of CPEs in one
 * process, against any ACS that speaks CWMP over HTTP; it knows of none in
 * particular.  This file starts the parts and runs the loop.
 *
 *   options.c  the command line       arrive.c    when sessions begin
 *   cpe.c      a session              rpc*.c      what the ACS can ask for
 *   inform.c   its first message      todo.c      what is told later
 *   model*.c   parameters             identity.c  who a CPE is
 *   exchange.c a POST and its answer  verify*.c   whether that is conforming
 *   net.c tls.c http.c xml.c soap.c auth.c listen.c   the protocols below
 *   stats.c hist.c report.c           what is told at the end
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "arrive.h"
#include "identity.h"
#include "inform.h"
#include "listen.h"
#include "model.h"
#include "options.h"
#include "settings.h"
#include "tls.h"


#define FILES_SPARE  64             /* beside the connections of sessions */
#define LOOK_NS      (NS_S / 5)     /* the longest sleep */


static volatile sig_atomic_t  interrupted;


static void
swarm_interrupt(int signo)
{
    (void) signo;
    interrupted++;
}


/* As many files as may be open; too few are better known at once. */

static void
swarm_limit_files(void)
{
    uint64_t        needed = FILES_SPARE;
    struct rlimit   r;

    needed += settings.arrive == ARRIVE_IDLE ? settings.idle
              : settings.arrive == ARRIVE_CLOSED ? settings.closed : 0;

    if (getrlimit(RLIMIT_NOFILE, &r) == -1) {
        die("getrlimit: %s", strerror(errno));
    }

    r.rlim_cur = r.rlim_max;

    if (setrlimit(RLIMIT_NOFILE, &r) == -1
        || (r.rlim_cur != RLIM_INFINITY && r.rlim_cur < needed))
    {
        die("%llu open files are needed, and only %llu are allowed (ulimit "
            "-n)", (unsigned long long) needed,
            (unsigned long long) r.rlim_cur);
    }

    settings.connections = r.rlim_cur == RLIM_INFINITY ? UINT64_MAX
                           : r.rlim_cur > FILES_SPARE ? r.rlim_cur
                                                        - FILES_SPARE : 1;
}


static void
swarm_signals(void)
{
    struct sigaction  sa;

    memset(&sa, 0, sizeof(sa));
    sa.sa_handler = swarm_interrupt;
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    sa.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &sa, NULL);
}


static void
swarm_progress(uint64_t now)
{
    static uint64_t  next;

    if (settings.quiet) {
        return;
    }

    if (next == 0) {
        next = stats.began + NS_S;
    }

    if (now >= next) {
        stats_progress(cpe_busy_count());
        next += NS_S * ((now - next) / NS_S + 1);
    }
}


static uint64_t
swarm_wait(uint64_t now)
{
    uint64_t  until = now + LOOK_NS, timer = timer_next();
    uint64_t  session = arrive_next();

    until = timer && timer < until ? timer : until;
    until = session && session < until ? session : until;
    return until > now ? until - now : 0;
}


/* At the first signal sessions are ended properly, at the second not. */

static void
swarm_run(void)
{
    while (!arrive_finished() && interrupted < 2) {
        if (interrupted) {
            arrive_stop();
        }

        arrive_step();
        net_step(swarm_wait(clock_ns()));
        timer_run(clock_ns());
        swarm_progress(clock_ns());
    }
}


int
main(int argc, char **argv)
{
    options_read(argc, argv);
    identity_init();

    if (settings.print_ids) {
        identity_print_all();
        return 0;
    }

    swarm_limit_files();
    swarm_signals();
    net_init();
    tls_init();
    exchange_init();

    if (settings.listen) {
        listen_init();
    }

    stats.began = clock_ns();
    model_init();
    cpe_init();
    inform_init();

    stats.began = clock_ns();
    arrive_begin();
    swarm_run();
    stats.ended = clock_ns();

    if (settings.json) {
        stats_json(settings.json);
    }

    if (settings.json == NULL || strcmp(settings.json, "-") != 0) {
        stats_text();
    }

    return stats_failed() > settings.tolerate || stats.done == 0;
}
