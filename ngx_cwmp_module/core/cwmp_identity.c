
/*
 * IDs and cookies as text.  An ID's alphabet is that of a percent-encoded
 * user name, so it goes into Redis keys, URLs and cookies as it is; a cookie
 * names the device and proves the session by a token that only Redis can
 * check.  This file must not know what a session is.
 */

#include <string.h>

#include "cwmp_identity.h"


#define CWMP_PART_MAX  64           /* characters */


static cwmp_rc_t cwmp_identity_check(const cwmp_str_t *oui,
    const cwmp_str_t *class, const cwmp_str_t *serial, const char **reason);
static void cwmp_identity_fold(const unsigned char *p, size_t len,
    unsigned char *to);
static size_t cwmp_characters(const cwmp_str_t *s);
static unsigned char *cwmp_encode(unsigned char *p, const cwmp_str_t *s,
    int upper);
static size_t cwmp_identity_part(const unsigned char *p, size_t len,
    int upper, size_t max);
static int cwmp_word(unsigned char c);
static int cwmp_hex(unsigned char c);
static int cwmp_cookie_pair(const unsigned char *p, const unsigned char *end,
    const unsigned char **value, const unsigned char **last);
static int cwmp_cookie_value(const unsigned char *p, size_t len,
    cwmp_str_t *token, cwmp_str_t *id);


