/*
 * Who is where: the front's question at the end of its handshake, again after
 * each sign that the answer has changed, and what the answer says.
 *
 *   CLUSTER SLOTS                                   of any node of the Cluster;
 *       at first FCALL cwmp_meta_1 of its primary, too
 *   SENTINEL GET-MASTER-ADDR-BY-NAME name           of any Sentinel
 *
 * Of the master it is asked all the time: one that is replaced, and lives,
 * takes commands for seconds until the Sentinels tell it, and all that is
 * undone.
 *
 * To ask another kind of service, add its question to ngx_cwmp_redis_who().
 */

#include "ngx_cwmp_redis_int.h"
#include "cwmp_keys.h"


#define NGX_CWMP_REDIS_WATCH     500    /* ms between looks at the master */
#define NGX_CWMP_REDIS_VAIN      4      /* answers that do not help, */
#define NGX_CWMP_REDIS_VAIN_MAX  64     /* then so many */


static void ngx_cwmp_redis_slots_reply(void *data, redisReply *reply,
    const char *error);
static ngx_uint_t ngx_cwmp_redis_in_vain(ngx_cwmp_redis_t *front,
    ngx_cwmp_redis_t *down);
static ngx_uint_t ngx_cwmp_redis_is_map(redisReply *reply);
static ngx_int_t ngx_cwmp_redis_range(ngx_cwmp_redis_t *front,
    redisReply *range);
static const char *ngx_cwmp_redis_unusable(const redisReply *host);
static void ngx_cwmp_redis_no_node(ngx_cwmp_redis_t *front, redisReply *host);
static void ngx_cwmp_redis_first_time(ngx_cwmp_redis_t *front);
static void ngx_cwmp_redis_verified(void *data, redisReply *reply,
    const char *error);
static void ngx_cwmp_redis_master_reply(void *data, redisReply *reply,
    const char *error);


ngx_int_t
ngx_cwmp_redis_who(ngx_cwmp_redis_t *front)
{
    static ngx_str_t  slots[] = { ngx_string("CLUSTER"), ngx_string("SLOTS") };

    ngx_str_t  argv[3];

    front->set->asked = ngx_current_msec;

    if (front->conf->cluster) {
        return ngx_cwmp_redis_ask(front, slots, 2, ngx_cwmp_redis_slots_reply);
    }

    ngx_str_set(&argv[0], "SENTINEL");
    ngx_str_set(&argv[1], "GET-MASTER-ADDR-BY-NAME");
    argv[2] = front->conf->sentinel;

    return ngx_cwmp_redis_ask(front, argv, 3, ngx_cwmp_redis_master_reply);
}


void
ngx_cwmp_redis_renew(ngx_cwmp_redis_set_t *set)
{
    ngx_msec_t         since;
    ngx_cwmp_redis_t  *front = set->front;

    front->demand = ngx_current_msec;
    since = ngx_current_msec - set->asked;

    if (front->closing
        || (front->state == NGX_CWMP_REDIS_CLOSED && front->retry.timer_set)
        || (front->state != NGX_CWMP_REDIS_CLOSED
            && front->state != NGX_CWMP_REDIS_READY))
    {
        return;                         /* it is asked, or will be */
    }

    if (since < NGX_CWMP_REDIS_ASK && !ngx_exiting) {
        ngx_add_timer(&front->retry, NGX_CWMP_REDIS_ASK - since);
        return;
    }

    if (front->retry.timer_set) {
        ngx_del_timer(&front->retry);
    }

    if (front->state == NGX_CWMP_REDIS_CLOSED) {
        if (ngx_cwmp_redis_connect(front) != NGX_OK) {
            ngx_cwmp_redis_down(front);
        }

        return;
    }

    if (ngx_cwmp_redis_who(front) == NGX_OK) {
        front->state = NGX_CWMP_REDIS_HANDSHAKE;
        ngx_cwmp_redis_arm(front);
    }
}


