/*
 * roles_test.c - whose turn it is, by weight, credit, debt and target.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/support/suite.h"

#include "runtime/roles.h"

#include <errno.h>

#define MS INT64_C(1000000)

/* Beside the default one, which has nothing to run. */
enum { HEAVY = 1, LIGHT, TIGHT, ALL = 1 << HEAVY | 1 << LIGHT | 1 << TIGHT };

static struct coact__roles roles;

static void
prepare(void)
{
    coact__roles_init(&roles);
    const struct coact__role_spec specs[] = {
        {.name = "heavy", .weight = 300},
        {.name = "light", .weight = 100},
        {.name = "tight", .weight = 100, .target_ns = MS}};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(coact__roles_add(&roles, &specs[i]), HEAVY + i);
        coact__roles_use(&roles, (uint32_t)(HEAVY + i));
    }
}

static uint32_t
choose(uint32_t waiting)
{
    uint32_t urgent;
    return coact__roles_choose(&roles, waiting, &urgent);
}

/* How many of a hundred turns of a millisecond a role has, beside another. */
static int
turns_of(uint32_t role, uint32_t other)
{
    int turns = 0;
    for (int i = 0; i < 100; i++) {
        uint32_t chosen = choose(1u << role | 1u << other);
        turns += chosen == role;
        coact__roles_charge(&roles, chosen, MS);
    }
    return turns;
}

START_TEST(turns_are_shared_by_weight)
{
    prepare();
    ck_assert_int_eq(turns_of(HEAVY, LIGHT), 75);
}
END_TEST

START_TEST(who_was_idle_has_its_credit_and_no_more)
{
    prepare();
    for (int i = 0; i < 100; i++) {
        coact__roles_charge(&roles, choose(1u << LIGHT), MS);
    }
    int alone = 0;
    while (choose(1u << HEAVY | 1u << LIGHT) == HEAVY) {
        coact__roles_charge(&roles, HEAVY, MS);
        alone++;
    }
    // By three times the weight; and the last turn of the other is made good, too.
    int credit = (int)(3 * COACT__ROLE_CREDIT_NS / MS);
    ck_assert_int_ge(alone, credit);
    ck_assert_int_le(alone, credit + 4);
}
END_TEST

START_TEST(who_had_far_too_much_waits_for_its_debt_and_no_longer)
{
    prepare();
    ck_assert_uint_ne(choose(ALL), 0);
    coact__roles_charge(&roles, LIGHT, 5000 * MS);
    int alone = 0;
    while (choose(1u << HEAVY | 1u << LIGHT) == HEAVY) {
        coact__roles_charge(&roles, HEAVY, MS);
        alone++;
    }
    int debt = (int)(3 * COACT__ROLE_DEBT_NS / MS);
    ck_assert_int_ge(alone, debt - 3);
    ck_assert_int_le(alone, debt + 3);
}
END_TEST

START_TEST(who_has_a_target_goes_first_until_its_credit_is_used)
{
    prepare();
    int64_t used_ns = 0;
    uint32_t urgent;
    while (coact__roles_choose(&roles, ALL, &urgent) == TIGHT) {
        ck_assert_uint_eq(urgent, 0); // nobody is tighter
        coact__roles_charge(&roles, TIGHT, MS);
        used_ns += MS;
    }
    ck_assert_int_ge(used_ns, COACT__ROLE_CREDIT_NS);
    ck_assert_int_le(used_ns, COACT__ROLE_CREDIT_NS + 2 * MS);
}
END_TEST

START_TEST(who_has_a_target_may_interrupt_until_its_credit_is_used)
{
    prepare();
    uint32_t urgent;
    ck_assert_uint_ne(
        coact__roles_choose(&roles, ALL & ~(1u << TIGHT), &urgent), TIGHT);
    ck_assert_uint_eq(urgent, 1u << TIGHT);
    coact__roles_charge(&roles, TIGHT, COACT__ROLE_CREDIT_NS + 2 * MS);
    ck_assert_uint_ne(
        coact__roles_choose(&roles, ALL & ~(1u << TIGHT), &urgent), TIGHT);
    ck_assert_uint_eq(urgent, 0);
}
END_TEST

START_TEST(what_one_alone_uses_is_counted_and_held_against_nobody)
{
    coact__roles_init(&roles);
    coact__roles_charge(&roles, 0, 500 * MS);
    ck_assert_int_eq(coact__roles_used_ns(&roles, 0), 500 * MS);
    const struct coact__role_spec spec = {.name = "late"};
    ck_assert_int_eq(coact__roles_add(&roles, &spec), 1);
    coact__roles_use(&roles, 1);
    ck_assert_int_eq(coact__roles_lag(&roles, 0, 1), 0);
}
END_TEST

SUITE_MAIN("roles", turns_are_shared_by_weight,
           who_was_idle_has_its_credit_and_no_more,
           who_had_far_too_much_waits_for_its_debt_and_no_longer,
           who_has_a_target_goes_first_until_its_credit_is_used,
           who_has_a_target_may_interrupt_until_its_credit_is_used,
           what_one_alone_uses_is_counted_and_held_against_nobody)
