/*
 * node_tie.c - the table of what a peer and we have with each other.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/node_state.h"
#include "runtime/memory.h"

#include <errno.h>
#include <search.h>

static int
order(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int
compare(const void *left, const void *right)
{
    const struct coact__tie *x = left;
    const struct coact__tie *y = right;
    int by = order(x->kind, y->kind);
    return by != 0 ? by : order(x->a, y->a);
}

struct coact__tie *
coact__tie_find(struct coact__peer *peer, enum coact__tie_kind kind, uint64_t a)
{
    const struct coact__tie key = {.kind = kind, .a = a};
    void *found = tfind(&key, &peer->ties, compare);
    return found != NULL ? *(struct coact__tie *const *)found : NULL;
}

int
coact__tie_add(struct coact__peer *peer, const struct coact__tie *tie)
{
    if (coact__tie_find(peer, tie->kind, tie->a) != NULL) {
        return -EEXIST;
    }
    struct coact__tie *copy = coact__alloc(sizeof(*copy));
    if (copy == NULL) {
        return -ENOMEM;
    }
    *copy = *tie;
    if (coact__fails() || tsearch(copy, &peer->ties, compare) == NULL) {
        coact__free(copy);
        return -ENOMEM;
    }
    return 0;
}

void
coact__tie_remove(struct coact__peer *peer, struct coact__tie *tie)
{
    tdelete(tie, &peer->ties, compare);
    coact__free(tie);
}

static void
cut(struct coact__node *node, struct coact__tie *tie,
    const struct coact_reason *reason)
{
    struct coact_runtime *runtime = node->runtime;
    switch (tie->kind) {
    case COACT__TIE_WATCHING:
        coact__watch_fire(runtime, tie->watch, reason);
        break;
    case COACT__TIE_WATCHED:
        coact__watch_withdraw(runtime, tie->watch);
        break;
    case COACT__TIE_LINK:
    case COACT__TIE_LINKED: {
        // The side of the one who is out of reach says good-bye from here.
        struct coact__bond_side *side = &tie->bond->side[0];
        if (coact__is_local(runtime, side->owner)) {
            side = &tie->bond->side[1];
        }
        coact__bond_farewell(runtime, side, COACT__KIND_EXIT, reason);
        break;
    }
    case COACT__TIE_RELAY:
        (void)coact__node_put_failure(node, (coact_ref){0}, &tie->relayed,
                                      -ENOTCONN, reason);
        break;
    }
}

void
coact__ties_cut(struct coact__node *node, struct coact__peer *peer,
                const struct coact_reason *reason)
{
    while (peer->ties != NULL) {
        // The root of the tree: a pointer to its key comes first in a node.
        struct coact__tie *tie = *(struct coact__tie **)peer->ties;
        struct coact__tie copy = *tie;
        coact__tie_remove(peer, tie);
        cut(node, &copy, reason);
    }
}
