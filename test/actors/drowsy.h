/*
 * drowsy.h - actors that hibernate at once, and a look at them from outside.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_DROWSY_H
#define COACT_TEST_DROWSY_H

#include "actors/life.h"
#include "test/actors/peers.h"

#include <unistd.h>

__attribute__((unused)) static uint64_t
hibernated_now(struct coact_runtime *runtime)
{
    struct coact_runtime_stats stats;
    coact_stats(runtime, &stats);
    return stats.actors_hibernated;
}

/* How often anybody was, since the start. */
__attribute__((unused)) static uint64_t
hibernations(struct coact_runtime *runtime)
{
    uint64_t sum = 0;
    uint32_t n = coact__scheduler_workers(&runtime->scheduler);
    for (uint32_t i = 0; i < n; i++) {
        sum += atomic_load_explicit(&runtime->scheduler.workers[i].hibernated,
                                    memory_order_relaxed);
    }
    return sum;
}

/* By an actor or the host. */
__attribute__((unused)) static void
await_hibernated(uint64_t count)
{
    struct coact_runtime *runtime = coact_runtime_here();
    int64_t limit = IN_TIME;
    while (hibernated_now(runtime) != count) {
        ck_assert_msg(coact_now_ns() < limit, "%u are hibernated, not %u",
                      (unsigned)hibernated_now(runtime), (unsigned)count);
        if (coact_ref_is_none(coact_self())) {
            usleep(1000);
        } else {
            ck_assert_int_eq(coact_sleep(coact_in_ms(1)), 0);
        }
    }
}

__attribute__((unused)) static peer_ref
spawn_drowsy(void (*body)(peer_self self, void *arg), void *arg)
{
    peer_ref ref;
    ck_assert_int_eq(coact_spawn_with(peer, &ref, body, arg,
                                      .hibernate = COACT_HIBERNATE_AT_ONCE),
                     0);
    return ref;
}

#endif
