/*
 * cwmp-seal: what is secret in a task, sealed before it goes to Redis, and what
 * Redis has sealed, opened.  From standard input to standard output: no secret
 * stands on a command line.  cwmp-push --key uses it.
 */

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cwmp_task.h"
#include "key.h"

#define CWMP_SEAL_DEPTH  16         /* of JSON that is opened */
#define CWMP_SEAL_PATHS  2          /* lines before a value: path, type */


/* of the arena, to be freed after a line */
typedef struct cwmp_seal_block_s  cwmp_seal_block_t;

struct cwmp_seal_block_s {
    cwmp_seal_block_t  *next;
    max_align_t         data[];
};

typedef struct {
    cwmp_arena_t     arena;
    cwmp_secret_t    secret;
    cwmp_str_t       id;
    char            *paths[CWMP_SEAL_PATHS];
    int              bad;
} cwmp_seal_t;


static const char  usage[] =
"usage: cwmp-seal --key FILE ID < TASK\n"
"       cwmp-seal --key FILE --open ID < TEXT\n"
"\n"
"Seals what is secret in the JSON of a task for the device ID, or opens what\n"
"is sealed in what Redis has of it: lines of FCALL_RO cwmp_params, of its\n"
"results and events, a task, or \"PATH VALUE\".\n"
"\n"
"  -k, --key FILE  the key file of cwmp_secret_key\n"
"  -o, --open      opens\n"
"  -h, --help      this text\n"
"\n"
"Exit code: 0, or 1 when something is no task, or does not open.\n";

static const struct option  options[] = {
    { "key", required_argument, NULL, 'k' },
    { "open", no_argument, NULL, 'o' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 }
};


static void *
from_heap(void *owner, size_t size)
{
    cwmp_seal_block_t  **first = owner, *b;

    b = malloc(sizeof(cwmp_seal_block_t) + size);

    if (b == NULL) {
        perror("cwmp-seal");
        exit(1);
    }

    b->next = *first;
    *first = b;

    return b->data;
}


static void
free_all(cwmp_seal_t *s)
{
    cwmp_seal_block_t  **first = s->arena.owner, *b;

    while (*first) {
        b = *first;
        *first = b->next;
        free(b);
    }
}


static int
fail(const char *what, const char *why)
{
    fprintf(stderr, "cwmp-seal: %s%s%s\n", what, *what ? ": " : "", why);

    return 1;
}


static cwmp_str_t
str(const char *s)
{
    cwmp_str_t  text;

    text.data = (unsigned char *) s;
    text.len = strlen(s);

    return text;
}


/* --- sealing -------------------------------------------------------------- */

static int
seal(cwmp_seal_t *s)
{
    char        *text = NULL;
    size_t       size = 0;
    ssize_t      n;
    cwmp_str_t   json, sealed;

    n = getdelim(&text, &size, '\0', stdin);
    json.data = (unsigned char *) text;
    json.len = n > 0 ? (size_t) n : 0;

    if (cwmp_task_seal(&s->secret, &s->arena, &s->id, &json, &sealed)
        != CWMP_OK)
    {
        free(text);
        return fail("", "standard input is no task: no JSON object");
    }

    json = sealed.len ? sealed : json;
    fwrite(json.data, 1, json.len, stdout);

    if (sealed.len) {
        putchar('\n');
    }

    free(text);

    return 0;
}


/* --- opening -------------------------------------------------------------- */

/* NULL: it is not sealed for this path */

static char *
opened(cwmp_seal_t *s, const char *path, const char *text)
{
    char        *p;
    cwmp_str_t   field = str(path), sealed = str(text), name, value;
    const char  *reason;

    if (!cwmp_secret_is_sealed(&sealed)
        || cwmp_secret_name(&s->arena, &s->id, &field, &name) != CWMP_OK
        || cwmp_secret_open(&s->secret, &s->arena, &name, &sealed, &value,
                            &reason)
           != CWMP_OK)
    {
        return NULL;
    }

    p = cwmp_alloc(&s->arena, value.len + 1);
    memcpy(p, value.data, value.len);
    p[value.len] = '\0';

    return p;
}


static int
is_sealed(const char *text)
{
    cwmp_str_t  s = str(text ? text : "");

    return cwmp_secret_is_sealed(&s);
}


/* {"PATH":VALUE}, and {"Name":PATH,"Value":VALUE}, wherever they are */

