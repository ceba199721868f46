/*
 * main.c - traps [NAME...]: show a trap and the way out, with numbers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "samples/traps/traps.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A trap is a file; whoever adds one adds it here. */
static const struct trap *const traps[] = {
    &trap_hog,        &trap_blocking, &trap_delay,
    &trap_priorities, &trap_pool,     &trap_switch,
};

enum { TRAPS = sizeof(traps) / sizeof(traps[0]), TICKS_MOST = 5000 };

/* What the clock has seen. */
struct clock {
    atomic_bool is_over;
    int64_t late_ns[TICKS_MOST];
    int ticks;
};

void
must(int rc, const char *what)
{
    if (rc < 0) {
        fprintf(stderr, "traps: %s: %s\n", what, coact_strerror(rc));
        _Exit(1);
    }
}

struct coact_runtime *
begin(const struct coact_runtime_options *options)
{
    struct coact_runtime *runtime;
    must(coact_start(options, &runtime), "start");
    must(coact_attach(runtime), "attach");
    return runtime;
}

void
finish(struct coact_runtime *runtime)
{
    coact_detach();
    must(coact_stop(runtime, COACT_FOREVER), "stop");
    must(coact_free(runtime), "free");
}

int
nothing_between(void)
{
    return 0;
}

void
compute_until(int64_t deadline_ns, int (*each)(void))
{
    volatile uint32_t sum = 0;
    while (coact_now_ns() < deadline_ns && each() == 0) {
        for (uint32_t i = 0; i < 1000; i++) {
            sum += i;
        }
    }
}

static void
clock_body(worker_self self, void *arg)
{
    (void)self;
    struct clock *clock = arg;
    while (!atomic_load_explicit(&clock->is_over, memory_order_relaxed) &&
           clock->ticks < TICKS_MOST) {
        int64_t due = coact_in_ms(1);
        if (coact_sleep(due) != 0) {
            return;
        }
        clock->late_ns[clock->ticks++] = coact_now_ns() - due;
    }
}

int
by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void
print_way(const struct way *way, struct clock *clock,
          const struct coact_runtime_stats *stats)
{
    qsort(clock->late_ns, (size_t)clock->ticks, sizeof(int64_t), by_size);
    int64_t p99 = clock->late_ns[clock->ticks * 99 / 100];
    int64_t worst = clock->late_ns[clock->ticks - 1];
    printf("  %-44s %6d %9.2f %9.2f %8llu\n", way->what, clock->ticks,
           (double)p99 / 1e6, (double)worst / 1e6,
           (unsigned long long)stats->actors_stuck_ever);
}

static void
run_way(const struct way *way)
{
    static struct clock clock;
    memset(&clock, 0, sizeof(clock));
    const struct coact_runtime_options options = {
        .workers = 2, .hog_ns = way->hog_ns, .log_level = COACT_LOG_NONE};
    struct coact_runtime *runtime = begin(&options);
    worker_ref ticker;
    worker_ref *others = calloc((size_t)way->actors, sizeof(*others));
    must(others != NULL ? 0 : -ENOMEM, "actors");
    must(coact_spawn(worker, &ticker, clock_body, &clock), "spawn");
    for (int i = 0; i < way->actors; i++) {
        must(coact_spawn(worker, &others[i], way->body, NULL), "spawn");
    }
    for (int i = 0; i < way->actors; i++) {
        must(coact_join(others[i].ref, COACT_FOREVER, NULL), "join");
    }
    atomic_store_explicit(&clock.is_over, true, memory_order_relaxed);
    must(coact_join(ticker.ref, COACT_FOREVER, NULL), "join");
    struct coact_runtime_stats stats;
    coact_stats(runtime, &stats);
    free(others);
    finish(runtime);
    print_way(way, &clock, &stats);
}

static void
show_ways(const struct trap *trap)
{
    printf("  %-44s %6s %9s %9s %8s\n", "", "ticks", "p99, ms", "worst, ms",
           "reports");
    for (int i = 0; i < trap->count; i++) {
        run_way(&trap->ways[i]);
    }
}

/* Whether the cure was one. */
static bool
show(const struct trap *trap)
{
    bool is_shown = true;
    printf("%s: %s\n", trap->name, trap->story);
    if (trap->demonstrate != NULL) {
        is_shown = trap->demonstrate();
    } else {
        show_ways(trap);
    }
    printf("\n");
    if (!is_shown) {
        fprintf(stderr, "traps: %s: the cure did not show\n", trap->name);
    }
    return is_shown;
}

/* NULL: there is none, and that has been said. */
static const struct trap *
find(const char *name)
{
    for (int i = 0; i < TRAPS; i++) {
        if (strcmp(traps[i]->name, name) == 0) {
            return traps[i];
        }
    }
    fprintf(stderr, "traps: there is no trap %s; there are", name);
    for (int i = 0; i < TRAPS; i++) {
        fprintf(stderr, " %s", traps[i]->name);
    }
    fprintf(stderr, "\n");
    return NULL;
}

int
main(int argc, char **argv)
{
    bool is_shown = true;
    for (int i = 1; i < argc; i++) {
        const struct trap *trap = find(argv[i]);
        if (trap == NULL) {
            return 2;
        }
        is_shown &= show(trap);
    }
    for (int i = 0; argc < 2 && i < TRAPS; i++) {
        is_shown &= show(traps[i]);
    }
    return is_shown ? 0 : 1;
}
