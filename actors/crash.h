/*
 * crash.h - the last words, for handlers of signals.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_CRASH_H
#define COACT_ACTORS_CRASH_H

#include "actors/overflow.h"

#include <signal.h>

/* The actor whose code was interrupted; NULL if it was somebody else's. */
const struct coact__actor *coact__actor_at_fault(void);

/* The whole report.  The caller has set the default action again: a fault in
   here ends the process as the first one would have. */
void coact__crash_report(int sig, const siginfo_t *info,
                         const ucontext_t *context,
                         const struct coact__overflow_refusal *refusal);

/* Only the lines about an overflow that is not contained. */
void coact__crash_say_refusal(const struct coact__actor *actor,
                              const siginfo_t *info, const ucontext_t *context,
                              const struct coact__overflow_refusal *refusal);

/* The signal does what it does by default: at once if somebody sent it, else
   when the handler returns and the fault happens again. */
void coact__crash_die(int sig, const siginfo_t *info);

#endif
