/*
 * Rows as the parser completes them: an Inform's events and parameters, an
 * answer's parameters.  Kept as what a call of Redis takes: path, then letter
 * of the type and value in one; and, for answers, as JSON.
 */

#include "ngx_http_cwmp.h"


static cwmp_rc_t ngx_http_cwmp_answered(ngx_http_cwmp_ctx_t *ctx,
    const cwmp_row_t *row, int values);
static cwmp_rc_t ngx_http_cwmp_event(ngx_http_cwmp_ctx_t *ctx,
    const cwmp_row_t *row);
static cwmp_rc_t ngx_http_cwmp_informed(ngx_http_cwmp_ctx_t *ctx,
    const cwmp_row_t *row);
static cwmp_rc_t ngx_http_cwmp_fact(ngx_http_cwmp_ctx_t *ctx,
    const cwmp_row_t *row, u_char *dot);
static cwmp_rc_t ngx_http_cwmp_keep(ngx_http_cwmp_ctx_t *ctx,
    const cwmp_row_t *row);
static ngx_int_t ngx_http_cwmp_begin_rows(ngx_http_cwmp_ctx_t *ctx);
static ngx_uint_t ngx_http_cwmp_alike(ngx_str_t *first, ngx_str_t *end,
    ngx_str_t *four);
static ngx_int_t ngx_http_cwmp_join(ngx_pool_t *pool, ngx_str_t *row,
    ngx_uint_t n, ngx_str_t *four);
static void ngx_http_cwmp_twice(ngx_http_cwmp_ctx_t *ctx,
    const ngx_str_t *path);
static uint64_t *ngx_http_cwmp_slot(uint64_t *seen, ngx_uint_t slots,
    uint64_t number);
static ngx_int_t ngx_http_cwmp_remember_more(ngx_http_cwmp_ctx_t *ctx);
static cwmp_rc_t ngx_http_cwmp_copy(ngx_pool_t *pool, const cwmp_str_t *from,
    size_t most, ngx_str_t *to);


#define NGX_HTTP_CWMP_EVENTS       64       /* TR-069 allows no more */
#define NGX_HTTP_CWMP_INFORM_ROWS  10000
#define NGX_HTTP_CWMP_FACT_MAX     1024     /* of a fact about the device */
#define NGX_HTTP_CWMP_CODE_MAX     64       /* of an EventCode */
#define NGX_HTTP_CWMP_KEY_MAX      128      /* of a CommandKey: 32 characters */
#define NGX_HTTP_CWMP_NAME_MAX     1024     /* of a path: 256 characters */
#define NGX_HTTP_CWMP_LEAF_MAX     256      /* of a name in its object and its
                                               value, to be kept with others */
#define NGX_HTTP_CWMP_SEEN_MIN     32       /* slots for paths, half of them */
#define NGX_HTTP_CWMP_SEEN_MAX     131072   /* are used; 1 MB */


/* what an Inform tells about the device itself, by its path below the root */

static const struct {
    ngx_str_t   end;
    size_t      offset;
} ngx_http_cwmp_facts[] = {
    { ngx_string(".DeviceInfo.SoftwareVersion"),
      offsetof(ngx_http_cwmp_ctx_t, version) },
    { ngx_string(".DeviceInfo.HardwareVersion"),
      offsetof(ngx_http_cwmp_ctx_t, hardware) },
    { ngx_string(".ManagementServer.ConnectionRequestURL"),
      offsetof(ngx_http_cwmp_ctx_t, url) },
    { ngx_string(".ManagementServer.ParameterKey"),
      offsetof(ngx_http_cwmp_ctx_t, parameter_key) },
    { ngx_null_string, 0 }
};


cwmp_rc_t
ngx_http_cwmp_row(void *data, const cwmp_row_t *row)
{
    ngx_http_cwmp_ctx_t  *ctx = data;

    int  values;

    values = row->arg->type == CWMP_T_STRUCTS && row->arg->fields[0].name
             && row->arg->fields[1].type == CWMP_T_VALUE;

    if (ctx->facts->kind == CWMP_REQUEST
        && (values || ngx_strcmp(row->arg->name, "Event") == 0))
    {
        return values ? ngx_http_cwmp_informed(ctx, row)
                      : ngx_http_cwmp_event(ctx, row);
    }

    if (ctx->id.len == 0) {
        return CWMP_OK;                     /* about to be refused */
    }

    return ngx_http_cwmp_answered(ctx, row, values);
}


/* secrets are kept sealed, and shown so or not at all */

