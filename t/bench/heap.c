/*
 * Preloaded into nginx: on a signal the process writes how many bytes of its
 * heap are in use, into the file that BENCH_HEAP names.  Resident memory can't
 * tell that: a heap keeps what its busiest moment needed.  Only to be asked
 * while the process sleeps, since malloc() must not be under way.
 */

#define _GNU_SOURCE

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>


#define HEAP_SIGNAL  (SIGRTMIN + 9)


static char  heap_file[256];


static void
heap_tell(int signo)
{
    int               fd, n;
    char              text[32];
    struct mallinfo2  m = mallinfo2();

    (void) signo;

    n = snprintf(text, sizeof(text), "%zu\n", m.uordblks + m.hblkhd);
    fd = open(heap_file, O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0600);

    if (fd == -1 || write(fd, text, (size_t) n) != n) {
        _exit(2);
    }

    close(fd);
}


__attribute__((constructor))
static void
heap_init(void)
{
    const char        *file = getenv("BENCH_HEAP");
    struct sigaction   sa;

    if (file == NULL || strlen(file) >= sizeof(heap_file)) {
        return;
    }

    strcpy(heap_file, file);
    memset(&sa, 0, sizeof(sa));
    sa.sa_handler = heap_tell;
    sa.sa_flags = SA_RESTART;
    sigaction(HEAP_SIGNAL, &sa, NULL);
}
