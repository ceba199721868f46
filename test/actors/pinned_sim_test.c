/*
 * pinned_sim_test.c - pinned actors in simulation, where one thread is all there
 * is: they run as others do, and what they are promised holds.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/peers.h"
#include "test/support/sim.h"

#include "actors/life.h"

#include <coact/account.h>
#include <coact/mutex.h>
#include <coact/supervisor.h>

#define SEEDS 50

/* ---- The same order ------------------------------------------------------ */

enum { ACTORS = 6, STEPS = 200 };

/* Who took which step, in the order in which they were taken. */
static struct {
    bool is_pinned;
    peer_ref refs[ACTORS];
    uint32_t order[STEPS];
    uint32_t steps;
} race;

static void
hand_on(peer_self self, void *arg)
{
    uint32_t number = *(uint32_t *)arg;
    while (race.steps < STEPS) {
        race.order[race.steps++] = number;
        coact_send(race.refs[(number + race.steps) % ACTORS], go, 0);
        COACT_RECEIVE(self, coact_in_ms(1)) {
        case COACT_ON(go, m):
            (void)m;
            break;
        case COACT_ON_TIMEOUT:
            break;
        }
    }
}

static void
run_race(void *arg)
{
    (void)arg;
    static uint32_t numbers[ACTORS];
    struct coact_runtime *runtime = start_runtime(1);
    race.steps = 0;
    for (uint32_t i = 0; i < ACTORS; i++) {
        numbers[i] = i;
        ck_assert_int_eq(coact_spawn_with(peer, &race.refs[i], hand_on,
                                          &numbers[i],
                                          .pinned = race.is_pinned),
                         0);
    }
    for (uint32_t i = 0; i < ACTORS; i++) {
        (void)join_peer(race.refs[i]);
    }
    stop_runtime(runtime);
}

START_TEST(in_simulation_pinned_actors_run_in_the_order_of_any_others)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        uint32_t before[STEPS];
        race.is_pinned = false;
        uint64_t trace = sim_seed_once(seed, run_race, NULL);
        memcpy(before, race.order, sizeof(before));
        race.is_pinned = true;
        ck_assert_uint_eq(sim_seed_once(seed, run_race, NULL), trace);
        ck_assert_mem_eq(race.order, before, sizeof(before));
    }
}
END_TEST

/* ---- The same promises --------------------------------------------------- */

static void
promises(void *arg)
{
    (void)arg;
    struct coact_runtime_options options = {.log = log_nothing,
                                            .pinned_threads = 2};
    struct coact_runtime *runtime = NULL;
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    peer_ref refs[3];
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(coact_spawn_with(peer, &refs[i], until_go_body, NULL,
                                          .pinned = true,
                                          .hibernate = COACT_HIBERNATE_AT_ONCE),
                         0);
        struct coact__actor *actor = coact__slot_of(runtime, refs[i].ref);
        ck_assert_uint_eq(atomic_load(&actor->task.hibernates),
                          COACT__HIBERNATES_NEVER);
    }
    struct coact_runtime_stats stats;
    coact_stats(runtime, &stats);
    ck_assert_uint_eq(stats.actors_pinned, 2);
    ck_assert_int_eq(
        coact_spawn_with(peer, &refs[2], until_go_body, NULL, .pinned = true),
        -EAGAIN);
    coact_send(refs[0], go, 0);
    (void)join_peer(refs[0]);
    ck_assert_int_eq(
        coact_spawn_with(peer, &refs[2], until_go_body, NULL, .pinned = true),
        0);
    coact_kill(refs[2].ref);
    (void)join_peer(refs[2]);
    coact_stats(runtime, &stats);
    ck_assert_uint_eq(stats.actors_pinned, 1);
    stop_runtime(runtime);
}

START_TEST(in_simulation_as_few_are_pinned_as_on_threads_and_none_hibernates)
{
    sim_each_seed(SEEDS, promises, NULL);
}
END_TEST

static void
hold_over_sleep(peer_self self, void *arg)
{
    (void)self;
    pthread_mutex_t *own = arg;
    ck_assert_int_eq(coact_mutex_lock(own), 0);
    ck_assert_int_eq(coact_sleep(coact_in_ms(5)), 0);
    ck_assert_int_eq(coact_mutex_unlock(own), 0);
}

static void
hold_own(void *arg)
{
    (void)arg;
    struct coact_runtime *runtime = start_runtime(1);
    pthread_mutex_t own[2] = {PTHREAD_MUTEX_INITIALIZER,
                              PTHREAD_MUTEX_INITIALIZER};
    peer_ref refs[2];
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(coact_spawn_with(peer, &refs[i], hold_over_sleep,
                                          &own[i], .pinned = true),
                         0);
    }
    for (int i = 0; i < 2; i++) {
        (void)join_peer(refs[i]);
    }
    struct coact_runtime_stats stats;
    coact_stats(runtime, &stats);
    ck_assert_uint_eq(stats.misuses, 0);
    stop_runtime(runtime);
}

START_TEST(in_simulation_a_pinned_actor_may_wait_with_a_mutex_held)
{
    sim_each_seed(SEEDS, hold_own, NULL);
}
END_TEST

/* ---- Restarts ------------------------------------------------------------ */

static uint32_t starts;

static void
fail_twice(peer_self self, void *arg)
{
    starts++;
    if (starts <= 2) {
        coact_fail(-EIO, "as told");
    }
    idle_body(self, arg);
}

static void
restart(void *arg)
{
    (void)arg;
    struct coact_runtime *runtime = start_runtime(1);
    const struct coact_child child = COACT_CHILD(
        peer, "fails", fail_twice, NULL, .options = {.pinned = true});
    coact_supervisor_ref top;
    starts = 0;
    ck_assert_int_eq(
        coact_supervise(
            &(struct coact_supervisor){.children = &child, .child_count = 1},
            IN_TIME, &top, NULL),
        0);
    while (starts < 3) {
        peer_ref ref;
        ck_assert_int_eq(coact_child_find(top, peer, "fails", &ref, IN_TIME),
                         0);
    }
    struct coact_runtime_stats stats;
    coact_stats(runtime, &stats);
    ck_assert_uint_eq(stats.actors_pinned, 1);
    ck_assert_int_eq(coact_supervisor_stop(top, IN_TIME, NULL), 0);
    coact_stats(runtime, &stats);
    ck_assert_uint_eq(stats.actors_pinned, 0);
    stop_runtime(runtime);
}

START_TEST(in_simulation_a_pinned_child_is_restarted)
{
    sim_each_seed(SEEDS, restart, NULL);
}
END_TEST

SUITE_MAIN("pinned_sim",
           in_simulation_pinned_actors_run_in_the_order_of_any_others,
           in_simulation_as_few_are_pinned_as_on_threads_and_none_hibernates,
           in_simulation_a_pinned_actor_may_wait_with_a_mutex_held,
           in_simulation_a_pinned_child_is_restarted)
