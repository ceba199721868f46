/*
 * traffic_test.c - order and completeness between many actors, on threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/traffic.h"

#ifdef __SANITIZE_THREAD__
#define SLOWNESS 10
#else
#define SLOWNESS 1
#endif

struct plan {
    uint32_t times, rounds, bound;
};

static void
conductor(peer_self self, void *arg)
{
    const struct plan *plan = arg;
    static struct traffic traffic;
    traffic.rounds = plan->rounds;
    traffic.bound = plan->bound;
    uint32_t refused = 0;
    for (uint32_t i = 0; i < plan->times / SLOWNESS; i++) {
        traffic_run(self, &traffic);
        refused += traffic.refused;
    }
    ck_assert(plan->bound == 0 || refused > 0);
}

START_TEST(s18_many_pairs_keep_their_order_on_two_workers)
{
    conduct(2, conductor, &(struct plan){.times = 20, .rounds = 1000});
}
END_TEST

START_TEST(s18_many_pairs_keep_their_order_on_four_workers)
{
    conduct(4, conductor, &(struct plan){.times = 20, .rounds = 1000});
}
END_TEST

START_TEST(s19_what_a_full_mailbox_took_arrives_in_order_on_four_workers)
{
    conduct(4, conductor,
            &(struct plan){.times = 20, .rounds = 500, .bound = 8});
}
END_TEST

START_TEST(s09_the_last_words_of_many_come_first_on_four_workers)
{
    conduct(4, conductor, &(struct plan){.times = 200, .rounds = 20});
}
END_TEST

SUITE_MAIN("traffic", s18_many_pairs_keep_their_order_on_two_workers,
           s18_many_pairs_keep_their_order_on_four_workers,
           s19_what_a_full_mailbox_took_arrives_in_order_on_four_workers,
           s09_the_last_words_of_many_come_first_on_four_workers)
