/*
 * say.h - a code, and in words why.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_TRANSPORT_SAY_H
#define COACT_RUNTIME_TRANSPORT_SAY_H

#include <stddef.h>

/* Write the text into the caller's error, of so many bytes, unless that is NULL or
   none; it is cut where it is too long.  Returns `code`.  from any */
int coact__say(int code, char *error, size_t error_bytes, const char *format,
               ...) __attribute__((format(printf, 4, 5)));

#endif
