
/* How long things took: counts in buckets that grow with the time. */

#ifndef SWARM_HIST_H
#define SWARM_HIST_H

#include <stdint.h>


#define HIST_SUB    64              /* buckets for each doubling: 1.6 % */
#define HIST_SIZE   (HIST_SUB * 36)

typedef struct {
    uint64_t   n;
    uint64_t   max;                 /* us */
    uint64_t   sum;
    uint32_t   at[HIST_SIZE];
} hist_t;

void hist_add(hist_t *h, uint64_t us);
uint64_t hist_percentile(const hist_t *h, double percent);

#endif
