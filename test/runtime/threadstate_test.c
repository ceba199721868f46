/*
 * threadstate_test.c - threads that compute, sleep and starve, seen from
 * outside.
 *
 * How a machine shares its processors out is not for a test to assume: where it
 * matters, what is judged is compared with the time that was measured.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/threadstate.h"

#include "runtime/memory.h"
#include "runtime/oracle.h"
#include "test/support/suite.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MS INT64_C(1000000)
#define PATIENCE_NS (8000 * MS)

static atomic_bool is_over;

struct subject {
    pthread_t thread;
    _Atomic pid_t tid;
    int pipe[2];
};

static void
start(struct subject *subject, void *(*body)(void *))
{
    ck_assert_int_eq(pthread_create(&subject->thread, NULL, body, subject), 0);
    while (atomic_load_explicit(&subject->tid, memory_order_acquire) == 0) {
        sched_yield();
    }
}

static void
say_tid(struct subject *subject)
{
    atomic_store_explicit(&subject->tid, gettid(), memory_order_release);
}

static void *
spin(void *arg)
{
    say_tid(arg);
    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
    }
    return NULL;
}

static void *
read_pipe(void *arg)
{
    struct subject *subject = arg;
    say_tid(subject);
    char byte;
    ck_assert_int_eq(read(subject->pipe[0], &byte, 1), 1);
    return NULL;
}

static void *
sleep_on(void *arg)
{
    say_tid(arg);
    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
        nanosleep(&(struct timespec){.tv_nsec = 500 * MS}, NULL);
    }
    return NULL;
}

static void
read_state(struct subject *subject, struct coact__threadstate *out)
{
    ck_assert_int_eq(coact__threadstate_read(subject->tid, out), 0);
}

static void
wait_ms(int ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * MS}, NULL);
}

/* Two readings, some time apart. */
struct window {
    struct coact__threadstate before;
    struct coact__threadstate after;
    int64_t wall_ns;
    enum coact__stuck stuck;
};

static void
observe(struct subject *subject, int ms, struct window *w)
{
    int64_t start_ns = coact__oracle_now_ns();
    read_state(subject, &w->before);
    wait_ms(ms);
    read_state(subject, &w->after);
    w->wall_ns = coact__oracle_now_ns() - start_ns;
    w->stuck = coact__threadstate_judge(&w->before, &w->after, w->wall_ns);
}

/* Until it sleeps in one of two calls. */
static void
await_call(struct subject *subject, long call, long or_call)
{
    int64_t deadline = coact__oracle_now_ns() + PATIENCE_NS;
    struct coact__threadstate now;
    do {
        ck_assert_msg(coact__oracle_now_ns() < deadline, "it never slept");
        read_state(subject, &now);
    } while ((now.call != call && now.call != or_call) || now.state != 'S');
}

START_TEST(a_thread_that_spins_computes)
{
    struct subject subject = {.tid = 0};
    start(&subject, spin);
    int64_t deadline = coact__oracle_now_ns() + PATIENCE_NS;
    struct window w;
    do {
        ck_assert_msg(coact__oracle_now_ns() < deadline, "it never computed");
        observe(&subject, 20, &w);
        ck_assert_int_ne(w.stuck, COACT__STUCK_BLOCKED);
        ck_assert_int_eq(w.after.call, COACT__THREADSTATE_NO_CALL);
        ck_assert_int_eq(w.after.state, 'R');
        ck_assert_int_ge(w.after.cpu_ns, w.before.cpu_ns);
    } while (w.stuck != COACT__STUCK_COMPUTES);
    ck_assert_int_gt(w.after.cpu_ns - w.before.cpu_ns, 2 * MS);
    atomic_store_explicit(&is_over, true, memory_order_relaxed);
    pthread_join(subject.thread, NULL);
}
END_TEST

