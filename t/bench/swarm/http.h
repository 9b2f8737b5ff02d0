
/* HTTP/1.1 as a client of an ACS needs it. */

#ifndef SWARM_HTTP_H
#define SWARM_HTTP_H

#include "buf.h"


#define HTTP_REPEATED  8            /* Set-Cookie, WWW-Authenticate */

typedef struct {
    int        status;
    unsigned   close:1;
    unsigned   chunked:1;
    unsigned   has_length:1;
    size_t     length;
    size_t     used;                /* bytes of head and body */
    char      *body;                /* may be written to */
    size_t     body_len;
    str_t      type;
    str_t      location;
    str_t      cookies[HTTP_REPEATED];
    unsigned   cookies_n;
    str_t      challenges[HTTP_REPEATED];
    unsigned   challenges_n;
} http_response_t;

/* 1: whole, 0: more is needed, -1: not HTTP, and r->type says what is wrong */
int http_parse(http_response_t *r, char *p, size_t n, int eof);

#endif
