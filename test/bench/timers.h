/*
 * timers.h - what the crowd of sleepers and its floor have in common.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_BENCH_TIMERS_H
#define COACT_BENCH_TIMERS_H

#include "test/bench/bench.h"

/* How long the sleeper of that number sleeps. */
static inline uint32_t
bench_nap_us(int64_t number)
{
    return ((uint32_t)number + 1) * 2654435761U % 5000000;
}

/* Print the CPU time used since bench_cpu_ns said `before`: all of it, that of one
   page fault, and what is left if each of n has one. */
void bench_timers_cpu(struct bench_run *run, int64_t before);

/* The variant that has no timers. */
void bench_timers_floor(struct bench_run *run);

#endif
