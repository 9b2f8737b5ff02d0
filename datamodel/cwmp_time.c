
/*
 * xsd:dateTime, from what people and CPEs write to UTC.  The calendar is
 * Gregorian, carried back to the year 1, and counted in 64 bits: time_t and
 * the C library's zones play no part, nor does the clock.  It knows nothing
 * of the other types, nor of parameters.
 */

#include <stdint.h>
#include <string.h>

#include "cwmp_time.h"


#define CWMP_MINUTES_A_DAY  1440
#define CWMP_FRACTION       10      /* a dot and nine digits of a second */


/* what is read and written */

typedef struct {
    const unsigned char  *p;
    const unsigned char  *end;
    unsigned char        *out;
} cwmp_time_text_t;


typedef struct {
    int64_t               year;
    int64_t               month;
    int64_t               day;
    int64_t               hour;
    int64_t               minute;
    int64_t               second;
    int64_t               offset;   /* minutes east of UTC */
    int                   zoned;
    size_t                nfraction;
    const unsigned char  *fraction; /* with its dot */
} cwmp_time_t;


static int cwmp_time_read(cwmp_time_text_t *v, cwmp_time_t *t);
static void cwmp_time_write(cwmp_time_text_t *v, cwmp_time_t *t);
static int cwmp_time_char(cwmp_time_text_t *v, const char *any);
static int cwmp_time_digits(cwmp_time_text_t *v, int n, int64_t *number);
static int cwmp_time_offset(cwmp_time_text_t *v, cwmp_time_t *t);
static int64_t cwmp_time_days(int64_t y, int64_t m, int64_t d);
static void cwmp_time_date(int64_t days, cwmp_time_t *t);
static void cwmp_time_put(cwmp_time_text_t *v, int64_t number, int n,
    int after);


/*
 * A time without a zone is taken as UTC, as CPEs without one mean it, except
 * before the year 1000: TR-106 makes that the time since boot, and it has no
 * zone in what is sent either.
 */

const char *
cwmp_time_canonical(const unsigned char *text, size_t len, unsigned char *out,
    size_t *outlen)
{
    int64_t           minutes;
    cwmp_time_t       t;
    cwmp_time_text_t  v;

    v.p = text;
    v.end = text + len;
    v.out = out;

    *outlen = 0;

    if (!cwmp_time_read(&v, &t)) {
        return "is not a dateTime: use 2026-01-31T12:00:00Z";
    }

    if (t.year < 1 || t.month < 1 || t.month > 12 || t.day < 1
        || t.day > cwmp_time_days(t.year, t.month + 1, 1)
                   - cwmp_time_days(t.year, t.month, 1)
        || t.hour > 23 || t.minute > 59 || t.second > 59)
    {
        return "is a dateTime that does not exist";
    }

    minutes = cwmp_time_days(t.year, t.month, t.day) * CWMP_MINUTES_A_DAY
              + t.hour * 60 + t.minute - t.offset;

    if (minutes < cwmp_time_days(1, 1, 1) * CWMP_MINUTES_A_DAY
        || minutes >= cwmp_time_days(10000, 1, 1) * CWMP_MINUTES_A_DAY)
    {
        return "is outside of the years 1 to 9999 in UTC";
    }

    cwmp_time_date(minutes / CWMP_MINUTES_A_DAY, &t);
    t.hour = minutes % CWMP_MINUTES_A_DAY / 60;
    t.minute = minutes % 60;

    cwmp_time_write(&v, &t);

    *outlen = v.out - out;

    return NULL;
}


static int
cwmp_time_read(cwmp_time_text_t *v, cwmp_time_t *t)
{
    if (!cwmp_time_digits(v, 4, &t->year) || !cwmp_time_char(v, "-")
        || !cwmp_time_digits(v, 2, &t->month) || !cwmp_time_char(v, "-")
        || !cwmp_time_digits(v, 2, &t->day) || !cwmp_time_char(v, "Tt ")
        || !cwmp_time_digits(v, 2, &t->hour) || !cwmp_time_char(v, ":")
        || !cwmp_time_digits(v, 2, &t->minute) || !cwmp_time_char(v, ":")
        || !cwmp_time_digits(v, 2, &t->second))
    {
        return 0;
    }

    t->fraction = v->p;

    if (cwmp_time_char(v, ".")) {
        while (v->p < v->end && *v->p >= '0' && *v->p <= '9') {
            v->p++;
        }

        if (v->p == t->fraction + 1) {
            return 0;
        }
    }

    t->nfraction = v->p - t->fraction;

    return cwmp_time_offset(v, t);
}


