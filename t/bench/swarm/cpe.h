
/* A CPE between its sessions, and in one. */

#ifndef SWARM_CPE_H
#define SWARM_CPE_H

#include "http.h"
#include "net.h"
#include "settings.h"
#include "stats.h"
#include "timer.h"
#include "xml.h"


typedef struct cpe_s      cpe_t;
typedef struct session_s  session_t;

struct cpe_s {
    uint32_t         number;
    uint8_t          retries;       /* sessions that failed since the last */
    unsigned         informed:1;    /* had a session before */
    unsigned         waiting:1;     /* for the time of the next attempt */
    unsigned         served:1;      /* storm: had its session */
    unsigned         held:1;        /* back, until there is a file for it */
    swarm_timer_t    timer;         /* of that */
    cpe_t           *next_held;     /* arrive.c */
    session_t       *session;       /* NULL: none now */
    struct todo_s   *todo;          /* todo.c: events, transfers */
    void            *own;           /* model.c: what differs of the model */
};

struct session_s {
    cpe_t           *cpe;
    conn_t          *conn;
    target_t        *target;
    swarm_timer_t    timer;         /* of the answer */
    uint64_t         began;
    uint64_t         sent;          /* when, the POST under way */
    int              kind;          /* of that POST */
    int              phase;
    unsigned         awaiting:1;    /* an answer */
    unsigned         authorized:1;  /* the POST had credentials */
    uint8_t          redirects;
    uint8_t          challenges;    /* of one POST */
    uint8_t          resends;
    uint8_t          again;         /* faults 8005 in a row */
    unsigned         hold:1;        /* the ACS said HoldRequests */
    unsigned         turn:1;        /* the ACS had its turn */
    fail_t           why;           /* failed, but goes on to its end */
    struct todo_s   *request;       /* what the POST tells */
    uint32_t         ids;
    struct auth_s   *auth;          /* what the ACS challenged with */
    buf_t            cookies;       /* as the header's value */
    buf_t            body;          /* of the POST under way */
    session_t       *next;          /* of those that are free */
};


/* what was sent last */
enum { PHASE_INFORM, PHASE_REQUEST, PHASE_EMPTY, PHASE_RESPONSE };


void cpe_init(void);
cpe_t *cpe_at(uint64_t i);
void cpe_begin(cpe_t *cpe);                 /* a session */
size_t cpe_busy_count(void);

#define AGAIN_MAX  4                /* times the same request after 8005 */

/* from exchange.c: an answer of 200 or 204; the end */
void cpe_answer(session_t *s, http_response_t *r);
void cpe_failed(session_t *s, fail_t why);

/* exchange.c */
void exchange_init(void);
void exchange_post(session_t *s, int kind); /* sends s->body */
void exchange_end(session_t *s);            /* lets the connection go */

#endif
