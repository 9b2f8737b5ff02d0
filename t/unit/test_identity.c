
/* IDs by TR-069's vectors, and cookies as CPEs mangle them. */

#include "cwmp_identity.h"
#include "tap.h"


#define TOKEN  "AAECAwQFBgcICQoLDA0ODw"

static tap_arena_t   owner;
static cwmp_arena_t  arena = { tap_alloc, &owner };


static cwmp_str_t
str(const char *s)
{
    cwmp_str_t  r;

    r.data = (unsigned char *) s;
    r.len = strlen(s);

    return r;
}


static void
test_identity(void)
{
    size_t       i;
    char         text[200];
    cwmp_rc_t    rc;
    cwmp_str_t   oui, class, serial, id;
    const char  *reason;

    static const struct {
        const char  *oui, *class, *serial, *id;
    } good[] = {
        { "012345", "Set-Top-Box", "0123456789",
          "012345-Set%2DTop%2DBox-0123456789" },
        { "00D09E", "Box 3000", "AB-12/7", "00D09E-Box%203000-AB%2D12%2F7" },
        { "00D09E", "", "0123456789", "00D09E-0123456789" },
        { "3c9066", "B", "s", "3C9066-B-s" },
        { "00D09E", "\xc3\xa9", "a%b", "00D09E-%C3%A9-a%25b" }
    };

    static const struct {
        const char  *oui, *class, *serial, *reason;
    } bad[] = {
        { "", "B", "1", "DeviceId.OUI is empty" },
        { "00D09E", "B", "", "DeviceId.SerialNumber is empty" },
        { "00D09E1", "B", "1", "DeviceId.OUI is longer than 6 characters" },
        { "00D09E", "B", NULL,
          "DeviceId.SerialNumber is longer than 64 characters" },
        { "00D09E", NULL, "1",
          "DeviceId.ProductClass is longer than 64 characters" }
    };

    memset(text, 'x', 65);
    text[65] = '\0';

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        oui = str(good[i].oui);
        class = str(good[i].class);
        serial = str(good[i].serial);

        rc = cwmp_identity(&arena, &oui, &class, &serial, &id, &reason);

        if (ok(rc == CWMP_OK, "AUTH-08 vector %d", (int) i)) {
            is_mem(id.data, id.len, good[i].id, "AUTH-08 and its ID");
            ok(cwmp_identity_valid(id.data, id.len), "which is valid");
        }
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        oui = str(bad[i].oui);
        class = str(bad[i].class ? bad[i].class : text);
        serial = str(bad[i].serial ? bad[i].serial : text);

        rc = cwmp_identity(&arena, &oui, &class, &serial, &id, &reason);

        if (ok(rc == CWMP_REFUSED, "refused")) {
            is_str(reason, bad[i].reason, bad[i].reason);
        }
    }

    /* bytes that continue nothing: what is accepted has a valid ID */

    for (i = 24; i <= 25; i++) {
        memset(text, '\x80', i);
        text[i] = '\0';
        oui = str(text);
        class = str("");
        serial = str("1");
        is_num(cwmp_identity(&arena, &oui, &class, &serial, &id, &reason),
               i == 24 ? CWMP_OK : CWMP_REFUSED,
               i == 24 ? "OUI of 24 bytes that are no UTF-8"
                       : "one of 25 is refused");
        ok(i > 24 || cwmp_identity_valid(id.data, id.len), "and its ID");
    }

    memset(text, '-', 64);
    text[64] = '\0';
    oui = str("00D09E");
    class = str(text);
    serial = str(text);
    is_num(cwmp_identity(&arena, &oui, &class, &serial, &id, &reason),
           CWMP_REFUSED, "ID over 256 bytes");
}


static void
test_valid(void)
{
    size_t  i;

    static const struct {
        const char  *id;
        int          valid;
    } cases[] = {
        { "00D09E-1", 1 }, { "00D09E-B-1", 1 }, { "00D09E-B-", 0 },
        { "00D09E--1", 0 }, { "-B-1", 0 }, { "00D09E", 0 }, { "", 0 },
        { "00d09e-1", 0 }, { "00D09E-a-b-c", 0 }, { "00D09E-%2d", 0 },
        { "00D09E-%2D", 1 }, { "00D09E-%41", 0 }, { "00D09E-%2", 0 },
        { "00D09E-a b", 0 }, { "00D09E7-b", 0 }, { "00D09E-a\nb", 0 },
        { "00D09E-{0}", 0 }, { "00D09E-", 0 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ok(cwmp_identity_valid((const unsigned char *) cases[i].id,
                               strlen(cases[i].id)) == cases[i].valid,
           "SES-21 \"%s\" is %svalid", i == 15 ? "(line feed)" : cases[i].id,
           cases[i].valid ? "" : "in");
    }
}


static void
test_cookie(void)
{
    size_t         i;
    int            found;
    cwmp_str_t     token, id, cookie;
    unsigned char  random[16], text[CWMP_TOKEN_LEN];

    static const struct {
        const char  *header;
        const char  *id;
    } cases[] = {
        { "cwmp=" TOKEN ".00D09E-B-1", "00D09E-B-1" },
        { "a=b; cwmp=" TOKEN ".00D09E-1; c=d", "00D09E-1" },
        { "a=b,cwmp=" TOKEN ".00D09E-1,c=d", "00D09E-1" },
        { "cwmp=\"" TOKEN ".00D09E-1\"; Path=/", "00D09E-1" },
        { "Path=/;  cwmp = " TOKEN ".00D09E-1 ", "00D09E-1" },
        { "$Version=\"1\"; cwmp=\"" TOKEN ".00D09E-1\"; $Path=\"/\"",
          "00D09E-1" },
        { "cwmp=" TOKEN ".00D09E-1; cwmp=" TOKEN ".00D09E-2", "00D09E-2" },
        { "xcwmp=" TOKEN ".00D09E-1", NULL },
        { "cwmpx=" TOKEN ".00D09E-1", NULL },
        { "cwmpx" TOKEN ".00D09E-1", NULL },
        { "cwmp=" TOKEN ".", NULL },
        { "cwmp=" TOKEN, NULL },
        { "cwmp=short.00D09E-1", NULL },
        { "cwmp=AAECAwQFBgcICQoLDA0OD/.00D09E-1", NULL },
        { "cwmp=" TOKEN ".00D09E-1\x7f", NULL },
        { "cwmp", NULL }, { "cwmp=", NULL }, { "", NULL }, { ";;,,", NULL }
    };

    for (i = 0; i < 16; i++) {
        random[i] = i;
    }

    cwmp_token_encode(random, text);
    is_mem(text, sizeof(text), TOKEN, "a token is base64url");

    token.data = text;
    token.len = sizeof(text);
    id = str("00D09E-B-1");
    cwmp_cookie_write(&arena, &token, &id, &cookie);
    is_mem(cookie.data, cookie.len, "cwmp=" TOKEN ".00D09E-B-1; Path=/",
           "HTTP-13 cookie with Path=/ and no more");

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        found = cwmp_cookie_parse((const unsigned char *) cases[i].header,
                                  strlen(cases[i].header), &token, &id);
        ok(found == (cases[i].id != NULL), "HTTP-14 D5 D43 %.60s",
           cases[i].header);

        if (found && cases[i].id) {
            is_mem(id.data, id.len, cases[i].id, "and its ID");
        }
    }
}


