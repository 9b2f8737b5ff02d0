/*
 * The key file of cwmp_secret_key, for programs.
 */

#ifndef CWMP_TOOL_KEY_H
#define CWMP_TOOL_KEY_H

#include "cwmp_secret.h"

/* 1: it is none, and standard error says why, after the program's name */
int read_key(const char *program, const char *path, cwmp_secret_t *secret);

#endif
