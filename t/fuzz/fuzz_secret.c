/*
 * What a key file is for, and whom a name means.  First byte: which of cases[];
 * the next ones: where, and how much, is changed.  What was sealed opens to the
 * same, for the same name and with the same key; no changed byte opens to
 * anything else.  A nonce is fresh with its own key, realm and time alone.  A
 * user is proven by its own password alone.  A name means one device, however
 * it is spelled, or those that begin as its pattern does.
 */

#include <ctype.h>

#include "cwmp_identity.h"
#include "cwmp_nonce.h"
#include "cwmp_user.h"
#include "fuzz.h"

#define ONE    "000102030405060708090a0b0c0d0e0f"                             \
               "101112131415161718191a1b1c1d1e1f"
#define OTHER  "ffeeddccbbaa99887766554433221100"                             \
               "FFEEDDCCBBAA99887766554433221100"
#define HOW    8                    /* bytes before the rest */


static tap_arena_t   owner;
static cwmp_arena_t  arena = { tap_alloc, &owner };


static cwmp_secret_t
keys(const char *file)
{
    cwmp_secret_t  s;

    must(cwmp_secret_read(&s, (const unsigned char *) file, strlen(file))
         == CWMP_OK);

    return s;
}


/* up to a NUL, and past it */

static cwmp_str_t
part(unsigned char **p, unsigned char *end)
{
    cwmp_str_t  s;

    s.data = *p;

    while (*p < end && **p) {
        (*p)++;
    }

    s.len = *p - s.data;
    *p += (*p < end);

    return s;
}


static cwmp_str_t
copy(const cwmp_str_t *s, size_t more)
{
    cwmp_str_t  c;

    c.len = s->len;
    c.data = cwmp_alloc(&arena, s->len + more + !(s->len + more));

    if (s->len) {
        memcpy(c.data, s->data, s->len);
    }

    return c;
}


/* one byte of it is another one, or it is a byte longer */

static cwmp_str_t
changed(const cwmp_str_t *s, const unsigned char *how)
{
    size_t      at = (how[1] | how[2] << 8) % (s->len + 1);
    cwmp_str_t  c = copy(s, 1);

    if (at == s->len) {
        c.data[c.len++] = how[3];

    } else {
        c.data[at] ^= how[3] ? how[3] : 1;
    }

    return c;
}


static int
same_lower(const cwmp_str_t *a, const cwmp_str_t *b)
{
    size_t  i;

    for (i = 0; a->len == b->len && i < a->len; i++) {
        if (tolower(a->data[i]) != tolower(b->data[i])) {
            return 0;
        }
    }

    return a->len == b->len;
}


static void
refuses(const cwmp_secret_t *s, const cwmp_str_t *name,
    const cwmp_str_t *sealed)
{
    cwmp_str_t   value;
    const char  *reason = NULL;

    must(cwmp_secret_open(s, &arena, name, sealed, &value, &reason)
         == CWMP_REFUSED);
    must(reason && reason[0]);
}


static void
opens(const cwmp_secret_t *s, const cwmp_str_t *name,
    const cwmp_str_t *sealed, const cwmp_str_t *want)
{
    cwmp_str_t   value;
    const char  *reason;

    must(cwmp_secret_is_sealed(sealed) && !cwmp_secret_lacks(s, sealed));
    must(cwmp_secret_open(s, &arena, name, sealed, &value, &reason)
         == CWMP_OK);
    must(fuzz_same(&value, want));
}


/* any bytes as a key file: said again it is the same, and in another order it
   opens what this one seals */

static void
fuzz_file(const unsigned char *how, unsigned char *p, unsigned char *end)
{
    size_t          i, n;
    cwmp_rc_t       rc;
    cwmp_str_t      name = cwmp_string("ID field"), value = { 3, p }, sealed;
    cwmp_secret_t   s, again;
    unsigned char   file[CWMP_SECRET_KEYS * (2 * CWMP_SECRET_KEY + 1)], *q;

    rc = cwmp_secret_read(&s, p, end - p);
    must(rc == CWMP_OK || (rc == CWMP_REFUSED && s.reason && s.reason[0]));
    must(s.line <= (size_t) (end - p));

    if (rc != CWMP_OK) {
        return;
    }

    must(s.n >= 1 && s.n <= CWMP_SECRET_KEYS);

    for (i = s.n, q = file; i-- > 0; q += 2 * CWMP_SECRET_KEY + 1) {
        cwmp_secret_hex(s.keys[i].key, CWMP_SECRET_KEY, q);
        q[2 * CWMP_SECRET_KEY] = '\n';
    }

    n = q - file;
    must(cwmp_secret_read(&again, file, n) == CWMP_OK && again.n == s.n);

    for (i = 0; i < s.n; i++) {
        must(memcmp(&s.keys[i], &again.keys[s.n - 1 - i], sizeof(s.keys[i]))
             == 0);
    }

    must(cwmp_secret_seal_same(&s, &arena, &name, &value, &sealed) == CWMP_OK);
    opens(&again, &name, &sealed, &value);
}


