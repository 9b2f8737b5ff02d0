
/*
 * The command line.  The table says what each option does to settings, and is
 * what --help prints: to add an option, add its row.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "options.h"
#include "settings.h"


typedef enum { HEADING, COUNT, REAL, TEXT, SET, CHOICE, CALL } option_kind_t;

typedef struct {
    const char     *name;
    const char     *value;          /* what is expected; of a CHOICE: which */
    const char     *help;
    option_kind_t   kind;
    void           *to;
    int             set;            /* of SET; of COUNT and REAL: arrive + 1 */
    void          (*call)(const char *value);
} option_t;


static void option_help(const char *value);
static void option_sources(const char *value);
static void option_tls_max(const char *value);


settings_t  settings = {
    .cpes = 1000, .first = 1, .manufacturer = "Acme", .oui = "00D09E",
    .product_class = "Swarm", .serial = "{n8}", .user = "",
    .password = "", .model = "tr181", .parameters = 100, .inform = 8,
    .events = "2 PERIODIC", .first_events = "",
    .ns = "urn:dslforum-org:cwmp-1-2", .delay = 1, .closed = 16,
    .timeout = 30, .retry_min = 5, .retry_multiplier = 2000, .seed = 1,
    .connect = CONNECT_SESSION
};

static const option_t  options[] = {
    { "Who", NULL, NULL, HEADING, NULL, 0, NULL },
    { "cpes", "N", "that many CPEs (1000)", COUNT, &settings.cpes, 0, NULL },
    { "first", "N", "number of the first one (1)", COUNT, &settings.first, 0,
      NULL },
    { "manufacturer", "NAME", "(Acme)", TEXT, &settings.manufacturer, 0,
      NULL },
    { "oui", "OUI", "(00D09E)", TEXT, &settings.oui, 0, NULL },
    { "class", "NAME", "ProductClass (Swarm); may be empty", TEXT,
      &settings.product_class, 0, NULL },
    { "serial", "TEMPLATE", "({n8}) {n} is the CPE's number, {n8} with zeros "
      "before it up to 8 digits", TEXT, &settings.serial, 0, NULL },
    { "user", "TEMPLATE", "answer digest challenges (basic ones, where there "
      "is no digest); also {oui}, {class}, {serial}, {id}", TEXT,
      &settings.user, 0, NULL },
    { "password", "TEMPLATE", "the same, for its password", TEXT,
      &settings.password, 0, NULL },
    { "credentials", "FILE", "user and password of each CPE, a line each, "
      "with a blank or a colon between", TEXT, &settings.credentials, 0,
      NULL },
    { "basic", NULL, "send basic credentials unasked", SET, &settings.basic,
      1, NULL },
    { "print-ids", NULL, "print the IDs (OUI-Class-Serial, escaped as CWMP "
      "does) and exit", SET, &settings.print_ids, 1, NULL },

    { "What they are", NULL, NULL, HEADING, NULL, 0, NULL },
    { "model", "tr181|tr098", "built-in data model (tr181)", TEXT,
      &settings.model, 0, NULL },
    { "parameters", "N", "of it, from 10 (100)", COUNT,
      &settings.parameters, 0, NULL },
    { "model-file", "FILE", "data model as CSV or TSV: path, writable, type, "
      "value; or with a line that names these columns", TEXT,
      &settings.model_file, 0, NULL },
    { "delay", "S", "until a reboot, a transfer and the like are told of (1)",
      REAL, &settings.delay, 0, NULL },
    { "transfer-fault", "CODE", "with which all transfers fail", COUNT,
      &settings.transfer_fault, 0, NULL },

    { "What they say", NULL, NULL, HEADING, NULL, 0, NULL },
    { "inform", "N", "parameters in the Inform (8)", COUNT, &settings.inform,
      0, NULL },
    { "events", "LIST", "of each Inform (\"2 PERIODIC\"), with commas", TEXT,
      &settings.events, 0, NULL },
    { "first-events", "LIST", "of a CPE's first one, such as \"0 BOOTSTRAP,"
      "1 BOOT\"", TEXT, &settings.first_events, 0, NULL },
    { "ns", "URN", "namespace (urn:dslforum-org:cwmp-1-2)", TEXT,
      &settings.ns, 0, NULL },
    { "versions", "LIST", "SupportedCWMPVersions, such as 1.0,1.4", TEXT,
      &settings.versions, 0, NULL },
    { "session-timeout", "S", "SessionTimeout of the Inform", COUNT,
      &settings.session_timeout, 0, NULL },

    { "When", NULL, NULL, HEADING, NULL, 0, NULL },
    { "closed", "K", "K sessions at the same time (16)", COUNT,
      &settings.closed, ARRIVE_CLOSED + 1, NULL },
    { "rate", "R", "R sessions begin each second, evenly", REAL,
      &settings.rate, ARRIVE_CONSTANT + 1, NULL },
    { "poisson", "R", "the same, at random", REAL, &settings.rate,
      ARRIVE_POISSON + 1, NULL },
    { "storm", "S", "each CPE has one session, begun within S seconds; who is "
      "refused tries again as CWMP says, until all are served", REAL,
      &settings.storm, ARRIVE_STORM + 1, NULL },
    { "idle", "N", "N CPEs have one session and keep their connections, idle, "
      "until SIGINT or --duration", COUNT, &settings.idle, ARRIVE_IDLE + 1,
      NULL },
    { "sessions", "N", "that many, then end", COUNT, &settings.sessions, 0,
      NULL },
    { "duration", "S", "begin no more after that (10, if nothing else ends "
      "it)", REAL, &settings.duration, 0, NULL },
    { "timeout", "S", "for an answer, and to connect (30)", REAL,
      &settings.timeout, 0, NULL },
    { "retry", NULL, "try again after a failure, as in a storm", SET,
      &settings.retry, 1, NULL },
    { "retry-min", "S", "CWMPRetryMinimumWaitInterval (5)", REAL,
      &settings.retry_min, 0, NULL },
    { "retry-multiplier", "K", "CWMPRetryIntervalMultiplier (2000)", REAL,
      &settings.retry_multiplier, 0, NULL },
    { "seed", "N", "of what is random (1)", COUNT, &settings.seed, 0, NULL },

    { "How", NULL, NULL, HEADING, NULL, 0, NULL },
    { "connection", "keep", "connections are used for session after session, "
      "of any CPE", CHOICE, &settings.connect, CONNECT_KEEP, NULL },
    { "connection", "session", "a connection for each session (this is "
      "usual)", CHOICE, &settings.connect, CONNECT_SESSION, NULL },
    { "connection", "post", "a connection for each POST", CHOICE,
      &settings.connect, CONNECT_POST, NULL },
    { "tls-resume", NULL, "resume TLS sessions; else each handshake is full",
      SET, &settings.tls_resume, 1, NULL },
    { "tls-max", "VERSION", "1.2 or 1.3", CALL, NULL, 0, option_tls_max },
    { "tls-ca", "FILE", "check the ACS' certificate against these", TEXT,
      &settings.tls_ca, 0, NULL },
    { "source", "LIST", "local addresses to connect from, in turn", CALL,
      NULL, 0, option_sources },
    { "listen", "ADDRESS:PORT", "take connection requests there", TEXT,
      &settings.listen, 0, NULL },
    { "listen-url", "URL", "as which it is told to the ACS; /N follows, the "
      "CPE's number", TEXT, &settings.listen_url, 0, NULL },
    { "listen-user", "TEMPLATE", "digest credentials for it", TEXT,
      &settings.listen_user, 0, NULL },
    { "listen-password", "TEMPLATE", "and its password", TEXT,
      &settings.listen_password, 0, NULL },

    { "What is told", NULL, NULL, HEADING, NULL, 0, NULL },
    { "verify", NULL, "check each reply against the rules of CWMP", SET,
      &settings.verify, 1, NULL },
    { "tolerate", "N", "exit with 0 if at most N sessions failed (0)", COUNT,
      &settings.tolerate, 0, NULL },
    { "json", "FILE", "write the result there as well; -: only this, to "
      "stdout", TEXT, &settings.json, 0, NULL },
    { "journal", "FILE", "a line for each RPC that a CPE carried out: number "
      "of the CPE, method, key, fault or 0", TEXT, &settings.journal, 0, NULL },
    { "quiet", NULL, "no line each second", SET, &settings.quiet, 1, NULL },
    { "help", NULL, "this", CALL, NULL, 0, option_help }
};

