
/*
 * What a user's record is made of.  The values were made by another
 * implementation (Python's hmac, hashlib and cryptography).
 */

#include "cwmp_user.h"
#include "tap.h"

#define KEY  "000102030405060708090a0b0c0d0e0f"                               \
             "101112131415161718191a1b1c1d1e1f"


static tap_arena_t   owner;
static cwmp_arena_t  arena = { tap_alloc, &owner };
static cwmp_str_t    name = cwmp_string("00D09E-Box-1");
static cwmp_str_t    other = cwmp_string("00D09E-Box-2");
static cwmp_str_t    password = cwmp_string("pw");
static cwmp_str_t    realm = cwmp_string("r");


static void
test_password(void)
{
    size_t         i, bad = 0;
    unsigned char  p[CWMP_USER_PASSWORD];

    static const char  letters[] = "abcdefghijkmnpqrstuvwxyz23456789";

    for (i = 0; i < CWMP_USER_PASSWORD; i++) {
        p[i] = i;
    }

    cwmp_user_password(p, p);
    is_mem(p, sizeof(p), "abcdefghijkmnpqrstuv", "a letter for each of 32");

    memset(p, 0xff, sizeof(p));
    cwmp_user_password(p, p);

    for (i = 0; i < CWMP_USER_PASSWORD; i++) {
        bad += strchr(letters, p[i]) == NULL;
    }

    is_num(bad, 0, "whatever the bytes are");
}


static void
test_proofs(void)
{
    cwmp_str_t      proof;
    cwmp_secret_t   s;
    unsigned char   buf[CWMP_DIGEST_HEX];

    is_num(cwmp_secret_read(&s, (const unsigned char *) KEY, 64), CWMP_OK,
           "a key");

    is_num(cwmp_user_digest(CWMP_USER_MD5, &name, &realm, &password, buf,
                            &proof), CWMP_OK, "MD5");
    is_mem(proof.data, proof.len, "6afc9f00e2b90d0fa3d218f69711581b",
           "as others make it");
    is_num(cwmp_user_digest(CWMP_USER_SHA256, &name, &realm, &password, buf,
                            &proof), CWMP_OK, "SHA-256");
    is_mem(proof.data, proof.len, "cc7b88f51ad1d70bd012be5a540bb404"
           "8313ec831e18538124436e63c020aa08", "as others make it");
    is_num(cwmp_user_basic(&s.keys[0], &name, &password, buf, &proof), CWMP_OK,
           "Basic");
    is_mem(proof.data, proof.len, "e849872793ad227dc6175fa429e69e27"
           "ee7e7d5bf295bb680b3324fb2979d270", "as others make it");
}


static void
test_sealed(void)
{
    cwmp_str_t      sealed, value;
    const char     *reason;
    cwmp_secret_t   s;

    static const unsigned char  iv[CWMP_SECRET_IV] = { 0, 1, 2, 3, 4, 5, 6, 7,
                                                       8, 9, 10, 11 };

    (void) cwmp_secret_read(&s, (const unsigned char *) KEY, 64);

    is_num(cwmp_user_seal(&s, &arena, "user", &name, iv, &password, &sealed),
           CWMP_OK, "a password is sealed");
    is_mem(sealed.data, sealed.len, "s1.825de61b.000102030405060708090a0b"
           "2d387240781da2e0e9263eed6b20ce92e002", "as others do");
    is_num(cwmp_user_open(&s, &arena, "user", &name, &sealed, &value, &reason),
           CWMP_OK, "it opens");
    is_mem(value.data, value.len, "pw", "... and is the one");
    is_num(cwmp_user_open(&s, &arena, "user", &other, &sealed, &value, &reason),
           CWMP_REFUSED, "not for another user");
    is_num(cwmp_user_open(&s, &arena, "connection_request", &name, &sealed,
                          &value, &reason),
           CWMP_REFUSED, "not for another use");
}


int
main(void)
{
    test_password();
    test_proofs();
    test_sealed();

    tap_free(&owner);

    return done();
}
