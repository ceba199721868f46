/*
 * main_signal_test.c - a signal ends a program in order, children in processes
 * of their own along with it; what keeps it from ending is named.
 *
 * The binary is also its own isolated child.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/process.h"
#include "test/actors/program.h"

#include <coact/blocking.h>
#include <coact/supervisor.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- Actors and mains ---------------------------------------------------- */

/* Takes requests and answers none. */
static void
mute_run(toy_self self, void *arg)
{
    (void)arg;
    for (;;) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(who, m): {
            (void)coact_keep(m);
            say("asked");
        } break;
        }
    }
}

static void
stuck_run(toy_self self, void *arg)
{
    (void)self;
    (void)arg;
    say("stuck");
    for (;;) {
        pause();
    }
}

static void
block_for_ever(void *arg)
{
    (void)arg;
    say("blocked");
    for (;;) {
        pause();
    }
}

static int
main_blocks(int argc, char **argv)
{
    (void)argc, (void)argv;
    int rc = coact_blocking(block_for_ever, NULL, 0, NULL, COACT_FOREVER);
    return rc == -ECANCELED ? 7 : 6;
}

static int
main_waits(int argc, char **argv)
{
    (void)argc, (void)argv;
    COACT_CHECK(coact_defer(say_cleaned, NULL) == 0);
    say("ready");
    while (argc > 0) {
        (void)coact_sleep(COACT_FOREVER);
    }
    return 6;
}

static int
main_returns(int argc, char **argv)
{
    (void)argc, (void)argv;
    say("ready");
    return coact_sleep(COACT_FOREVER) == -ECANCELED ? 5 : 6;
}

static int
main_stuck(int argc, char **argv)
{
    (void)argc, (void)argv;
    say("ready");
    while (argc > 0) {
        pause();
    }
    return 6;
}

static int
main_with_stuck(int argc, char **argv)
{
    (void)argc, (void)argv;
    return spawn_and_wait(stuck_run, "the-stuck-one");
}

static int
main_with_idle(int argc, char **argv)
{
    (void)argc, (void)argv;
    toy_ref toy;
    struct toy_is is;
    COACT_CHECK(coact_spawn(toy, &toy, idle_run, NULL) == 0);
    COACT_CHECK(coact_ask(toy, who, &is, SOON, 0) == 0); // it runs
    say("ready");
    return coact_sleep(COACT_FOREVER) == -ECANCELED ? 0 : 6;
}

static int
main_asks(int argc, char **argv)
{
    (void)argc, (void)argv;
    toy_ref toy;
    struct toy_is is;
    COACT_CHECK(coact_spawn(toy, &toy, mute_run, NULL) == 0);
    int rc = coact_ask(toy, who, &is, COACT_FOREVER, 0);
    fprintf(stderr, "the call ended: %s\n", coact_strerror(rc));
    return 0;
}

static int
main_with_isolated(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const struct coact_child child = {.id = "isolated",
                                             .isolated = true,
                                             .mailbox = &toy_coact_mailbox,
                                             .body = (void (*)(void))idle_run};
    const struct coact_supervisor spec = {
        .children = &child, .child_count = 1, .link = true};
    coact_supervisor_ref top;
    toy_ref toy;
    struct toy_is is;
    COACT_CHECK(coact_supervise(&spec, SOON, &top, NULL) == 0);
    COACT_CHECK(coact_child_find(top, toy, "isolated", &toy, SOON) == 0);
    COACT_CHECK(coact_ask(toy, who, &is, SOON, 0) == 0);
    fprintf(stderr, "child=%d ready\n", (int)is.pid);
    (void)coact_sleep(COACT_FOREVER);
    return 0;
}

/* ---- Signals ------------------------------------------------------------- */

static void
ck_signal(int sig)
{
    struct coact_program program = program_of(main_waits);
    struct run run;
    start_plain(&run, &program);
    await_words(&run, "ready");
    kill(run.pid, sig);
    await_end(&run);
    CODE(&run, 128 + sig);
    SAID(&run, "stopping");
    SAID(&run, "cleaned");
}

START_TEST(s64_a_signal_ends_the_program_in_order)
{
    ck_signal(SIGTERM);
    ck_signal(SIGINT);
    ck_signal(SIGHUP);
}
END_TEST

START_TEST(s64_a_main_that_returns_after_a_signal_gives_the_code)
{
    struct coact_program program = program_of(main_returns);
    struct run run;
    start_plain(&run, &program);
    await_words(&run, "ready");
    kill(run.pid, SIGTERM);
    await_end(&run);
    CODE(&run, 5);
}
END_TEST

START_TEST(s64_other_actors_clean_up_after_main)
{
    struct coact_program program = program_of(main_with_idle);
    struct run run;
    start_plain(&run, &program);
    await_words(&run, "ready");
    kill(run.pid, SIGTERM);
    await_end(&run);
    CODE(&run, 0);
    SAID(&run, "cleaned");
}
END_TEST

