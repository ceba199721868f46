/*
 * latency.c - how late a sleep of 1 ms ends, among 64 actors that compute.
 *
 * Variants: calm has none of them; in yield each computes for 10 ms and yields;
 * in hog they never yield, until the run's cap of 10 s; in blocked they do not
 * compute, but sit in a read that coact does not know of.  With -interactive the
 * one that sleeps is in a role with a target.  The delay is the time slept less
 * the time asked.  In calm a thread's own sleeps, in this process and as many,
 * show what the kernel and its clock add: floor_p99_us.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/bench/bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { HOGS = 64, CALIBRATION_TURNS = 10000000, CAP_MS = 10000 };

struct crowd {
    int64_t chunk_turns; /* 10 ms of computing */
    bool yields;
    _Atomic int64_t end_ns; /* relaxed: a hog may see it a chunk too late */
    int pipe[2];            /* who is blocked reads it; closing it ends that */
};

COACT_MAILBOX(hog, ping);

static void
hog_body(hog_self self, void *arg)
{
    (void)self;
    struct crowd *crowd = arg;
    while (coact_now_ns() <
           atomic_load_explicit(&crowd->end_ns, memory_order_relaxed)) {
        bench_spin(crowd->chunk_turns);
        if (crowd->yields && coact_yield() != 0) {
            return;
        }
    }
}

static void
blocked_body(hog_self self, void *arg)
{
    (void)self;
    const struct crowd *crowd = arg;
    char byte;
    (void)!read(crowd->pipe[0], &byte, 1);
}

/* The turns of 10 ms, by the fastest of five tries. */
static int64_t
calibrate(void)
{
    int64_t best_ns = COACT_FOREVER;
    for (int i = 0; i < 5; i++) {
        int64_t start = coact_now_ns();
        bench_spin(CALIBRATION_TURNS);
        int64_t ns = coact_now_ns() - start;
        best_ns = ns < best_ns ? ns : best_ns;
    }
    return (int64_t)((double)CALIBRATION_TURNS * 1e7 / (double)best_ns);
}

struct floor {
    int64_t *late;
    int64_t count;
};

static void *
sleep_on_a_thread(void *arg)
{
    struct floor *floor = arg;
    for (int64_t i = 0; i < floor->count; i++) {
        int64_t start = coact_now_ns();
        struct timespec nap = {0, COACT_MS(1)};
        bench_must(-clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL), "sleep");
        floor->late[i] = coact_now_ns() - start - COACT_MS(1);
    }
    return NULL;
}

/* Our own worker waits for the thread: nothing else is to run meanwhile. */
static void
measure_floor(struct bench_run *run)
{
    struct floor floor = {bench_alloc(run->n, sizeof(int64_t)), run->n};
    pthread_t thread;
    bench_must(-pthread_create(&thread, NULL, sleep_on_a_thread, &floor),
               "thread");
    bench_must(-pthread_join(thread, NULL), "thread");
    bench_sort(floor.late, floor.count);
    bench_figure(run, "floor_p99_us",
                 bench_quantile_us(floor.late, floor.count, 0.99), 1);
    free(floor.late);
}

/* Sleep again and again; how many delays there are. */
static int64_t
probe(int64_t *late, int64_t most, int64_t end_ns)
{
    int64_t count = 0;
    do {
        int64_t start = coact_now_ns();
        bench_must(coact_sleep(start + COACT_MS(1)), "sleep");
        late[count++] = coact_now_ns() - start - COACT_MS(1);
    } while (count < most && coact_now_ns() < end_ns);
    return count;
}

static void
report_delays(struct bench_run *run, int64_t *late, int64_t count)
{
    bench_sort(late, count);
    bench_check(late[0] >= 0, "no sleep ends early");
    bench_figure(run, "samples", (double)count, 0);
    bench_figure(run, "p50_us", bench_quantile_us(late, count, 0.5), 1);
    bench_figure(run, "p99_us", bench_quantile_us(late, count, 0.99), 1);
    bench_figure(run, "max_us", bench_quantile_us(late, count, 1), 1);
}

/* "hog" of "hog-interactive". */
static bool
is_variant(const struct bench_run *run, const char *name)
{
    size_t length = strlen(name);
    const char *rest = run->variant + length;
    return strncmp(run->variant, name, length) == 0 &&
           (*rest == '\0' || *rest == '-');
}

static void
start_crowd(struct crowd *crowd, const struct bench_run *run)
{
    bool blocks = is_variant(run, "blocked");
    crowd->yields = is_variant(run, "yield");
    if (blocks) {
        bench_must(pipe(crowd->pipe), "pipe");
    } else {
        crowd->chunk_turns = calibrate();
    }
    atomic_store_explicit(&crowd->end_ns, coact_in_ms(CAP_MS),
                          memory_order_relaxed);
    for (int i = 0; i < HOGS; i++) {
        hog_ref hog;
        bench_must(coact_spawn_with(hog, &hog, blocks ? blocked_body : hog_body,
                                    crowd, .role = {.id = 1}),
                   "spawn");
    }
}

static void
end_crowd(struct crowd *crowd, const struct bench_run *run)
{
    atomic_store_explicit(&crowd->end_ns, 0, memory_order_relaxed);
    if (is_variant(run, "blocked")) {
        close(crowd->pipe[1]);
    }
}

void
bench_latency(boss_self self, void *arg)
{
    struct bench_run *run = arg;
    (void)self;
    bool calm = is_variant(run, "calm");
    // Hogs outlive this actor by the chunk that they are in.
    static struct crowd crowd;
    int64_t *late = bench_alloc(run->n, sizeof(*late));
    if (!calm) {
        start_crowd(&crowd, run);
    }
    int64_t start = coact_now_ns();
    int64_t count = probe(late, run->n, start + COACT_MS(CAP_MS));
    bench_finish(run, count, start);
    if (!calm) {
        end_crowd(&crowd, run);
    }
    report_delays(run, late, count);
    free(late);
    if (calm) {
        measure_floor(run);
    }
}
