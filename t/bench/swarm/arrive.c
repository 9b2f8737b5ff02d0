
/*
 * When sessions begin, and with which CPE: a fixed number at the same time
 * (closed), by the clock (constant, Poisson), all CPEs once within some
 * seconds (storm), or one each and then silence (idle).  A CPE may have a time
 * of its own: of its next attempt after a failure, as CWMP draws it, or when
 * something is due that it has to tell.  Knows nothing of what a session is.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "arrive.h"
#include "todo.h"


#define RETRY_MAX  10               /* CWMP: later ones wait as long */
#define REST_NS    (NS_S / 4)       /* after a failure, without retries */


static void arrive_closed(uint64_t now);
static void arrive_clocked(uint64_t now);
static void arrive_storm(uint64_t now);
static void arrive_own_time(void *arg);
static void arrive_limit(void *arg);


static const struct {
    void   (*step)(uint64_t now);
} ways[] = {
    [ARRIVE_CLOSED] = { arrive_closed },
    [ARRIVE_CONSTANT] = { arrive_clocked },
    [ARRIVE_POISSON] = { arrive_clocked },
    [ARRIVE_STORM] = { arrive_storm },
    [ARRIVE_IDLE] = { arrive_storm }
};

static struct {
    uint64_t        next;           /* CPE */
    uint64_t        begun;          /* sessions, of those not by own time */
    uint64_t        due;            /* ns, of the next by the clock */
    uint64_t        waiting;        /* CPEs, for their next attempt */
    uint64_t        served;         /* storm: CPEs */
    int             stopped;
    swarm_timer_t   limit;
    storm_t         storm;
    unsigned short  random[3];
} arrive;


void
arrive_begin(void)
{
    arrive.random[0] = (unsigned short) settings.seed;
    arrive.random[1] = (unsigned short) (settings.seed >> 16);
    arrive.random[2] = 0x330e;
    arrive.due = stats.began;

    timer_init(&arrive.limit, arrive_limit, NULL);

    if (settings.duration > 0) {
        timer_set(&arrive.limit,
                  stats.began + (uint64_t) (settings.duration * NS_S));
    }
}


static void
arrive_limit(void *arg)
{
    (void) arg;
    arrive_stop();
}


void
arrive_stop(void)
{
    arrive.stopped = 1;
}


static int
arrive_all_begun(void)
{
    return settings.sessions && arrive.begun >= settings.sessions;
}


int
arrive_finished(void)
{
    if (arrive.stopped) {
        return cpe_busy_count() == 0;
    }

    if (settings.arrive == ARRIVE_STORM) {
        return arrive.served == settings.cpes && cpe_busy_count() == 0
               && todo_waiting() == 0;
    }

    return settings.arrive != ARRIVE_IDLE && arrive_all_begun()
           && cpe_busy_count() == 0 && todo_waiting() == 0
           && (arrive.waiting == 0 || !settings.retry);
}


/* --- who is next --------------------------------------------------------- */

static cpe_t *
arrive_free_cpe(void)
{
    cpe_t     *cpe;
    uint64_t   tries;

    for (tries = 0; tries < settings.cpes; tries++) {
        cpe = cpe_at(arrive.next);
        arrive.next = (arrive.next + 1) % settings.cpes;

        if (cpe->session == NULL && !cpe->waiting) {
            return cpe;
        }
    }

    return NULL;
}


static void
arrive_closed(uint64_t now)
{
    cpe_t     *cpe;
    uint64_t   tries = settings.closed;     /* sessions may fail at once */

    (void) now;

    while (tries-- && cpe_busy_count() < settings.closed
           && !arrive_all_begun() && (cpe = arrive_free_cpe()) != NULL)
    {
        arrive.begun++;
        cpe_begin(cpe);
    }
}


static double
arrive_interval(void)
{
    if (settings.arrive == ARRIVE_POISSON) {
        return -log(1 - erand48(arrive.random)) / settings.rate;
    }

    return 1 / settings.rate;
}


/* A session whose CPEs are all busy is not made up for, but counted. */

static void
arrive_clocked(uint64_t now)
{
    cpe_t  *cpe;

    while (arrive.due <= now && !arrive_all_begun()) {
        arrive.due += (uint64_t) (arrive_interval() * NS_S);
        cpe = arrive_free_cpe();

        if (cpe == NULL) {
            stats.late++;
            continue;
        }

        arrive.begun++;
        cpe_begin(cpe);
    }
}


/* Evenly over the seconds, each CPE once. */

