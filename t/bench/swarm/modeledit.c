
/*
 * Changes of one CPE's model, as RPCs ask for them: values with their types,
 * attributes, objects that come and go.  Answers with CWMP's faults.
 */

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "identity.h"
#include "modeledit.h"


/* --- types --------------------------------------------------------------- */

static int
is_any(str_t s)
{
    (void) s;
    return 1;
}


static int
is_boolean(str_t s)
{
    return str_is(s, "0") || str_is(s, "1") || str_is_nocase(s, "true")
           || str_is_nocase(s, "false");
}


/* Of decimal digits, with the bound as a text of as many as it may have. */

static int
is_bounded(str_t s, const char *bound)
{
    size_t  n = strlen(bound);

    while (s.len > 1 && s.p[0] == '0') {
        s.p++;
        s.len--;
    }

    if (s.len == 0 || s.len > n || strspn(s.p, "0123456789") < s.len) {
        return 0;
    }

    return s.len < n || memcmp(s.p, bound, n) <= 0;
}


static int
is_signed(str_t s, const char *positive, const char *negative)
{
    if (s.len && s.p[0] == '-') {
        s.p++;
        s.len--;
        return is_bounded(s, negative);
    }

    if (s.len && s.p[0] == '+') {
        s.p++;
        s.len--;
    }

    return is_bounded(s, positive);
}


static int
is_int(str_t s)
{
    return is_signed(s, "2147483647", "2147483648");
}


static int
is_long(str_t s)
{
    return is_signed(s, "9223372036854775807", "9223372036854775808");
}


static int
is_unsigned(str_t s)
{
    return is_bounded(s, "4294967295");
}


static int
is_unsigned_long(str_t s)
{
    return is_bounded(s, "18446744073709551615");
}


static int
is_time(str_t s)
{
    return s.len >= 19 && s.p[4] == '-' && s.p[7] == '-' && s.p[10] == 'T'
           && s.p[13] == ':' && s.p[16] == ':';
}


static const model_type_t  types[] = {
    { "xsd:string", "", is_any },
    { "xsd:boolean", "0", is_boolean },
    { "xsd:unsignedInt", "0", is_unsigned },
    { "xsd:int", "0", is_int },
    { "xsd:unsignedLong", "0", is_unsigned_long },
    { "xsd:long", "0", is_long },
    { "xsd:dateTime", "0001-01-01T00:00:00Z", is_time },
    { "xsd:base64", "", is_any },
    { "xsd:base64Binary", "", is_any },
    { "xsd:hexBinary", "", is_any },
    { "xsd:decimal", "0", is_any }
};


/* By the name behind the prefix, in any case; NULL: none of CWMP's. */

const model_type_t *
model_type(str_t name)
{
    size_t       i;
    const char  *colon = name.len ? memchr(name.p, ':', name.len) : NULL;

    if (colon) {
        name.len -= (size_t) (colon + 1 - name.p);
        name.p = colon + 1;
    }

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (str_is_nocase(name, types[i].name + sizeof("xsd:") - 1)) {
            return &types[i];
        }
    }

    return NULL;
}


/* --- values -------------------------------------------------------------- */

static int
type_fits(const model_type_t *has, str_t given)
{
    const model_type_t  *t = model_type(given);

    return given.len == 0 || t == has
           || (t && strncmp(t->name, "xsd:base64", 10) == 0
               && strncmp(has->name, "xsd:base64", 10) == 0);
}


unsigned
model_check(cpe_t *cpe, str_t path, str_t type, str_t value)
{
    const entry_t  *e = model_find(cpe, path);

    if (e == NULL || e->type == NULL) {
        return 9005;
    }

    if (!e->writable) {
        return 9008;
    }

    if (!type_fits(e->type, type)) {
        return 9006;
    }

    return e->type->valid(value) ? 0 : 9007;
}


void
model_set(cpe_t *cpe, str_t path, str_t value)
{
    entry_t  *e = model_own(cpe, path);

    free(e->value);
    e->value = mem_copy(value.p, value.len);

    if (!identity_hidden(e->special)) {
        e->special = 0;
    }
}


void
model_notify(cpe_t *cpe, const entry_t *shared, int notification,
    const char *access)
{
    entry_t  *e = model_own(cpe, str_of(shared->path));

    if (notification >= 0) {
        e->notification = (uint8_t) notification;
    }

    if (access) {
        free(e->access);
        e->access = mem_copy(access, strlen(access));
    }
}


/* --- objects ------------------------------------------------------------- */

/* The number that a path has behind the prefix, and how long it is. */

static uint64_t
instance_of(const char *path, size_t prefix, size_t *len)
{
    char      *end;
    uint64_t   n;

    if (path[prefix] < '1' || path[prefix] > '9') {
        return 0;
    }

    n = strtoull(path + prefix, &end, 10);
    *len = (size_t) (end - path) - prefix;
    return *end == '.' ? n : 0;
}


