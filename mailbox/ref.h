/*
 * ref.h - the address of an actor.
 *
 * An address is a value of sixteen bytes, not a pointer: copy it, store it, put
 * it in a message, compare it.  It never dangles.  When its actor is gone it
 * names nobody, for ever: addresses are not used twice, not by a later actor
 * in the same place, and not by a later process of the same node.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_REF_H
#define COACT_REF_H

#include <coact/error.h>

#include <stdbool.h>
#include <stdint.h>

COACT_BEGIN_DECLS

/* All zero names nobody. */
typedef struct coact_ref {
    uint32_t node;        /* the number of the node in its cluster */
    uint32_t incarnation; /* one life of that node's process; never 0 */
    uint32_t slot;        /* the actor's place in it */
    uint32_t generation;  /* the actor among those that had this place */
} coact_ref;

/* True if both name the same actor (or both nobody).
   from any, waits no, fails never */
static inline bool
coact_ref_equal(coact_ref a, coact_ref b)
{
    return a.slot == b.slot && a.generation == b.generation &&
           a.incarnation == b.incarnation && a.node == b.node;
}

/* True for the address that names nobody.
   from any, waits no, fails never */
static inline bool
coact_ref_is_none(coact_ref a)
{
    return a.incarnation == 0;
}

COACT_END_DECLS

#endif
