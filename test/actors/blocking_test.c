/*
 * blocking_test.c - calls that block hold up their actor and nobody else, and
 * leave nothing behind, however the wait for them ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/gate.h"

#include "runtime/memory.h"

#include <signal.h>

/* ---- The call ------------------------------------------------------------ */

static void
opens_the_gate(peer_self self, void *arg)
{
    (void)self, (void)arg;
    set_gate(true);
}

START_TEST(a_call_that_blocks_lets_others_on_the_same_worker_run)
{
    struct coact_runtime *runtime = start_with(0);
    struct caller caller = {0};
    start_caller(&caller, 41);
    await_entered(1);
    spawn_peer(opens_the_gate, NULL);
    join_peer(caller.ref);
    ck_assert_int_eq(caller.first_rc, 0);
    ck_assert_uint_eq(caller.work.result, 42);
    ck_assert_uint_eq(caller.destroyed, 0);
    ck_assert_uint_eq(stats_of(runtime).blocking_done, 1);
    ck_assert_uint_eq(stats_of(runtime).blocking_abandoned, 0);
    stop_runtime(runtime);
}
END_TEST

struct place {
    struct coact_runtime *to_attach;
    char name[16];
    coact_ref self;
    void *runtime;
    int slept, attached;
    bool takes_term, takes_fault;
};

static void
look_around(void *arg)
{
    struct place *place = arg;
    sigset_t blocked;
    pthread_getname_np(pthread_self(), place->name, sizeof(place->name));
    place->self = coact_self();
    place->runtime = coact_runtime_here();
    place->slept = coact_sleep(COACT_FOREVER);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    place->takes_term = !sigismember(&blocked, SIGTERM);
    place->takes_fault = !sigismember(&blocked, SIGSEGV);
    place->attached = coact_attach(place->to_attach); // and forgets it
}

static void
looks_around(peer_self self, void *arg)
{
    (void)self;
    for (int i = 0; i < 3; i++) {
        *(struct place *)arg = (struct place){.to_attach = coact_runtime_here(),
                                              .takes_term = true};
        ck_assert_int_eq(coact_blocking(look_around, arg, sizeof(struct place),
                                        NULL, IN_TIME),
                         0);
    }
}

START_TEST(the_thread_of_a_call_is_no_actor_and_takes_no_signals)
{
    struct coact_runtime *runtime = start_with(0);
    struct place place = {.name = ""};
    join_peer(spawn_peer(looks_around, &place));
    // The lowest number that is free; a thread may not be back yet.
    ck_assert_msg(strncmp(place.name, "coact-b", 7) == 0 &&
                      place.name[7] >= '0' && place.name[7] <= '2' &&
                      place.name[8] == '\0',
                  "%s", place.name);
    ck_assert(coact_ref_is_none(place.self));
    ck_assert_ptr_null(place.runtime);
    ck_assert_int_eq(place.slept, -EPERM);
    ck_assert_int_eq(place.attached, 0);
    ck_assert(!place.takes_term);
    ck_assert(place.takes_fault);
    stop_runtime(runtime);
}
END_TEST

static void
note_call(void *arg)
{
    ck_assert_ptr_null(arg);
    set_gate(true);
}

static void
calls_in_every_way(peer_self self, void *arg)
{
    (void)self, (void)arg;
    struct work work = {0};
    _Atomic uint32_t destroyed = 0;
    work.destroyed = &destroyed;
    ck_assert_int_eq(coact_blocking(note_call, NULL, 0, NULL, IN_TIME), 0);
    ck_assert(gate.is_open);
    ck_assert_int_eq(
        coact_blocking(NULL, &work, sizeof(work), destroy_work, IN_TIME),
        -EINVAL);
    ck_assert_uint_eq(destroyed, 1);
    ck_assert_int_eq(coact_blocking(do_work, &work, 0, destroy_work, IN_TIME),
                     -EINVAL);
    ck_assert_uint_eq(destroyed, 2);
    ck_assert_int_eq(coact_blocking(do_work, NULL, sizeof(work), NULL, IN_TIME),
                     -EINVAL);
    ck_assert_int_eq(
        coact_blocking(do_work, &work, SIZE_MAX, destroy_work, IN_TIME),
        -ENOMEM);
    ck_assert_uint_eq(destroyed, 3);
    ck_assert_int_eq(
        coact_blocking(do_work, &work, sizeof(work), destroy_work, COACT_NOW),
        -ETIMEDOUT);
    ck_assert_uint_eq(destroyed, 4);
    ck_assert_uint_eq(gate.entered, 0);
}

