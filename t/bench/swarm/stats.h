
/* What happened, in numbers. */

#ifndef SWARM_STATS_H
#define SWARM_STATS_H

#include "hist.h"
#include "net.h"


#define STATS_KINDS   64
#define STATS_NOTES   64
#define STATS_STATUS  600

typedef struct {
    const char  *name;
    hist_t      *times;             /* NULL: never sent */
} stats_kind_t;

typedef struct {
    char       *text;
    uint64_t    n;
} stats_note_t;

typedef struct {
    uint64_t       began;           /* ns */
    uint64_t       ended;
    uint64_t       started;         /* sessions */
    uint64_t       done;
    uint64_t       retries;
    uint64_t       late;            /* due while every CPE was busy */
    uint64_t       held;            /* begun later than they were due */
    uint64_t       behind;          /* ns, the latest of them */
    int            full;            /* had no file for another connection */
    uint64_t       posts;
    uint64_t       connects;
    uint64_t       challenges;      /* 401 that were answered */
    uint64_t       redirects;
    uint64_t       resent;          /* POSTs, after a lost connection */
    uint64_t       requests;        /* RPCs of the ACS */
    uint64_t       faults;          /* with which they were answered */
    uint64_t       asked;           /* connection requests */
    uint64_t       failed[FAIL_COUNT];
    uint64_t       status[STATS_STATUS];
    stats_kind_t   kinds[STATS_KINDS];
    unsigned       kinds_n;
    hist_t         session;         /* whole sessions */
    stats_note_t   notes[STATS_NOTES];
    unsigned       notes_n;
} stats_t;


extern stats_t  stats;

int stats_kind(const char *name);
void stats_post(int kind, uint64_t ns);
void stats_note(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
uint64_t stats_failed(void);
const char *stats_fail_name(fail_t why);

void stats_progress(size_t busy);
void stats_text(void);
void stats_json(const char *file);

#endif
