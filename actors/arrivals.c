/*
 * arrivals.c - from the inbox to the actor's own list.
 *
 * What arrives is taken from the inbox in bursts, in order, and sorted: signals
 * are acted upon at once, messages go to the end of the actor's own list, where
 * no other thread can see them.  A burst of nothing but messages, which is what
 * most are, stays the list that it is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/ending.h"
#include "actors/fair.h"
#include "actors/life.h"

#include <errno.h>

/* ---- The actor's own list ---- */

void
coact__enqueue(struct coact__actor *actor, struct coact__envelope *envelope)
{
    if (COACT__UNLIKELY(coact__is_fair(actor))) {
        coact__fair_add(actor, envelope);
        return;
    }
    envelope->item.node.next = NULL;
    if (actor->first == NULL) {
        actor->first = envelope;
    } else {
        actor->last->item.node.next = &envelope->item.node;
    }
    actor->last = envelope;
    coact__change_pending(actor, 1);
}

bool
coact__unqueue_this(struct coact__actor *actor,
                    struct coact__envelope *envelope)
{
    if (coact__is_fair(actor)) {
        struct coact__fair_place place;
        bool is_there = coact__fair_find_this(actor, envelope, &place);
        if (is_there) {
            coact__fair_take(actor, &place);
        }
        return is_there;
    }
    struct coact__envelope *before = NULL;
    struct coact__envelope *at = actor->first;
    while (at != NULL && at != envelope) {
        before = at;
        at = coact__envelope_next(at);
    }
    if (at != NULL) {
        coact__unqueue(actor, before, at);
    }
    return at != NULL;
}

/* ---- From the inbox ---- */

static void
sort(struct coact__actor *actor, struct coact__item *item)
{
    struct coact__envelope *envelope = coact__envelope_of_item(item);
    switch ((enum coact__kind)item->kind) {
    case COACT__KIND_MESSAGE:
    case COACT__KIND_REQUEST:
    case COACT__KIND_EXIT_NEWS:
        coact__enqueue(actor, envelope);
        break;
    case COACT__KIND_TICK:
        if (coact__tick_arrived(envelope)) {
            coact__enqueue(actor, envelope);
        }
        break;
    case COACT__KIND_DOWN:
        if (coact__watch_news_arrived(actor, envelope)) {
            coact__enqueue(actor, envelope);
        }
        break;
    case COACT__KIND_WATCH:
    case COACT__KIND_UNWATCH:
        coact__watch_arrived(actor, item);
        break;
    case COACT__KIND_LINK:
    case COACT__KIND_UNLINK:
    case COACT__KIND_EXIT:
        coact__link_arrived(actor, item);
        break;
    }
}

/* coact_kill was here. */
static void
see_kill(struct coact__actor *actor)
{
    uint64_t word = atomic_load_explicit(&actor->word, memory_order_acquire);
    if ((word & COACT__ACTOR_KILL) != 0 && !actor->is_killed) {
        coact__ask_to_end(actor, COACT_KILLED, "");
        actor->is_killed = true;
    }
}

/* What has come, oldest first. */
struct arrivals {
    struct coact__inbox_node *first, *last;
    uint32_t count;
    bool is_plain; /* all of it is for us, and messages */
};

static inline void
put_in_front(struct arrivals *all, struct coact__inbox_node *node,
             uint32_t generation)
{
    const struct coact__item *item = (struct coact__item *)node;
    all->is_plain &=
        item->kind <= COACT__KIND_REQUEST && item->generation == generation;
    all->count++;
    node->next = all->first;
    all->first = node;
}

/* In one passage: of a long list each is a miss of the cache. */
static struct arrivals
take_all(struct coact__actor *actor)
{
    uint32_t generation = coact__generation_of(actor);
    struct coact__inbox_node *given;
    struct coact__inbox_node *node = coact__task_take(&actor->task, &given);
    struct arrivals all = {.last = node != NULL ? node : given,
                           .is_plain = true};
    while (node != NULL) {
        struct coact__inbox_node *older = node->next;
        put_in_front(&all, node, generation);
        node = older;
    }
    if (given != NULL) {
        put_in_front(&all, given, generation);
    }
    return all;
}

static void
enqueue_all(struct coact__actor *actor, const struct arrivals *all)
{
    struct coact__item *first = (struct coact__item *)all->first;
    struct coact__item *last = (struct coact__item *)all->last;
    if (actor->first == NULL) {
        actor->first = coact__envelope_of_item(first);
    } else {
        actor->last->item.node.next = all->first;
    }
    actor->last = coact__envelope_of_item(last);
    coact__change_pending(actor, all->count);
}

static void
sort_all(struct coact__actor *actor, struct coact__inbox_node *node)
{
    uint32_t generation = coact__generation_of(actor);
    while (node != NULL) {
        struct coact__item *item = (struct coact__item *)node;
        node = node->next;
        if (COACT__LIKELY(item->generation == generation)) {
            sort(actor, item);
        } else {
            coact__bounce(coact__runtime_of(actor), item,
                          &(const struct coact_reason){.code = COACT_NOPROC});
        }
    }
}

void
coact__drain_all(struct coact__actor *actor)
{
    see_kill(actor);
    struct arrivals all = take_all(actor);
    if (all.count == 0) {
        return;
    }
    if (COACT__LIKELY(all.is_plain && !coact__is_fair(actor))) {
        enqueue_all(actor, &all);
    } else {
        sort_all(actor, all.first);
    }
}

void
coact__bounce(struct coact_runtime *runtime, struct coact__item *item,
              const struct coact_reason *reason)
{
    struct coact__envelope *envelope = coact__envelope_of_item(item);
    switch ((enum coact__kind)item->kind) {
    case COACT__KIND_MESSAGE:
        COACT__COUNT_ONE(runtime, dead_letters);
        coact__envelope_drop(runtime, envelope, -ESRCH, reason);
        break;
    case COACT__KIND_REQUEST:
        COACT__COUNT_ONE(runtime, dead_letters);
        coact__envelope_drop(
            runtime, envelope,
            reason->code == COACT_NOPROC ? -ESRCH : -EOWNERDEAD, reason);
        break;
    case COACT__KIND_DOWN:
    case COACT__KIND_EXIT_NEWS:
    case COACT__KIND_TICK:
        coact__envelope_drop(runtime, envelope, 0, NULL);
        break;
    case COACT__KIND_WATCH:
    case COACT__KIND_UNWATCH:
        coact__watch_bounced(runtime, item, reason);
        break;
    case COACT__KIND_LINK:
    case COACT__KIND_UNLINK:
    case COACT__KIND_EXIT:
        coact__link_bounced(runtime, item, reason);
        break;
    }
}
