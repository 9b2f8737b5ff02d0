/*
 * What a user's record in Redis is made of (cwmp:user:{NAME}): what proves its
 * password, and what is kept of it sealed.  Nodes and tools make it alike.
 * Pure: random bytes come from the caller.
 */

#ifndef CWMP_USER_H
#define CWMP_USER_H

#include "cwmp_digest.h"
#include "cwmp_secret.h"

#define CWMP_USER_PASSWORD  20      /* characters of one that is made up */


/* the record's fields of these names, in lower case */
typedef enum {
    CWMP_USER_MD5 = 0,              /* H(NAME:realm:password) */
    CWMP_USER_SHA256,
    CWMP_USER_BASIC,                /* a keyed digest of both */
    CWMP_USER_PROOFS
} cwmp_user_proof_t;


/* as many random bytes to 20 characters of 32: 100 bits, none that is read as
   another; may be done in place */
void cwmp_user_password(const unsigned char random[CWMP_USER_PASSWORD],
    unsigned char password[CWMP_USER_PASSWORD]);

/* into buf, in hex; ERROR where OpenSSL has no memory */
cwmp_rc_t cwmp_user_digest(cwmp_user_proof_t which, const cwmp_str_t *name,
    const cwmp_str_t *realm, const cwmp_str_t *password,
    unsigned char buf[CWMP_DIGEST_HEX], cwmp_str_t *proof);
cwmp_rc_t cwmp_user_basic(const cwmp_secret_key_t *key,
    const cwmp_str_t *name, const cwmp_str_t *password,
    unsigned char buf[CWMP_DIGEST_HEX], cwmp_str_t *proof);

/*
 * A password of this user, for this kind of use ("user", "connection_request"):
 * it opens for no other.  As cwmp_secret_seal() and cwmp_secret_open().
 */
cwmp_rc_t cwmp_user_seal(const cwmp_secret_t *s, cwmp_arena_t *arena,
    const char *kind, const cwmp_str_t *name,
    const unsigned char iv[CWMP_SECRET_IV], const cwmp_str_t *password,
    cwmp_str_t *sealed);
cwmp_rc_t cwmp_user_open(const cwmp_secret_t *s, cwmp_arena_t *arena,
    const char *kind, const cwmp_str_t *name, const cwmp_str_t *sealed,
    cwmp_str_t *password, const char **reason);

#endif