static cwmp_rc_t
ngx_http_cwmp_answered(ngx_http_cwmp_ctx_t *ctx, const cwmp_row_t *row,
    int values)
{
    cwmp_rc_t    rc;
    cwmp_row_t   kept, shown;

    if (values && ctx->rows_pool == NULL
        && ngx_http_cwmp_begin_rows(ctx) != NGX_OK)
    {
        return CWMP_ERROR;
    }

    if (!values
        || !ngx_http_cwmp_is_secret(&row->cells[0], &row->cells[1]))
    {
        rc = values ? ngx_http_cwmp_keep(ctx, row) : CWMP_OK;

        return rc == CWMP_OK ? cwmp_result_row(&ctx->result, row) : rc;
    }

    kept = *row;
    shown = *row;

    if (ngx_http_cwmp_hide(ctx, &kept, &shown) != NGX_OK) {
        return CWMP_ERROR;
    }

    rc = ngx_http_cwmp_keep(ctx, &kept);

    return rc == CWMP_OK ? cwmp_result_row(&ctx->result, &shown) : rc;
}


static cwmp_rc_t
ngx_http_cwmp_event(ngx_http_cwmp_ctx_t *ctx, const cwmp_row_t *row)
{
    ngx_str_t   *event;
    ngx_pool_t  *pool;

    if (row->cells[0].len == 0) {
        return CWMP_OK;                     /* something else in the array */
    }

    pool = ctx->request->pool;

    if (ctx->events == NULL) {
        ctx->events = ngx_array_create(pool, 8, sizeof(ngx_str_t));
        if (ctx->events == NULL) {
            return CWMP_ERROR;
        }
    }

    if (ctx->events->nelts >= 2 * NGX_HTTP_CWMP_EVENTS) {
        return cwmp_envelope_refuse(ctx->envelope, "more than %d events",
                                    NGX_HTTP_CWMP_EVENTS);
    }

    event = ngx_array_push_n(ctx->events, 2);
    if (event == NULL) {
        return CWMP_ERROR;
    }

    if (ngx_http_cwmp_copy(pool, &row->cells[0], NGX_HTTP_CWMP_CODE_MAX,
                           &event[0])
        != CWMP_OK)
    {
        return CWMP_ERROR;
    }

    return ngx_http_cwmp_copy(pool, &row->cells[1], NGX_HTTP_CWMP_KEY_MAX,
                              &event[1]);
}


static cwmp_rc_t
ngx_http_cwmp_informed(ngx_http_cwmp_ctx_t *ctx, const cwmp_row_t *row)
{
    u_char            *dot;
    cwmp_str_t         root;
    const cwmp_str_t  *name;

    if (++ctx->nparams > NGX_HTTP_CWMP_INFORM_ROWS) {
        return cwmp_envelope_refuse(ctx->envelope,
                                    "more than %d parameters in an Inform",
                                    NGX_HTTP_CWMP_INFORM_ROWS);
    }

    name = &row->cells[0];
    dot = ngx_strlchr(name->data, name->data + name->len, '.');

    XXH64_update(&ctx->informed, name->data, name->len);
    XXH64_update(&ctx->informed, "=", 1);
    XXH64_update(&ctx->informed, row->type.data, row->type.len);
    XXH64_update(&ctx->informed, "=", 1);
    ngx_http_cwmp_digest_value(ctx, &ctx->informed, name, &row->cells[1]);
    XXH64_update(&ctx->informed, "\n", 1);

    if (dot && ngx_http_cwmp_fact(ctx, row, dot) != CWMP_OK) {
        return CWMP_ERROR;
    }

    if (dot && ctx->root.len == 0) {
        root.data = name->data;
        root.len = dot - name->data;

        if (ngx_http_cwmp_copy(ctx->request->pool, &root,
                               NGX_HTTP_CWMP_CODE_MAX, &ctx->root)
            != CWMP_OK)
        {
            return CWMP_ERROR;
        }
    }

    /* all of them go to Redis in one call, which has others to serve */

    if (ctx->nparams > NGX_HTTP_CWMP_INFORM_KEPT
        || ctx->rows_size + name->len + row->cells[1].len
           > NGX_HTTP_CWMP_INFORM_SIZE)
    {
        ctx->unkept++;
        return CWMP_OK;
    }

    return ngx_http_cwmp_keep(ctx, row);
}


/* below whatever root: the path from its first dot on */

