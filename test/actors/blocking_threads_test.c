/*
 * blocking_threads_test.c - how many threads there are for calls that block, and
 * what becomes of them when a runtime stops.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/gate.h"
#include "test/support/threads.h"

/* ---- Threads ------------------------------------------------------------- */

START_TEST(calls_beyond_the_threads_are_made_first_come_first_served)
{
    struct coact_runtime *runtime = start_with(1);
    struct caller callers[MANY] = {{.first_rc = 0}};
    for (uint32_t i = 0; i < MANY; i++) {
        start_caller(&callers[i], i);
        await_entered(1);
        AWAIT(stats_of(runtime).blocking_queued == i);
    }
    int64_t waited = stats_of(runtime).blocking_longest_wait_ns;
    ck_assert_int_gt(waited, 0);
    set_gate(true);
    for (uint32_t i = 0; i < MANY; i++) {
        join_peer(callers[i].ref);
        ck_assert_int_eq(callers[i].first_rc, 0);
        ck_assert_uint_eq(callers[i].work.result, i + 1);
        ck_assert_uint_eq(gate.order[i], i);
    }
    ck_assert_uint_eq(gate.inside_most, 1);
    ck_assert_int_ge(stats_of(runtime).blocking_longest_wait_ns, waited);
    ck_assert_uint_eq(stats_of(runtime).blocking_done, MANY);
    stop_runtime(runtime);
}
END_TEST

static uint32_t
threads_there(void)
{
    return threads_named("coact-b");
}

START_TEST(there_are_never_more_threads_than_allowed_and_none_when_idle)
{
    struct coact_runtime *runtime = start_with(3);
    struct caller callers[MANY] = {{.first_rc = 0}};
    for (uint32_t i = 0; i < MANY; i++) {
        start_caller(&callers[i], i);
    }
    AWAIT(stats_of(runtime).blocking_queued == MANY - 3);
    await_entered(3);
    ck_assert_uint_eq(stats_of(runtime).blocking_threads, 3);
    ck_assert_uint_eq(stats_of(runtime).blocking_busy, 3);
    ck_assert_uint_eq(threads_there(), 3);
    set_gate(true);
    for (uint32_t i = 0; i < MANY; i++) {
        join_peer(callers[i].ref);
    }
    ck_assert_uint_eq(gate.inside_most, 3);
    AWAIT(stats_of(runtime).blocking_threads == 0);
    AWAIT(threads_there() == 0);
    // And they come back.
    struct caller again = {0};
    start_caller(&again, 1);
    join_peer(again.ref);
    ck_assert_int_eq(again.first_rc, 0);
    ck_assert_uint_eq(stats_of(runtime).blocking_threads, 1);
    stop_runtime(runtime);
    AWAIT(threads_there() == 0);
}
END_TEST

START_TEST(one_idle_thread_is_enough_for_calls_one_after_another)
{
    struct coact_runtime *runtime = start_with(0);
    set_gate(true);
    struct caller caller = {0};
    for (uint32_t i = 0; i < 100; i++) {
        start_caller(&caller, i);
        join_peer(caller.ref);
        ck_assert_int_eq(caller.first_rc, 0);
    }
    // One more where those before were not yet back when the next call came.
    ck_assert_uint_le(stats_of(runtime).blocking_threads, 10);
    stop_runtime(runtime);
}
END_TEST

/* ---- Stopping ------------------------------------------------------------ */

START_TEST(a_runtime_with_a_call_that_has_not_returned_cannot_be_freed)
{
    struct coact_runtime *runtime = start_with(0);
    struct caller caller = {0};
    start_caller(&caller, 1);
    await_entered(1);
    ck_assert_int_eq(coact_stop(runtime, coact_in_ms(50)), -ETIMEDOUT);
    ck_assert_int_eq(caller.first_rc, -ECANCELED);
    ck_assert_uint_eq(stats_of(runtime).actors_alive, 0);
    ck_assert_int_eq(coact_free(runtime), -EBUSY);
    ck_assert_uint_eq(stats_of(runtime).blocking_busy, 1);
    set_gate(true);
    stop_runtime(runtime); // again
    ck_assert_uint_eq(caller.destroyed, 2);
}
END_TEST

