/*
 * TIME (4 bytes), its 65536ths of a second (2), RANDOM (6), MAC (16), in hex.
 * The MAC's key is that of an hour, made of the key file's: what was seen of
 * one is worth nothing in the next, and nodes need not agree on when to change.
 */

#include <string.h>

#include <openssl/crypto.h>

#include "cwmp_nonce.h"

#define CWMP_NONCE_SIGNED  (6 + CWMP_NONCE_RANDOM)
#define CWMP_NONCE_MAC     16
#define CWMP_NONCE_HOUR    3600
#define CWMP_NONCE_AHEAD   5        /* seconds that nodes' clocks may differ */


static cwmp_rc_t cwmp_nonce_hour(cwmp_secret_key_t *key, uint32_t hour);
static cwmp_rc_t cwmp_nonce_mac(cwmp_secret_key_t *key,
    const cwmp_str_t *realm, const unsigned char *p, unsigned char *mac);
static uint32_t cwmp_nonce_time(const unsigned char *p);


cwmp_rc_t
cwmp_nonce_make(cwmp_secret_t *s, const cwmp_str_t *realm, uint32_t now,
    unsigned ms, const unsigned char *random, unsigned char *nonce)
{
    size_t         i;
    uint32_t       part = (ms << 16) / 1000;
    unsigned char  raw[CWMP_NONCE_SIGNED + CWMP_SECRET_KEY];

    for (i = 0; i < 4; i++) {
        raw[i] = (unsigned char) (now >> (24 - 8 * i));
    }

    raw[4] = (unsigned char) (part >> 8);
    raw[5] = (unsigned char) part;
    memcpy(raw + 6, random, CWMP_NONCE_RANDOM);

    if (cwmp_nonce_mac(&s->keys[0], realm, raw, raw + CWMP_NONCE_SIGNED)
        != CWMP_OK)
    {
        return CWMP_ERROR;
    }

    cwmp_secret_hex(raw, CWMP_NONCE_LEN / 2, nonce);

    return CWMP_OK;
}


cwmp_nonce_rc_t
cwmp_nonce_check(cwmp_secret_t *s, const cwmp_str_t *realm,
    uint32_t now, uint32_t lives, const cwmp_str_t *nonce)
{
    size_t         i;
    uint32_t       made;
    unsigned char  raw[CWMP_NONCE_LEN / 2], mac[CWMP_SECRET_KEY];
    unsigned char  hex[CWMP_NONCE_LEN];

    if (nonce->len != CWMP_NONCE_LEN
        || !cwmp_secret_unhex(nonce->data, nonce->len, raw))
    {
        return CWMP_NONCE_FOREIGN;
    }

    /* in capitals it would be another one to who counts its uses */

    cwmp_secret_hex(raw, sizeof(raw), hex);

    if (memcmp(hex, nonce->data, sizeof(hex)) != 0) {
        return CWMP_NONCE_FOREIGN;
    }

    for (i = 0; i < s->n; i++) {
        if (cwmp_nonce_mac(&s->keys[i], realm, raw, mac) == CWMP_OK
            && CRYPTO_memcmp(mac, raw + CWMP_NONCE_SIGNED, CWMP_NONCE_MAC)
               == 0)
        {
            break;
        }
    }

    if (i == s->n) {
        return CWMP_NONCE_FOREIGN;
    }

    made = cwmp_nonce_time(raw);

    return (made <= now + CWMP_NONCE_AHEAD && made + (uint64_t) lives >= now)
           ? CWMP_NONCE_FRESH : CWMP_NONCE_STALE;
}


static cwmp_rc_t
cwmp_nonce_mac(cwmp_secret_key_t *key, const cwmp_str_t *realm,
    const unsigned char *p, unsigned char *mac)
{
    cwmp_str_t  parts[2];

    if (cwmp_nonce_hour(key, cwmp_nonce_time(p) / CWMP_NONCE_HOUR)
        != CWMP_OK)
    {
        return CWMP_ERROR;
    }

    parts[0].data = (unsigned char *) p;
    parts[0].len = CWMP_NONCE_SIGNED;
    parts[1] = *realm;

    return cwmp_secret_mac(key->nonce, parts, 2, mac);
}


/* the last one is remembered: nearly all nonces are of this hour */

static cwmp_rc_t
cwmp_nonce_hour(cwmp_secret_key_t *key, uint32_t hour)
{
    int            i;
    cwmp_str_t     part;
    unsigned char  label[9] = "nonce";

    if (key->hour == hour + 1) {
        return CWMP_OK;
    }

    for (i = 0; i < 4; i++) {
        label[5 + i] = (unsigned char) (hour >> (24 - 8 * i));
    }

    part.data = label;
    part.len = sizeof(label);
    key->hour = 0;

    if (cwmp_secret_mac(key->key, &part, 1, key->nonce) != CWMP_OK) {
        return CWMP_ERROR;
    }

    key->hour = hour + 1;

    return CWMP_OK;
}


static uint32_t
cwmp_nonce_time(const unsigned char *p)
{
    return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16
           | (uint32_t) p[2] << 8 | p[3];
}