START_TEST(a_thread_in_read_is_blocked_in_read)
{
    struct subject subject = {.tid = 0};
    ck_assert_int_eq(pipe(subject.pipe), 0);
    start(&subject, read_pipe);
    await_call(&subject, SYS_read, SYS_read);
    for (int i = 0; i < 3; i++) {
        struct window w;
        observe(&subject, 10, &w);
        ck_assert_int_eq(w.stuck, COACT__STUCK_BLOCKED);
        ck_assert_int_eq(w.after.cpu_ns, w.before.cpu_ns);
        ck_assert_str_eq(coact__threadstate_call_name(w.after.call), "read");
    }
    ck_assert_int_eq(write(subject.pipe[1], "x", 1), 1);
    pthread_join(subject.thread, NULL);
}
END_TEST

START_TEST(a_thread_in_nanosleep_is_blocked_in_it)
{
    struct subject subject = {.tid = 0};
    start(&subject, sleep_on);
    await_call(&subject, SYS_nanosleep, SYS_clock_nanosleep);
    struct window w;
    observe(&subject, 10, &w);
    ck_assert_int_eq(w.stuck, COACT__STUCK_BLOCKED);
    atomic_store_explicit(&is_over, true, memory_order_relaxed);
    pthread_join(subject.thread, NULL);
}
END_TEST

/* Many on one processor: none can have most of it for long. */

enum { CROWD = 4 };

static void
pin(struct subject *subject, int cpu)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)cpu, &one);
    ck_assert_int_eq(pthread_setaffinity_np(subject->thread, sizeof(one), &one),
                     0);
}

static void
must_agree_with_measured(const struct window *w)
{
    int64_t computed = w->after.cpu_ns - w->before.cpu_ns;
    ck_assert_int_ne(w->stuck, COACT__STUCK_BLOCKED);
    ck_assert_int_ne(w->stuck, COACT__STUCK_UNKNOWN);
    if (computed < w->wall_ns * 2 / 5) {
        ck_assert_int_eq(w->stuck, COACT__STUCK_STARVED);
    } else if (computed > w->wall_ns * 3 / 5) {
        ck_assert_int_eq(w->stuck, COACT__STUCK_COMPUTES);
    }
}

START_TEST(a_thread_that_gets_no_processor_starves_and_is_not_to_blame)
{
    static struct subject crowd[CROWD];
    int cpu = sched_getcpu();
    for (int i = 0; i < CROWD; i++) {
        start(&crowd[i], spin);
        pin(&crowd[i], cpu);
    }
    bool has_starved = false;
    int64_t deadline = coact__oracle_now_ns() + PATIENCE_NS;
    for (int i = 0; !has_starved || i < CROWD * 2; i++) {
        ck_assert_msg(coact__oracle_now_ns() < deadline, "none starved");
        struct window w;
        observe(&crowd[i % CROWD], 30, &w);
        must_agree_with_measured(&w);
        has_starved = has_starved || w.stuck == COACT__STUCK_STARVED;
    }
    atomic_store_explicit(&is_over, true, memory_order_relaxed);
    for (int i = 0; i < CROWD; i++) {
        pthread_join(crowd[i].thread, NULL);
    }
}
END_TEST

static void *
say_tid_and_end(void *arg)
{
    say_tid(arg);
    return NULL;
}

START_TEST(a_thread_that_has_ended_is_no_such_thread)
{
    struct subject subject = {.tid = 0};
    start(&subject, say_tid_and_end);
    pthread_join(subject.thread, NULL);
    struct coact__threadstate state;
    // A join may return a moment before the kernel has forgotten the thread.
    int64_t deadline = coact__oracle_now_ns() + PATIENCE_NS;
    while (coact__threadstate_read(subject.tid, &state) != -ESRCH) {
        ck_assert_msg(coact__oracle_now_ns() < deadline, "it is still there");
        sched_yield();
    }
    ck_assert_int_eq(state.cpu_ns, -1);
    ck_assert_int_eq(state.call, COACT__THREADSTATE_CALL_UNKNOWN);
    ck_assert_int_eq(coact__threadstate_read(0, &state), -ESRCH);
    ck_assert_int_eq(coact__threadstate_read(-1, &state), -ESRCH);
    // Another process's first thread is none of ours.
    ck_assert_int_eq(coact__threadstate_read(1, &state), -ESRCH);
}
END_TEST

