
/*
 * A data model from a file: lines of path, writable, type, value, with tabs
 * or commas between them, as spreadsheets write it.  A first line with names
 * says which column is which; others are ignored, and so are rows that are
 * not of a root that CWMP knows.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"


#define FIELDS  16

enum { COL_PATH, COL_WRITABLE, COL_TYPE, COL_VALUE, COL_COUNT };

typedef struct {
    char    *p;
    char    *end;
    char     separator;
    str_t    fields[FIELDS];
    int      n;
} table_t;


static const char  *columns[COL_COUNT] = {
    "path", "writable", "type", "value"
};


static buf_t
file_read(const char *name)
{
    size_t   n;
    FILE    *f = fopen(name, "rb");
    buf_t    b = { NULL, 0, 0 };

    if (f == NULL) {
        die("%s: %s", name, strerror(errno));
    }

    do {
        buf_room(&b, 65536);
        n = fread(b.p + b.len, 1, b.cap - b.len - 1, f);
        b.len += n;
    } while (n);

    if (ferror(f)) {
        die("%s: %s", name, strerror(errno));
    }

    fclose(f);
    b.p[b.len] = '\0';
    return b;
}


/* Quotes are taken off in place; two in a row are one. */

static str_t
table_field(table_t *t)
{
    char   *to;
    str_t   s = { t->p, 0 };

    if (t->p < t->end && *t->p == '"' && t->separator == ',') {
        s.p = to = ++t->p;

        while (t->p < t->end && (*t->p != '"' || t->p[1] == '"')) {
            t->p += *t->p == '"';
            *to++ = *t->p++;
        }

        t->p += t->p < t->end;
        s.len = (size_t) (to - s.p);

    } else {
        while (t->p < t->end && *t->p != t->separator && *t->p != '\n') {
            t->p++;
        }

        s.len = (size_t) (t->p - s.p);

        if (s.len && s.p[s.len - 1] == '\r') {
            s.len--;
        }
    }

    while (t->p < t->end && *t->p == '\r') {
        t->p++;
    }

    return s;
}


static int
table_line(table_t *t)
{
    str_t  s;

    t->n = 0;

    if (t->p >= t->end) {
        return 0;
    }

    for ( ;; ) {
        s = table_field(t);

        if (t->n < FIELDS) {
            t->fields[t->n++] = s;
        }

        if (t->p >= t->end || *t->p++ == '\n') {
            return 1;
        }
    }
}


/* Where the columns are; 1 when the line has their names. */

static int
table_columns(const table_t *t, int at[COL_COUNT])
{
    int  i, c;

    for (c = 0; c < COL_COUNT; c++) {
        at[c] = c;
    }

    if (!str_is_nocase(t->fields[0], "path")) {
        return 0;
    }

    for (c = 0; c < COL_COUNT; c++) {
        at[c] = -1;

        for (i = 0; i < t->n; i++) {
            if (str_is_nocase(t->fields[i], columns[c])) {
                at[c] = i;
            }
        }
    }

    return 1;
}


static void
table_put(const table_t *t, const int at[COL_COUNT])
{
    int    c;
    str_t  s[COL_COUNT];

    for (c = 0; c < COL_COUNT; c++) {
        s[c] = at[c] >= 0 && at[c] < t->n ? t->fields[at[c]]
                                          : (str_t) { "", 0 };
    }

    if (s[COL_PATH].len > 256
        || (strncmp(s[COL_PATH].p, "Device.", 7) != 0
            && strncmp(s[COL_PATH].p, "InternetGatewayDevice.", 22) != 0))
    {
        return;
    }

    model_put(s[COL_PATH],
              str_is_nocase(s[COL_WRITABLE], "true")
              || str_is(s[COL_WRITABLE], "1"),
              model_type(s[COL_TYPE]), s[COL_VALUE]);
}


void
modelfile_fill(const char *file)
{
    int      at[COL_COUNT];
    buf_t    b = file_read(file);
    table_t  t;

    memset(&t, 0, sizeof(t));
    t.p = strncmp(b.p, "\xef\xbb\xbf", 3) ? b.p : b.p + 3;     /* BOM */
    t.end = b.p + b.len;
    t.separator = memchr(b.p, '\t', strcspn(b.p, "\n")) ? '\t' : ',';

    if (!table_line(&t)) {
        die("%s is empty", file);
    }

    if (!table_columns(&t, at)) {
        table_put(&t, at);
    }

    while (table_line(&t)) {
        table_put(&t, at);
    }

    buf_free(&b);
}
