/*
 * life_sim_test.c - the ends of actors, where it takes time to see them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/peers.h"

static void
traps_a_stranger(peer_self self, void *arg)
{
    (void)self, (void)arg;
    ck_assert_int_eq(expect_exit(self).reason.code, COACT_NORMAL);
    // Longer than any grace: who is not our supervisor does not doom us.
    coact_sleep(coact_in_ms(6000));
    oracle_body(self, NULL);
}
START_TEST(s01_a_trapping_actor_outlives_exit_normal_from_outside)
{
    struct coact_runtime *runtime = start_runtime(1);
    peer_ref p;
    ck_assert_int_eq(coact_spawn_with(peer, &p, traps_a_stranger, NULL,
                                      .trap_exit = true),
                     0);
    coact_signal_exit(p.ref, COACT_NORMAL, "");
    struct answer a;
    ck_assert_int_eq(coact_ask(p, question, &a, IN_TIME, .n = 4), 0);
    ck_assert_uint_eq(a.n, 5);
    stop_runtime(runtime);
}
END_TEST

SUITE_MAIN("life_sim", s01_a_trapping_actor_outlives_exit_normal_from_outside)
