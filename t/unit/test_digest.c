
/*
 * Digest authentication by the vectors of the RFCs and of CPEs: what an
 * Authorization header says, the response that it must have, and what is
 * refused, with its reason.
 */

#include "cwmp_digest.h"
#include "tap.h"


#define BOX  "Digest username=\"00D09E-Box-0001\", realm=\"acs.example\", "    \
             "nonce=\"abcdef0123456789\", uri=\"/cwmp\", "
#define MD5  "9737065c5d696dc75329597ce3ea87e0"
#define OLD  "c7a0f3b7eabe00abc4e5edca5237ad5f"
#define NEW  "qop=auth, nc=00000001, cnonce=\"0a4f113b\", "

#define MUFASA  "Digest username=\"Mufasa\", "
#define RFC7616 "realm=\"http-auth@example.org\", uri=\"/dir/index.html\", "   \
                "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", "     \
                "nc=00000001, qop=auth, opaque=\"FQhe/qaU925kfnzjCev0ciny7QMk" \
                "PqMAFRtzCUYo5tdS\", "                                         \
                "cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", "


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


static cwmp_rc_t
parse(const char *header, cwmp_digest_t *d)
{
    return cwmp_digest_parse(&arena, (const unsigned char *) header,
                             strlen(header), d);
}


static cwmp_rc_t
check(const char *header, const char *method, const char *password)
{
    cwmp_str_t     m, secret;
    cwmp_digest_t  d;
    unsigned char  buf[CWMP_DIGEST_HEX];

    if (parse(header, &d) != CWMP_OK) {
        diag("%s", d.reason);
        return CWMP_ERROR;
    }

    m = str(password);
    cwmp_digest_secret(&d, &m, buf, &secret);
    m = str(method);

    return cwmp_digest_check(&d, &m, &secret);
}


