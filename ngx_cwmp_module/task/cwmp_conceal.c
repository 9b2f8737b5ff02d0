/*
 * Secrets in a task.  In Redis they may be sealed, each for its device and its
 * place in a task of this method, so that it is of no use in another one: they
 * are opened in the JSON tree, before anything is made of it.  And a task that
 * came in clear is given back with its secrets sealed.
 *
 * stdio.h is here for snprintf() only.
 */

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cwmp_build.h"
#include "cwmp_sensitive.h"


/* more than a task has: one that is none may have secrets, too */
#define CWMP_CONCEAL_DEPTH  16


/* a walk over all scalars of a task */
typedef struct cwmp_conceal_s  cwmp_conceal_t;

struct cwmp_conceal_s {
    const cwmp_secret_t  *secret;
    cwmp_arena_t         *arena;
    const cwmp_str_t     *id;
    const char           *method;
    const char           *object;       /* of AddObject, else "" */
    const char           *path;         /* REFUSED: where */
    const char           *reason;
    size_t                found;
    cwmp_str_t            lacks;        /* REFUSED: another node may have it */
    json_t             *(*take)(cwmp_conceal_t *c, json_t *v, const char *path,
                                int named);
    cwmp_rc_t             rc;
};


static void cwmp_conceal_list(cwmp_conceal_t *c, json_t *list,
    const char *path, int named, int depth);
static void cwmp_conceal_object(cwmp_conceal_t *c, json_t *object,
    const char *path, int named, int depth);


/* "ID METHOD OBJECT PATH" */

static cwmp_rc_t
cwmp_conceal_name(cwmp_conceal_t *c, const char *path, cwmp_str_t *name)
{
    char        *p;
    size_t       size;
    cwmp_str_t   field;

    size = strlen(c->method) + strlen(c->object) + strlen(path) + 3;

    p = cwmp_alloc(c->arena, size);
    if (p == NULL) {
        return CWMP_ERROR;
    }

    field.len = (size_t) snprintf(p, size, "%s %s %s", c->method, c->object,
                                  path);
    field.data = (unsigned char *) p;

    return cwmp_secret_name(c->arena, c->id, &field, name);
}


/* what takes the place of v; NULL: it stays */

static json_t *
cwmp_conceal_seal(cwmp_conceal_t *c, json_t *v, const char *path, int named)
{
    char          number[40];
    size_t        from, len = 0;
    cwmp_str_t    text, name, sealed;
    const char   *p;

    p = cwmp_json_text(v, number, sizeof(number), &len);
    text.data = (unsigned char *) p;
    text.len = len;

    if (p == NULL || len == 0 || cwmp_secret_is_sealed(&text)
        || (!named && !cwmp_sensitive_url(&text, &from, &len)))
    {
        return NULL;
    }

    c->found++;

    if (c->secret == NULL) {
        return NULL;                    /* is only asked for */
    }

    c->rc = cwmp_conceal_name(c, path, &name);

    if (c->rc == CWMP_OK) {
        c->rc = cwmp_secret_seal_same(c->secret, c->arena, &name, &text,
                                      &sealed);
    }

    if (c->rc == CWMP_REFUSED) {        /* too long: no device takes it */
        c->rc = CWMP_OK;
        return NULL;
    }

    return (c->rc == CWMP_OK)
           ? json_stringn_nocheck((char *) sealed.data, sealed.len) : NULL;
}


/* the name of the key is the task's, which is gone when it is read */

static cwmp_rc_t
cwmp_conceal_lacks(cwmp_conceal_t *c, const cwmp_str_t *sealed)
{
    const unsigned char  *id;

    id = cwmp_secret_lacks(c->secret, sealed);
    if (id == NULL) {
        return CWMP_OK;
    }

    c->lacks.data = cwmp_alloc(c->arena, CWMP_SECRET_ID);
    if (c->lacks.data == NULL) {
        return c->rc = CWMP_ERROR;
    }

    memcpy(c->lacks.data, id, CWMP_SECRET_ID);
    c->lacks.len = CWMP_SECRET_ID;

    return CWMP_OK;
}


static json_t *
cwmp_conceal_open(cwmp_conceal_t *c, json_t *v, const char *path, int named)
{
    json_t      *new;
    cwmp_str_t   text, name, value;

    text.data = (unsigned char *) json_string_value(v);
    text.len = json_string_length(v);

    if (text.data == NULL || !cwmp_secret_is_sealed(&text)) {
        return NULL;
    }

    c->path = path;
    c->reason = "is sealed, and this node has no cwmp_secret_key";

    if (cwmp_conceal_lacks(c, &text) != CWMP_OK) {
        return NULL;
    }

    if (c->secret == NULL) {
        c->rc = CWMP_REFUSED;
        return NULL;
    }

    c->rc = cwmp_conceal_name(c, path, &name);

    if (c->rc == CWMP_OK) {
        c->rc = cwmp_secret_open(c->secret, c->arena, &name, &text, &value,
                                 &c->reason);
    }

    if (c->rc != CWMP_OK) {
        return NULL;
    }

    new = json_stringn((char *) value.data, value.len);

    if (new == NULL) {
        c->rc = CWMP_REFUSED;
        c->reason = "is no text when it is opened";
    }

    return new;
}


