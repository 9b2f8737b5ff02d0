/*
 * A key of the file is used for nothing itself: what seals, and whatever a
 * caller needs, is derived from it by a label of its own.
 */

#include <limits.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "cwmp_secret.h"

#define CWMP_SECRET_TAG    16
#define CWMP_SECRET_HEAD   (sizeof("s1..") - 1 + CWMP_SECRET_ID)
#define CWMP_SECRET_LONGEST                                                   \
    (CWMP_SECRET_HEAD                                                         \
     + 2 * (CWMP_SECRET_IV + CWMP_SECRET_MAX + CWMP_SECRET_TAG))


static cwmp_rc_t cwmp_secret_line(cwmp_secret_t *s, const unsigned char *p,
    const unsigned char *end);
static cwmp_rc_t cwmp_secret_add(cwmp_secret_t *s, const unsigned char *key);
static EVP_MAC_CTX *cwmp_secret_hmac(void);
static int cwmp_secret_derive(const unsigned char *key, const char *label,
    unsigned char *out);
static int cwmp_secret_is_hex(const unsigned char *p, size_t n);
static cwmp_rc_t cwmp_secret_raw(cwmp_arena_t *arena,
    const cwmp_str_t *sealed, cwmp_str_t *raw);
static int cwmp_secret_cipher(int sealing, const cwmp_secret_key_t *key,
    const cwmp_str_t *name, const unsigned char *iv, const unsigned char *from,
    size_t len, unsigned char *to, unsigned char *tag);


cwmp_rc_t
cwmp_secret_read(cwmp_secret_t *s, const unsigned char *p, size_t len)
{
    cwmp_rc_t             rc;
    const unsigned char  *end, *line;

    memset(s, 0, sizeof(cwmp_secret_t));

    for (end = p + len; p < end; p = line + 1) {
        line = memchr(p, '\n', end - p);
        line = line ? line : end;
        s->line++;

        rc = cwmp_secret_line(s, p, line);
        if (rc != CWMP_OK) {
            return rc;
        }

        if (line == end) {
            break;
        }
    }

    if (s->n == 0) {
        s->reason = "has no key";
        return CWMP_REFUSED;
    }

    return CWMP_OK;
}


static cwmp_rc_t
cwmp_secret_line(cwmp_secret_t *s, const unsigned char *p,
    const unsigned char *end)
{
    cwmp_rc_t             rc;
    unsigned char         key[CWMP_SECRET_KEY];
    const unsigned char  *comment;

    comment = memchr(p, '#', end - p);
    end = comment ? comment : end;

    while (p < end && strchr(" \t\r", *p) && *p) {
        p++;
    }

    while (end > p && strchr(" \t\r", end[-1]) && end[-1]) {
        end--;
    }

    if (p == end) {
        return CWMP_OK;
    }

    if (end - p != 2 * CWMP_SECRET_KEY
        || !cwmp_secret_unhex(p, end - p, key))
    {
        s->reason = "is no key of 64 hex digits";
        return CWMP_REFUSED;
    }

    rc = cwmp_secret_add(s, key);
    OPENSSL_cleanse(key, sizeof(key));

    return rc;
}


static cwmp_rc_t
cwmp_secret_add(cwmp_secret_t *s, const unsigned char *key)
{
    size_t              i;
    unsigned char       id[CWMP_SECRET_KEY];
    cwmp_secret_key_t  *k;

    for (i = 0; i < s->n; i++) {
        if (memcmp(s->keys[i].key, key, CWMP_SECRET_KEY) == 0) {
            s->reason = "is a key that was there already";
            return CWMP_REFUSED;
        }
    }

    if (s->n == CWMP_SECRET_KEYS) {
        s->reason = "is one key more than the four that are read";
        return CWMP_REFUSED;
    }

    k = &s->keys[s->n];
    memcpy(k->key, key, CWMP_SECRET_KEY);

    if (!cwmp_secret_derive(key, "seal", k->seal)
        || !cwmp_secret_derive(key, "iv", k->iv)
        || !cwmp_secret_derive(key, "seed", k->seed)
        || !cwmp_secret_derive(key, "id", id))
    {
        return CWMP_ERROR;
    }

    cwmp_secret_hex(id, CWMP_SECRET_ID / 2, k->id);
    s->n++;

    return CWMP_OK;
}


static int
cwmp_secret_derive(const unsigned char *key, const char *label,
    unsigned char *out)
{
    cwmp_str_t  part;

    part.data = (unsigned char *) label;
    part.len = strlen(label);

    return cwmp_secret_mac(key, &part, 1, out) == CWMP_OK;
}


/* few and short parts: they are copied.  The context is kept for good: to make
   one costs more than the digest */

