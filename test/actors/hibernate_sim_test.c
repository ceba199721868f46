/*
 * hibernate_sim_test.c - when actors are hibernated, by a virtual clock; and what
 * becomes of that if memory fails.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/life.h"
#include "runtime/memory.h"
#include "runtime/oracle.h"
#include "test/actors/peers.h"
#include "test/support/sim.h"

#define AFTER_MS 1000
#define LATE 5

static uint64_t
hibernated(void)
{
    struct coact_runtime_stats stats;
    coact_stats(coact_runtime_here(), &stats);
    return stats.actors_hibernated;
}

static struct coact_runtime *
start_with(int64_t hibernate_after_ns)
{
    struct coact_runtime_options options = {
        .log = log_nothing, .hibernate_after_ns = hibernate_after_ns};
    struct coact_runtime *runtime = NULL;
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    return runtime;
}

/* Run body in an actor of a runtime that is made for it. */
static void
conduct_with(int64_t hibernate_after_ns,
             void (*body)(peer_self self, void *arg), void *arg)
{
    struct coact_runtime *runtime = start_with(hibernate_after_ns);
    peer_ref conductor = spawn_peer(body, arg);
    join_peer(conductor);
    stop_runtime(runtime);
}

static peer_ref
spawn_that(enum coact_hibernate when, void (*body)(peer_self self, void *arg),
           void *arg)
{
    peer_ref ref;
    ck_assert_int_eq(coact_spawn_with(peer, &ref, body, arg, .hibernate = when),
                     0);
    return ref;
}

/* ---- When ---------------------------------------------------------------- */

static void
sleep_ms(int64_t ms)
{
    ck_assert_int_eq(coact_sleep(coact_in_ms(ms)), 0);
}

/* Its timer is on its stack: it must be passed over. */
static void
timed_body(peer_self self, void *arg)
{
    (void)arg;
    COACT_RECEIVE(self, coact_in_ms(10 * AFTER_MS)) {
    case COACT_ON_TIMEOUT:
        break;
    }
}

static void
watch_the_clock(peer_self self, void *arg)
{
    (void)self, (void)arg;
    peer_ref refs[LATE];
    for (int i = 0; i < LATE; i++) {
        refs[i] = spawn_that(COACT_HIBERNATE_LATER, idle_body, NULL);
    }
    spawn_peer(idle_body, NULL);
    peer_ref timed = spawn_that(COACT_HIBERNATE_LATER, timed_body, NULL);
    sleep_ms(AFTER_MS - 10);
    ck_assert_uint_eq(hibernated(), 0);
    sleep_ms(20);
    ck_assert_uint_eq(hibernated(), LATE);
    ck_assert_int_eq(coact_send(refs[0], go, 0), 0);
    sleep_ms(AFTER_MS - 10);
    ck_assert_uint_eq(hibernated(), LATE - 1);
    // In the middle of a pause between passes it may take half as long again.
    sleep_ms(AFTER_MS / 2 + 20);
    ck_assert_uint_eq(hibernated(), LATE);
    join_peer(timed);
}

static void
watch_the_clock_once(void *arg)
{
    (void)arg;
    conduct_with(COACT_MS(AFTER_MS), watch_the_clock, NULL);
}

START_TEST(who_has_rested_long_enough_is_hibernated_and_nobody_before)
{
    sim_each_seed(20, watch_the_clock_once, NULL);
}
END_TEST

/* Pump, and let time pass, until there is nothing to pump for.  How often. */
static uint32_t
pump_until_rest(struct coact_runtime *runtime)
{
    uint32_t rounds = 0;
    int64_t next;
    coact_pump(runtime, COACT_FOREVER);
    while ((next = coact_next_deadline(runtime)) != COACT_FOREVER) {
        ck_assert_uint_lt(++rounds, 100000);
        coact__oracle_skip_to(next);
        coact_pump(runtime, COACT_FOREVER);
    }
    return rounds;
}

#define CROWD 5000

START_TEST(when_all_are_hibernated_nothing_is_left_to_do)
{
    coact__sim_seed(1);
    struct coact_runtime *runtime = start_with(COACT_MS(AFTER_MS));
    static peer_ref refs[CROWD];
    for (uint32_t i = 0; i < CROWD; i++) {
        refs[i] = spawn_that(COACT_HIBERNATE_LATER, idle_body, NULL);
    }
    ck_assert_uint_gt(pump_until_rest(runtime), 2); // a batch for each look
    ck_assert_uint_eq(hibernated(), CROWD);
    // One that has been woken, too, and one that came later.
    ck_assert_int_eq(coact_send(refs[CROWD / 2], go, 0), 0);
    coact_pump(runtime, COACT_FOREVER);
    ck_assert_uint_eq(hibernated(), CROWD - 1);
    spawn_that(COACT_HIBERNATE_LATER, idle_body, NULL);
    ck_assert_uint_gt(pump_until_rest(runtime), 0);
    ck_assert_uint_eq(hibernated(), CROWD + 1);
    stop_runtime(runtime);
}
END_TEST

