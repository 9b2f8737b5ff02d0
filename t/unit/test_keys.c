
/*
 * The names of Redis keys, and which partition a device lives in: what an
 * admin computes with CLUSTER KEYSLOT.  "test_keys --tables" prints the keys
 * of a device for t/tables.t, which compares them with redis/lua.
 */

#include "cwmp_keys.h"
#include "tap.h"


#define ID  "00D09E-Box%203000-AB%2D12%2F7"


static size_t  count;
static size_t  fail_from;           /* 0: none fails */


static void *
counted_alloc(void *data, size_t size)
{
    count++;

    return (fail_from && count >= fail_from) ? NULL : tap_alloc(data, size);
}


static tap_arena_t   owner;
static cwmp_arena_t  arena = { counted_alloc, &owner };


/* CRC-16/XMODEM, as CLUSTER KEYSLOT says it, mod 16384 */

static const struct {
    cwmp_str_t   id;
    unsigned     crc;
} vectors[] = {
    { cwmp_string(""), 0 },
    { cwmp_string("123456789"), 0x31C3 },
    { cwmp_string("A"), 0x58E5 },
    { cwmp_string("\xff"), 0x1EF0 },
    { cwmp_string("\xff\xff\x80"), 0 },
    { cwmp_string("a\0b"), 0 },
    { cwmp_string("00D09E-0123456789"), 0 },
    { cwmp_string(ID), 0 },
    { cwmp_string("012345-Set%2DTop%2DBox-0123456789"), 0 }
};


/* of the same, by the polynomial's long division, a bit at a time */

static unsigned
divided(const cwmp_str_t *s)
{
    size_t    i, bits;
    unsigned  rest, bit;

    bits = 8 * s->len;

    for (rest = 0, i = 0; i < bits + 16; i++) {
        bit = i < bits ? (s->data[i / 8] >> (7 - i % 8)) & 1 : 0;
        rest = (rest << 1) | bit;

        if (rest & 0x10000) {
            rest ^= 0x11021;
        }
    }

    return rest;
}


static void
test_partitions(void)
{
    size_t        i, n;
    char          text[32];
    unsigned      crc, seen[64];
    cwmp_str_t    id;

    static const unsigned  counts[] = { 2, 3, 64, 1000, 16384 };

    for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        crc = cwmp_partition(&vectors[i].id, 65536);

        if (vectors[i].crc) {
            ok(crc == vectors[i].crc, "CRC16 of \"%.20s\" is %04X",
               vectors[i].id.data, vectors[i].crc);
        }

        ok(crc == divided(&vectors[i].id), "CRC16 %u by division", (int) i);

        for (n = 0; n < sizeof(counts) / sizeof(counts[0]); n++) {
            ok(cwmp_partition(&vectors[i].id, counts[n]) == crc % counts[n],
               "%u partitions", counts[n]);
        }

        ok(cwmp_partition(&vectors[i].id, 1) == 0
           && cwmp_partition(&vectors[i].id, 0) == 0,
           "one partition is number 0");
        ok(cwmp_partition(&vectors[i].id, 64) == crc % 16384 % 64,
           "64 partitions: CLUSTER KEYSLOT mod 64");
    }

    /* Redis' own examples of CLUSTER KEYSLOT */

    id = (cwmp_str_t) cwmp_string("somekey");
    is_num(cwmp_partition(&id, 16384), 11058, "the slot of somekey");
    id = (cwmp_str_t) cwmp_string("foo");
    is_num(cwmp_partition(&id, 16384), 12182, "the slot of foo");

    /* of the first braces, what is in them */

    is_num(cwmp_slot((unsigned char *) "foo", 3), 12182, "a key without");
    is_num(cwmp_slot((unsigned char *) "a:{foo}:b", 9), 12182, "a hash tag");
    is_num(cwmp_slot((unsigned char *) "a:{foo}{x}", 10), 12182, "two");
    ok(cwmp_slot((unsigned char *) "{}foo", 5)
       != cwmp_slot((unsigned char *) "foo", 3), "an empty one is none");
    ok(cwmp_slot((unsigned char *) "a{foo", 5)
       != cwmp_slot((unsigned char *) "foo", 3), "nor is one that is open");
    is_num(cwmp_slot((unsigned char *) "", 0), 0, "an empty key");

    /* devices spread: each of 64 gets its share of 6,400, within a factor 2 */

    memset(seen, 0, sizeof(seen));

    for (i = 0; i < 6400; i++) {
        id.len = (size_t) sprintf(text, "00D09E-Box-%06zu", i);
        id.data = (unsigned char *) text;
        seen[cwmp_partition(&id, 64)]++;
    }

    for (i = 0, n = 0; i < 64; i++) {
        n += seen[i] >= 50 && seen[i] <= 200;
    }

    is_num(n, 64, "serial numbers in a row spread over all partitions");
}


