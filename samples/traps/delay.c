/*
 * delay.c - work that yields, but not often enough.
 *
 * SPDX-License-Identifier: MIT
 */
#include "samples/traps/traps.h"

enum { TURNS = 4 };

static void
in_long_turns(worker_self self, void *arg)
{
    (void)self, (void)arg;
    for (int i = 0; i < TURNS; i++) {
        compute_until(coact_in_ms(20), nothing_between);
        if (coact_yield() != 0) {
            return;
        }
    }
}

static void
in_short_turns(worker_self self, void *arg)
{
    (void)self, (void)arg;
    for (int i = 0; i < TURNS; i++) {
        compute_until(coact_in_ms(20), coact_checkpoint);
    }
}

static const struct way ways[] = {
    {"a yield every 20 ms, and nobody comes in", in_long_turns, 16, TRAPS_ALONE},
    {"a yield every 20 ms; coact comes in", in_long_turns, 16, 0},
    {"coact_checkpoint every few microseconds", in_short_turns, 16, 0},
};

const struct trap trap_delay = {
    .name = "delay",
    .story = "sixteen actors compute in turns, on two workers",
    .ways = ways,
    .count = sizeof(ways) / sizeof(ways[0]),
};
