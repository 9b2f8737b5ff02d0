/*
 * What is counted: one row, one counter; ngx_http_cwmp_count(main conf, WHICH)
 * counts.  The rows of one name stand together; the first of them has its help.
 * To add a counter: its row.
 */

#ifndef NGX_HTTP_CWMP_METRICS_H
#define NGX_HTTP_CWMP_METRICS_H

#define NGX_HTTP_CWMP_METRICS(row)                                            \
    /*  WHICH          name, labels, help */                                  \
    row(PROVEN,        "cwmp_auth_posts_total", "",                           \
                       "POSTs that proved their user")                        \
    row(WRONG,         "cwmp_auth_refused_total", "reason=\"password\"",      \
                       "POSTs refused since they did not prove their user, "  \
                       "or not one that may do this")                         \
    row(UNUSABLE,      "cwmp_auth_refused_total", "reason=\"header\"", "")    \
    row(STALE,         "cwmp_auth_refused_total", "reason=\"stale\"", "")     \
    row(REPLAYED,      "cwmp_auth_refused_total", "reason=\"replayed\"", "")  \
    row(OTHER_DEVICE,  "cwmp_auth_refused_total", "reason=\"device\"", "")    \
    row(OTHER_SESSION, "cwmp_auth_refused_total", "reason=\"session\"", "")   \
    row(IDENTITY,      "cwmp_auth_refused_total", "reason=\"identity\"", "")  \
    row(FIRST_CONTACT, "cwmp_auth_refused_total", "reason=\"first\"", "")     \
    row(DELAYED,       "cwmp_auth_delayed_total", "",                         \
                       "Answers to wrong passwords that had to wait")         \
    row(NEW,           "cwmp_unknown_total", "result=\"accepted\"",           \
                       "Informs of devices that nobody announced: new ones, " \
                       "and those that were refused")                         \
    row(QUARANTINED,   "cwmp_unknown_total", "result=\"quarantined\"", "")    \
    row(OVER_RATE,     "cwmp_unknown_total", "result=\"over_rate\"", "")      \
    row(REFUSED,       "cwmp_unknown_total", "result=\"refused\"", "")        \
    row(DENIED,        "cwmp_unknown_total", "result=\"denied\"", "")


#define ngx_http_cwmp_metrics_which(which, name, labels, help)                \
    NGX_HTTP_CWMP_COUNT_##which,

typedef enum {
    NGX_HTTP_CWMP_METRICS(ngx_http_cwmp_metrics_which)
    NGX_HTTP_CWMP_COUNTS
} ngx_http_cwmp_count_e;

#endif