static char *
cwmp_conceal_path(cwmp_conceal_t *c, const char *path, const char *sep,
    const char *name)
{
    char    *p;
    size_t   size;

    size = strlen(path) + strlen(sep) + strlen(name) + 1;

    p = cwmp_alloc(c->arena, size);
    if (p == NULL) {
        c->rc = CWMP_ERROR;
        return NULL;
    }

    snprintf(p, size, "%s%s%s", path, sep, name);

    return p;
}


/*
 * Is it "Username" of a transfer, or a name of secrets?  A value of an object
 * that is added is one by its path, in any instance.
 */

static int
cwmp_conceal_named(cwmp_conceal_t *c, const char *name)
{
    size_t       n;
    char        *p;
    cwmp_str_t   s;

    s.data = (unsigned char *) name;
    s.len = strlen(name);

    if (strcmp(name, "Username") == 0 || cwmp_sensitive_name(&s)) {
        return 1;
    }

    if (*c->object == '\0') {
        return 0;
    }

    n = strlen(c->object);              /* it may end with an alias: "[a]." */
    p = cwmp_conceal_path(c, c->object,
                          (n > 1 && c->object[n - 2] == ']') ? "" : "1.",
                          name);
    if (p == NULL) {
        return 0;
    }

    s.data = (unsigned char *) p;
    s.len = strlen(p);

    return cwmp_sensitive_name(&s);
}


/* is it {"Name":"...Password","Value":...}, as other RPCs have it? */

static int
cwmp_conceal_is_pair(cwmp_conceal_t *c, json_t *object)
{
    const char  *name;

    name = json_string_value(json_object_get(object, "Name"));

    if (name == NULL) {
        name = json_string_value(json_object_get(object, "name"));
    }

    return name && cwmp_conceal_named(c, name);
}


/* most are: nothing is done for them */

static int
cwmp_conceal_is_plain(json_t *v, int named)
{
    size_t      from, len;
    cwmp_str_t  text;

    if (json_is_array(v) || json_is_object(v)) {
        return 0;
    }

    text.data = (unsigned char *) json_string_value(v);
    text.len = json_string_length(v);

    return !named && (text.data == NULL
                      || (!cwmp_secret_is_sealed(&text)
                          && !cwmp_sensitive_url(&text, &from, &len)));
}


/* as it may stand for a value: {"value":...}, with "type" or without */

static json_t *
cwmp_conceal_value(json_t *v)
{
    json_t  *value;

    value = json_object_get(v, "value");

    if (value == NULL || json_is_object(value) || json_is_array(value)
        || json_object_size(v) > (json_object_get(v, "type") ? 2 : 1))
    {
        return NULL;
    }

    return value;
}


/*
 * {"value":...} stands for its value.  Of what is in another form, which is
 * going to be rejected, all is secret that is below a name of secrets.
 */

static json_t *
cwmp_conceal_item(cwmp_conceal_t *c, json_t *v, const char *path, int named,
    int depth)
{
    json_t  *new, *value;

    if (json_is_array(v)) {
        cwmp_conceal_list(c, v, path, named, depth - 1);
        return NULL;
    }

    value = cwmp_conceal_value(v);

    if (value == NULL) {
        if (json_is_object(v)) {
            cwmp_conceal_object(c, v, path, named, depth - 1);
            return NULL;
        }

        return c->take(c, v, path, named);
    }

    new = c->take(c, value, path, named);

    if (new && json_object_set_new(v, "value", new)) {
        c->rc = CWMP_ERROR;
    }

    return NULL;
}


static void
cwmp_conceal_list(cwmp_conceal_t *c, json_t *list, const char *path, int named,
    int depth)
{
    char    *p, n[32];
    size_t   i;
    json_t  *v, *new;

    if (depth < 0) {
        return;
    }

    json_array_foreach(list, i, v) {

        if (cwmp_conceal_is_plain(v, named)) {
            continue;
        }

        snprintf(n, sizeof(n), "[%zu]", i);

        p = cwmp_conceal_path(c, path, n, "");
        new = p ? cwmp_conceal_item(c, v, p, named, depth) : NULL;

        if (new && json_array_set_new(list, i, new)) {
            c->rc = CWMP_ERROR;
        }

        if (c->rc != CWMP_OK) {
            return;
        }
    }
}


