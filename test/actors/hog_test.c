/*
 * hog_test.c - actors that do not come back, and all the others.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/hogs.h"

#include <coact/blocking.h>

#include <sched.h>

/* ---- Loops --------------------------------------------------------------- */

static void
spin_for_ever(peer_self self, void *arg)
{
    (void)self, (void)arg;
    while (!is_over()) {
    }
}

static void
spin_on_item(peer_self self, void *arg)
{
    COACT_RECEIVE(self, COACT_FOREVER) {
    case COACT_ON(item, m):
        (void)m;
        spin_for_ever(self, arg);
        break;
    }
}

static void
send_item(peer_self self, void *arg)
{
    (void)self;
    const peer_ref *to = arg;
    ck_assert_int_eq(coact_send(*to, item, .number = 1), 0);
    coact_sleep(COACT_FOREVER);
}

/* Timers, messages, spawns and a supervisor's restarts, for a while. */
static void
live_a_little(peer_self self, void *arg)
{
    struct life *life = arg;
    (void)self;
    peer_ref oracle = spawn_peer(oracle_body, NULL);
    int64_t end = coact_in_ms(life->ms);
    while (coact_now_ns() < end) {
        int64_t start = coact_now_ns();
        ck_assert_int_eq(coact_sleep(start + COACT_MS(1)), 0);
        note_late(life, coact_now_ns() - start - COACT_MS(1));
        struct answer answer;
        ck_assert_int_eq(coact_ask(oracle, question, &answer, IN_TIME, .n = 1),
                         0);
        ck_assert_uint_eq(answer.n, 2);
        atomic_fetch_add_explicit(&life->rounds, 1, memory_order_relaxed);
    }
    ck_assert_int_eq(coact_kill(oracle.ref), 0);
}

START_TEST(s50_two_actors_that_never_yield_hold_up_nobody_on_two_workers)
{
    struct coact_runtime *runtime = start_hog_runtime(2);
    peer_ref hogs[2], sender;
    ck_assert_int_eq(coact_spawn_with(peer, &hogs[0], spin_on_item, NULL,
                                      .label = "first hog"),
                     0);
    ck_assert_int_eq(coact_spawn(peer, &sender, send_item, &hogs[0]), 0);
    ck_assert_int_eq(coact_spawn_with(peer, &hogs[1], spin_for_ever, NULL,
                                      .label = "second hog"),
                     0);
    await_reports(2);
    struct life life = {.ms = 500};
    live(&life);
    ck_assert_uint_gt(life.rounds, 20);
    supervise_one_that_crashes();

    const struct seen *first = report_named("first hog");
    ck_assert_ptr_nonnull(first);
    ck_assert_str_eq(first->role, "default");
    ck_assert_ptr_null(first->call);
    ck_assert_str_eq(first->message, "item");
    ck_assert(coact_ref_equal(first->sender, sender.ref));
    ck_assert(coact_ref_equal(first->actor, hogs[0].ref));
    ck_assert_msg(strstr(first->backtrace, " spin_on_item+0x") != NULL ||
                      strstr(first->backtrace, " spin_for_ever+0x") != NULL,
                  "%s", first->backtrace);
    const struct seen *second = report_named("second hog");
    ck_assert_ptr_nonnull(second);
    ck_assert_msg(strstr(second->backtrace, " spin_for_ever+0x") != NULL, "%s",
                  second->backtrace);
    ck_assert_ptr_null(second->message);

    struct coact_runtime_stats stats = stats_of(runtime);
    ck_assert_uint_eq(stats.actors_stuck, 2);
    end_hogs();
    (void)join_peer(hogs[0]);
    (void)join_peer(hogs[1]);
    AWAIT(stats_of(runtime).actors_stuck == 0);
    AWAIT(count_ends() == 2);
    await_threads_at_rest(runtime);
    ck_assert_int_eq(coact_kill(sender.ref), 0);
    stop_runtime(runtime);
}
END_TEST

