
/*
 * The data model.  All CPEs share one sorted list of entries; what a CPE has
 * that differs is in a sorted list of its own, whose entries hide those of the
 * same path.  So a CPE that was never changed costs nothing, and whoever reads
 * walks both lists side by side.  Knows no XML; what changes a model beyond a
 * single value is in modeledit.c.
 */

#include <stdlib.h>
#include <string.h>

#include "identity.h"
#include "model.h"
#include "modeledit.h"


static entries_t  base;


static int entry_compare(const void *one, const void *two);
static void model_complete(void);


void
model_init(void)
{
    if (settings.model_file) {
        modelfile_fill(settings.model_file);
    } else {
        modelgen_fill(settings.model, settings.parameters);
    }

    if (base.n == 0) {
        die("the data model has no parameter");
    }

    model_complete();
    identity_mark(base.at, base.n);
}


/* --- lists --------------------------------------------------------------- */

static int
path_compare(const char *path, str_t with)
{
    int  rc = strncmp(path, with.p, with.len);

    return rc ? rc : path[with.len] != '\0';
}


/* The first that is not before the path. */

static size_t
entries_from(const entries_t *list, str_t path)
{
    size_t  low = 0, high = list->n, middle;

    while (low < high) {
        middle = (low + high) / 2;

        if (path_compare(list->at[middle].path, path) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }

    return low;
}


static entry_t *
entries_find(const entries_t *list, str_t path)
{
    size_t  i = entries_from(list, path);

    if (i < list->n && path_compare(list->at[i].path, path) == 0) {
        return &list->at[i];
    }

    return NULL;
}


entry_t *
entries_insert(entries_t *list, size_t i)
{
    if (list->n == list->cap) {
        list->cap = list->cap ? list->cap * 2 : 8;
        list->at = mem_grow(list->at, list->cap * sizeof(entry_t));
    }

    memmove(list->at + i + 1, list->at + i,
            (list->n - i) * sizeof(entry_t));
    memset(list->at + i, 0, sizeof(entry_t));
    list->n++;
    return list->at + i;
}


/* --- filling ------------------------------------------------------------- */

void
model_put(str_t path, int writable, const model_type_t *type, str_t value)
{
    entry_t  *e = entries_insert(&base, base.n);

    e->path = mem_copy(path.p, path.len);
    e->writable = writable ? 1 : 0;
    e->type = path.len && path.p[path.len - 1] == '.' ? NULL
              : type ? type : model_type(str_of("xsd:string"));
    e->value = mem_copy(value.p, value.len);
}


static int
entry_compare(const void *one, const void *two)
{
    const entry_t  *a = one, *b = two;
    int             rc = strcmp(a->path, b->path);

    if (rc) {
        return rc;
    }

    return (int) b->writable - (int) a->writable;
}


/* The objects that parameters are in, for those that were not given. */

static void
model_put_parents(const char *path, const char *before)
{
    size_t  n;
    str_t   object, none = { "", 0 };

    for (n = 0; path[n]; n++) {
        if (path[n] != '.' || path[n + 1] == '\0'
            || (before && strncmp(path, before, n + 1) == 0))
        {
            continue;
        }

        object.p = path;
        object.len = n + 1;
        model_put(object, 0, NULL, none);
    }
}


/* Sorts, puts in what is missing, and drops what is there twice. */

static void
model_complete(void)
{
    size_t  i, to, n = base.n;

    qsort(base.at, n, sizeof(entry_t), entry_compare);

    for (i = 0; i < n; i++) {
        model_put_parents(base.at[i].path, i ? base.at[i - 1].path : NULL);
    }

    qsort(base.at, base.n, sizeof(entry_t), entry_compare);

    for (i = 1, to = 0; i < base.n; i++) {
        if (strcmp(base.at[i].path, base.at[to].path) == 0) {
            free(base.at[i].path);
            free(base.at[i].value);
        } else {
            base.at[++to] = base.at[i];
        }
    }

    base.n = to + 1;
}


/* --- reading ------------------------------------------------------------- */

const char *
model_root(void)
{
    static char  root[64];

    if (root[0] == '\0') {
        memcpy(root, base.at[0].path,
               strnlen(base.at[0].path, sizeof(root) - 1));
        root[strcspn(root, ".") + 1] = '\0';
    }

    return root;
}


void
model_walk(model_walk_t *w, cpe_t *cpe, str_t prefix)
{
    w->cpe = cpe;
    w->prefix = prefix;
    w->base = entries_from(&base, prefix);
    w->own = cpe->own ? entries_from(cpe->own, prefix) : 0;
    w->gone = 0;
}


static entry_t *
walk_look(const model_walk_t *w, const entries_t *list, size_t i)
{
    if (list == NULL || i >= list->n
        || strncmp(list->at[i].path, w->prefix.p, w->prefix.len) != 0)
    {
        return NULL;
    }

    return &list->at[i];
}


const entry_t *
model_next(model_walk_t *w)
{
    int       rc;
    entry_t  *a, *b;

    for ( ;; ) {
        a = walk_look(w, &base, w->base);
        b = walk_look(w, w->cpe->own, w->own);

        if (b == NULL) {
            w->base++;
            return a;
        }

        rc = a ? strcmp(a->path, b->path) : 1;
        w->base += rc <= 0;

        if (rc < 0) {
            return a;
        }

        w->own++;

        if (!b->gone || w->gone) {
            return b;
        }
    }
}


const entry_t *
model_find(cpe_t *cpe, str_t path)
{
    entry_t  *e = cpe->own ? entries_find(cpe->own, path) : NULL;

    if (e == NULL) {
        return entries_find(&base, path);
    }

    return e->gone ? NULL : e;
}


str_t
model_value(cpe_t *cpe, const entry_t *e)
{
    return e->special ? identity_value(cpe, e->special) : str_of(e->value);
}


/* The CPE's own entry of the path, made when there is none. */

entry_t *
model_own(cpe_t *cpe, str_t path)
{
    entry_t    *e, *shared;
    entries_t  *own = cpe->own;

    if (own == NULL) {
        own = cpe->own = mem_alloc(sizeof(entries_t));
    }

    e = entries_find(own, path);

    if (e) {
        return e;
    }

    shared = entries_find(&base, path);
    e = entries_insert(own, entries_from(own, path));

    if (shared) {
        *e = *shared;
        e->value = mem_copy(shared->value, strlen(shared->value));
    } else {
        e->value = mem_copy("", 0);
    }

    e->path = mem_copy(path.p, path.len);
    return e;
}
