/*
 * blocking_test.c - the pool by itself, with a task that is never there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/blocking.h"

#include "runtime/memory.h"
#include "runtime/oracle.h"
#include "runtime/task.h"
#include "test/support/suite.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#define IN_TIME (coact__oracle_now_ns() + INT64_C(60000000000))

/* Wakes of it find its inbox closed, so nothing but the job orders anything. */
static struct coact__task nobody = {.inbox = {COACT__INBOX_CLOSED}};
static struct coact__blocking pool;

struct sum {
    uint32_t begin, total;
};

static void
add_up(void *arg)
{
    struct sum *sum = arg;
    sum->total = sum->begin + 1;
}

static struct coact__job *
begin(void (*fn)(void *arg), const void *arg, size_t bytes)
{
    struct coact__job *job = coact__job_new(&nobody, fn, arg, bytes, NULL);
    ck_assert_ptr_nonnull(job);
    ck_assert_int_eq(coact__blocking_begin(&pool, job), 0);
    return job;
}

static void
await_done(const struct coact__job *job)
{
    for (int64_t deadline_ns = IN_TIME; !coact__job_is_done(job);) {
        ck_assert_int_lt(coact__oracle_now_ns(), deadline_ns);
        sched_yield();
    }
}

static struct coact__blocking_counts
counts(void)
{
    struct coact__blocking_counts now;
    coact__blocking_count(&pool, &now);
    return now;
}

START_TEST(a_job_that_is_done_has_its_result)
{
    coact__blocking_init(&pool, 2);
    for (uint32_t i = 0; i < 300; i++) {
        struct sum sum = {.begin = i};
        struct coact__job *job = begin(add_up, &sum, sizeof(sum));
        await_done(job);
        coact__blocking_take(&pool, job, &sum);
        ck_assert_uint_eq(sum.total, i + 1);
    }
    ck_assert_uint_eq(counts().done, 300);
    ck_assert_int_eq(coact__blocking_await(&pool, IN_TIME), 0);
    coact__blocking_fini(&pool);
}
END_TEST

static void
see_mask(void *arg)
{
    pthread_sigmask(SIG_SETMASK, NULL, arg);
}

START_TEST(a_thread_takes_no_signal_but_its_faults_and_the_maker_as_before)
{
    sigset_t seen;
    coact__blocking_init(&pool, 1);
    struct coact__job *job = begin(see_mask, &seen, sizeof(seen));
    await_done(job);
    coact__blocking_take(&pool, job, &seen);
    ck_assert(sigismember(&seen, SIGTERM));
    ck_assert(sigismember(&seen, SIGPIPE));
    ck_assert(!sigismember(&seen, SIGSEGV));
    ck_assert(!sigismember(&seen, SIGABRT));
    see_mask(&seen);
    ck_assert(!sigismember(&seen, SIGTERM));
    coact__blocking_fini(&pool);
}
END_TEST

static void
do_nothing(void *arg)
{
    (void)arg;
}

START_TEST(a_pool_can_end_at_any_time_when_there_is_no_job)
{
    for (uint32_t i = 0; i < 200; i++) {
        coact__blocking_init(&pool, 4);
        struct coact__job *jobs[6];
        for (uint32_t j = 0; j < i % 7; j++) {
            jobs[j] = begin(do_nothing, NULL, 0);
        }
        for (uint32_t j = 0; j < i % 7; j++) {
            if (coact__blocking_leave(&pool, jobs[j])) {
                continue;
            }
            coact__blocking_take(&pool, jobs[j], NULL);
        }
        ck_assert_int_eq(coact__blocking_await(&pool, IN_TIME), 0);
        ck_assert_uint_eq(counts().done + counts().abandoned, i % 7);
        coact__blocking_fini(&pool);
    }
}
END_TEST

static _Atomic bool is_open;

static void
wait_till_open(void *arg)
{
    (void)arg;
    while (!is_open) {
        usleep(100);
    }
}

