/*
 * bench.h - what the benchmarks have in common: the boss and a few messages.
 *
 * Each benchmark is the body of one actor, the boss, which gets a struct
 * bench_run as its argument, starts the others, and measures from the first
 * message to the last.  The others need not end: the runtime's stop ends them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_BENCH_BENCH_H
#define COACT_BENCH_BENCH_H

#include "test/bench/report.h"

#include <coact/actor.h>

struct ping {
    int64_t value;
};
struct pong {
    int64_t value;
};
struct done {
    int64_t value;
};

COACT_MESSAGE(ping, (1, value));
COACT_MESSAGE(pong, (1, value));
COACT_MESSAGE(done, (1, value));

COACT_MAILBOX(boss, ping, pong, done);

void bench_pingpong(boss_self self, void *run);
void bench_pairs(boss_self self, void *run);
void bench_ring(boss_self self, void *run);
void bench_spawn(boss_self self, void *run);
void bench_skynet(boss_self self, void *run);
void bench_fanin(boss_self self, void *run);
void bench_big(boss_self self, void *run);
void bench_pool(boss_self self, void *run);
void bench_idle(boss_self self, void *run);
void bench_latency(boss_self self, void *run);
void bench_timers(boss_self self, void *run);
void bench_restarts(boss_self self, void *run);

/* Receive so many done messages; the sum of their values. */
int64_t bench_collect(boss_self self, int64_t count);

#endif
