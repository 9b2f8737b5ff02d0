/*
 * Any bytes as a Cookie header: what is found lies in it and is a token and an
 * ID as we make them, which the cookie made of them gives again.
 */

#include "cwmp_identity.h"
#include "fuzz.h"


int
LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
    cwmp_str_t      token, id, again, token2, id2;
    tap_arena_t     owner;
    cwmp_arena_t    arena = { tap_alloc, &owner };
    unsigned char  *copy;

    memset(&owner, 0, sizeof(owner));
    copy = malloc(n ? n : 1);
    memcpy(copy, p, n);

    if (cwmp_cookie_parse(copy, n, &token, &id)) {
        must(token.len == CWMP_TOKEN_LEN);
        must(token.data >= copy && token.data + token.len <= copy + n);
        must(id.data >= copy && id.data + id.len <= copy + n);
        must(cwmp_identity_valid(id.data, id.len));

        must(cwmp_cookie_write(&arena, &token, &id, &again) == CWMP_OK);
        must(cwmp_cookie_parse(again.data, again.len, &token2, &id2));
        must(fuzz_same(&token, &token2) && fuzz_same(&id, &id2));
    }

    free(copy);
    tap_free(&owner);

    return 0;
}
