/*
 * memory_test.c - the nth failure happens at the nth point and nowhere else.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/memory.h"

#include "test/support/suite.h"

#include <string.h>

START_TEST(only_the_nth_allocation_fails)
{
    coact__fail_nth(3, false);
    for (int i = 1; i <= 5; i++) {
        void *block = coact__alloc(16);
        ck_assert_int_eq(block == NULL, i == 3);
        coact__free(block);
    }
    ck_assert_uint_eq(coact__fail_count(), 5);
}
END_TEST

START_TEST(a_sticky_failure_lasts)
{
    coact__fail_nth(2, true);
    void *first = coact__alloc_zeroed(16);
    ck_assert_ptr_nonnull(first);
    coact__free(first);
    ck_assert_ptr_null(coact__alloc(16));
    ck_assert_ptr_null(coact__strdup("x"));
    ck_assert(coact__fails());
    coact__fail_nth(0, false);
    ck_assert(!coact__fails());
}
END_TEST

START_TEST(a_failed_realloc_leaves_the_block_as_it_was)
{
    char *block = coact__strdup("kept");
    ck_assert_ptr_nonnull(block);
    coact__fail_nth(1, false);
    ck_assert_ptr_null(coact__realloc(block, 1 << 20));
    ck_assert_str_eq(block, "kept");
    char *grown = coact__realloc(block, 1 << 20);
    ck_assert_ptr_nonnull(grown);
    ck_assert_str_eq(grown, "kept");
    coact__free(grown);
}
END_TEST

START_TEST(zeroed_memory_is_zero)
{
    static const char zeros[256];
    char *block = coact__alloc_zeroed(sizeof zeros);
    ck_assert_ptr_nonnull(block);
    ck_assert_int_eq(memcmp(block, zeros, sizeof zeros), 0);
    coact__free(block);
}
END_TEST

SUITE_MAIN("memory", only_the_nth_allocation_fails, a_sticky_failure_lasts,
           a_failed_realloc_leaves_the_block_as_it_was, zeroed_memory_is_zero)
