/*
 * errno_test.c - what is a thread's stays right for an actor that changes
 * threads.  Other compilers and other ways to optimise: test/scripts/errno_test.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/migrant.h"
#include "test/support/suite.h"

#include <coact/time.h>

START_TEST(s17_errno_survives_a_change_of_thread_at_every_kind_of_wait)
{
    struct migrant_report report;
    ck_assert_int_eq(migrant_travel(100, &report), 0);
    ck_assert_uint_eq(report.waits, 600);
    ck_assert_uint_eq(report.moves, report.waits);
    ck_assert_uint_eq(report.lost, 0);
    ck_assert_uint_eq(report.misread, 0);
    ck_assert_uint_eq(report.strayed, 0);
    ck_assert_uint_eq(report.confused, 0);
}
END_TEST

START_TEST(s17_errno_survives_among_workers)
{
    struct migrant_report report;
    ck_assert_int_eq(migrant_wander(100, coact_in_ms(8000), &report), 0);
    ck_assert_uint_gt(report.moves, 0);
    ck_assert_uint_eq(report.lost, 0);
    ck_assert_uint_eq(report.misread, 0);
    ck_assert_uint_eq(report.confused, 0);
}
END_TEST

SUITE_MAIN("errno", s17_errno_survives_a_change_of_thread_at_every_kind_of_wait,
           s17_errno_survives_among_workers)