/* name NUL value */

static void
fuzz_seal(const unsigned char *how, unsigned char *p, unsigned char *end)
{
    unsigned char   iv[CWMP_SECRET_IV] = { how[4], how[5], how[6], how[7] };
    cwmp_str_t      name = part(&p, end), value = { end - p, p };
    cwmp_str_t      sealed, twice, other;
    cwmp_secret_t   s = keys(ONE), both = keys(OTHER "\n" ONE),
                    none = keys(OTHER);

    must(cwmp_secret_seal(&s, &arena, &name, iv, &value, &sealed) == CWMP_OK);
    opens(&s, &name, &sealed, &value);
    opens(&both, &name, &sealed, &value);

    must(cwmp_secret_lacks(&none, &sealed) == sealed.data + 3);
    refuses(&none, &name, &sealed);

    other = changed(&name, how);
    refuses(&s, &other, &sealed);

    other = changed(&sealed, how);

    if (same_lower(&other, &sealed) && other.data[0] == 's'
        && memcmp(other.data, sealed.data, 3 + CWMP_SECRET_ID) == 0)
    {
        opens(&s, &name, &other, &value);

    } else {
        refuses(&s, &name, &other);
    }

    must(cwmp_secret_seal_same(&s, &arena, &name, &value, &sealed) == CWMP_OK);
    must(cwmp_secret_seal_same(&s, &arena, &name, &value, &twice) == CWMP_OK);
    must(fuzz_same(&sealed, &twice));
    opens(&s, &name, &sealed, &value);

    other = changed(&value, how);
    must(cwmp_secret_seal_same(&s, &arena, &name, &other, &twice) == CWMP_OK);
    must(!fuzz_same(&sealed, &twice));
}


/* any bytes as a sealed text: what opens is what is sealed by its iv */

static void
fuzz_open(const unsigned char *how, unsigned char *p, unsigned char *end)
{
    cwmp_str_t      name = cwmp_string("ID field"), value, again;
    cwmp_str_t      sealed = { end - p, p };
    const char     *reason = NULL;
    unsigned char   iv[CWMP_SECRET_IV];
    cwmp_secret_t   s = keys(ONE);

    if (cwmp_secret_open(&s, &arena, &name, &sealed, &value, &reason)
        != CWMP_OK)
    {
        must(reason && reason[0]);
        return;
    }

    must(cwmp_secret_unhex(p + 3 + CWMP_SECRET_ID + 1, 2 * sizeof(iv), iv));
    must(cwmp_secret_seal(&s, &arena, &name, iv, &value, &again) == CWMP_OK);
    must(same_lower(&again, &sealed));
}


static cwmp_nonce_rc_t
check(cwmp_secret_t s, const cwmp_str_t *realm, uint32_t now, uint32_t lives,
    const cwmp_str_t *nonce)
{
    return cwmp_nonce_check(&s, realm, now, lives, nonce);
}


/* a realm */

static void
fuzz_nonce(const unsigned char *how, unsigned char *p, unsigned char *end)
{
    uint32_t        now = (how[4] | how[5] << 8 | how[6] << 16) * 100u;
    uint32_t        lives = how[7];
    unsigned char   text[CWMP_NONCE_LEN];
    cwmp_str_t      realm = { end - p, p }, nonce = { sizeof(text), text };
    cwmp_str_t      other;
    cwmp_secret_t   s = keys(ONE);

    if (cwmp_nonce_make(&s, &realm, now, how[3], how, text) != CWMP_OK) {
        must(realm.len > 1024 - 4 - 12);
        return;
    }

    must(check(s, &realm, now, lives, &nonce) == CWMP_NONCE_FRESH);
    must(check(keys(OTHER "\n" ONE), &realm, now + lives, lives, &nonce)
         == CWMP_NONCE_FRESH);
    must(check(s, &realm, now + lives + 1, lives, &nonce)
         == CWMP_NONCE_STALE);
    must(now < 6 || check(s, &realm, now - 6, lives, &nonce)
                    == CWMP_NONCE_STALE);
    must(check(keys(OTHER), &realm, now, lives, &nonce)
         == CWMP_NONCE_FOREIGN);

    other = changed(&realm, how);
    must(check(s, &other, now, lives, &nonce) == CWMP_NONCE_FOREIGN);

    other = changed(&nonce, how);
    must(check(s, &realm, now, lives, &other) == CWMP_NONCE_FOREIGN);

    must(check(s, &other, now, lives, &realm) == CWMP_NONCE_FOREIGN);
}


/* name NUL realm NUL password */