static cwmp_rc_t
ngx_http_cwmp_fact(ngx_http_cwmp_ctx_t *ctx, const cwmp_row_t *row,
    u_char *dot)
{
    size_t            len;
    ngx_str_t        *fact;
    ngx_uint_t        i;
    const ngx_str_t  *end;

    len = row->cells[0].data + row->cells[0].len - dot;

    for (i = 0; ngx_http_cwmp_facts[i].end.len; i++) {
        end = &ngx_http_cwmp_facts[i].end;

        if (len != end->len || ngx_memcmp(dot, end->data, len) != 0) {
            continue;
        }

        fact = (ngx_str_t *) ((u_char *) ctx + ngx_http_cwmp_facts[i].offset);

        if (fact == &ctx->parameter_key) {
            ctx->parameter_key_seen = 1;
        }

        return ngx_http_cwmp_copy(ctx->request->pool, &row->cells[1],
                                  NGX_HTTP_CWMP_FACT_MAX, fact);
    }

    return CWMP_OK;
}


static ngx_int_t
ngx_http_cwmp_begin_rows(ngx_http_cwmp_ctx_t *ctx)
{
    size_t  size;

    /* an answer may have many, an Inform has few */

    size = (ctx->facts->kind == CWMP_RESPONSE) ? 16384 : 4096;

    ctx->rows_pool = ngx_create_pool(size, ctx->request->connection->log);
    if (ctx->rows_pool == NULL) {
        return NGX_ERROR;
    }

    ctx->rows = ngx_array_create(ctx->rows_pool, 32, sizeof(ngx_str_t));

    return ctx->rows ? NGX_OK : NGX_ERROR;
}


/* path, then letter and value, until they are handed to Redis */

static cwmp_rc_t
ngx_http_cwmp_keep(ngx_http_cwmp_ctx_t *ctx, const cwmp_row_t *row)
{
    size_t             path;
    ngx_str_t         *pair;
    const cwmp_str_t  *name, *value;

    name = &row->cells[0];
    value = &row->cells[1];

    /* an object, or nothing: not a parameter */

    if (name->len == 0 || name->data[name->len - 1] == '.') {
        return CWMP_OK;
    }

    if (name->len > NGX_HTTP_CWMP_NAME_MAX) {
        ctx->long_names++;
        return CWMP_OK;
    }

    if (ctx->rows_pool == NULL && ngx_http_cwmp_begin_rows(ctx) != NGX_OK) {
        return CWMP_ERROR;
    }

    pair = ngx_array_push_n(ctx->rows, 2);
    if (pair == NULL) {
        return CWMP_ERROR;
    }

    path = name->len;
    pair[0].len = path;
    pair[1].len = 1 + value->len;

    pair[0].data = ngx_pnalloc(ctx->rows_pool, path + 1 + value->len);
    if (pair[0].data == NULL) {
        return CWMP_ERROR;
    }

    ngx_memcpy(pair[0].data, name->data, path);

    pair[1].data = pair[0].data + path;
    pair[1].data[0] = (u_char) cwmp_type_letter(&row->type);

    if (value->len) {
        ngx_memcpy(pair[1].data + 1, value->data, value->len);
    }

    ctx->rows_size += path + value->len;

    ngx_http_cwmp_twice(ctx, &pair[0]);

    if (row->repaired && ctx->repaired.len == 0) {
        return ngx_http_cwmp_copy(ctx->request->pool, name,
                                  NGX_HTTP_CWMP_NAME_MAX, &ctx->repaired);
    }

    return CWMP_OK;
}


/*
 * All rows as cwmp_chunk_3 takes them, so that Redis, which all have to share,
 * need not take 500 paths apart: of rows that follow each other and are of one
 * object its path, how many, their names in it and their values; 0 for a row
 * that is to be kept by itself.
 */