static void
read_pipe(peer_self self, void *arg)
{
    (void)self;
    char byte;
    const int *fd = arg;
    ck_assert_int_eq(read(*fd, &byte, 1), 0); // closed: the end
}

/* So many actors that sleep in a read until the pipe is closed. */
static void
block_many(uint32_t workers, uint32_t count)
{
    struct coact_runtime *runtime = start_hog_runtime(workers);
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    peer_ref blocked[64];
    ck_assert_uint_le(count, 64);
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_int_eq(coact_spawn_with(peer, &blocked[i], read_pipe,
                                          &ends[0], .label = "blocked"),
                         0);
    }
    await_reports(count);
    struct life life = {.ms = 300};
    live(&life);
    ck_assert_uint_gt(life.rounds, 10);
    supervise_one_that_crashes();
    const struct seen *report = report_named("blocked");
    ck_assert_ptr_nonnull(report);
    ck_assert_str_eq(report->call, "read");
    ck_assert_msg(strstr(report->backtrace, " read_pipe+0x") != NULL, "%s",
                  report->backtrace);
    ck_assert_uint_eq(stats_of(runtime).actors_stuck, count);
    close(ends[1]);
    for (uint32_t i = 0; i < count; i++) {
        (void)join_peer(blocked[i]);
    }
    AWAIT(stats_of(runtime).actors_stuck == 0);
    await_threads_at_rest(runtime);
    stop_runtime(runtime);
    close(ends[0]);
}

START_TEST(s51_two_actors_in_calls_that_block_hold_up_nobody_on_two_workers)
{
    block_many(2, 2);
}
END_TEST

START_TEST(s51_as_many_as_there_are_spare_threads_may_block)
{
    block_many(2, 64);
}
END_TEST

/* ---- Many ---------------------------------------------------------------- */

START_TEST(sixty_four_hogs_do_not_lock_out_one_that_behaves)
{
    struct coact_runtime *runtime = start_hog_runtime(2);
    peer_ref behaves, hogs[64];
    struct life life = {.ms = 1500};
    ck_assert_int_eq(coact_spawn(peer, &behaves, live_a_little, &life), 0);
    // Who has never run is not known to behave, and would wait like the hogs.
    AWAIT(atomic_load_explicit(&life.rounds, memory_order_relaxed) > 5);
    for (int i = 0; i < 64; i++) {
        ck_assert_int_eq(coact_spawn(peer, &hogs[i], spin_for_ever, NULL), 0);
    }
    (void)join_peer(behaves);
    ck_assert_uint_gt(life.rounds, 20);
    // As many threads compute as the option says, and those of the cores.
    ck_assert_uint_le(stats_of(runtime).stand_ins, 8);
    end_hogs();
    for (int i = 0; i < 64; i++) {
        (void)join_peer(hogs[i]);
    }
    await_threads_at_rest(runtime);
    stop_runtime(runtime);
}
END_TEST

static void
yield_often(peer_self self, void *arg)
{
    (void)self;
    struct life *life = arg;
    while (!is_over() && coact_yield() == 0) {
        atomic_fetch_add_explicit(&life->rounds, 1, memory_order_relaxed);
    }
}

START_TEST(one_that_only_yields_goes_on_though_no_thread_more_may_compute)
{
    struct coact_runtime *runtime = start_hog_runtime(2);
    struct life life = {.rounds = 0};
    peer_ref yields = spawn_peer(yield_often, &life), hogs[64];
    AWAIT(atomic_load_explicit(&life.rounds, memory_order_relaxed) > 100);
    for (int i = 0; i < 64; i++) {
        hogs[i] = spawn_peer(spin_for_ever, NULL);
    }
    AWAIT(stats_of(runtime).stand_ins == 8);
    uint32_t before = atomic_load_explicit(&life.rounds, memory_order_relaxed);
    AWAIT(atomic_load_explicit(&life.rounds, memory_order_relaxed) >
          before + 20);
    end_hogs();
    (void)join_peer(yields);
    for (int i = 0; i < 64; i++) {
        (void)join_peer(hogs[i]);
    }
    await_threads_at_rest(runtime);
    stop_runtime(runtime);
}
END_TEST

