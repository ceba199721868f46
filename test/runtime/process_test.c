/*
 * process_test.c - a child hears its parent, is heard to its last word, ends
 * as it is said to, and inherits what is promised.
 *
 * The binary is its own child: process_program.h says what it can do.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/runtime/process_support.h"
#include "test/support/valgrind.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Bytes. */

static void
ck_bootstrap_of(size_t bytes)
{
    char *text = malloc(bytes + 5);
    memcpy(text, "echo ", 5);
    for (size_t i = 0; i < bytes; i++) {
        text[5 + i] = (char)((i * 2654435761U) >> 11);
    }
    struct child c;
    child_start_bytes(&c, text, bytes + 5);
    child_await(&c, 0, bytes, 0);
    ck_assert_uint_eq(c.bytes, bytes);
    ck_assert_int_eq(memcmp(c.text, text + 5, bytes), 0);
    ck_assert_int_eq(coact__process_send(c.process, "quit", 4), 0);
    child_await_exit(&c, 0);
    child_fini(&c);
    free(text);
}

START_TEST(a_bootstrap_arrives_byte_for_byte)
{
    spawner_open(NULL);
    ck_bootstrap_of(0);
    ck_bootstrap_of(1);
    ck_bootstrap_of(COACT__PROCESS_MESSAGE_MAX - 5);
    ck_bootstrap_of(COACT__PROCESS_MESSAGE_MAX - 4);
    ck_bootstrap_of((size_t)1 << 20);
    spawner_close();
}
END_TEST

START_TEST(messages_go_both_ways_in_order)
{
    spawner_open(NULL);
    struct child c;
    child_start(&c, "echo");
    char *expected = calloc(1, HEARD_MAX);
    size_t at = 0;
    // The first are sent before there is a process.
    for (int i = 0; i < 2000; i++) {
        char text[600];
        int len = snprintf(text, sizeof(text), "<%d%*s>", i, i % 500, "");
        int rc = coact__process_send(c.process, text, (size_t)len);
        ck_assert_int_eq(rc, 0);
        memcpy(expected + at, text, (size_t)len);
        at += (size_t)len;
    }
    ck_assert_int_eq(coact__process_send(c.process, "", 0), 0);
    static char longest[COACT__PROCESS_MESSAGE_MAX + 1];
    memset(longest, 'l', sizeof(longest));
    ck_assert_int_eq(
        coact__process_send(c.process, longest, COACT__PROCESS_MESSAGE_MAX), 0);
    memcpy(expected + at, longest, COACT__PROCESS_MESSAGE_MAX);
    at += COACT__PROCESS_MESSAGE_MAX;
    ck_assert_int_eq(coact__process_send(c.process, longest, sizeof(longest)),
                     -EOVERFLOW);
    child_await(&c, 2002, at, 0);
    ck_assert_uint_eq(c.bytes, at);
    ck_assert_int_eq(memcmp(c.text, expected, at), 0);
    ck_assert_int_eq(coact__process_send(c.process, "quit", 4), 0);
    child_await_exit(&c, 0);
    child_fini(&c);
    free(expected);
    spawner_close();
}
END_TEST

static void
ck_numbers(const struct child *c, unsigned count)
{
    ck_assert_uint_eq(c->messages, count);
    const char *at = c->text;
    for (unsigned i = 0; i < count; i++) {
        char number[16];
        int len = snprintf(number, sizeof(number), "%u", i);
        ck_assert_int_eq(strncmp(at, number, (size_t)len), 0);
        at += len;
    }
}

START_TEST(all_that_a_child_sent_comes_before_its_end)
{
    spawner_open(NULL);
    struct child c;
    child_start(&c, "burst 5000 exit");
    // Unread packets make the kernel answer ECONNRESET before the child's.
    for (int i = 0; i < 5; i++) {
        int rc = coact__process_send(c.process, "unread", 6);
        ck_assert(rc == 0 || rc == -ECHILD); // it may have ended by now
    }
    child_await_exit(&c, 0);
    ck_numbers(&c, 5000);
    child_fini(&c);

    child_start(&c, "burst 50 killed");
    int rc = coact__process_send(c.process, "unread", 6);
    ck_assert(rc == 0 || rc == -ECHILD); // it may have ended by now
    child_await_signal(&c, SIGKILL);
    ck_numbers(&c, 50);
    child_fini(&c);
    spawner_close();
}
END_TEST

/* More than a turn of the spawner reads is left when the child is dead. */
static void
heard_after_death(void *owner, const void *bytes, size_t len)
{
    struct child *c = owner;
    if (c->messages == 0) {
        siginfo_t info;
        id_t pid = (id_t)coact__process_pid(c->process);
        // Where a thread waits for the child it may have been faster.
        ck_assert(waitid(P_PID, pid, &info, WEXITED | WNOWAIT) == 0 ||
                  errno == ECHILD);
    }
    child_heard(owner, bytes, len);
}

