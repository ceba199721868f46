/*
 * pinned.h - actors that have a thread of their own (runtime/pinned.h).
 *
 * The trait says that an actor is pinned, in simulation too, where it shares the
 * one thread: what is different for it by a promise is different there as well.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_PINNED_H
#define COACT_ACTORS_PINNED_H

#include "actors/life.h"

/* Pin an actor that is about to be born.  Nothing to undo if it fails.
   fails EAGAIN ENOMEM */
COACT_CHECKED int coact__actor_pin(struct coact__actor *actor);

/* It is not born after all. */
void coact__actor_unpin(struct coact__actor *actor);

/* It has ended: another may be pinned.  None of the user's code may run on its
   thread from here on but what the thread itself leaves behind: who spawns one
   at the limit waits for that thread. */
void coact__actor_pinned_gone(struct coact__actor *actor);

/* Before it looks what has come, or waits: its timers are fired by its thread,
   and that was busy. */
void coact__actor_catch_up(void);

#endif
