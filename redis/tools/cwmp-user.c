/*
 * cwmp-user: credentials of CPEs, for Redis.  Reads a user a line, "NAME
 * PASSWORD [DEVICE]", and writes the commands that store what proves them, in
 * Redis' own protocol, for "redis-cli --pipe": one user or a million.  It opens
 * no connection, and no password stands on a command line.
 */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "cwmp_digest.h"
#include "cwmp_secret.h"


typedef struct {
    const char      *prefix;
    cwmp_str_t       realm;
    cwmp_secret_t    secret;
    int              basic;         /* Basic alone: the password is no key */
    int              keep;          /* the password, sealed */
    int              removed;
} cwmp_user_t;

typedef struct {
    cwmp_str_t       name;
    cwmp_str_t       password;
    cwmp_str_t       device;
} cwmp_user_line_t;


static const char  usage[] =
"usage: cwmp-user [options] < USERS | redis-cli --pipe\n"
"\n"
"USERS has a line for each: NAME PASSWORD [DEVICE].  NAME is the device's ID\n"
"(OUI-ProductClass-SerialNumber), unless DEVICE says whose it is.  A PASSWORD\n"
"of - is made up, and written to standard error.\n"
"\n"
"  -k FILE        the key file of cwmp_secret_key\n"
"  -r REALM       the realm of cwmp_auth (cwmp)\n"
"  -b             for \"cwmp_auth basic\" alone: what is stored cannot be used\n"
"                 instead of the password, as what digest needs can\n"
"  -s             keeps the password as well, sealed\n"
"  -d             takes the users away; their lines need a NAME only\n"
"  -p PREFIX      of the keys (cwmp)\n";


static int
fail(size_t line, const char *why)
{
    if (line) {
        fprintf(stderr, "cwmp-user: line %zu: %s\n", line, why);
    } else {
        fprintf(stderr, "cwmp-user: %s\n", why);
    }

    return 1;
}


static void
bulk(const void *data, size_t len)
{
    printf("$%zu\r\n", len);
    fwrite(data, 1, len, stdout);
    fputs("\r\n", stdout);
}


static void
field(const char *name, const void *data, size_t len)
{
    bulk(name, strlen(name));
    bulk(data, len);
}


static void *
from_heap(void *owner, size_t size)
{
    (void) owner;

    return malloc(size);                /* until the next line's */
}


static cwmp_str_t
word(char **p)
{
    cwmp_str_t  w;

    *p += strspn(*p, " \t");
    w.data = (unsigned char *) *p;
    w.len = strcspn(*p, " \t\r\n");
    *p += w.len;

    return w;
}


/* 20 characters of 32: 100 bits, none that is read as another */

static int
make_password(cwmp_user_line_t *l, unsigned char *buf)
{
    size_t  i;

    static const char  letters[] = "abcdefghijkmnpqrstuvwxyz23456789";

    if (RAND_bytes(buf, 20) != 1) {
        return 0;
    }

    for (i = 0; i < 20; i++) {
        buf[i] = letters[buf[i] & 31];
    }

    l->password.data = buf;
    l->password.len = 20;

    fprintf(stderr, "%.*s %.20s\n", (int) l->name.len, l->name.data, buf);

    return 1;
}


static void
digests(const cwmp_user_t *u, const cwmp_user_line_t *l)
{
    size_t          i;
    cwmp_str_t      secret;
    cwmp_digest_t   d;
    unsigned char   buf[CWMP_DIGEST_HEX];

    static const char  *kept[][2] = {
        { "MD5", "md5" }, { "SHA-256", "sha256" }
    };

    for (i = 0; i < 2; i++) {
        if (cwmp_digest_of(&d, kept[i][0], &l->name, &u->realm) == CWMP_OK
            && cwmp_digest_secret(&d, &l->password, buf, &secret) == CWMP_OK)
        {
            field(kept[i][1], secret.data, secret.len);
        }
    }
}


static void
keyed(const cwmp_user_t *u, const cwmp_user_line_t *l)
{
    cwmp_str_t     parts[] = { cwmp_string("basic"), l->name, l->password };
    unsigned char  mac[CWMP_SECRET_KEY], hex[2 * CWMP_SECRET_KEY];

    if (cwmp_secret_mac(u->secret.keys[0].key, parts, 3, mac) == CWMP_OK) {
        cwmp_secret_hex(mac, sizeof(mac), hex);
        field("basic", hex, sizeof(hex));
    }
}


