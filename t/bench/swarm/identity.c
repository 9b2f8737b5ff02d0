
/*
 * Who a CPE is: names by templates of its number, its ID as CWMP builds user
 * names, its credentials, and the parameters that follow from these.  Nothing
 * of it is stored for each CPE.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "identity.h"
#include "listen.h"


typedef struct {
    char  *user;
    char  *password;
} pair_t;

static struct {
    pair_t  *pairs;                 /* of --credentials */
    size_t   n;
} identity;


static void identity_serial(buf_t *b, uint32_t number);


/* --- templates ----------------------------------------------------------- */

static void
expand_oui(buf_t *b, uint32_t number)
{
    (void) number;
    buf_text(b, settings.oui);
}


static void
expand_class(buf_t *b, uint32_t number)
{
    (void) number;
    buf_text(b, settings.product_class);
}


static const struct {
    const char  *name;
    void       (*write)(buf_t *b, uint32_t number);
} words[] = {
    { "{oui}", expand_oui },
    { "{class}", expand_class },
    { "{serial}", identity_serial },
    { "{id}", identity_id }
};


/* {n} is the number, {n8} with zeros before it up to 8 digits. */

static size_t
expand_number(buf_t *b, const char *p, uint32_t number)
{
    size_t  close = strcspn(p, "}");
    int     width = atoi(p + 2);

    if (p[1] != 'n' || p[close] == '\0' || width > 60
        || strspn(p + 2, "0123456789") + 2 != close)
    {
        return 0;
    }

    buf_format(b, "%0*u", width ? width : 1, number);
    return close + 1;
}


void
identity_expand(buf_t *b, const char *template, uint32_t number)
{
    size_t       i, n;
    const char  *p = template;

    while (*p) {
        n = *p == '{' ? expand_number(b, p, number) : 0;

        for (i = 0; n == 0 && i < sizeof(words) / sizeof(words[0]); i++) {
            if (strncmp(p, words[i].name, strlen(words[i].name)) == 0) {
                words[i].write(b, number);
                n = strlen(words[i].name);
            }
        }

        if (n == 0) {
            buf_add(b, p, 1);
            n = 1;
        }

        p += n;
    }
}


static void
identity_serial(buf_t *b, uint32_t number)
{
    /* a serial that names itself would have no end */

    const char  *serial = settings.serial;

    buf_room(b, 80);
    identity_expand(b, serial, number);
}


static void
identity_percent(buf_t *b, const char *p, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if ((p[i] >= 'a' && p[i] <= 'z') || (p[i] >= 'A' && p[i] <= 'Z')
            || (p[i] >= '0' && p[i] <= '9') || p[i] == '_')
        {
            buf_add(b, p + i, 1);
        } else {
            buf_format(b, "%%%02X", (unsigned char) p[i]);
        }
    }
}


void
identity_id(buf_t *b, uint32_t number)
{
    buf_t  serial = { NULL, 0, 0 };

    identity_serial(&serial, number);
    buf_text(b, settings.oui);

    if (settings.product_class[0]) {
        buf_lit(b, "-");
        identity_percent(b, settings.product_class,
                         strlen(settings.product_class));
    }

    buf_lit(b, "-");
    identity_percent(b, serial.p, serial.len);
    buf_free(&serial);
}


void
identity_print_all(void)
{
    buf_t     b = { NULL, 0, 0 };
    uint64_t  i;

    for (i = 0; i < settings.cpes; i++) {
        b.len = 0;
        identity_id(&b, (uint32_t) (settings.first + i));
        printf("%.*s\n", (int) b.len, b.p);
    }

    buf_free(&b);
}


/* --- credentials --------------------------------------------------------- */

/* A file of lines "user password" or "user:password", one for each CPE. */

