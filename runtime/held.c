/*
 * held.c - how many locks of the library this thread holds.
 *
 * Empty in builds that do not count.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/held.h"

#if COACT_ABORT_ON_MISUSE

#include "runtime/here.h"
#include "runtime/invariant.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

void
coact__held_take(const char *file, int line)
{
    struct coact__held *held = &coact__here()->held;
    held->count++;
    held->file = file;
    held->line = line;
}

void
coact__held_give(void)
{
    struct coact__held *held = &coact__here()->held;
    COACT__INVARIANT(held->count > 0);
    held->count--;
}

int
coact__held_if(int rc, const char *file, int line)
{
    if (rc == 0 || rc == EOWNERDEAD) {
        coact__held_take(file, line);
    }
    return rc;
}

void
coact__held_check(const char *doing)
{
    const struct coact__held *held = &coact__here()->held;
    if (held->count > 0) {
        fprintf(stderr,
                "coact: broken invariant: %s with %u lock%s of the runtime "
                "held, the one taken last at %s:%d\n",
                doing, held->count, held->count == 1 ? "" : "s", held->file,
                held->line);
        abort();
    }
}

struct coact__held
coact__held_set_aside(void)
{
    struct coact__held *held = &coact__here()->held;
    struct coact__held before = *held;
    *held = (struct coact__held){0};
    return before;
}

void
coact__held_put_back(struct coact__held held)
{
    coact__here()->held = held;
}

#else

/* ISO C wants something in every file. */
extern int coact__held_is_not_counted;

#endif
