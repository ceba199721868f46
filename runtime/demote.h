/*
 * demote.h - how much of the processors the kernel gives to a thread.
 *
 * Threads that compute without an end are demoted, to nice 19, when there are
 * more of them than cores.  They go on with what the others leave; and a thread
 * that wakes, the lookout for one, gets its processor at once.  Beside ten that
 * compute on two cores it is late by 4 ms at the 99th percentile, a tick of the
 * kernel, and by 0.05 ms beside ten that are demoted.  Long or short slices of
 * the kernel's scheduler did not help.
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

/* Of a thread of this process; *nice_before for the way back.  False: it is not
   possible. */
bool coact__demote(pid_t tid, int *nice_before);

/* The calling thread, as it was.  False: it is not possible. */
bool coact__promote_self(int nice_before);

#endif
