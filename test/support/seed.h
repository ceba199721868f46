/*
 * seed.h - which seed a test is at, so that its failure can be repeated.
 *
 * A test that tries many seeds calls suite_seed before each; if it then fails,
 * hangs or crashes, the suite prints the command that repeats that very seed.
 * COACT_SEED in the environment asks for one seed: test/run --only sets it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_SEED_H
#define COACT_TEST_SEED_H

#include <stdbool.h>
#include <stdint.h>

/* The running test is at this seed now. */
void suite_seed(uint64_t seed);

/* True, and the seed, if the environment asks for one (decimal or 0x...). */
bool suite_seed_asked(uint64_t *seed);

#endif
