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
"results and events, also of redis-cli --json, a task, or \"PATH VALUE\".\n"
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


static void open_json(cwmp_seal_t *s, json_t *v, int depth);
static const char *opened_text(cwmp_seal_t *s, const char *text, int depth);


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


/* what takes the place of v, a member of path, or in a list behind path and
   type; NULL: it stays */

static json_t *
opened_item(cwmp_seal_t *s, json_t *v, const char *path, const char *before,
    int depth)
{
    const char  *clear, *text;

    text = json_string_value(v);

    if (text == NULL) {
        open_json(s, v, depth - 1);
        return NULL;
    }

    if (!is_sealed(text)) {
        clear = has_sealed(text) ? opened_text(s, text, depth - 1) : NULL;

    } else {
        clear = path ? opened(s, path, text) : NULL;

        if (clear == NULL && before) {
            clear = opened(s, before, text);
        }

        if (clear == NULL) {
            s->bad = fail(path && !before ? path : "a value", "does not open");
        }
    }

    return clear ? json_string(clear) : NULL;
}


/* {"PATH":VALUE}, {"Name":PATH,"Value":VALUE}, [PATH,TYPE,VALUE], wherever they
   are */

static void
open_json(cwmp_seal_t *s, json_t *v, int depth)
{
    size_t       i;
    json_t      *item, *new;
    const char  *name, *path;

    if (depth <= 0) {
        return;
    }

    json_array_foreach(v, i, item) {
        new = opened_item(s, item, json_string_value(json_array_get(v, i - 1)),
                          json_string_value(json_array_get(v, i - 2)), depth);

        if (new) {
            json_array_set_new(v, i, new);
        }
    }

    path = json_string_value(json_object_get(v, "Name"));

    if (path) {                         /* it may be replaced */
        path = strcpy(cwmp_alloc(&s->arena, strlen(path) + 1), path);
    }

    json_object_foreach(v, name, item) {
        new = opened_item(s, item, path ? path : name, NULL, depth);

        if (new) {
            json_object_set_new_nocheck(v, name, new);
        }
    }
}


static const char *
opened_task(cwmp_seal_t *s, const char *text, size_t time)
{
    char        *p;
    cwmp_str_t   json = str(text + time), out;
    const char  *reason;

    if (cwmp_task_open(&s->secret, &s->arena, &s->id, &json, &out, &reason)
        != CWMP_OK)
    {
        s->bad = fail("the task", reason);
        return text;
    }

    p = cwmp_alloc(&s->arena, time + out.len + 1);
    sprintf(p, "%.*s%.*s", (int) time, text, (int) out.len, out.data);

    return p;
}


/* JSON, and of strings in it the JSON that they hold; NULL: it is none */

static const char *
opened_text(cwmp_seal_t *s, const char *text, int depth)
{
    char        *p;
    size_t       time, size;
    json_t      *v;
    const char  *clear;

    /* in live a task stands behind the time that it was queued */

    time = strspn(text, "0123456789");
    time = (time && text[time] == ' ') ? time + 1 : 0;

    v = json_loads(text + time, 0, NULL);

    if (v == NULL || json_object_get(v, "method")) {
        clear = v ? opened_task(s, text, time) : NULL;
        json_decref(v);
        return clear;
    }

    open_json(s, v, depth);

    size = json_dumpb(v, NULL, 0, JSON_COMPACT);
    p = cwmp_alloc(&s->arena, time + size + 1);
    memcpy(p, text, time);
    json_dumpb(v, p + time, size, JSON_COMPACT);
    p[time + size] = '\0';

    json_decref(v);

    return p;
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


static void
open_line(cwmp_seal_t *s, char *line)
{
    int          bad = s->bad;
    char        *blank, *clear;
    const char  *json;

    s->bad = 0;
    json = strstr(line, "s1.") ? opened_text(s, line, CWMP_SEAL_DEPTH) : NULL;

    if (json && !s->bad && has_sealed(json)) {
        s->bad = fail("a line", "has something sealed where nothing is opened");
    }

    s->bad |= bad;

    if (json) {
        puts(json);
        return;
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