static const unsigned char  cwmp_base64url[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";


cwmp_rc_t
cwmp_identity(cwmp_arena_t *arena, const cwmp_str_t *oui,
    const cwmp_str_t *class, const cwmp_str_t *serial, cwmp_str_t *id,
    const char **reason)
{
    unsigned char  *p;

    if (cwmp_identity_check(oui, class, serial, reason) != CWMP_OK) {
        return CWMP_REFUSED;
    }

    p = cwmp_alloc(arena, 3 * (oui->len + class->len + serial->len) + 2);
    if (p == NULL) {
        return CWMP_ERROR;
    }

    id->data = p;

    p = cwmp_encode(p, oui, 1);
    *p++ = '-';

    if (class->len) {
        p = cwmp_encode(p, class, 0);
        *p++ = '-';
    }

    p = cwmp_encode(p, serial, 0);
    id->len = p - id->data;

    if (id->len > CWMP_ID_MAX) {
        *reason = "DeviceId makes an ID over 256 bytes";
        return CWMP_REFUSED;
    }

    return CWMP_OK;
}


/* "00:25:9E", "00-25-9e-11-22-33", "00259E112233" */

void
cwmp_identity_oui(cwmp_str_t *oui, unsigned char six[CWMP_OUI_MAX])
{
    size_t         i, n;
    unsigned char  c;

    if (oui->len <= CWMP_OUI_MAX) {
        return;
    }

    for (i = 0, n = 0; i < oui->len; i++) {
        c = oui->data[i];

        if (c == ':' || c == '-' || c == '.' || c == ' ') {
            continue;
        }

        if (c >= 'a' && c <= 'f') {
            c -= 'a' - 'A';
        }

        if (cwmp_hex(c) < 0) {
            return;
        }

        if (n < CWMP_OUI_MAX) {
            six[n] = c;
        }

        n++;
    }

    if (n == CWMP_OUI_MAX || n == 2 * CWMP_OUI_MAX) {
        oui->data = six;
        oui->len = CWMP_OUI_MAX;
    }
}


int
cwmp_identity_means(const cwmp_str_t *name, const cwmp_str_t *id)
{
    size_t         len;
    unsigned char  folded[CWMP_ID_MAX];

    len = name->len;

    if (len == 0 || len > CWMP_ID_MAX) {
        return 0;
    }

    if (name->data[len - 1] == '*') {
        len--;

        if (!memchr(name->data, '-', len) || id->len < len) {
            return 0;
        }

    } else if (len != id->len) {
        return 0;
    }

    cwmp_identity_fold(name->data, len, folded);

    return memcmp(folded, id->data, len) == 0;
}


size_t
cwmp_identity_of(const cwmp_str_t *name, unsigned char *id)
{
    if (name->len > CWMP_ID_MAX) {
        return 0;
    }

    cwmp_identity_fold(name->data, name->len, id);

    return cwmp_identity_valid(id, name->len) ? name->len : 0;
}


/* letters of the OUI, and the digits of %XX, to upper case */

static void
cwmp_identity_fold(const unsigned char *p, size_t len, unsigned char *to)
{
    int            oui;
    size_t         i, digits;
    unsigned char  c;

    for (i = 0, oui = 1, digits = 0; i < len; i++) {
        c = p[i];

        if (c == '-') {
            oui = 0;
        }

        if ((oui || digits) && c >= 'a' && c <= 'z') {
            c -= 'a' - 'A';
        }

        digits = (c == '%') ? 2 : digits - (digits > 0);
        to[i] = c;
    }
}


int
cwmp_identity_valid(const unsigned char *p, size_t len)
{
    size_t  n;

    if (len > CWMP_ID_MAX) {
        return 0;
    }

    n = cwmp_identity_part(p, len, 1, CWMP_OUI_MAX);

    if (n == 0 || n == len) {
        return 0;
    }

    p += n + 1;
    len -= n + 1;

    n = cwmp_identity_part(p, len, 0, CWMP_PART_MAX);

    if (n == 0 || n == len) {
        return n != 0;
    }

    p += n + 1;
    len -= n + 1;

    return len && cwmp_identity_part(p, len, 0, CWMP_PART_MAX) == len;
}


void
cwmp_token_encode(const unsigned char random[16], unsigned char *token)
{
    size_t    i, bits;
    uint32_t  acc;

    acc = 0;
    bits = 0;

    for (i = 0; i < 16; i++) {
        acc = (acc << 8) | random[i];

        for (bits += 8; bits >= 6; bits -= 6) {
            *token++ = cwmp_base64url[(acc >> (bits - 6)) & 63];
        }
    }

    *token = cwmp_base64url[(acc << (6 - bits)) & 63];
}


cwmp_rc_t
cwmp_cookie_write(cwmp_arena_t *arena, const cwmp_str_t *token,
    const cwmp_str_t *id, cwmp_str_t *cookie)
{
    unsigned char  *p;

    static const char  name[] = CWMP_COOKIE_NAME "=";
    static const char  path[] = "; Path=/";

    cookie->len = sizeof(name) - 1 + token->len + 1 + id->len
                  + sizeof(path) - 1;

    p = cwmp_alloc(arena, cookie->len);
    if (p == NULL) {
        return CWMP_ERROR;
    }

    cookie->data = p;

    memcpy(p, name, sizeof(name) - 1);
    p += sizeof(name) - 1;

    memcpy(p, token->data, token->len);
    p += token->len;
    *p++ = '.';

    memcpy(p, id->data, id->len);
    p += id->len;

    memcpy(p, path, sizeof(path) - 1);

    return CWMP_OK;
}


int
cwmp_cookie_parse(const unsigned char *p, size_t len, cwmp_str_t *token,
    cwmp_str_t *id)
{
    int                   found;
    const unsigned char  *end, *last, *next, *value;

    found = 0;
    end = p + len;

    for ( /* void */ ; p < end; p = next + 1) {

        for (next = p; next < end && *next != ';' && *next != ','; next++) {
            /* void */
        }

        if (cwmp_cookie_pair(p, next, &value, &last)) {
            found |= cwmp_cookie_value(value, last - value, token, id);
        }
    }

    return found;
}


static cwmp_rc_t
cwmp_identity_check(const cwmp_str_t *oui, const cwmp_str_t *class,
    const cwmp_str_t *serial, const char **reason)
{
    if (oui->len == 0) {
        *reason = "DeviceId.OUI is empty";

    } else if (cwmp_characters(oui) > CWMP_OUI_MAX) {
        *reason = "DeviceId.OUI is longer than 6 characters";

    } else if (serial->len == 0) {
        *reason = "DeviceId.SerialNumber is empty";

    } else if (cwmp_characters(serial) > CWMP_PART_MAX) {
        *reason = "DeviceId.SerialNumber is longer than 64 characters";

    } else if (cwmp_characters(class) > CWMP_PART_MAX) {
        *reason = "DeviceId.ProductClass is longer than 64 characters";

    } else {
        return CWMP_OK;
    }

    return CWMP_REFUSED;
}


/* of UTF-8, by the bytes that continue none; bad UTF-8 can't get past 4x */

static size_t
cwmp_characters(const cwmp_str_t *s)
{
    size_t  i, n;

    for (i = 0, n = 0; i < s->len; i++) {
        n += (s->data[i] & 0xc0) != 0x80;
    }

    return (n > (s->len + 3) / 4) ? n : (s->len + 3) / 4;
}


static unsigned char *
cwmp_encode(unsigned char *p, const cwmp_str_t *s, int upper)
{
    size_t         i;
    unsigned char  c;

    static const char  hex[] = "0123456789ABCDEF";

    for (i = 0; i < s->len; i++) {
        c = s->data[i];

        if (upper && c >= 'a' && c <= 'z') {
            c -= 'a' - 'A';
        }

        if (cwmp_word(c)) {
            *p++ = c;
            continue;
        }

        *p++ = '%';
        *p++ = hex[c >> 4];
        *p++ = hex[c & 15];
    }

    return p;
}


/* length of the encoded part at p, up to a '-' or the end; 0 if it is none */

static size_t
cwmp_identity_part(const unsigned char *p, size_t len, int upper, size_t max)
{
    size_t  i, n;
    int     c;

    for (i = 0, n = 0; i < len && p[i] != '-'; i++) {

        if (p[i] != '%') {
            if (!cwmp_word(p[i]) || (upper && p[i] >= 'a' && p[i] <= 'z')) {
                return 0;
            }

            n++;
            continue;
        }

        if (len - i < 3 || cwmp_hex(p[i + 1]) < 0 || cwmp_hex(p[i + 2]) < 0) {
            return 0;
        }

        c = cwmp_hex(p[i + 1]) * 16 + cwmp_hex(p[i + 2]);

        if (cwmp_word((unsigned char) c)) {
            return 0;
        }

        n += (c & 0xc0) != 0x80;
        i += 2;
    }

    return (n > max || i > 12 * max) ? 0 : i;
}


static int
cwmp_word(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')
           || (c >= 'a' && c <= 'z') || c == '_';
}


static int
cwmp_hex(unsigned char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    return (c >= 'A' && c <= 'F') ? c - 'A' + 10 : -1;
}


/* is [p, end) a pair of our name? its value goes from *value to *last */

static int
cwmp_cookie_pair(const unsigned char *p, const unsigned char *end,
    const unsigned char **value, const unsigned char **last)
{
    static const char  name[] = CWMP_COOKIE_NAME;

    while (p < end && (*p == ' ' || *p == '\t')) {
        p++;
    }

    while (p < end && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }

    if ((size_t) (end - p) < sizeof(name)
        || memcmp(p, name, sizeof(name) - 1) != 0)
    {
        return 0;
    }

    p += sizeof(name) - 1;

    while (p < end && (*p == ' ' || *p == '\t')) {
        p++;
    }

    if (p == end || *p++ != '=') {
        return 0;
    }

    while (p < end && (*p == ' ' || *p == '\t')) {
        p++;
    }

    if (end - p >= 2 && *p == '"' && end[-1] == '"') {
        p++;
        end--;
    }

    *value = p;
    *last = end;

    return 1;
}


static int
cwmp_cookie_value(const unsigned char *p, size_t len, cwmp_str_t *token,
    cwmp_str_t *id)
{
    size_t  i;

    if (len < CWMP_TOKEN_LEN + 1 || p[CWMP_TOKEN_LEN] != '.') {
        return 0;
    }

    for (i = 0; i < CWMP_TOKEN_LEN; i++) {
        if (!cwmp_word(p[i]) && p[i] != '-') {
            return 0;
        }
    }

    if (!cwmp_identity_valid(p + i + 1, len - i - 1)) {
        return 0;
    }

    token->data = (unsigned char *) p;
    token->len = CWMP_TOKEN_LEN;
    id->data = (unsigned char *) p + i + 1;
    id->len = len - i - 1;

    return 1;
}
