/*
 * fair.c - one noisy sender does not make the quiet ones wait.
 *
 * The list of a fair actor holds one message of each sender: the oldest.  The
 * younger ones of that sender hang off it, in order.  Who has been served goes
 * to the end with his next message; so between two of his, each other sender
 * who waits is served once.
 *
 * Nothing but the links in the envelopes is needed to hold a message, so none
 * is lost for want of memory:
 *
 *   first -> head -> head -> head = last      by item.node.next
 *             | back                          the youngest of the sender, or
 *             v                               the head itself if it is alone
 *     .-> youngest -> second -> third -.      by item.node.next, a ring without
 *     '--------------------------------'      the head
 *
 * A table finds the head of a sender.  It grows with the senders that wait at
 * once; where there is no memory for that, senders whom it has no room for share
 * one ring as if they were one (`crowd`).  While the crowd waits all who are new
 * join it: a sender is never in both, so his order holds.
 *
 * Only the actor touches any of this.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/fair.h"
#include "runtime/memory.h"

#include <errno.h>

#define FIRST_ENTRIES 32

struct coact__fair {
    struct coact__envelope **entries; /* heads, by their sender; or NULL */
    uint32_t mask, used;
    struct coact__envelope *crowd; /* head of those without an entry */
    // What a receive sleeps for.
    const uint32_t *numbers; /* NULL: nobody watches */
    size_t count;
    bool has_come;
};

/* ---- The table ---- */

static uint32_t
hash(coact_ref from)
{
    uint64_t x = (uint64_t)from.node << 32 | from.slot;
    x = (x ^ (uint64_t)from.generation << 17) * 0x9e3779b97f4a7c15U;
    return (uint32_t)(x >> 32);
}

/* The entry of a sender, or the empty one where it would be. */
static uint32_t
find_entry(const struct coact__fair *fair, coact_ref from)
{
    uint32_t i = hash(from) & fair->mask;
    while (fair->entries[i] != NULL &&
           !coact_ref_equal(fair->entries[i]->from, from)) {
        i = (i + 1) & fair->mask;
    }
    return i;
}

/* Close the gap: who was put further on because of this one moves up. */
static void
clear_entry(struct coact__fair *fair, uint32_t gap)
{
    uint32_t i = gap;
    for (;;) {
        i = (i + 1) & fair->mask;
        struct coact__envelope *head = fair->entries[i];
        if (head == NULL) {
            break;
        }
        uint32_t home = hash(head->from) & fair->mask;
        if (((i - home) & fair->mask) >= ((i - gap) & fair->mask)) {
            fair->entries[gap] = head;
            gap = i;
        }
    }
    fair->entries[gap] = NULL;
    fair->used--;
}

static void
grow(struct coact__fair *fair)
{
    uint32_t before = fair->mask + 1;
    struct coact__envelope **old = fair->entries;
    struct coact__envelope **entries =
        before < UINT32_MAX / 2
            ? coact__alloc_zeroed((size_t)before * 2 * sizeof(void *))
            : NULL;
    if (entries == NULL) {
        return;
    }
    fair->entries = entries;
    fair->mask = before * 2 - 1;
    for (uint32_t i = 0; i < before; i++) {
        if (old[i] != NULL) {
            entries[find_entry(fair, old[i]->from)] = old[i];
        }
    }
    coact__free(old);
}

/* Where the head of this sender is, or will be, noted. */
static struct coact__envelope **
note_for(struct coact__fair *fair, coact_ref from)
{
    uint32_t entry = find_entry(fair, from);
    if (fair->entries[entry] != NULL) {
        return &fair->entries[entry];
    }
    if (fair->crowd != NULL) {
        return &fair->crowd;
    }
    if (fair->used >= (fair->mask + 1) / 2) {
        grow(fair);
        entry = find_entry(fair, from);
    }
    // An empty entry must remain, where a search ends.
    if (fair->used >= (fair->mask + 1) / 8 * 7) {
        return &fair->crowd;
    }
    fair->used++;
    return &fair->entries[entry];
}

/* ---- Rings ---- */

static void
set_next(struct coact__envelope *envelope, struct coact__envelope *next)
{
    envelope->item.node.next = next != NULL ? &next->item.node : NULL;
}

static void
append_head(struct coact__actor *actor, struct coact__envelope *head)
{
    set_next(head, NULL);
    if (actor->first == NULL) {
        actor->first = head;
    } else {
        set_next(actor->last, head);
    }
    actor->last = head;
}

static void
unlink_head(struct coact__actor *actor, const struct coact__fair_place *place)
{
    struct coact__envelope *after = coact__envelope_next(place->head);
    if (place->head_before == NULL) {
        actor->first = after;
    } else {
        set_next(place->head_before, after);
    }
    if (after == NULL) {
        actor->last = place->head_before;
    }
}

static void
append_to_ring(struct coact__envelope *head, struct coact__envelope *envelope)
{
    struct coact__envelope *youngest = head->back;
    if (youngest == head) {
        set_next(envelope, envelope);
    } else {
        set_next(envelope, coact__envelope_next(youngest));
        set_next(youngest, envelope);
    }
    head->back = envelope;
}

/* Take what comes after `before` out of the ring. */
static struct coact__envelope *
take_from_ring(struct coact__envelope *head, struct coact__envelope *before)
{
    struct coact__envelope *at = coact__envelope_next(before);
    if (at == before) {
        head->back = head;
        return at;
    }
    set_next(before, coact__envelope_next(at));
    if (at == head->back) {
        head->back = before;
    }
    return at;
}

