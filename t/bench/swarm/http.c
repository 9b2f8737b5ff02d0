
/*
 * Reads HTTP responses, tolerantly: the headers that matter, a body by length,
 * in chunks or until the connection ends.  A response is looked at from its
 * beginning whenever more of it has come; most come at once.  What it makes of
 * them are pieces of the buffer it was given.
 */

#define _GNU_SOURCE

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http.h"


#define HTTP_HEAD_MAX  65536


static void http_header_length(http_response_t *r, str_t value);
static void http_header_encoding(http_response_t *r, str_t value);
static void http_header_connection(http_response_t *r, str_t value);
static void http_header_type(http_response_t *r, str_t value);
static void http_header_location(http_response_t *r, str_t value);
static void http_header_cookie(http_response_t *r, str_t value);
static void http_header_challenge(http_response_t *r, str_t value);


static const struct {
    const char  *name;
    void       (*take)(http_response_t *r, str_t value);
} http_headers[] = {
    { "content-length", http_header_length },
    { "transfer-encoding", http_header_encoding },
    { "connection", http_header_connection },
    { "content-type", http_header_type },
    { "location", http_header_location },
    { "set-cookie", http_header_cookie },
    { "www-authenticate", http_header_challenge }
};


static void
http_header_length(http_response_t *r, str_t value)
{
    r->has_length = 1;
    r->length = value.len && isdigit((unsigned char) value.p[0])
                ? strtoul(value.p, NULL, 10) : 0;
}


static void
http_header_encoding(http_response_t *r, str_t value)
{
    r->chunked = value.len >= 7
                 && strncasecmp(value.p + value.len - 7, "chunked", 7) == 0;
}


static void
http_header_connection(http_response_t *r, str_t value)
{
    if (str_is_nocase(value, "close")) {
        r->close = 1;

    } else if (str_is_nocase(value, "keep-alive")) {
        r->close = 0;
    }
}


static void
http_header_type(http_response_t *r, str_t value)
{
    r->type = value;
}


static void
http_header_location(http_response_t *r, str_t value)
{
    r->location = value;
}


static void
http_header_cookie(http_response_t *r, str_t value)
{
    if (r->cookies_n < HTTP_REPEATED) {
        r->cookies[r->cookies_n++] = value;
    }
}


static void
http_header_challenge(http_response_t *r, str_t value)
{
    if (r->challenges_n < HTTP_REPEATED) {
        r->challenges[r->challenges_n++] = value;
    }
}


static void
http_header(http_response_t *r, const char *line, size_t n)
{
    size_t       i;
    str_t        name, value;
    const char  *colon = memchr(line, ':', n);

    if (colon == NULL) {
        return;
    }

    name.p = line;
    name.len = (size_t) (colon - line);
    value.p = colon + 1;
    value.len = n - name.len - 1;

    for (i = 0; i < sizeof(http_headers) / sizeof(http_headers[0]); i++) {
        if (str_is_nocase(name, http_headers[i].name)) {
            http_headers[i].take(r, str_trim(value));
            return;
        }
    }
}


static int
http_bad(http_response_t *r, const char *what)
{
    r->type = str_of(what);
    return -1;
}


/* Status line and headers, up to and with the empty line. */

static int
http_head(http_response_t *r, char *p, size_t n)
{
    char   *end = memmem(p, n, "\r\n\r\n", 4), *line, *eol;

    if (end == NULL) {
        return n > HTTP_HEAD_MAX ? http_bad(r, "a head without end") : 0;
    }

    if (n < 12 || memcmp(p, "HTTP/1.", 7) != 0 || p[8] != ' '
        || !isdigit((unsigned char) p[9]))
    {
        return http_bad(r, "not HTTP/1");
    }

    r->status = atoi(p + 9);
    r->close = p[7] == '0';
    eol = memmem(p, n, "\r\n", 2);

    while (eol < end) {
        line = eol + 2;
        eol = memmem(line, (size_t) (end + 2 - line), "\r\n", 2);
        http_header(r, line, (size_t) (eol - line));
    }

    r->used = (size_t) (end - p) + 4;
    return 1;
}


/* Of the chunk that begins with the line: where its bytes are; 0 as below. */

static int
http_chunk(http_response_t *r, char *line, char *end, char **data,
    size_t *size)
{
    char  *eol = memmem(line, (size_t) (end - line), "\r\n", 2);

    if (eol == NULL) {
        return 0;
    }

    if (!isxdigit((unsigned char) *line)) {
        return http_bad(r, "a chunk without size");
    }

    *size = strtoul(line, NULL, 16);
    *data = eol + 2;

    return *size == 0
           || ((size_t) (end - eol) > *size
               && (size_t) (end - eol) - *size >= 4);
}


/* What follows the last chunk: lines, and an empty one. */

static char *
http_trailer(char *p, char *end)
{
    char  *eol;

    for ( ;; ) {
        eol = memmem(p, (size_t) (end - p), "\r\n", 2);

        if (eol == NULL || eol == p) {
            return eol ? eol + 2 : NULL;
        }

        p = eol + 2;
    }
}


/*
 * First only measures: the chunks are moved together, over their sizes, once
 * all of them are here.
 */

static int
http_chunks(http_response_t *r, char *p, size_t n, int join)
{
    int      rc;
    char    *at = p, *data, *to = p, *end = p + n;
    size_t   size;

    for ( ;; ) {
        rc = http_chunk(r, at, end, &data, &size);

        if (rc != 1) {
            return rc;
        }

        if (size == 0) {
            break;
        }

        if (join) {
            memmove(to, data, size);
        }

        to += size;
        at = data + size + 2;
    }

    end = http_trailer(data, end);
    r->body_len = (size_t) (to - p);
    r->used += end ? (size_t) (end - p) : 0;
    return end != NULL;
}


/* 1xx come before the answer. */

static int
http_heads(http_response_t *r, char *p, size_t n)
{
    int     rc;
    size_t  skip = 0;

    do {
        memset(r, 0, sizeof(http_response_t));
        rc = http_head(r, p + skip, n - skip);

        if (rc != 1) {
            return rc;
        }

        r->used += skip;
        skip = r->used;
    } while (r->status / 100 == 1);

    return 1;
}


int
http_parse(http_response_t *r, char *p, size_t n, int eof)
{
    int     rc = http_heads(r, p, n);
    size_t  skip = r->used;

    if (rc != 1) {
        return rc;
    }

    r->body = p + skip;

    if (r->status == 204 || r->status == 304) {
        return 1;
    }

    if (r->chunked) {
        rc = http_chunks(r, r->body, n - skip, 0);

        if (rc == 1) {
            r->used = skip;
            rc = http_chunks(r, r->body, n - skip, 1);
        }

        return rc;
    }

    if (!r->has_length) {
        r->close = 1;
        r->body_len = n - skip;
        r->used = n;
        return eof;
    }

    r->body_len = r->length;
    r->used = skip + r->length;
    return n - skip >= r->length;
}
