
/* The parameters of a CPE. */

#ifndef SWARM_MODEL_H
#define SWARM_MODEL_H

#include "cpe.h"


typedef struct {
    const char  *name;              /* as in xsi:type, with xsd: */
    const char  *initial;           /* value of a new object's parameter */
    int        (*valid)(str_t value);
} model_type_t;

typedef struct {
    char                *path;      /* of an object: ends with a dot */
    char                *value;
    const model_type_t  *type;      /* NULL: an object */
    unsigned             writable:1;
    unsigned             gone:1;    /* deleted by this CPE */
    uint8_t              special;   /* computed, identity.c */
    uint8_t              notification;
    char                *access;    /* names of AccessList, with commas */
} entry_t;

typedef struct {
    entry_t  *at;
    size_t    n;
    size_t    cap;
} entries_t;

/* all below a path, in order; what was deleted left out */
typedef struct {
    cpe_t     *cpe;
    str_t      prefix;
    size_t     base;
    size_t     own;
    unsigned   gone:1;              /* what was deleted as well */
} model_walk_t;


void model_init(void);
const char *model_root(void);

void model_walk(model_walk_t *w, cpe_t *cpe, str_t prefix);
const entry_t *model_next(model_walk_t *w);
const entry_t *model_find(cpe_t *cpe, str_t path);
str_t model_value(cpe_t *cpe, const entry_t *e);

/* what a CPE is told to change; faults are CWMP's, 0: none */
unsigned model_check(cpe_t *cpe, str_t path, str_t type, str_t value);
void model_set(cpe_t *cpe, str_t path, str_t value);
void model_notify(cpe_t *cpe, const entry_t *e, int notification,
    const char *access);
unsigned model_add(cpe_t *cpe, str_t table, uint64_t *instance);
unsigned model_delete(cpe_t *cpe, str_t object);
void model_reset(cpe_t *cpe);

/* for those who fill a model: modelgen.c, modelfile.c */
void model_put(str_t path, int writable, const model_type_t *type,
    str_t value);
const model_type_t *model_type(str_t name);
void modelgen_fill(const char *kind, uint64_t parameters);
void modelfile_fill(const char *file);

#endif
