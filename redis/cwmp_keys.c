/*
 * Key names are built once for each call.  Must not know nginx or hiredis.
 */

#include <stdio.h>
#include <string.h>

#include "cwmp_keys.h"


static const char  *cwmp_suffixes[CWMP_DEVICE_KEYS] = {
    "", ":params", ":tasks", ":queue", ":live", ":running", ":waiting",
    ":session", ":results"
};

static const char  *cwmp_shared[CWMP_PARTITION_KEYS] = {
    "due", "events", "index:seen", "index:model", "index:version", "quirks"
};


/* CRC-16/XMODEM, bit by bit: an ID is short */

unsigned
cwmp_partition(const cwmp_str_t *id, unsigned partitions)
{
    size_t    i;
    unsigned  crc, bit;

    if (partitions < 2) {
        return 0;
    }

    for (crc = 0, i = 0; i < id->len; i++) {
        crc ^= (unsigned) id->data[i] << 8;

        for (bit = 0; bit < 8; bit++) {
            crc = (crc & 0x8000) ? (crc << 1) ^ 0x1021 : crc << 1;
        }

        crc &= 0xffff;
    }

    return crc % partitions;
}


static cwmp_rc_t
cwmp_key(cwmp_arena_t *arena, const cwmp_str_t *prefix, unsigned partition,
    const char *kind, const cwmp_str_t *name, const char *suffix,
    cwmp_str_t *key)
{
    size_t  size;

    size = prefix->len + strlen(kind) + name->len + strlen(suffix)
           + sizeof(":{4294967295}:");

    key->data = cwmp_alloc(arena, size);
    if (key->data == NULL) {
        return CWMP_ERROR;
    }

    key->len = (size_t) snprintf((char *) key->data, size, "%.*s:{%u}:%s%.*s%s",
                                 (int) prefix->len, (char *) prefix->data,
                                 partition, kind, (int) name->len,
                                 (char *) name->data, suffix);
    return CWMP_OK;
}


cwmp_rc_t
cwmp_partition_key(cwmp_arena_t *arena, const cwmp_str_t *prefix,
    unsigned partition, const char *name, cwmp_str_t *key)
{
    cwmp_str_t  none = cwmp_string("");

    return cwmp_key(arena, prefix, partition, name, &none, "", key);
}


cwmp_rc_t
cwmp_keys(cwmp_arena_t *arena, const cwmp_str_t *prefix, unsigned partitions,
    const cwmp_str_t *id, cwmp_str_t keys[CWMP_KEYS])
{
    unsigned    i, partition;
    cwmp_str_t  model;

    partition = cwmp_partition(id, partitions);

    for (i = 0; i < CWMP_DEVICE_KEYS; i++) {
        if (cwmp_key(arena, prefix, partition, "", id, cwmp_suffixes[i],
                     &keys[i])
            != CWMP_OK)
        {
            return CWMP_ERROR;
        }
    }

    for (i = 0; i < CWMP_PARTITION_KEYS; i++) {
        if (cwmp_partition_key(arena, prefix, partition, cwmp_shared[i],
                               &keys[CWMP_DEVICE_KEYS + i])
            != CWMP_OK)
        {
            return CWMP_ERROR;
        }
    }

    /* OUI-ProductClass: the serial number is what follows the last hyphen */

    model = *id;

    while (model.len && model.data[model.len - 1] != '-') {
        model.len--;
    }

    model.len -= (model.len > 0);

    return cwmp_key(arena, prefix, partition, "model:", &model, "",
                    &keys[CWMP_KEYS - 1]);
}
