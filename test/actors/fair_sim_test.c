/*
 * fair_sim_test.c - fair actors under many schedules, each of which can be
 * repeated.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/fair_world.h"
#include "test/support/sim.h"

static void
serves(peer_self self, void *arg)
{
    (void)arg;
    struct crowd crowd = {
        .to = {.ref = self.ref}, .senders = 40, .noise = 300, .messages = 5};
    spawn_peer(noisy_body, &crowd);
    for (uint32_t i = 0; i < crowd.senders; i++) {
        spawn_peer(quiet_body, &crowd);
    }
    struct reading reading = read_crowd(self, &crowd);
    ck_assert_uint_eq(reading.quiet_read, 200);
    await_senders(&crowd);
}
static void
serve(void *arg)
{
    conduct_fairly(1, serves, arg);
}
START_TEST(s18_a_fair_actor_keeps_each_order_under_any_schedule)
{
    sim_each_seed(100, serve, NULL);
}
END_TEST

START_TEST(s26_a_fair_actor_does_the_same_again_under_the_same_seed)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        ck_assert_uint_eq(sim_seed_once(seed, serve, NULL),
                          sim_seed_once(seed, serve, NULL));
    }
}
END_TEST

SUITE_MAIN("fair_sim", s18_a_fair_actor_keeps_each_order_under_any_schedule,
           s26_a_fair_actor_does_the_same_again_under_the_same_seed)
