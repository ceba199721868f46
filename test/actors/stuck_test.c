/*
 * stuck_test.c - actors that do not come back, and everybody else.
 *
 * A hog runs without a wait until it is told to stop by a plain flag, so that
 * its worker sees nothing else.  Meanwhile the others must go on, whatever they
 * wait for; afterwards no thread must be left that a quiet runtime does not
 * need, and the runtime must rest.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/life.h"
#include "runtime/memory.h"
#include "test/actors/peers.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#define HOGS_MOST 8
#define REST_MS 3000

/* What is slower under a checker. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SLOWNESS 4
#else
#define SLOWNESS 1
#endif

/* ---- Hogs ---- */

static atomic_bool is_over;
static _Atomic uint32_t hogging; /* how many do */

static void
hog_body(peer_self self, void *arg)
{
    (void)self, (void)arg;
    atomic_fetch_add(&hogging, 1);
    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
    }
    atomic_fetch_sub(&hogging, 1);
}

/* Runs for so many nanoseconds at a time, and waits for the next go. */
static void
run_for(int64_t ns)
{
    int64_t end = coact_now_ns() + ns;
    while (coact_now_ns() < end) {
    }
}

static void
begin(void)
{
    atomic_store(&is_over, false);
    atomic_store(&hogging, 0);
}

static void
start_hogs(uint32_t count, peer_ref *refs)
{
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_int_eq(coact_spawn_with(peer, &refs[i], hog_body, NULL,
                                          .label = "the hog"),
                         0);
    }
}

static void
await_hogs(uint32_t count)
{
    int64_t deadline = IN_TIME;
    while (atomic_load(&hogging) < count) {
        ck_assert_msg(coact_now_ns() < deadline, "%u of %u hogs ran",
                      atomic_load(&hogging), count);
        sched_yield();
    }
}

/* ---- The threads of a runtime ---- */

static uint32_t
threads_of(struct coact_runtime *runtime)
{
    struct coact__parking *parking = &runtime->scheduler.parking;
    pthread_mutex_lock(&parking->lock);
    uint32_t threads = parking->threads;
    pthread_mutex_unlock(&parking->lock);
    return threads;
}

/* Nothing runs, no more threads than a quiet runtime needs, and no worker is
   counted that is not there. */
static void
must_come_to_rest(struct coact_runtime *runtime, uint32_t workers)
{
    int64_t deadline = coact_in_ms(REST_MS * SLOWNESS);
    struct coact_runtime_stats stats;
    uint32_t threads;
    do {
        usleep(10000);
        threads = threads_of(runtime);
        coact_stats(runtime, &stats);
    } while ((threads != workers + 1 || stats.workers_active != 0) &&
             coact_now_ns() < deadline);
    ck_assert_uint_eq(threads, workers + 1);
    ck_assert_uint_eq(stats.workers_active, 0);
    ck_assert_uint_eq(atomic_load(&runtime->scheduler.parking.stuck), 0);
    ck_assert_uint_eq(runtime->scheduler.parking.serving, 0);
}

/* ---- Those that behave ---- */

/* Asks, sleeps, spawns and joins: all kinds of waits. */
static void
behave(peer_self self, void *arg)
{
    (void)self;
    uint32_t rounds = (uint32_t)(uintptr_t)arg;
    peer_ref oracle = spawn_peer(oracle_body, NULL);
    for (uint32_t i = 0; i < rounds; i++) {
        struct answer answer;
        ck_assert_int_eq(coact_ask(oracle, question, &answer, IN_TIME, .n = i),
                         0);
        ck_assert_uint_eq(answer.n, i + 1);
        if (i % 8 == 0) {
            ck_assert_int_eq(coact_sleep(coact_in_ns(100000)), 0);
        }
        if (i % 16 == 0) {
            peer_ref child = spawn_peer(until_go_body, NULL);
            ck_assert_int_eq(coact_send(child, go, 0), 0);
            ck_assert_int_eq(join_peer(child).code, COACT_NORMAL);
        }
    }
    coact_kill(oracle.ref);
}

static void
others_go_on(uint32_t workers, uint32_t hogs)
{
    peer_ref refs[HOGS_MOST];
    begin();
    struct coact_runtime *runtime = start_runtime(workers);
    start_hogs(hogs, refs);
    await_hogs(hogs < workers ? hogs : workers);
    peer_ref good[2];
    for (int i = 0; i < 2; i++) {
        good[i] = spawn_peer(behave, (void *)(uintptr_t)100);
    }
    for (int i = 0; i < 2; i++) {
        struct coact_reason reason = join_peer(good[i]);
        ck_assert_msg(reason.code == COACT_NORMAL ||
                          reason.code == COACT_NOPROC,
                      "%s %s", coact_reason_name(reason.code), reason.text);
    }
    ck_assert_uint_ge(atomic_load(&hogging), hogs < workers ? hogs : workers);
    atomic_store(&is_over, true);
    for (uint32_t i = 0; i < hogs; i++) {
        (void)join_peer(refs[i]);
    }
    must_come_to_rest(runtime, workers);
    stop_runtime(runtime);
}

