/*
 * sim.h - one scenario under many seeds, each of which can be repeated.
 *
 * sim_each_seed(100, scenario, arg) runs the scenario under the seeds 1 to 100,
 * or under the one that COACT_SEED names.  A failure prints the command that
 * repeats its seed (seed.h).  The seed decides which of the actors that are
 * ready runs next; the clock is virtual, and jumps when nobody is ready.
 *
 * For tests that are registered with SIM.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_SIM_H
#define COACT_TEST_SIM_H

#include "runtime/oracle_sim.h"
#include "test/support/seed.h"

/* Run it from a known state; what happened, as one number. */
__attribute__((unused)) static uint64_t
sim_seed_once(uint64_t seed, void (*scenario)(void *arg), void *arg)
{
    suite_seed(seed);
    coact__sim_seed(seed);
    scenario(arg);
    return coact__sim_trace();
}

__attribute__((unused)) static void
sim_each_seed(uint64_t seeds, void (*scenario)(void *arg), void *arg)
{
    uint64_t asked;
    if (suite_seed_asked(&asked)) {
        (void)sim_seed_once(asked, scenario, arg);
        return;
    }
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        (void)sim_seed_once(seed, scenario, arg);
    }
}

#endif
