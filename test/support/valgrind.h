/*
 * valgrind.h - is this a run under Valgrind?  Then all is tens of times slower.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_VALGRIND_H
#define COACT_TEST_VALGRIND_H

#include <stdbool.h>

#if COACT_HAVE_VALGRIND
#include <valgrind/valgrind.h>
#endif

static inline bool
is_on_valgrind(void)
{
#if COACT_HAVE_VALGRIND
    return RUNNING_ON_VALGRIND != 0;
#else
    return false;
#endif
}

#endif
