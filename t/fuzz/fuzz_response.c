/*
 * Any bytes as an HTTP response, whole and in pieces: the same is said of
 * both.  The first byte is the size of the pieces.
 */

#include "cwmp_response.h"
#include "fuzz.h"


static cwmp_rc_t
feed(cwmp_response_t *r, const unsigned char *p, size_t n, size_t piece)
{
    size_t     take;
    cwmp_rc_t  rc;

    cwmp_response_init(r);

    for (rc = CWMP_OK; n && rc == CWMP_OK; p += take, n -= take) {
        take = n < piece ? n : piece;
        rc = cwmp_response_feed(r, p, take);
    }

    return rc == CWMP_OK ? cwmp_response_end(r) : rc;
}


int
LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
    cwmp_rc_t         rc;
    cwmp_response_t  *a, *b;

    if (n == 0) {
        return 0;
    }

    a = malloc(sizeof(cwmp_response_t));
    b = malloc(sizeof(cwmp_response_t));

    rc = feed(a, p + 1, n - 1, n);
    must(feed(b, p + 1, n - 1, 1 + *p) == rc);

    if (rc == CWMP_OK) {
        must(a->complete && a->status >= 200 && a->status < 600);
        must(b->status == a->status && b->basic == a->basic);
        must(b->digest.len == a->digest.len);

        if (a->digest.data) {
            must(a->digest.data >= a->head);
            must(a->digest.data + a->digest.len <= a->head + a->len);
            must(memcmp(a->digest.data, b->digest.data, a->digest.len) == 0);
        }
    }

    free(a);
    free(b);

    return 0;
}
