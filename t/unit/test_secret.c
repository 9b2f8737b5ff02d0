/*
 * The key file, what it seals, and nonces that verify themselves.  The values
 * were made by another implementation (Python's hmac and cryptography).
 */

#include "cwmp_nonce.h"
#include "cwmp_secret.h"
#include "cwmp_task.h"
#include "tap.h"

#define KEY    "000102030405060708090a0b0c0d0e0f"                             \
               "101112131415161718191a1b1c1d1e1f"
#define OTHER  "ffeeddccbbaa99887766554433221100"                             \
               "FFEEDDCCBBAA99887766554433221100"
#define SEALED "s1.825de61b.000102030405060708090a0b2e2a0f2ab02b5028ff8d1562" \
               "fc54cbd648ab2f0a2e5c"
#define NONCE  "6b093c434000000102030405f6391089f9ef2842f8bb62088979d3b0"
#define MADE   1795767363u


static tap_arena_t   owner;
static cwmp_arena_t  arena = { tap_alloc, &owner };
static const unsigned char  bytes[12] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
                                          11 };


static cwmp_str_t
str(const char *s)
{
    cwmp_str_t  r;

    r.data = (unsigned char *) s;
    r.len = strlen(s);

    return r;
}


static cwmp_secret_t
keys(const char *text)
{
    cwmp_secret_t  s;

    if (cwmp_secret_read(&s, (const unsigned char *) text, strlen(text))
        != CWMP_OK)
    {
        ok(0, "a key file: line %d %s", (int) s.line, s.reason);
    }

    return s;
}


static void
refused(const char *text, int line, const char *reason)
{
    cwmp_secret_t  s;

    is_num(cwmp_secret_read(&s, (const unsigned char *) text, strlen(text)),
           CWMP_REFUSED, "a key file that is refused");
    is_str(s.reason, reason, "... why");
    is_num(s.line, line, "... where");
}


/* each use has a key of its own, none of which tells of another */

static void
test_derived(void)
{
    cwmp_secret_t         s = keys(KEY);
    cwmp_secret_key_t    *k = &s.keys[0];
    const unsigned char  *uses[] = { k->key, k->seal, k->iv, k->seed };
    size_t                i, j, same = 0;

    for (i = 0; i < 4; i++) {
        for (j = i + 1; j < 4; j++) {
            same += memcmp(uses[i], uses[j], 8) == 0;
        }
    }

    is_num(same, 0, "a key for each use");
}


/* parts that fill the room but for a byte, and none; then one more */

static void
test_room(void)
{
    size_t         left, bad = 0;
    cwmp_str_t     parts[3] = { str("12345"), str(""), str("12") };
    unsigned char  mac[CWMP_SECRET_KEY], room[1024];
    cwmp_secret_t  s = keys(KEY);

    memset(room, 'a', sizeof(room));
    parts[1].data = room;

    for (left = 0; left < 4; left++) {
        parts[1].len = 1024 - 7 - 2 - left;
        bad += cwmp_secret_mac(s.keys[0].key, parts, 3, mac) != CWMP_REFUSED;
    }

    is_num(bad, 0, "a part that has no room is refused");
    parts[1].len = 1024 - 7 - 2 - 4;
    is_num(cwmp_secret_mac(s.keys[0].key, parts, 3, mac), CWMP_OK,
           "one that just has is not");
}


static void
test_file(void)
{
    is_num(keys(KEY).n, 1, "a key");
    is_num(keys("# ours\n\n " KEY "  # of May\r\n" OTHER "\n").n, 2,
           "two, with comments");
    is_mem(keys(KEY).keys[0].id, CWMP_SECRET_ID, "825de61b", "its name");

    test_derived();

    refused("", 0, "has no key");
    refused("# " KEY "\n", 1, "has no key");
    refused(KEY "0\n", 1, "is no key of 64 hex digits");
    refused(KEY "\n" KEY "\n", 2, "is a key that was there already");
    refused(KEY "\nx" KEY, 2, "is no key of 64 hex digits");
}


static const char *
opened(const char *file, const char *name, const char *sealed)
{
    static char    text[64];
    cwmp_str_t     n = str(name), from = str(sealed), value;
    const char    *reason;
    cwmp_secret_t  s = keys(file);

    if (cwmp_secret_open(&s, &arena, &n, &from, &value, &reason) != CWMP_OK) {
        return reason;
    }

    memcpy(text, value.data, value.len);
    text[value.len] = '\0';

    return text;
}


/* the key that a file has not: of what whoever has it may open */

