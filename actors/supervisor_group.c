/*
 * supervisor_group.c - many children in order: stop, wait, start.
 *
 * A group is the end of the list, from some child on: all of it when the tree
 * is built or ended, and for one_for_all; the failed child and those after it
 * for rest_for_one.  Restarting it takes time, and meanwhile anything can
 * happen; one rule decides: a failure that reaches further up the list makes
 * the group larger and begins again with stopping.
 *
 * Each child's is_turn_due says whether the start that follows is to start it.
 * So one that was terminated or deleted meanwhile is passed over, and one that
 * finished earlier comes back with its group, as in Erlang/OTP.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/supervisor_state.h"

#include "actors/life.h"

bool
coact__sup_group_stops(const struct coact__sup *sup,
                       const struct coact__child *child)
{
    return sup->mode >= COACT__SUP_ENDING ||
           (sup->phase == COACT__SUP_STOP && child->order >= sup->from);
}

void
coact__sup_group_build(struct coact__sup *sup)
{
    for (struct coact__child *c = sup->list.first; c != NULL; c = c->next) {
        c->is_turn_due = true;
    }
    sup->from = 0;
    coact__sup_group_start(sup);
}

void
coact__sup_group_restart(struct coact__sup *sup, uint64_t from,
                         int64_t start_at_ns)
{
    if (sup->phase != COACT__SUP_NONE && sup->from < from &&
        sup->phase != COACT__SUP_START) {
        from = sup->from;
    }
    if (sup->phase == COACT__SUP_NONE || sup->start_at_ns < start_at_ns) {
        sup->start_at_ns = start_at_ns;
    }
    sup->phase = COACT__SUP_STOP;
    sup->from = from;
    sup->cursor = sup->list.last;
    for (struct coact__child *c = sup->list.last; c != NULL && c->order >= from;
         c = c->prev) {
        c->is_turn_due = true;
    }
    coact__sup_group_go(sup);
}

void
coact__sup_group_stop(struct coact__sup *sup)
{
    sup->phase = COACT__SUP_STOP;
    sup->from = 0;
    sup->cursor = sup->list.last;
    coact__sup_group_go(sup);
}

void
coact__sup_group_start(struct coact__sup *sup)
{
    sup->phase = COACT__SUP_START;
    sup->cursor = sup->list.first;
    coact__sup_group_go(sup);
}

/* Stop the last one that runs; false when none is left. */
static bool
stop_next(struct coact__sup *sup)
{
    while (sup->cursor != NULL && sup->cursor->order >= sup->from &&
           !coact__sup_is_alive(sup->cursor)) {
        sup->cursor = sup->cursor->prev;
    }
    if (sup->cursor == NULL || sup->cursor->order < sup->from) {
        return false;
    }
    coact__sup_stop(sup, sup->cursor);
    return true;
}

/* Start those whose turn it is, up to one that has to be waited for, or fails;
   false when none is left. */
static bool
start_next(struct coact__sup *sup)
{
    while (sup->cursor != NULL) {
        struct coact__child *child = sup->cursor;
        if (child->is_turn_due && child->state == COACT_CHILD_STOPPED &&
            coact__sup_start(sup, child) != COACT__RUNS) {
            return true;
        }
        sup->cursor = child->next;
    }
    return false;
}

static void
has_built(struct coact__sup *sup)
{
    sup->mode = COACT__SUP_UP;
    sup->build_deadline_ns = COACT_FOREVER;
    coact__asks_answer(&sup->builders, 0, coact_self(), NULL);
    int rc = coact_started();
    if (rc < 0) {
        struct coact_reason reason = {rc, "cannot say that it has started"};
        coact__sup_end(sup, &reason, COACT_FOREVER);
    }
}

void
coact__sup_group_go(struct coact__sup *sup)
{
    switch (sup->phase) {
    case COACT__SUP_STOP:
        if (stop_next(sup)) {
            break;
        }
        sup->phase = COACT__SUP_DELAY;
        if (sup->mode >= COACT__SUP_ENDING) {
            sup->phase = COACT__SUP_NONE;
            sup->mode = COACT__SUP_OVER;
        }
        break;
    case COACT__SUP_START:
        if (start_next(sup)) {
            break;
        }
        sup->phase = COACT__SUP_NONE;
        if (sup->mode == COACT__SUP_BUILDING) {
            has_built(sup);
        }
        coact__sup_resume(sup);
        break;
    case COACT__SUP_NONE:
    case COACT__SUP_DELAY:
        break;
    }
}