START_TEST(what_is_unread_at_the_death_is_still_heard)
{
    static const struct coact__process_events late = {heard_after_death,
                                                      child_ended};
    spawner_open(NULL);
    struct child c;
    child_init(&c);
    ck_assert_int_eq(coact__process_start(spawner, "burst 190 killed", 16,
                                          &late, &c, &c.process),
                     0);
    child_await_signal(&c, SIGKILL);
    ck_numbers(&c, 190);
    child_fini(&c);
    spawner_close();
}
END_TEST

START_TEST(a_child_that_does_not_listen_presses_back)
{
    struct coact__spawner_options options = {.queue_bytes = 200000};
    spawner_open(&options);
    struct child c;
    child_start(&c, "idle");
    child_await(&c, 1, 0, 0);
    static const char block[50000];
    int sent = 0;
    int rc;
    while ((rc = coact__process_send(c.process, block, sizeof(block))) == 0) {
        ck_assert_int_lt(++sent, 100);
    }
    ck_assert_int_eq(rc, -EAGAIN);
    ck_assert_int_ge(sent, 4);
    ck_assert_int_eq(coact__process_signal(c.process, SIGTERM), 0);
    child_await_signal(&c, SIGTERM);
    ck_assert_int_eq(coact__process_send(c.process, block, 1), -ECHILD);
    ck_assert_int_eq(coact__process_signal(c.process, SIGTERM), -ECHILD);
    spawner_close();
    ck_assert_int_eq(coact__process_send(c.process, block, 1), -ECHILD);
    child_fini(&c);
}
END_TEST

/* Ends. */

static void
ck_ends(const struct coact__spawner_options *options)
{
    spawner_open(options);
    struct child c[6];
    child_start(&c[0], "exit 0");
    child_start(&c[1], "exit 3");
    child_start(&c[2], "signal 11");
    child_start(&c[3], "signal 9");
    child_start(&c[4], "idle");
    child_start(&c[5], "idle");
    child_await_exit(&c[0], 0);
    child_await_exit(&c[1], 3);
    child_await_signal(&c[2], SIGSEGV);
    child_await_signal(&c[3], SIGKILL);
    ck_assert_int_gt(c[1].end.max_rss_bytes, 100000);
    ck_assert_int_gt(c[1].end.user_ns + c[1].end.system_ns, 0);
    ck_assert_int_eq(coact__process_signal(c[4].process, SIGUSR1), 0);
    child_await_signal(&c[4], SIGUSR1);
    spawner_close();
    child_await_signal(&c[5], SIGKILL);
    for (int i = 0; i < 6; i++) {
        ck_assert_uint_eq(c[i].ends, 1);
        child_fini(&c[i]);
    }
}

START_TEST(an_end_says_how)
{
    ck_ends(NULL);
}
END_TEST

START_TEST(an_end_says_how_without_pidfds)
{
    struct coact__spawner_options options = {.waits_with_threads = true};
    ck_ends(&options);
}
END_TEST

START_TEST(what_cannot_be_executed_never_ran)
{
    int files = files_open();
    struct coact__spawner_options options = {.executable = "/dev/null"};
    spawner_open(&options);
    struct child c;
    child_start(&c, "exit 0");
    child_await(&c, 0, 0, 1);
    ck_assert_int_eq(c.end.error, -EACCES);
    ck_assert(!c.end.exited);
    child_fini(&c);
    spawner_close();
    ck_assert_int_eq(files_open(), files);
    options.executable = "/no/such/file";
    ck_assert_int_eq(coact__spawner_start(&spawner, &options), -ENOENT);
}
END_TEST

START_TEST(a_child_that_closes_its_channel_is_killed)
{
    spawner_open(NULL);
    struct child c;
    child_start(&c, "deaf");
    child_await_signal(&c, SIGKILL);
    ck_assert_str_eq(c.text, "ready");
    child_fini(&c);
    spawner_close();
}
END_TEST

START_TEST(a_status_taken_by_somebody_else_is_said)
{
    signal(SIGCHLD, SIG_IGN); // the kernel reaps at once
    spawner_open(NULL);
    struct child c;
    child_start(&c, "exit 3");
    child_await(&c, 0, 0, 1);
    ck_assert_int_eq(c.end.error, -ECHILD);
    child_fini(&c);
    spawner_close();
}
END_TEST

/* What a child inherits. */

static void
ignore(int sig)
{
    (void)sig;
}

