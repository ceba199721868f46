/*
 * blocking_sim_test.c - calls that block, where there is one thread and a seed
 * says how long they take.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/peers.h"
#include "test/support/sim.h"

#include "runtime/memory.h"

#include <coact/blocking.h>

#include <pthread.h>

#define CALLERS 6

struct work {
    uint32_t number, result;
    uint32_t *destroyed;
};

static void
destroy_work(void *arg)
{
    struct work *work = arg;
    *work->destroyed += 1;
}

static void
do_work(void *arg)
{
    struct work *work = arg;
    work->result = work->number + 1;
}

/* ---- Replay -------------------------------------------------------------- */

/* Who came back when, and what became of all arguments. */
struct run {
    uint32_t order[CALLERS], back;
    uint32_t begun, done, cancelled, late, destroyed;
    int64_t took_ns;
};

struct caller {
    struct run *run;
    uint32_t number;
};

static void
caller_body(peer_self self, void *arg)
{
    (void)self;
    struct caller caller = *(struct caller *)arg;
    for (int i = 0; i < 3; i++) {
        struct work work = {caller.number, 0, &caller.run->destroyed};
        caller.run->begun++;
        int rc = coact_blocking(do_work, &work, sizeof(work), destroy_work,
                                coact_in_ms(5));
        caller.run->done += rc == 0;
        caller.run->late += rc == -ETIMEDOUT;
        caller.run->cancelled += rc == -ECANCELED;
        ck_assert_uint_eq(work.result, rc == 0 ? caller.number + 1 : 0);
    }
    caller.run->order[caller.run->back++] = caller.number;
}

static void
many_calls(void *arg)
{
    struct run *run = arg;
    *run = (struct run){.back = 0};
    struct coact_runtime *runtime = start_runtime(1);
    struct caller callers[CALLERS];
    peer_ref refs[CALLERS];
    int64_t before = coact_now_ns();
    for (uint32_t i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){run, i};
        refs[i] = spawn_peer(caller_body, &callers[i]);
    }
    ck_assert_int_eq(coact_join(refs[0].ref, coact_in_ms(1), NULL) != 0,
                     run->back == 0 || coact_is_alive(refs[0].ref));
    coact_kill(refs[1].ref);
    for (uint32_t i = 0; i < CALLERS; i++) {
        join_peer(refs[i]);
    }
    run->took_ns = coact_now_ns() - before;
    struct coact_runtime_stats stats;
    coact_stats(runtime, &stats);
    ck_assert_uint_eq(stats.blocking_done, run->done);
    ck_assert_uint_eq(stats.blocking_threads, 0);
    stop_runtime(runtime);
    ck_assert_uint_eq(run->begun, run->done + run->destroyed);
}

START_TEST(s65_the_same_seed_makes_the_same_calls_take_the_same_time)
{
    struct run all = {.back = 0};
    uint32_t orders = 0;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct run first, second;
        uint64_t trace = sim_seed_once(seed, many_calls, &first);
        ck_assert_uint_eq(sim_seed_once(seed, many_calls, &second), trace);
        ck_assert_mem_eq(&first, &second, sizeof(first));
        orders += first.order[0] != 0;
        all.done += first.done;
        all.late += first.late;
        all.cancelled += first.cancelled;
        all.took_ns += first.took_ns;
    }
    // Calls take time, and not the same under each seed.
    ck_assert_int_gt(all.took_ns, COACT_MS(50));
    ck_assert_uint_gt(orders, 5);
    ck_assert_uint_gt(all.done, 50);
    ck_assert_uint_gt(all.late, 50);
    ck_assert_uint_gt(all.cancelled, 5);
}
END_TEST

/* ---- One thread ---------------------------------------------------------- */

struct place {
    pthread_t thread;
    coact_ref self;
    struct coact_runtime *runtime;
    int slept;
    char far_end;
};

static void
use_stack(void *arg)
{
    struct place *place = arg;
    char room[1 << 20];
    memset(room, 7, sizeof(room));
    place->far_end = ((volatile char *)room)[0];
    place->thread = pthread_self();
    place->self = coact_self();
    place->runtime = coact_runtime_here();
    place->slept = coact_sleep(COACT_FOREVER);
}

static void
needs_a_large_stack(peer_self self, void *arg)
{
    (void)self, (void)arg;
    coact_ref before = coact_self();
    for (int i = 0; i < 3; i++) {
        struct place place = {.far_end = 0};
        ck_assert_int_eq(
            coact_blocking(use_stack, &place, sizeof(place), NULL, IN_TIME), 0);
        ck_assert_int_eq(place.far_end, 7);
        ck_assert(pthread_equal(place.thread, pthread_self()));
        ck_assert(coact_ref_is_none(place.self));
        ck_assert_ptr_null(place.runtime);
        ck_assert_int_eq(place.slept, -EPERM);
        ck_assert(coact_ref_equal(coact_self(), before));
    }
}

START_TEST(a_simulated_call_has_a_large_stack_and_is_no_actor)
{
    conduct(1, needs_a_large_stack, NULL);
}
END_TEST

/* ---- Failures ------------------------------------------------------------ */

static unsigned long nth;
static bool is_sticky, is_through;
static uint32_t refused; /* calls */

static void
calls_and_fails(peer_self self, void *arg)
{
    (void)self, (void)arg;
    uint32_t done = 0, begun = 0, destroyed = 0;
    coact__fail_nth(nth, is_sticky);
    for (uint32_t i = 0; i < 3; i++) {
        struct work work = {i, 0, &destroyed};
        begun++;
        int rc = coact_blocking(do_work, &work, sizeof(work), destroy_work,
                                COACT_FOREVER);
        ck_assert(rc == 0 || rc == -ENOMEM || rc == -EAGAIN);
        ck_assert_uint_eq(work.result, rc == 0 ? i + 1 : 0);
        done += rc == 0;
    }
    is_through = coact__fail_count() < nth;
    coact__fail_nth(0, false);
    ck_assert_uint_eq(begun, done + destroyed);
    // A timer that gets no memory is not refused, so not each failure is seen.
    ck_assert(!is_through || done == begun);
    refused += begun - done;
}

/* Not by a join: that takes memory, and would be the one to fail. */
static void
run_failing(void)
{
    struct coact_runtime *runtime = start_runtime(1);
    spawn_peer(calls_and_fails, NULL);
    struct coact_runtime_stats stats = {.actors_alive = 1};
    for (int64_t deadline_ns = IN_TIME; stats.actors_alive > 0;) {
        ck_assert_int_lt(coact_now_ns(), deadline_ns);
        if (coact_pump(runtime, COACT_FOREVER) == 0) {
            coact__sim_advance_to(coact_next_deadline(runtime));
        }
        coact_stats(runtime, &stats);
    }
    ck_assert_uint_eq(stats.actors_failed, 0);
    stop_runtime(runtime);
}

START_TEST(a_simulated_call_fails_whole_or_not_at_all)
{
    for (int sticky = 0; sticky < 2; sticky++) {
        is_sticky = sticky == 1;
        is_through = false;
        refused = 0;
        for (nth = 1; !is_through; nth++) {
            ck_assert_uint_lt(nth, 100);
            run_failing();
        }
        ck_assert_uint_gt(nth, 4);
        ck_assert_uint_ge(refused, 3);
    }
}
END_TEST

SUITE_MAIN("blocking_sim",
           s65_the_same_seed_makes_the_same_calls_take_the_same_time,
           a_simulated_call_has_a_large_stack_and_is_no_actor,
           a_simulated_call_fails_whole_or_not_at_all)
