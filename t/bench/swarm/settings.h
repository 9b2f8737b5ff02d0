
/* What the command line says: the one global of the program. */

#ifndef SWARM_SETTINGS_H
#define SWARM_SETTINGS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>


enum { CONNECT_KEEP, CONNECT_SESSION, CONNECT_POST };
enum { ARRIVE_CLOSED, ARRIVE_CONSTANT, ARRIVE_POISSON, ARRIVE_STORM,
       ARRIVE_IDLE };

#define URLS_MAX  16

typedef struct {
    struct sockaddr_storage   addr;
    socklen_t                 len;
} source_t;

typedef struct {
    const char   *urls[URLS_MAX];   /* POSTs go to each in turn */
    unsigned      urls_n;

    /* who */
    uint64_t      cpes;
    uint64_t      first;            /* number of the first CPE */
    const char   *manufacturer;
    const char   *oui;
    const char   *product_class;
    const char   *serial;
    const char   *user;
    const char   *password;
    const char   *credentials;
    int           basic;            /* unasked */

    /* what they have and tell */
    const char   *model;
    const char   *model_file;
    uint64_t      parameters;
    uint64_t      inform;
    const char   *events;
    const char   *first_events;
    const char   *ns;
    const char   *versions;
    uint64_t      session_timeout;
    double        delay;            /* of transfers, reboots */
    uint64_t      transfer_fault;

    /* when */
    int           arrive;
    uint64_t      closed;
    double        rate;
    double        storm;
    uint64_t      idle;
    uint64_t      sessions;
    double        duration;
    double        timeout;
    int           retry;
    double        retry_min;
    double        retry_multiplier;
    uint64_t      seed;
    uint64_t      connections;      /* at most, by the limit of files */

    /* how */
    int           connect;
    const char   *tls_ca;
    int           tls_resume;
    int           tls_max;
    const char   *listen;
    const char   *listen_url;
    const char   *listen_user;
    const char   *listen_password;
    source_t     *sources;
    unsigned      sources_n;

    /* what is said */
    int           verify;
    uint64_t      tolerate;
    const char   *json;
    const char   *journal;
    int           quiet;
    int           print_ids;
} settings_t;


extern settings_t  settings;

#endif