static void
cwmp_time_write(cwmp_time_text_t *v, cwmp_time_t *t)
{
    cwmp_time_put(v, t->year, 4, '-');
    cwmp_time_put(v, t->month, 2, '-');
    cwmp_time_put(v, t->day, 2, 'T');
    cwmp_time_put(v, t->hour, 2, ':');
    cwmp_time_put(v, t->minute, 2, ':');
    cwmp_time_put(v, t->second, 2, 0);

    if (t->nfraction > CWMP_FRACTION) {
        t->nfraction = CWMP_FRACTION;
    }

    while (t->nfraction && t->fraction[t->nfraction - 1] == '0') {
        t->nfraction--;
    }

    if (t->nfraction > 1) {
        memcpy(v->out, t->fraction, t->nfraction);
        v->out += t->nfraction;
    }

    if (t->zoned || t->year >= 1000) {
        *v->out++ = 'Z';
    }
}


static int
cwmp_time_char(cwmp_time_text_t *v, const char *any)
{
    if (v->p < v->end && memchr(any, *v->p, strlen(any))) {
        v->p++;
        return 1;
    }

    return 0;
}


static int
cwmp_time_digits(cwmp_time_text_t *v, int n, int64_t *number)
{
    for (*number = 0; n; n--) {

        if (v->p == v->end || *v->p < '0' || *v->p > '9') {
            return 0;
        }

        *number = *number * 10 + (*v->p++ - '0');
    }

    return 1;
}


/* nothing, Z, +hh, +hhmm, +hh:mm, to the end of the text */

static int
cwmp_time_offset(cwmp_time_text_t *v, cwmp_time_t *t)
{
    int      sign;
    int64_t  hour, minute;

    t->offset = 0;
    t->zoned = (v->p < v->end);

    if (!t->zoned) {
        return 1;
    }

    if (cwmp_time_char(v, "Zz")) {
        return v->p == v->end;
    }

    sign = (*v->p == '-') ? -1 : 1;

    if (!cwmp_time_char(v, "+-") || !cwmp_time_digits(v, 2, &hour)) {
        return 0;
    }

    minute = 0;

    if ((cwmp_time_char(v, ":") || v->p < v->end)
        && !cwmp_time_digits(v, 2, &minute))
    {
        return 0;
    }

    t->offset = sign * (hour * 60 + minute);

    return v->p == v->end && hour < 24 && minute < 60;
}


/*
 * Days since 0000-03-01 of the Gregorian calendar, carried back to year 1: a
 * year that begins in March has its leap day last.  Month 13 is next January.
 */

static int64_t
cwmp_time_days(int64_t y, int64_t m, int64_t d)
{
    if (m > 12) {
        m -= 12;
        y++;
    }

    y -= (m <= 2);
    m += (m <= 2) ? 9 : -3;

    return y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + d - 1;
}


static void
cwmp_time_date(int64_t days, cwmp_time_t *t)
{
    int64_t  century, month, year;

    century = (4 * days + 3) / 146097;
    days -= century * 146097 / 4;
    year = (4 * days + 3) / 1461;
    days -= year * 1461 / 4;
    month = (5 * days + 2) / 153;

    t->day = days - (153 * month + 2) / 5 + 1;
    t->month = month + (month < 10 ? 3 : -9);
    t->year = century * 100 + year + (month >= 10);
}


static void
cwmp_time_put(cwmp_time_text_t *v, int64_t number, int n, int after)
{
    int  i;

    for (i = n - 1; i >= 0; i--) {
        v->out[i] = '0' + number % 10;
        number /= 10;
    }

    v->out += n;

    if (after) {
        *v->out++ = after;
    }
}
