/*
 * format FILE MS: the CPU that hiredis needs to write the commands in FILE
 * (as they go to Redis), given their words: what a client needs at least,
 * before it has sent a byte.
 */

#include <hiredis/hiredis.h>
#include <string.h>

#include "clock.h"


typedef struct {
    int           argc;
    const char  **argv;
    size_t       *lens;
} command_t;


typedef struct {
    size_t      n;
    command_t  *commands;
} format_t;


static void
format_bad(void)
{
    fprintf(stderr, "format: these are no commands of Redis\n");
    exit(2);
}


/* "*12\r\n" or "$12\r\n", and where it ends */

static size_t
format_number(char **p, char kind)
{
    char    *end;
    size_t   n;

    if (**p != kind) {
        format_bad();
    }

    n = strtoul(*p + 1, &end, 10);

    if (strncmp(end, "\r\n", 2) != 0) {
        format_bad();
    }

    *p = end + 2;
    return n;
}


static void
format_words(command_t *c, char **p, const char *last)
{
    int  i;

    c->argc = (int) format_number(p, '*');
    c->argv = calloc((size_t) c->argc, sizeof(char *));
    c->lens = calloc((size_t) c->argc, sizeof(size_t));

    if (c->argv == NULL || c->lens == NULL) {
        format_bad();
    }

    for (i = 0; i < c->argc; i++) {
        c->lens[i] = format_number(p, '$');
        c->argv[i] = *p;

        if (c->lens[i] + 2 > (size_t) (last - *p)) {
            format_bad();
        }

        *p += c->lens[i] + 2;
    }
}


static void
format_once(void *data)
{
    char      *out;
    size_t     i;
    command_t *c;
    format_t  *f = data;

    for (i = 0; i < f->n; i++) {
        c = &f->commands[i];

        if (redisFormatCommandArgv(&out, c->argc, c->argv, c->lens) < 0) {
            format_bad();
        }

        redisFreeCommand(out);
    }
}


int
main(int argc, char **argv)
{
    char      *p, *last;
    size_t     len;
    format_t   f = { 0, NULL };

    if (argc != 3) {
        fprintf(stderr, "usage: format FILE MS\n");
        return 2;
    }

    p = clock_read(argv[1], &len);
    last = p + len;

    while (p < last) {
        f.commands = realloc(f.commands, (f.n + 1) * sizeof(command_t));

        if (f.commands == NULL) {
            format_bad();
        }

        format_words(&f.commands[f.n++], &p, last);
    }

    clock_print(format_once, &f, atof(argv[2]));
    return 0;
}
