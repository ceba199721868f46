/*
 * life_sim_test.c - the ends of actors, where it takes time to see them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/peers.h"
#include "test/support/sim.h"

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
    ck_assert_int_eq(
        coact_spawn_with(peer, &p, traps_a_stranger, NULL, .trap_exit = true),
        0);
    coact_signal_exit(p.ref, COACT_NORMAL, "");
    struct answer a;
    ck_assert_int_eq(coact_ask(p, question, &a, IN_TIME, .n = 4), 0);
    ck_assert_uint_eq(a.n, 5);
    stop_runtime(runtime);
}
END_TEST

/* ---- A call from outside whose actor is killed before it runs ------------ */

static bool
find_call(void *context, const struct coact_actor_info *info)
{
    coact_ref *found = context;
    if (strcmp(info->label, "foreign call") == 0) {
        *found = info->ref;
    }
    return true;
}
static void
kills_calls(peer_self self, void *arg)
{
    (void)self, (void)arg;
    for (int i = 0; i < 100; i++) {
        coact_ref found = {0};
        coact_each_actor(coact_runtime_here(), find_call, &found);
        if (!coact_ref_is_none(found)) {
            coact_kill(found);
        }
        if (coact_yield() < 0) {
            return;
        }
    }
}
static void
asked_beside_a_killer(void *arg)
{
    uint32_t *cancelled = arg;
    struct coact_runtime *runtime = start_runtime(1);
    peer_ref oracle = spawn_peer(oracle_body, NULL);
    spawn_peer(kills_calls, NULL);
    for (uint64_t i = 0; i < 5; i++) {
        struct answer a = {0};
        int rc = coact_ask(oracle, question, &a, IN_TIME, .n = i);
        ck_assert(rc == -ECANCELED || (rc == 0 && a.n == i + 1));
        *cancelled += rc < 0;
        struct letter_of letter = {.text = {NULL, 0}};
        rc = coact_ask(oracle, note, &letter, IN_TIME,
                       .text = coact_text_copy("a text"));
        ck_assert(rc == -ECANCELED || rc == -EPIPE);
    }
    stop_runtime(runtime);
}
START_TEST(a_call_from_outside_that_is_killed_is_never_a_success)
{
    uint32_t cancelled = 0;
    sim_each_seed(50, asked_beside_a_killer, &cancelled);
    ck_assert_uint_gt(cancelled, 0);
}
END_TEST

SUITE_MAIN("life_sim", s01_a_trapping_actor_outlives_exit_normal_from_outside,
           a_call_from_outside_that_is_killed_is_never_a_success)