START_TEST(others_go_on_beside_a_loop_with_one_worker)
{
    others_go_on(1, 1);
}
END_TEST

START_TEST(others_go_on_beside_as_many_loops_as_workers)
{
    others_go_on(2, 2);
}
END_TEST

START_TEST(others_go_on_beside_more_loops_than_workers)
{
    others_go_on(2, 6);
}
END_TEST

/* ---- Coming back ---- */

/* Runs about as long as it takes to be stood in for, while others wait behind
   it: it comes back in the midst of that.  The two send to each other. */
#define STUCK_NS 10000000

struct comeback {
    peer_ref other;
    uint32_t rounds;
};

static void
comes_back_late(peer_self self, void *arg)
{
    struct comeback *c = arg;
    uint32_t seed = 7;
    for (uint32_t i = 0; i < c->rounds; i++) {
        seed = seed * 1664525 + 1013904223;
        ck_assert_int_eq(coact_send(c->other, go, 0), 0); // it waits behind us
        run_for(STUCK_NS - 500000 + seed / 2048);
        if (i % 3 == 0) {
            coact_yield();
        }
        COACT_RECEIVE(self, IN_TIME) {
        case COACT_ON(go, m):
            (void)m;
            break;
        case COACT_ON_TIMEOUT:
            ck_abort_msg("a message was lost in round %u", i);
        }
        if (i % 2 == 0) {
            (void)coact_sleep(coact_in_ns(3000000));
        }
    }
}

static void
echoes_go(peer_self self, void *arg)
{
    peer_ref *to = arg;
    bool is_cancelled = false;
    while (!is_cancelled) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(go, m):
            (void)m;
            (void)coact_send(*to, go, 0);
            break;
        case COACT_ON_CANCELLED:
            is_cancelled = true;
            break;
        }
    }
}

static void
come_back(uint32_t workers, uint32_t rounds)
{
    struct coact_runtime *runtime = start_runtime(workers);
    static peer_ref runner;
    struct comeback c = {.rounds = rounds};
    c.other = spawn_peer(echoes_go, &runner);
    ck_assert_int_eq(coact_spawn(peer, &runner, comes_back_late, &c), 0);
    int64_t deadline = IN_TIME;
    // A thread of the host wakes somebody else all the time.
    peer_ref oracle = spawn_peer(oracle_body, NULL);
    struct answer answer;
    while (coact_is_alive(runner.ref)) {
        ck_assert_int_eq(coact_ask(oracle, question, &answer, IN_TIME, .n = 1),
                         0);
        ck_assert_msg(coact_now_ns() < deadline, "it does not end");
        usleep(1500);
    }
    must_come_to_rest(runtime, workers);
    // And it still wakes up.
    ck_assert_int_eq(coact_ask(oracle, question, &answer, IN_TIME, .n = 1), 0);
    must_come_to_rest(runtime, workers);
    coact_kill(oracle.ref);
    coact_kill(c.other.ref);
    stop_runtime(runtime);
}

START_TEST(who_comes_back_late_is_one_too_many_and_nothing_is_lost_with_one)
{
    come_back(1, 150 / SLOWNESS);
}
END_TEST

START_TEST(who_comes_back_late_is_one_too_many_and_nothing_is_lost_with_two)
{
    come_back(2, 150 / SLOWNESS);
}
END_TEST

/* ---- Long runs that nobody else interrupts ---- */

/* Long enough for a worker to be reminded of the time, and too short to be stood
   in for.  No thread of the host wakes anybody: what is overlooked stays so. */
static void
runs_between_messages(peer_self self, void *arg)
{
    struct comeback *c = arg;
    for (uint32_t i = 0; i < c->rounds; i++) {
        ck_assert_int_eq(coact_send(c->other, go, 0), 0);
        run_for(1800000 + i % 8 * 100000);
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(go, m):
            (void)m;
            break;
        }
    }
}

/* Its sleeps end while the other one runs, and then nobody has anything to do. */
static void
sleeps_between_messages(peer_self self, void *arg)
{
    (void)self;
    struct comeback *c = arg;
    for (uint32_t i = 0; i < c->rounds; i++) {
        ck_assert_int_eq(coact_send(c->other, go, 0), 0);
        ck_assert_int_eq(coact_sleep(coact_in_ns(300000)), 0);
    }
}

static void
runs_when_it_is_told_to(peer_self self, void *arg)
{
    (void)arg;
    bool is_cancelled = false;
    for (uint32_t i = 0; !is_cancelled; i++) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(go, m):
            (void)m;
            run_for(200000 + i % 16 * 50000);
            break;
        case COACT_ON_CANCELLED:
            is_cancelled = true;
            break;
        }
    }
}

static void
run_long(uint32_t workers, void (*body)(peer_self self, void *arg),
         void (*other)(peer_self self, void *arg))
{
    struct coact_runtime *runtime = start_runtime(workers);
    static peer_ref runner;
    struct comeback c = {.rounds = 200};
    c.other = spawn_peer(other, &runner);
    ck_assert_int_eq(coact_spawn(peer, &runner, body, &c), 0);
    (void)join_peer(runner);
    must_come_to_rest(runtime, workers);
    coact_kill(c.other.ref);
    stop_runtime(runtime);
}