START_TEST(a_call_that_is_refused_destroys_its_argument_and_is_not_made)
{
    struct coact_runtime *runtime = start_with(0);
    _Atomic uint32_t destroyed = 0;
    struct work work = {.destroyed = &destroyed};
    ck_assert_int_eq(
        coact_blocking(do_work, &work, sizeof(work), destroy_work, IN_TIME),
        -EPERM);
    ck_assert_uint_eq(destroyed, 1);
    join_peer(spawn_peer(calls_in_every_way, NULL));
    ck_assert_uint_eq(stats_of(runtime).misuses, 4);
    ck_assert_uint_eq(stats_of(runtime).actors_failed, 0);
    stop_runtime(runtime);
}
END_TEST

/* ---- Leaving it ---------------------------------------------------------- */

struct sought {
    coact_ref ref;
    bool is_blocking;
};

static bool
see_state(void *context, const struct coact_actor_info *info)
{
    struct sought *sought = context;
    if (coact_ref_equal(info->ref, sought->ref)) {
        sought->is_blocking = strcmp(info->state, "blocking") == 0;
    }
    return true;
}

static bool
is_blocking(struct coact_runtime *runtime, coact_ref ref)
{
    struct sought sought = {.ref = ref};
    coact_each_actor(runtime, see_state, &sought);
    return sought.is_blocking;
}

START_TEST(s13_a_kill_ends_a_blocking_call_with_canceled_once)
{
    struct coact_runtime *runtime = start_with(0);
    struct caller caller = {0};
    start_caller(&caller, 1);
    await_entered(1);
    AWAIT(is_blocking(runtime, caller.ref.ref));
    ck_assert_int_eq(coact_kill(caller.ref.ref), 0);
    join_peer(caller.ref);
    // The actor is gone; its call is not.
    ck_assert_int_eq(caller.first_rc, -ECANCELED);
    ck_assert(!caller.went_on);
    ck_assert(caller.cleaned);
    ck_assert_uint_eq(stats_of(runtime).blocking_busy, 1);
    ck_assert_uint_eq(stats_of(runtime).blocking_abandoned, 1);
    // The argument of the second call, which did not return.
    ck_assert_uint_eq(caller.destroyed, 1);
    set_gate(true);
    AWAIT(stats_of(runtime).blocking_busy == 0);
    ck_assert_uint_eq(caller.destroyed, 2);
    ck_assert_uint_eq(caller.work.result, 0);
    ck_assert_uint_eq(gate.entered, 1);
    stop_runtime(runtime);
}
END_TEST

START_TEST(s13_a_kill_takes_a_call_that_waits_for_a_thread_out_of_the_queue)
{
    struct coact_runtime *runtime = start_with(1);
    struct caller callers[4] = {{.first_rc = 0}};
    for (uint32_t i = 0; i < 4; i++) {
        start_caller(&callers[i], i);
        await_entered(1);
        AWAIT(stats_of(runtime).blocking_queued == i);
    }
    // In the middle, last, and alone.
    for (uint32_t i = 0; i < 3; i++) {
        static const uint32_t which[] = {2, 3, 1};
        struct caller *caller = &callers[which[i]];
        ck_assert_int_eq(coact_kill(caller->ref.ref), 0);
        join_peer(caller->ref);
        ck_assert_int_eq(caller->first_rc, -ECANCELED);
        ck_assert_uint_eq(caller->destroyed, 2);
        ck_assert_uint_eq(stats_of(runtime).blocking_queued, 2 - i);
    }
    set_gate(true);
    join_peer(callers[0].ref);
    ck_assert_int_eq(callers[0].first_rc, 0);
    ck_assert_uint_eq(gate.entered, 1);
    stop_runtime(runtime);
}
END_TEST