#define OPTIONS  (sizeof(options) / sizeof(options[0]))


/* --- --help -------------------------------------------------------------- */

static void
help_wrap(const char *text)
{
    size_t       column = 25, n;
    const char  *p = text;

    while (*p) {
        n = strcspn(p, " ");

        if (column + n > 77) {
            printf("\n%24s", "");
            column = 25;
        }

        printf(" %.*s", (int) n, p);
        column += n + 1;
        p += n;
        p += *p == ' ';
    }

    printf("\n");
}


static void
option_help(const char *value)
{
    size_t           i;
    char             name[64];
    const option_t  *o;

    (void) value;

    printf("usage: swarm [options] URL...\n\n"
           "Simulated CPEs against an ACS, by CWMP (TR-069) at http:// or "
           "https:// URL.\nPOSTs go to several URLs in turn.\n"
           "The exit status is 0 if no session failed, 1 if one did, 2 for "
           "an error.\n");

    for (i = 0; i < OPTIONS; i++) {
        o = &options[i];

        if (o->kind == HEADING) {
            printf("\n%s\n", o->name);
            continue;
        }

        snprintf(name, sizeof(name), "--%s%s%s", o->name,
                 o->value ? " " : "", o->value ? o->value : "");
        printf("  %-21s", name);

        if (strlen(name) > 21) {
            printf("\n%23s", "");
        }

        printf(" ");
        help_wrap(o->help);
    }

    exit(0);
}