static void
fuzz_user(const unsigned char *how, unsigned char *p, unsigned char *end)
{
    int             i;
    unsigned char   iv[CWMP_SECRET_IV] = { how[4] };
    unsigned char   a[CWMP_DIGEST_HEX], b[CWMP_DIGEST_HEX];
    cwmp_str_t      name = part(&p, end), realm = part(&p, end);
    cwmp_str_t      word = { end - p, p }, another = changed(&word, how);
    cwmp_str_t      whose = changed(&name, how), sealed, value, one, two;
    const char     *reason;
    cwmp_secret_t   s = keys(ONE "\n" OTHER);

    for (i = CWMP_USER_MD5; i <= CWMP_USER_SHA256; i++) {
        must(cwmp_user_digest(i, &name, &realm, &word, a, &one) == CWMP_OK);
        must(cwmp_user_digest(i, &name, &realm, &another, b, &two)
             == CWMP_OK);
        must(one.len == (i == CWMP_USER_MD5 ? 32 : 64));
        must(!fuzz_same(&one, &two));
    }

    if (cwmp_user_basic(&s.keys[0], &name, &word, a, &one) == CWMP_OK
        && cwmp_user_basic(&s.keys[0], &name, &another, b, &two) == CWMP_OK)
    {
        must(one.len == 64 && !fuzz_same(&one, &two));
        must(cwmp_user_basic(&s.keys[1], &name, &word, b, &two) == CWMP_OK);
        must(!fuzz_same(&one, &two));
    }

    must(cwmp_user_seal(&s, &arena, "user", &name, iv, &word, &sealed)
         == CWMP_OK);
    must(cwmp_user_open(&s, &arena, "user", &name, &sealed, &value, &reason)
         == CWMP_OK);
    must(fuzz_same(&value, &word));
    must(cwmp_user_open(&s, &arena, "connection_request", &name, &sealed,
                        &value, &reason) == CWMP_REFUSED);
    must(cwmp_user_open(&s, &arena, "user", &whose, &sealed, &value, &reason)
         == CWMP_REFUSED);
}


/* a device's ID, spelled in small letters where that makes no difference */

static cwmp_str_t
spelled(const cwmp_str_t *id)
{
    int         oui = 1, hex = 0;
    size_t      i;
    cwmp_str_t  s = copy(id, 1);

    for (i = 0; i < s.len; i++) {
        oui &= (s.data[i] != '-');
        hex = (s.data[i] == '%') ? 3 : hex - (hex > 0);

        if (oui || hex) {
            s.data[i] = (unsigned char) tolower(s.data[i]);
        }
    }

    return s;
}


/* a pattern of its first bytes means it just when they have an OUI and a '-' */

static void
begins(const cwmp_str_t *id, const cwmp_str_t *other, size_t len)
{
    int         means;
    cwmp_str_t  pattern = copy(id, 1);

    pattern.len = len + 1;
    pattern.data[len] = '*';

    means = cwmp_identity_means(&pattern, id);
    must(means == (memchr(id->data, '-', len) && len < CWMP_ID_MAX));
    must(cwmp_identity_means(&pattern, other)
         == (means && len <= other->len
             && memcmp(id->data, other->data, len) == 0));
}


/* OUI NUL class NUL serial NUL any name */

static void
fuzz_means(const unsigned char *how, unsigned char *p, unsigned char *end)
{
    cwmp_str_t      oui = part(&p, end), class = part(&p, end);
    cwmp_str_t      serial = part(&p, end), name = { end - p, p };
    cwmp_str_t      another = changed(&serial, how), id, other, same, one;
    const char     *reason;
    unsigned char   room[CWMP_ID_MAX];

    if (cwmp_identity(&arena, &oui, &class, &serial, &id, &reason) != CWMP_OK
        || cwmp_identity(&arena, &oui, &class, &another, &other, &reason)
           != CWMP_OK)
    {
        return;
    }

    must(cwmp_identity_means(&id, &id) && cwmp_identity_means(&other, &other));
    must(!cwmp_identity_means(&id, &other));
    must(!cwmp_identity_means(&other, &id));

    same = spelled(&id);
    must(cwmp_identity_means(&same, &id));
    must(cwmp_identity_of(&same, room) == id.len);
    must(memcmp(room, id.data, id.len) == 0);

    begins(&id, &other, how[4] % (id.len + 1));

    if (name.len && name.data[name.len - 1] != '*') {
        one.data = room;
        one.len = cwmp_identity_of(&name, room);
        must(cwmp_identity_means(&name, &id) == fuzz_same(&one, &id));
    }
}


int
LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
    unsigned char  *rest;

    static void  (*cases[])(const unsigned char *how, unsigned char *p,
        unsigned char *end) = {
        fuzz_file, fuzz_seal, fuzz_open, fuzz_nonce, fuzz_user, fuzz_means
    };

    if (n < HOW) {
        return 0;
    }

    memset(&owner, 0, sizeof(owner));
    rest = malloc(n - HOW + (n == HOW));
    memcpy(rest, p + HOW, n - HOW);

    cases[p[0] % (sizeof(cases) / sizeof(cases[0]))](p, rest, rest + n - HOW);

    free(rest);
    tap_free(&owner);

    return 0;
}
