/*
 * Any bytes as an envelope: what is plain without libxml2 and rows that look
 * the same by a pattern, or all by libxml2, whole and cut anywhere with nothing
 * gathered.  Rows, facts, values and reasons are the same.  First bytes: a
 * charset of HTTP's header and what stops the reading, where it is cut.
 */

#include "../unit/reading.h"
#include "fuzz.h"


/* those of envelope's inputs, and of repair's */

static const char  *charsets[] = {
    NULL, NULL, NULL, NULL, "utf-8", "ISO-8859-1", "gbk", "utf-16",
    NULL, "utf-8", "iso-8859-1", "GBK", "GB18030", "Shift_JIS",
    "windows-1252", "EUC-KR"
};

static const cwmp_limits_t  narrow = { 1 << 20, 40, 9 };


static size_t
next(void *data, size_t left)
{
    return fuzz_piece(data, left);
}


/* where such a comment ends is told by where libxml2 is cut: it is refused, but
   for one reason or another; as is a misplaced CDATA section over the bound */

static int
odd(const unsigned char *p, size_t n)
{
    return memmem(p, n, "<!-->", 5) || memmem(p, n, "<!--->", 6)
           || ((p[0] & 0x10) && memmem(p, n, "<![CDATA[", 9));
}


static void
same(const reading_t *a, const reading_t *b)
{
    if (!reading_same(a, b)) {
        fprintf(stderr, "%s\n-- differs, by %d cut %d: --\n%s\n", a->text,
                b->way->by, b->way->cut, b->text);
        must(0);
    }
}


int
LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
    size_t         i;
    uint32_t       seeds[3];
    reading_t      whole, others[4];
    reading_way_t  way;

    static const struct {
        reading_by_t   by;
        int            cut;
    } ways[] = {
        { READING_LIBXML2, 0 }, { READING_ALL, 1 }, { READING_ROWS, 1 },
        { READING_ALL, 1 }
    };

    if (n < 3 || odd(p, n)) {
        return 0;
    }

    memset(&way, 0, sizeof(way));
    way.brief = 1;                  /* it quotes as much as it was given */
    way.charset = charsets[p[0] % 16];
    way.limits = (p[0] & 0x10) ? &narrow : NULL;
    way.stop = (p[0] & 0x20) ? 1 + p[1] % 7 : 0;
    way.stop_rc = (p[0] & 0x40) ? CWMP_ERROR : CWMP_REFUSED;

    reading(&whole, p + 3, n - 3, &way);

    for (i = 0; i < 4; i++) {
        seeds[0] = (p[1] | p[2] << 8) + i;
        way.by = ways[i].by;
        way.cut = ways[i].cut;
        way.next = way.cut ? next : NULL;
        way.data = seeds;

        if (i == 3) {
            way.next = NULL;
            way.piece = (n > 2000) ? 53 : 1;
        }

        reading(&others[i], p + 3, n - 3, &way);
        same(&whole, &others[i]);
        reading_free(&others[i]);
    }

    reading_free(&whole);

    return 0;
}