static void
test_vectors(void)
{
    size_t  i;

    static const struct {
        const char  *name, *method, *password, *header;
    } good[] = {
        { "MD5, qop=auth", "POST", "pw", BOX NEW "response=\"" MD5 "\"" },
        { "MD5-sess", "POST", "pw", BOX NEW "algorithm=MD5-sess, "
          "response=\"62c36b9d7693c53bc6d1e7b3d0c0c5b6\"" },
        { "no qop", "POST", "pw", BOX "response=\"" OLD "\"" },
        { "in upper case", "POST", "pw",
          BOX "response=\"C7A0F3B7EABE00ABC4E5EDCA5237AD5F\"" },
        { "quoted and bare the wrong way round", "POST", "pw",
          "digest\tRESPONSE=" MD5 ",qop=\"auth\",nc=\"00000001\" ,"
          "algorithm=\"md5\",cnonce=0a4f113b,,uri=/cwmp,nonce = "
          "abcdef0123456789, realm=acs.example,username=00D09E-Box-0001," },
        { "unknown fields, twice", "POST", "pw",
          BOX NEW "x=1, x=\"a,b=\\\"c\", response=\"" MD5 "\", stale=x" },
        { "RFC 2617, 3.5", "GET", "Circle Of Life", MUFASA
          "realm=\"testrealm@host.com\", uri=\"/dir/index.html\", "
          "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", qop=auth, "
          "nc=00000001, cnonce=\"0a4f113b\", "
          "response=\"6629fae49393a05397450978507c4ef1\", "
          "opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"" },
        { "RFC 7616, 3.9.1, MD5", "GET", "Circle of Life", MUFASA RFC7616
          "algorithm=MD5, response=\"8ca523f5e9506fed4657c9700eebdbec\"" },
        { "RFC 7616, 3.9.1, SHA-256", "GET", "Circle of Life", MUFASA RFC7616
          "algorithm=SHA-256, response=\"753927fa0e85d155564e2e272a28d1802ca1"
          "0daf4496794697cf8db5856cb6c1\"" },
        { "a user \"a\\b\" by its unescaped name", "POST", "pw",
          "Digest username=\"\\\"a\\\\b\\\"\", realm=\"r\", nonce=\"n\", "
          "uri=\"/\", response=\"6314d309f48be51a41c28a0175e4a2a6\"" },
        { "a uri as it was sent", "POST", "pw",
          "Digest username=\"u\", realm=\"r\", nonce=\"n\", uri=\"/\\x%41\", "
          "response=\"ae44983130f2df0d652c941ff417f106\"" }
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        is_num(check(good[i].header, good[i].method, good[i].password),
               CWMP_OK, good[i].name);
        is_num(check(good[i].header, good[i].method, "pW"), CWMP_REFUSED,
               "and another password is not it");
        is_num(check(good[i].header, "PUT", good[i].password), CWMP_REFUSED,
               "nor another method");
    }
}


/* whichever of its digits is another one, it is another response */

static void
test_each_digit(void)
{
    size_t  i, at, wrong;
    char    was, header[512];

    strcpy(header, BOX NEW "response=\"" MD5 "\"");
    at = strlen(header) - 33;

    for (i = 0, wrong = 0; i < 32; i++) {
        was = header[at + i];
        header[at + i] = (was == '0') ? '1' : '0';
        wrong += check(header, "POST", "pw") != CWMP_REFUSED;
        header[at + i] = was;
    }

    is_num(wrong, 0, "each digit of the response counts");
    is_num(check(header, "POST", "pw"), CWMP_OK, "and it was right before");
}


static void
test_fields(void)
{
    cwmp_str_t     *f;
    cwmp_digest_t   d;

    is_num(parse("Digest uri=\"http://a.example/x?a=b,c\", username=\"\", "
                 "realm=\"a \\\"b\\\" \\\\ c\", nonce=\"n\tm\", nc=00fFA09b, "
                 "qop=Auth, cnonce=\"\", opaque=\"o\", response=" MD5, &d),
           CWMP_OK, "fields of any form");

    f = d.fields;
    is_mem(f[CWMP_DIGEST_URI].data, f[CWMP_DIGEST_URI].len,
           "http://a.example/x?a=b,c", "a comma in quotes ends nothing");
    is_mem(f[CWMP_DIGEST_REALM].data, f[CWMP_DIGEST_REALM].len,
           "a \"b\" \\ c", "escapes are undone");
    is_mem(f[CWMP_DIGEST_NONCE].data, f[CWMP_DIGEST_NONCE].len, "n\tm",
           "a tab in quotes stays");
    is_mem(f[CWMP_DIGEST_OPAQUE].data, f[CWMP_DIGEST_OPAQUE].len, "o",
           "opaque");
    is_num(f[CWMP_DIGEST_USERNAME].len, 0, "an empty text is a text");
    is_num(d.count, 0xffa09b, "nc as a number");

    is_num(parse(BOX "response=" OLD ", nc=zz", &d), CWMP_OK,
           "nc without qop says nothing");
    is_num(d.count, 0, "and counts nothing");
}


static void
test_refused(void)
{
    size_t         i;
    cwmp_digest_t  d;

    static const struct {
        const char  *header, *reason;
    } bad[] = {
        { "", "header is not Digest" },
        { "Basic dTpw", "header is not Digest" },
        { "Diges", "header is not Digest" },
        { "Digestx=y", "header is not Digest" },
        { "D\x09gest a=b", "header is not Digest" },
        { "Digest", "username is missing" },
        { "Digest ,, ,", "username is missing" },
        { "Digest username=\"u\"", "realm is missing" },
        { "Digest username=u,realm=r", "nonce is missing" },
        { "Digest username=u,realm=r,nonce=n", "uri is missing" },
        { BOX, "response is missing" },
        { BOX "response", "response has no value" },
        { BOX "response 1", "response has no value" },
        { BOX "=1", "a field has no name" },
        { BOX "\"x\"=1", "a field has no name" },
        { BOX "x=\"1", "a field has no closing quote" },
        { BOX "x=\"1\\", "a field has no closing quote" },
        { BOX "response=\"1\\\"", "response has no closing quote" },
        { BOX "x=\"1\"2", "a field has no comma after it" },
        { BOX "x=1 2", "a field has no comma after it" },
        { BOX "x=1\\,2", "a field has no comma after it" },
        { BOX "opaque=\"a\nb\"", "opaque has a control character" },
        { BOX "opaque=\"a\\\rb\"", "opaque has a control character" },
        { BOX "opaque=\"\x7f\"", "opaque has a control character" },
        { BOX "opaque=\x7f", "opaque has a control character" },
        { BOX "opaque=\x01", "opaque has no comma after it" },
        { BOX "uRi=\"/cwmp\"", "uri is there twice" },
        { BOX "response=" MD5 ",response=" MD5, "response is there twice" },
        { BOX "response=" MD5 ",qop=", "qop is not \"auth\"" },
        { BOX "response=" MD5 ",qop=auth-int", "qop is not \"auth\"" },
        { BOX "response=" MD5 ",qop=\"auth,auth-int\"",
          "qop is not \"auth\"" },
        { BOX "response=" MD5 ",qop=auth,nc=1", "cnonce is missing" },
        { BOX "response=" MD5 ",algorithm=MD5-sess", "cnonce is missing" },
        { BOX "response=" MD5 ",qop=auth,cnonce=1",
          "nc is not of 8 hexadecimal digits" },
        { BOX "response=" MD5 ",qop=auth,cnonce=1,nc=",
          "nc is not of 8 hexadecimal digits" },
        { BOX "response=" MD5 ",qop=auth,cnonce=1,nc=0000000g",
          "nc is not of 8 hexadecimal digits" },
        { BOX "response=" MD5 ",qop=auth,cnonce=1,nc=000000001",
          "nc is not of 8 hexadecimal digits" },
        { BOX "response=" MD5 ",qop=auth,cnonce=1,nc=00000000",
          "nc is 0: it begins with 1" },
        { BOX "response=" MD5 "0", "response is no digest in hex" },
        { BOX "response=9737065c5d696dc75329597ce3ea87eg",
          "response is no digest in hex" },
        { BOX "response=", "response is no digest in hex" },
        { BOX "algorithm=SHA-256,response=" MD5,
          "response is no digest in hex" },
        { BOX "algorithm=MD4,response=" MD5, "algorithm is none that is "
          "served: use MD5, MD5-sess or SHA-256" },
        { BOX "algorithm=,response=" MD5, "algorithm is none that is "
          "served: use MD5, MD5-sess or SHA-256" },
        { BOX "algorithm=MD5-ses,response=" MD5, "algorithm is none that is "
          "served: use MD5, MD5-sess or SHA-256" },
        { BOX "algorithm=MD5\rsess,response=" MD5,
          "algorithm has no comma after it" }
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (is_num(parse(bad[i].header, &d), CWMP_REFUSED, "refused")) {
            is_str(d.reason + strlen("Authorization: "), bad[i].reason,
                   bad[i].reason);
        }
    }
}


/* a header that is as long as may be, one longer, and one with a NUL; each in
   memory of its own, so that a sanitizer sees its end */

static void
test_bounds(void)
{
    char           *header;
    size_t          n;
    cwmp_rc_t       rc;
    cwmp_digest_t   d;

    for (n = CWMP_DIGEST_MAX; n <= CWMP_DIGEST_MAX + 1; n++) {
        header = malloc(n);
        memset(header, 'x', n);
        memcpy(header, BOX "x=", strlen(BOX "x="));
        memcpy(header + n - 42, ",response=" OLD, 42);
        rc = cwmp_digest_parse(&arena, (unsigned char *) header, n, &d);
        is_num(rc, n > CWMP_DIGEST_MAX ? CWMP_REFUSED : CWMP_OK,
               n > CWMP_DIGEST_MAX ? "4097 bytes are too many"
                                   : "4096 bytes are not");
        free(header);
    }

    is_str(d.reason, "Authorization: header is longer than 4096 bytes",
           "which is the reason");

    rc = cwmp_digest_parse(&arena, (unsigned char *) BOX "x=\"\0\"",
                           sizeof(BOX "x=\"\0\"") - 1, &d);
    is_num(rc, CWMP_REFUSED, "a NUL is refused");
    is_str(d.reason, "Authorization: a field has a control character",
           "as a control character");

    owner.limit = 1;
    is_num(parse(BOX "opaque=\"\\a\"", &d), CWMP_ERROR,
           "no memory for an escape");
    is_num(parse(BOX "response=" OLD, &d), CWMP_OK, "none is needed otherwise");
    owner.limit = 0;
}


int
main(void)
{
    test_vectors();
    test_each_digit();
    test_fields();
    test_refused();
    test_bounds();
    tap_free(&owner);

    return done();
}
