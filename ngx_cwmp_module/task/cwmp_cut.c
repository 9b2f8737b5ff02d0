/*
 * A CPE need not take an envelope above 32 KiB (TR-069 A6 3.4.4): a list that
 * would make a longer one is cut into parts, each of which is an RPC of its
 * own.  Where it is cut is said to the state table, which keeps it, so that a
 * part is the same whenever it is sent again.  Must not know a single RPC.
 *
 * stdio.h is here for snprintf() only.
 */

#include <stdio.h>
#include <string.h>

#include "cwmp_build.h"


/* of an envelope, without what is around the items: the header's ID, the key
   (32 characters of at most 6 bytes), names and namespaces */
#define CWMP_CUT_BYTES  (32000 - 1800)

#define CWMP_CUT_NAME   (sizeof("<string></string>") - 1)
#define CWMP_CUT_VALUE  (sizeof("<ParameterValueStruct><Name></Name>"         \
                                "<Value xsi:type=\"xsd:base64Binary\">"       \
                                "</Value></ParameterValueStruct>") - 1)
/* a type that is not known yet may make a value longer */
#define CWMP_CUT_SPARE  16


typedef struct {
    unsigned char        sheet[256];
    size_t               bytes;
} cwmp_cut_sheet_t;


/* nobody reads it: the same room once more */

static cwmp_rc_t
cwmp_cut_more(cwmp_out_t *out)
{
    cwmp_cut_sheet_t  *s = out->data;

    s->bytes += sizeof(s->sheet);
    out->pos = s->sheet;
    out->end = s->sheet + sizeof(s->sheet);

    return CWMP_OK;
}


/* of the text as the writer escapes it */

static size_t
cwmp_cut_size(const cwmp_str_t *text)
{
    cwmp_out_t        out;
    cwmp_cut_sheet_t  s;

    s.bytes = 0;

    memset(&out, 0, sizeof(cwmp_out_t));
    out.pos = s.sheet;
    out.end = s.sheet + sizeof(s.sheet);
    out.more = cwmp_cut_more;
    out.data = &s;

    cwmp_write_text(&out, text);

    return s.bytes + (out.pos - s.sheet);
}


static cwmp_rc_t
cwmp_cut_item(cwmp_build_t *b, size_t index, size_t bytes, size_t most)
{
    size_t       size, *at;
    cwmp_cut_t  *cut;

    cut = &b->cut;

    /* one that is too long by itself goes alone: the CPE may take it */

    if (cut->items && (cut->bytes + bytes > CWMP_CUT_BYTES
                       || (most && cut->items >= most)))
    {
        if (cut->cuts == cut->size) {
            size = cut->size ? 2 * cut->size : 16;
            at = cwmp_alloc(b->arena, size * sizeof(size_t));
            if (at == NULL) {
                return b->rc = CWMP_ERROR;
            }

            if (cut->cuts) {
                memcpy(at, cut->at, cut->cuts * sizeof(size_t));
            }

            cut->at = at;
            cut->size = size;
        }

        cut->at[cut->cuts++] = index;
        cut->bytes = 0;
        cut->items = 0;
    }

    cut->bytes += bytes;
    cut->items++;

    return CWMP_OK;
}


cwmp_rc_t
cwmp_cut_name(cwmp_build_t *b, size_t index, const cwmp_str_t *name)
{
    return cwmp_cut_item(b, index, CWMP_CUT_NAME + cwmp_cut_size(name),
                         b->most);
}


cwmp_rc_t
cwmp_cut_value(cwmp_build_t *b, size_t index, const char *name,
    const cwmp_str_t *value)
{
    cwmp_str_t  text;

    text.data = (unsigned char *) name;
    text.len = strlen(name);

    return cwmp_cut_item(b, index, CWMP_CUT_VALUE + CWMP_CUT_SPARE
                                   + cwmp_cut_size(&text)
                                   + cwmp_cut_size(value), 0);
}


cwmp_rc_t
cwmp_cut_end(cwmp_build_t *b, size_t from, size_t to)
{
    char        *p, *end;
    size_t       i, size;
    cwmp_cut_t  *cut;

    cut = &b->cut;

    if (cut->cuts == 0) {
        return CWMP_OK;
    }

    size = (cut->cuts + 2) * sizeof("18446744073709551615");
    p = cwmp_alloc(b->arena, size);
    if (p == NULL) {
        return b->rc = CWMP_ERROR;
    }

    b->out->split.data = (unsigned char *) p;
    end = p + size;
    p += snprintf(p, end - p, "%zu", from);

    for (i = 0; i < cut->cuts; i++) {
        p += snprintf(p, end - p, " %zu", cut->at[i]);
    }

    p += snprintf(p, end - p, " %zu", to);
    b->out->split.len = (unsigned char *) p - b->out->split.data;

    return CWMP_OK;
}
