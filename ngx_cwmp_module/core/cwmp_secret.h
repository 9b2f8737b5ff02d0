/*
 * What a node's key file is for: values that Redis keeps sealed (AES-256-GCM),
 * and keyed digests.  All nodes have the same file.  Pure: the file's bytes,
 * and random ones, come from the caller; the ciphers are OpenSSL's.
 *
 * The file has a key a line, 64 hex digits; "#" begins a comment.  The first
 * one seals, each of them opens: a new key goes on top, and the old one away
 * when nothing is sealed with it any more.
 */

#ifndef CWMP_SECRET_H
#define CWMP_SECRET_H

#include "cwmp_types.h"

#define CWMP_SECRET_KEY   32        /* bytes of a key, and of a keyed digest */
#define CWMP_SECRET_KEYS  4
#define CWMP_SECRET_ID    8         /* characters of a key's name */
#define CWMP_SECRET_IV    12
#define CWMP_SECRET_MAX   65536     /* bytes of a value; longer is refused */


typedef struct {
    unsigned char    key[CWMP_SECRET_KEY];
    unsigned char    seal[CWMP_SECRET_KEY];
    unsigned char    iv[CWMP_SECRET_KEY];
    unsigned char    seed[CWMP_SECRET_KEY];     /* of digests, no MACs */
    unsigned char    id[CWMP_SECRET_ID];
    uint32_t         hour;          /* after that of the next; 0: none yet */
    unsigned char    nonce[CWMP_SECRET_KEY];
} cwmp_secret_key_t;

typedef struct {
    cwmp_secret_key_t   keys[CWMP_SECRET_KEYS];
    size_t              n;
    size_t              line;       /* where the reason is about */
    const char         *reason;
} cwmp_secret_t;


/* REFUSED, with a reason and its line: no key, a line that is none, too many,
   one twice */
cwmp_rc_t cwmp_secret_read(cwmp_secret_t *s, const unsigned char *p,
    size_t len);

/* HMAC-SHA256 of the parts, in a row, with a length before each, by a key of
   CWMP_SECRET_KEY bytes.  REFUSED above 1024 bytes in all; ERROR where OpenSSL
   has no memory */
cwmp_rc_t cwmp_secret_mac(const unsigned char *key, const cwmp_str_t *parts,
    size_t n, unsigned char *mac);

/* has this the shape of a sealed value? */
int cwmp_secret_is_sealed(const cwmp_str_t *value);

/*
 * "s1.ID.HEX", of a value that opens only where the same name is said: the
 * key and the field that it is for, so that it is of no use elsewhere.  iv:
 * random bytes, never the same ones twice.
 */
cwmp_rc_t cwmp_secret_seal(const cwmp_secret_t *s, cwmp_arena_t *arena,
    const cwmp_str_t *name, const unsigned char iv[CWMP_SECRET_IV],
    const cwmp_str_t *value, cwmp_str_t *sealed);

/*
 * The same, with an iv made of name and value by a key (as AES-SIV does): what
 * is sealed once more is the same text, so that a device that tells nothing new
 * has nothing written.  It shows that a device's value is the one it was, and
 * nothing of two names.
 */
cwmp_rc_t cwmp_secret_seal_same(const cwmp_secret_t *s, cwmp_arena_t *arena,
    const cwmp_str_t *name, const cwmp_str_t *value, cwmp_str_t *sealed);

/* the name of a field of a device: "ID FIELD" */
cwmp_rc_t cwmp_secret_name(cwmp_arena_t *arena, const cwmp_str_t *id,
    const cwmp_str_t *field, cwmp_str_t *name);

/* REFUSED, with *reason: no sealed value, one of a key that is not in the
   file, one that was changed or is for another name */
cwmp_rc_t cwmp_secret_open(const cwmp_secret_t *s, cwmp_arena_t *arena,
    const cwmp_str_t *name, const cwmp_str_t *sealed, cwmp_str_t *value,
    const char **reason);

/* the name, of CWMP_SECRET_ID characters, of the key that this was sealed with
   and that s, which may be NULL, has not; NULL when it has it, and of what is
   not sealed at all */
const unsigned char *cwmp_secret_lacks(const cwmp_secret_t *s,
    const cwmp_str_t *sealed);

/* n bytes to 2 n digits, lower case; and n digits, in either case, to n / 2
   bytes: 0 when they are none */
void cwmp_secret_hex(const unsigned char *p, size_t n, unsigned char *to);
int cwmp_secret_unhex(const unsigned char *p, size_t n, unsigned char *to);

#endif