START_TEST(who_became_idle_first_ends_while_the_last_has_work)
{
    coact__blocking_init(&pool, 8);
    struct coact__job *jobs[8];
    for (int i = 0; i < 8; i++) {
        jobs[i] = begin(wait_till_open, NULL, 0);
    }
    ck_assert_uint_eq(counts().threads, 8);
    is_open = true;
    for (int i = 0; i < 8; i++) {
        await_done(jobs[i]);
        coact__blocking_take(&pool, jobs[i], NULL);
    }
    // A job now and then keeps one thread, not all of them in turn.
    for (int64_t deadline_ns = IN_TIME; counts().threads > 1;) {
        ck_assert_int_lt(coact__oracle_now_ns(), deadline_ns);
        struct coact__job *job = begin(do_nothing, NULL, 0);
        await_done(job);
        coact__blocking_take(&pool, job, NULL);
        usleep(1000);
    }
    coact__blocking_fini(&pool);
}
END_TEST

static void
work_for(uint32_t ns_of_i)
{
    for (int64_t until_ns = coact__oracle_now_ns() + ns_of_i;
         coact__oracle_now_ns() < until_ns;) {
    }
}

START_TEST(jobs_that_come_while_threads_end_are_all_done)
{
    coact__blocking_init(&pool, 3);
    pool.idle_ns = 20000;
    for (uint32_t i = 0; i < 3000; i++) {
        struct coact__job *jobs[4];
        uint32_t count = 1 + i % 4;
        for (uint32_t j = 0; j < count; j++) {
            jobs[j] = begin(do_nothing, NULL, 0);
        }
        for (uint32_t j = 0; j < count; j++) {
            await_done(jobs[j]);
            coact__blocking_take(&pool, jobs[j], NULL);
        }
        // About as long as a thread stays, a little more, a little less.
        work_for(i * 97 % 60000);
    }
    ck_assert_uint_eq(counts().queued + counts().busy, 0);
    coact__blocking_fini(&pool);
}
END_TEST

START_TEST(a_number_of_threads_beyond_the_most_is_the_most)
{
    coact__blocking_init(&pool, 0);
    ck_assert_uint_eq(pool.threads_most, COACT__BLOCKING_THREADS);
    coact__blocking_init(&pool, UINT32_MAX);
    ck_assert_uint_eq(pool.threads_most, COACT__BLOCKING_THREADS_MAX);
    coact__blocking_fini(&pool);
}
END_TEST

static _Atomic uint32_t destroyed;

static void
count_destroyed(void *arg)
{
    (void)arg;
    destroyed++;
}

START_TEST(without_a_thread_a_job_stays_its_tasks)
{
    coact__blocking_init(&pool, 1);
    struct coact__job *job =
        coact__job_new(&nobody, do_nothing, "text", 5, count_destroyed);
    coact__fail_nth(1, true);
    ck_assert_int_eq(coact__blocking_begin(&pool, job), -EAGAIN);
    coact__fail_nth(0, false);
    ck_assert_uint_eq(counts().queued, 0);
    ck_assert_uint_eq(destroyed, 0);
    ck_assert_int_eq(coact__blocking_begin(&pool, job), 0);
    await_done(job);
    coact__blocking_take(&pool, job, (char[5]){0});
    ck_assert_uint_eq(destroyed, 0);
    coact__blocking_fini(&pool);
}
END_TEST

SUITE_MAIN("blocking", a_job_that_is_done_has_its_result,
           a_thread_takes_no_signal_but_its_faults_and_the_maker_as_before,
           a_pool_can_end_at_any_time_when_there_is_no_job,
           who_became_idle_first_ends_while_the_last_has_work,
           jobs_that_come_while_threads_end_are_all_done,
           a_number_of_threads_beyond_the_most_is_the_most,
           without_a_thread_a_job_stays_its_tasks)
