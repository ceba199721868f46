/*
 * limit_internal.h - where an actor's life touches the limits that it is under.
 *
 * For actors with the trait COACT__LIMITED only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_LIMIT_INTERNAL_H
#define COACT_ACTORS_LIMIT_INTERNAL_H

#include "actors/life.h"

/* It is under the limit of its role from now on, or under none of a role; what
   it held of the last role's is given back.  It works when it is resumed. */
COACT_CHECKED int coact__limits_of_role(struct coact__actor *actor,
                                        struct coact_limit *limit);

/* Before a wait, and after it.  From a receive it is at the end of its work: that
   gives back what is the role's, elastic or not. */
void coact__limits_pause(struct coact__actor *actor, bool is_receive);
void coact__limits_resume(struct coact__actor *actor);

/* Between two messages: to the end of the queue, if there is one. */
void coact__limits_next(struct coact__actor *actor);

/* It ends: all is given back, and it asks for no slot any more. */
void coact__limits_end(struct coact__actor *actor);

#endif
