/*
 * error.c - the table of error.h as functions.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/error.h"

#include <stddef.h>
#include <string.h>

const char *
coact_errname(int code)
{
    switch (code) {
#define NAME(code, text)                                                       \
    case -(code):                                                              \
        return #code;
        COACT_ERROR_TABLE(NAME)
#undef NAME
    default:
        return NULL;
    }
}

const char *
coact_strerror(int code)
{
    switch (code) {
    case 0:
        return "success";
#define TEXT(code, text)                                                       \
    case -(code):                                                              \
        return text;
        COACT_ERROR_TABLE(TEXT)
#undef TEXT
    default: {
        const char *text = strerrordesc_np(code < 0 ? -code : code);
        return text != NULL ? text : "unknown error";
    }
    }
}
