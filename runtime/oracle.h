/*
 * oracle.h - the one seam for time and choice.
 *
 * Nothing else in coact reads a clock or draws a random number.  The real
 * oracle asks the kernel; the simulated one (oracle_sim.c, in libcoact-sim)
 * answers from a seed and a virtual clock, so that one seed replays a whole
 * run, however many runtimes take part in it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_ORACLE_H
#define COACT_RUNTIME_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Monotonic nanoseconds.  Virtual in simulation. */
int64_t coact__oracle_now_ns(void);

/* How long a thread of this process has had a processor.
   fails ESRCH no such thread, ENOTSUP in simulation */
int coact__oracle_cpu_ns(pid_t tid, int64_t *out);

/* Bytes that nobody can guess; in simulation, bytes that the seed decides. */
void coact__oracle_random(void *buf, size_t bytes);

/* One of 0 .. n-1 (n >= 1).  Where the order of things is open, ask with the
   number of candidates: the real oracle answers cheaply and about evenly, the
   simulated one decides by its seed. */
uint32_t coact__oracle_choose(uint32_t n);

/* Where time is virtual: nothing happens before that time, let it be then. */
void coact__oracle_skip_to(int64_t now_ns);

/* True in libcoact-sim: there is one thread and the clock is virtual. */
bool coact__oracle_is_simulated(void);

#endif
