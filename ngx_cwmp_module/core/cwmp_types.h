/*
 * The few shapes that all of the sans-I/O code shares: a counted string with
 * ngx_str_t's layout, an arena that the caller owns, and return codes.  No
 * file below the nginx glue includes an nginx, hiredis or libc I/O header.
 */

#ifndef CWMP_TYPES_H
#define CWMP_TYPES_H

#include <stddef.h>
#include <stdint.h>


/* bytes, not NUL-terminated; the same layout as ngx_str_t */
typedef struct {
    size_t           len;
    unsigned char   *data;
} cwmp_str_t;

#define cwmp_string(s)  { sizeof(s) - 1, (unsigned char *) (s) }


/*
 * Where memory comes from: a pool in nginx, malloc'd blocks in tests.  Nothing
 * is freed one by one: all of it goes with the arena.  alloc returns memory
 * aligned for any type, or NULL.
 */
typedef struct {
    void          *(*alloc)(void *owner, size_t size);
    void            *owner;
} cwmp_arena_t;

#define cwmp_alloc(a, size)  (a)->alloc((a)->owner, size)


typedef enum {
    CWMP_OK = 0,
    CWMP_ERROR = -1,                /* out of memory: nothing else */
    CWMP_REFUSED = -2               /* the input is at fault; why is left */
} cwmp_rc_t;


/* CWMP namespaces; a number that goes into the session's record as it is */
typedef enum {
    CWMP_NS_1_0 = 0,
    CWMP_NS_1_1 = 1,
    CWMP_NS_1_2 = 2,
    CWMP_NS_1_3 = 3,                /* exists in the field only: mirrored */
    CWMP_NS_1_4 = 4
} cwmp_ns_t;

#define CWMP_NS_COUNT  5

#endif