START_TEST(a_message_that_waits_behind_a_long_run_is_not_overlooked)
{
    run_long(1, runs_between_messages, echoes_go);
    run_long(2, runs_between_messages, echoes_go);
}
END_TEST

START_TEST(a_sleep_that_ends_during_a_long_run_is_not_overlooked)
{
    run_long(1, sleeps_between_messages, runs_when_it_is_told_to);
    run_long(2, sleeps_between_messages, runs_when_it_is_told_to);
}
END_TEST

/* ---- Stopping ---- */

static _Atomic uint32_t blamed;

static void
note_blame(void *context, enum coact_log_level level, const char *text)
{
    (void)context, (void)level;
    if (strstr(text, "the hog") != NULL) {
        atomic_fetch_add(&blamed, 1);
    }
}

static void
stop_beside_a_hog(uint32_t workers)
{
    begin();
    atomic_store(&blamed, 0);
    struct coact_runtime_options options = {.workers = workers,
                                            .log = note_blame};
    struct coact_runtime *runtime = NULL;
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    peer_ref hog;
    peer_ref good = spawn_peer(idle_body, NULL);
    start_hogs(1, &hog);
    await_hogs(1);
    ck_assert_int_eq(coact_stop(runtime, coact_in_ms(200)), -ETIMEDOUT);
    ck_assert_uint_ge(atomic_load(&blamed), 1);
    // The others have ended in order, behind its back.
    ck_assert(!coact_is_alive(good.ref));
    ck_assert(coact_is_alive(hog.ref));
    atomic_store(&is_over, true);
    stop_runtime(runtime);
}

START_TEST(stop_names_the_loop_that_it_waits_for_and_succeeds_after_it)
{
    stop_beside_a_hog(1);
    stop_beside_a_hog(2);
}
END_TEST

/* Killed while it runs, it ends at its next wait, deep in its stack. */
static void
recurse_and_wait(int depth)
{
    volatile char room[256];
    room[0] = (char)depth;
    if (depth > 0) {
        recurse_and_wait(depth - 1);
    } else {
        while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
        }
        (void)coact_sleep(COACT_FOREVER);
        (void)coact_sleep(COACT_FOREVER);
    }
    room[1] = room[0];
}

static void
hog_deep_down(peer_self self, void *arg)
{
    (void)self, (void)arg;
    atomic_fetch_add(&hogging, 1);
    recurse_and_wait(20);
}

START_TEST(a_loop_that_was_killed_ends_when_it_comes_back)
{
    begin();
    struct coact_runtime *runtime = start_runtime(1);
    peer_ref hogs[4];
    for (int i = 0; i < 4; i++) {
        hogs[i] = spawn_peer(hog_deep_down, NULL);
    }
    await_hogs(4); // three of them by who stands in
    for (int i = 0; i < 4; i++) {
        coact_kill(hogs[i].ref);
    }
    atomic_store(&is_over, true);
    for (int i = 0; i < 4; i++) {
        int code = join_peer(hogs[i]).code;
        ck_assert(code == COACT_KILLED || code == COACT_NOPROC);
    }
    must_come_to_rest(runtime, 1);
    stop_runtime(runtime);
}
END_TEST

/* ---- No thread is to be had ---- */

START_TEST(a_loop_keeps_others_waiting_but_no_longer_when_no_thread_can_be_had)
{
    begin();
    struct coact_runtime *runtime = start_runtime(1);
    peer_ref oracle = spawn_peer(oracle_body, NULL);
    struct answer answer;
    ck_assert_int_eq(coact_ask(oracle, question, &answer, IN_TIME, .n = 1), 0);
    must_come_to_rest(runtime, 1);
    peer_ref hogs[2];
    start_hogs(1, &hogs[0]);
    await_hogs(1);
    coact__fail_nth(1, true); // nothing can be had from now on
    for (int i = 0; i < 20; i++) {
        usleep(1000);
    }
    coact__fail_nth(0, false);
    atomic_store(&is_over, true);
    ck_assert_int_eq(coact_ask(oracle, question, &answer, IN_TIME, .n = 1), 0);
    (void)join_peer(hogs[0]);
    must_come_to_rest(runtime, 1);
    coact_kill(oracle.ref);
    stop_runtime(runtime);
}
END_TEST

SUITE_MAIN("stuck", others_go_on_beside_a_loop_with_one_worker,
           others_go_on_beside_as_many_loops_as_workers,
           others_go_on_beside_more_loops_than_workers,
           who_comes_back_late_is_one_too_many_and_nothing_is_lost_with_one,
           who_comes_back_late_is_one_too_many_and_nothing_is_lost_with_two,
           a_message_that_waits_behind_a_long_run_is_not_overlooked,
           a_sleep_that_ends_during_a_long_run_is_not_overlooked,
           stop_names_the_loop_that_it_waits_for_and_succeeds_after_it,
           a_loop_that_was_killed_ends_when_it_comes_back,
           a_loop_keeps_others_waiting_but_no_longer_when_no_thread_can_be_had)