/* Behaves for a while, then never again. */
static void
betray(peer_self self, void *arg)
{
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(coact_sleep(coact_in_ms(5)), 0);
    }
    spin_for_ever(self, arg);
}

START_TEST(one_that_betrays_the_trust_is_compensated_for_as_well)
{
    struct coact_runtime *runtime = start_hog_runtime(1);
    peer_ref hogs[12], traitors[4];
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(coact_spawn(peer, &traitors[i], betray, NULL), 0);
    }
    peer_ref behaves;
    struct life life = {.ms = 2000};
    ck_assert_int_eq(coact_spawn(peer, &behaves, live_a_little, &life), 0);
    AWAIT(atomic_load_explicit(&life.rounds, memory_order_relaxed) > 5);
    for (int i = 0; i < 12; i++) {
        ck_assert_int_eq(coact_spawn(peer, &hogs[i], spin_for_ever, NULL), 0);
    }
    (void)join_peer(behaves);
    ck_assert_uint_gt(life.rounds, 20);
    end_hogs();
    for (int i = 0; i < 12; i++) {
        (void)join_peer(hogs[i]);
    }
    for (int i = 0; i < 4; i++) {
        (void)join_peer(traitors[i]);
    }
    await_threads_at_rest(runtime);
    stop_runtime(runtime);
}
END_TEST

/* A hog's messages lie in its own queue; somebody must look there. */
static void
send_and_spin(peer_self self, void *arg)
{
    send_item_once(arg);
    spin_for_ever(self, NULL);
}

static void
note_item(peer_self self, void *arg)
{
    (void)arg;
    COACT_RECEIVE(self, COACT_FOREVER) {
    case COACT_ON(item, m):
        (void)m;
        end_hogs();
        break;
    }
}

START_TEST(what_a_hog_has_sent_is_read_while_it_computes)
{
    for (uint32_t workers = 1; workers <= 2; workers++) {
        struct coact_runtime *runtime = start_hog_runtime(workers);
        peer_ref reader = spawn_peer(note_item, NULL);
        peer_ref hog = spawn_peer(send_and_spin, &reader);
        (void)join_peer(hog);
        (void)join_peer(reader);
        stop_runtime(runtime);
    }
}
END_TEST

/* ---- False alarms -------------------------------------------------------- */

/* Ten milliseconds of work, then a yield. */
static void
work_in_turns(peer_self self, void *arg)
{
    (void)self, (void)arg;
    while (!is_over()) {
        int64_t start = thread_cpu_ns();
        while (thread_cpu_ns() - start < COACT_MS(10)) {
        }
        if (coact_yield() != 0) {
            return;
        }
    }
}

START_TEST(no_hog_is_reported_where_outside_load_takes_the_processors)
{
    struct coact_runtime *runtime = start_hog_runtime(2);
    pid_t outside[8];
    for (int i = 0; i < 8; i++) {
        outside[i] = start_outside_load();
    }
    peer_ref workers[4];
    for (int i = 0; i < 4; i++) {
        workers[i] = spawn_peer(work_in_turns, NULL);
    }
    // Ten minutes are a hundred lives.
    for (int i = getenv("COACT_LONG") != NULL ? 100 : 1; i > 0; i--) {
        struct life life = {.ms = 6000};
        live(&life);
    }
    ck_assert_uint_eq(stats_of(runtime).actors_stuck_ever, 0);
    end_hogs();
    for (int i = 0; i < 4; i++) {
        (void)join_peer(workers[i]);
    }
    for (int i = 0; i < 8; i++) {
        end_outside_load(outside[i]);
    }
    stop_runtime(runtime);
}
END_TEST

/* ---- Demotion ------------------------------------------------------------ */