static void
test_lacks(void)
{
    size_t         i;
    cwmp_str_t     sealed = str(SEALED);
    cwmp_secret_t  has = keys(OTHER "\n" KEY), other = keys(OTHER);

    static const char  *none[] = {
        "", "x", "s1.zz", "s1.00000000.00",
        "s1.zzzzzzzz.0000000000000000000000000000000000000000000000000000000000",
        "s1.00000000.xx000000000000000000000000000000000000000000000000000000",
        "s1.00000000.000000000000000000000000000000000000000000000000000000000"
    };

    ok(cwmp_secret_lacks(&has, &sealed) == NULL, "a key that is there");
    ok(cwmp_secret_lacks(&other, &sealed) == sealed.data + 3, "one that is not");
    ok(cwmp_secret_lacks(NULL, &sealed) == sealed.data + 3, "there is none");

    for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        sealed = str(none[i]);
        ok(cwmp_secret_lacks(&other, &sealed) == NULL, "no sealed text: \"%s\"",
           none[i]);
    }
}


static void
test_seal(void)
{
    cwmp_str_t     name = str("user/x"), value = str("secret"), out;
    cwmp_secret_t  s = keys(KEY "\n" OTHER);

    is_num(cwmp_secret_seal(&s, &arena, &name, bytes, &value, &out), CWMP_OK,
           "a value is sealed");
    is_mem(out.data, out.len, SEALED, "as others seal it");

    is_str(opened(KEY, "user/x", SEALED), "secret", "and opens");
    is_str(opened(OTHER "\n" KEY, "user/x", SEALED), "secret",
           "by a key that is not the first any more");
    is_str(opened(OTHER, "user/x", SEALED),
           "is sealed with a key that the key file does not have",
           "not by another key");
    is_str(opened(KEY, "user/y", SEALED),
           "was sealed for something else, or changed", "nor elsewhere");
    is_str(opened(KEY, "user/x", "s1.825de61b.0001"), "is not sealed",
           "one that is cut");
    is_str(opened(KEY, "user/x", "secret"), "is not sealed", "a plain one");

    test_lacks();

    value = str("");
    is_num(cwmp_secret_seal(&s, &arena, &name, bytes, &value, &out), CWMP_OK,
           "nothing is sealed");
    ok(cwmp_secret_is_sealed(&out), "... and looks like it");
}


/* each byte of it changed, one after the other */

static void
test_changed(void)
{
    int      bad = 0;
    char     copy[sizeof(SEALED)], *p;

    for (p = copy; p < copy + sizeof(SEALED) - 1; p++) {
        memcpy(copy, SEALED, sizeof(SEALED));
        *p = (*p == '1') ? '2' : '1';
        bad += strcmp(opened(KEY, "user/x", copy), "secret") == 0;
    }

    is_num(bad, 0, "none opens that was changed");
}


static int
nonce(const char *file, const char *realm, uint32_t now, const char *text)
{
    cwmp_str_t     r = str(realm), n = str(text);
    cwmp_secret_t  s = keys(file);

    return cwmp_nonce_check(&s, &r, now, 60, &n);
}


static void
test_same(void)
{
    cwmp_str_t     name, other, value = str("hunter2"), empty = str("");
    cwmp_str_t     longer = str("hunter22");
    cwmp_str_t     id = str("00D09E-Box-S1"), field = str("Device.X.Password");
    cwmp_str_t     one, two, three, four, out;
    const char    *reason;
    cwmp_secret_t  s = keys(KEY), k = keys(OTHER "\n" KEY);

    cwmp_secret_name(&arena, &id, &field, &name);
    is_mem(name.data, name.len, "00D09E-Box-S1 Device.X.Password",
           "the name of a device's field");
    cwmp_secret_name(&arena, &id, &empty, &other);

    is_num(cwmp_secret_seal_same(&s, &arena, &name, &value, &one), CWMP_OK,
           "sealed by its name");
    cwmp_secret_seal_same(&s, &arena, &name, &value, &two);
    cwmp_secret_seal_same(&s, &arena, &other, &value, &three);
    cwmp_secret_seal_same(&k, &arena, &name, &value, &four);

    ok(one.len == two.len && memcmp(one.data, two.data, one.len) == 0,
       "once more it is the same text");
    ok(memcmp(one.data + 12, three.data + 12, 24) != 0,
       "for another name it shares nothing with it");
    ok(memcmp(one.data + 12, four.data + 12, 24) != 0, "nor by another key");

    cwmp_secret_seal_same(&s, &arena, &name, &longer, &three);
    ok(memcmp(one.data + 12, three.data + 12, 24) != 0, "nor does another value");

    is_num(cwmp_secret_open(&k, &arena, &name, &one, &out, &reason), CWMP_OK,
           "it opens, by an older key");
    is_mem(out.data, out.len, "hunter2", "... as it was");
    is_num(cwmp_secret_open(&s, &arena, &other, &one, &out, &reason),
           CWMP_REFUSED, "not for another name");
    is_num(cwmp_secret_seal_same(&s, &arena, &name, &empty, &one), CWMP_OK,
           "nothing can be sealed, too");
}