static void
test_means(void)
{
    int            one;
    size_t         i, len;
    cwmp_str_t     name, id;
    unsigned char  buf[CWMP_ID_MAX];

    static const struct {
        const char  *name, *id;
        int          means;
    } names[] = {
        { "012345-Set%2DTop%2DBox-0123456789",
          "012345-Set%2DTop%2DBox-0123456789", 1 },
        { "012345-Set%2dTop%2DBox-0123456789",
          "012345-Set%2DTop%2DBox-0123456789", 1 },
        { "00d09e-Box%203000-AB%2d12%2f7", "00D09E-Box%203000-AB%2D12%2F7",
          1 },
        { "00D09E-0123456789", "00D09E-0123456789", 1 },
        { "00D09E-box-1", "00D09E-Box-1", 0 },
        { "00D09E-Box-ab", "00D09E-Box-AB", 0 },
        { "00D09E-Box-1", "00D09E-Box-12", 0 },
        { "00D09E-Box-12", "00D09E-Box-1", 0 },
        { "00D09E-Box-*", "00D09E-Box-1", 1 },
        { "00D09E-*", "00D09E-Box-1", 1 },
        { "00D09E-Box-1*", "00D09E-Box-1", 1 },
        { "00D09E-Box-12*", "00D09E-Box-1", 0 },
        { "00D09E-Bax-*", "00D09E-Box-1", 0 },
        { "00D09E*", "00D09E-Box-1", 0 },
        { "*", "00D09E-Box-1", 0 },
        { "", "00D09E-Box-1", 0 },
        { "abc-bo-x1", "ABC-bo-x1", 1 },
        { "abc-bo-*", "ABC-bo-x1", 1 },
        { "00D09E-Set-Top-1", "00D09E-Set%2DTop-1", 0 },
        { "00D09E-Box-%31", "00D09E-Box-1", 0 },
        { "00D09E-Set%252DTop-1", "00D09E-Set%2DTop-1", 0 },
        { "00D09E-Box-1%00", "00D09E-Box-1", 0 },
        { "CN=00D09E-Box-1", "00D09E-Box-1", 0 },
        { "00D09E-Box-1,O=x", "00D09E-Box-1", 0 },
        { " 00D09E-Box-1", "00D09E-Box-1", 0 },
        { "00D09E-Box-1 ", "00D09E-Box-1", 0 },
        { "00D09E-*x", "00D09E-Box-1", 0 },
        { "00D09E-**", "00D09E-Box-1", 0 },
        { "00D09E-Box-*", "00D09E-Boxer-1", 0 },
        { "00D09E-Box-*", "00D09E-Box%2D1", 0 },
        { "00D09E-Box-*", "00D09F-Box-1", 0 },
        { "00D09E-%2A", "00D09E-%2A", 1 },
        { "00D09E-%2A", "00D09E-Box-1", 0 },
        { "*-Box-1", "00D09E-Box-1", 0 },
        { "00D09E-Box-1*", "00D09E-Box-", 0 },
        { "0a%3ab-Box-1", "0A%3AB-Box-1", 1 },
        { "0a%3ab-Box-*", "0A%3AB-Box-1", 1 },
        { "%C3%A9%*", "%C3%A9%2D1-1", 0 }
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        name = str(names[i].name);
        id = str(names[i].id);
        ok(cwmp_identity_means(&name, &id) == names[i].means,
           "AUTH-08 \"%s\" %s %s", names[i].name,
           names[i].means ? "means" : "does not mean", names[i].id);

        one = names[i].means && name.len && name.data[name.len - 1] != '*';
        len = cwmp_identity_of(&name, buf);

        ok((len == id.len && memcmp(buf, id.data, len) == 0) == one,
           "AUTH-08 \"%s\" %s this ID", names[i].name,
           one ? "spells" : "does not spell");
    }
}


int
main(void)
{
    test_identity();
    test_means();
    test_valid();
    test_cookie();
    tap_free(&owner);

    return done();
}
