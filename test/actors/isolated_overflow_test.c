/*
 * isolated_overflow_test.c - a stack overflow that is contained in a process of
 * its own is the same news to the supervisor in another.
 *
 * SPDX-License-Identifier: MIT
 */
#define TOY_ON_STACK_OVERFLOW COACT_OVERFLOW_KILL_ACTOR
#include "test/actors/isolated_toy.h"

static int
play_overflow(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const struct coact_child child = TOY("toy", .hang_ns = 0);
    coact_supervisor_ref top = supervise_one(&child);
    toy_ref toy = toy_of(top, child.id);
    coact_send(toy, blow_up, .how = BY_OVERFLOW);
    struct looked looked = await_end(top, 1);
    ck_assert_int_eq(looked.reason.code, COACT_STACK_OVERFLOW);
    ck_assert_msg(strncmp(looked.reason.text, "stack ", 6) == 0, "%s",
                  looked.reason.text);
    (void)pid_of(toy_of(top, child.id)); // another one lives
    stop(top);
    return 0;
}

START_TEST(s15_a_supervisor_in_another_process_learns_of_a_contained_overflow)
{
    in_program(&program, play_overflow);
}
END_TEST

int
main(int argc, char **argv)
{
    const TTest *tests[] = {
        s15_a_supervisor_in_another_process_learns_of_a_contained_overflow,
    };
    return toy_main(argc, argv, "isolated_overflow", tests, COUNT(tests));
}
