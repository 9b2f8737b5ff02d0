/*
 * cwmp-user: credentials of CPEs, for Redis.  Reads a user a line, and writes
 * a command for each that stores what proves it: for "redis-cli --pipe", one
 * user or a million, or for "redis-cli -c" where Redis is a Cluster.  It opens
 * no connection, and no password stands on a command line or in a message.
 *
 * A line is either written whole, as one command, or not at all.
 */

#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "cwmp_identity.h"
#include "cwmp_keys.h"
#include "cwmp_user.h"
#include "key.h"

#define CWMP_USER_WORD    256       /* bytes; those of an ID */
#define CWMP_USER_LINE    1024
#define CWMP_USER_REALM   255       /* as cwmp_auth has it */
#define CWMP_USER_FIELDS  6
#define CWMP_USER_TEXT    2048      /* of a sealed password */


typedef struct {
    const char      *prefix;
    const char      *key_file;
    const char      *made_file;
    FILE            *made;
    cwmp_str_t       realm;
    cwmp_secret_t    secret;
    int              basic;         /* Basic alone: the password is no key */
    int              keep;          /* the password, sealed */
    int              removed;
    int              force;
    int              first;         /* for first contact only */
    int              cluster;
    size_t           line;
} cwmp_user_t;

/* a line's words, and what is stored of them: all before any is written */
typedef struct {
    cwmp_str_t       name;
    cwmp_str_t       password;
    cwmp_str_t       device;
    cwmp_str_t       key;
    size_t           n;
    cwmp_str_t       fields[2 * CWMP_USER_FIELDS];
    unsigned char    text[CWMP_USER_TEXT];
    unsigned char   *last;
} cwmp_user_line_t;


static const char  usage[] =
"usage: cwmp-user [options] < USERS | redis-cli --pipe\n"
"\n"
"USERS has a line for each: NAME PASSWORD [DEVICE], with TABs between them\n"
"where one has a blank.  NAME is the device's ID (OUI-ProductClass-\n"
"SerialNumber), unless DEVICE says whose it is: an ID, or OUI-ProductClass-*\n"
"for all of these.\n"
"\n"
"  -k, --key FILE      the key file of cwmp_secret_key: for Basic and -s\n"
"  -r, --realm REALM   the realm of cwmp_auth (cwmp)\n"
"  -b, --basic         for \"cwmp_auth basic\" alone: what is stored cannot\n"
"                      be used instead of the password, as digest's can\n"
"  -s, --sealed        keeps the password as well, sealed\n"
"  -m, --made FILE     a PASSWORD of - is made up, and written to this file,\n"
"                      which must be new\n"
"  -1, --first         users of first contact: good for devices that have no\n"
"                      user of their own\n"
"  -f, --force         replaces also what RotateCredentials gave a device,\n"
"                      which is locked out until it is told the new password,\n"
"                      and a user of first contact\n"
"  -d, --delete        takes the users away; a line needs a NAME only\n"
"  -c, --cluster       Redis is a Cluster: writes for \"redis-cli -c\"\n"
"  -p, --prefix NAME   prefix of the keys (cwmp)\n"
"  -h, --help          this text\n"
"\n"
"Exit code: 0 all lines were written, 1 some were not: which ones and why is\n"
"on standard error.\n";

static const struct option  options[] = {
    { "key", required_argument, NULL, 'k' },
    { "realm", required_argument, NULL, 'r' },
    { "basic", no_argument, NULL, 'b' },
    { "sealed", no_argument, NULL, 's' },
    { "made", required_argument, NULL, 'm' },
    { "first", no_argument, NULL, '1' },
    { "force", no_argument, NULL, 'f' },
    { "delete", no_argument, NULL, 'd' },
    { "cluster", no_argument, NULL, 'c' },
    { "prefix", required_argument, NULL, 'p' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 }
};

/* what an earlier password left must not go on being good; but nobody else
   knows the one that a device was given, and what was for first contact is not
   to be more than that.  "first" is the last field */
#define CWMP_USER_STORE                                                       \
    "redis.call('DEL',KEYS[1]) return redis.call('HSET',KEYS[1],unpack(ARGV))"

static const char  store_new[] =
    "local g='RotateCredentials has given the device others' "
    "for f,w in pairs{task=g,next=g,"
    "first='it is for first contact (cwmp-user -1)'} do "
    "if f~=ARGV[#ARGV-1] and redis.call('HEXISTS',KEYS[1],f)==1 then "
    "return redis.error_reply('ERR '..KEYS[1]..' is left as it is: '..w..'; "
    "cwmp-user -f replaces it') end end "
    CWMP_USER_STORE;

