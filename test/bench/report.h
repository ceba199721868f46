/*
 * report.h - what a benchmark is told, what it found, and the line it prints.
 *
 * A benchmark checks its own result as it goes.  One that finds it wrong, or
 * that is refused something it needs, ends the whole process at once with
 * bench_check or bench_must: a figure of a wrong run must not be printed, and
 * there is nothing to save.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_BENCH_REPORT_H
#define COACT_BENCH_REPORT_H

#include <stdbool.h>
#include <coact/actor.h>

#include <stddef.h>
#include <stdint.h>

struct bench_run {
    const char *bench, *variant; /* variant: "" for the plain one */
    uint32_t threads;
    coact_role boss_role;
    int64_t n;
    int64_t ops, ns;   /* found: operations, and the time that they took */
    char figures[256]; /* found: the bench's own members, `,"p50_us":1.2…` */
};

/* The run did so many operations since start_ns. */
void bench_finish(struct bench_run *run, int64_t ops, int64_t start_ns);

/* Add a member of the bench's own to the line, with so many decimals. */
void bench_figure(struct bench_run *run, const char *name, double value,
                  int decimals);

/* Sort delays, in nanoseconds; then one of them, such as the 99th percentile of
   q = 0.99, in microseconds. */
void bench_sort(int64_t *delays, int64_t count);
double bench_quantile_us(const int64_t *sorted, int64_t count, double q);

/* Print the line of JSON, with the members that all peers have first. */
void bench_print(const struct bench_run *run);

/* End the process, saying why, unless rc is 0; unless the claim is true. */
void bench_must(int rc, const char *what);
void bench_check(bool claim, const char *text);

/* Room for count items, all zero; ends the process if there is none. */
void *bench_alloc(int64_t count, size_t item_bytes);

/* The memory of this process that is in RAM, without page tables. */
int64_t bench_resident_bytes(void);

/* The CPU time that this process has used, in all threads. */
int64_t bench_cpu_ns(void);

/* Compute, so many turns; about 1.5 ns each. */
void bench_spin(int64_t turns);

#endif
