
/* Who a CPE is. */

#ifndef SWARM_IDENTITY_H
#define SWARM_IDENTITY_H

#include "model.h"


void identity_init(void);
void identity_expand(buf_t *b, const char *template, uint32_t number);
void identity_id(buf_t *b, uint32_t number);    /* OUI-Class-Serial */
void identity_user(buf_t *b, uint32_t number);
void identity_password(buf_t *b, uint32_t number);
void identity_print_all(void);

/* parameters whose value is another one for each CPE */
void identity_mark(entry_t *entries, size_t n);
str_t identity_value(cpe_t *cpe, uint8_t special);
int identity_hidden(uint8_t special);           /* never told */

#endif
