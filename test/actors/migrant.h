/*
 * migrant.h - an actor that wakes on another thread after each of its waits.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_MIGRANT_H
#define COACT_TEST_MIGRANT_H

#include <stdint.h>

struct migrant_report {
    unsigned waits, moves;
    unsigned lost;     /* an errno set before a wait was another after it */
    unsigned misread;  /* a call failed, and errno did not say so */
    unsigned strayed;  /* a thread found an errno that the actor had set */
    unsigned confused; /* a thread-local, looked up anew, was not the new
                           thread's; or coact took us for somebody else */
};

/* Let an actor wait in each way, so many times.  0, or a code of coact's. */
int migrant_travel(unsigned rounds, struct migrant_report *report);

/* The same for many actors of a runtime with threads of its own, until they
   have changed threads so often, or the time is over. */
int migrant_wander(unsigned moves, int64_t deadline_ns,
                   struct migrant_report *report);

#endif
