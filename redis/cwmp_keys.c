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

static const cwmp_str_t  cwmp_nobody = cwmp_string("");


/* CRC-16/XMODEM, bit by bit: an ID is short */

static unsigned
cwmp_crc16(const unsigned char *p, size_t len)
{
    size_t    i;
    unsigned  crc, bit;

    for (crc = 0, i = 0; i < len; i++) {
        crc ^= (unsigned) p[i] << 8;

        for (bit = 0; bit < 8; bit++) {
            crc = (crc & 0x8000) ? (crc << 1) ^ 0x1021 : crc << 1;
        }

        crc &= 0xffff;
    }

    return crc;
}


unsigned
cwmp_partition(const cwmp_str_t *id, unsigned partitions)
{
    return (partitions < 2) ? 0 : cwmp_crc16(id->data, id->len) % partitions;
}


/* of the first "{...}" its inside, when there is one, counts */

unsigned
cwmp_slot(const unsigned char *key, size_t len)
{
    const unsigned char  *open, *close;

    open = len ? memchr(key, '{', len) : NULL;

    if (open) {
        open++;
        close = memchr(open, '}', key + len - open);

        if (close && close != open) {
            return cwmp_crc16(open, close - open) & 16383;
        }
    }

    return cwmp_crc16(key, len) & 16383;
}


/* "prefix:{partition}:", which all keys of a device begin with */

static cwmp_rc_t
cwmp_key_head(cwmp_arena_t *arena, const cwmp_str_t *prefix,
    unsigned partition, cwmp_str_t *head)
{
    size_t  size;

    size = prefix->len + sizeof(":{4294967295}:");

    head->data = cwmp_alloc(arena, size);
    if (head->data == NULL) {
        return CWMP_ERROR;
    }

    memcpy(head->data, prefix->data, prefix->len);

    head->len = prefix->len
                + snprintf((char *) head->data + prefix->len,
                           size - prefix->len, ":{%u}:", partition);
    return CWMP_OK;
}


static cwmp_rc_t
cwmp_key(cwmp_arena_t *arena, const cwmp_str_t *head, const char *kind,
    const cwmp_str_t *name, const char *suffix, cwmp_str_t *key)
{
    size_t          i;
    cwmp_str_t      parts[4];
    unsigned char  *p;

    parts[0] = *head;
    parts[1].data = (unsigned char *) kind;
    parts[1].len = strlen(kind);
    parts[2] = *name;
    parts[3].data = (unsigned char *) suffix;
    parts[3].len = strlen(suffix);

    key->len = parts[0].len + parts[1].len + parts[2].len + parts[3].len;

    p = cwmp_alloc(arena, key->len + 1);
    if (p == NULL) {
        return CWMP_ERROR;
    }

    key->data = p;

    for (i = 0; i < 4; i++) {
        memcpy(p, parts[i].data, parts[i].len);
        p += parts[i].len;
    }

    *p = '\0';

    return CWMP_OK;
}


cwmp_rc_t
cwmp_partition_key(cwmp_arena_t *arena, const cwmp_str_t *prefix,
    unsigned partition, const char *name, cwmp_str_t *key)
{
    cwmp_str_t  head;

    if (cwmp_key_head(arena, prefix, partition, &head) != CWMP_OK) {
        return CWMP_ERROR;
    }

    return cwmp_key(arena, &head, name, &cwmp_nobody, "", key);
}


cwmp_rc_t
cwmp_device_key(cwmp_arena_t *arena, const cwmp_str_t *prefix,
    unsigned partitions, const cwmp_str_t *id, cwmp_str_t *key)
{
    cwmp_str_t  head;

    if (cwmp_key_head(arena, prefix, cwmp_partition(id, partitions), &head)
        != CWMP_OK)
    {
        return CWMP_ERROR;
    }

    return cwmp_key(arena, &head, "", id, cwmp_suffixes[0], key);
}


cwmp_rc_t
cwmp_keys(cwmp_arena_t *arena, const cwmp_str_t *prefix, unsigned partitions,
    const cwmp_str_t *id, cwmp_str_t keys[CWMP_KEYS])
{
    unsigned    i;
    cwmp_str_t  head, model;

    if (cwmp_key_head(arena, prefix, cwmp_partition(id, partitions), &head)
        != CWMP_OK)
    {
        return CWMP_ERROR;
    }

    for (i = 0; i < CWMP_DEVICE_KEYS; i++) {
        if (cwmp_key(arena, &head, "", id, cwmp_suffixes[i], &keys[i])
            != CWMP_OK)
        {
            return CWMP_ERROR;
        }
    }

    for (i = 0; i < CWMP_PARTITION_KEYS; i++) {
        if (cwmp_key(arena, &head, cwmp_shared[i], &cwmp_nobody, "",
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

    if (cwmp_key(arena, &head, "model:", &model, "", &keys[CWMP_KEYS - 2])
        != CWMP_OK)
    {
        return CWMP_ERROR;
    }

    return cwmp_key(arena, &head, "index:first", &cwmp_nobody, "",
                    &keys[CWMP_KEYS - 1]);
}


cwmp_rc_t
cwmp_user_key(cwmp_arena_t *arena, const cwmp_str_t *prefix,
    const cwmp_str_t *name, cwmp_str_t *key)
{
    return cwmp_key(arena, prefix, ":user:{", name, "}", key);
}
