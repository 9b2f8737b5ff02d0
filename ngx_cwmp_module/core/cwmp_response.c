
/*
 * The head is gathered, then its lines are taken one by one, unfolded in
 * place.  Nobody reads the body: it is counted, so that the connection can be
 * used again, where its length is said and small.
 */

#include <string.h>
#include <strings.h>

#include "cwmp_response.h"




static cwmp_rc_t cwmp_response_head(cwmp_response_t *r);
static cwmp_rc_t cwmp_response_status(cwmp_response_t *r, cwmp_str_t *line);
static int cwmp_response_line(unsigned char **p, unsigned char *end,
    cwmp_str_t *line);
static void cwmp_response_header(cwmp_response_t *r, cwmp_str_t *line);
static void cwmp_response_connection(cwmp_response_t *r, cwmp_str_t *value);
static void cwmp_response_length(cwmp_response_t *r, cwmp_str_t *value);
static void cwmp_response_encoding(cwmp_response_t *r, cwmp_str_t *value);
static void cwmp_response_retry(cwmp_response_t *r, cwmp_str_t *value);
static void cwmp_response_authenticate(cwmp_response_t *r, cwmp_str_t *value);
static int cwmp_response_number(const cwmp_str_t *value, size_t most,
    size_t *number);


#define CWMP_RESPONSE_UNKNOWN  ((size_t) -1)


static const struct {
    const char    *name;
    void         (*handler)(cwmp_response_t *r, cwmp_str_t *value);
} cwmp_response_headers[] = {
    { "Connection", cwmp_response_connection },
    { "Content-Length", cwmp_response_length },
    { "Transfer-Encoding", cwmp_response_encoding },
    { "Retry-After", cwmp_response_retry },
    { "WWW-Authenticate", cwmp_response_authenticate }
};


void
cwmp_response_init(cwmp_response_t *r)
{
    memset(r, 0, offsetof(cwmp_response_t, head));
}


cwmp_rc_t
cwmp_response_feed(cwmp_response_t *r, const unsigned char *p, size_t n)
{
    const unsigned char  *end;

    if (r->reason) {
        return CWMP_REFUSED;
    }

    for (end = p + n; p < end && !r->headed; p++) {

        if (r->len == CWMP_RESPONSE_HEAD) {
            r->reason = "a head of over 8192 bytes";
            return CWMP_REFUSED;
        }

        r->head[r->len++] = *p;

        if (*p == '\n' && !r->line && r->status == 0
            && cwmp_response_head(r) != CWMP_OK)
        {
            return CWMP_REFUSED;
        }

        r->line = (*p == '\n') ? 0 : r->line || *p != '\r';
    }

    if (!r->headed) {
        return CWMP_OK;
    }

    n = end - p;

    if (n > r->rest) {
        r->reusable = 0;
        n = r->rest;
    }

    r->rest -= n;
    r->complete = r->rest == 0 || !r->reusable;

    return CWMP_OK;
}


cwmp_rc_t
cwmp_response_end(cwmp_response_t *r)
{
    if (r->reason) {
        return CWMP_REFUSED;
    }

    /* some close behind the last header, without an empty line */

    if (!r->headed && (cwmp_response_head(r) != CWMP_OK || !r->headed)) {
        r->reason = "no HTTP response";
        return CWMP_REFUSED;
    }

    r->reusable = 0;
    r->complete = 1;

    return CWMP_OK;
}


/* an empty line: a whole head, or the blank lines that some send before it */

static cwmp_rc_t
cwmp_response_head(cwmp_response_t *r)
{
    cwmp_rc_t       rc;
    cwmp_str_t      line;
    unsigned char  *p, *end;

    p = r->head;
    end = p + r->len;

    while (p < end && (*p == '\r' || *p == '\n')) {
        p++;
    }

    if (p == end) {
        return CWMP_OK;
    }

    cwmp_response_line(&p, end, &line);

    rc = cwmp_response_status(r, &line);
    if (rc != CWMP_OK) {
        return rc;
    }

    if (r->status < 200) {
        r->status = 0;
        r->len = 0;
        return CWMP_OK;
    }

    r->headed = 1;

    while (cwmp_response_line(&p, end, &line)) {
        cwmp_response_header(r, &line);
    }

    if (r->status == 204 || r->status == 304) {
        r->rest = 0;
    }

    if (r->encoded || r->rest > CWMP_RESPONSE_BODY) {
        r->reusable = 0;
    }

    return CWMP_OK;
}


/* "HTTP/1.1 401 Unauthorized": until the headers say more, what 1.1 means */