static void *
opens_later(void *arg)
{
    struct coact_runtime *runtime = arg;
    AWAIT(stats_of(runtime).actors_alive == 0);
    set_gate(true);
    return NULL;
}

START_TEST(a_stop_waits_for_calls_that_have_not_returned)
{
    struct coact_runtime *runtime = start_with(0);
    struct caller caller = {0};
    start_caller(&caller, 1);
    await_entered(1);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, opens_later, runtime), 0);
    ck_assert_int_eq(coact_stop(runtime, IN_TIME), 0);
    ck_assert_uint_eq(caller.destroyed, 2);
    pthread_join(thread, NULL);
    coact_detach();
    ck_assert_int_eq(coact_free(runtime), 0);
}
END_TEST

START_TEST(a_host_that_pumps_has_threads_for_calls_all_the_same)
{
    const struct coact_runtime_options options = {.host_driven = true,
                                                  .log = log_nothing};
    struct coact_runtime *runtime = NULL;
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    struct caller caller = {0};
    start_caller(&caller, 1);
    while (coact_pump(runtime, COACT_FOREVER) > 0) {
    }
    await_entered(1);
    set_gate(true);
    join_peer(caller.ref);
    ck_assert_int_eq(caller.first_rc, 0);
    ck_assert_uint_eq(caller.work.result, 2);
    stop_runtime(runtime);
}
END_TEST

/* ---- All at once --------------------------------------------------------- */

static _Atomic uint32_t begun, destroyed_of_many, returned;

static void
short_nap(void *arg)
{
    struct work *work = arg;
    usleep(work->number % 7 * 50);
    work->result = work->number + 1;
}

static void
naps_until_killed(peer_self self, void *arg)
{
    (void)self, (void)arg;
    for (uint32_t i = 0; i < 30; i++) {
        struct work work = {.number = i, .destroyed = &destroyed_of_many};
        begun++;
        int rc = coact_blocking(short_nap, &work, sizeof(work), destroy_work,
                                i % 3 == 0 ? coact_in_ns(i * 10000) : IN_TIME);
        if (rc == 0) {
            ck_assert_uint_eq(work.result, i + 1);
            returned++;
        }
    }
}

static void
kills_some(peer_self self, void *arg)
{
    (void)self, (void)arg;
    peer_ref all[40];
    for (uint32_t i = 0; i < 40; i++) {
        all[i] = spawn_peer(naps_until_killed, NULL);
    }
    for (uint32_t i = 0; i < 40; i += 2) {
        coact_sleep(coact_in_ns(500000));
        coact_kill(all[i].ref);
    }
    for (uint32_t i = 0; i < 40; i++) {
        join_peer(all[i]);
    }
}

START_TEST(every_argument_comes_back_or_is_destroyed_once_among_kills)
{
    const struct coact_runtime_options options = {
        .workers = 3, .log = log_nothing, .blocking_threads = 5};
    struct coact_runtime *runtime = NULL;
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    join_peer(spawn_peer(kills_some, NULL));
    ck_assert_uint_eq(stats_of(runtime).actors_failed, 0);
    stop_runtime(runtime);
    ck_assert_uint_gt(returned, 0);
    ck_assert_uint_gt(destroyed_of_many, 0);
    ck_assert_uint_eq(begun, destroyed_of_many + returned);
}
END_TEST

SUITE_MAIN("blocking_threads",
           calls_beyond_the_threads_are_made_first_come_first_served,
           there_are_never_more_threads_than_allowed_and_none_when_idle,
           one_idle_thread_is_enough_for_calls_one_after_another,
           a_runtime_with_a_call_that_has_not_returned_cannot_be_freed,
           a_stop_waits_for_calls_that_have_not_returned,
           a_host_that_pumps_has_threads_for_calls_all_the_same,
           every_argument_comes_back_or_is_destroyed_once_among_kills)
