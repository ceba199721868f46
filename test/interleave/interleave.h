/*
 * interleave.h - run a lock-free file under every order that a seed can name.
 *
 * A test names some threads, a setup and a check.  They are coroutines of one
 * OS thread: at every atomic operation a seeded scheduler picks who goes on.
 * A schedule is one run of setup, all threads to their end, check; a test is
 * COACT_SCHEDULES of them (1,000,000; less under a sanitizer), each with the
 * next seed.
 *
 *   #include "test/interleave/interleave.h"
 *   #include "test/interleave/shim.h"     after this, atomics are choices
 *   #include "runtime/runq.c"             so the file is compiled once more
 *
 * The seed decides everything, also what kind of run it is:
 *
 *   seed % 2        0 random: any thread, at each step
 *                   1 priorities: the first in rank runs on; at a few random
 *                     steps the one that runs becomes the last.  Finds what
 *                     needs few but well-placed switches (PCT)
 *   seed / 2 % 2    0 memory is as the last store left it
 *                   1 weak memory: loads may answer with older values, as far
 *                     as C11's happens-before allows it (memory.c)
 *
 * So COACT_SEED=n repeats one schedule exactly, and a failure prints it with
 * the list of its steps.  A schedule also fails when nobody can go on, when it
 * does not end within INTERLEAVE_STEPS steps, and when two threads touch plain
 * data that no release and acquire put in order (in weak memory).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_INTERLEAVE_H
#define COACT_TEST_INTERLEAVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INTERLEAVE_THREADS 6
#define INTERLEAVE_STEPS 20000

struct interleave_thread {
    const char *name;
    void (*run)(int self); /* self: its index in threads */
};

struct interleave_case {
    const char *name;
    struct interleave_thread threads[INTERLEAVE_THREADS]; /* up to a NULL run */
    void (*setup)(void); /* before each schedule: everything as new */
    void (*check)(void); /* after it; may be NULL */
};

/* Explore; the running Check test fails if a schedule does. */
void interleave_explore(const struct interleave_case *the_case);

/* How many of the seeds from 0 on it takes until a schedule fails, at most
   most; 0 if none does.  *claim is what it fails with; static text.  For tests
   of what must not work. */
uint64_t interleave_seeds_to_failure(const struct interleave_case *the_case,
                                     uint64_t most, const char **claim);

/* In threads and check: the schedule fails unless the claim holds. */
#define INTERLEAVE_CHECK(claim)                                                \
    do {                                                                       \
        if (!(claim)) {                                                        \
            interleave_fail(#claim, __FILE__, __LINE__);                       \
        }                                                                      \
    } while (0)
void interleave_fail(const char *claim, const char *file, int line);

/* How far each thread has got, as a thread knows it. */
struct interleave_clock {
    int16_t at[8];
};

/* A thread waits until others have posted.  All zero is a good one; it stands
   for whatever puts a task on a run queue, or a thread to sleep: what was done
   before the post is seen after the wait. */
struct interleave_event {
    int posts;
    unsigned waiters;
    struct interleave_clock clock;
};
void interleave_post(struct interleave_event *event);
void interleave_wait(struct interleave_event *event);

/* We write, or read, plain data at this address now. */
void interleave_wrote(const volatile void *address);
void interleave_read(const volatile void *address);

/* One of 0 .. n-1, by the seed: for scenarios that vary what they do. */
uint32_t interleave_draw(uint32_t n);

/* A point at which another thread may go on. */
void interleave_step(void);

/* The same in a loop that waits for another: with priorities we become the
   last, or the loop would be all that runs. */
void interleave_give_way(void);

/* membarrier: a full fence in the midst of every thread, wherever it stands.
   What was stored before it is what all loads after it find, or something
   newer.  Plain data is not put in order by it: that is for release and acquire
   to do. */
void interleave_barrier(void);

#endif
