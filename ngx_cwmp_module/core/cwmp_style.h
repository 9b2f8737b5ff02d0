/*
 * How envelopes are written to a device that does not take the usual form: its
 * quirks, as the state table says them in words ("prefix=s booleans=words"),
 * and what follows for the writer.  All zero is the usual form.
 */

#ifndef CWMP_STYLE_H
#define CWMP_STYLE_H

#include "cwmp_types.h"


typedef struct {
    unsigned char    words;         /* booleans: true and false, not 1 and 0 */
    unsigned char    next_level;    /* of NextLevel: CWMP_STYLE_* */
    unsigned char    short_tags;    /* <a/> for what is empty */
    unsigned char    bare;          /* no XML declaration */
    unsigned char    prefix;        /* row of the prefixes */
    cwmp_str_t       root;          /* what is sent for the empty path, without
                                       its dot; len 0: the empty path */
} cwmp_style_t;

enum {
    CWMP_STYLE_ANY = 0,             /* as any other boolean */
    CWMP_STYLE_DIGITS,
    CWMP_STYLE_WORDS
};


/* words that nobody knows are those of a newer state table: ignored */
void cwmp_style_read(cwmp_style_t *style, const cwmp_str_t *words);

/* prefixes of SOAP's namespaces for envelope and encoding */
const char *cwmp_style_envelope(const cwmp_style_t *style);
const char *cwmp_style_encoding(const cwmp_style_t *style);

#endif
