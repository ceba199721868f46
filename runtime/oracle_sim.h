/*
 * oracle_sim.h - the hand on the simulated oracle.
 *
 * A simulation is one thread: it seeds the oracle, lets everything that is due
 * happen, and moves the clock on to the next time at which something is.  The
 * trace is a hash over every answer that the oracle gave, so that two runs of
 * one seed can be compared by one number.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_ORACLE_SIM_H
#define COACT_RUNTIME_ORACLE_SIM_H

#include <stddef.h>
#include <stdint.h>

/* Start again: this seed, the clock at 1 s, an empty trace. */
void coact__sim_seed(uint64_t seed);

/* Move the clock.  It never goes back: an earlier time changes nothing. */
void coact__sim_advance_to(int64_t now_ns);

/* Mix something that happened into the trace: a delivery, a verdict. */
void coact__sim_note(const void *bytes, size_t len);

/* The hash over all that was chosen and noted since the seed. */
uint64_t coact__sim_trace(void);

#endif
