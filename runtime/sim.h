/*
 * sim.h - a whole runtime on one thread, decided by one number.
 *
 * For programs that are linked to libcoact-sim (coact::sim) instead of libcoact,
 * such as your tests.  There coact_start makes a runtime that the caller pumps,
 * the clock is virtual and jumps to the next deadline when nothing is ready, and
 * a seed decides which of the actors that are ready runs next.  The same seed
 * gives the same run, and the same trace, so a failure can be replayed.
 *
 *   for (uint64_t seed = 1; seed <= 1000; seed++) {
 *       coact_sim_seed(seed);
 *       run_my_actors();   (coact_start, coact_attach, coact_spawn, coact_join, …)
 *   }
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_SIM_H
#define COACT_SIM_H

#include <coact/error.h>

#include <stdint.h>

COACT_BEGIN_DECLS

/* Begin anew: this seed, the clock at one second, an empty trace.  Not while a
   runtime is there.
   from host, waits no, fails never */
void coact_sim_seed(uint64_t seed);

/* A hash over all that was decided since the seed.
   from host, waits no, fails never */
uint64_t coact_sim_trace(void);

COACT_END_DECLS

#endif