/* --- values -------------------------------------------------------------- */

static void
option_tls_max(const char *value)
{
    if (strcmp(value, "1.2") == 0) {
        settings.tls_max = 0x0303;

    } else if (strcmp(value, "1.3") == 0) {
        settings.tls_max = 0x0304;

    } else {
        die("--tls-max %s: it can be 1.2 or 1.3", value);
    }
}


static void
option_source(const char *p, size_t n)
{
    char                  text[64];
    source_t             *s;
    struct sockaddr_in   *v4;
    struct sockaddr_in6  *v6;

    snprintf(text, sizeof(text), "%.*s", (int) n, p);

    settings.sources = mem_grow(settings.sources, (settings.sources_n + 1)
                                                  * sizeof(source_t));
    s = &settings.sources[settings.sources_n++];
    memset(s, 0, sizeof(source_t));
    v4 = (struct sockaddr_in *) &s->addr;
    v6 = (struct sockaddr_in6 *) &s->addr;

    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        s->addr.ss_family = AF_INET;
        s->len = sizeof(struct sockaddr_in);

    } else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        s->addr.ss_family = AF_INET6;
        s->len = sizeof(struct sockaddr_in6);

    } else {
        die("--source %s: not an address", text);
    }
}


static void
option_sources(const char *value)
{
    size_t  n;

    while (*value) {
        n = strcspn(value, ",");
        option_source(value, n);
        value += n;
        value += *value == ',';
    }
}


static double
option_number(const char *name, const char *value)
{
    char    *end;
    double   n;

    errno = 0;
    n = strtod(value, &end);

    if (errno || end == value || *end || n < 0 || n > 1e15) {
        die("--%s %s: not a number", name, value);
    }

    return n;
}