static void
open_json(cwmp_seal_t *s, json_t *v, int depth)
{
    char        *clear;
    size_t       i;
    json_t      *item;
    const char  *name, *path, *text;

    if (depth == 0) {
        return;
    }

    json_array_foreach(v, i, item) {
        open_json(s, item, depth - 1);
    }

    path = json_string_value(json_object_get(v, "Name"));

    json_object_foreach(v, name, item) {
        text = json_string_value(item);

        if (!is_sealed(text)) {
            open_json(s, item, depth - 1);
            continue;
        }

        clear = opened(s, path ? path : name, text);

        if (clear) {
            json_object_set_new_nocheck(v, name, json_string(clear));

        } else {
            s->bad = fail(path ? path : name, "does not open");
        }
    }
}


static int
open_object(cwmp_seal_t *s, const char *line)
{
    json_t      *v;
    cwmp_str_t   json = str(line), out;
    const char  *reason;

    v = json_loads(line, 0, NULL);

    if (!json_is_object(v)) {
        json_decref(v);
        return 0;
    }

    if (json_object_get(v, "method")) {

        if (cwmp_task_open(&s->secret, &s->arena, &s->id, &json, &out, &reason)
            == CWMP_OK)
        {
            printf("%.*s\n", (int) out.len, out.data);

        } else {
            s->bad = fail("the task", reason);
            puts(line);
        }

    } else {
        open_json(s, v, CWMP_SEAL_DEPTH);
        json_dumpf(v, stdout, JSON_COMPACT);
        putchar('\n');
    }

    json_decref(v);

    return 1;
}


/* a value by itself belongs to one of the lines before it */

static void
open_value(cwmp_seal_t *s, const char *line)
{
    int    i;
    char  *clear = NULL;

    for (i = 0; i < CWMP_SEAL_PATHS && clear == NULL; i++) {
        clear = s->paths[i] ? opened(s, s->paths[i], line) : NULL;
    }

    if (clear == NULL) {
        s->bad = fail("a value", "does not open: was it sealed for this ID, "
                      "for the path before it, with this key?");
    }

    puts(clear ? clear : line);
}


static int
has_sealed(const char *line)
{
    const char  *p;

    for (p = strstr(line, "s1."); p; p = strstr(p + 1, "s1.")) {
        if (strspn(p + 3, "0123456789abcdef") == CWMP_SECRET_ID
            && is_sealed(p))
        {
            return 1;
        }
    }

    return 0;
}


static void
open_line(cwmp_seal_t *s, char *line)
{
    char    *blank, *clear;
    size_t   time;

    /* in live a task stands behind the time that it was queued */

    time = strspn(line, "0123456789");
    time = (time && line[time] == ' ') ? time + 1 : 0;

    if (line[time] == '{') {
        printf("%.*s", (int) time, line);

        if (open_object(s, line + time)) {
            return;
        }

        line += time;
    }

    if (is_sealed(line)) {
        open_value(s, line);
        return;
    }

    blank = strrchr(line, ' ');

    if (blank && is_sealed(blank + 1)) {
        *blank = '\0';
        clear = opened(s, line, blank + 1);
        *blank = ' ';

        if (clear) {
            printf("%.*s %s\n", (int) (blank - line), line, clear);
            return;
        }

        s->bad = fail("a value", "does not open");

    } else if (has_sealed(line)) {
        s->bad = fail("a line", "has something sealed, and is none that can be "
                      "opened: neither JSON nor a value behind its path");
    }

    puts(line);
}


static int
open_all(cwmp_seal_t *s)
{
    char     *line = NULL;
    size_t    size = 0;
    ssize_t   n;

    while ((n = getline(&line, &size, stdin)) != -1) {
        line[strcspn(line, "\r\n")] = '\0';

        open_line(s, line);

        free(s->paths[1]);
        s->paths[1] = s->paths[0];
        s->paths[0] = strdup(line);

        free_all(s);
    }

    free(s->paths[0]);
    free(s->paths[1]);
    free(line);

    return s->bad;
}


int
main(int argc, char **argv)
{
    int           c, rc, opens = 0;
    char         *key = NULL;
    cwmp_seal_t   s;

    cwmp_seal_block_t  *blocks = NULL;

    memset(&s, 0, sizeof(s));
    s.arena.alloc = from_heap;
    s.arena.owner = &blocks;

    while ((c = getopt_long(argc, argv, "k:oh", options, NULL)) != -1) {

        switch (c) {

        case 'k':
            key = optarg;
            break;

        case 'o':
            opens = 1;
            break;

        default:
            fputs(usage, c == 'h' ? stdout : stderr);
            return c != 'h';
        }
    }

    if (optind + 1 != argc || key == NULL) {
        fputs(usage, stderr);
        return 1;
    }

    if (read_key("cwmp-seal", key, &s.secret)) {
        return 1;
    }

    s.id = str(argv[optind]);
    rc = opens ? open_all(&s) : seal(&s);
    free_all(&s);

    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("cwmp-seal");
        return 1;
    }

    return rc;
}