static int
is_instance(str_t object)
{
    size_t  n = object.len - 1, digits = 0;

    while (n && object.p[n - 1] >= '0' && object.p[n - 1] <= '9') {
        n--;
        digits++;
    }

    return digits && n && object.p[n - 1] == '.';
}


static int
has_number(const char *path)
{
    size_t  len;

    for ( ; path; path = strchr(path, '.'), path = path ? path + 1 : NULL) {
        if (instance_of(path, 0, &len)) {
            return 1;
        }
    }

    return 0;
}


/* One instance's parameters are the pattern of the new one's. */

static void
instance_copy(cpe_t *cpe, str_t table, const char *pattern, uint64_t n)
{
    size_t           len;
    buf_t            path = { NULL, 0, 0 };
    entry_t          copy, *e;
    const entry_t   *from;
    model_walk_t     w;

    model_walk(&w, cpe, str_of(pattern));
    w.gone = 1;
    len = strlen(pattern);

    while ((from = model_next(&w)) != NULL) {
        if (has_number(from->path + len)) {
            continue;
        }

        copy = *from;
        path.len = 0;
        buf_format(&path, "%.*s%llu.%s", (int) table.len, table.p,
                   (unsigned long long) n, copy.path + len);
        buf_add(&path, "", 1);

        e = model_own(cpe, str_of(path.p));
        e->type = copy.type;
        e->writable = copy.writable;
        free(e->value);
        e->value = copy.type ? mem_copy(copy.type->initial,
                                        strlen(copy.type->initial))
                             : mem_copy("", 0);
        model_walk(&w, cpe, str_of(copy.path));     /* the list has moved */
        w.gone = 1;
        w.prefix = str_of(pattern);
        model_next(&w);
    }

    buf_free(&path);
}


static void
table_count(cpe_t *cpe, str_t table, int change)
{
    buf_t           path = { NULL, 0, 0 }, value = { NULL, 0, 0 };
    const entry_t  *e;

    buf_format(&path, "%.*sNumberOfEntries", (int) table.len - 1, table.p);
    buf_add(&path, "", 1);
    e = model_find(cpe, str_of(path.p));

    if (e) {
        buf_number(&value, (uint64_t) (strtoll(e->value, NULL, 10) + change));
        model_set(cpe, str_of(path.p), (str_t) { value.p, value.len });
    }

    buf_free(&path);
    buf_free(&value);
}


unsigned
model_add(cpe_t *cpe, str_t table, uint64_t *instance)
{
    char            *pattern = NULL;
    size_t           len;
    uint64_t         n, max = 0;
    buf_t            path = { NULL, 0, 0 };
    const entry_t   *e = model_find(cpe, table);
    model_walk_t     w;

    if (e == NULL || e->type || !e->writable || is_instance(table)) {
        return 9005;
    }

    model_walk(&w, cpe, table);
    w.gone = 1;

    while ((e = model_next(&w)) != NULL) {
        n = instance_of(e->path, table.len, &len);
        max = n > max ? n : max;

        if (n && pattern == NULL) {
            pattern = mem_copy(e->path, table.len + len + 1);
        }
    }

    *instance = max + 1;

    if (pattern) {
        instance_copy(cpe, table, pattern, max + 1);
        free(pattern);
    }

    /* also where there was no pattern, or one that may not be deleted */

    buf_format(&path, "%.*s%llu.", (int) table.len, table.p,
               (unsigned long long) *instance);
    model_own(cpe, (str_t) { path.p, path.len })->writable = 1;
    buf_free(&path);

    table_count(cpe, table, 1);
    return 0;
}


unsigned
model_delete(cpe_t *cpe, str_t object)
{
    char            *path;
    str_t            table = object, last;
    const entry_t   *e = model_find(cpe, object);
    model_walk_t     w;

    if (e == NULL || e->type || !e->writable || !is_instance(object)) {
        return 9005;
    }

    for ( ;; ) {
        model_walk(&w, cpe, object);
        e = model_next(&w);

        if (e == NULL) {
            break;
        }

        last = str_of(e->path);
        path = mem_copy(last.p, last.len);
        model_own(cpe, str_of(path))->gone = 1;
        free(path);
    }

    do {
        table.len--;
    } while (table.len && table.p[table.len - 1] != '.');

    table_count(cpe, table, -1);
    return 0;
}


/* All is again as the factory made it. */

void
model_reset(cpe_t *cpe)
{
    size_t      i;
    entries_t  *own = cpe->own;

    if (own == NULL) {
        return;
    }

    for (i = 0; i < own->n; i++) {
        free(own->at[i].path);
        free(own->at[i].value);
        free(own->at[i].access);
    }

    free(own->at);
    free(own);
    cpe->own = NULL;
}