static void
option_apply(const option_t *o, const char *value)
{
    double  n;

    if (o->kind == COUNT || o->kind == REAL) {
        n = option_number(o->name, value);

        if (o->kind == REAL) {
            *(double *) o->to = n;

        } else if (n == (double) (uint64_t) n) {
            *(uint64_t *) o->to = (uint64_t) n;

        } else {
            die("--%s %s: not a whole number", o->name, value);
        }

        settings.arrive = o->set ? o->set - 1 : settings.arrive;

    } else if (o->kind == TEXT) {
        *(const char **) o->to = value;

    } else if (o->kind == CALL) {
        o->call(value);

    } else {
        *(int *) o->to = o->set;
    }
}


/* The row of an option; of a choice the one with this value. */

static const option_t *
option_find(const char *name, size_t n, const char *value)
{
    int     known = 0;
    size_t  i;

    for (i = 0; i < OPTIONS; i++) {
        const option_t  *o = &options[i];

        if (o->kind == HEADING || strlen(o->name) != n
            || memcmp(o->name, name, n) != 0)
        {
            continue;
        }

        if (o->kind != CHOICE || (value && strcmp(value, o->value) == 0)) {
            return o;
        }

        known = 1;
    }

    if (known) {
        die("--%.*s cannot be \"%s\"; see --help", (int) n, name,
            value ? value : "");
    }

    die("unknown option --%.*s; see --help", (int) n, name);
}


static void
option_defaults(void)
{
    if (settings.urls_n == 0 && !settings.print_ids) {
        die("a URL is needed; see --help");
    }

    if (settings.arrive == ARRIVE_IDLE) {
        settings.cpes = settings.idle;
        settings.connect = CONNECT_KEEP;
        settings.storm = (double) settings.idle / 1000;
    }

    if (settings.arrive >= ARRIVE_STORM) {
        settings.sessions = 0;          /* each CPE has one */
    }

    if (settings.arrive == ARRIVE_STORM) {
        settings.retry = 1;

    } else if (settings.arrive != ARRIVE_IDLE && settings.sessions == 0
               && settings.duration == 0)
    {
        settings.duration = 10;
    }

    if (settings.listen_user && settings.listen_password == NULL) {
        settings.listen_password = "";
    }
}


static void
option_bounds(void)
{
    if (settings.cpes == 0 || settings.cpes > 100000000
        || settings.parameters < 10 || settings.parameters > 1000000
        || settings.inform > 10000 || settings.closed == 0
        || settings.first + settings.cpes > 4000000000ull)
    {
        die("a number is out of bounds: 1 to 100,000,000 CPEs, 10 to "
            "1,000,000 parameters, 10,000 of them in an Inform, 1 session "
            "or more at a time");
    }

    if ((settings.arrive == ARRIVE_CONSTANT
         || settings.arrive == ARRIVE_POISSON)
        && (settings.rate <= 0 || settings.rate > 1e6))
    {
        die("a rate is above 0, and at most 1,000,000 sessions a second");
    }
}


void
options_read(int argc, char **argv)
{
    int               i;
    size_t            n;
    const char       *name, *value;
    const option_t   *o;

    for (i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) != 0) {
            if (settings.urls_n == URLS_MAX) {
                die("more than %d URLs: %s", URLS_MAX, argv[i]);
            }

            settings.urls[settings.urls_n++] = argv[i];
            continue;
        }

        name = argv[i] + 2;
        n = strcspn(name, "=");
        value = name[n] ? name + n + 1 : i + 1 < argc ? argv[i + 1] : NULL;
        o = option_find(name, n, value);

        if (o->value && value == NULL) {
            die("--%s needs a value", o->name);
        }

        i += o->value && name[n] == '\0';
        option_apply(o, value);
    }

    option_defaults();
    option_bounds();
}
