/*
 * A wrong clock: LD_PRELOAD=clock.so CLOCK_FILE=file program.  The file holds
 * two int64, the seconds that the program's clock is ahead, and its monotonic
 * time; they are looked at in each call, so that it jumps when somebody writes
 * there.  Where an admin sets the date, monotonic time is right.
 */

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t  *ahead;


__attribute__((constructor)) static void
clock_open(void)
{
    int          fd;
    void        *p;
    const char  *file;

    file = getenv("CLOCK_FILE");
    fd = file ? open(file, O_RDONLY) : -1;

    if (fd == -1) {
        return;
    }

    p = mmap(NULL, 2 * sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
    close(fd);

    if (p != MAP_FAILED) {
        ahead = p;
    }
}


int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int  rc;

    rc = syscall(SYS_clock_gettime, id, ts);

    if (rc == 0 && ahead
        && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
    {
        ts->tv_sec += ahead[0];
    }

    if (rc == 0 && ahead
        && (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE))
    {
        ts->tv_sec += ahead[1];
    }

    return rc;
}


int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
    struct timespec  ts;

    (void) tz;

    if (clock_gettime(CLOCK_REALTIME, &ts) == -1) {
        return -1;
    }

    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;
    return 0;
}


time_t
time(time_t *t)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    if (t) {
        *t = ts.tv_sec;
    }

    return ts.tv_sec;
}
