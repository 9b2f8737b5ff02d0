/*
 * Nonces of HTTP authentication (RFC 7616 3.3, 5.4) that verify themselves: a
 * node knows one that any of the nodes made, without asking.  They say when
 * they were made, and are bound to no connection.  That none is used twice is
 * not known here: their count is for the caller to keep.  Pure.
 */

#ifndef CWMP_NONCE_H
#define CWMP_NONCE_H

#include "cwmp_secret.h"

#define CWMP_NONCE_RANDOM  6        /* bytes */
#define CWMP_NONCE_LEN     56       /* characters, lower case hex; */
#define CWMP_NONCE_NAME    14       /* of them tell nonces of a user apart */


typedef enum {
    CWMP_NONCE_FRESH = 0,
    CWMP_NONCE_STALE,               /* ours, but too old, or of a clock ahead */
    CWMP_NONCE_FOREIGN              /* not ours, or of a key that is gone */
} cwmp_nonce_rc_t;


/* random: CWMP_NONCE_RANDOM bytes; now: Unix time, and ms of its second, so
   that later ones are greater; nonce: CWMP_NONCE_LEN bytes.  ERROR where
   OpenSSL has no memory */
cwmp_rc_t cwmp_nonce_make(cwmp_secret_t *s, const cwmp_str_t *realm,
    uint32_t now, unsigned ms, const unsigned char *random,
    unsigned char *nonce);

/* lives: seconds that it may be old */
cwmp_nonce_rc_t cwmp_nonce_check(cwmp_secret_t *s,
    const cwmp_str_t *realm, uint32_t now, uint32_t lives,
    const cwmp_str_t *nonce);

#endif