START_TEST(s64_a_call_in_flight_fails_with_a_reason)
{
    struct coact_program program = program_of(main_asks);
    struct run run;
    start_plain(&run, &program);
    await_words(&run, "asked");
    kill(run.pid, SIGTERM);
    await_end(&run);
    CODE(&run, 0);
    SAID(&run, "the call ended: this actor is asked to end");
}
END_TEST

START_TEST(s64_a_second_signal_ends_the_program_at_once)
{
    struct coact_program program = program_of(main_stuck);
    program.stop_ns = COACT_SECONDS(3600);
    struct run run;
    start_plain(&run, &program);
    await_words(&run, "ready");
    kill(run.pid, SIGINT);
    await_words(&run, "SIGINT: stopping");
    kill(run.pid, SIGTERM);
    await_end(&run);
    CODE(&run, 128 + SIGTERM);
    SAID(&run, "SIGTERM again");
}
END_TEST

START_TEST(s64_a_call_that_does_not_return_does_not_keep_a_program_from_ending)
{
    struct coact_program program = program_of(main_blocks);
    program.stop_ns = COACT_MS(400);
    struct run run;
    start_plain(&run, &program);
    await_words(&run, "blocked");
    kill(run.pid, SIGTERM);
    await_end(&run);
    CODE(&run, 7);
    SAID(&run, "coact_blocking, called by main (actor ");
    SAID(&run, " s ago, has not returned");
    SAID(&run, "the process is left with calls that block in it");
}
END_TEST

START_TEST(s64_what_blocks_the_exit_is_named)
{
    struct coact_program program = program_of(main_with_stuck);
    program.stop_ns = COACT_MS(400);
    struct run run;
    start_plain(&run, &program);
    await_words(&run, "ready");
    await_words(&run, "stuck\n");
    kill(run.pid, SIGTERM);
    await_end(&run);
    CODE(&run, 0); // main had given its code
    SAID(&run, "the-stuck-one");
    SAID(&run, "the process is left with actors in it");

    program = program_of(main_stuck);
    program.stop_ns = COACT_MS(400);
    start_plain(&run, &program);
    await_words(&run, "ready");
    kill(run.pid, SIGTERM);
    await_end(&run);
    CODE(&run, 128 + SIGTERM);
    SAID(&run, "still there: main");
}
END_TEST

/* ---- Isolated children --------------------------------------------------- */

static char folder[] = "/tmp/coact-test-XXXXXX";

static pid_t
child_of(const struct run *run)
{
    const char *at = strstr(run->said, "child=");
    ck_assert_ptr_nonnull(at);
    return atoi(at + strlen("child="));
}

START_TEST(s64_isolated_children_end_with_the_program)
{
    struct coact_program program = program_of(main_with_isolated);
    struct run run;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    setenv("TMPDIR", folder, 1);
    start_plain(&run, &program);
    await_words(&run, "ready");
    kill(run.pid, SIGTERM);
    await_end(&run);
    CODE(&run, 0);
    SAID(&run, "cleaned");
    ck_assert_int_ne(kill(child_of(&run), 0), 0);
    ck_assert_msg(rmdir(folder) == 0, "a file is left");
}
END_TEST

START_TEST(s64_a_program_that_is_killed_takes_its_children_along)
{
    struct coact_program program = program_of(main_with_isolated);
    struct run run;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    setenv("TMPDIR", folder, 1);
    start_plain(&run, &program);
    await_words(&run, "ready");
    kill(run.pid, SIGKILL);
    await_end(&run); // the pipe is closed when the child is gone, too
    ck_assert(WIFSIGNALED(run.status));
    // The sweeper removes its folder.
    char command[64];
    snprintf(command, sizeof(command), "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

static int
main_nothing(int argc, char **argv)
{
    (void)argc, (void)argv;
    return 1;
}

int
main(int argc, char **argv)
{
    if (coact__process_is_child(argc, argv)) {
        const struct coact_program program = program_of(main_nothing);
        return coact_main(argc, argv, &program);
    }
    const TTest *tests[] = {
        s64_a_signal_ends_the_program_in_order,
        s64_a_main_that_returns_after_a_signal_gives_the_code,
        s64_other_actors_clean_up_after_main,
        s64_a_call_in_flight_fails_with_a_reason,
        s64_a_second_signal_ends_the_program_at_once,
        s64_a_call_that_does_not_return_does_not_keep_a_program_from_ending,
        s64_what_blocks_the_exit_is_named,
        s64_isolated_children_end_with_the_program,
        s64_a_program_that_is_killed_takes_its_children_along,
    };
    return suite_main(argc, argv, "main_signal", tests, COUNT(tests));
}
