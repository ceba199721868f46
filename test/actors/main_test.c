/*
 * main_test.c - a program run by coact_main ends as it is told to: by its main,
 * by a signal, by exit, by a crash; and what keeps it from ending is named.
 *
 * Each program runs in a process of its own, forked before any thread is there;
 * what it says on standard error is read through a pipe.  The binary is also
 * its own isolated child.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/support/suite.h"

#include "runtime/process.h"

#include <coact/actor.h>
#include <coact/main.h>
#include <coact/supervisor.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SOON coact_in_ms(8000)

/* ---- A program, from outside --------------------------------------------- */

struct run {
    pid_t pid;
    int fd;
    char said[1 << 15];
    size_t bytes;
    int status;
};

static char folder[] = "/tmp/coact-test-XXXXXX";

static void
start(struct run *run, const struct coact_program *program, int argc,
      char **argv)
{
    int fds[2];
    memset(run, 0, sizeof(*run));
    ck_assert_int_eq(pipe(fds), 0);
    run->pid = fork();
    ck_assert_int_ge(run->pid, 0);
    if (run->pid == 0) {
        dup2(fds[1], STDERR_FILENO);
        dup2(fds[1], STDOUT_FILENO);
        close(fds[0]);
        close(fds[1]);
        exit(coact_main(argc, argv, program));
    }
    close(fds[1]);
    run->fd = fds[0];
}

static void
start_plain(struct run *run, const struct coact_program *program)
{
    static char name[] = "/usr/bin/prog";
    char *argv[] = {name, NULL};
    start(run, program, 1, argv);
}

/* Read until it has said this; NULL: until nobody can say anything more. */
static void
await_words(struct run *run, const char *words)
{
    while (words == NULL || strstr(run->said, words) == NULL) {
        struct pollfd fd = {.fd = run->fd, .events = POLLIN};
        int rc = poll(&fd, 1, 9000);
        ck_assert_msg(rc == 1, "it does not say %s\n%.3000s",
                      words != NULL ? words : "good-bye", run->said);
        ssize_t got = read(run->fd, run->said + run->bytes,
                           sizeof(run->said) - 1 - run->bytes);
        ck_assert_int_ge(got, 0);
        ck_assert_msg(got > 0 || words == NULL, "it never said %s\n%.3000s",
                      words, run->said);
        if (got == 0) {
            return;
        }
        run->bytes += (size_t)got;
    }
}

static void
await_end(struct run *run)
{
    await_words(run, NULL);
    ck_assert_int_eq(waitpid(run->pid, &run->status, 0), run->pid);
    close(run->fd);
}

#define CODE(run, code)                                                        \
    ck_assert_msg(WIFEXITED((run)->status) &&                                  \
                      WEXITSTATUS((run)->status) == (code),                    \
                  "status %x\n%.3000s", (unsigned)(run)->status, (run)->said)
#define SAID(run, words)                                                       \
    ck_assert_msg(strstr((run)->said, words) != NULL,                          \
                  "it did not say: %s\n%.3000s", words, (run)->said)

static void
say(const char *words)
{
    fprintf(stderr, "%s\n", words);
}

/* ---- Actors -------------------------------------------------------------- */

struct toy_is {
    int32_t pid;
};
COACT_MESSAGE(toy_is, (1, pid));
COACT_SIGNAL_REQUEST(who, toy_is);
COACT_SIGNAL(go);
COACT_MAILBOX(toy, who, go);

static void
say_cleaned(void *arg)
{
    (void)arg;
    say("cleaned");
}

static void
idle_run(toy_self self, void *arg)
{
    (void)arg;
    COACT_CHECK(coact_defer(say_cleaned, NULL) == 0);
    for (;;) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(who, m): {
            coact_reply(m, .pid = getpid());
        } break;
        }
    }
}

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

static const struct coact_body bodies[] = {COACT_BODY(toy, idle_run)};

/* ---- Mains --------------------------------------------------------------- */

static int
main_code(int argc, char **argv)
{
    return argc == 2 ? atoi(argv[1]) : 1;
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
main_fails(int argc, char **argv)
{
    (void)argv;
    if (argc > 0) {
        coact_fail(-EIO, "no disk");
    }
    return 0;
}

static int
spawn_and_wait(toy_coact_body *body, const char *label)
{
    toy_ref toy;
    COACT_CHECK(coact_spawn_with(toy, &toy, body, NULL, .label = label) == 0);
    say("ready");
    return coact_sleep(COACT_FOREVER) == -ECANCELED ? 0 : 6;
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

static struct coact_program
program_of(int (*fn)(int argc, char **argv))
{
    return (struct coact_program){.name = "prog",
                                  .main = fn,
                                  .options = {.workers = 2},
                                  .bodies = bodies,
                                  .body_count = COUNT(bodies),
                                  .usage = "usage: prog",
                                  .version = "prog 1.2"};
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
    // Nobody can remove its folder but us.
    char command[64];
    snprintf(command, sizeof(command), "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
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
        s64_a_signal_ends_the_program_in_order,
        s64_a_main_that_returns_after_a_signal_gives_the_code,
        s64_other_actors_clean_up_after_main,
        s64_a_call_in_flight_fails_with_a_reason,
        s64_a_second_signal_ends_the_program_at_once,
        s64_what_blocks_the_exit_is_named,
        s64_isolated_children_end_with_the_program,
        s64_a_program_that_is_killed_takes_its_children_along,
        a_crash_names_the_signal_and_the_actor,
        a_stack_overflow_is_called_one,
        an_embedder_installs_the_crash_report_once,
    };
    return suite_main(argc, argv, "main", tests, COUNT(tests));
}
