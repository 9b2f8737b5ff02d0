/*
 * What the fuzz targets share: an arena whose blocks ASan watches one by one,
 * and a stop when something that must hold does not.
 */

#ifndef FUZZ_H
#define FUZZ_H

#include "../unit/tap.h"

#define must(what)                                                            \
    do {                                                                      \
        if (!(what)) {                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what);\
            abort();                                                          \
        }                                                                     \
    } while (0)

int LLVMFuzzerTestOneInput(const unsigned char *p, size_t n);

#endif
