/*
 * Names were taken from the data models of the Broadband Forum (hidden and
 * secured parameters) and from what devices report.  Case, "_" and "-" do not
 * count.  A name that is not secret and is taken for one costs little; so what
 * only looks like one is let out where it is usual ("PasswordRequired").
 */

#include <string.h>

#include "cwmp_sensitive.h"

#define CWMP_LEAF_MAX  64           /* of a name that is looked at: its end */


static int cwmp_ends_user(unsigned char c);
static size_t cwmp_user_begins(const unsigned char *p, size_t start,
    size_t at);


/* anywhere in the name; each has "pas", "key", "sec", "cre" or "tok" in it */

static const char  *cwmp_secret_words[] = {
    "password", "passwd", "passphrase", "secret", "presharedkey", "pskey",
    "wepkey", "wpakey", "wpskey", "privatekey", "prikey", "encryptionkey",
    "sharedkey", "securitykey", "radiuskey", "authkey", "initkey",
    "clientkey", "appkey", "keyvalue", "privatecredential", "passcode",
    "networkkey", "accesskey", "wlankey", "wifikey", "token", "apikey",
    "passkey", "masterkey", "adminpass", "userpass", NULL
};

/* at its end, or before a number there */

static const char  *cwmp_secret_ends[] = {
    "PIN", "Pin", "PUK", "Puk", "PSK", "Psk", "Pass", "Pwd", "PWD", "Psw",
    "PSW", "PINCode", "PinCode", "PIN_Code", "PUKCode", "PukCode", "PUK_Code",
    NULL
};

/* as the whole of it, likewise */

static const char  *cwmp_secret_wholes[] = {
    "pin", "puk", "psk", "pass", "pwd", "psw", "key", NULL
};

/* at the end of what has such a word, and is no secret */

static const char  *cwmp_public_ends[] = {
    "index", "enable", "enabled", "required", "selectable", "entries", "reset",
    "rule", "charset", "length", "len", "sizes", "supported", "login", "type",
    "status", "mode", "method", NULL
};


static int
cwmp_ends_with(const char *s, size_t len, const char *const *ends)
{
    size_t  n;

    for ( /* void */ ; *ends; ends++) {
        n = strlen(*ends);

        if (len >= n && memcmp(s + len - n, *ends, n) == 0) {
            return 1;
        }
    }

    return 0;
}


/* most names end here, at the cost of a look at each byte */

static int
cwmp_may_be_secret(const unsigned char *p, size_t len)
{
    size_t         i;
    unsigned char  ch;

    for (i = 0; i + 3 <= len; i++) {
        ch = p[i] | 0x20;

        if ((ch == 'p' && (p[i + 1] | 0x20) == 'a' && (p[i + 2] | 0x20) == 's')
            || (ch == 'k' && (p[i + 1] | 0x20) == 'e'
                && (p[i + 2] | 0x20) == 'y')
            || (ch == 's' && (p[i + 1] | 0x20) == 'e'
                && (p[i + 2] | 0x20) == 'c')
            || (ch == 'c' && (p[i + 1] | 0x20) == 'r'
                && (p[i + 2] | 0x20) == 'e')
            || (ch == 't' && (p[i + 1] | 0x20) == 'o'
                && (p[i + 2] | 0x20) == 'k'))
        {
            return 1;
        }
    }

    return 0;
}


/* "…Challenge.1.Value": what an operator proves itself with, to the device */

static int
cwmp_is_challenge(const cwmp_str_t *path)
{
    size_t                len = path->len;
    const unsigned char  *p = path->data;

    static const char  value[] = ".Value", object[] = ".Challenge.";

    if (len < sizeof(value) || memcmp(p + len - 6, value, 6) != 0) {
        return 0;
    }

    len -= 6;

    if (len && p[len - 1] == ']') {     /* an instance by its alias */
        while (len && p[len - 1] != '[') {
            len--;
        }
        len -= (len != 0);
    }

    for ( /* void */ ; len && p[len - 1] >= '0' && p[len - 1] <= '9'; len--) {
        /* void */
    }

    return len >= sizeof(object) - 1
           && memcmp(p + len + 1 - sizeof(object), object, sizeof(object) - 1)
              == 0;
}


/* as words are compared: lower case, without "_" and "-"; its length */

static size_t
cwmp_lower(const unsigned char *p, size_t len, char lower[CWMP_LEAF_MAX + 1])
{
    size_t  i, n;

    for (i = 0, n = 0; i < len; i++) {
        if (p[i] >= 'A' && p[i] <= 'Z') {
            lower[n++] = (char) (p[i] | 0x20);

        } else if (p[i] != '_' && p[i] != '-' && p[i] != '\0') {
            lower[n++] = (char) p[i];
        }
    }

    lower[n] = '\0';

    return n;
}


int
cwmp_sensitive_name(const cwmp_str_t *path)
{
    char                  lower[CWMP_LEAF_MAX + 1];
    size_t                len, n, digits;
    const char          **word;
    const unsigned char  *p;

    for (len = 0; len < path->len && len < CWMP_LEAF_MAX
                  && path->data[path->len - 1 - len] != '.'; len++)
    {
        /* void */
    }

    p = path->data + path->len - len;

    for (digits = 0; digits < len && p[len - 1 - digits] >= '0'
                     && p[len - 1 - digits] <= '9'; digits++)
    {
        /* void */
    }

    if (cwmp_ends_with((const char *) p, len - digits, cwmp_secret_ends)) {
        return 1;
    }

    if (!cwmp_may_be_secret(p, len) && len - digits > 4) {
        return cwmp_is_challenge(path);
    }

    n = cwmp_lower(p, len - digits, lower);

    for (word = cwmp_secret_wholes; *word; word++) {
        if (strcmp(lower, *word) == 0) {
            return 1;
        }
    }

    for (word = cwmp_secret_words; *word; word++) {
        if (strstr(lower, *word)) {
            return !cwmp_ends_with(lower, n, cwmp_public_ends);
        }
    }

    return 0;
}


/* what is before an @ that has no "://" is not looked at again, so that many of
   them cost no more than their bytes */

int
cwmp_sensitive_url(const cwmp_str_t *text, size_t *from, size_t *len)
{
    size_t                i, start;
    const unsigned char  *at;

    for (start = 0; start < text->len; start = i) {

        at = memchr(text->data + start, '@', text->len - start);
        if (at == NULL) {
            break;
        }

        /* a password may have an @, which ends at the last one before the
           path */

        for (i = at - text->data; i < text->len; i++) {
            if (text->data[i] == '@') {
                at = text->data + i;

            } else if (cwmp_ends_user(text->data[i])) {
                break;
            }
        }

        *from = cwmp_user_begins(text->data, start, at - text->data);
        *len = at - text->data - *from;

        if (*len) {
            return 1;
        }
    }

    return 0;
}


static int
cwmp_ends_user(unsigned char c)
{
    return c <= ' ' || strchr("/?#'\"<>", c) != NULL;
}


/* behind the "://" before at; or at, where there is none */

static size_t
cwmp_user_begins(const unsigned char *p, size_t start, size_t at)
{
    size_t  i;

    for (i = at; i >= 3 && i > start; i--) {

        if (memcmp(p + i - 3, "://", 3) == 0) {
            return i;
        }

        if (p[i - 1] <= ' ' || p[i - 1] == '/') {
            break;
        }
    }

    return at;
}