/* What a sandbox without /proc answers: each file fails in turn, then all. */
START_TEST(what_cannot_be_read_is_unknown)
{
    struct coact__threadstate state;
    for (unsigned long n = 1; n <= 3; n++) {
        coact__fail_nth(n, false);
        ck_assert_int_eq(coact__threadstate_read(gettid(), &state), 0);
        ck_assert_int_gt(state.cpu_ns, 0);
        ck_assert((state.waited_ns < 0) == (n == 1));
        ck_assert((state.call == COACT__THREADSTATE_CALL_UNKNOWN) == (n == 2));
        if (n == 3) {
            ck_assert_int_eq(state.state, '?');
        }
    }
    coact__fail_nth(1, true);
    ck_assert_int_eq(coact__threadstate_read(gettid(), &state), 0);
    coact__fail_nth(0, false);
    ck_assert_int_gt(state.cpu_ns, 0);
    ck_assert_int_eq(state.waited_ns, -1);
    ck_assert_int_eq(state.call, COACT__THREADSTATE_CALL_UNKNOWN);
    ck_assert_int_eq(state.state, '?');
}
END_TEST

/* Readings that are made up. */

static struct coact__threadstate
reading(int64_t cpu_ms, int64_t waited_ms, char state, int32_t call)
{
    return (struct coact__threadstate){
        .cpu_ns = cpu_ms < 0 ? -1 : cpu_ms * MS,
        .waited_ns = waited_ms < 0 ? -1 : waited_ms * MS,
        .state = state,
        .call = call,
    };
}

START_TEST(the_largest_part_of_the_time_decides)
{
    enum { NONE = COACT__THREADSTATE_NO_CALL, HID = -2, READ = SYS_read };
    const enum coact__stuck unknown = COACT__STUCK_UNKNOWN,
                            computes = COACT__STUCK_COMPUTES,
                            blocked = COACT__STUCK_BLOCKED,
                            starved = COACT__STUCK_STARVED;
    // Over 10 ms: CPU time, wait, state and call; before and after.
    const struct {
        struct coact__threadstate before;
        struct coact__threadstate after;
        enum coact__stuck stuck;
    } cases[] = {
        {reading(5, 0, 'R', NONE), reading(15, 0, 'R', NONE), computes},
        {reading(5, 0, 'R', NONE), reading(10, 5, 'R', NONE), computes},
        {reading(5, 0, 'R', NONE), reading(9, 6, 'R', NONE), starved},
        // The wait goes on and is not yet counted.
        {reading(5, 0, 'R', NONE), reading(6, 0, 'R', NONE), starved},
        {reading(5, -1, 'R', NONE), reading(6, -1, 'R', NONE), starved},
        {reading(5, 1, 'S', READ), reading(5, 1, 'S', READ), blocked},
        {reading(5, 1, 'D', NONE), reading(5, 1, 'D', NONE), blocked},
        {reading(5, 1, 'R', NONE), reading(6, 2, 'S', READ), blocked},
        // It fell asleep only now.
        {reading(5, 1, 'R', NONE), reading(14, 1, 'S', READ), computes},
        {reading(5, 1, 'R', NONE), reading(6, 8, 'S', READ), starved},
        // It has just woken up: slept or waiting, who knows.
        {reading(5, 1, 'S', READ), reading(5, 1, 'R', NONE), unknown},
        {reading(5, 1, 'S', READ), reading(12, 1, 'R', NONE), computes},
        {reading(5, 1, 'S', READ), reading(5, 9, 'R', NONE), starved},
        // A wait that had begun long before ends in between.
        {reading(5, 1, 'R', NONE), reading(6, 500, 'R', NONE), starved},
        {reading(5, 1, 'R', NONE), reading(5, 1, 'T', NONE), starved},
        {reading(5, 1, 't', NONE), reading(5, 1, 't', NONE), starved},
        // Without the CPU time.
        {reading(-1, -1, 'R', NONE), reading(-1, -1, 'R', NONE), unknown},
        {reading(-1, -1, 'S', READ), reading(-1, -1, 'S', READ), blocked},
        {reading(-1, -1, 'R', NONE), reading(-1, -1, 'S', READ), unknown},
        // Without /proc: only the CPU time.
        {reading(5, -1, '?', HID), reading(15, -1, '?', HID), computes},
        {reading(5, -1, '?', HID), reading(6, -1, '?', HID), unknown},
        // The state is hidden, the call is not.
        {reading(5, -1, '?', READ), reading(5, -1, '?', READ), blocked},
        {reading(-1, -1, '?', HID), reading(-1, -1, '?', HID), unknown},
        {reading(5, 1, 'Z', NONE), reading(5, 1, 'Z', NONE), unknown},
        // A clock that goes back means nothing.
        {reading(5, 1, 'R', NONE), reading(4, 0, 'Z', NONE), unknown},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum coact__stuck stuck = coact__threadstate_judge(
            &cases[i].before, &cases[i].after, 10 * MS);
        ck_assert_msg(stuck == cases[i].stuck, "case %zu: %d, not %d", i,
                      (int)stuck, (int)cases[i].stuck);
        struct coact__threadspan span;
        coact__threadstate_span(&cases[i].before, &cases[i].after, 10 * MS,
                                &span);
        ck_assert_int_ge(span.computed_ns, 0);
        ck_assert_int_ge(span.waited_ns, 0);
        ck_assert_int_ge(span.slept_ns, 0);
        ck_assert_int_le(span.computed_ns + span.waited_ns + span.slept_ns,
                         10 * MS);
    }
}
END_TEST

