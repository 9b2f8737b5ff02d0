
/*
 * A binary heap of timers.  A timer that is put off, as the time-out of each
 * POST is, stays where it is in the heap and is moved when its old time comes:
 * putting off costs nothing.
 */

#include <stdlib.h>
#include <time.h>

#include "buf.h"
#include "timer.h"


static struct {
    swarm_timer_t  **at;            /* from 1 */
    size_t           n;
    size_t           cap;
} heap;


uint64_t
clock_ns(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t) ts.tv_sec * NS_S + (uint64_t) ts.tv_nsec;
}


void
timer_init(swarm_timer_t *t, void (*fire)(void *), void *arg)
{
    t->due = 0;
    t->key = 0;
    t->at = 0;
    t->fire = fire;
    t->arg = arg;
}


static void
heap_put(size_t i, swarm_timer_t *t)
{
    heap.at[i] = t;
    t->at = i;
}


static void
heap_up(size_t i, swarm_timer_t *t)
{
    while (i > 1 && heap.at[i / 2]->key > t->key) {
        heap_put(i, heap.at[i / 2]);
        i /= 2;
    }

    heap_put(i, t);
}


static void
heap_down(size_t i, swarm_timer_t *t)
{
    size_t  child;

    while ((child = 2 * i) <= heap.n) {
        if (child < heap.n && heap.at[child + 1]->key < heap.at[child]->key) {
            child++;
        }

        if (heap.at[child]->key >= t->key) {
            break;
        }

        heap_put(i, heap.at[child]);
        i = child;
    }

    heap_put(i, t);
}


static void
heap_remove(swarm_timer_t *t)
{
    size_t          i = t->at;
    swarm_timer_t  *last = heap.at[heap.n--];

    t->at = 0;

    if (last == t) {
        return;
    }

    if (i > 1 && heap.at[i / 2]->key > last->key) {
        heap_up(i, last);
    } else {
        heap_down(i, last);
    }
}


void
timer_set(swarm_timer_t *t, uint64_t due)
{
    t->due = due;

    if (t->at && due >= t->key) {
        return;
    }

    if (t->at) {
        heap_remove(t);
    }

    if (heap.n + 1 >= heap.cap) {
        heap.cap = heap.cap ? heap.cap * 2 : 1024;
        heap.at = mem_grow(heap.at, heap.cap * sizeof(swarm_timer_t *));
    }

    t->key = due;
    heap_up(++heap.n, t);
}


void
timer_stop(swarm_timer_t *t)
{
    if (t->at) {
        heap_remove(t);
    }

    t->due = 0;
}


void
timer_run(uint64_t now)
{
    swarm_timer_t  *t;

    while (heap.n && heap.at[1]->key <= now) {
        t = heap.at[1];
        heap_remove(t);

        if (t->due > now) {
            timer_set(t, t->due);
        } else {
            t->fire(t->arg);
        }
    }
}


uint64_t
timer_next(void)
{
    return heap.n ? heap.at[1]->key : 0;
}
