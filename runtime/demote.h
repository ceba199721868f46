/*
 * demote.h - how much of the processors the kernel gives to a thread.
 *
 * Threads that compute without an end are demoted, to SCHED_IDLE, when there are
 * more of them than cores.  They go on with what the others leave; and a thread
 * that wakes, the lookout for one, gets its processor at once.  Measured beside
 * 64 that compute on two cores, with a lookout that looks each 0.5 ms: it is late by
 * 3 to 4 ms in one case of a hundred, a slice of the kernel, if they are at nice 19,
 * since one that has waited for long may finish its slice; and by 0.15 ms if they
 * are at SCHED_IDLE, which has no such right.
 *
 * An unprivileged process cannot take it back: such a thread is of no use for
 * others, and ends when its task has come back (park.c).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_DEMOTE_H
#define COACT_RUNTIME_DEMOTE_H

#include <stdbool.h>
#include <sys/types.h>

/* A thread of this process that has an ordinary policy; *policy_before for the way
   back.  False: it is not possible. */
bool coact__demote(pid_t tid, int *policy_before);

/* The calling thread, as it was.  False: it is not possible. */
bool coact__promote_self(int policy_before);

/* The calling thread asks for the shortest slices, or for usual ones again: who has
   short ones, and wakes, takes the processor from who has long ones.  A lookout that
   does is late by 0.9 ms instead of 1.3 beside two that compute, at the 99th
   percentile (medians of 5); threads that all do gain nothing.  Since Linux 6.12. */
void coact__be_brief(bool is_brief);

#endif
