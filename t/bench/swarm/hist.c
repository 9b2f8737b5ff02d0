
/*
 * A histogram in the manner of HdrHistogram: 64 buckets for each power of two
 * of microseconds, so that any percentile is right within 1.6 %, in 9 KB.
 */

#include "hist.h"


static unsigned
hist_bucket(uint64_t us)
{
    unsigned  shift;

    if (us < HIST_SUB) {
        return (unsigned) us;
    }

    shift = 63 - (unsigned) __builtin_clzll(us) - 6;

    if (shift >= HIST_SIZE / HIST_SUB - 1) {
        return HIST_SIZE - 1;
    }

    return HIST_SUB * (shift + 1) + (unsigned) (us >> shift) - HIST_SUB;
}


/* The highest time that falls into the bucket. */

static uint64_t
hist_top(unsigned bucket)
{
    unsigned  shift = bucket / HIST_SUB;

    if (shift == 0) {
        return bucket;
    }

    shift--;
    return (((uint64_t) (bucket % HIST_SUB) + HIST_SUB + 1) << shift) - 1;
}


void
hist_add(hist_t *h, uint64_t us)
{
    h->n++;
    h->sum += us;
    h->at[hist_bucket(us)]++;

    if (us > h->max) {
        h->max = us;
    }
}


uint64_t
hist_percentile(const hist_t *h, double percent)
{
    unsigned  i;
    uint64_t  seen = 0, want, top;

    want = (uint64_t) (percent / 100 * (double) h->n + 0.5);
    want = want ? want : 1;

    for (i = 0; i < HIST_SIZE; i++) {
        seen += h->at[i];

        if (seen >= want) {
            top = hist_top(i);
            return top < h->max ? top : h->max;
        }
    }

    return h->max;
}
