
/* Bytes that grow, and the few ways in which the swarm fills them. */

#ifndef SWARM_BUF_H
#define SWARM_BUF_H

#include <stddef.h>
#include <stdint.h>


typedef struct {
    char    *p;
    size_t   len;
    size_t   cap;
} buf_t;

/* a piece of somebody else's bytes */
typedef struct {
    const char  *p;
    size_t       len;
} str_t;

#define str_lit(s)  { s, sizeof(s) - 1 }


void *mem_alloc(size_t n);                  /* zeroed; never NULL */
void *mem_grow(void *p, size_t n);          /* never NULL */
char *mem_copy(const char *p, size_t n);    /* with a NUL behind it */

void buf_room(buf_t *b, size_t n);          /* for n more bytes */
void buf_add(buf_t *b, const void *p, size_t n);
void buf_text(buf_t *b, const char *s);
void buf_number(buf_t *b, uint64_t n);
void buf_format(buf_t *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void buf_escaped(buf_t *b, const char *p, size_t n);    /* as XML text */
void buf_free(buf_t *b);

#define buf_lit(b, s)  buf_add(b, s, sizeof(s) - 1)

int str_is(str_t s, const char *text);
int str_is_nocase(str_t s, const char *text);
int str_listed(str_t list, str_t word);      /* with commas */
str_t str_trim(str_t s);
str_t str_of(const char *text);

void die(const char *format, ...)
    __attribute__((format(printf, 1, 2), noreturn));

#endif
