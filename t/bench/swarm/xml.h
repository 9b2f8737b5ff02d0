
/* A document of the ACS, read into nodes. */

#ifndef SWARM_XML_H
#define SWARM_XML_H

#include "buf.h"


#define XML_NODES  65536
#define XML_ATTRS  65536
#define XML_DEPTH  64

typedef struct xml_node_s  xml_node_t;

typedef struct {
    str_t   prefix;
    str_t   name;                   /* without the prefix */
    str_t   value;
} xml_attr_t;

struct xml_node_s {
    str_t         prefix;
    str_t         name;
    str_t         text;             /* of its own, decoded */
    xml_attr_t   *attrs;
    unsigned      attrs_n;
    unsigned      mixed:1;          /* text beside elements */
    xml_node_t   *parent;
    xml_node_t   *first;
    xml_node_t   *last;
    xml_node_t   *next;
};


/*
 * The root, or NULL and what is wrong.  The text is changed in place, and the
 * nodes point into it; they live until the next call.
 */
xml_node_t *xml_parse(char *p, size_t n, const char **error);

xml_node_t *xml_child(const xml_node_t *node, const char *name);
str_t xml_text(const xml_node_t *node, const char *name);   /* of a child */
const xml_attr_t *xml_attr(const xml_node_t *node, const char *name);
int xml_is_char(unsigned long c);                           /* may be in it */
unsigned xml_count(const xml_node_t *node);                 /* of children */

/* the URI that a prefix is bound to at the node; empty when it is not */
str_t xml_namespace(const xml_node_t *node, str_t prefix);

#endif