static cwmp_rc_t
cwmp_response_status(cwmp_response_t *r, cwmp_str_t *line)
{
    const unsigned char  *p, *end;

    p = line->data;
    end = p + line->len;

    if (line->len < 12 || memcmp(p, "HTTP/1.", 7) != 0
        || p[7] < '0' || p[7] > '9' || p[8] != ' ')
    {
        r->reason = "no HTTP/1.x status line";
        return CWMP_REFUSED;
    }

    r->reusable = p[7] != '0';
    r->rest = CWMP_RESPONSE_UNKNOWN;

    for (p += 9; p < end && *p == ' '; p++) { /* void */ }

    if (end - p < 3 || p[0] < '1' || p[0] > '5' || p[1] < '0' || p[1] > '9'
        || p[2] < '0' || p[2] > '9' || (end - p > 3 && p[3] != ' '))
    {
        r->reason = "no status of 100 to 599";
        return CWMP_REFUSED;
    }

    r->status = (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');

    return CWMP_OK;
}


/* The next line, without its end; what is folded below it becomes blanks. */

static int
cwmp_response_line(unsigned char **p, unsigned char *end, cwmp_str_t *line)
{
    unsigned char  *lf;

    line->data = *p;

    for ( ;; ) {
        lf = memchr(*p, '\n', end - *p);

        if (lf == NULL) {
            line->len = end - line->data;
            *p = end;
            break;
        }

        line->len = lf - line->data;
        *p = lf + 1;

        if (*p == end || ((*p)[0] != ' ' && (*p)[0] != '\t')) {
            break;
        }

        *lf = ' ';

        if (lf > line->data && lf[-1] == '\r') {
            lf[-1] = ' ';
        }
    }

    while (line->len && strchr("\r \t", line->data[line->len - 1])) {
        line->len--;
    }

    return line->len != 0;
}


static void
cwmp_response_header(cwmp_response_t *r, cwmp_str_t *line)
{
    size_t          i, n;
    cwmp_str_t      value;
    unsigned char  *p, *end;

    end = line->data + line->len;
    p = memchr(line->data, ':', line->len);

    if (p == NULL) {
        return;
    }

    n = p - line->data;

    for (p++; p < end && (*p == ' ' || *p == '\t'); p++) { /* void */ }

    value.data = p;
    value.len = end - p;

    for (i = 0; i < sizeof(cwmp_response_headers)
                    / sizeof(cwmp_response_headers[0]); i++)
    {
        if (strlen(cwmp_response_headers[i].name) == n
            && strncasecmp(cwmp_response_headers[i].name,
                           (char *) line->data, n) == 0)
        {
            cwmp_response_headers[i].handler(r, &value);
        }
    }
}


static void
cwmp_response_connection(cwmp_response_t *r, cwmp_str_t *value)
{
    if (value->len == 10
        && strncasecmp((char *) value->data, "keep-alive", 10) == 0)
    {
        r->reusable = 1;
        return;
    }

    r->reusable = 0;
}


static void
cwmp_response_length(cwmp_response_t *r, cwmp_str_t *value)
{
    if (!cwmp_response_number(value, CWMP_RESPONSE_BODY + 1, &r->rest)) {
        r->rest = CWMP_RESPONSE_UNKNOWN;
    }
}


/* who decodes a body that nobody reads?  It ends with the connection. */

static void
cwmp_response_encoding(cwmp_response_t *r, cwmp_str_t *value)
{
    (void) value;

    r->encoded = 1;
}


static void
cwmp_response_retry(cwmp_response_t *r, cwmp_str_t *value)
{
    size_t  seconds;

    if (cwmp_response_number(value, 86400, &seconds)) {
        r->retry_after = seconds;
    }
}


/*
 * Challenges are separated by commas, as their parameters are: a word with a
 * blank but no '=' behind it begins one.  The first Digest counts, up to the
 * next challenge.
 */

static void
cwmp_response_authenticate(cwmp_response_t *r, cwmp_str_t *value)
{
    int             quoted, ours;
    unsigned char  *p, *end, *word, *after;

    end = value->data + value->len;
    ours = 0;

    for (p = value->data; p < end; /* void */ ) {

        while (p < end && strchr(" \t,", *p) && *p) {
            p++;
        }

        for (word = p; p < end && !strchr(" \t,=", *p); p++) { /* void */ }
        for (after = p; after < end && (*after == ' ' || *after == '\t');
             after++) { /* void */ }

        if (after == end || (*after != '=' && after > p)) {

            if (ours) {
                r->digest.len = word - r->digest.data;
                ours = 0;
            }

            if (p - word == 6 && strncasecmp((char *) word, "Digest", 6) == 0
                && r->digest.data == NULL)
            {
                r->digest.data = after;
                r->digest.len = end - after;
                ours = 1;
            }

            if (p - word == 5 && strncasecmp((char *) word, "Basic", 5) == 0) {
                r->basic = 1;
            }

            p = after;
            continue;
        }

        for (quoted = 0; p < end && (quoted || *p != ','); p++) {

            if (*p == '\\' && quoted && p + 1 < end) {
                p++;

            } else if (*p == '"') {
                quoted = !quoted;
            }
        }
    }
}


static int
cwmp_response_number(const cwmp_str_t *value, size_t most, size_t *number)
{
    size_t  i, n;

    for (i = 0, n = 0; i < value->len; i++) {

        if (value->data[i] < '0' || value->data[i] > '9') {
            return 0;
        }

        n = n * 10 + (value->data[i] - '0');

        if (n > most) {
            n = most;
        }
    }

    *number = n;

    return i != 0;
}
