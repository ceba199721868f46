/*
 * internal.h - between the scheduler and the memory of the interleaving tests.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_INTERLEAVE_INTERNAL_H
#define COACT_TEST_INTERLEAVE_INTERNAL_H

#include "test/interleave/interleave.h"

/* The scheduler's state that the memory looks at. */
struct interleave_state {
    int current;  /* the thread that runs, or INTERLEAVE_HOST */
    bool weak;    /* this schedule has weak memory */
    bool tracing; /* print every step */
    long steps;   /* taken in this schedule */
};
extern struct interleave_state interleave_state;

#define INTERLEAVE_HOST 7 /* setup and check run as this one */

/* scheduler.c: print one step of the running thread. */
void interleave_trace(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* memory.c: forget all; then, what the running thread hands to an event or
   gets from it, and what it learns from the host when a schedule begins. */
void interleave_memory_reset(void);
void interleave_memory_hand_over(struct interleave_clock *clock);
void interleave_memory_take_over(const struct interleave_clock *clock);

#endif
