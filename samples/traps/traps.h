/*
 * traps.h - a trap of programs with many coroutines, and the way out, measured.
 *
 * A demonstration is a few ways to do the same work.  Each runs in a runtime of
 * its own with two workers, beside a clock that wants to tick every millisecond:
 * how late it ticks is what the way costs all others.  Where a clock would not
 * show it, the demonstration measures by itself.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TRAPS_H
#define TRAPS_H

#include <coact/actor.h>
#include <coact/runtime.h>

#include <stdbool.h>
#include <stdint.h>

COACT_SIGNAL(nothing);
COACT_MAILBOX(worker, nothing);

/* One way. */
struct way {
    const char *what;
    void (*body)(worker_self self, void *arg); /* of each actor that works */
    int actors;
    int64_t
        hog_ns; /* of the runtime's options; TRAPS_ALONE: nobody stands in */
};

#define TRAPS_ALONE COACT_SECONDS(3600)

/* A demonstration; the first way is the trap. */
struct trap {
    const char *name;
    const char *story;
    const struct way *ways;
    int count;
    bool (*demonstrate)(void); /* in place of ways: prints what it measured;
                                  whether the cure was one */
};

extern const struct trap trap_blocking, trap_delay, trap_hog, trap_pool,
    trap_priorities, trap_switch;

/* End the program, saying what failed, if the code is negative. */
void must(int rc, const char *what);

/* A runtime, to which we are attached, and its end. */
struct coact_runtime *begin(const struct coact_runtime_options *options);
void finish(struct coact_runtime *runtime);

/* For qsort, of int64_t. */
int by_size(const void *a, const void *b);

/* Compute until the deadline; `each` is called every few microseconds. */
void compute_until(int64_t deadline_ns, int (*each)(void));
int nothing_between(void);

#endif
