/*
 * overflow.h - an actor that has run over its stack ends, and the process goes
 * on: COACT_OVERFLOW_KILL_ACTOR.
 *
 * In a handler of SIGSEGV it is decided whether the stack may be abandoned where
 * it stands.  It may if all code that is on it is the user's, down to the body
 * of the actor; then nobody has a lock of the C library's, of another library's
 * or of coact's, and nothing of theirs is half done.  docs/adr/0013 has the
 * reasons.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_OVERFLOW_H
#define COACT_ACTORS_OVERFLOW_H

#include "runtime/error.h"
#include "runtime/fault.h"

#include <signal.h>
#include <stdbool.h>

struct coact__actor;

/* Survey the process, before the handler is there; once.
   fails ENOTSUP: this machine, or this way of linking, cannot do it */
COACT_CHECKED int coact__overflow_prepare(void);

/* Why an overflow is not contained. */
struct coact__overflow_refusal {
    const char *why; /* NULL: it was not one, or nobody has asked */
    void *at;        /* code that is to blame; may be NULL */
};

/* An access to the guard below the actor's stack: has the stack grown there?  Or
   is it a pointer that went astray? */
bool coact__overflow_is_one(const struct coact__actor *actor,
                            const ucontext_t *context);

/* The actor has overflowed its stack and may be ended for it: `context` is
   changed, and the handler returns.  False: no, and why not. */
bool coact__overflow_contain(const struct coact__actor *actor,
                             const siginfo_t *info, ucontext_t *context,
                             struct coact__overflow_refusal *refusal);

/* The clean-ups of the actor, which is the caller, have run: what they might
   have looked at on the stack that overflowed is given back. */
void coact__overflow_over(struct coact__actor *actor);

#endif
