/*
 * TAP for small C programs: ok(), is_str(), is_num(), diag(), done(), and an
 * arena of malloc'd blocks that is freed at the end, so that a sanitizer sees
 * each block's bounds.  A header of static functions: no library, no runner.
 */

#ifndef TAP_H
#define TAP_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TAP_UNUSED  __attribute__((unused))


static int   tap_count TAP_UNUSED;
static int   tap_failed TAP_UNUSED;


static void TAP_UNUSED
diag(const char *fmt, ...)
{
    va_list  args;

    printf("# ");
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    printf("\n");
}


static int TAP_UNUSED
ok(int good, const char *fmt, ...)
{
    va_list  args;

    printf("%sok %d - ", good ? "" : "not ", ++tap_count);
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    printf("\n");

    tap_failed += !good;

    return good;
}


static int TAP_UNUSED
is_mem(const void *got, size_t n, const char *want, const char *name)
{
    if (ok(n == strlen(want) && memcmp(got, want, n) == 0, "%s", name)) {
        return 1;
    }

    diag("got:  %.*s", (int) n, (const char *) got);
    diag("want: %s", want);

    return 0;
}


static int TAP_UNUSED
is_str(const char *got, const char *want, const char *name)
{
    got = got ? got : "(null)";

    return is_mem(got, strlen(got), want, name);
}


static int TAP_UNUSED
is_num(long long got, long long want, const char *name)
{
    if (ok(got == want, "%s", name)) {
        return 1;
    }

    diag("got %lld, want %lld", got, want);

    return 0;
}


static int TAP_UNUSED
done(void)
{
    printf("1..%d\n", tap_count);

    return tap_failed != 0;
}


static double TAP_UNUSED
tap_cpu(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);

    return ts.tv_sec + ts.tv_nsec / 1e9;
}


typedef struct tap_block_s  tap_block_t;

struct tap_block_s {
    tap_block_t   *next;
    size_t         size;
};

typedef struct {
    tap_block_t   *blocks;
    size_t         used;
    size_t         limit;           /* 0: none; else NULL above it */
} tap_arena_t;


static TAP_UNUSED void *
tap_alloc(void *owner, size_t size)
{
    tap_arena_t  *a = owner;
    tap_block_t  *b;

    if (a->limit && a->used + size > a->limit) {
        return NULL;
    }

    b = malloc(sizeof(tap_block_t) + size);
    if (b == NULL) {
        return NULL;
    }

    b->next = a->blocks;
    a->blocks = b;
    a->used += size;

    return b + 1;
}


static void TAP_UNUSED
tap_free(tap_arena_t *a)
{
    tap_block_t  *b, *next;

    for (b = a->blocks; b; b = next) {
        next = b->next;
        free(b);
    }

    a->blocks = NULL;
    a->used = 0;
}


static TAP_UNUSED char *
tap_read(const char *path, size_t *n)
{
    FILE  *f;
    char  *text;
    long   size;

    f = fopen(path, "rb");
    if (f == NULL) {
        return NULL;
    }

    fseek(f, 0, SEEK_END);
    size = ftell(f);
    rewind(f);

    text = malloc(size + 1);
    *n = text ? fread(text, 1, size, f) : 0;
    fclose(f);

    if (text) {
        text[*n] = '\0';
    }

    return text;
}

#endif