static void
identity_read(const char *file)
{
    char    *line = NULL, *sep;
    FILE    *f = fopen(file, "r");
    size_t   cap = 0;
    ssize_t  n;

    if (f == NULL) {
        die("%s: %s", file, strerror(errno));
    }

    while ((n = getline(&line, &cap, f)) > 0) {
        line[strcspn(line, "\r\n")] = '\0';
        sep = line + strcspn(line, " \t:");

        if (*line == '\0') {
            continue;
        }

        if (*sep == '\0') {
            die("%s: line %zu has no password", file, identity.n + 1);
        }

        identity.pairs = mem_grow(identity.pairs,
                                  (identity.n + 1) * sizeof(pair_t));
        identity.pairs[identity.n].user
                               = mem_copy(line, (size_t) (sep - line));
        identity.pairs[identity.n++].password
                               = mem_copy(sep + 1, strlen(sep + 1));
    }

    free(line);
    fclose(f);

    if (identity.n == 0) {
        die("%s has no credentials", file);
    }
}


void
identity_init(void)
{
    if (strstr(settings.serial, "{serial}") || strstr(settings.serial, "{id}"))
    {
        die("--serial cannot have {serial} or {id} in it");
    }

    if (settings.credentials) {
        identity_read(settings.credentials);
    }
}


void
identity_user(buf_t *b, uint32_t number)
{
    if (identity.n) {
        buf_text(b, identity.pairs[(number - settings.first)
                                   % identity.n].user);
    } else {
        identity_expand(b, settings.user, number);
    }
}


void
identity_password(buf_t *b, uint32_t number)
{
    if (identity.n) {
        buf_text(b, identity.pairs[(number - settings.first)
                                   % identity.n].password);
    } else {
        identity_expand(b, settings.password, number);
    }
}


/* --- parameters ---------------------------------------------------------- */

static void
value_manufacturer(buf_t *b, uint32_t number)
{
    (void) number;
    buf_text(b, settings.manufacturer);
}


static void
value_uptime(buf_t *b, uint32_t number)
{
    (void) number;
    buf_number(b, (clock_ns() - stats.began) / NS_S + 60);
}


static void
value_acs(buf_t *b, uint32_t number)
{
    (void) number;
    buf_text(b, settings.urls[0]);
}


/* What comes back empty, whatever it is. */

static void
value_hidden(buf_t *b, uint32_t number)
{
    (void) b;
    (void) number;
}


static const struct {
    const char  *leaf;              /* behind the root */
    void       (*write)(buf_t *b, uint32_t number);
} specials[] = {
    { NULL, NULL },                 /* 0: no special */
    { NULL, value_hidden },         /* 1: by the end of its name */
    { "DeviceInfo.Manufacturer", value_manufacturer },
    { "DeviceInfo.ManufacturerOUI", expand_oui },
    { "DeviceInfo.ProductClass", expand_class },
    { "DeviceInfo.SerialNumber", identity_serial },
    { "DeviceInfo.UpTime", value_uptime },
    { "ManagementServer.URL", value_acs },
    { "ManagementServer.Username", identity_user },
    { "ManagementServer.ConnectionRequestURL", listen_url }
};


static const char  *secrets[] = { "Password", "Passphrase", "PreSharedKey" };


static int
is_secret(const entry_t *e)
{
    size_t  i, n = strlen(e->path), len;

    for (i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        len = strlen(secrets[i]);

        if (e->type && n > len && strcmp(e->path + n - len, secrets[i]) == 0) {
            return 1;
        }
    }

    return 0;
}


int
identity_hidden(uint8_t special)
{
    return special == 1;
}


void
identity_mark(entry_t *entries, size_t n)
{
    size_t  i, k;
    size_t  root = strlen(model_root());

    for (i = 0; i < n; i++) {
        entries[i].special = is_secret(&entries[i]) ? 1 : 0;

        for (k = 2; k < sizeof(specials) / sizeof(specials[0]); k++) {
            if (strlen(entries[i].path) > root
                && strcmp(entries[i].path + root, specials[k].leaf) == 0)
            {
                entries[i].special = (uint8_t) k;
            }
        }
    }
}


str_t
identity_value(cpe_t *cpe, uint8_t special)
{
    static buf_t  b;

    b.len = 0;
    buf_room(&b, 1);
    specials[special].write(&b, cpe->number);
    return (str_t) { b.p, b.len };
}
