#include "arrive.h"
#include <stdlib.h>
static uint64_t next; static int stopped; static swarm_timer_t end;
static void arrive_end(void *a) { (void) a; stopped = 1; }
void arrive_begin(void) { timer_init(&end, arrive_end, NULL);
  if (settings.duration > 0) timer_set(&end, stats.began + (uint64_t) (settings.duration * NS_S)); }
void arrive_step(void);
void arrive_step(void) {
  while (!stopped && cpe_busy_count() < settings.closed && (!settings.sessions || stats.started < settings.sessions)) {
    cpe_t *c; uint64_t tries = 0;
    do { c = cpe_at(next++ % settings.cpes); } while (c->session && ++tries < settings.cpes);
    if (c->session) break;
    cpe_begin(c);
  }
}
void arrive_over(cpe_t *cpe, fail_t why) { (void) cpe; (void) why; }
int arrive_finished(void) { return cpe_busy_count() == 0 && (stopped || (settings.sessions && stats.started >= settings.sessions)); }
void arrive_stop(void) { stopped = 1; }
