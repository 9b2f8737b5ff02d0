
/* When sessions begin. */

#ifndef SWARM_ARRIVE_H
#define SWARM_ARRIVE_H

#include "cpe.h"


void arrive_begin(void);
void arrive_over(cpe_t *cpe, fail_t why);   /* a session of it */
int arrive_finished(void);
void arrive_stop(void);                     /* no more sessions */

#endif