static void
arrive_storm(uint64_t now)
{
    double    step = settings.storm / (double) settings.cpes * NS_S;

    while (arrive.begun < settings.cpes && arrive.due <= now) {
        cpe_begin(cpe_at(arrive.begun++));
        arrive.due = stats.began + (uint64_t) (step * (double) arrive.begun);
    }
}


void
arrive_step(void)
{
    if (!arrive.stopped) {
        ways[settings.arrive].step(clock_ns());
    }
}


uint64_t
arrive_next(void)
{
    if (settings.arrive == ARRIVE_CLOSED || arrive.stopped
        || arrive_all_begun()
        || (settings.arrive >= ARRIVE_STORM && arrive.begun == settings.cpes))
    {
        return 0;
    }

    return arrive.due;
}


/* --- a CPE's own time ---------------------------------------------------- */

static void
arrive_set(cpe_t *cpe, uint64_t due)
{
    if (cpe->timer.fire == NULL) {
        timer_init(&cpe->timer, arrive_own_time, cpe);
    }

    if (cpe->timer.at == 0 || due < cpe->timer.due) {
        timer_set(&cpe->timer, due);
    }
}


void
arrive_wake(cpe_t *cpe, uint64_t due)
{
    arrive_set(cpe, due);
}


/* Whether there is something to tell now; later, if there will be. */

static int
arrive_has_due(cpe_t *cpe)
{
    uint64_t  due = todo_next(cpe);

    if (due > clock_ns()) {
        arrive_set(cpe, due);
        return 0;
    }

    return due != 0;
}


static void
arrive_go_on(cpe_t *cpe)
{
    arrive.waiting -= cpe->waiting;
    cpe->waiting = 0;
}


static void
arrive_own_time(void *arg)
{
    cpe_t  *cpe = arg;

    if (arrive.stopped) {
        return;
    }

    if (cpe->session) {                 /* after it */
        arrive_set(cpe, clock_ns() + 10 * NS_MS);
        return;
    }

    if (cpe->waiting && settings.retry) {
        stats.retries++;

    } else if (!arrive_has_due(cpe)) {  /* rested, or told meanwhile */
        arrive_go_on(cpe);
        return;
    }

    arrive_go_on(cpe);
    cpe_begin(cpe);
}


/* Of CWMP's table: from m (k/1000)^(n-1) up to m (k/1000)^n seconds. */

static uint64_t
arrive_retry_delay(unsigned n)
{
    double  low, factor = settings.retry_multiplier / 1000;

    n = n > RETRY_MAX ? RETRY_MAX : n;
    low = settings.retry_min * pow(factor, n - 1);
    return (uint64_t) ((low + (low * factor - low) * erand48(arrive.random))
                       * NS_S);
}


static void
arrive_served(cpe_t *cpe)
{
    uint64_t  n;

    if (cpe->served || settings.arrive < ARRIVE_STORM) {
        return;
    }

    cpe->served = 1;
    n = ++arrive.served;
    arrive.storm.all = settings.cpes;
    arrive.storm.served = n;
    arrive.storm.last = clock_ns() - stats.began;

    if (n == (settings.cpes + 1) / 2) {
        arrive.storm.half = arrive.storm.last;
    }

    if (n == settings.cpes - settings.cpes / 10) {
        arrive.storm.p90 = arrive.storm.last;
    }

    if (n == settings.cpes - settings.cpes / 100) {
        arrive.storm.p99 = arrive.storm.last;
    }
}


/* What is left to tell begins another session, after a while if it must. */

static void
arrive_after(cpe_t *cpe, fail_t why)
{
    uint64_t  due = todo_next(cpe);
    uint64_t  soonest = clock_ns() + (why == FAIL_NONE ? 0 : NS_S);

    if (due) {
        arrive_set(cpe, due > soonest ? due : soonest);
    }
}


void
arrive_over(cpe_t *cpe, fail_t why)
{
    arrive_after(cpe, why);

    if (why == FAIL_NONE) {
        arrive_served(cpe);
        return;
    }

    if (settings.arrive == ARRIVE_STORM) {
        arrive.storm.refusals++;
    }

    if (cpe->retries > arrive.storm.worst) {
        arrive.storm.worst = cpe->retries;
    }

    if (!arrive.stopped && !cpe->waiting) {
        cpe->waiting = 1;
        arrive.waiting++;
        arrive_set(cpe, clock_ns() + (settings.retry
                                      ? arrive_retry_delay(cpe->retries)
                                      : REST_NS));
    }
}


const storm_t *
arrive_storm_result(void)
{
    return &arrive.storm;
}