static void
cwmp_conceal_object(cwmp_conceal_t *c, json_t *object, const char *path,
    int named, int depth)
{
    int          is_pair, below;
    char        *p;
    json_t      *v, *new;
    const char  *name;

    if (depth < 0) {
        return;
    }

    is_pair = cwmp_conceal_is_pair(c, object);

    /* the value of a member may be set while its members are gone through */

    json_object_foreach(object, name, v) {
        below = named || cwmp_conceal_named(c, name)
                || (is_pair && strcasecmp(name, "value") == 0);

        if (cwmp_conceal_is_plain(v, below)) {
            continue;
        }

        p = cwmp_conceal_path(c, path, *path ? "." : "", name);
        new = p ? cwmp_conceal_item(c, v, p, below, depth) : NULL;

        if (new && json_object_set_new_nocheck(object, name, new)) {
            c->rc = CWMP_ERROR;
        }

        if (c->rc != CWMP_OK) {
            return;
        }
    }
}


/* as it is now: what stands in the tree may be replaced */

static const char *
cwmp_conceal_copy(cwmp_conceal_t *c, json_t *task, const char *member)
{
    char        *p;
    size_t       size;
    const char  *text;

    text = json_string_value(json_object_get(task, member));
    text = text ? text : "";
    size = strlen(text) + 1;

    p = cwmp_alloc(c->arena, size);
    if (p == NULL) {
        c->rc = CWMP_ERROR;
        return "";
    }

    return memcpy(p, text, size);
}


static void
cwmp_conceal_begin(cwmp_conceal_t *c, const cwmp_secret_t *secret,
    cwmp_arena_t *arena, const cwmp_str_t *id, json_t *task)
{
    memset(c, 0, sizeof(cwmp_conceal_t));

    c->secret = secret;
    c->arena = arena;
    c->id = id;
    c->rc = CWMP_OK;
    c->method = cwmp_conceal_copy(c, task, "method");
    c->object = json_object_get(task, "values")
                ? cwmp_conceal_copy(c, task, "ObjectName") : "";
}


cwmp_rc_t
cwmp_build_open(cwmp_build_t *b)
{
    cwmp_conceal_t  c;

    cwmp_conceal_begin(&c, NULL, b->arena, &b->order->id, b->task);

    if (b->order->secret) {
        c.take = cwmp_conceal_seal;
        cwmp_conceal_object(&c, b->task, "", 0, CWMP_CONCEAL_DEPTH);
        b->out->clear = (c.found != 0);
    }

    c.secret = b->order->secret;
    c.take = cwmp_conceal_open;

    if (c.rc == CWMP_OK) {
        cwmp_conceal_object(&c, b->task, "", 0, CWMP_CONCEAL_DEPTH);
    }

    if (c.rc == CWMP_REFUSED) {
        b->out->lacks = c.lacks;
        return cwmp_build_refuse(b, c.path, "%s", c.reason);
    }

    return b->rc = c.rc;
}


/* dumps into the arena */

static cwmp_rc_t
cwmp_conceal_dump(cwmp_arena_t *arena, json_t *task, cwmp_str_t *json)
{
    size_t  size;

    size = json_dumpb(task, NULL, 0, JSON_COMPACT);
    json->data = size ? cwmp_alloc(arena, size) : NULL;

    if (json->data == NULL
        || json_dumpb(task, (char *) json->data, size, JSON_COMPACT) != size)
    {
        return CWMP_ERROR;
    }

    json->len = size;

    return CWMP_OK;
}


static cwmp_rc_t
cwmp_conceal_all(const cwmp_secret_t *secret, cwmp_arena_t *arena,
    const cwmp_str_t *id, const cwmp_str_t *json, cwmp_str_t *out, int opens,
    const char **reason)
{
    json_t          *task;
    cwmp_rc_t        rc;
    json_error_t     error;
    cwmp_conceal_t   c;

    out->len = 0;
    *reason = "is no JSON object";

    task = json_loadb((char *) json->data, json->len, JSON_REJECT_DUPLICATES,
                      &error);

    if (!json_is_object(task)) {
        rc = (task == NULL && error.text[0] == '\0') ? CWMP_ERROR
                                                     : CWMP_REFUSED;
        json_decref(task);
        return rc;
    }

    cwmp_conceal_begin(&c, secret, arena, id, task);
    c.take = opens ? cwmp_conceal_open : cwmp_conceal_seal;
    cwmp_conceal_object(&c, task, "", 0, CWMP_CONCEAL_DEPTH);

    rc = c.rc;
    *reason = c.reason;

    if (rc == CWMP_OK && (opens || c.found)) {
        rc = cwmp_conceal_dump(arena, task, out);
    }

    json_decref(task);

    return rc;
}


cwmp_rc_t
cwmp_task_seal(const cwmp_secret_t *secret, cwmp_arena_t *arena,
    const cwmp_str_t *id, const cwmp_str_t *json, cwmp_str_t *sealed)
{
    const char  *reason;

    return cwmp_conceal_all(secret, arena, id, json, sealed, 0, &reason);
}


cwmp_rc_t
cwmp_task_open(const cwmp_secret_t *secret, cwmp_arena_t *arena,
    const cwmp_str_t *id, const cwmp_str_t *json, cwmp_str_t *opened,
    const char **reason)
{
    return cwmp_conceal_all(secret, arena, id, json, opened, 1, reason);
}
