/*
 * bond.h - a link between two actors, from both its ends.
 *
 * One allocation holds both sides and everything that either will ever send the
 * other: the introduction, and one farewell each, which is either "I have
 * ended, and why" or "I have unlinked".
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_BOND_H
#define COACT_ACTORS_BOND_H

#include "actors/life.h"

/* What one of the two has of the link.  Its owner's alone, but for the farewell
   once it is sent. */
struct coact__bond_side {
    struct coact__bond_side *next, *prev; /* among the owner's */
    struct coact__bond *bond;
    coact_ref owner;
    bool is_linked; /* on the owner's list */
    struct {
        struct coact__envelope envelope;
        struct coact_exit_news exit;
    } farewell; /* from the owner to the other */
};

struct coact__bond {
    // A hold for each list it is on and each item of it that is under way.
    _Atomic uint32_t holds;
    uint64_t id; /* among those that its maker's node has made */
    struct coact__item introduction; /* from side 0 to side 1 */
    struct coact__bond_side side[2];
};

/* 0 for the side that has linked itself, 1 for the other. */
static inline int
coact__bond_index(const struct coact__bond_side *side)
{
    return side == &side->bond->side[1];
}

static inline struct coact__bond_side *
coact__bond_other(struct coact__bond_side *side)
{
    return &side->bond->side[1 - coact__bond_index(side)];
}

static inline struct coact__bond_side *
coact__bond_side_of(struct coact__envelope *farewell)
{
    return (struct coact__bond_side *)(void *)((char *)farewell -
                                               offsetof(struct coact__bond_side,
                                                        farewell));
}

void coact__bond_unhold(struct coact__bond *bond);

/* Say good-bye for this side; the caller's hold goes with it. */
void coact__bond_farewell(struct coact_runtime *runtime,
                          struct coact__bond_side *side, enum coact__kind kind,
                          const struct coact_reason *reason);

/* For one on another node who has linked himself to one of ours: a bond with
   holds for its tie and for the introduction.  NULL without memory. */
struct coact__bond *coact__bond_from(coact_ref there, coact_ref here,
                                     uint64_t id);
void coact__bond_introduce(struct coact_runtime *runtime,
                           struct coact__bond *bond);

#endif
