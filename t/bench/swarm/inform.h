
/* The Inform of a session. */

#ifndef SWARM_INFORM_H
#define SWARM_INFORM_H

#include "cpe.h"


void inform_init(void);
void inform_write(session_t *s);

#endif