static void
test_names(void)
{
    size_t       i, n;
    char        *big;
    cwmp_rc_t    rc;
    cwmp_str_t   keys[CWMP_KEYS], key, id, prefix;

    static const char  *want[CWMP_KEYS] = {
        "cwmp:{0}:" ID, "cwmp:{0}:" ID ":params", "cwmp:{0}:" ID ":tasks",
        "cwmp:{0}:" ID ":queue", "cwmp:{0}:" ID ":live",
        "cwmp:{0}:" ID ":running", "cwmp:{0}:" ID ":waiting",
        "cwmp:{0}:" ID ":session", "cwmp:{0}:" ID ":results",
        "cwmp:{0}:due", "cwmp:{0}:events", "cwmp:{0}:index:seen",
        "cwmp:{0}:index:model", "cwmp:{0}:index:version",
        "cwmp:{0}:quirks", "cwmp:{0}:model:00D09E-Box%203000",
        "cwmp:{0}:index:first"
    };

    prefix = (cwmp_str_t) cwmp_string("cwmp");
    id = (cwmp_str_t) cwmp_string(ID);

    is_num(cwmp_keys(&arena, &prefix, 1, &id, keys), CWMP_OK, "keys");

    for (i = 0; i < CWMP_KEYS; i++) {
        is_mem(keys[i].data, keys[i].len, want[i], want[i]);
    }

    prefix = (cwmp_str_t) cwmp_string("isp-2");
    id = (cwmp_str_t) cwmp_string("123456789");     /* 0x31C3 mod 64: 3 */
    cwmp_keys(&arena, &prefix, 64, &id, keys);
    is_mem(keys[0].data, keys[0].len, "isp-2:{3}:123456789",
           "the partition and the prefix are in a device's keys");
    is_mem(keys[9].data, keys[9].len, "isp-2:{3}:due",
           "and in those of its partition");

    for (i = 0, n = 0; i < CWMP_KEYS; i++) {
        n += memcmp(keys[i].data, "isp-2:{3}:", 10) == 0;
    }

    is_num(n, CWMP_KEYS, "all keys of a call are in one slot");

    rc = cwmp_partition_key(&arena, &prefix, 4294967295u, "wake", &key);
    ok(rc == CWMP_OK, "the highest number");
    is_mem(key.data, key.len, "isp-2:{4294967295}:wake", "is in the name");

    id.data = (unsigned char *) "00D09E-Box-1";
    id.len = 12;
    rc = cwmp_user_key(&arena, &prefix, &id, &key);
    ok(rc == CWMP_OK, "a user's record");
    is_mem(key.data, key.len, "isp-2:user:{00D09E-Box-1}", "has its name");

    /* the name is its bytes: nothing is read after them */

    big = malloc(5000);
    memset(big, 'x', 5000);
    prefix.data = (unsigned char *) big;
    prefix.len = 5000;
    id.data = (unsigned char *) big;
    id.len = 5000;
    cwmp_keys(&arena, &prefix, 64, &id, keys);
    ok(keys[1].len == 5000 + 5000 + strlen(":{}:" ":params")
       + (cwmp_partition(&id, 64) > 9 ? 2 : 1), "long names are whole");
    free(big);

    /* each of the keys may find no memory */

    prefix = (cwmp_str_t) cwmp_string("cwmp");
    id = (cwmp_str_t) cwmp_string(ID);

    for (i = 1, n = 0; i <= CWMP_KEYS; i++) {
        count = 0;
        fail_from = i;
        n += cwmp_keys(&arena, &prefix, 1, &id, keys) == CWMP_ERROR;
    }

    is_num(n, CWMP_KEYS, "no memory for a key: ERROR");
    fail_from = 0;

    tap_free(&owner);
}


static int
tables(void)
{
    unsigned     i;
    cwmp_str_t   keys[CWMP_KEYS];
    cwmp_str_t   prefix = cwmp_string("cwmp"), id = cwmp_string("ID");

    cwmp_keys(&arena, &prefix, 1, &id, keys);

    for (i = 0; i < CWMP_KEYS; i++) {
        printf("%s %.*s\n", i < CWMP_DEVICE_KEYS ? "device" : "partition",
               (int) keys[i].len, keys[i].data);
    }

    tap_free(&owner);

    return 0;
}


int
main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--tables") == 0) {
        return tables();
    }

    test_partitions();
    test_names();

    return done();
}
