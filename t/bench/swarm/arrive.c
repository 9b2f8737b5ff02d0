
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
#define HELD_NS    (NS_S / 10)      /* begun so much too late: told */


static void arrive_closed(uint64_t now);
static void arrive_clocked(uint64_t now);
static void arrive_storm(uint64_t now);
static void arrive_own_time(void *arg);
static void arrive_limit(void *arg);
static void arrive_go_on(cpe_t *cpe);


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
    cpe_t          *held;           /* their time has come, but no room */
    cpe_t         **held_end;
    uint64_t        stopped;        /* ns, when; 0: goes on */
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
    arrive.held_end = &arrive.held;

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
    if (arrive.stopped == 0) {
        arrive.stopped = clock_ns();
    }
}


/* An ACS that always has one more request keeps no run from its end. */

int
arrive_given_up(void)
{
    return arrive.stopped
           && clock_ns() - arrive.stopped
              > (uint64_t) (settings.timeout * NS_S);
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


/* --- no more at a time than files may be open ---------------------------- */

static int
arrive_room(void)
{
    size_t  busy = cpe_busy_count(), open = net_open_count();
    int     room = (busy > open ? busy : open) < settings.connections;

    stats.full |= !room;
    return room;
}


static void
arrive_go(cpe_t *cpe, uint64_t now, uint64_t due)
{
    uint64_t  behind = now > due ? now - due : 0;

    stats.behind = behind > stats.behind ? behind : stats.behind;
    stats.held += behind > HELD_NS;
    cpe_begin(cpe);
}


/* Whose own time has come waits for room, in order. */

static void
arrive_hold(cpe_t *cpe)
{
    cpe->held = 1;
    cpe->next_held = NULL;
    *arrive.held_end = cpe;
    arrive.held_end = &cpe->next_held;
}


static void
arrive_again(cpe_t *cpe, uint64_t now)
{
    stats.retries += cpe->waiting && settings.retry;
    arrive_go_on(cpe);
    arrive_go(cpe, now, cpe->timer.due);
}


/* In a storm those that come for the first time take turns with them. */

static void
arrive_held(uint64_t now)
{
    cpe_t  *cpe;

    while ((cpe = arrive.held) != NULL && arrive_room()
           && (settings.arrive != ARRIVE_STORM
               || arrive.begun == settings.cpes
               || cpe->timer.due <= arrive.due))
    {
        cpe->held = 0;
        arrive.held = cpe->next_held;

        if (arrive.held == NULL) {
            arrive.held_end = &arrive.held;
        }

        arrive_again(cpe, now);
    }
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

        if (cpe->session == NULL && !cpe->waiting && !cpe->held) {
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

    while (tries-- && cpe_busy_count() < settings.closed && arrive_room()
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
    cpe_t     *cpe;
    uint64_t   due;

    while ((due = arrive.due) <= now && !arrive_all_begun()) {
        arrive.due += (uint64_t) (arrive_interval() * NS_S);
        cpe = arrive_room() ? arrive_free_cpe() : NULL;

        if (cpe == NULL) {
            stats.late++;
            continue;
        }

        arrive.begun++;
        arrive_go(cpe, now, due);
    }
}


/* Evenly over the seconds, each CPE once; those that are held back, later. */

static void
arrive_storm(uint64_t now)
{
    double    step = settings.storm / (double) settings.cpes * NS_S;

    while (arrive.begun < settings.cpes && arrive.due <= now && arrive_room()
           && (arrive.held == NULL || arrive.due < arrive.held->timer.due))
    {
        arrive_go(cpe_at(arrive.begun++), now, arrive.due);
        arrive.due = stats.began + (uint64_t) (step * (double) arrive.begun);
    }
}


void
arrive_step(void)
{
    uint64_t  now = clock_ns();

    if (!arrive.stopped) {
        arrive_held(now);
        ways[settings.arrive].step(now);
    }
}


uint64_t
arrive_next(void)
{
    if (settings.arrive == ARRIVE_CLOSED || arrive.stopped
        || arrive_all_begun() || !arrive_room()
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

    if (arrive.stopped || cpe->held) {
        return;
    }

    if (cpe->session) {                 /* after it */
        arrive_set(cpe, clock_ns() + 10 * NS_MS);

    } else if (!(cpe->waiting && settings.retry) && !arrive_has_due(cpe)) {
        arrive_go_on(cpe);              /* rested, or told meanwhile */

    } else if (arrive.held || !arrive_room()) {
        arrive_hold(cpe);

    } else {
        arrive_again(cpe, clock_ns());
    }
}


/* Of CWMP's table: from m (k/1000)^(n-1) up to m (k/1000)^n seconds. */

static uint64_t
arrive_retry_delay(unsigned n)
{
    double  low, factor = settings.retry_multiplier / 1000;

    if (!settings.retry) {
        return REST_NS;
    }

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


/*
 * What is left to tell begins another session, after a failure that of the
 * next attempt; what comes due before that is new, and need not wait for it.
 */

static void
arrive_after(cpe_t *cpe, fail_t why)
{
    uint64_t  due = todo_next(cpe), now = clock_ns();

    if (due && (why == FAIL_NONE || due > now)) {
        arrive_set(cpe, due);
    }
}


void
arrive_over(cpe_t *cpe, fail_t why)
{
    if (why != FAIL_NONE && !settings.retry && arrive_all_begun()) {
        todo_clear(cpe);                /* it would be told for ever */
    }

    arrive_after(cpe, why);

    if (why == FAIL_NONE) {
        arrive_served(cpe);
        return;
    }

    if (why != FAIL_OWN && settings.arrive == ARRIVE_STORM) {
        arrive.storm.refusals++;
    }

    if (cpe->retries > arrive.storm.worst) {
        arrive.storm.worst = cpe->retries;
    }

    if (!arrive.stopped && !cpe->waiting) {
        cpe->waiting = 1;
        arrive.waiting++;
        arrive_set(cpe, clock_ns() + (why == FAIL_OWN ? NS_S
                                      : arrive_retry_delay(cpe->retries)));
    }
}


const storm_t *
arrive_storm_result(void)
{
    return &arrive.storm;
}
