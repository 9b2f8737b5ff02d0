
/* What model.c shares with those who change a CPE's own entries. */

#ifndef SWARM_MODELEDIT_H
#define SWARM_MODELEDIT_H

#include "model.h"


entry_t *model_own(cpe_t *cpe, str_t path);
entry_t *entries_insert(entries_t *list, size_t i);

#endif