/* what is sealed in one place of a task does not open in another one */

static void
test_place(void)
{
    char           text[1024], *p, *q;
    cwmp_str_t     id = str("00D09E-Box-S1"), other = str("00D09E-Box-S2");
    cwmp_str_t     json = str("{\"method\":\"Download\",\"Username\":\"joe\","
                              "\"Password\":\"joe\"}");
    cwmp_str_t     sealed, opened, moved;
    const char    *reason;
    cwmp_secret_t  s = keys(KEY);

    is_num(cwmp_task_seal(&s, &arena, &id, &json, &sealed), CWMP_OK,
           "a task is sealed");
    is_num(cwmp_task_open(&s, &arena, &id, &sealed, &opened, &reason), CWMP_OK,
           "... and opened");
    ok(opened.len == json.len && memcmp(opened.data, json.data, json.len) == 0,
       "... as it was");

    snprintf(text, sizeof(text), "%.*s", (int) sealed.len, sealed.data);
    p = strstr(text, "s1.");
    q = strstr(p + 1, "s1.");
    ok(strncmp(p, q, 70) != 0, "the same text in two places is two texts");

    memcpy(q, p, strcspn(p, "\""));
    moved = str(text);
    is_num(cwmp_task_open(&s, &arena, &id, &moved, &opened, &reason),
           CWMP_REFUSED, "one of them in the other's place");
    is_num(cwmp_task_open(&s, &arena, &other, &sealed, &opened, &reason),
           CWMP_REFUSED, "all of it for another device");
    is_str(reason, "was sealed for something else, or changed", "... why");

    snprintf(text, sizeof(text), "%.*s", (int) sealed.len, sealed.data);
    *strstr(text, "Download") = 'U';
    moved = str(text);
    is_num(cwmp_task_open(&s, &arena, &id, &moved, &opened, &reason),
           CWMP_REFUSED, "... or as another method's");
}


static void
test_nonce(void)
{
    cwmp_str_t     realm = str("acs.example");
    cwmp_secret_t  s = keys(KEY "\n" OTHER);
    unsigned char  out[CWMP_NONCE_LEN];

    is_num(cwmp_nonce_make(&s, &realm, MADE, 250, bytes, out), CWMP_OK,
           "a nonce");
    is_mem(out, sizeof(out), NONCE, "as others make it");

    is_num(nonce(KEY, "acs.example", MADE, NONCE), CWMP_NONCE_FRESH,
           "it is fresh");
    is_num(nonce(OTHER "\n" KEY, "acs.example", MADE + 60, NONCE),
           CWMP_NONCE_FRESH, "for a minute, by an older key, too");
    is_num(nonce(KEY, "acs.example", MADE + 61, NONCE), CWMP_NONCE_STALE,
           "AUTH-06 then stale");
    is_num(nonce(KEY, "acs.example", MADE + 86400, NONCE), CWMP_NONCE_STALE,
           "AUTH-06 and so it is a day later");
    is_num(nonce(KEY, "acs.example", MADE - 5, NONCE), CWMP_NONCE_FRESH,
           "a clock that is a little ahead");
    is_num(nonce(KEY, "acs.example", MADE - 6, NONCE), CWMP_NONCE_STALE,
           "... or more");
    is_num(nonce(OTHER, "acs.example", MADE, NONCE), CWMP_NONCE_FOREIGN,
           "another's key");
    is_num(nonce(KEY, "example", MADE, NONCE), CWMP_NONCE_FOREIGN,
           "another realm");
    is_num(nonce(KEY, "acs.example", MADE, ""), CWMP_NONCE_FOREIGN, "none");
}


static void
test_nonce_changed(void)
{
    int            bad = 0;
    char           copy[sizeof(NONCE)], *p;
    cwmp_str_t     realm = str("acs.example"), n;
    cwmp_secret_t  s = keys(KEY);

    for (p = copy; p < copy + sizeof(NONCE) - 1; p++) {
        memcpy(copy, NONCE, sizeof(NONCE));
        *p = (*p == '1') ? '2' : '1';
        n = str(copy);
        bad += cwmp_nonce_check(&s, &realm, MADE, 60, &n)
               != CWMP_NONCE_FOREIGN;
    }

    is_num(bad, 0, "none is ours that was changed");
}


int
main(void)
{
    test_file();
    test_room();
    test_seal();
    test_changed();
    test_same();
    test_place();
    test_nonce();
    test_nonce_changed();

    tap_free(&owner);

    return done();
}
