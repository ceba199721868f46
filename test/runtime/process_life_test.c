/*
 * process_life_test.c - no child outlives its parent, and none is lost: when
 * many start, when a stop or a signal comes early, when anything is refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/runtime/process_support.h"

#include "runtime/memory.h"
#include "runtime/oracle.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* The end of the parent. */

static void
ck_grandchild_dies(const char *bootstrap)
{
    // It becomes ours, so that its death can be seen.
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    spawner_open(NULL);
    struct child middle;
    child_start(&middle, bootstrap);
    child_await(&middle, 1, 0, 0);
    pid_t pid = atoi(middle.text);
    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(kill(pid, 0), 0);
    ck_assert_int_eq(coact__process_signal(middle.process, SIGKILL), 0);
    child_await_signal(&middle, SIGKILL);
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    child_fini(&middle);
    spawner_close();
}

START_TEST(a_looping_child_ends_with_its_killed_parent)
{
    ck_grandchild_dies("parent spin tied");
}
END_TEST

START_TEST(the_lifeline_alone_ends_an_orphan)
{
    ck_grandchild_dies("parent spin untied");
}
END_TEST

START_TEST(the_death_signal_alone_ends_an_orphan)
{
    setenv("COACT_TEST_NEVER_OPENS", "1", 1);
    setenv("COACT_TEST_MIDDLE", "1", 1);
    ck_grandchild_dies("parent ignored");
}
END_TEST

/* Many, and at the wrong moment. */

START_TEST(a_hundred_children_start_and_a_stop_reaps_them)
{
    enum { COUNT = 100 };
    int files = files_open();
    static struct child c[COUNT];
    spawner_open(NULL);
    for (int i = 0; i < COUNT; i++) {
        child_start(&c[i], "idle");
    }
    for (int i = 0; i < COUNT; i++) {
        child_await(&c[i], 1, 5, 0);
    }
    spawner_close();
    for (int i = 0; i < COUNT; i++) {
        child_await_signal(&c[i], SIGKILL);
        ck_assert_uint_eq(c[i].ends, 1);
        ck_assert_str_eq(c[i].text, "ready");
        child_fini(&c[i]);
    }
    ck_assert_int_eq(files_open(), files);
}
END_TEST

START_TEST(a_stop_while_starting_ends_each_once)
{
    enum { COUNT = 30 };
    int files = files_open();
    struct child c[COUNT];
    for (int round = 0; round < 4; round++) {
        spawner_open(NULL);
        for (int i = 0; i < COUNT; i++) {
            child_start(&c[i], "idle");
        }
        if (round % 2 == 1) {
            child_await(&c[round], 1, 5, 0);
        }
        spawner_close();
        for (int i = 0; i < COUNT; i++) {
            ck_assert_uint_eq(c[i].ends, 1);
            ck_assert(c[i].end.error == -ESHUTDOWN ||
                      c[i].end.signal == SIGKILL);
            child_fini(&c[i]);
        }
    }
    ck_assert_int_eq(files_open(), files);
}
END_TEST

static void
start_again(void *owner, const struct coact__process_end *end)
{
    struct child *c = owner;
    int code = end->exit_code;
    if (code > 0) {
        static const struct coact__process_events again = {child_heard,
                                                           start_again};
        char text[16];
        int len = snprintf(text, sizeof(text), "exit %d", code - 1);
        ck_assert_int_eq(
            coact__process_start(spawner, text, (size_t)len, &again, c, NULL),
            0);
    } else {
        child_ended(owner, end);
    }
    ck_assert_int_eq(coact__spawner_stop(spawner, 0), -EPERM);
}

START_TEST(a_handler_may_start_the_next)
{
    static const struct coact__process_events again = {child_heard,
                                                       start_again};
    spawner_open(NULL);
    struct child c;
    child_init(&c);
    ck_assert_int_eq(
        coact__process_start(spawner, "exit 3", 6, &again, &c, NULL), 0);
    child_await_exit(&c, 0);
    spawner_close();
    child_fini(&c);
}
END_TEST

START_TEST(a_signal_before_the_start_is_kept)
{
    spawner_open(NULL);
    struct child c[20];
    for (int i = 0; i < 20; i++) {
        child_start(&c[i], "idle");
        ck_assert_int_eq(coact__process_signal(c[i].process, SIGKILL), 0);
        ck_assert_int_eq(coact__process_signal(c[i].process, 65), -EINVAL);
    }
    for (int i = 0; i < 20; i++) {
        child_await_signal(&c[i], SIGKILL);
        child_fini(&c[i]);
    }
    spawner_close();
}
END_TEST

