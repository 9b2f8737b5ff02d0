
/*
 * One function a type, each from a text as people and CPEs write it to the one
 * form that is sent, and a table that names them.  Numbers are compared as
 * text, so that no width of C's integers decides what is in range; times are
 * cwmp_time.c's.  It must not know which parameter has which type.
 */

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "cwmp_time.h"
#include "cwmp_value.h"


/* what a conversion reads and writes */

typedef struct {
    const unsigned char  *p;
    const unsigned char  *end;
    unsigned char        *out;
} cwmp_value_t;


typedef struct {
    const char           *name;
    const char           *min;      /* magnitude below zero; NULL: none */
    const char           *max;
    const char           *below;
    const char           *above;
    const char         *(*canonical)(cwmp_value_t *v, cwmp_value_type_t type);
} cwmp_value_row_t;


static const char *cwmp_value_string(cwmp_value_t *v, cwmp_value_type_t type);
static const char *cwmp_value_boolean(cwmp_value_t *v,
    cwmp_value_type_t type);
static const char *cwmp_value_integer(cwmp_value_t *v,
    cwmp_value_type_t type);
static const char *cwmp_value_decimal(cwmp_value_t *v,
    cwmp_value_type_t type);
static const char *cwmp_value_time(cwmp_value_t *v, cwmp_value_type_t type);
static const char *cwmp_value_base64(cwmp_value_t *v, cwmp_value_type_t type);
static const char *cwmp_value_hex(cwmp_value_t *v, cwmp_value_type_t type);

static void cwmp_value_trim(cwmp_value_t *v);
static size_t cwmp_value_utf8(const unsigned char *p,
    const unsigned char *end);
static int cwmp_value_above(const unsigned char *p, size_t len,
    const char *max);


/* by cwmp_value_type_t */

static const cwmp_value_row_t  cwmp_value_rows[] = {
    { NULL, NULL, NULL, NULL, NULL, NULL },
    { "string", NULL, NULL, NULL, NULL, cwmp_value_string },
    { "boolean", NULL, NULL, NULL, NULL, cwmp_value_boolean },
    { "int", "2147483648", "2147483647",
      "is below -2147483648", "is above 2147483647", cwmp_value_integer },
    { "long", "9223372036854775808", "9223372036854775807",
      "is below -9223372036854775808", "is above 9223372036854775807",
      cwmp_value_integer },
    { "unsignedInt", "0", "4294967295",
      "is below 0", "is above 4294967295", cwmp_value_integer },
    { "unsignedLong", "0", "18446744073709551615",
      "is below 0", "is above 18446744073709551615", cwmp_value_integer },
    { "decimal", NULL, NULL, NULL, NULL, cwmp_value_decimal },
    { "dateTime", NULL, NULL, NULL, NULL, cwmp_value_time },
    { "base64Binary", NULL, NULL, NULL, NULL, cwmp_value_base64 },
    { "hexBinary", NULL, NULL, NULL, NULL, cwmp_value_hex }
};


static const struct {
    const char         *name;
    cwmp_value_type_t   type;
} cwmp_value_aliases[] = {
    { "bool", CWMP_V_BOOLEAN },
    { "integer", CWMP_V_INT },
    { "uint", CWMP_V_UNSIGNEDINT },
    { "unsigned", CWMP_V_UNSIGNEDINT },
    { "unsignedInteger", CWMP_V_UNSIGNEDINT },
    { "ulong", CWMP_V_UNSIGNEDLONG },
    { "base64", CWMP_V_BASE64 },
    { "hex", CWMP_V_HEXBINARY },
    { "token", CWMP_V_STRING },
    { "normalizedString", CWMP_V_STRING },
    { "anyURI", CWMP_V_STRING },
    { NULL, CWMP_V_NONE }
};


