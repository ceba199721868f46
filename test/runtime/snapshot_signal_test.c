/*
 * snapshot_signal_test.c - the signal belongs to others too, and what is refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/memory.h"
#include "runtime/oracle.h"
#include "test/runtime/snapshot_support.h"
#include "test/support/death.h"
#include "test/support/suite.h"

#include <errno.h>
#include <sched.h>
#include <unistd.h>

static atomic_int foreign_count;
static atomic_int foreign_value;

static void
on_foreign(int sig, siginfo_t *info, void *context)
{
    (void)context;
    atomic_fetch_add_explicit(&foreign_count, sig == SIGNAL,
                              memory_order_relaxed);
    atomic_store_explicit(&foreign_value, info->si_value.sival_int,
                          memory_order_relaxed);
}

static void
on_plain(int sig)
{
    atomic_fetch_add_explicit(&foreign_count, sig == SIGNAL,
                              memory_order_relaxed);
}

static int
foreign(void)
{
    return atomic_load_explicit(&foreign_count, memory_order_relaxed);
}

START_TEST(a_foreign_signal_of_the_same_number_goes_to_the_previous_handler)
{
    struct sigaction theirs = {.sa_sigaction = on_foreign,
                               .sa_flags = SA_SIGINFO};
    ck_assert_int_eq(sigaction(SIGNAL, &theirs, NULL), 0);
    must_install();
    // TSan delivers to the handlers that it knows when a call ends.
    union sigval value = {.sival_int = 77};
    ck_assert_int_eq(pthread_sigqueue(pthread_self(), SIGNAL, value), 0);
    sched_yield();
    usleep(0);
    ck_assert_int_eq(foreign(), 1);
    ck_assert_int_eq(foreign_value, 77);
    ck_assert_int_eq(raise(SIGNAL), 0);
    usleep(0);
    ck_assert_int_eq(foreign(), 2);
    // Ours do not reach it.
    void *frames[FRAMES];
    take(gettid(), frames);
    usleep(0);
    ck_assert_int_eq(foreign(), 2);
}
END_TEST

START_TEST(a_previous_handler_without_information_is_called_as_well)
{
    struct sigaction theirs = {.sa_handler = on_plain};
    ck_assert_int_eq(sigaction(SIGNAL, &theirs, NULL), 0);
    must_install();
    ck_assert_int_eq(raise(SIGNAL), 0);
    usleep(0);
    ck_assert_int_eq(foreign(), 1);
}
END_TEST

START_TEST(a_foreign_signal_that_was_ignored_is_ignored)
{
    signal(SIGNAL, SIG_IGN);
    must_install();
    ck_assert_int_eq(raise(SIGNAL), 0);
    void *frames[FRAMES];
    take(gettid(), frames);
}
END_TEST

static void
raise_foreign(void *arg)
{
    (void)arg;
    must_install();
    raise(SIGNAL);
}

START_TEST(a_foreign_signal_that_nobody_handled_ends_the_process_as_before)
{
    ck_assert_int_eq(death_of(raise_foreign, NULL), SIGNAL);
}
END_TEST

static void *
run_flood(void *arg)
{
    pthread_t target = *(pthread_t *)arg;
    union sigval value = {.sival_int = 1};
    while (!over()) {
        (void)pthread_sigqueue(target, SIGNAL, value);
        sched_yield();
    }
    return NULL;
}

START_TEST(takes_and_foreign_signals_do_not_disturb_each_other)
{
    struct sigaction theirs = {.sa_sigaction = on_foreign,
                               .sa_flags = SA_SIGINFO | SA_RESTART};
    ck_assert_int_eq(sigaction(SIGNAL, &theirs, NULL), 0);
    must_install();
    static struct subject subject;
    pid_t tid = start(&subject, run_coroutine);
    pthread_t flood;
    ck_assert_int_eq(pthread_create(&flood, NULL, run_flood, &subject.thread),
                     0);
    for (int i = 0; i < 300; i++) {
        void *frames[FRAMES];
        take(tid, frames);
    }
    end(flood);
    end(subject.thread);
}
END_TEST

static void *
run_nothing(void *arg)
{
    say_tid(arg);
    return NULL;
}

START_TEST(what_cannot_be_is_refused)
{
    void *frames[FRAMES];
    ck_assert_int_eq(coact__snapshot_take(gettid(), frames, 1, MS), -ENOTSUP);
    coact__snapshot_admit();
    ck_assert_int_eq(coact__snapshot_install(SIGUSR1), -EINVAL);
    ck_assert_int_eq(coact__snapshot_install(SIGRTMAX + 1), -EINVAL);
    coact__fail_nth(1, false);
    ck_assert_int_eq(coact__snapshot_install(SIGNAL), -EINVAL);
    coact__fail_nth(0, false);
    must_install();
    must_install();
    ck_assert_int_eq(coact__snapshot_install(SIGNAL + 1), -EALREADY);
    ck_assert_int_eq(coact__snapshot_take(0, frames, 1, MS), -EINVAL);
    ck_assert_int_eq(coact__snapshot_take(gettid(), frames, 0, MS), -EINVAL);
    coact__fail_nth(1, false);
    ck_assert_int_eq(coact__snapshot_take(gettid(), frames, 1, MS), -EAGAIN);
    coact__fail_nth(0, false);
    ck_assert_int_eq(coact__snapshot_take(gettid(), frames, 1, INT64_MAX), 1);
    static struct subject subject;
    pid_t tid = start(&subject, run_nothing);
    pthread_join(subject.thread, NULL);
    // A join may return a moment before the kernel has forgotten the thread.
    int64_t deadline = coact__oracle_now_ns() + PATIENCE_NS;
    int rc;
    do {
        ck_assert_msg(coact__oracle_now_ns() < deadline, "it is still there");
        rc = coact__snapshot_take(tid, frames, FRAMES, MS);
    } while (rc == -ETIMEDOUT);
    ck_assert_int_eq(rc, -ESRCH);
    ck_assert_int_eq(coact__snapshot_take(1, frames, 1, MS), -ESRCH);
}
END_TEST

SUITE_MAIN("snapshot_signal",
           a_foreign_signal_of_the_same_number_goes_to_the_previous_handler,
           a_previous_handler_without_information_is_called_as_well,
           a_foreign_signal_that_was_ignored_is_ignored,
           a_foreign_signal_that_nobody_handled_ends_the_process_as_before,
           takes_and_foreign_signals_do_not_disturb_each_other,
           what_cannot_be_is_refused)
