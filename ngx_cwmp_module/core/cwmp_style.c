
/*
 * A quirk of the writer is a row of cwmp_style_words[] for each of its values
 * that is not usual; its name and values are those of QUIRK in redis/lua,
 * which has checked them.
 */

#include <string.h>

#include "cwmp_style.h"


static const struct {
    const char   *word;
    size_t        offset;           /* of an unsigned char */
    unsigned      value;
} cwmp_style_words[] = {
    { "booleans=words", offsetof(cwmp_style_t, words), 1 },
    { "nextLevel=digits", offsetof(cwmp_style_t, next_level),
      CWMP_STYLE_DIGITS },
    { "nextLevel=words", offsetof(cwmp_style_t, next_level),
      CWMP_STYLE_WORDS },
    { "emptyTags=short", offsetof(cwmp_style_t, short_tags), 1 },
    { "declaration=false", offsetof(cwmp_style_t, bare), 1 },
    { "prefix=SOAP-ENV", offsetof(cwmp_style_t, prefix), 1 },
    { "prefix=soap", offsetof(cwmp_style_t, prefix), 2 },
    { "prefix=soapenv", offsetof(cwmp_style_t, prefix), 3 },
    { "prefix=s", offsetof(cwmp_style_t, prefix), 4 },
    { NULL, 0, 0 }
};

static const struct {
    const char   *envelope;
    const char   *encoding;
} cwmp_style_prefixes[] = {
    { "soap-env", "soap-enc" },
    { "SOAP-ENV", "SOAP-ENC" },
    { "soap", "soapenc" },
    { "soapenv", "soapenc" },
    { "s", "soapenc" }
};


static void
cwmp_style_word(cwmp_style_t *style, const unsigned char *p, size_t n)
{
    size_t  i;

    if (n > 5 && memcmp(p, "root=", 5) == 0) {
        style->root.data = (unsigned char *) p + 5;
        style->root.len = n - 5;
        return;
    }

    for (i = 0; cwmp_style_words[i].word; i++) {
        if (strlen(cwmp_style_words[i].word) == n
            && memcmp(cwmp_style_words[i].word, p, n) == 0)
        {
            ((unsigned char *) style)[cwmp_style_words[i].offset] =
                                      (unsigned char) cwmp_style_words[i].value;
            return;
        }
    }
}


void
cwmp_style_read(cwmp_style_t *style, const cwmp_str_t *words)
{
    const unsigned char  *p, *end, *blank;

    memset(style, 0, sizeof(cwmp_style_t));

    end = words->data + words->len;

    for (p = words->data; p < end; p = blank + 1) {
        blank = memchr(p, ' ', end - p);

        if (blank == NULL) {
            blank = end;
        }

        cwmp_style_word(style, p, blank - p);
    }
}


const char *
cwmp_style_envelope(const cwmp_style_t *style)
{
    return cwmp_style_prefixes[style->prefix].envelope;
}


const char *
cwmp_style_encoding(const cwmp_style_t *style)
{
    return cwmp_style_prefixes[style->prefix].encoding;
}