/* The second of a sender in the first one's place; NULL: there is none. */
static struct coact__envelope *
succeed(struct coact__envelope *head)
{
    if (head->back == head) {
        return NULL;
    }
    struct coact__envelope *second = take_from_ring(head, head->back);
    second->back = head->back == head ? second : head->back;
    return second;
}

/* ---- The list ---- */

int
coact__fair_begin(struct coact__actor *actor)
{
    struct coact__extra *extra = coact__extra_of(actor);
    struct coact__fair *fair =
        extra != NULL ? coact__alloc_zeroed(sizeof(*fair)) : NULL;
    if (fair == NULL) {
        return -ENOMEM;
    }
    fair->mask = FIRST_ENTRIES - 1;
    fair->entries = coact__alloc_zeroed(FIRST_ENTRIES * sizeof(void *));
    if (fair->entries == NULL) {
        coact__free(fair);
        return -ENOMEM;
    }
    extra->fair = fair;
    actor->traits |= COACT__FAIR;
    return 0;
}

void
coact__fair_end(struct coact__actor *actor)
{
    if (!coact__is_fair(actor)) {
        return;
    }
    struct coact__fair *fair = actor->extra->fair;
    struct coact__envelope *at = actor->first;
    while (at != NULL) {
        struct coact__envelope *next_head = coact__envelope_next(at);
        struct coact__envelope *youngest = at->back;
        if (youngest != at) {
            at->item.node.next = youngest->item.node.next; // the second
            set_next(youngest, next_head);
        }
        actor->last = youngest;
        at = next_head;
    }
    actor->traits &= (uint8_t)~COACT__FAIR;
    actor->extra->fair = NULL;
    coact__free(fair->entries);
    coact__free(fair);
}

static bool
is_among(const struct coact__envelope *envelope, const uint32_t *numbers,
         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (numbers[i] == envelope->item.number) {
            return true;
        }
    }
    return count == 0;
}

void
coact__fair_add(struct coact__actor *actor, struct coact__envelope *envelope)
{
    struct coact__fair *fair = actor->extra->fair;
    struct coact__envelope **note = note_for(fair, envelope->from);
    if (*note != NULL) {
        append_to_ring(*note, envelope);
    } else {
        *note = envelope;
        envelope->back = envelope;
        append_head(actor, envelope);
    }
    if (fair->numbers != NULL &&
        is_among(envelope, fair->numbers, fair->count)) {
        fair->has_come = true;
    }
    coact__change_pending(actor, 1);
}

void
coact__fair_take(struct coact__actor *actor,
                 const struct coact__fair_place *place)
{
    struct coact__fair *fair = actor->extra->fair;
    struct coact__envelope *head = place->head;
    unlink_head(actor, place);
    if (place->before != NULL) {
        take_from_ring(head, place->before);
        append_head(actor, head);
    } else {
        bool is_crowd = head == fair->crowd;
        uint32_t entry = is_crowd ? 0 : find_entry(fair, head->from);
        struct coact__envelope *heir = succeed(head);
        if (heir != NULL) {
            append_head(actor, heir);
        }
        if (is_crowd) {
            fair->crowd = heir;
        } else if (heir != NULL) {
            fair->entries[entry] = heir;
        } else {
            clear_entry(fair, entry);
        }
    }
    coact__change_pending(actor, (uint32_t)-1);
}

/* What a search looks for: one envelope, or one of some numbers. */
struct search {
    const struct coact__envelope *this;
    const uint32_t *numbers;
    size_t count;
};

static bool
is_it(const struct search *search, const struct coact__envelope *envelope)
{
    return search->this != NULL
               ? search->this == envelope
               : is_among(envelope, search->numbers, search->count);
}

static bool
find_in_ring(const struct search *search, struct coact__fair_place *place)
{
    struct coact__envelope *head = place->head;
    place->before = NULL;
    place->at = head;
    if (is_it(search, head)) {
        return true;
    }
    struct coact__envelope *before = head->back;
    while (before != head) {
        place->before = before;
        place->at = coact__envelope_next(before);
        if (is_it(search, place->at)) {
            return true;
        }
        before = place->at != head->back ? place->at : head;
    }
    return false;
}

static bool
find(const struct coact__actor *actor, const struct search *search,
     struct coact__fair_place *place)
{
    place->head_before = NULL;
    place->head = actor->first;
    while (place->head != NULL && !find_in_ring(search, place)) {
        place->head_before = place->head;
        place->head = coact__envelope_next(place->head);
    }
    return place->head != NULL;
}

bool
coact__fair_find(const struct coact__actor *actor, const uint32_t *numbers,
                 size_t count, struct coact__fair_place *place)
{
    return find(actor, &(const struct search){NULL, numbers, count}, place);
}

bool
coact__fair_find_this(const struct coact__actor *actor,
                      const struct coact__envelope *envelope,
                      struct coact__fair_place *place)
{
    return find(actor, &(const struct search){.this = envelope}, place);
}

/* ---- While a receive sleeps ---- */

void
coact__fair_watch_begin(struct coact__actor *actor, const uint32_t *numbers,
                        size_t count)
{
    struct coact__fair *fair = actor->extra->fair;
    fair->numbers = numbers;
    fair->count = count;
    fair->has_come = false;
}

void
coact__fair_watch_end(struct coact__actor *actor)
{
    actor->extra->fair->numbers = NULL;
}

bool
coact__fair_has_come(const struct coact__actor *actor)
{
    return actor->extra->fair->has_come;
}
