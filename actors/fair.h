/*
 * fair.h - an actor's own list, kept per sender and read round robin.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_FAIR_H
#define COACT_ACTORS_FAIR_H

#include "actors/life.h"

/* Where a message lies in a fair list. */
struct coact__fair_place {
    struct coact__envelope *head_before; /* NULL: head is the first of all */
    struct coact__envelope *head;        /* its sender's oldest */
    struct coact__envelope *before; /* in the sender's ring; NULL: is head */
    struct coact__envelope *at;
};

static inline bool
coact__is_fair(const struct coact__actor *actor)
{
    return (actor->traits & COACT__FAIR) != 0;
}

/* Make an actor that nobody knows yet fair.
   fails ENOMEM */
COACT_CHECKED int coact__fair_begin(struct coact__actor *actor);

/* Back to a plain list, oldest sender first; nothing is in need of memory. */
void coact__fair_end(struct coact__actor *actor);

void coact__fair_add(struct coact__actor *actor,
                     struct coact__envelope *envelope);

/* Take one out, and let its sender's next stand behind all other senders. */
void coact__fair_take(struct coact__actor *actor,
                      const struct coact__fair_place *place);

/* The first of `numbers` (none: of all) in the order of the list; false: there
   is none. */
bool coact__fair_find(const struct coact__actor *actor, const uint32_t *numbers,
                      size_t count, struct coact__fair_place *place);

/* Where this very envelope lies; false: nowhere. */
bool coact__fair_find_this(const struct coact__actor *actor,
                           const struct coact__envelope *envelope,
                           struct coact__fair_place *place);

/* A receive has found none of `numbers`, and sleeps.  What arrives from here on
   is looked at once, when it arrives; until the other call, since the numbers
   are gone after it. */
void coact__fair_watch_begin(struct coact__actor *actor,
                             const uint32_t *numbers, size_t count);
void coact__fair_watch_end(struct coact__actor *actor);

/* Did any of those arrive in that time? */
bool coact__fair_has_come(const struct coact__actor *actor);

#endif
