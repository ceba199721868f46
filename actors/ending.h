/*
 * ending.h - how an actor ends, for the files that make it end.
 *
 * It is asked, and ends at its next wait; or it ends by itself.  Either way its
 * clean-ups run, whoever watches is told, and its slot is another's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_ENDING_H
#define COACT_ACTORS_ENDING_H

#include "actors/life.h"

/* Ask the actor, which is the caller, to end at its next wait. */
void coact__ask_to_end(struct coact__actor *actor, int code, const char *text);

/* An exit signal has arrived. */
void coact__exit_signal(struct coact__actor *actor, coact_ref from,
                        const struct coact_reason *reason,
                        struct coact__envelope *news, bool is_explicit);

/* Set the kill flag of an actor, if it is still that one, and wake it. */
void coact__kill_local(struct coact__actor *actor, uint32_t generation);

/* The body has returned, or somebody called exit: run the clean-ups, tell who
   watches, and leave the stack for ever. */
_Noreturn void coact__finish(struct coact__actor *actor, int code,
                             const char *text);

/* The same, but for leaving the stack: what comes next is to return. */
void coact__end_life(struct coact__actor *actor, int code, const char *text);

/* The same for an actor that never got a stack. */
void coact__finish_unborn(struct coact__actor *actor, int code,
                          const char *text);

/* The end of an actor of which nothing has to be told or undone: true.  False:
   there is something. */
bool coact__end_quickly(struct coact__actor *actor);

/* Where all clean-ups are called from: a frame that overflow.c knows. */
void coact__call_cleanup(void (*fn)(void *arg), void *arg);

void coact__run_defers(struct coact__actor *actor);

#endif