START_TEST(where_later_is_never_there_is_no_timer)
{
    coact__sim_seed(1);
    struct coact_runtime *runtime = start_with(COACT_FOREVER);
    for (int i = 0; i < LATE; i++) {
        spawn_that(COACT_HIBERNATE_LATER, idle_body, NULL);
    }
    ck_assert_uint_eq(pump_until_rest(runtime), 0);
    ck_assert_uint_eq(hibernated(), 0);
    stop_runtime(runtime);
}
END_TEST

/* ---- Any order ----------------------------------------------------------- */

#define PLAYERS 6
#define BALLS 4
#define PASSES 200

struct player {
    peer_ref ref;
    struct game *game;
    uint32_t mine;
};

struct game {
    struct player players[PLAYERS];
    uint32_t passes;
    uint32_t lost;
};

/* Passes each ball on, one higher. */
static void
player_body(peer_self self, void *arg)
{
    struct player *player = arg;
    struct game *game = player->game;
    uint32_t mine = player->mine;
    bool is_over = false;
    while (!is_over) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(item, m): {
            game->passes++;
            game->lost += mine != player->mine || m->from != m->number % BALLS;
            if (m->number / BALLS < PASSES) {
                uint32_t to = (mine * 5 + m->number / BALLS + 1) % PLAYERS;
                ck_assert_int_eq(coact_send(game->players[to].ref, item,
                                            .from = m->from,
                                            .number = m->number + BALLS),
                                 0);
            }
        } break;
        case COACT_ON_CANCELLED:
            is_over = true;
            break;
        }
    }
}

static void
play(void *arg)
{
    (void)arg;
    struct coact_runtime *runtime = start_with(1);
    struct game game = {.passes = 0};
    for (uint32_t i = 0; i < PLAYERS; i++) {
        game.players[i] = (struct player){.game = &game, .mine = i};
        game.players[i].ref = spawn_that((enum coact_hibernate)(i % 3),
                                         player_body, &game.players[i]);
    }
    for (uint32_t ball = 0; ball < BALLS; ball++) {
        ck_assert_int_eq(coact_send(game.players[ball].ref, item, .from = ball,
                                    .number = ball),
                         0);
    }
    pump_until_rest(runtime);
    ck_assert_uint_eq(game.passes, BALLS * (PASSES + 1));
    ck_assert_uint_eq(game.lost, 0);
    ck_assert_uint_eq(hibernated(), PLAYERS / 3 * 2);
    stop_runtime(runtime);
}

START_TEST(in_whatever_order_they_run_no_message_is_lost)
{
    sim_each_seed(100, play, NULL);
}
END_TEST

/* ---- Failures ------------------------------------------------------------ */

#define FEW 3

/* One run in which the nth point of failure fails while they fall asleep; false:
   there were fewer. */
static bool
fall_asleep_failing(unsigned long nth, bool sticky)
{
    coact__sim_seed(nth);
    suite_seed(nth);
    struct coact_runtime *runtime = start_with(COACT_MS(AFTER_MS));
    peer_ref refs[FEW];
    for (int i = 0; i < FEW; i++) {
        refs[i] =
            spawn_that(i == 0 ? COACT_HIBERNATE_LATER : COACT_HIBERNATE_AT_ONCE,
                       until_go_body, NULL);
    }
    coact__fail_nth(nth, sticky);
    pump_until_rest(runtime);
    bool has_failed = coact__fail_count() >= nth;
    coact__fail_nth(0, false);
    ck_assert_uint_le(hibernated(), FEW);
    ck_assert(has_failed || hibernated() == FEW);
    for (int i = 0; i < FEW; i++) {
        if (coact_is_alive(refs[i].ref)) {
            ck_assert_int_eq(coact_send(refs[i], go, 0), 0);
        }
    }
    pump_until_rest(runtime);
    ck_assert_uint_eq(hibernated(), 0);
    stop_runtime(runtime);
    return has_failed;
}

START_TEST(without_memory_for_the_copy_an_actor_stays_on_its_stack)
{
    unsigned long points = 0;
    while (fall_asleep_failing(points + 1, false)) {
        points++;
    }
    ck_assert_uint_ge(points, 2 * FEW);
    for (unsigned long nth = 1; nth <= points; nth++) {
        fall_asleep_failing(nth, true);
    }
}
END_TEST

SUITE_MAIN("hibernate_sim",
           who_has_rested_long_enough_is_hibernated_and_nobody_before,
           when_all_are_hibernated_nothing_is_left_to_do,
           where_later_is_never_there_is_no_timer,
           in_whatever_order_they_run_no_message_is_lost,
           without_memory_for_the_copy_an_actor_stays_on_its_stack)
