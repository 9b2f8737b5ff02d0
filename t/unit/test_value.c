
/* Values: what is accepted, what is sent, what is said about the rest. */

#include "cwmp_value.h"
#include "tap.h"


static const struct {
    const char  *type;
    const char  *in;
    const char  *out;               /* NULL: refused */
} cases[] = {
    { "boolean", "true", "1" }, { "boolean", "TRUE", "1" },
    { "boolean", " Yes ", "1" }, { "boolean", "on", "1" },
    { "boolean", "0", "0" }, { "boolean", "off", "0" },
    { "boolean", "2", NULL }, { "boolean", "", NULL },
    { "int", "+0012", "12" }, { "int", "-0", "0" },
    { "int", "-2147483648", "-2147483648" }, { "int", "2147483648", NULL },
    { "int", "-2147483649", NULL }, { "int", "1.5", NULL },
    { "int", "", NULL }, { "int", "-", NULL }, { "int", "5 dB", NULL },
    { "unsignedInt", "4294967295", "4294967295" },
    { "unsignedInt", "4294967296", NULL }, { "unsignedInt", "-1", NULL },
    { "long", "9223372036854775807", "9223372036854775807" },
    { "long", "-9223372036854775808", "-9223372036854775808" },
    { "long", "9223372036854775808", NULL },
    { "unsignedLong", "18446744073709551615", "18446744073709551615" },
    { "unsignedLong", "18446744073709551616", NULL },
    { "decimal", "+01.50", "1.5" }, { "decimal", ".5", "0.5" },
    { "decimal", "-0.0", "0" }, { "decimal", "5.", "5" },
    { "decimal", ".", NULL }, { "decimal", "1e5", NULL },
    { "dateTime", "2025-03-01T08:00:00Z", "2025-03-01T08:00:00Z" },
    { "dateTime", "2025-03-01T02:00:00+05:30", "2025-02-28T20:30:00Z" },
    { "dateTime", "2024-02-29 23:30:00-0100", "2024-03-01T00:30:00Z" },
    { "dateTime", "2025-12-31T23:59:59.120-01", "2026-01-01T00:59:59.12Z" },
    { "dateTime", "2025-03-01T08:00:00", "2025-03-01T08:00:00Z" },
    { "dateTime", "2025-03-01T08:00:00.000Z", "2025-03-01T08:00:00Z" },
    { "dateTime", "2025-03-01T08:00:00.1234567891Z",
      "2025-03-01T08:00:00.123456789Z" },
    { "dateTime", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z" },
    { "dateTime", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z" },
    { "dateTime", "0001-01-03T03:04:05", "0001-01-03T03:04:05" },
    { "dateTime", "0001-01-01T00:00:00+01:00", NULL },
    { "dateTime", "9999-12-31T23:59:59-01:00", NULL },
    { "dateTime", "2023-02-29T00:00:00Z", NULL },
    { "dateTime", "1900-02-29T00:00:00Z", NULL },
    { "dateTime", "2000-02-29T00:00:00Z", "2000-02-29T00:00:00Z" },
    { "dateTime", "0000-00-00T00:00:00", NULL },
    { "dateTime", "2025-03-01", NULL }, { "dateTime", "", NULL },
    { "dateTime", "2025-03-01T24:00:00Z", NULL },
    { "dateTime", "2025-03-01T08:00:00Zx", NULL },
    { "dateTime", "2025-03-01T08:00:00+05:", NULL },
    { "dateTime", "2025-03-01T08:00:00+", NULL },
    { "dateTime", "2025-03-01T08:00:00.", NULL },
    { "hexBinary", "0aFf", "0AFF" }, { "hexBinary", "0a0", NULL },
    { "hexBinary", "", "" }, { "hexBinary", "zz", NULL },
    { "base64", "AAEC\r\n Aw==", "AAECAw==" }, { "base64", "", "" },
    { "base64", "AAE", NULL }, { "base64", "A=EC", NULL },
    { "base64", "AA-_", NULL }, { "base64", "====", NULL },
    { "base64", "A===", NULL }, { "base64", "AB==", "AA==" },
    { "base64", "A/==", "Aw==" }, { "base64", "AAD=", "AAA=" },
    { "base64", "AA/=", "AA8=" }, { "base64", "//8=", "//8=" },
    { "base64", "////", "////" }, { "base64", "A=", NULL },
    { "base64", "=AAA", NULL },
    { "string", " a ", " a " }, { "string", "caf\xc3\xa9", "caf\xc3\xa9" },
    { "string", "caf\xe9", NULL }, { "string", "a\x01", NULL },
    { "string", "", "" }, { "string", "\xef\xbf\xbe", NULL }
};


int
main(void)
{
    size_t              i, n, outlen, room;
    unsigned char      *out, *in;
    const char         *wrong;
    cwmp_value_type_t   type;

    static const struct {
        const char         *name;
        cwmp_value_type_t   type;
    } names[] = {
        { "xsd:unsignedInt", CWMP_V_UNSIGNEDINT },
        { "unsignedint", CWMP_V_UNSIGNEDINT }, { "uint", CWMP_V_UNSIGNEDINT },
        { "xsd:Boolean", CWMP_V_BOOLEAN }, { "integer", CWMP_V_INT },
        { "xsd:datetime", CWMP_V_DATETIME }, { "base64", CWMP_V_BASE64 },
        { "xsd:base64Binary", CWMP_V_BASE64 },
        { "soap-enc:string", CWMP_V_STRING }, { "nothing", CWMP_V_NONE },
        { "", CWMP_V_NONE }, { "xsd:", CWMP_V_NONE },
        { "xsd:float", CWMP_V_NONE }, { "xsd:short", CWMP_V_NONE },
        { "xsd:unsignedByte", CWMP_V_NONE }, { "foo:bar", CWMP_V_NONE },
        { "xsd:anySimpleType", CWMP_V_NONE },
        { "xsd:string(256)", CWMP_V_STRING }, { "(16)", CWMP_V_NONE },
        { "xsd:str(1)", CWMP_V_NONE }
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        ok(cwmp_value_type((const unsigned char *) names[i].name,
                           strlen(names[i].name)) == names[i].type,
           "TYP-05 type \"%s\"", names[i].name);
    }

    for (i = CWMP_V_STRING; i <= CWMP_V_HEXBINARY; i++) {
        wrong = cwmp_value_type_name(i);
        ok(cwmp_value_type((const unsigned char *) wrong, strlen(wrong)) == i,
           "TYP-01 %s by its own name", wrong);
    }

    ok(cwmp_value_type_name(CWMP_V_NONE) == NULL, "none has no name");

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        n = strlen(cases[i].in);
        room = (n > 40 ? n : 40) + 1;

        /* buffers of the exact size, for the sanitizer to look at */

        in = malloc(n + 1);
        out = malloc(room);
        memcpy(in, cases[i].in, n);
        in = realloc(in, n ? n : 1);

        type = cwmp_value_type((const unsigned char *) cases[i].type,
                               strlen(cases[i].type));
        wrong = cwmp_value_canonical(type, in, n, out, &outlen);

        if (cases[i].out == NULL) {
            ok(wrong != NULL, "TYP-01 %s: no. %d %s", cases[i].type, (int) i,
               wrong ? wrong : "was taken");

        } else if (wrong) {
            ok(0, "%s \"%s\" %s", cases[i].type, cases[i].in, wrong);

        } else {
            is_mem(out, outlen, cases[i].out, "TYP-01 TYP-02 TYP-03 value");
        }

        free(in);
        free(out);
    }

    wrong = cwmp_value_canonical(CWMP_V_UNSIGNEDINT,
                                 (const unsigned char *) "4294967296", 10,
                                 (unsigned char[41]) { 0 }, &outlen);
    is_str(wrong, "is above 4294967295", "the reason names the bound");

    return done();
}
