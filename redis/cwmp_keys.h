/*
 * The names of Redis keys (docs/redis.md): which partition a device lives in,
 * and the keys that the functions of redis/lua take, in their order.  Pure.
 */

#ifndef CWMP_KEYS_H
#define CWMP_KEYS_H

#include "cwmp_types.h"


/* of a device, of its partition, of its model, and one more; the order is that
   of redis/lua */
#define CWMP_DEVICE_KEYS     9
#define CWMP_PARTITION_KEYS  6
#define CWMP_KEYS            (CWMP_DEVICE_KEYS + CWMP_PARTITION_KEYS + 2)


/* CRC16(ID) mod the number of partitions; CRC16 as in Redis Cluster */
unsigned cwmp_partition(const cwmp_str_t *id, unsigned partitions);

/* of a key in Redis Cluster */
unsigned cwmp_slot(const unsigned char *key, size_t len);

/* all keys that a step of this device may touch */
cwmp_rc_t cwmp_keys(cwmp_arena_t *arena, const cwmp_str_t *prefix,
    unsigned partitions, const cwmp_str_t *id, cwmp_str_t keys[CWMP_KEYS]);

/* the first of them only, from which redis/lua can make the others */
cwmp_rc_t cwmp_device_key(cwmp_arena_t *arena, const cwmp_str_t *prefix,
    unsigned partitions, const cwmp_str_t *id, cwmp_str_t *key);

/* "prefix:{partition}:name" */
cwmp_rc_t cwmp_partition_key(cwmp_arena_t *arena, const cwmp_str_t *prefix,
    unsigned partition, const char *name, cwmp_str_t *key);

/* "prefix:user:{name}", the record of a user of HTTP authentication */
cwmp_rc_t cwmp_user_key(cwmp_arena_t *arena, const cwmp_str_t *prefix,
    const cwmp_str_t *name, cwmp_str_t *key);

#endif