START_TEST(after_a_fork_every_call_is_refused)
{
    spawner_open(NULL);
    struct child c;
    child_start(&c, "idle");
    child_await(&c, 1, 0, 0);
    pid_t pid = fork();
    if (pid == 0) {
        bool refused = coact__process_start(spawner, NULL, 0, &child_events, &c,
                                            NULL) == -EPERM &&
                       coact__process_send(c.process, "x", 1) == -EPERM &&
                       coact__process_signal(c.process, SIGKILL) == -EPERM &&
                       coact__process_pid(c.process) == 0 &&
                       coact__spawner_stop(spawner, 0) == -EPERM;
        _exit(refused ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    spawner_close();
    child_fini(&c);
}
END_TEST

/* A debugger that holds a zombie: the process is dead and cannot be reaped. */
static pid_t
hold_zombie(pid_t pid, int ready_fd, int release_fd)
{
    pid_t tracer = fork();
    if (tracer != 0) {
        return tracer;
    }
    char byte = ptrace(PTRACE_SEIZE, pid, 0, 0) == 0 ? 'y' : 'n';
    (void)!write(ready_fd, &byte, 1);
    (void)!read(release_fd, &byte, 1);
    _exit(0);
}

START_TEST(a_stop_that_is_late_can_be_repeated)
{
    spawner_open(NULL);
    struct child c;
    child_start(&c, "idle");
    child_await(&c, 1, 0, 0);
    int ready[2];
    int release[2];
    ck_assert(pipe(ready) == 0 && pipe(release) == 0);
    pid_t tracer =
        hold_zombie(coact__process_pid(c.process), ready[1], release[0]);
    char answer;
    ck_assert_int_eq(read(ready[0], &answer, 1), 1);
    if (answer == 'y') {
        int64_t deadline_ns = coact__oracle_now_ns() + SECOND / 10;
        ck_assert_int_eq(coact__spawner_stop(spawner, deadline_ns), -ETIMEDOUT);
        ck_assert_int_eq(
            coact__process_start(spawner, NULL, 0, &child_events, &c, NULL),
            -ESHUTDOWN);
        ck_assert_uint_eq(c.ends, 0);
    }
    ck_assert_int_eq(write(release[1], "x", 1), 1);
    ck_assert_int_eq(waitpid(tracer, NULL, 0), tracer);
    spawner_close();
    child_await_signal(&c, SIGKILL);
    child_fini(&c);
}
END_TEST

/* Failures. */

/* One whole life, in which anything may be refused. */
static void
live_once(const struct coact__spawner_options *options)
{
    struct child c;
    child_init(&c);
    if (coact__spawner_start(&spawner, options) != 0) {
        child_fini(&c);
        return;
    }
    int rc = coact__process_start(spawner, "echo hello", 10, &child_events, &c,
                                  &c.process);
    if (rc == 0) {
        int sent = coact__process_send(c.process, "again", 5);
        sent = sent == 0 ? coact__process_send(c.process, "quit", 4) : sent;
        if (sent != 0) {
            (void)!coact__process_signal(c.process, SIGTERM);
        }
        child_await(&c, 0, 0, 1);
        if (c.end.exited) {
            ck_assert_str_eq(c.text, "helloagain");
            ck_assert_int_eq(c.end.exit_code, 0);
        } else {
            // Where an older call stands in for a refused one, it must do.
            ck_assert(sent != 0 || c.end.error == -ENOMEM ||
                      c.end.error == -EMFILE || c.end.error == -EAGAIN);
        }
    } else {
        ck_assert(rc == -ENOMEM);
    }
    spawner_close();
    ck_assert_uint_eq(c.ends, rc == 0);
    child_fini(&c);
}

static void
ck_failures(const struct coact__spawner_options *options)
{
    // One descriptor that a child would inherit if nothing were done.
    ck_assert_int_eq(dup2(1, 50), 50);
    live_once(options); // what is made once and stays is not a leak
    int files = files_open();
    unsigned long n = 0;
    do {
        n++;
        coact__fail_nth(n, false);
        live_once(options);
        ck_assert_int_eq(files_open(), files);
    } while (coact__fail_count() >= n);
    coact__fail_nth(0, false);
    ck_assert_uint_gt(n, 20);
}

START_TEST(the_nth_failure_of_a_process_leaks_nothing)
{
    ck_failures(NULL);
}
END_TEST

START_TEST(the_nth_failure_without_pidfds_leaks_nothing)
{
    struct coact__spawner_options options = {.waits_with_threads = true};
    ck_failures(&options);
}
END_TEST

PROCESS_MAIN("process_life", a_looping_child_ends_with_its_killed_parent,
             the_lifeline_alone_ends_an_orphan,
             the_death_signal_alone_ends_an_orphan,
             a_hundred_children_start_and_a_stop_reaps_them,
             a_stop_while_starting_ends_each_once, a_handler_may_start_the_next,
             a_signal_before_the_start_is_kept,
             after_a_fork_every_call_is_refused,
             a_stop_that_is_late_can_be_repeated,
             the_nth_failure_of_a_process_leaks_nothing,
             the_nth_failure_without_pidfds_leaks_nothing)