START_TEST(readings_of_one_moment_say_nothing)
{
    struct coact__threadstate spins = reading(5, 0, 'R', -1);
    struct coact__threadstate later = reading(6, 0, 'R', -1);
    const int64_t short_ns[] = {INT64_MIN, -1, 0, 1, MS - 1};
    for (size_t i = 0; i < sizeof(short_ns) / sizeof(short_ns[0]); i++) {
        ck_assert_int_eq(coact__threadstate_judge(&spins, &later, short_ns[i]),
                         COACT__STUCK_UNKNOWN);
        struct coact__threadspan span;
        coact__threadstate_span(&spins, &later, short_ns[i], &span);
        ck_assert_int_ge(span.computed_ns, 0);
        ck_assert_int_le(span.computed_ns, MS);
    }
    ck_assert_int_eq(coact__threadstate_judge(&spins, &later, MS),
                     COACT__STUCK_COMPUTES);
}
END_TEST

START_TEST(calls_are_named)
{
    ck_assert_str_eq(coact__threadstate_call_name(SYS_futex), "futex");
    ck_assert_str_eq(coact__threadstate_call_name(SYS_connect), "connect");
    ck_assert_str_eq(coact__threadstate_call_name(SYS_flock), "flock");
    ck_assert_ptr_null(coact__threadstate_call_name(-1));
    ck_assert_ptr_null(coact__threadstate_call_name(-2));
    ck_assert_ptr_null(coact__threadstate_call_name(1 << 20));
}
END_TEST

SUITE_MAIN("threadstate", a_thread_that_spins_computes,
           a_thread_in_read_is_blocked_in_read,
           a_thread_in_nanosleep_is_blocked_in_it,
           a_thread_that_gets_no_processor_starves_and_is_not_to_blame,
           a_thread_that_has_ended_is_no_such_thread,
           what_cannot_be_read_is_unknown, the_largest_part_of_the_time_decides,
           readings_of_one_moment_say_nothing, calls_are_named)
