/*
 * isolated_end_test.c - whatever kills a child in a process of its own, its
 * supervisor learns how it ended and starts it again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/isolated_toy.h"

/* Blow a child up three times; each time a new one with a new address works. */
static void
blow_thrice(const struct coact_child *child, enum blow how, int code,
            const char *text)
{
    coact_supervisor_ref top = supervise_one(child);
    for (size_t i = 1; i <= 3; i++) {
        toy_ref toy = toy_of(top, child->id);
        int32_t pid = pid_of(toy);
        ck_assert_int_ne(pid, getpid());
        coact_send(toy, blow_up, .how = (int32_t)how);
        struct looked looked = await_end(top, i);
        ck_assert_int_eq(looked.reason.code, code);
        ck_assert_msg(strstr(looked.reason.text, text) != NULL, "%s",
                      looked.reason.text);
        ck_assert_msg(kill(pid, 0) != 0, "%d is not reaped", (int)pid);
        toy_ref next = toy_of(top, child->id);
        ck_assert(!coact_ref_equal(toy.ref, next.ref));
        ck_assert_int_ne(pid_of(next), pid);
    }
    stop(top);
}

/* ---- Ends ---------------------------------------------------------------- */

static int
play_segv(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const struct coact_child child = TOY("toy", .hang_ns = 0);
    blow_thrice(&child, BY_SEGV, COACT_PROCESS_SIGNAL, "signal 11 (SIGSEGV)");
    return 0;
}

START_TEST(s49_an_isolated_child_that_dies_of_sigsegv_is_restarted)
{
    in_program(&program, play_segv);
}
END_TEST

static int
play_overflow(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const struct coact_child child = TOY("toy", .hang_ns = 0);
    blow_thrice(&child, BY_OVERFLOW, COACT_PROCESS_SIGNAL, "signal 11");
    return 0;
}

START_TEST(s49_an_isolated_child_that_overflows_its_stack_is_restarted)
{
    in_program(&program, play_overflow);
}
END_TEST

static int
play_sigkill(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const struct coact_child child = TOY("toy", .hang_ns = 0);
    blow_thrice(&child, BY_KILL, COACT_PROCESS_SIGNAL, "signal 9 (SIGKILL)");
    return 0;
}

START_TEST(s49_an_isolated_child_that_is_killed_is_restarted)
{
    in_program(&program, play_sigkill);
}
END_TEST

static int
play_exit_3(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const struct coact_child child =
        TOY("toy", .restart = COACT_TRANSIENT);
    blow_thrice(&child, BY_EXIT_3, COACT_PROCESS_EXIT, "exit code 3");
    return 0;
}

START_TEST(s49_an_isolated_child_that_exits_with_3_is_restarted)
{
    in_program(&program, play_exit_3);
}
END_TEST

static int
play_exit_0(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const struct coact_child child =
        TOY("toy", .restart = COACT_TRANSIENT);
    blow_thrice(&child, BY_EXIT_0, COACT_PROCESS_EXIT,
                "exited without saying why");
    return 0;
}

START_TEST(s49_an_isolated_child_that_exits_without_a_word_has_failed)
{
    in_program(&program, play_exit_0);
}
END_TEST

static int
play_hang(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const struct coact_child child =
        TOY("toy", .hang_ns = COACT_MS(200));
    blow_thrice(&child, BY_HANG, COACT_UNRESPONSIVE, "hang: nothing ran for");
    return 0;
}

START_TEST(s49_an_isolated_child_that_hangs_is_restarted)
{
    in_program(&program, play_hang);
}
END_TEST

START_TEST(s49_an_isolated_child_that_hangs_on_its_only_core_is_restarted)
{
    struct coact_program one_core = program;
    one_core.options.workers = 1;
    in_program(&one_core, play_hang);
}
END_TEST

static int
play_idle(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const struct coact_child child =
        TOY("toy", .hang_ns = COACT_MS(500));
    coact_supervisor_ref top = supervise_one(&child);
    int32_t pid = pid_of(toy_of(top, "toy"));
    OK(coact_sleep(coact_in_ms(1200)));
    ck_assert_int_eq(pid_of(toy_of(top, "toy")), pid);
    stop(top);
    return 0;
}

START_TEST(an_isolated_child_that_only_waits_does_not_hang)
{
    in_program(&program, play_idle);
}
END_TEST

static int
play_failure(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const struct coact_child child =
        TOY("toy", .restart = COACT_TRANSIENT);
    blow_thrice(&child, BY_FAILURE, -EIO, "blown");
    return 0;
}

START_TEST(an_isolated_child_that_fails_says_why)
{
    in_program(&program, play_failure);
}
END_TEST

static int
play_return(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const struct coact_child child =
        TOY("toy", .restart = COACT_TRANSIENT);
    coact_supervisor_ref top = supervise_one(&child);
    coact_send(toy_of(top, "toy"), blow_up, .how = BY_RETURN);
    struct looked looked = await_end(top, 1);
    ck_assert_int_eq(looked.reason.code, COACT_NORMAL);
    ck_assert_int_eq(looked.state, COACT_CHILD_STOPPED);
    ck_assert(looked.is_isolated);
    toy_ref toy;
    ck_assert_int_eq(coact_child_find(top, toy, "toy", &toy, SOON), -ESRCH);
    stop(top);
    return 0;
}

START_TEST(s49_an_isolated_child_that_ends_normally_stays_ended)
{
    in_program(&program, play_return);
}
END_TEST

int
main(int argc, char **argv)
{
    const TTest *tests[] = {
        s49_an_isolated_child_that_dies_of_sigsegv_is_restarted,
        s49_an_isolated_child_that_overflows_its_stack_is_restarted,
        s49_an_isolated_child_that_is_killed_is_restarted,
        s49_an_isolated_child_that_exits_with_3_is_restarted,
        s49_an_isolated_child_that_exits_without_a_word_has_failed,
        s49_an_isolated_child_that_hangs_is_restarted,
        s49_an_isolated_child_that_hangs_on_its_only_core_is_restarted,
        an_isolated_child_that_only_waits_does_not_hang,
        an_isolated_child_that_fails_says_why,
        s49_an_isolated_child_that_ends_normally_stays_ended,
    };
    return toy_main(argc, argv, "isolated_end", tests, COUNT(tests));
}
