
/*
 * Bytes that grow.  Running out of memory ends the program: a load test with
 * holes in it is worth nothing.  Knows of no protocol but XML's five
 * characters that must be escaped.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "buf.h"


void
die(const char *format, ...)
{
    va_list  args;

    fputs("swarm: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(2);
}


void *
mem_alloc(size_t n)
{
    void  *p = calloc(1, n ? n : 1);

    if (p == NULL) {
        die("out of memory (%zu bytes more)", n);
    }

    return p;
}


void *
mem_grow(void *old, size_t n)
{
    void  *p = realloc(old, n);

    if (p == NULL) {
        die("out of memory (%zu bytes)", n);
    }

    return p;
}


char *
mem_copy(const char *s, size_t n)
{
    char  *p = mem_alloc(n + 1);

    if (n) {
        memcpy(p, s, n);
    }

    return p;
}


void
buf_room(buf_t *b, size_t n)
{
    size_t  cap = b->cap ? b->cap : 512;

    while (cap - b->len < n) {
        cap *= 2;
    }

    if (cap != b->cap) {
        b->p = mem_grow(b->p, cap);
        b->cap = cap;
    }
}


void
buf_add(buf_t *b, const void *p, size_t n)
{
    if (n == 0) {
        return;
    }

    buf_room(b, n);
    memcpy(b->p + b->len, p, n);
    b->len += n;
}


void
buf_text(buf_t *b, const char *s)
{
    buf_add(b, s, strlen(s));
}


void
buf_number(buf_t *b, uint64_t n)
{
    char     digits[20];
    size_t   i = sizeof(digits);

    do {
        digits[--i] = (char) ('0' + n % 10);
        n /= 10;
    } while (n);

    buf_add(b, digits + i, sizeof(digits) - i);
}


void
buf_format(buf_t *b, const char *format, ...)
{
    int      n;
    va_list  args;

    va_start(args, format);
    n = vsnprintf(NULL, 0, format, args);
    va_end(args);

    if (n < 0) {
        die("cannot format \"%s\"", format);
    }

    buf_room(b, (size_t) n + 1);

    va_start(args, format);
    vsnprintf(b->p + b->len, (size_t) n + 1, format, args);
    va_end(args);

    b->len += (size_t) n;
}


/* Characters that XML forbids become blanks: a CPE must not send them. */

void
buf_escaped(buf_t *b, const char *p, size_t n)
{
    size_t  i, plain = 0;

    static const struct { const char *text; size_t len; } as[256] = {
        ['&'] = { "&amp;", 5 }, ['<'] = { "&lt;", 4 }, ['>'] = { "&gt;", 4 },
        ['"'] = { "&quot;", 6 }, ['\r'] = { "&#13;", 5 },
        [1] = { " ", 1 }, [2] = { " ", 1 }, [3] = { " ", 1 }, [4] = { " ", 1 },
        [5] = { " ", 1 }, [6] = { " ", 1 }, [7] = { " ", 1 }, [8] = { " ", 1 },
        [11] = { " ", 1 }, [12] = { " ", 1 }, [27] = { " ", 1 }
    };

    if (n == 0) {
        return;
    }

    for (i = 0; i < n; i++) {
        unsigned char  c = (unsigned char) p[i];

        if (as[c].len) {
            buf_add(b, p + plain, i - plain);
            buf_add(b, as[c].text, as[c].len);
            plain = i + 1;
        }
    }

    buf_add(b, p + plain, n - plain);
}


void
buf_free(buf_t *b)
{
    free(b->p);
    memset(b, 0, sizeof(buf_t));
}


int
str_is(str_t s, const char *text)
{
    size_t  n = strlen(text);

    return s.len == n && memcmp(s.p, text, n) == 0;
}


int
str_is_nocase(str_t s, const char *text)
{
    size_t  n = strlen(text);

    return s.len == n && strncasecmp(s.p, text, n) == 0;
}


str_t
str_trim(str_t s)
{
    while (s.len && strchr(" \t\r\n", s.p[0])) {
        s.p++;
        s.len--;
    }

    while (s.len && strchr(" \t\r\n", s.p[s.len - 1])) {
        s.len--;
    }

    return s;
}


str_t
str_of(const char *text)
{
    str_t  s = { text, strlen(text) };

    return s;
}


/* Whether the list has it, with commas and blanks between. */

int
str_listed(str_t list, str_t word)
{
    str_t        s;
    const char  *comma;

    for ( ;; ) {
        comma = list.len ? memchr(list.p, ',', list.len) : NULL;
        s.p = list.p;
        s.len = comma ? (size_t) (comma - list.p) : list.len;
        s = str_trim(s);

        if (s.len == word.len && strncasecmp(s.p, word.p, s.len) == 0) {
            return 1;
        }

        if (comma == NULL) {
            return 0;
        }

        list.len -= (size_t) (comma + 1 - list.p);
        list.p = comma + 1;
    }
}
