/*
 * valgrind.h - is this a run under Valgrind?  Then all is tens of times slower.
 * One thread runs at a time, so that a node can be silent for long and live.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_VALGRIND_H
#define COACT_TEST_VALGRIND_H

#include <stdbool.h>
#include <stdint.h>

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

/* The longest that a test waits for something. */
static inline int
unhurried_ms(int ms)
{
    return is_on_valgrind() ? 5 * ms : ms;
}

/* For a node's options; 0 is its default. */
static inline int64_t
unhurried_heartbeat_ns(void)
{
    return is_on_valgrind() ? INT64_C(500000000) : 0;
}

#endif
