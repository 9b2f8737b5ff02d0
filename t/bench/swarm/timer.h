
/* Timers, and the clock of the run. */

#ifndef SWARM_TIMER_H
#define SWARM_TIMER_H

#include <stddef.h>
#include <stdint.h>


typedef struct swarm_timer_s  swarm_timer_t;

struct swarm_timer_s {
    uint64_t    due;                /* ns, when it is to fire */
    uint64_t    key;                /* ns, by which the heap is sorted */
    size_t      at;                 /* place in the heap, from 1; 0: none */
    void      (*fire)(void *arg);
    void       *arg;
};


uint64_t clock_ns(void);            /* monotonic */

#define NS_MS   1000000ull
#define NS_S    1000000000ull

void timer_init(swarm_timer_t *t, void (*fire)(void *), void *arg);
void timer_set(swarm_timer_t *t, uint64_t due);
void timer_stop(swarm_timer_t *t);
void timer_run(uint64_t now);
uint64_t timer_next(void);          /* when to look again; 0: no timer */

#endif