cwmp_rc_t
cwmp_secret_mac(const unsigned char *key, const cwmp_str_t *parts, size_t n,
    unsigned char *mac)
{
    size_t          i, len;
    unsigned char   text[1024], *p = text;

    static EVP_MAC_CTX  *ctx;

    for (i = 0; i < n; i++) {
        len = parts[i].len;

        if (len + 2 > (size_t) (text + sizeof(text) - p)) {
            return CWMP_REFUSED;
        }

        *p++ = (unsigned char) (len >> 8);
        *p++ = (unsigned char) len;
        memcpy(p, parts[i].data, len);
        p += len;
    }

    if (ctx == NULL) {
        ctx = cwmp_secret_hmac();
    }

    return (ctx && EVP_MAC_init(ctx, key, CWMP_SECRET_KEY, NULL)
            && EVP_MAC_update(ctx, text, p - text)
            && EVP_MAC_final(ctx, mac, &len, CWMP_SECRET_KEY))
           ? CWMP_OK : CWMP_ERROR;
}


static EVP_MAC_CTX *
cwmp_secret_hmac(void)
{
    EVP_MAC      *hmac;
    OSSL_PARAM    params[2];
    EVP_MAC_CTX  *ctx;

    hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    ctx = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
    EVP_MAC_free(hmac);

    params[0] = OSSL_PARAM_construct_utf8_string("digest", "SHA256", 0);
    params[1] = OSSL_PARAM_construct_end();

    if (ctx && !EVP_MAC_CTX_set_params(ctx, params)) {
        EVP_MAC_CTX_free(ctx);
        return NULL;
    }

    return ctx;
}


int
cwmp_secret_is_sealed(const cwmp_str_t *value)
{
    return value->len >= CWMP_SECRET_HEAD
                         + 2 * (CWMP_SECRET_IV + CWMP_SECRET_TAG)
           && memcmp(value->data, "s1.", 3) == 0
           && value->data[CWMP_SECRET_HEAD - 1] == '.';
}


/* the bytes are iv, what the cipher made of the value, tag */

cwmp_rc_t
cwmp_secret_seal(const cwmp_secret_t *s, cwmp_arena_t *arena,
    const cwmp_str_t *name, const unsigned char iv[CWMP_SECRET_IV],
    const cwmp_str_t *value, cwmp_str_t *sealed)
{
    size_t                    n;
    unsigned char            *raw, *p;
    const cwmp_secret_key_t  *key = &s->keys[0];

    if (value->len > CWMP_SECRET_MAX) {
        return CWMP_REFUSED;
    }

    n = CWMP_SECRET_IV + value->len + CWMP_SECRET_TAG;
    raw = cwmp_alloc(arena, n);
    p = cwmp_alloc(arena, CWMP_SECRET_HEAD + 2 * n);

    if (raw == NULL || p == NULL) {
        return CWMP_ERROR;
    }

    memcpy(raw, iv, CWMP_SECRET_IV);

    if (!cwmp_secret_cipher(1, key, name, iv, value->data, value->len,
                            raw + CWMP_SECRET_IV,
                            raw + n - CWMP_SECRET_TAG))
    {
        return CWMP_ERROR;
    }

    sealed->data = p;
    sealed->len = CWMP_SECRET_HEAD + 2 * n;

    memcpy(p, "s1.", 3);
    memcpy(p + 3, key->id, CWMP_SECRET_ID);
    p[CWMP_SECRET_HEAD - 1] = '.';
    cwmp_secret_hex(raw, n, p + CWMP_SECRET_HEAD);

    return CWMP_OK;
}


/* of digests, since the parts of a mac are short */

cwmp_rc_t
cwmp_secret_seal_same(const cwmp_secret_t *s, cwmp_arena_t *arena,
    const cwmp_str_t *name, const cwmp_str_t *value, cwmp_str_t *sealed)
{
    cwmp_rc_t      rc;
    cwmp_str_t     parts[2];
    unsigned char  of[2][CWMP_SECRET_KEY], mac[CWMP_SECRET_KEY];

    if (!EVP_Digest(name->data, name->len, of[0], NULL, EVP_sha256(), NULL)
        || !EVP_Digest(value->data, value->len, of[1], NULL, EVP_sha256(),
                       NULL))
    {
        return CWMP_ERROR;
    }

    parts[0].data = of[0];
    parts[0].len = CWMP_SECRET_KEY;
    parts[1].data = of[1];
    parts[1].len = CWMP_SECRET_KEY;

    rc = cwmp_secret_mac(s->keys[0].iv, parts, 2, mac);

    OPENSSL_cleanse(of, sizeof(of));

    return (rc == CWMP_OK)
           ? cwmp_secret_seal(s, arena, name, mac, value, sealed) : rc;
}


cwmp_rc_t
cwmp_secret_name(cwmp_arena_t *arena, const cwmp_str_t *id,
    const cwmp_str_t *field, cwmp_str_t *name)
{
    unsigned char  *p;

    p = cwmp_alloc(arena, id->len + 1 + field->len);
    if (p == NULL) {
        return CWMP_ERROR;
    }

    name->data = p;
    name->len = id->len + 1 + field->len;

    if (id->len) {
        memcpy(p, id->data, id->len);
    }

    p[id->len] = ' ';

    if (field->len) {
        memcpy(p + id->len + 1, field->data, field->len);
    }

    return CWMP_OK;
}


