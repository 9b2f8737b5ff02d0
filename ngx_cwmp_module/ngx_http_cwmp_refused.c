/*
 * A POST that was refused, since it proved nobody, or another: it is counted,
 * and told in the events stream of the partition of the device that its user
 * is, never of the one that it claims to be.  Nobody waits for that.  Whoever
 * can reach the ACS can make as many as he likes, so a worker tells some of
 * them only, and the library tells fewer.
 */

#include "ngx_http_cwmp.h"


#define NGX_HTTP_CWMP_TOLD  8           /* a second, of a worker */


static ngx_int_t ngx_http_cwmp_refused_keys(ngx_http_cwmp_redis_t *redis,
    cwmp_arena_t *arena, const cwmp_str_t *who, ngx_str_t *argv);
static ngx_uint_t ngx_http_cwmp_refused_many(ngx_http_cwmp_main_conf_t *cmcf);
static void ngx_http_cwmp_refused_told(void *data, redisReply *reply,
    const char *error);


/* in the order of cwmp_refused_1's arguments */
enum {
    FCALL, FUNCTION, NKEYS, EVENTS, REFUSALS, OMITTED, DEVICE, REASON, USER_IS,
    USER, ADDRESS_IS, ADDRESS, CLAIMS_IS, CLAIMS, NARGS
};


/* claims: a device, or what "cwmp_identity" is; or NULL */

void
ngx_http_cwmp_refused(ngx_http_cwmp_ctx_t *ctx, ngx_http_cwmp_count_e which,
    const char *reason, const cwmp_str_t *claims)
{
    u_char                      omitted[NGX_INT_T_LEN], id[CWMP_ID_MAX];
    ngx_str_t                   argv[NARGS], user;
    cwmp_str_t                  device, who;
    const char                 *error;
    ngx_http_cwmp_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(ctx->request, ngx_http_cwmp_module);

    ngx_http_cwmp_count(cmcf, which);

    if (ngx_http_cwmp_refused_many(cmcf)) {
        cmcf->untold++;
        return;
    }

    ngx_http_cwmp_auth_who(ctx, &user, &device);

    device.len = cwmp_identity_of(&device, id);
    device.data = id;

    who.data = user.data;
    who.len = user.len;

    if (device.len) {
        who = device;
    }

    if (ngx_http_cwmp_refused_keys(ctx->conf->redis, &ctx->arena, &who,
                                   &argv[EVENTS])
        != NGX_OK)
    {
        return;
    }

    ngx_str_set(&argv[FCALL], "FCALL");
    ngx_str_set(&argv[FUNCTION], "cwmp_refused_1");
    ngx_str_set(&argv[NKEYS], "2");
    argv[OMITTED].data = omitted;
    argv[OMITTED].len = ngx_sprintf(omitted, "%ui", cmcf->untold) - omitted;
    argv[DEVICE].data = device.data;
    argv[DEVICE].len = device.len;
    argv[REASON].data = (u_char *) reason;
    argv[REASON].len = ngx_strlen(reason);
    ngx_str_set(&argv[USER_IS], "user");
    argv[USER] = user;
    ngx_str_set(&argv[ADDRESS_IS], "address");
    argv[ADDRESS] = ctx->request->connection->addr_text;

    if (claims) {
        ngx_str_set(&argv[CLAIMS_IS], "claims");
        argv[CLAIMS].data = claims->data;
        argv[CLAIMS].len = claims->len;
    }

    if (ngx_cwmp_redis_send(ctx->conf->redis->client, argv,
                            claims ? NARGS : CLAIMS_IS,
                            ngx_http_cwmp_refused_told, NULL, &error))
    {
        cmcf->untold = 0;

    } else {
        cmcf->untold++;
    }
}


static ngx_int_t
ngx_http_cwmp_refused_keys(ngx_http_cwmp_redis_t *redis, cwmp_arena_t *arena,
    const cwmp_str_t *who, ngx_str_t *argv)
{
    unsigned    partition;
    cwmp_str_t  prefix, key[2];

    prefix.data = redis->conf->prefix.data;
    prefix.len = redis->conf->prefix.len;

    partition = cwmp_partition(who, (unsigned) redis->conf->partitions);

    if (cwmp_partition_key(arena, &prefix, partition, "events", &key[0])
            != CWMP_OK
        || cwmp_partition_key(arena, &prefix, partition, "refusals", &key[1])
               != CWMP_OK)
    {
        return NGX_ERROR;
    }

    argv[0].data = key[0].data;
    argv[0].len = key[0].len;
    argv[1].data = key[1].data;
    argv[1].len = key[1].len;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_cwmp_refused_many(ngx_http_cwmp_main_conf_t *cmcf)
{
    if (cmcf->told_at != ngx_time()) {
        cmcf->told_at = ngx_time();
        cmcf->told = 0;
    }

    return ++cmcf->told > NGX_HTTP_CWMP_TOLD;
}


/* somebody's bytes, for a log: as many as fit, none that a terminal obeys */

void
ngx_http_cwmp_shown(ngx_str_t *shown, u_char *buf, const ngx_str_t *value)
{
    size_t  i;

    shown->data = buf;
    shown->len = ngx_min(value->len, NGX_HTTP_CWMP_SHOWN);

    for (i = 0; i < shown->len; i++) {
        buf[i] = (value->data[i] >= ' ' && value->data[i] <= '~')
                 ? value->data[i] : '?';
    }
}


/* the POST may be over */

static void
ngx_http_cwmp_refused_told(void *data, redisReply *reply, const char *error)
{
    if (reply == NULL) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "an event \"auth failure\" is lost: %s", error);

    } else if (reply->type == REDIS_REPLY_ERROR
               || (reply->type == REDIS_REPLY_STRING
                   && ngx_strcmp(reply->str, "OK") != 0))
    {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "an event \"auth failure\" is lost, Redis answered: %s",
                      reply->str);
    }
}
