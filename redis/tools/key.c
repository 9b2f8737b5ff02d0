/*
 * The key file, for tools: read, and refused with a line that says why.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "key.h"


int
read_key(const char *program, const char *path, cwmp_secret_t *secret)
{
    int      failed, error;
    FILE    *f;
    size_t   n = 0;
    char     text[4096];

    f = fopen(path, "r");

    if (f) {
        setvbuf(f, NULL, _IONBF, 0);        /* leaves no copy of it */
        n = fread(text, 1, sizeof(text), f);
    }

    failed = f == NULL || ferror(f);
    error = errno;

    if (f) {
        fclose(f);
    }

    if (failed) {
        fprintf(stderr, "%s: %s: %s\n", program, path, strerror(error));
        return 1;
    }

    failed = n == sizeof(text)
             || cwmp_secret_read(secret, (unsigned char *) text, n) != CWMP_OK;

    OPENSSL_cleanse(text, sizeof(text));

    if (failed && n < sizeof(text) && secret->reason) {
        fprintf(stderr, "%s: %s, line %zu: %s\n", program, path, secret->line,
                secret->reason);

    } else if (failed) {
        fprintf(stderr, "%s: %s is no key file\n", program, path);
    }

    return failed;
}
