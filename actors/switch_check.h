/*
 * switch_check.h - is this a place where the actor may be switched away from?
 *
 * `no_switch` of an actor says why it is not: 0 almost always.  Each call that
 * may wait asks once, before anything else; each suspension asks again, so that
 * a wait that forgot to ask is found when it suspends.  Both ask one byte, next
 * to the one that tells how far the actor's end has come, which they read too.
 *
 * The fields of a region and of held mutexes are the actor's own, as are the
 * places that they name: nobody else looks at them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_SWITCH_CHECK_H
#define COACT_ACTORS_SWITCH_CHECK_H

#include "actors/life.h"
#include "runtime/held.h"

enum {
    COACT__NO_SWITCH_REGION = 1,
    COACT__NO_SWITCH_MUTEX = 2,
    COACT__NO_SWITCH_SAID =
        4, /* of the call that waits now, or of a late one */
};

/* Say what is wrong with a wait here, under its name in the list of actors. */
void coact__switch_misused(struct coact__actor *actor, const char *doing);

/* At the beginning of each call that may wait. */
static inline void
coact__switch_check(struct coact__actor *actor, const char *doing)
{
    coact__held_check(doing);
    if (__builtin_expect(actor->no_switch != 0, 0)) {
        coact__switch_misused(actor, doing);
    }
}

/* At each suspension: the call has been told, or it did not ask. */
static inline void
coact__suspend_check(struct coact__actor *actor, const char *doing)
{
    coact__held_check(doing);
    if (__builtin_expect(actor->no_switch != 0, 0) &&
        (actor->no_switch & COACT__NO_SWITCH_SAID) == 0) {
        coact__switch_misused(actor, doing);
    }
}

/* After a change: what is left to say no.  The mutexes of a pinned actor stay
   with their thread. */
static inline void
coact__no_switch_update(struct coact__actor *actor)
{
    bool is_bound =
        actor->mutexes_held > 0 && (actor->traits & COACT__PINNED) == 0;
    actor->no_switch =
        (uint8_t)((actor->region != NULL ? COACT__NO_SWITCH_REGION : 0) |
                  (is_bound ? COACT__NO_SWITCH_MUTEX : 0));
}

/* The last bytes of a path, where what tells files apart is. */
const char *coact__path_tail(const char *path);

/* It ends: whatever region it was in, its clean-ups may wait. */
void coact__no_switch_leave_all(struct coact__actor *actor);

/* Its clean-ups have run: a mutex that it still holds stays locked. */
void coact__mutexes_end(struct coact__actor *actor);

/* Where the latest mutex that it holds was locked, as "FILE:LINE". */
void coact__mutexes_place(const struct coact__actor *actor, char *text,
                          size_t bytes);

#endif
