/*
 * invariant.c - the last words.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/invariant.h"

#include <stdio.h>
#include <stdlib.h>

void
coact__broken(const char *expression, const char *file, int line)
{
    fprintf(stderr, "coact: broken invariant at %s:%d: %s\n", file, line,
            expression);
    abort();
}