START_TEST(a_child_inherits_what_is_promised_and_nothing_else)
{
    setenv("COACT_TEST_WORD", "kept", 1);
    int extra = open("/dev/zero", O_RDONLY);
    ck_assert_int_eq(dup2(extra, 50), 50);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, ignore);
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &mask, NULL);
    struct coact__spawner_options options = {.program = "a-program"};
    spawner_open(&options);
    setenv("COACT_TEST_WORD", "later", 1);
    struct child c;
    child_start(&c, "facts");
    child_await_exit(&c, 0);
    const char *text = c.text;
    ck_assert_msg(strstr(text, "files 0 1 2 3\n") != NULL, "%s", text);
    ck_assert_msg(strstr(text, "stdin /dev/null\n") != NULL, "%s", text);
    ck_assert_msg(strstr(text, "argv a-program --coact-child\n") != NULL, "%s",
                  text);
    ck_assert_msg(strstr(text, "death 9\n") != NULL, "%s", text);
    ck_assert_msg(strstr(text, "test kept\n") != NULL, "%s", text);
    ck_assert_msg(strstr(text, "SigBlk:\t0000000000000000\n") != NULL, "%s",
                  text);
    ck_assert_msg(strstr(text, "SigIgn:\t0000000000000002\n") != NULL, "%s",
                  text);
    child_fini(&c);
    spawner_close();
    ck_assert(signal(SIGPIPE, SIG_DFL) == SIG_IGN);
    ck_assert(signal(SIGUSR1, SIG_DFL) == ignore);
}
END_TEST

START_TEST(closed_standard_files_do_not_reach_a_child)
{
    int out = dup(1);
    int err = dup(2);
    close(0);
    close(1);
    close(2);
    spawner_open(NULL);
    struct child c;
    child_start(&c, "facts");
    child_await_exit(&c, 0);
    spawner_close();
    dup2(out, 1);
    dup2(err, 2);
    ck_assert_msg(strstr(c.text, "files 0 1 2 3\n") != NULL, "%s", c.text);
    child_fini(&c);
}
END_TEST

static void
copy_file(const char *from, const char *to)
{
    char buf[65536];
    FILE *in = fopen(from, "re");
    FILE *out = fopen(to, "we");
    ck_assert(in != NULL && out != NULL);
    size_t got;
    while ((got = fread(buf, 1, sizeof(buf), in)) > 0) {
        ck_assert_uint_eq(fwrite(buf, 1, got, out), got);
    }
    fclose(in);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_int_eq(chmod(to, 0700), 0);
}

START_TEST(replacing_the_executable_on_disk_changes_nothing)
{
    // Valgrind executes by path whatever it is asked to do.
    if (is_on_valgrind()) {
        return;
    }
    char dir[] = "coact-process-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(dir));
    char path[64];
    snprintf(path, sizeof(path), "%s/program", dir);
    copy_file("/proc/self/exe", path);
    struct coact__spawner_options options = {.executable = path};
    spawner_open(&options);
    ck_assert_int_eq(unlink(path), 0);
    copy_file("/bin/false", path);
    struct child c;
    child_start(&c, "exit 3");
    child_await_exit(&c, 3);
    child_fini(&c);
    spawner_close();
    unlink(path);
    rmdir(dir);
}
END_TEST

START_TEST(the_mark_alone_makes_no_child)
{
    char *argv[] = {(char[]){"x"}, (char[]){COACT__PROCESS_MARK}, NULL};
    ck_assert(!coact__process_is_child(2, argv));
    ck_assert(!coact__process_is_child(1, argv));
    struct coact__process_child *child;
    ck_assert_int_eq(coact__process_child_open(&child), -EPROTO);
}
END_TEST

START_TEST(bad_arguments_to_a_start_are_refused)
{
    static const struct coact__process_events no_end = {child_heard, NULL};
    spawner_open(NULL);
    struct child c;
    child_init(&c);
    ck_assert_int_eq(
        coact__process_start(spawner, NULL, 1, &child_events, &c, NULL),
        -EINVAL);
    ck_assert_int_eq(coact__process_start(spawner, NULL, 0, NULL, &c, NULL),
                     -EINVAL);
    ck_assert_int_eq(coact__process_start(spawner, NULL, 0, &no_end, &c, NULL),
                     -EINVAL);
    ck_assert_int_eq(coact__process_start(spawner, "",
                                          COACT__PROCESS_BOOTSTRAP_MAX + 1,
                                          &child_events, &c, NULL),
                     -EOVERFLOW);
    child_fini(&c);
    spawner_close();
}
END_TEST

PROCESS_MAIN("process", a_bootstrap_arrives_byte_for_byte,
             messages_go_both_ways_in_order,
             all_that_a_child_sent_comes_before_its_end,
             what_is_unread_at_the_death_is_still_heard,
             a_child_that_does_not_listen_presses_back, an_end_says_how,
             an_end_says_how_without_pidfds, what_cannot_be_executed_never_ran,
             a_child_that_closes_its_channel_is_killed,
             a_status_taken_by_somebody_else_is_said,
             a_child_inherits_what_is_promised_and_nothing_else,
             closed_standard_files_do_not_reach_a_child,
             replacing_the_executable_on_disk_changes_nothing,
             the_mark_alone_makes_no_child,
             bad_arguments_to_a_start_are_refused)