/* One that also blocks when it is cleaned up. */
static void
blocks_in_clean_up(void *arg)
{
    struct caller *caller = arg;
    set_gate(true);
    caller->work.number = 7;
    caller->clean_rc = call(caller);
}

static void
tidy_body(peer_self self, void *arg)
{
    (void)self;
    struct caller *caller = arg;
    ck_assert_int_eq(coact_defer(blocks_in_clean_up, caller), 0);
    caller->first_rc = call(caller);
}

static void
end_in_the_middle(struct caller *caller, int code)
{
    struct coact_runtime *runtime = start_with(0);
    caller->ref = spawn_peer(tidy_body, caller);
    await_entered(1);
    ck_assert_int_eq(coact_signal_exit(caller->ref.ref, code, ""), 0);
    join_peer(caller->ref);
    ck_assert_int_eq(caller->first_rc, -ECANCELED);
    stop_runtime(runtime);
}

START_TEST(s13_a_clean_up_may_block_after_a_shutdown)
{
    struct caller caller = {0};
    end_in_the_middle(&caller, COACT_SHUTDOWN);
    ck_assert_int_eq(caller.clean_rc, 0);
    ck_assert_uint_eq(caller.work.result, 8);
    ck_assert_uint_eq(caller.destroyed, 1);
}
END_TEST

START_TEST(s13_a_clean_up_may_not_block_after_a_kill)
{
    struct caller caller = {0};
    end_in_the_middle(&caller, COACT_KILL);
    ck_assert_int_eq(caller.clean_rc, -ECANCELED);
    ck_assert_uint_eq(gate.entered, 1);
    ck_assert_uint_eq(caller.destroyed, 2);
}
END_TEST

/* A result and a kill at the same time: whichever the call tells of, the kill is
   told once before a wait does not return. */
static void
do_no_work(void *arg)
{
    (void)arg;
}

static void
calls_and_is_killed(peer_self self, void *arg)
{
    (void)self;
    struct caller *caller = arg;
    int rc = 0;
    while (rc == 0) {
        caller->went_on = true;
        rc = coact_blocking(do_no_work, NULL, 0, NULL, COACT_FOREVER);
    }
    caller->first_rc = rc;
}

static void
kills_callers(peer_self self, void *arg)
{
    (void)self, (void)arg;
    for (int round = 0; round < 500; round++) {
        struct caller caller = {.first_rc = 1};
        caller.ref = spawn_peer(calls_and_is_killed, &caller);
        while (!caller.went_on) {
            coact_yield();
        }
        coact_kill(caller.ref.ref);
        join_peer(caller.ref);
        ck_assert_int_eq(caller.first_rc, -ECANCELED);
    }
}

START_TEST(s13_a_kill_beside_a_result_is_told_all_the_same)
{
    conduct(2, kills_callers, NULL);
}
END_TEST