static void
ngx_cwmp_redis_slots_reply(void *data, redisReply *reply, const char *error)
{
    size_t                 i;
    ngx_uint_t             s;
    redisReply            *bad;
    ngx_cwmp_redis_t      *front = data;
    ngx_cwmp_redis_set_t  *set = front->set;

    if (reply->type == REDIS_REPLY_ERROR) {
        ngx_cwmp_redis_refused(front, "CLUSTER SLOTS", reply,
                               " (leave out \"cluster\" of cwmp_redis where it"
                               " is none)");
        return;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0) {
        ngx_cwmp_redis_lost(front, 0, "it knows of no slots: is the Cluster "
                            "made?");
        return;
    }

    if (!ngx_cwmp_redis_is_map(reply)) {
        ngx_cwmp_redis_lost(front, 0, "its slots are not as CLUSTER SLOTS "
                            "tells them");
        return;
    }

    for (s = 0; s < set->nslots; s++) {
        set->slots[s].node = NULL;
    }

    bad = NULL;

    for (i = 0; i < reply->elements; i++) {
        if (ngx_cwmp_redis_range(front, reply->element[i]) != NGX_OK) {
            bad = reply->element[i]->element[2]->element[0];
        }
    }

    if (bad && !set->unnamed) {
        ngx_cwmp_redis_no_node(front, bad);
    }

    set->unnamed = (bad != NULL);

    if (ngx_cwmp_redis_in_vain(front, ngx_cwmp_redis_unused(set))) {
        return;
    }

    if (set->known) {
        ngx_cwmp_redis_ready(front);

    } else {
        ngx_cwmp_redis_first_time(front);
    }
}


/*
 * It names one that is down.  After some answers of the kind another is asked,
 * who may know better; 1: this one was left.
 */

static ngx_uint_t
ngx_cwmp_redis_in_vain(ngx_cwmp_redis_t *front, ngx_cwmp_redis_t *down)
{
    ngx_uint_t  n;

    n = down ? ++front->set->vain : 0;
    front->set->vain = n;

    /* the 4th, 8th, 16th, ...: maybe nobody does */

    if (n < NGX_CWMP_REDIS_VAIN || front->naddrs == 1
        || ((n & (n - 1)) && n % NGX_CWMP_REDIS_VAIN_MAX))
    {
        return 0;
    }

    ngx_cwmp_redis_lost(front, 0, "it names %V, which is down: %s",
                        ngx_cwmp_redis_name(down), down->why);
    return 1;
}


/* first slot, last slot, the primary's host and port and more, replicas' */

static ngx_uint_t
ngx_cwmp_redis_is_map(redisReply *reply)
{
    size_t        i;
    long long     first, last, n;
    redisReply  **range, **who;

    n = 0;

    for (i = 0; i < reply->elements; i++) {
        range = reply->element[i]->element;

        if (reply->element[i]->type != REDIS_REPLY_ARRAY
            || reply->element[i]->elements < 3
            || range[0]->type != REDIS_REPLY_INTEGER
            || range[1]->type != REDIS_REPLY_INTEGER
            || range[2]->type != REDIS_REPLY_ARRAY || range[2]->elements < 2)
        {
            return 0;
        }

        first = range[0]->integer;
        last = range[1]->integer;
        who = range[2]->element;

        if (who[1]->type != REDIS_REPLY_INTEGER
            || first < 0 || last < first || last >= NGX_CWMP_REDIS_SLOTS)
        {
            return 0;
        }

        /* none is in two: so this is no work without end */

        n += last - first + 1;

        if (n > NGX_CWMP_REDIS_SLOTS) {
            return 0;
        }
    }

    return 1;
}


static ngx_int_t
ngx_cwmp_redis_range(ngx_cwmp_redis_t *front, redisReply *range)
{
    long long          slot;
    redisReply       **who;
    ngx_cwmp_redis_t  *node;

    who = range->element[2]->element;

    node = ngx_cwmp_redis_peer_of(front, (u_char *) who[0]->str,
                                  who[0]->type == REDIS_REPLY_STRING
                                  ? who[0]->len : 0,
                                  (ngx_int_t) who[1]->integer);
    if (node == NULL) {
        return NGX_ERROR;
    }

    node->used = 1;

    for (slot = range->element[0]->integer;
         slot <= range->element[1]->integer;
         slot++)
    {
        front->set->slots[slot].node = node;
    }

    return NGX_OK;
}


/* of a host that is not used */

static const char *
ngx_cwmp_redis_unusable(const redisReply *host)
{
    return ngx_cwmp_redis_is_name((u_char *) host->str, host->len)
           ? "no address: set a resolver in nginx, or"
           : "neither an address nor a host's name: set";
}


