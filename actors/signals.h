/*
 * signals.h - the signals that ask a program to end.
 *
 * They are blocked before the first thread starts, so that no thread is ever
 * interrupted by one, and read from a descriptor by a thread of their own.  The
 * first is told; the second ends the process at once, whatever state it is in.
 * The same signal within 200 ms of the first is no second one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_SIGNALS_H
#define COACT_ACTORS_SIGNALS_H

#include <coact/error.h>

struct coact__signals;

/* Block SIGTERM, SIGINT and SIGHUP, ignore SIGPIPE, and start the thread.
   told(owner, sig) is called on it, once. */
COACT_CHECKED int coact__signals_start(struct coact__signals **out,
                                       void (*told)(void *owner, int sig),
                                       void *owner);

/* End the thread.  The signals stay blocked, unless there were none: what was
   blocked before is blocked afterwards. */
void coact__signals_stop(struct coact__signals *signals);

/* "SIGTERM" and so on, for the log. */
const char *coact__signal_name(int sig);

#endif
