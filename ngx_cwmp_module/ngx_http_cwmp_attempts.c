/*
 * How often somebody has done what too many may not do: of all workers of this
 * node, in shared memory, a table for each such thing.
 *
 * A user, or a source, that fails to prove itself again and again is answered
 * later and later; who succeeds never waits, so nobody can shut out a device by
 * wrong passwords.  A source of new devices (ngx_http_cwmp_unknown.c) may bring
 * so many in a minute.
 *
 * A table of fixed size: an entry is found by a keyed hash in a set of four,
 * where a new one replaces the one that was touched least lately.  Two that
 * have the same hash share an entry, which costs the one a delay.
 */

#include "ngx_http_cwmp.h"

#include <openssl/rand.h>


#define NGX_HTTP_CWMP_ATTEMPTS_SETS   16384     /* a MB in all */
#define NGX_HTTP_CWMP_ATTEMPTS_WAYS   4
#define NGX_HTTP_CWMP_ATTEMPTS_HALF   60        /* seconds: half is forgotten */
#define NGX_HTTP_CWMP_ATTEMPTS_MAX    8000      /* ms */
#define NGX_HTTP_CWMP_ATTEMPTS_MINUTE  60


typedef struct {
    uint64_t    hash;
    uint32_t    last;               /* Unix time; of a rate, its minute began */
    uint32_t    score;
} ngx_http_cwmp_attempt_t;

typedef struct {
    uint64_t                  seed;
    uint32_t                  newest;       /* Unix time, of a rate */
    ngx_http_cwmp_attempt_t   table[NGX_HTTP_CWMP_ATTEMPTS_SETS
                                    * NGX_HTTP_CWMP_ATTEMPTS_WAYS];
} ngx_http_cwmp_attempts_t;


static ngx_int_t ngx_http_cwmp_attempts_init(ngx_shm_zone_t *zone,
    void *data);
static ngx_http_cwmp_attempt_t *ngx_http_cwmp_attempts_find(
    ngx_http_cwmp_attempts_t *attempts, uint64_t hash, ngx_uint_t make);


ngx_int_t
ngx_http_cwmp_attempts_zone(ngx_conf_t *cf, const char *name,
    ngx_shm_zone_t **zone)
{
    ngx_str_t  s;

    if (*zone) {
        return NGX_OK;
    }

    s.data = (u_char *) name;
    s.len = ngx_strlen(name);

    /* the pool's own pages, and one for its head, come on top */

    *zone = ngx_shared_memory_add(cf, &s, 2 * sizeof(ngx_http_cwmp_attempts_t),
                                  &ngx_http_cwmp_module);
    if (*zone == NULL) {
        return NGX_ERROR;
    }

    (*zone)->init = ngx_http_cwmp_attempts_init;

    return NGX_OK;
}


/* a reload goes on with what was counted */

static ngx_int_t
ngx_http_cwmp_attempts_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t           *pool;
    ngx_http_cwmp_attempts_t  *attempts;

    if (data) {
        zone->data = data;
        return NGX_OK;
    }

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (zone->shm.exists) {
        zone->data = pool->data;
        return NGX_OK;
    }

    attempts = ngx_slab_calloc(pool, sizeof(ngx_http_cwmp_attempts_t));
    if (attempts == NULL
        || RAND_bytes((u_char *) &attempts->seed, sizeof(uint64_t)) != 1)
    {
        return NGX_ERROR;
    }

    pool->data = attempts;
    zone->data = attempts;

    return NGX_OK;
}


/* one more failed: how many ms the answer has to wait; kind: whom "who" is one
   of; free: so many do not */

ngx_msec_t
ngx_http_cwmp_attempts_failed(ngx_shm_zone_t *zone, ngx_uint_t kind,
    const ngx_str_t *who, ngx_uint_t free)
{
    uint32_t                   now, score, passed;
    ngx_slab_pool_t           *pool;
    ngx_http_cwmp_attempt_t   *attempt;
    ngx_http_cwmp_attempts_t  *attempts;

    attempts = zone->data;
    pool = (ngx_slab_pool_t *) zone->shm.addr;
    now = (uint32_t) ngx_time();

    ngx_shmtx_lock(&pool->mutex);

    attempt = ngx_http_cwmp_attempts_find(attempts,
                                          XXH64(who->data, who->len,
                                                attempts->seed + kind), 1);
    passed = (now - attempt->last) / NGX_HTTP_CWMP_ATTEMPTS_HALF;

    attempt->score = (passed < 32 ? attempt->score >> passed : 0) + 1;
    attempt->last += passed * NGX_HTTP_CWMP_ATTEMPTS_HALF;
    score = attempt->score;

    ngx_shmtx_unlock(&pool->mutex);

    if (score <= free) {
        return 0;
    }

    score = ngx_min(score - free, 7);

    return ngx_min((ngx_msec_t) 125 << score, NGX_HTTP_CWMP_ATTEMPTS_MAX);
}


/* how often in this minute, which begins with its first one; one: once more */

ngx_uint_t
ngx_http_cwmp_attempts_rate(ngx_shm_zone_t *zone, const ngx_str_t *who,
    ngx_uint_t one)
{
    uint32_t                   now;
    ngx_uint_t                 n;
    ngx_slab_pool_t           *pool;
    ngx_http_cwmp_attempt_t   *attempt;
    ngx_http_cwmp_attempts_t  *attempts;

    attempts = zone->data;
    pool = (ngx_slab_pool_t *) zone->shm.addr;
    now = (uint32_t) ngx_time();

    /* nobody's: what costs most of those who only ask nothing */

    if (!one && now - attempts->newest >= NGX_HTTP_CWMP_ATTEMPTS_MINUTE) {
        return 0;
    }

    ngx_shmtx_lock(&pool->mutex);

    n = 0;
    attempt = ngx_http_cwmp_attempts_find(attempts,
                                          XXH64(who->data, who->len,
                                                attempts->seed), one);

    if (attempt && now - attempt->last >= NGX_HTTP_CWMP_ATTEMPTS_MINUTE) {
        attempt->last = now;
        attempt->score = 0;
    }

    if (attempt) {
        attempt->score += one;
        n = attempt->score;
    }

    if (one) {
        attempts->newest = now;
    }

    ngx_shmtx_unlock(&pool->mutex);

    return n;
}


/* NULL: there is none, and none is to be made */

static ngx_http_cwmp_attempt_t *
ngx_http_cwmp_attempts_find(ngx_http_cwmp_attempts_t *attempts, uint64_t hash,
    ngx_uint_t make)
{
    ngx_uint_t                i;
    ngx_http_cwmp_attempt_t  *set, *oldest;

    set = &attempts->table[(hash % NGX_HTTP_CWMP_ATTEMPTS_SETS)
                           * NGX_HTTP_CWMP_ATTEMPTS_WAYS];
    oldest = set;

    for (i = 0; i < NGX_HTTP_CWMP_ATTEMPTS_WAYS; i++) {

        if (set[i].hash == hash) {
            return &set[i];
        }

        if (set[i].last < oldest->last) {
            oldest = &set[i];
        }
    }

    if (!make) {
        return NULL;
    }

    oldest->hash = hash;
    oldest->score = 0;
    oldest->last = (uint32_t) ngx_time();

    return oldest;
}