static void
sealed(const cwmp_user_t *u, const cwmp_user_line_t *l)
{
    cwmp_str_t      name, out;
    cwmp_arena_t    arena = { from_heap, NULL };
    unsigned char   iv[CWMP_SECRET_IV], text[512];

    name.data = text;
    name.len = snprintf((char *) text, sizeof(text), "user/%.*s",
                        (int) l->name.len, l->name.data);

    if (RAND_bytes(iv, sizeof(iv)) == 1
        && cwmp_secret_seal(&u->secret, &arena, &name, iv, &l->password, &out)
           == CWMP_OK)
    {
        field("password", out.data, out.len);
        free(out.data);
    }
}


/* DEL first: what an earlier password left must not go on being good */

static void
store(const cwmp_user_t *u, const cwmp_user_line_t *l)
{
    int   n;
    char  key[512];

    n = snprintf(key, sizeof(key), "%s:user:{%.*s}", u->prefix,
                 (int) l->name.len, l->name.data);

    if (u->removed) {
        printf("*2\r\n$3\r\nDEL\r\n");
        bulk(key, n);
        return;
    }

    printf("*1\r\n$5\r\nMULTI\r\n*2\r\n$3\r\nDEL\r\n");
    bulk(key, n);
    printf("*%d\r\n$4\r\nHSET\r\n",
           2 + 2 * ((u->basic ? 1 : 2) + u->keep + (l->device.len != 0)));
    bulk(key, n);

    if (u->basic) {
        keyed(u, l);
    } else {
        digests(u, l);
    }

    if (u->keep) {
        sealed(u, l);
    }

    if (l->device.len) {
        field("device", l->device.data, l->device.len);
    }

    printf("*1\r\n$4\r\nEXEC\r\n");
}


static int
take(const cwmp_user_t *u, char *text, size_t n)
{
    char              *p = text;
    unsigned char      made[20];
    cwmp_user_line_t   l;

    l.name = word(&p);
    l.password = word(&p);
    l.device = word(&p);

    if (l.name.len == 0 || l.name.data[0] == '#') {
        return 0;
    }

    if (word(&p).len) {
        return fail(n, "has more than NAME PASSWORD DEVICE");
    }

    if (l.name.len > 256 || l.device.len > 256 || l.password.len > 256) {
        return fail(n, "a word is longer than 256 bytes");
    }

    if (memchr(l.name.data, '}', l.name.len)) {
        return fail(n, "NAME has a \"}\"");
    }

    if (l.password.len == 0 && !u->removed) {
        return fail(n, "has no PASSWORD; - makes one");
    }

    if (l.password.len == 1 && l.password.data[0] == '-'
        && !make_password(&l, made))
    {
        return fail(n, "no random bytes");
    }

    store(u, &l);

    return 0;
}


static int
read_keys(cwmp_user_t *u, const char *path)
{
    FILE    *f;
    size_t   n;
    char     text[4096];

    f = fopen(path, "r");
    if (f == NULL) {
        perror(path);
        return 0;
    }

    n = fread(text, 1, sizeof(text), f);
    fclose(f);

    if (cwmp_secret_read(&u->secret, (unsigned char *) text, n) == CWMP_OK) {
        return 1;
    }

    fprintf(stderr, "cwmp-user: %s, line %zu %s\n", path, u->secret.line,
            u->secret.reason ? u->secret.reason : "is too much");

    return 0;
}


int
main(int argc, char **argv)
{
    int          c, bad = 0;
    char        *line = NULL;
    size_t       n = 0, size = 0;
    cwmp_user_t  u = { .prefix = "cwmp", .realm = cwmp_string("cwmp") };

    while ((c = getopt(argc, argv, "k:r:p:bsdh")) != -1) {

        switch (c) {

        case 'k':
            if (!read_keys(&u, optarg)) {
                return 1;
            }
            break;

        case 'r':
            u.realm.data = (unsigned char *) optarg;
            u.realm.len = strlen(optarg);
            break;

        case 'p':
            u.prefix = optarg;
            break;

        case 'b':
            u.basic = 1;
            break;

        case 's':
            u.keep = 1;
            break;

        case 'd':
            u.removed = 1;
            break;

        default:
            fputs(usage, c == 'h' ? stdout : stderr);
            return c != 'h';
        }
    }

    if ((u.basic || u.keep) && u.secret.n == 0) {
        return fail(0, "-b and -s need the key file: -k FILE");
    }

    while (getline(&line, &size, stdin) != -1) {
        bad |= take(&u, line, ++n);
    }

    free(line);

    return bad;
}