cwmp_value_type_t
cwmp_value_type(const unsigned char *name, size_t len)
{
    int                   first;
    size_t                i;
    const char           *known;
    const unsigned char  *p;

    /* most values by far, and told so by most devices */

    if (len == 6 && memcmp(name, "string", 6) == 0) {
        return CWMP_V_STRING;
    }

    /* "string(256)": as the data models write how long it may be */

    for (i = 0; i < len && name[i] != '('; i++) { /* void */ }

    len = i;

    for (p = name + len; p > name && p[-1] != ':'; p--) { /* void */ }

    len -= p - name;
    first = len ? *p | 0x20 : 0;

    for (i = CWMP_V_STRING; i <= CWMP_V_HEXBINARY; i++) {
        known = cwmp_value_rows[i].name;

        if ((known[0] | 0x20) == first && strlen(known) == len
            && strncasecmp(known, (const char *) p, len) == 0)
        {
            return (cwmp_value_type_t) i;
        }
    }

    for (i = 0; cwmp_value_aliases[i].name; i++) {
        known = cwmp_value_aliases[i].name;

        if ((known[0] | 0x20) == first && strlen(known) == len
            && strncasecmp(known, (const char *) p, len) == 0)
        {
            return cwmp_value_aliases[i].type;
        }
    }

    return CWMP_V_NONE;
}


const char *
cwmp_value_type_name(cwmp_value_type_t type)
{
    if ((unsigned) type > CWMP_V_HEXBINARY) {
        return NULL;
    }

    return cwmp_value_rows[type].name;
}


const char *
cwmp_value_canonical(cwmp_value_type_t type, const unsigned char *text,
    size_t len, unsigned char *out, size_t *outlen)
{
    const char    *wrong;
    cwmp_value_t   v;

    if (cwmp_value_type_name(type) == NULL) {
        return "has no known type";
    }

    v.p = text;
    v.end = text + len;
    v.out = out;

    wrong = cwmp_value_rows[type].canonical(&v, type);

    *outlen = wrong ? 0 : v.out - out;

    return wrong;
}


static const char *
cwmp_value_string(cwmp_value_t *v, cwmp_value_type_t type)
{
    size_t  n;

    (void) type;

    while (v->p < v->end) {

        if (*v->p < 0x20 && *v->p != '\t' && *v->p != '\n' && *v->p != '\r') {
            return "has a control character, which XML can't carry";
        }

        n = cwmp_value_utf8(v->p, v->end);

        if (n == 0) {
            return "is not valid UTF-8 of characters that XML can carry";
        }

        memcpy(v->out, v->p, n);
        v->out += n;
        v->p += n;
    }

    return NULL;
}


static const char *
cwmp_value_boolean(cwmp_value_t *v, cwmp_value_type_t type)
{
    size_t  i, len;

    static const char  *names[] = {
        "0", "1", "false", "true", "no", "yes", "off", "on"
    };

    (void) type;

    cwmp_value_trim(v);
    len = v->end - v->p;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strlen(names[i]) == len
            && strncasecmp(names[i], (const char *) v->p, len) == 0)
        {
            *v->out++ = '0' + i % 2;
            return NULL;
        }
    }

    return "is not a boolean: use true or false";
}


static const char *
cwmp_value_integer(cwmp_value_t *v, cwmp_value_type_t type)
{
    int                      minus;
    size_t                   i, len;
    const cwmp_value_row_t  *row;

    row = &cwmp_value_rows[type];

    cwmp_value_trim(v);

    minus = (v->p < v->end && *v->p == '-');

    if (minus || (v->p < v->end && *v->p == '+')) {
        v->p++;
    }

    len = v->end - v->p;

    for (i = 0; i < len && v->p[i] >= '0' && v->p[i] <= '9'; i++) { /**/ }

    if (len == 0 || i < len) {
        return "is not a whole number";
    }

    while (v->end - v->p > 1 && *v->p == '0') {
        v->p++;
    }

    len = v->end - v->p;

    if (minus && cwmp_value_above(v->p, len, row->min)) {
        return row->below;
    }

    if (!minus && cwmp_value_above(v->p, len, row->max)) {
        return row->above;
    }

    if (minus && *v->p != '0') {
        *v->out++ = '-';
    }

    memcpy(v->out, v->p, len);
    v->out += len;

    return NULL;
}


