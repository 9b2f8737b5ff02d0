
/* HTTP authentication, digest and basic. */

#ifndef SWARM_AUTH_H
#define SWARM_AUTH_H

#include "buf.h"


typedef struct auth_s  auth_t;

struct auth_s {
    int         rank;               /* how good; 0: none that we know */
    int         algorithm;
    unsigned    qop:1;
    unsigned    stale:1;
    unsigned    basic:1;
    unsigned    nc;
    char        realm[128];
    char        nonce[256];
    char        opaque[256];
};


/* 1: the challenge is one that can be answered */
int auth_read(auth_t *a, str_t challenge);

/* the header Authorization of a POST; NULL: basic */
void auth_write(buf_t *out, auth_t *a, const buf_t *user,
    const buf_t *password, const char *uri);

/* whether an Authorization header of a GET is right, for our own nonce */
int auth_check(str_t header, const char *nonce, const char *user,
    const char *password);

#endif