static const char  store_any[] = CWMP_USER_STORE;


static int
fail(const cwmp_user_t *u, const char *why, ...)
{
    va_list  args;

    fputs("cwmp-user: ", stderr);

    if (u->line) {
        fprintf(stderr, "line %zu: ", u->line);
    }

    va_start(args, why);
    vfprintf(stderr, why, args);
    va_end(args);
    fputc('\n', stderr);

    return 1;
}


/* --- a line -------------------------------------------------------------- */

/* 1, or 0 at the end; a longer one is cut, and has len CWMP_USER_LINE */

static int
read_line(char *buf, size_t *len)
{
    int  c;

    for (*len = 0; (c = getchar_unlocked()) != EOF && c != '\n'; /* void */) {
        if (*len < CWMP_USER_LINE) {
            buf[(*len)++] = c;
        }
    }

    return c != EOF || *len;
}


static cwmp_str_t
word(char **p, char *end, const char *between)
{
    cwmp_str_t  w;

    while (*p < end && strchr(between, **p)) {
        (*p)++;
    }

    w.data = (unsigned char *) *p;

    while (*p < end && !strchr(between, **p)) {
        (*p)++;
    }

    w.len = (unsigned char *) *p - w.data;

    return w;
}


/* an ID in any spelling that is understood; or, as DEVICE, the beginning of
   some and a "*" */

static int
is_device(const cwmp_str_t *name, int many)
{
    cwmp_str_t     one = *name;
    unsigned char  id[CWMP_ID_MAX];

    if (many && name->len && name->data[name->len - 1] == '*') {
        memcpy(id, name->data, name->len);
        id[name->len - 1] = '0';        /* any that goes on */
        one.data = id;
    }

    return cwmp_identity_of(&one, id) != 0;
}


static const char *
wrong(const cwmp_user_t *u, const cwmp_user_line_t *l)
{
    size_t  max;

    max = (l->name.len > l->device.len) ? l->name.len : l->device.len;
    max = (l->password.len > max) ? l->password.len : max;

    if (max > CWMP_USER_WORD) {
        return "a word is longer than 256 bytes";
    }

    if (memchr(l->name.data, ':', l->name.len)) {
        return "NAME has a \":\", which ends the name in HTTP authentication";
    }

    if (memchr(l->name.data, '}', l->name.len)) {
        return "NAME has a \"}\", which ends the name in Redis' keys";
    }

    if (u->removed) {
        return NULL;
    }

    if (l->password.len == 0) {
        return "has no PASSWORD";
    }

    if (l->device.len == 0 && !is_device(&l->name, 0)) {
        return "NAME is no device's ID (OUI-ProductClass-SerialNumber, "
               "percent-encoded): add DEVICE";
    }

    if (l->device.len && !is_device(&l->device, 1)) {
        return "DEVICE is neither a device's ID "
               "(OUI-ProductClass-SerialNumber, percent-encoded) nor the "
               "beginning of some and a \"*\"";
    }

    return NULL;
}


static const char *
words(const cwmp_user_t *u, cwmp_user_line_t *l, char *p, size_t len)
{
    char        *end = p + len;
    size_t       i;
    const char  *between;

    if (len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
        return "begins with a byte order mark: save the file without it";
    }

    for (i = 0; i < len; i++) {
        if (((unsigned char) p[i] < ' ' && p[i] != '\t') || p[i] == 0x7f) {
            return "has a control character";
        }
    }

    between = memchr(p, '\t', len) ? "\t" : " ";

    l->name = word(&p, end, between);
    l->password = word(&p, end, between);
    l->device = word(&p, end, between);

    if (word(&p, end, between).len) {
        return "has more than NAME PASSWORD DEVICE";
    }

    if (l->name.len
        && (l->name.data[0] == ' ' || l->name.data[l->name.len - 1] == ' '))
    {
        return "has blanks around NAME, and a TAB: use TABs alone";
    }

    return wrong(u, l);
}


/* --- what is stored ------------------------------------------------------ */

/* to be free until the next line */

static void *
from_line(void *owner, size_t size)
{
    cwmp_user_line_t  *l = owner;

    unsigned char  *p = l->last;

    if (size > (size_t) (l->text + CWMP_USER_TEXT - p)) {
        return NULL;
    }

    l->last += size;

    return p;
}


static void
field(cwmp_user_line_t *l, const char *name, cwmp_str_t value)
{
    cwmp_str_t  *f = &l->fields[l->n];

    f[0].data = (unsigned char *) name;
    f[0].len = strlen(name);
    f[1] = value;
    l->n += 2;
}