static void
note_policy(void *arg)
{
    *(int *)arg = sched_getscheduler(0);
}

/* Computes until its thread is demoted, which takes others that want to run. */
static void
spin_until_demoted(peer_self self, void *arg)
{
    (void)self;
    int64_t deadline = IN_TIME;
    while (sched_getscheduler(0) != SCHED_IDLE) {
        ck_assert_int_lt(coact_now_ns(), deadline);
    }
    int policy = -1;
    ck_assert_int_eq(
        coact_blocking(note_policy, &policy, sizeof(policy), NULL, IN_TIME), 0);
    *(int *)arg = policy;
}

START_TEST(a_call_that_a_demoted_actor_makes_runs_as_any_other)
{
    if (geteuid() != 0) {
        return; // demotion is for good
    }
    struct coact_runtime *runtime = start_hog_runtime(1);
    int policy = -1; // the join is behind the actor's write
    peer_ref first = spawn_peer(spin_until_demoted, &policy);
    peer_ref others[2];
    for (int i = 0; i < 2; i++) {
        others[i] = spawn_peer(spin_for_ever, NULL);
    }
    (void)join_peer(first);
    ck_assert_int_eq(policy, SCHED_OTHER);
    end_hogs();
    for (int i = 0; i < 2; i++) {
        (void)join_peer(others[i]);
    }
    stop_runtime(runtime);
}
END_TEST

/* ---- Checkpoints --------------------------------------------------------- */

struct polite {
    uint64_t turns;
    int rc;
};

static void
loop_politely(peer_self self, void *arg)
{
    (void)self;
    struct polite *polite = arg;
    while (polite->rc == 0) {
        polite->turns++;
        polite->rc = coact_checkpoint();
    }
}

START_TEST(a_loop_with_checkpoints_is_no_hog_and_ends_when_it_is_asked_to)
{
    struct coact_runtime *runtime = start_hog_runtime(1);
    struct polite killed = {0}, stopped = {0};
    peer_ref first = spawn_peer(loop_politely, &killed);
    peer_ref second = spawn_peer(loop_politely, &stopped);
    struct life life = {.ms = 300};
    live(&life);
    ck_assert_uint_gt(life.rounds, 20);
    ck_assert_uint_eq(stats_of(runtime).actors_stuck_ever, 0);
    ck_assert_int_eq(coact_kill(first.ref), 0);
    (void)join_peer(first);
    ck_assert_int_eq(killed.rc, -ECANCELED);
    ck_assert_int_eq(coact_signal_exit(second.ref, COACT_SHUTDOWN, ""), 0);
    (void)join_peer(second);
    ck_assert_int_eq(stopped.rc, -ECANCELED);
    ck_assert_uint_gt(killed.turns, 1000);
    stop_runtime(runtime);
}
END_TEST

START_TEST(a_checkpoint_outside_of_an_actor_is_a_misuse)
{
    struct coact_runtime *runtime = start_hog_runtime(1);
    ck_assert_int_eq(coact_checkpoint(), -EPERM);
    ck_assert_uint_eq(stats_of(runtime).misuses, 1);
    stop_runtime(runtime);
}
END_TEST

SUITE_MAIN("hog", s50_two_actors_that_never_yield_hold_up_nobody_on_two_workers,
           s51_two_actors_in_calls_that_block_hold_up_nobody_on_two_workers,
           s51_as_many_as_there_are_spare_threads_may_block,
           sixty_four_hogs_do_not_lock_out_one_that_behaves,
           one_that_only_yields_goes_on_though_no_thread_more_may_compute,
           one_that_betrays_the_trust_is_compensated_for_as_well,
           what_a_hog_has_sent_is_read_while_it_computes,
           no_hog_is_reported_where_outside_load_takes_the_processors,
           a_call_that_a_demoted_actor_makes_runs_as_any_other,
           a_loop_with_checkpoints_is_no_hog_and_ends_when_it_is_asked_to,
           a_checkpoint_outside_of_an_actor_is_a_misuse)
