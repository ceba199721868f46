/*
 * stack_support.c - see stack_support.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/runtime/stack_support.h"

#include "test/support/suite.h"

#include <string.h>

const struct coact__stacks_options plain;
const enum coact__guard kinds[2] = {COACT__GUARD_BEST, COACT__GUARD_HEAVY};
struct coact__stacks *stacks;
struct coact__stack some[SOME];

void
set_up(const struct coact__stacks_options *options)
{
    ck_assert_int_eq(coact__stacks_new(options, &stacks), 0);
}

struct coact__stack
get(void)
{
    struct coact__stack stack;
    ck_assert_int_eq(coact__stacks_get(stacks, &stack, NULL), 0);
    return stack;
}

struct coact__stacks_counts
counts(void)
{
    struct coact__stacks_counts now;
    coact__stacks_count(stacks, &now);
    return now;
}

void
use_and_put_some(void)
{
    for (size_t i = 0; i < SOME; i++) {
        some[i] = get();
        memset(some[i].low, 1, some[i].bytes);
    }
    // Not in the order of addresses: 0, 37, 74, 11, ...
    for (size_t i = 0; i < SOME; i++) {
        coact__stacks_put(stacks, &some[i * 37 % SOME]);
    }
}
