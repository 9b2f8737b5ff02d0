/*
 * Is Redis slow?  Each answer to a step is noted, and each second in which
 * there were any is judged by its 99th percentile.  After some slow ones in
 * succession the steps are told that the session may have no RPC more, so that
 * it ends after its Inform and its tasks wait; after some that took half of
 * the limit at most they may again.  One second alone, as when Redis forks,
 * changes nothing.
 *
 * A judgement needs no timer: it is made by the next answer or step.  It is of
 * one worker, and of what a CPE waits for: the queue in this worker is in it.
 */

#include "ngx_http_cwmp.h"


#define NGX_HTTP_CWMP_SLOW   3      /* seconds with answers, in succession */
#define NGX_HTTP_CWMP_GOOD   5
#define NGX_HTTP_CWMP_LEAST  20     /* ms: the clock ticks each of them */
#define NGX_HTTP_CWMP_STALE  10     /* seconds without: nothing is known */


static void ngx_http_cwmp_overload_second(ngx_http_cwmp_redis_t *redis);
static void ngx_http_cwmp_overload_judge(ngx_http_cwmp_redis_t *redis);
static void ngx_http_cwmp_overload_begin(ngx_http_cwmp_redis_t *redis);
static void ngx_http_cwmp_overload_end(ngx_http_cwmp_redis_t *redis);


void
ngx_http_cwmp_overload_note(ngx_http_cwmp_redis_t *redis,
    const ngx_str_t *server, ngx_msec_t took)
{
    ngx_http_cwmp_pace_t  *pace = &redis->pace;

    ngx_http_cwmp_overload_second(redis);

    pace->answers++;
    pace->over += (took >= pace->limit);
    pace->half += (took >= pace->limit / 2);

    if (took <= pace->longest) {
        return;
    }

    pace->longest = took;

    /* in a Cluster one of several; both lines of the log name the same */

    if (took >= pace->limit && !pace->since) {
        pace->who_len = ngx_min(server->len, sizeof(pace->who));
        ngx_memcpy(pace->who, server->data, pace->who_len);
    }
}


/* may sessions have no RPC more? */

ngx_uint_t
ngx_http_cwmp_overloaded(ngx_http_cwmp_redis_t *redis)
{
    ngx_http_cwmp_overload_second(redis);

    return redis->pace.since != 0;
}


static void
ngx_http_cwmp_overload_second(ngx_http_cwmp_redis_t *redis)
{
    time_t                 now;
    ngx_http_cwmp_pace_t  *pace = &redis->pace;

    now = (time_t) (ngx_current_msec / 1000);   /* nobody sets this clock */

    if (now == pace->second || pace->limit == 0) {
        return;
    }

    if (pace->answers) {
        ngx_http_cwmp_overload_judge(redis);
    }

    if (now - pace->second > NGX_HTTP_CWMP_STALE) {
        ngx_http_cwmp_overload_end(redis);
    }

    pace->second = now;
    pace->answers = 0;
    pace->over = 0;
    pace->half = 0;
    pace->longest = 0;
}


static void
ngx_http_cwmp_overload_judge(ngx_http_cwmp_redis_t *redis)
{
    ngx_http_cwmp_pace_t  *pace = &redis->pace;

    if (pace->over * 100 > pace->answers) {
        pace->good = 0;

        if (++pace->slow == NGX_HTTP_CWMP_SLOW && !pace->since) {
            ngx_http_cwmp_overload_begin(redis);
        }

        return;
    }

    pace->slow = 0;
    pace->good = (pace->half * 100 > pace->answers) ? 0 : pace->good + 1;

    if (pace->good >= NGX_HTTP_CWMP_GOOD) {
        ngx_http_cwmp_overload_end(redis);
    }
}


static void
ngx_http_cwmp_overload_begin(ngx_http_cwmp_redis_t *redis)
{
    ngx_http_cwmp_pace_t  *pace = &redis->pace;

    pace->since = ngx_max(pace->second, 1);
    pace->deferred = 0;

    ngx_log_error(NGX_LOG_WARN, redis->conf->log, 0,
                  "Redis at %*s is slow: %ui of %ui answers in a second took "
                  "%M ms or more, the longest %M ms: sessions end after the "
                  "Inform, and tasks wait",
                  pace->who_len, pace->who, pace->over, pace->answers,
                  pace->limit, pace->longest);
}


static void
ngx_http_cwmp_overload_end(ngx_http_cwmp_redis_t *redis)
{
    ngx_http_cwmp_pace_t  *pace = &redis->pace;

    if (pace->since) {
        ngx_log_error(NGX_LOG_WARN, redis->conf->log, 0,
                      "Redis at %*s is slow no more, after %T s: tasks are "
                      "sent again; %ui sessions ended without a look at theirs",
                      pace->who_len, pace->who,
                      (time_t) (ngx_current_msec / 1000) - pace->since,
                      pace->deferred);
    }

    pace->since = 0;
    pace->slow = 0;
    pace->good = 0;
}


/* cwmp_overload latency=TIME | off; */

char *
ngx_http_cwmp_overload(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cwmp_main_conf_t  *cmcf = conf;

    ngx_str_t   *value, s;
    ngx_msec_t   ms;

    if (cmcf->slow != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;
    s = value[1];

    if (ngx_strcmp(s.data, "off") == 0) {
        cmcf->slow = 0;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(s.data, "latency=", 8) == 0) {
        s.data += 8;
        s.len -= 8;

        ms = ngx_parse_time(&s, 0);

        if (ms != (ngx_msec_t) NGX_ERROR && ms >= NGX_HTTP_CWMP_LEAST) {
            cmcf->slow = ms;
            return NGX_CONF_OK;
        }
    }

    return ngx_http_cwmp_invalid(cf, "off or e.g. latency=500ms, 20ms "
                                 "at least");
}
