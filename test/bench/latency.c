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
 * crowd_share is what those that compute get done a second while the other one
 * sleeps and wakes, to what they get done in the second before.
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

enum {
    HOGS = 64,
    CALIBRATION_TURNS = 10000000,
    CAP_MS = 10000,
    ALONE_MS = 1000,
    PARTS = 100 /* of 10 ms, for what is done to be counted by */
};

struct crowd {
    struct tally {
        _Alignas(64) _Atomic int64_t parts; /* relaxed: a sum in passing */
    } done[HOGS];
    int64_t chunk_turns;    /* 10 ms of computing */
    _Atomic int64_t end_ns; /* relaxed: a hog may see it a chunk too late */
    _Atomic int next;       /* who begins takes the next tally */
    int pipe[2];            /* who is blocked reads it; closing it ends that */
    bool yields;
};

COACT_MAILBOX(hog, ping);

static void
compute_a_chunk(const struct crowd *crowd, struct tally *tally)
{
    for (int i = 0; i < PARTS; i++) {
        bench_spin(crowd->chunk_turns / PARTS);
        atomic_fetch_add_explicit(&tally->parts, 1, memory_order_relaxed);
    }
}

static void
hog_body(hog_self self, void *arg)
{
    (void)self;
    struct crowd *crowd = arg;
    struct tally *tally = &crowd->done[atomic_fetch_add_explicit(
        &crowd->next, 1, memory_order_relaxed)];
    while (coact_now_ns() <
           atomic_load_explicit(&crowd->end_ns, memory_order_relaxed)) {
        compute_a_chunk(crowd, tally);
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
    atomic_store_explicit(&crowd->end_ns, COACT_FOREVER, memory_order_relaxed);
    for (int i = 0; i < HOGS; i++) {
        hog_ref hog;
        bench_must(coact_spawn_with(hog, &hog, blocks ? blocked_body : hog_body,
                                    crowd, .role = {.id = 1}),
                   "spawn");
    }
}

/* What the crowd gets done from one reading to the next. */
struct reading {
    int64_t at_ns, parts;
};

static struct reading
read_tallies(const struct crowd *crowd)
{
    struct reading reading = {.at_ns = coact_now_ns()};
    for (int i = 0; i < HOGS; i++) {
        reading.parts +=
            atomic_load_explicit(&crowd->done[i].parts, memory_order_relaxed);
    }
    return reading;
}

static double
rate(struct reading from, struct reading to)
{
    return (double)(to.parts - from.parts) / (double)(to.at_ns - from.at_ns);
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
    bool computes = !calm && !is_variant(run, "blocked");
    struct reading before = {0}, begin = {0};
    if (!calm) {
        start_crowd(&crowd, run);
    }
    if (computes) {
        before = read_tallies(&crowd);
        bench_must(coact_sleep(coact_in_ms(ALONE_MS)), "sleep");
        begin = read_tallies(&crowd);
    }
    int64_t start = coact_now_ns(), cap_ns = start + COACT_MS(CAP_MS);
    atomic_store_explicit(&crowd.end_ns, cap_ns, memory_order_relaxed);
    int64_t count = probe(late, run->n, cap_ns);
    bench_finish(run, count, start);
    struct reading end = read_tallies(&crowd);
    if (!calm) {
        end_crowd(&crowd, run);
    }
    report_delays(run, late, count);
    free(late);
    if (computes) {
        bench_figure(run, "crowd_share", rate(begin, end) / rate(before, begin),
                     3);
    }
    if (calm) {
        measure_floor(run);
    }
}
