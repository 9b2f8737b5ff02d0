
/* Where an ACS can call the CPEs. */

#ifndef SWARM_LISTEN_H
#define SWARM_LISTEN_H

#include "buf.h"


void listen_init(void);                         /* of settings.listen */
void listen_url(buf_t *b, uint32_t number);     /* ConnectionRequestURL */

#endif
