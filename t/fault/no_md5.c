/*
 * LD_PRELOAD=no_md5.so program: an OpenSSL that has no MD5, as where only what
 * is approved (FIPS) may be used.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <strings.h>

#include <openssl/evp.h>


EVP_MD *
EVP_MD_fetch(OSSL_LIB_CTX *ctx, const char *algorithm, const char *properties)
{
    EVP_MD  *(*fetch)(OSSL_LIB_CTX *, const char *, const char *);

    *(void **) &fetch = dlsym(RTLD_NEXT, "EVP_MD_fetch");

    return strcasecmp(algorithm, "MD5") == 0
           ? NULL : fetch(ctx, algorithm, properties);
}
