/*
 * scheduler.c - the seeded scheduler of the interleaving tests.
 *
 * Threads are coroutines on Boost's jump_fcontext, and a thread that stays the
 * chosen one does not even switch: a step costs nanoseconds, a schedule about a
 * microsecond.  A coroutine outlives its schedule: when its thread's function
 * returns, it waits to be switched to and calls the function again.
 *
 * After a failure the same seed is run once more on fresh coroutines, and that
 * time every step is printed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/interleave/internal.h"
#include "test/support/seed.h"
#include "test/support/suite.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__has_feature)
#define FEATURE(name) __has_feature(name)
#else
#define FEATURE(name) 0
#endif
#if defined(__SANITIZE_THREAD__) || FEATURE(thread_sanitizer)
#define HAVE_TSAN 1
#include <sanitizer/tsan_interface.h>
#else
#define HAVE_TSAN 0
#endif

/* A step takes twenty times as long when a sanitizer watches it. */
#if HAVE_TSAN || defined(__SANITIZE_ADDRESS__) || FEATURE(address_sanitizer)
#define DEFAULT_SCHEDULES 20000
#else
#define DEFAULT_SCHEDULES 1000000
#endif

enum {
    STACK_BYTES = 64 * 1024,
    TRACE_LINES = 400,
    CHANGES = 3, /* of priority in a schedule */
    CALIBRATIONS = 16
};

/* The layout is that of Boost's fcontext.hpp. */
typedef void *context;
struct transfer {
    context from;
    void *data;
};
struct transfer coact__jump_fcontext(context to, void *data)
    __attribute__((visibility("hidden")));
context coact__make_fcontext(void *top, size_t bytes,
                             void (*entry)(struct transfer))
    __attribute__((visibility("hidden")));

struct interleave_state interleave_state;
#define state interleave_state

static struct {
    const struct interleave_case *the_case;
    uint64_t random;
    int threads;
    unsigned ready; /* bit t: thread t can go on */
    unsigned alive; /* bit t: thread t has not ended */
    bool by_rank;
    int rank[INTERLEAVE_THREADS]; /* the greatest runs */
    long change_at[CHANGES];
    int changes;
    int last_rank;    /* smaller than all */
    long usual_steps; /* of a schedule of this case */
    const char *failure;
    const char *failure_file;
    int failure_line;
    int traced;
    context contexts[INTERLEAVE_HOST + 1];
    void *fibers[INTERLEAVE_HOST + 1];
    jmp_buf checking;
} run;

static _Alignas(64) char stacks[INTERLEAVE_THREADS][STACK_BYTES];

/* ---- choice ---- */