/* one line until a map is good */

static void
ngx_cwmp_redis_no_node(ngx_cwmp_redis_t *front, redisReply *host)
{
    if (front->set->nnodes == NGX_CWMP_REDIS_NODES) {
        ngx_log_error(NGX_LOG_ERR, front->parent, 0,
                      "Redis at %V: the Cluster has more than %d primaries: "
                      "slots of the others are not served",
                      ngx_cwmp_redis_name(front), NGX_CWMP_REDIS_NODES);
        return;
    }

    ngx_cwmp_redis_fit(host);

    ngx_log_error(NGX_LOG_ERR, front->parent, 0,
                  "Redis at %V: a node of the Cluster is \"%*s\", which is %s "
                  "cluster-preferred-endpoint-type ip in Redis",
                  ngx_cwmp_redis_name(front), ngx_min(host->len, 255),
                  host->str ? host->str : "", ngx_cwmp_redis_unusable(host));
}


/* whose number of partitions is right, before anything is written */

static void
ngx_cwmp_redis_first_time(ngx_cwmp_redis_t *front)
{
    u_char                 key[NGX_CWMP_REDIS_PREFIX + sizeof(":meta")];
    ngx_cwmp_redis_t      *node;
    ngx_cwmp_redis_set_t  *set = front->set;

    node = set->slots[cwmp_slot(key, ngx_sprintf(key, "%V:meta",
                                                 &front->conf->prefix) - key)]
           .node;

    if (node == NULL
        || ngx_cwmp_redis_meta(front, node, ngx_cwmp_redis_verified,
                               &set->meta)
           != NGX_OK)
    {
        ngx_cwmp_redis_lost(front, 0, "the primary of %V:meta is not there",
                            &front->conf->prefix);
    }
}


static void
ngx_cwmp_redis_verified(void *data, redisReply *reply, const char *error)
{
    ngx_cwmp_redis_t  *front = data;

    front->set->meta = NULL;

    if (reply == NULL) {
        ngx_cwmp_redis_lost(front, 0, "%s", error);
        return;
    }

    front->set->known = (reply->type != REDIS_REPLY_ERROR);
    ngx_cwmp_redis_meta_reply(front, reply, NULL);
}


static void
ngx_cwmp_redis_master_reply(void *data, redisReply *reply, const char *error)
{
    ngx_cwmp_redis_t      *front = data, *node;
    ngx_cwmp_redis_set_t  *set = front->set;

    if (reply->type == REDIS_REPLY_ERROR) {
        ngx_cwmp_redis_refused(front, "SENTINEL", reply,
                               " (the addresses must be Sentinels')");
        return;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2
        || reply->element[0]->type != REDIS_REPLY_STRING
        || reply->element[1]->type != REDIS_REPLY_STRING)
    {
        ngx_cwmp_redis_lost(front, 0, "this Sentinel knows no master \"%V\"",
                            &front->conf->sentinel);
        return;
    }

    node = ngx_cwmp_redis_peer_of(front, (u_char *) reply->element[0]->str,
                                  reply->element[0]->len,
                                  ngx_atoi((u_char *) reply->element[1]->str,
                                           reply->element[1]->len));
    if (node == NULL) {
        ngx_cwmp_redis_fit(reply->element[0]);
        ngx_cwmp_redis_lost(front, 0, "the master \"%*s\" is %s "
                            "announce-hostnames no in the Sentinels",
                            ngx_min(reply->element[0]->len, 120),
                            reply->element[0]->str,
                            ngx_cwmp_redis_unusable(reply->element[0]));
        return;
    }

    if (set->slots[0].node != node) {
        ngx_log_error(NGX_LOG_NOTICE, front->parent, 0,
                      "Sentinel at %V: the master is %V",
                      ngx_cwmp_redis_name(front), ngx_cwmp_redis_name(node));
    }

    set->slots[0].node = node;
    set->known = 1;
    node->used = 1;

    if (ngx_cwmp_redis_in_vain(front, ngx_cwmp_redis_unused(set))) {
        return;
    }

    ngx_cwmp_redis_ready(front);

    if (!ngx_exiting && !front->retry.timer_set) {
        ngx_add_timer(&front->retry, NGX_CWMP_REDIS_WATCH);
    }
}
