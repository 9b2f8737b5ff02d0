
/* What a CPE has to tell of: events, and ends of what it was asked to do. */

#ifndef SWARM_TODO_H
#define SWARM_TODO_H

#include "cpe.h"


typedef enum {
    TODO_RESET,
    TODO_REBOOT,
    TODO_SCHEDULED,
    TODO_CONNECTION,
    TODO_DOWNLOAD,
    TODO_SCHEDULED_DOWNLOAD,
    TODO_UPLOAD,
    TODO_UNITS,
    TODO_KINDS
} todo_kind_t;

typedef struct todo_s  todo_t;

struct todo_s {
    todo_kind_t   kind;
    unsigned      told:1;           /* in this session's Inform */
    unsigned      tried:1;          /* its request, in this session */
    uint64_t      due;              /* ns; done then */
    char         *key;              /* CommandKey */
    char         *data;             /* file's type, or results, as XML */
    todo_t       *next;
};


todo_t *todo_add(cpe_t *cpe, todo_kind_t kind, str_t key, double seconds);
void todo_clear(cpe_t *cpe);

int todo_is_transfer(const todo_t *t);
unsigned todo_transfers(cpe_t *cpe);
unsigned todo_cancel(cpe_t *cpe, str_t key);        /* a fault, or 0 */

/* an Inform's events; what was told of is delivered by its response */
void todo_events(buf_t *b, cpe_t *cpe);
void todo_delivered(cpe_t *cpe);
void todo_undelivered(cpe_t *cpe);

/* the next request of the session, written; NULL: none */
todo_t *todo_request(cpe_t *cpe);
const char *todo_method(const todo_t *t);
void todo_write(buf_t *b, const todo_t *t);
void todo_done(cpe_t *cpe, todo_t *t);

uint64_t todo_next(const cpe_t *cpe);       /* when the first is due; 0 */
size_t todo_waiting(void);          /* of all CPEs, that will begin sessions */

#endif
