/*
 * hog.c - a loop that does not let others run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "samples/traps/traps.h"

static void
never_yields(worker_self self, void *arg)
{
    (void)self, (void)arg;
    compute_until(coact_in_ms(400), nothing_between);
}

static void
is_polite(worker_self self, void *arg)
{
    (void)self, (void)arg;
    compute_until(coact_in_ms(400), coact_checkpoint);
}

static const struct way ways[] = {
    {"it never yields, and nobody stands in", never_yields, 2, TRAPS_ALONE},
    {"it never yields; coact stands in", never_yields, 2, 0},
    {"coact_checkpoint in the loop", is_polite, 2, 0},
};

const struct trap trap_hog = {
    .name = "hog",
    .story = "two actors compute for 400 ms, on two workers",
    .ways = ways,
    .count = sizeof(ways) / sizeof(ways[0]),
};