static const char *
cwmp_value_decimal(cwmp_value_t *v, cwmp_value_type_t type)
{
    int                   minus;
    size_t                nint, nfrac;
    const unsigned char  *dot, *p;

    (void) type;

    cwmp_value_trim(v);

    minus = (v->p < v->end && *v->p == '-');

    if (minus || (v->p < v->end && *v->p == '+')) {
        v->p++;
    }

    for (p = v->p; p < v->end && *p >= '0' && *p <= '9'; p++) { /* void */ }

    nint = p - v->p;
    dot = p;
    nfrac = 0;

    if (p < v->end && *p == '.') {
        for (p++; p < v->end && *p >= '0' && *p <= '9'; p++) { /* void */ }

        nfrac = p - dot - 1;
    }

    if (p < v->end || nint + nfrac == 0) {
        return "is not a decimal number";
    }

    for ( /* void */ ; nint && *v->p == '0'; nint--) {
        v->p++;
    }

    while (nfrac && dot[nfrac] == '0') {
        nfrac--;
    }

    if (minus && nint + nfrac) {
        *v->out++ = '-';
    }

    if (nint == 0) {
        *v->out++ = '0';
    }

    memcpy(v->out, v->p, nint);
    v->out += nint;

    if (nfrac) {
        memcpy(v->out, dot, nfrac + 1);
        v->out += nfrac + 1;
    }

    return NULL;
}


static const char *
cwmp_value_time(cwmp_value_t *v, cwmp_value_type_t type)
{
    size_t       n;
    const char  *wrong;

    (void) type;

    cwmp_value_trim(v);

    wrong = cwmp_time_canonical(v->p, v->end - v->p, v->out, &n);
    v->out += n;

    return wrong;
}


/* bits of a last digit that belong to no byte have to be 0 (XML Schema) */

static const char *
cwmp_value_base64(cwmp_value_t *v, cwmp_value_type_t type)
{
    size_t                n, pad;
    const char           *digit;
    const unsigned char  *start;

    static const char  digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
                                  "qrstuvwxyz0123456789+/";

    (void) type;

    start = v->out;

    for (pad = 0; v->p < v->end; v->p++) {

        if (*v->p == ' ' || *v->p == '\t' || *v->p == '\r' || *v->p == '\n') {
            continue;
        }

        if (*v->p == '=') {
            pad++;

        } else if (pad || *v->p == '\0' || strchr(digits, *v->p) == NULL) {
            return "is not base64";
        }

        *v->out++ = *v->p;
    }

    n = v->out - start;

    if (n % 4 || pad > 2) {
        return "is not base64: its length is no multiple of 4";
    }

    if (pad) {
        digit = strchr(digits, v->out[-1 - (int) pad]);
        v->out[-1 - (int) pad] = digits[(digit - digits)
                                        & ~(pad == 1 ? 3 : 15)];
    }

    return NULL;
}


static const char *
cwmp_value_hex(cwmp_value_t *v, cwmp_value_type_t type)
{
    unsigned char  c;

    (void) type;

    cwmp_value_trim(v);

    if ((v->end - v->p) % 2) {
        return "is not hexBinary: it needs two digits a byte";
    }

    for ( /* void */ ; v->p < v->end; v->p++) {
        c = *v->p;

        if (c >= 'a' && c <= 'f') {
            c -= 'a' - 'A';
        }

        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'))) {
            return "is not hexBinary";
        }

        *v->out++ = c;
    }

    return NULL;
}


static void
cwmp_value_trim(cwmp_value_t *v)
{
    while (v->p < v->end && (*v->p == ' ' || (*v->p >= 9 && *v->p <= 13))) {
        v->p++;
    }

    while (v->p < v->end
           && (v->end[-1] == ' ' || (v->end[-1] >= 9 && v->end[-1] <= 13)))
    {
        v->end--;
    }
}


/* bytes of the character at p; 0 when it is none that XML 1.0 allows */

static size_t
cwmp_value_utf8(const unsigned char *p, const unsigned char *end)
{
    size_t    i, n;
    uint32_t  c;

    if (*p < 0x80) {
        return 1;
    }

    n = (*p >= 0xc2 && *p < 0xe0) ? 2 : (*p >= 0xe0 && *p < 0xf0) ? 3
        : (*p >= 0xf0 && *p < 0xf5) ? 4 : 0;

    if (n == 0 || (size_t) (end - p) < n) {
        return 0;
    }

    c = *p & (0x7f >> n);

    for (i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        c = (c << 6) | (p[i] & 0x3f);
    }

    if ((n == 3 && c < 0x800) || (n == 4 && c < 0x10000) || c > 0x10ffff
        || (c >= 0xd800 && c < 0xe000) || c == 0xfffe || c == 0xffff)
    {
        return 0;
    }

    return n;
}


static int
cwmp_value_above(const unsigned char *p, size_t len, const char *max)
{
    size_t  n;

    n = strlen(max);

    return len != n ? len > n : memcmp(p, max, n) > 0;
}
