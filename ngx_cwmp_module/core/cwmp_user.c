/*
 * Users, as Redis has them: the names of their keys, and what proves them.
 */

#include <string.h>

#include "cwmp_user.h"


static cwmp_rc_t cwmp_user_name(cwmp_arena_t *arena, const char *kind,
    const cwmp_str_t *name, cwmp_str_t *of);


void
cwmp_user_password(const unsigned char random[CWMP_USER_PASSWORD],
    unsigned char password[CWMP_USER_PASSWORD])
{
    size_t  i;

    static const char  letters[] = "abcdefghijkmnpqrstuvwxyz23456789";

    for (i = 0; i < CWMP_USER_PASSWORD; i++) {
        password[i] = letters[random[i] & 31];
    }
}


cwmp_rc_t
cwmp_user_digest(cwmp_user_proof_t which, const cwmp_str_t *name,
    const cwmp_str_t *realm, const cwmp_str_t *password,
    unsigned char buf[CWMP_DIGEST_HEX], cwmp_str_t *proof)
{
    cwmp_digest_t  d;

    if (cwmp_digest_of(&d, which == CWMP_USER_MD5 ? "MD5" : "SHA-256", name,
                       realm)
        != CWMP_OK)
    {
        return CWMP_ERROR;
    }

    return cwmp_digest_secret(&d, password, buf, proof);
}


cwmp_rc_t
cwmp_user_basic(const cwmp_secret_key_t *key, const cwmp_str_t *name,
    const cwmp_str_t *password, unsigned char buf[CWMP_DIGEST_HEX],
    cwmp_str_t *proof)
{
    cwmp_rc_t      rc;
    cwmp_str_t     parts[] = { cwmp_string("basic"), *name, *password };
    unsigned char  mac[CWMP_SECRET_KEY];

    rc = cwmp_secret_mac(key->key, parts, 3, mac);
    if (rc != CWMP_OK) {
        return rc;
    }

    cwmp_secret_hex(mac, sizeof(mac), buf);

    proof->data = buf;
    proof->len = 2 * sizeof(mac);

    return CWMP_OK;
}


cwmp_rc_t
cwmp_user_seal(const cwmp_secret_t *s, cwmp_arena_t *arena, const char *kind,
    const cwmp_str_t *name, const unsigned char iv[CWMP_SECRET_IV],
    const cwmp_str_t *password, cwmp_str_t *sealed)
{
    cwmp_str_t  of;

    if (cwmp_user_name(arena, kind, name, &of) != CWMP_OK) {
        return CWMP_ERROR;
    }

    return cwmp_secret_seal(s, arena, &of, iv, password, sealed);
}


cwmp_rc_t
cwmp_user_open(const cwmp_secret_t *s, cwmp_arena_t *arena, const char *kind,
    const cwmp_str_t *name, const cwmp_str_t *sealed, cwmp_str_t *password,
    const char **reason)
{
    cwmp_str_t  of;

    if (cwmp_user_name(arena, kind, name, &of) != CWMP_OK) {
        return CWMP_ERROR;
    }

    return cwmp_secret_open(s, arena, &of, sealed, password, reason);
}


/* "user/NAME" */

static cwmp_rc_t
cwmp_user_name(cwmp_arena_t *arena, const char *kind, const cwmp_str_t *name,
    cwmp_str_t *of)
{
    size_t  len = strlen(kind);

    of->len = len + 1 + name->len;

    of->data = cwmp_alloc(arena, of->len);
    if (of->data == NULL) {
        return CWMP_ERROR;
    }

    memcpy(of->data, kind, len);
    of->data[len] = '/';
    memcpy(of->data + len + 1, name->data, name->len);

    return CWMP_OK;
}