static int
make_password(cwmp_user_line_t *l)
{
    unsigned char  *p;

    p = from_line(l, CWMP_USER_PASSWORD);

    if (p == NULL || RAND_bytes(p, CWMP_USER_PASSWORD) != 1) {
        return 0;
    }

    cwmp_user_password(p, p);

    l->password.data = p;
    l->password.len = CWMP_USER_PASSWORD;

    return 1;
}


static int
digests(const cwmp_user_t *u, cwmp_user_line_t *l)
{
    cwmp_str_t      proof;
    unsigned char  *p;

    static const char  *names[] = { "md5", "sha256" };

    for (cwmp_user_proof_t i = CWMP_USER_MD5; i <= CWMP_USER_SHA256; i++) {
        p = from_line(l, CWMP_DIGEST_HEX);

        if (p == NULL || cwmp_user_digest(i, &l->name, &u->realm, &l->password,
                                          p, &proof)
                         != CWMP_OK)
        {
            return 0;
        }

        field(l, names[i], proof);
    }

    return 1;
}


static int
keyed(const cwmp_user_t *u, cwmp_user_line_t *l)
{
    cwmp_str_t      proof;
    unsigned char  *p;

    p = from_line(l, CWMP_DIGEST_HEX);

    if (p == NULL || cwmp_user_basic(&u->secret.keys[0], &l->name, &l->password,
                                     p, &proof)
                     != CWMP_OK)
    {
        return 0;
    }

    field(l, "basic", proof);

    return 1;
}


static int
sealed(const cwmp_user_t *u, cwmp_user_line_t *l)
{
    cwmp_str_t     out;
    cwmp_arena_t   arena = { from_line, l };
    unsigned char  iv[CWMP_SECRET_IV];

    if (RAND_bytes(iv, sizeof(iv)) != 1
        || cwmp_user_seal(&u->secret, &arena, "user", &l->name, iv,
                          &l->password, &out)
           != CWMP_OK)
    {
        return 0;
    }

    field(l, "password", out);

    return 1;
}


static const char *
fields(const cwmp_user_t *u, cwmp_user_line_t *l)
{
    cwmp_str_t    prefix, yes = cwmp_string("1");
    cwmp_arena_t  arena = { from_line, l };

    l->n = 0;
    l->last = l->text;

    prefix.data = (unsigned char *) u->prefix;
    prefix.len = strlen(u->prefix);

    if (cwmp_user_key(&arena, &prefix, &l->name, &l->key) != CWMP_OK) {
        return "is too long";
    }

    if (u->removed) {
        return NULL;
    }

    if (l->password.len == 1 && l->password.data[0] == '-') {

        if (u->made == NULL) {
            return "PASSWORD is -, to make one up: say where to write it, "
                   "with -m FILE";
        }

        if (!make_password(l)
            || fprintf(u->made, "%.*s\t%.*s\n", (int) l->name.len,
                       l->name.data, (int) l->password.len, l->password.data)
               < 0)
        {
            return "cannot make a password up";
        }
    }

    if ((!u->basic && !digests(u, l)) || (u->secret.n && !keyed(u, l))
        || (u->keep && !sealed(u, l)))
    {
        return "OpenSSL cannot make what is stored";
    }

    if (l->device.len) {
        field(l, "device", l->device);
    }

    if (u->first) {
        field(l, "first", yes);

    } else if (l->device.len && l->device.data[l->device.len - 1] == '*') {
        fail(u, "is taken, and may come as each of these devices, also as one "
             "that has a user of its own: -1 is for first contact only");
    }

    return NULL;
}


/* --- the command --------------------------------------------------------- */

static void
write_bulk(const char *p, size_t len)
{
    printf("$%zu\r\n", len);
    fwrite(p, 1, len, stdout);
    fputs("\r\n", stdout);
}


/* as redis-cli reads a line */

static void
write_quoted(const char *p, size_t len)
{
    size_t         i;
    unsigned char  c;

    putchar('"');

    for (i = 0; i < len; i++) {
        c = p[i];

        if (c == '"' || c == '\\' || c > '~') {
            printf("\\x%02x", c);
        } else {
            putchar(c);
        }
    }

    fputs("\" ", stdout);
}


static void
write_command(const cwmp_user_t *u, const cwmp_user_line_t *l)
{
    size_t  i;
    void  (*write)(const char *p, size_t len);

    write = u->cluster ? write_quoted : write_bulk;

    if (!u->cluster) {
        printf("*%zu\r\n", u->removed ? (size_t) 2 : 4 + l->n);
    }

    if (u->removed) {
        write("DEL", 3);

    } else {
        write("EVAL", 4);
        write(u->force ? store_any : store_new,
              (u->force ? sizeof(store_any) : sizeof(store_new)) - 1);
        write("1", 1);
    }

    write((const char *) l->key.data, l->key.len);

    for (i = 0; i < l->n; i++) {
        write((const char *) l->fields[i].data, l->fields[i].len);
    }

    if (u->cluster) {
        putchar('\n');
    }
}