/* splitmix64: seeds that follow each other give unrelated sequences. */
static uint64_t
draw64(void)
{
    run.random += 0x9E3779B97F4A7C15u;
    uint64_t z = run.random;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

uint32_t
interleave_draw(uint32_t n)
{
    return (uint32_t)((draw64() >> 32) * n >> 32); /* n * a fraction below 1 */
}

static int
choose_any(void)
{
    unsigned among = run.ready;
    for (uint32_t skip =
             interleave_draw((uint32_t)__builtin_popcount(run.ready));
         skip > 0; skip--) {
        among &= among - 1;
    }
    return __builtin_ctz(among);
}

static int
choose_by_rank(void)
{
    if (run.changes < CHANGES && state.steps >= run.change_at[run.changes]) {
        run.changes++;
        if (state.current < run.threads) {
            run.rank[state.current] = -run.changes;
        }
    }
    int best = __builtin_ctz(run.ready);
    for (unsigned rest = run.ready & (run.ready - 1); rest != 0;
         rest &= rest - 1) {
        int other = __builtin_ctz(rest);
        best = run.rank[other] > run.rank[best] ? other : best;
    }
    return best;
}

/* A change of rank at a random step, kept in order. */
static void
draw_change(int i)
{
    long at = interleave_draw((uint32_t)run.usual_steps) + 1;
    for (; i > 0 && run.change_at[i - 1] > at; i--) {
        run.change_at[i] = run.change_at[i - 1];
    }
    run.change_at[i] = at;
}

static void
draw_ranks(void)
{
    for (int t = 0; t < run.threads; t++) {
        int other = (int)interleave_draw((uint32_t)t + 1);
        run.rank[t] = run.rank[other];
        run.rank[other] = t;
    }
    for (int i = 0; i < CHANGES; i++) {
        draw_change(i);
    }
    run.changes = 0;
    run.last_rank = -CHANGES;
}

/* ---- switching ---- */

static void
switch_to(int target)
{
    int self = state.current;
    if (target == self) {
        return;
    }
    state.current = target;
#if HAVE_TSAN
    __tsan_switch_to_fiber(run.fibers[target], 0);
#endif
    struct transfer t =
        coact__jump_fcontext(run.contexts[target], &run.contexts[self]);
    *(context *)t.data = t.from;
}

/* Who goes on now?  The host, when all have ended or none can. */
static void
switch_to_next(void)
{
    if (run.ready == 0) {
        if (run.alive != 0) {
            interleave_fail("somebody can go on", __FILE__, __LINE__);
        }
        switch_to(INTERLEAVE_HOST);
        return;
    }
    switch_to(run.by_rank ? choose_by_rank() : choose_any());
}

void
interleave_step(void)
{
    if (state.current == INTERLEAVE_HOST) {
        return;
    }
    if (++state.steps > INTERLEAVE_STEPS) {
        interleave_fail("the schedule comes to an end", __FILE__, __LINE__);
    }
    switch_to_next();
}

void
interleave_give_way(void)
{
    if (state.current == INTERLEAVE_HOST) {
        return;
    }
    run.rank[state.current] = --run.last_rank;
    interleave_step();
}

static void
entry(struct transfer t)
{
    *(context *)t.data = t.from;
    int self = state.current;
    for (;;) {
        run.the_case->threads[self].run(self);
        unsigned bit = 1u << self;
        run.alive &= ~bit;
        run.ready &= ~bit;
        switch_to_next();
    }
}

static void
make_coroutines(void)
{
    for (int t = 0; t < run.threads; t++) {
        run.contexts[t] =
            coact__make_fcontext(stacks[t] + STACK_BYTES, STACK_BYTES, entry);
#if HAVE_TSAN
        run.fibers[t] = __tsan_create_fiber(0);
#endif
    }
#if HAVE_TSAN
    run.fibers[INTERLEAVE_HOST] = __tsan_get_current_fiber();
#endif
}

/* ---- what threads call ---- */

/* Does not return; nothing says so to the compiler, because ASan looks at the
   stack where it knows that, and does not know ours. */
void
interleave_fail(const char *claim, const char *file, int line)
{
    run.failure = claim;
    run.failure_file = file;
    run.failure_line = line;
    if (state.current != INTERLEAVE_HOST) {
        switch_to(INTERLEAVE_HOST); /* nobody ever switches back */
        return;
    }
    longjmp(run.checking, 1);
}

void
interleave_trace(const char *format, ...)
{
    if (!state.tracing || run.traced++ >= TRACE_LINES ||
        state.current == INTERLEAVE_HOST) {
        return;
    }
    fprintf(stderr, "     %4ld %-10s ", state.steps,
            run.the_case->threads[state.current].name);
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

void
interleave_post(struct interleave_event *event)
{
    interleave_step();
    interleave_memory_hand_over(&event->clock);
    event->posts++;
    run.ready |= event->waiters;
    event->waiters = 0;
    interleave_trace("posts");
}

void
interleave_wait(struct interleave_event *event)
{
    interleave_step();
    while (event->posts == 0) {
        interleave_trace("waits");
        unsigned bit = 1u << state.current;
        event->waiters |= bit;
        run.ready &= ~bit;
        switch_to_next();
    }
    event->posts--;
    interleave_memory_take_over(&event->clock);
    interleave_trace("goes on");
}

/* ---- schedules ---- */

static void
run_schedule(uint64_t seed)
{
    run.random = seed * 0xD1342543DE82EF95u;
    run.by_rank = seed % 2 == 1;
    state.weak = seed / 2 % 2 == 1;
    state.current = INTERLEAVE_HOST;
    state.steps = 0;
    run.failure = NULL;
    interleave_memory_reset();
    run.the_case->setup();
    if (run.by_rank) {
        draw_ranks();
    }
    run.alive = run.ready = (1u << run.threads) - 1;
    switch_to_next();
    state.current = INTERLEAVE_HOST;
}

/* The steps of some schedules that do not depend on who asks: the points of
   change must fall within a schedule, and be the same in a repetition. */
static void
calibrate(void)
{
    run.usual_steps = 1;
    long most = 1;
    for (uint64_t i = 0; i < CALIBRATIONS && run.failure == NULL; i++) {
        run_schedule(4 * i); /* random, last store wins */
        most = state.steps > most ? state.steps : most;
    }
    run.usual_steps = most;
}

/* Once more, with every step printed. */
static void
report(uint64_t seed)
{
    const char *failure = run.failure;
    const char *file = run.failure_file;
    int line = run.failure_line;
    fprintf(stderr, "     %s fails with seed %" PRIu64 " (%s, %s memory):\n",
            run.the_case->name, seed, seed % 2 ? "priorities" : "random",
            seed / 2 % 2 ? "weak" : "strong");
    make_coroutines();
    state.tracing = true;
    run.traced = 0;
    run_schedule(seed);
    state.tracing = false;
    if (run.traced > TRACE_LINES) {
        fprintf(stderr, "          and %d steps more\n",
                run.traced - TRACE_LINES);
    }
    ck_abort_msg("seed %" PRIu64 ": %s:%d: not so: %s", seed, file, line,
                 failure);
}

static bool
passes(uint64_t seed)
{
    run_schedule(seed);
    if (run.failure == NULL && run.the_case->check != NULL &&
        setjmp(run.checking) == 0) {
        run.the_case->check();
    }
    return run.failure == NULL;
}

static uint64_t
schedules_asked(void)
{
    const char *text = getenv("COACT_SCHEDULES");
    uint64_t n = text != NULL ? strtoull(text, NULL, 0) : 0;
    return n > 0 ? n : DEFAULT_SCHEDULES;
}

static void
begin(const struct interleave_case *the_case)
{
    memset(&run, 0, sizeof(run));
    run.the_case = the_case;
    while (run.threads < INTERLEAVE_THREADS &&
           the_case->threads[run.threads].run != NULL) {
        run.threads++;
    }
    make_coroutines();
    calibrate();
    if (run.failure != NULL) {
        make_coroutines(); /* the seed that failed comes again */
    }
}

void
interleave_explore(const struct interleave_case *the_case)
{
    uint64_t first = 0;
    uint64_t count = schedules_asked();
    if (suite_seed_asked(&first)) {
        count = 1;
    }
    begin(the_case);
    for (uint64_t seed = first; seed < first + count; seed++) {
        suite_seed(seed);
        if (!passes(seed)) {
            report(seed);
        }
    }
}

uint64_t
interleave_seeds_to_failure(const struct interleave_case *the_case,
                            uint64_t most, const char **claim)
{
    begin(the_case);
    for (uint64_t seed = 0; seed < most; seed++) {
        if (!passes(seed)) {
            *claim = run.failure;
            return seed + 1;
        }
    }
    return 0;
}
