/*
 * bound_test.c - places in a mailbox belong to one generation of its slot.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mailbox/bound.h"
#include "test/support/suite.h"

START_TEST(a_bound_takes_its_limit_and_no_more)
{
    struct coact__bound bound = {0};
    coact__bound_open(&bound, 1, 2, false);
    ck_assert(coact__bound_take(&bound, 1));
    ck_assert(coact__bound_take(&bound, 1));
    ck_assert(!coact__bound_take(&bound, 1));
    coact__bound_give(&bound, 1, 1);
    ck_assert(coact__bound_take(&bound, 1));
    ck_assert(!coact__bound_take(&bound, 1));
}
END_TEST

START_TEST(a_place_meant_for_an_earlier_owner_of_the_slot_is_not_counted)
{
    struct coact__bound bound = {0};
    coact__bound_open(&bound, 1, 1, false);
    ck_assert(coact__bound_take(&bound, 1));
    coact__bound_close(&bound);
    coact__bound_open(&bound, 2, 1, false);
    ck_assert(coact__bound_take(&bound, 1)); // the dead refuses by itself
    ck_assert(coact__bound_take(&bound, 2));
    ck_assert(!coact__bound_take(&bound, 2));
    coact__bound_give(&bound, 1, 1); // given back too late
    ck_assert(!coact__bound_take(&bound, 2));
}
END_TEST

START_TEST(a_closed_bound_holds_nobody_up)
{
    struct coact__bound bound = {0};
    coact__bound_open(&bound, 1, 1, true);
    ck_assert(coact__bound_take(&bound, 1));
    coact__bound_close(&bound);
    ck_assert(coact__bound_take(&bound, 1));
    coact__bound_give(&bound, 1, 1);
}
END_TEST

SUITE_MAIN("bound", a_bound_takes_its_limit_and_no_more,
           a_place_meant_for_an_earlier_owner_of_the_slot_is_not_counted,
           a_closed_bound_holds_nobody_up)
