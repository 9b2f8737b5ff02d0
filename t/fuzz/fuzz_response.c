/*
 * Any bytes as the answer of a CPE's connection request server, whole and cut
 * anywhere: the same facts, within the bounds, or a refusal with its reason.
 * First byte: where it is cut.
 */

#include "cwmp_response.h"
#include "fuzz.h"


static cwmp_rc_t
read_all(cwmp_response_t *r, const unsigned char *p, size_t n, uint32_t seed)
{
    size_t          take;
    cwmp_rc_t       rc;
    unsigned char  *copy;

    cwmp_response_init(r);
    rc = CWMP_OK;

    while (n && rc == CWMP_OK && !r->complete) {
        take = seed ? fuzz_piece(&seed, n) : n;
        copy = malloc(take);
        memcpy(copy, p, take);
        rc = cwmp_response_feed(r, copy, take);
        free(copy);
        p += take;
        n -= take;
    }

    return (rc == CWMP_OK && !r->complete) ? cwmp_response_end(r) : rc;
}


int
LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
    cwmp_rc_t               a, b;
    static cwmp_response_t  x, y;

    if (n == 0) {
        return 0;
    }

    a = read_all(&x, p + 1, n - 1, 0);
    b = read_all(&y, p + 1, n - 1, 1 + *p);

    must(a == b);
    must(a != CWMP_REFUSED || x.reason);

    if (a == CWMP_OK) {
        must(x.status >= 200 && x.status < 600 && x.status == y.status);
        must(x.retry_after == y.retry_after && x.basic == y.basic);
        must(!x.digest.data == !y.digest.data);
        must(fuzz_same(&x.digest, &y.digest));
        must(x.digest.len == 0
             || (x.digest.data >= x.head
                 && x.digest.data + x.digest.len
                    <= x.head + CWMP_RESPONSE_HEAD));
    }

    return 0;
}