/* whoever has the key could not open what has another shape, either */

const unsigned char *
cwmp_secret_lacks(const cwmp_secret_t *s, const cwmp_str_t *sealed)
{
    size_t                i;
    const unsigned char  *id;

    if (!cwmp_secret_is_sealed(sealed)
        || sealed->len > CWMP_SECRET_LONGEST
        || !cwmp_secret_is_hex(sealed->data + 3, CWMP_SECRET_ID)
        || !cwmp_secret_is_hex(sealed->data + CWMP_SECRET_HEAD,
                               sealed->len - CWMP_SECRET_HEAD))
    {
        return NULL;
    }

    id = sealed->data + 3;

    for (i = 0; s && i < s->n; i++) {
        if (memcmp(s->keys[i].id, id, CWMP_SECRET_ID) == 0) {
            return NULL;
        }
    }

    return id;
}


cwmp_rc_t
cwmp_secret_open(const cwmp_secret_t *s, cwmp_arena_t *arena,
    const cwmp_str_t *name, const cwmp_str_t *sealed, cwmp_str_t *value,
    const char **reason)
{
    size_t      i;
    cwmp_rc_t   rc;
    cwmp_str_t  raw;

    *reason = "is not sealed";

    rc = cwmp_secret_raw(arena, sealed, &raw);
    if (rc != CWMP_OK) {
        return rc;
    }

    value->len = raw.len - CWMP_SECRET_IV - CWMP_SECRET_TAG;
    value->data = cwmp_alloc(arena, raw.len);

    if (value->data == NULL) {
        return CWMP_ERROR;
    }

    *reason = "is sealed with a key that the key file does not have";

    for (i = 0; i < s->n; i++) {
        if (memcmp(s->keys[i].id, sealed->data + 3, CWMP_SECRET_ID) != 0) {
            continue;
        }

        if (cwmp_secret_cipher(0, &s->keys[i], name, raw.data,
                               raw.data + CWMP_SECRET_IV, value->len,
                               value->data,
                               raw.data + raw.len - CWMP_SECRET_TAG))
        {
            return CWMP_OK;
        }

        *reason = "was sealed for something else, or changed";
    }

    return CWMP_REFUSED;
}


/* the bytes of what is sealed */

static cwmp_rc_t
cwmp_secret_raw(cwmp_arena_t *arena, const cwmp_str_t *sealed, cwmp_str_t *raw)
{
    if (!cwmp_secret_is_sealed(sealed)
        || sealed->len > CWMP_SECRET_LONGEST)
    {
        return CWMP_REFUSED;
    }

    raw->len = (sealed->len - CWMP_SECRET_HEAD) / 2;

    raw->data = cwmp_alloc(arena, raw->len);
    if (raw->data == NULL) {
        return CWMP_ERROR;
    }

    return cwmp_secret_unhex(sealed->data + CWMP_SECRET_HEAD,
                             sealed->len - CWMP_SECRET_HEAD, raw->data)
           ? CWMP_OK : CWMP_REFUSED;
}


/* 0 also when it does not open */

static int
cwmp_secret_cipher(int sealing, const cwmp_secret_key_t *key,
    const cwmp_str_t *name, const unsigned char *iv, const unsigned char *from,
    size_t len, unsigned char *to, unsigned char *tag)
{
    int              n, good;
    EVP_CIPHER_CTX  *c;

    c = EVP_CIPHER_CTX_new();
    if (c == NULL || name->len > INT_MAX) {
        EVP_CIPHER_CTX_free(c);
        return 0;
    }

    good = EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, key->seal, iv,
                             sealing)
           && EVP_CipherUpdate(c, NULL, &n, name->data, (int) name->len)
           && EVP_CipherUpdate(c, to, &n, from, (int) len)
           && (sealing || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG,
                                              CWMP_SECRET_TAG, tag))
           && EVP_CipherFinal_ex(c, to + len, &n)
           && (!sealing || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG,
                                               CWMP_SECRET_TAG, tag));

    EVP_CIPHER_CTX_free(c);

    return good;
}


void
cwmp_secret_hex(const unsigned char *p, size_t n, unsigned char *to)
{
    static const char  hex[] = "0123456789abcdef";

    while (n--) {
        *to++ = hex[*p >> 4];
        *to++ = hex[*p++ & 15];
    }
}


static int
cwmp_secret_is_hex(const unsigned char *p, size_t n)
{
    const unsigned char  *end = p + n;

    while (p < end && OPENSSL_hexchar2int(*p) >= 0) {
        p++;
    }

    return p == end && n % 2 == 0;
}


int
cwmp_secret_unhex(const unsigned char *p, size_t n, unsigned char *to)
{
    int     high, low;
    size_t  i;

    if (n % 2) {
        return 0;
    }

    for (i = 0; i < n; i += 2) {
        high = OPENSSL_hexchar2int(p[i]);
        low = OPENSSL_hexchar2int(p[i + 1]);

        if (high < 0 || low < 0) {
            return 0;
        }

        *to++ = (unsigned char) (high << 4 | low);
    }

    return 1;
}