START_TEST(a_call_past_its_deadline_is_left_and_its_result_destroyed_once)
{
    struct coact_runtime *runtime = start_with(0);
    struct caller caller = {.within_ns = COACT_MS(20)};
    uint32_t left = 1;
    for (;; left++, caller.within_ns *= 2) {
        int64_t before = coact_now_ns();
        start_caller(&caller, 1);
        join_peer(caller.ref);
        ck_assert_int_ge(coact_now_ns() - before, caller.within_ns);
        ck_assert_int_eq(caller.first_rc, -ETIMEDOUT);
        // Without a thread in time it is not made, and destroyed.
        AWAIT(count_entered() > 0 || caller.destroyed == left);
        if (count_entered() > 0) {
            break;
        }
    }
    ck_assert_uint_eq(caller.destroyed, left - 1);
    set_gate(true);
    AWAIT(stats_of(runtime).blocking_busy == 0);
    ck_assert_uint_eq(caller.destroyed, left);
    ck_assert_uint_eq(caller.work.result, 0);
    ck_assert_uint_eq(stats_of(runtime).blocking_abandoned, left);
    ck_assert_uint_eq(stats_of(runtime).blocking_done, 0);
    stop_runtime(runtime);
}
END_TEST

/* ---- Failures ------------------------------------------------------------ */

static void
fails_at_each_point(peer_self self, void *arg)
{
    (void)self, (void)arg;
    int failures = 0;
    set_gate(true);
    for (unsigned long nth = 1;; nth++) {
        struct caller caller = {.within_ns = COACT_SECONDS(60)};
        coact__fail_nth(nth, false);
        int rc = call(&caller);
        unsigned long points = coact__fail_count();
        coact__fail_nth(0, false);
        if (rc == 0) {
            ck_assert_uint_eq(caller.destroyed, 0);
            if (points < nth) {
                break;
            }
            continue;
        }
        failures++;
        // The memory; the first thread.
        ck_assert(rc == -ENOMEM || rc == -EAGAIN);
        ck_assert_uint_eq(caller.destroyed, 1);
    }
    ck_assert_int_eq(failures, 2);
}

/* Not by a join: that takes memory, and would be the one to fail. */
static void
run_alone(struct coact_runtime *runtime, peer_coact_body *body, void *arg)
{
    spawn_peer(body, arg);
    AWAIT(stats_of(runtime).actors_alive == 0);
    ck_assert_uint_eq(stats_of(runtime).actors_failed, 0);
}

START_TEST(a_call_fails_whole_or_not_at_all)
{
    struct coact_runtime *runtime = start_with(0);
    run_alone(runtime, fails_at_each_point, NULL);
    stop_runtime(runtime);
}
END_TEST

static void
cannot_make_a_thread(peer_self self, void *arg)
{
    (void)self;
    struct caller *caller = arg;
    // The second point: the first is the call's memory.
    coact__fail_nth(2, true);
    caller->first_rc = call(caller);
}

START_TEST(a_call_waits_for_the_threads_there_are_if_no_more_can_be_made)
{
    struct coact_runtime *runtime = start_with(0);
    struct caller callers[2] = {{.first_rc = 0}};
    start_caller(&callers[0], 0);
    await_entered(1);
    callers[1].ref = spawn_peer(cannot_make_a_thread, &callers[1]);
    AWAIT(stats_of(runtime).blocking_queued == 1);
    coact__fail_nth(0, false);
    ck_assert_uint_eq(stats_of(runtime).blocking_threads, 1);
    set_gate(true);
    join_peer(callers[1].ref);
    ck_assert_int_eq(callers[1].first_rc, 0);
    stop_runtime(runtime);
}
END_TEST

SUITE_MAIN("blocking", a_call_that_blocks_lets_others_on_the_same_worker_run,
           the_thread_of_a_call_is_no_actor_and_takes_no_signals,
           a_call_that_is_refused_destroys_its_argument_and_is_not_made,
           s13_a_kill_ends_a_blocking_call_with_canceled_once,
           s13_a_kill_takes_a_call_that_waits_for_a_thread_out_of_the_queue,
           s13_a_clean_up_may_block_after_a_shutdown,
           s13_a_clean_up_may_not_block_after_a_kill,
           s13_a_kill_beside_a_result_is_told_all_the_same,
           a_call_past_its_deadline_is_left_and_its_result_destroyed_once,
           a_call_fails_whole_or_not_at_all,
           a_call_waits_for_the_threads_there_are_if_no_more_can_be_made)
