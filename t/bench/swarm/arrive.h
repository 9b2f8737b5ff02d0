
/* When sessions begin. */

#ifndef SWARM_ARRIVE_H
#define SWARM_ARRIVE_H

#include "cpe.h"


/* how a storm went; times in ns from its beginning, 0: not reached */
typedef struct {
    uint64_t   all;
    uint64_t   served;
    uint64_t   half;
    uint64_t   p90;
    uint64_t   p99;
    uint64_t   last;                /* so far */
    uint64_t   refusals;
    uint64_t   worst;               /* of one CPE, in a row */
} storm_t;


void arrive_begin(void);
void arrive_over(cpe_t *cpe, fail_t why);   /* a session of it */
void arrive_wake(cpe_t *cpe, uint64_t due); /* a session of its own accord */
void arrive_step(void);                     /* begins what is due */
uint64_t arrive_next(void);                 /* when that is; 0: not known */
int arrive_finished(void);
const storm_t *arrive_storm_result(void);
void arrive_stop(void);                     /* no more sessions */
int arrive_given_up(void);                  /* nor any more POSTs */

#endif