static int
take(const cwmp_user_t *u, cwmp_user_line_t *l, char *text, size_t len)
{
    const char  *why;

    if (len == CWMP_USER_LINE) {
        return fail(u, "is longer than %d bytes", CWMP_USER_LINE - 1);
    }

    if (len && text[len - 1] == '\r') {
        len--;                          /* of a file from elsewhere */
    }

    if (strspn(text, " \t") == len || text[0] == '#') {
        return 0;
    }

    why = words(u, l, text, len);
    why = why ? why : fields(u, l);

    if (why) {
        return fail(u, "%s", why);
    }

    write_command(u, l);

    return 0;
}


static int
take_all(cwmp_user_t *u)
{
    int               bad = 0;
    char              text[CWMP_USER_LINE + 1];
    size_t            len;
    cwmp_user_line_t  l;

    while (!ferror(stdout) && read_line(text, &len)) {
        u->line++;
        text[len] = '\0';
        bad |= take(u, &l, text, len);
    }

    OPENSSL_cleanse(text, sizeof(text));
    OPENSSL_cleanse(&l, sizeof(l));
    u->line = 0;

    if (ferror(stdin)) {
        bad = fail(u, "cannot read to the end");
    }

    if (u->made && fclose(u->made) != 0) {
        bad = fail(u, "%s: cannot be written", u->made_file);
    }

    if (fflush(stdout) != 0 || ferror(stdout)) {
        bad = fail(u, "cannot write: not all users are stored");
    }

    return bad;
}


/* --- the command line ---------------------------------------------------- */

static int
make_file(cwmp_user_t *u)
{
    int  fd;

    fd = open(u->made_file, O_WRONLY | O_CREAT | O_EXCL, S_IRUSR | S_IWUSR);
    u->made = (fd == -1) ? NULL : fdopen(fd, "w");

    if (u->made == NULL) {
        perror(u->made_file);
        return 1;
    }

    return 0;
}


static int
check(cwmp_user_t *u)
{
    size_t  i, n;

    static const char  part[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

    n = strlen(u->prefix);

    if (n == 0 || n > 32 || strspn(u->prefix, part) != n) {
        return fail(u, "the prefix is not 1 to 32 of letters, digits, \".\", "
                    "\"_\" and \"-\"");
    }

    if (u->realm.len == 0 || u->realm.len > CWMP_USER_REALM) {
        return fail(u, "the realm is not 1 to %d bytes", CWMP_USER_REALM);
    }

    for (i = 0; i < u->realm.len; i++) {
        if (u->realm.data[i] < ' ' || u->realm.data[i] > '~'
            || u->realm.data[i] == '"' || u->realm.data[i] == '\\')
        {
            return fail(u, "the realm is not printable ASCII without \" and "
                        "\\");
        }
    }

    if ((u->basic || u->keep) && u->key_file == NULL) {
        return fail(u, "-b and -s need the key file: -k FILE");
    }

    return (u->key_file && read_key("cwmp-user", u->key_file, &u->secret))
           || (u->made_file && make_file(u));
}


int
main(int argc, char **argv)
{
    int          c;
    cwmp_user_t  u = { .prefix = "cwmp", .realm = cwmp_string("cwmp") };

    while ((c = getopt_long(argc, argv, "k:r:bsm:1fdcp:h", options, NULL))
           != -1)
    {
        switch (c) {

        case 'k':
            u.key_file = optarg;
            break;

        case 'r':
            u.realm.data = (unsigned char *) optarg;
            u.realm.len = strlen(optarg);
            break;

        case 'b':
            u.basic = 1;
            break;

        case 's':
            u.keep = 1;
            break;

        case 'm':
            u.made_file = optarg;
            break;

        case '1':
            u.first = 1;
            break;

        case 'f':
            u.force = 1;
            break;

        case 'd':
            u.removed = 1;
            break;

        case 'c':
            u.cluster = 1;
            break;

        case 'p':
            u.prefix = optarg;
            break;

        default:
            fputs(usage, c == 'h' ? stdout : stderr);
            return c != 'h';
        }
    }

    if (optind < argc) {
        return fail(&u, "users are read from standard input, so that no "
                    "password stands on a command line");
    }

    return check(&u) || take_all(&u);
}
