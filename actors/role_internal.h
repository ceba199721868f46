/*
 * role_internal.h - what the other files need of roles.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_ROLE_INTERNAL_H
#define COACT_ACTORS_ROLE_INTERNAL_H

#include "actors/life.h"

/* More than there may be: each built-in one may be named again. */
struct coact__role_list {
    struct coact__role_spec specs[2 * COACT__ROLES];
    uint32_t count;
};

/* Those that are always there, then the user's.  -EINVAL. */
int coact__role_specs(const struct coact_runtime_options *options,
                      struct coact__role_list *out);

/* Make the limits that the options want, and free them. */
COACT_CHECKED int coact__role_limits_start(struct coact_runtime *runtime);
void coact__role_limits_free(struct coact_runtime *runtime);

bool coact__role_exists(const struct coact_runtime *runtime, coact_role role);

/* What an actor's children inherit. */
uint8_t coact__role_own(const struct coact__actor *actor);

/* Its role is set, and it is not scheduled yet. */
COACT_CHECKED int coact__role_prepare(struct coact__actor *actor, bool lends);

/* For an actor that lends: it is about to sleep in receive; what role a message
   that was just taken from the queue is handled in; and the change to it. */
void coact__role_wish(struct coact__actor *actor);
uint8_t coact__role_for(struct coact__actor *actor,
                        struct coact__envelope *envelope);
void coact__role_take(struct coact__actor *actor, uint8_t role);

/* ---- delay.c ---- */

COACT_CHECKED int coact__delays_start(struct coact_runtime *runtime);
void coact__delays_free(struct coact_runtime *runtime);

/* At a look of a worker. */
void coact__delays_look(struct coact_runtime *runtime, int64_t now);

#endif
