/*
 * The server's half of HTTP digest authentication (RFC 7616; RFC 2617 and 2069
 * as old CPEs speak them): what an Authorization header says, and whether its
 * response is that of a password.  Pure: whose password it is, whether the
 * nonce is ours and fresh, and whether its count grows is the caller's to
 * know.  Digests are OpenSSL's.
 */

#ifndef CWMP_DIGEST_H
#define CWMP_DIGEST_H

#include "cwmp_types.h"

#define CWMP_DIGEST_MAX  4096       /* bytes of the header; longer is refused */
#define CWMP_DIGEST_HEX  64         /* of the longest digest */


typedef enum {
    CWMP_DIGEST_USERNAME = 0,
    CWMP_DIGEST_REALM,
    CWMP_DIGEST_NONCE,
    CWMP_DIGEST_URI,                /* as sent: its backslashes are its own */
    CWMP_DIGEST_RESPONSE,
    CWMP_DIGEST_ALGORITHM,
    CWMP_DIGEST_CNONCE,
    CWMP_DIGEST_OPAQUE,
    CWMP_DIGEST_QOP,
    CWMP_DIGEST_NC,
    CWMP_DIGEST_FIELDS
} cwmp_digest_field_t;


typedef struct cwmp_digest_algorithm_s  cwmp_digest_algorithm_t;

typedef struct {
    cwmp_str_t                       fields[CWMP_DIGEST_FIELDS];
    unsigned                         given;     /* bits of those sent */
    uint32_t                         count;     /* nc's number; without qop 0 */
    cwmp_digest_algorithm_t         *algorithm;
    char                             reason[96];
} cwmp_digest_t;


/*
 * The header's value, "Digest username=..., ...".  Its fields point into it,
 * or into the arena where a quoted one had escapes.  REFUSED, with a reason
 * that names the field: no Digest, not well-formed, a field twice, one that is
 * needed missing, an algorithm or a qop that is not served.  Fields that are
 * not known are passed over.
 */
cwmp_rc_t cwmp_digest_parse(cwmp_arena_t *arena, const unsigned char *p,
    size_t len, cwmp_digest_t *d);

/* as if a header had said these: for cwmp_digest_secret().  NULL algorithm:
   MD5.  REFUSED: one that is not served */
cwmp_rc_t cwmp_digest_of(cwmp_digest_t *d, const char *algorithm,
    const cwmp_str_t *username, const cwmp_str_t *realm);

/*
 * H(username:realm:password) by the header's algorithm, in hex, as it may be
 * kept instead of the password; into buf, of CWMP_DIGEST_HEX bytes.
 */
cwmp_rc_t cwmp_digest_secret(const cwmp_digest_t *d,
    const cwmp_str_t *password, unsigned char *buf, cwmp_str_t *secret);

/* the response that is expected for this secret, into buf as above */
cwmp_rc_t cwmp_digest_response(const cwmp_digest_t *d,
    const cwmp_str_t *method, const cwmp_str_t *secret, unsigned char *buf,
    cwmp_str_t *response);

/* of the algorithms that keep an MD5 of the password, or of SHA-256 */
int cwmp_digest_is_md5(const cwmp_digest_t *d);

/* OK: the header's response is that one.  Takes the same time wherever they
   differ.  REFUSED: it is not */
cwmp_rc_t cwmp_digest_check(const cwmp_digest_t *d, const cwmp_str_t *method,
    const cwmp_str_t *secret);

#endif
