/*
 * say.c - see say.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/transport/say.h"

#include <stdarg.h>
#include <stdio.h>

int
coact__say(int code, char *error, size_t error_bytes, const char *format, ...)
{
    if (error != NULL && error_bytes > 0) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(error, error_bytes, format, args);
        va_end(args);
    }
    return code;
}
