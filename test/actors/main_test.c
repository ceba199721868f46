/*
 * main_test.c - a program run by coact_main ends with the code of its main, by
 * exit, or by a crash that says who crashed; and leaves nothing behind, however
 * it ends.
 *
 * The binary is also its own isolated child.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/program.h"

#include "runtime/process.h"

#include <coact/supervisor.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Actors and mains ---------------------------------------------------- */

static void
fault_run(toy_self self, void *arg)
{
    (void)self;
    (void)arg;
    volatile uintptr_t nowhere = 64; // not NULL, which UBSan would catch
    *(volatile int *)nowhere = 1;
}

static volatile int depth_left = INT_MAX;

static int
deeper(void)
{
    volatile char frame[512];
    frame[0] = (char)depth_left;
    return --depth_left > 0 ? deeper() + frame[0] : 0;
}

static void
deep_run(toy_self self, void *arg)
{
    (void)self;
    (void)arg;
    (void)deeper();
}

static void
abort_run(toy_self self, void *arg)
{
    (void)self;
    (void)arg;
    abort();
}

static void
exit_run(toy_self self, void *arg)
{
    (void)self;
    (void)arg;
    exit(9);
}

static int
main_code(int argc, char **argv)
{
    return argc == 2 ? atoi(argv[1]) : 1;
}

static int
main_fails(int argc, char **argv)
{
    (void)argv;
    if (argc > 0) {
        coact_fail(-EIO, "no disk");
    }
    return 0;
}

static int
main_with_fault(int argc, char **argv)
{
    (void)argc, (void)argv;
    return spawn_and_wait(fault_run, "faulty");
}

static int
main_with_depth(int argc, char **argv)
{
    (void)argc, (void)argv;
    return spawn_and_wait(deep_run, "deep");
}

static int
main_with_abort(int argc, char **argv)
{
    (void)argc, (void)argv;
    return spawn_and_wait(abort_run, "aborting");
}

static int
main_with_exit(int argc, char **argv)
{
    (void)argc, (void)argv;
    toy_ref toy;
    struct toy_is is;
    COACT_CHECK(coact_spawn(toy, &toy, idle_run, NULL) == 0);
    COACT_CHECK(coact_ask(toy, who, &is, SOON, 0) == 0); // it runs
    COACT_CHECK(coact_spawn(toy, &toy, exit_run, NULL) == 0);
    (void)coact_sleep(COACT_FOREVER);
    return 6;
}

/* It does not end when it is asked to. */
static int
main_stuck_with_isolated(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const struct coact_child children[] = {
        COACT_CHILD(toy, "a", idle_run, NULL, .isolated = true),
        COACT_CHILD(toy, "b", idle_run, NULL, .isolated = true)};
    const struct coact_supervisor spec = {.children = children,
                                          .child_count = COUNT(children)};
    coact_supervisor_ref top;
    COACT_CHECK(coact_supervise(&spec, SOON, &top, NULL) == 0);
    say("ready");
    while (argc > 0) {
        pause();
    }
    return 6;
}

static void
linger(void *arg)
{
    (void)arg;
    (void)coact_sleep(coact_in_ms(300));
}

/* Takes a while to end, so that a second signal finds it there. */
static int
main_lingers(int argc, char **argv)
{
    (void)argc, (void)argv;
    COACT_CHECK(coact_defer(say_cleaned, NULL) == 0);
    COACT_CHECK(coact_defer(linger, NULL) == 0);
    say("ready");
    return coact_sleep(COACT_FOREVER) == -ECANCELED ? 5 : 6;
}

/* ---- The end by itself --------------------------------------------------- */

START_TEST(the_code_of_main_is_the_exit_code)
{
    struct coact_program program = program_of(main_code);
    static char name[] = "prog";
    static char number[] = "42";
    char *argv[] = {name, number, NULL};
    struct run run;
    start(&run, &program, 2, argv);
    await_end(&run);
    CODE(&run, 42);
}
END_TEST

START_TEST(usage_and_version_are_printed_without_a_runtime)
{
    struct coact_program program = program_of(main_code);
    static char name[] = "prog";
    static char help[] = "--help";
    static char version[] = "--version";
    char *argv[] = {name, help, NULL};
    struct run run;
    start(&run, &program, 2, argv);
    await_end(&run);
    CODE(&run, 0);
    ck_assert_str_eq(run.said, "usage: prog\n");
    argv[1] = version;
    start(&run, &program, 2, argv);
    await_end(&run);
    ck_assert_str_eq(run.said, "prog 1.2\n");
}
END_TEST

START_TEST(a_main_that_fails_is_exit_code_1)
{
    struct coact_program program = program_of(main_fails);
    struct run run;
    start_plain(&run, &program);
    await_end(&run);
    CODE(&run, 1);
    SAID(&run, "no disk");
}
END_TEST

START_TEST(exit_in_an_actor_ends_the_program_in_order)
{
    struct coact_program program = program_of(main_with_exit);
    struct run run;
    start_plain(&run, &program);
    await_end(&run);
    CODE(&run, 9);
    SAID(&run, "cleaned");
}
END_TEST

/* ---- What is left behind ------------------------------------------------- */

static char parent_folder[] = "/tmp/coact-test-XXXXXX";

/* A program whose isolated children have sockets in a folder below ours. */
static void
start_with_sockets(struct run *run, int64_t stop_ns)
{
    struct coact_program program = program_of(main_stuck_with_isolated);
    program.stop_ns = stop_ns;
    start_plain(run, &program);
    await_words(run, "ready");
    ck_assert_int_ne(rmdir(parent_folder), 0); // there is something in it
}

