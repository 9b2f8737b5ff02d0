/*
 * How the programs of this folder tell what a thing costs: it is done again
 * and again for about so many ms of CPU, and the CPU of one is printed, in us.
 */

#ifndef CLOCK_H
#define CLOCK_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>


static inline double
clock_cpu_us(void)
{
    struct timespec  t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double) t.tv_sec * 1e6 + (double) t.tv_nsec / 1e3;
}


static inline void
clock_print(void (*once)(void *data), void *data, double ms)
{
    double         began, took;
    unsigned long  n;

    once(data);                         /* caches are warm in a worker, too */
    began = clock_cpu_us();

    for (n = 0, took = 0; took < ms * 1000; n++) {
        once(data);
        took = clock_cpu_us() - began;
    }

    printf("%.3f\n", took / (double) n);
}


static inline char *
clock_read(const char *file, size_t *len)
{
    long   n;
    char  *p;
    FILE  *f = fopen(file, "rb");

    if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (n = ftell(f)) < 0) {
        perror(file);
        exit(2);
    }

    rewind(f);
    p = malloc((size_t) n + 1);

    if (p == NULL || fread(p, 1, (size_t) n, f) != (size_t) n) {
        perror(file);
        exit(2);
    }

    fclose(f);
    p[n] = '\0';
    *len = (size_t) n;
    return p;
}

#endif
