/*
 * blocking.c - a call that keeps its thread.
 *
 * SPDX-License-Identifier: MIT
 */
#include "samples/traps/traps.h"

#include <coact/blocking.h>

#include <time.h>

/* A library that knows no coroutines. */
static void
wait_for_the_disk(void *arg)
{
    (void)arg;
    const struct timespec a_while = {.tv_nsec = 300000000};
    nanosleep(&a_while, NULL);
}

static void
calls_it(worker_self self, void *arg)
{
    (void)self;
    wait_for_the_disk(arg);
}

static void
hands_it_over(worker_self self, void *arg)
{
    (void)self, (void)arg;
    COACT_CHECK(coact_blocking(wait_for_the_disk, NULL, 0, NULL,
                               COACT_FOREVER) == 0);
}

static const struct way ways[] = {
    {"called as it is, and nobody stands in", calls_it, 8, TRAPS_ALONE},
    {"called as it is; coact stands in", calls_it, 8, 0},
    {"coact_blocking", hands_it_over, 8, 0},
};

const struct trap trap_blocking = {
    .name = "blocking",
    .story = "eight actors make a call that blocks for 300 ms, on two workers",
    .ways = ways,
    .count = sizeof(ways) / sizeof(ways[0]),
};
