/*
 * What bytes are to XML: the class of each, characters of UTF-8, and the
 * syntax of references and tags, each over bytes that may end too early.
 */

#ifndef CWMP_CHARS_H
#define CWMP_CHARS_H

#include <stddef.h>
#include <stdint.h>

#define CWMP_CHAR_PLAIN    0
#define CWMP_CHAR_LT       1
#define CWMP_CHAR_AMP      2
#define CWMP_CHAR_BRACKET  3            /* ']': "]]>" is none of a text */
#define CWMP_CHAR_CONTROL  4            /* that XML forbids */
#define CWMP_CHAR_HIGH     5            /* no ASCII */

#define CWMP_TAG_NAMES     32           /* attributes that are looked at */

extern const unsigned char  cwmp_char_class[256];

/* each returns the length of what is at p, 0 when it is none, and -1 when
   [p, end) is only the beginning of one */

int cwmp_char_utf8(const unsigned char *p, const unsigned char *end,
    uint32_t *code);
int cwmp_char_reference(const unsigned char *p, const unsigned char *end,
    uint32_t *code);


/* a tag's attributes that repeat an earlier one, with the blanks before */
typedef struct {
    unsigned              closed:1;     /* ends in "/>" */
    unsigned              ndrops;
    struct {
        const unsigned char  *from;
        const unsigned char  *to;
    } drops[CWMP_TAG_NAMES];
} cwmp_tag_t;

int cwmp_char_start_tag(const unsigned char *p, const unsigned char *end,
    cwmp_tag_t *tag);
int cwmp_char_end_tag(const unsigned char *p, const unsigned char *end);

/* may an XML document have it? */
int cwmp_char_allowed(uint32_t code);
int cwmp_char_begins_name(unsigned char ch);

#endif