ngx_int_t
ngx_http_cwmp_arg_objects(ngx_http_cwmp_ctx_t *ctx, ngx_array_t *args)
{
    ngx_str_t   *row, *end, four[4];
    ngx_uint_t   n;

    row = ctx->rows->elts;
    end = row + ctx->rows->nelts;

    for ( /* void */ ; row < end; row += 2 * ngx_max(n, 1)) {

        n = ngx_http_cwmp_alike(row, end, four);

        if (n == 0) {
            four[0] = row[0];
            ngx_str_null(&four[2]);
            four[3] = row[1];

        } else if (ngx_http_cwmp_join(args->pool, row, n, four) != NGX_OK) {
            return NGX_ERROR;
        }

        if (ngx_http_cwmp_arg(args, four[0].data, four[0].len) != NGX_OK
            || ngx_http_cwmp_arg_number(args, n) != NGX_OK
            || ngx_http_cwmp_arg(args, four[2].data, four[2].len) != NGX_OK
            || ngx_http_cwmp_arg(args, four[3].data, four[3].len) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * How many from here on are of the first one's object, and small; the object,
 * and how long their names and values are, each with what separates them.
 */

static ngx_uint_t
ngx_http_cwmp_alike(ngx_str_t *first, ngx_str_t *end, ngx_str_t *four)
{
    size_t       object, leaf;
    ngx_str_t   *row;
    ngx_uint_t   n;

    object = first->len;

    while (object && first->data[object - 1] != '.') {
        object--;
    }

    four[0].data = first->data;
    four[0].len = object;
    four[2].len = 0;
    four[3].len = 0;

    if (object < 2) {
        return 0;
    }

    for (n = 0, row = first; row < end; n++, row += 2) {

        if (row[0].len <= object
            || ngx_memcmp(row[0].data, first->data, object) != 0
            || ngx_strlchr(row[0].data + object, row[0].data + row[0].len, '.'))
        {
            break;
        }

        leaf = row[0].len - object;

        if (leaf + row[1].len > NGX_HTTP_CWMP_LEAF_MAX) {
            break;
        }

        four[2].len += leaf + 1;
        four[3].len += row[1].len + 1;
    }

    return n;
}


/* no XML has what separates them */

static ngx_int_t
ngx_http_cwmp_join(ngx_pool_t *pool, ngx_str_t *row, ngx_uint_t n,
    ngx_str_t *four)
{
    u_char  *name, *value;

    name = ngx_pnalloc(pool, four[2].len + four[3].len);
    if (name == NULL) {
        return NGX_ERROR;
    }

    value = name + four[2].len;

    four[2].data = name;
    four[2].len--;
    four[3].data = value;
    four[3].len--;

    for ( /* void */ ; n; n--, row += 2) {
        name = ngx_cpymem(name, row[0].data + four[0].len,
                          row[0].len - four[0].len);
        *name++ = '\1';
        value = ngx_cpymem(value, row[1].data, row[1].len);
        *value++ = '\1';
    }

    return NGX_OK;
}


/*
 * A path that comes again: Redis keeps what comes last, and the log is told.
 * What is remembered of a path is a number, in a table that grows to a bound:
 * of a longer list only the beginning is looked back at.
 */

static void
ngx_http_cwmp_twice(ngx_http_cwmp_ctx_t *ctx, const ngx_str_t *path)
{
    uint64_t                    number, *slot;
    ngx_http_cwmp_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(ctx->request, ngx_http_cwmp_module);

    /* with a seed that no CPE knows, none can make many meet in one place */

    number = XXH3_64bits_withSeed(path->data, path->len, cmcf->worker);

    if (2 * ctx->nseen >= ctx->seen_slots
        && ngx_http_cwmp_remember_more(ctx) != NGX_OK)
    {
        return;
    }

    slot = ngx_http_cwmp_slot(ctx->seen, ctx->seen_slots, number);

    if (*slot) {
        ctx->twice++;
        return;
    }

    *slot = number;
    ctx->nseen++;
}


/* where this number is, or would be; none is 0 */

static uint64_t *
ngx_http_cwmp_slot(uint64_t *seen, ngx_uint_t slots, uint64_t number)
{
    ngx_uint_t  i;

    for (i = number & (slots - 1); seen[i] && seen[i] != number;
         i = (i + 1) & (slots - 1))
    {
        /* void */
    }

    return &seen[i];
}


static ngx_int_t
ngx_http_cwmp_remember_more(ngx_http_cwmp_ctx_t *ctx)
{
    uint64_t    *seen;
    ngx_uint_t   i, slots;

    slots = ctx->seen_slots ? 4 * ctx->seen_slots : NGX_HTTP_CWMP_SEEN_MIN;

    if (slots > NGX_HTTP_CWMP_SEEN_MAX) {
        return NGX_DECLINED;
    }

    seen = ngx_pcalloc(ctx->request->pool, slots * sizeof(uint64_t));
    if (seen == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < ctx->seen_slots; i++) {
        if (ctx->seen[i]) {
            *ngx_http_cwmp_slot(seen, slots, ctx->seen[i]) = ctx->seen[i];
        }
    }

    if (ctx->seen) {
        (void) ngx_pfree(ctx->request->pool, ctx->seen);
    }

    ctx->seen = seen;
    ctx->seen_slots = slots;

    return NGX_OK;
}


static cwmp_rc_t
ngx_http_cwmp_copy(ngx_pool_t *pool, const cwmp_str_t *from, size_t most,
    ngx_str_t *to)
{
    to->len = ngx_min(from->len, most);

    /* not inside of a character */

    while (to->len < from->len && to->len
           && (from->data[to->len] & 0xC0) == 0x80)
    {
        to->len--;
    }

    to->data = ngx_pnalloc(pool, to->len + 1);
    if (to->data == NULL) {
        return CWMP_ERROR;
    }

    if (to->len) {
        ngx_memcpy(to->data, from->data, to->len);
    }

    return CWMP_OK;
}