static void
ck_nothing_is_left(void)
{
    int64_t deadline_ns = SOON;
    while (rmdir(parent_folder) != 0) {
        ck_assert_int_eq(errno, ENOTEMPTY);
        ck_assert_msg(coact_now_ns() < deadline_ns, "the folder is left");
        (void)poll(NULL, 0, 5);
    }
    ck_assert_int_eq(mkdir(parent_folder, 0700), 0);
}

START_TEST(a_program_that_does_not_end_in_order_leaves_no_folder)
{
    struct run run;
    ck_assert_ptr_nonnull(mkdtemp(parent_folder));
    setenv("TMPDIR", parent_folder, 1);

    start_with_sockets(&run, COACT_SECONDS(3600));
    kill(run.pid, SIGKILL);
    await_end(&run);
    ck_assert(WIFSIGNALED(run.status));
    ck_nothing_is_left();

    start_with_sockets(&run, COACT_SECONDS(3600));
    kill(run.pid, SIGINT);
    await_words(&run, "SIGINT: stopping");
    kill(run.pid, SIGTERM);
    await_end(&run);
    CODE(&run, 128 + SIGTERM);
    ck_nothing_is_left();

    start_with_sockets(&run, COACT_MS(300));
    kill(run.pid, SIGTERM);
    await_end(&run);
    CODE(&run, 128 + SIGTERM);
    ck_nothing_is_left();
    ck_assert_int_eq(rmdir(parent_folder), 0);
}
END_TEST

START_TEST(the_same_signal_twice_at_once_is_one)
{
    struct coact_program program = program_of(main_lingers);
    struct run run;
    start_plain(&run, &program);
    await_words(&run, "ready");
    kill(run.pid, SIGTERM);
    await_words(&run, "SIGTERM: stopping"); // the first has been taken
    kill(run.pid, SIGTERM);
    await_end(&run);
    CODE(&run, 5);
    SAID(&run, "cleaned");
}
END_TEST

START_TEST(the_same_signal_a_while_later_is_a_second_one)
{
    struct coact_program program = program_of(main_stuck_with_isolated);
    program.stop_ns = COACT_SECONDS(3600);
    struct run run;
    start_plain(&run, &program);
    await_words(&run, "ready");
    kill(run.pid, SIGTERM);
    await_words(&run, "SIGTERM: stopping");
    (void)poll(NULL, 0, 250); // it is the time between the two that counts
    kill(run.pid, SIGTERM);
    await_end(&run);
    CODE(&run, 128 + SIGTERM);
    SAID(&run, "SIGTERM again");
}
END_TEST

/* ---- Crashes ------------------------------------------------------------- */

static void
ck_crash(int (*fn)(int argc, char **argv), int sig, const char *const *words)
{
    struct coact_program program = program_of(fn);
    struct run run;
    start_plain(&run, &program);
    await_end(&run);
    ck_assert_msg(WIFSIGNALED(run.status) && WTERMSIG(run.status) == sig,
                  "status %x\n%.3000s", (unsigned)run.status, run.said);
    for (; *words != NULL; words++) {
        SAID(&run, *words);
    }
}

START_TEST(a_crash_names_the_signal_and_the_actor)
{
    static const char *const fault[] = {
        "prog (process ",    "signal 11 (SIGSEGV) at address 0x40",
        "in actor faulty (", "mailbox toy)",
        "actors_main(+0x",   NULL};
    ck_crash(main_with_fault, SIGSEGV, fault);
    static const char *const aborted[] = {"signal 6 (SIGABRT)",
                                          "in actor aborting (", NULL};
    ck_crash(main_with_abort, SIGABRT, aborted);
}
END_TEST

START_TEST(a_stack_overflow_is_called_one)
{
    static const char *const words[] = {"signal 11 (SIGSEGV) at address 0x",
                                        "stack overflow of actor deep, stack ",
                                        NULL};
    ck_crash(main_with_depth, SIGSEGV, words);
}
END_TEST

START_TEST(an_embedder_installs_the_crash_report_once)
{
    struct coact_runtime *runtime;
    ck_assert_int_eq(coact_start(NULL, &runtime), 0);
    ck_assert_int_eq(coact_install_crash_report(runtime, "host"), 0);
    ck_assert_int_eq(coact_install_crash_report(runtime, "host"), -EALREADY);
    ck_assert_int_eq(coact_stop(runtime, SOON), 0);
    ck_assert_int_eq(coact_free(runtime), 0);
}
END_TEST

int
main(int argc, char **argv)
{
    if (coact__process_is_child(argc, argv)) {
        const struct coact_program program = program_of(main_code);
        return coact_main(argc, argv, &program);
    }
    const TTest *tests[] = {
        the_code_of_main_is_the_exit_code,
        usage_and_version_are_printed_without_a_runtime,
        a_main_that_fails_is_exit_code_1,
        exit_in_an_actor_ends_the_program_in_order,
        a_program_that_does_not_end_in_order_leaves_no_folder,
        the_same_signal_twice_at_once_is_one,
        the_same_signal_a_while_later_is_a_second_one,
        a_crash_names_the_signal_and_the_actor,
        a_stack_overflow_is_called_one,
        an_embedder_installs_the_crash_report_once,
    };
    return suite_main(argc, argv, "main", tests, COUNT(tests));
}
