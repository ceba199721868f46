/*
 * wheel.c - a million timers in order of their deadlines, O(1) each.
 *
 * A time is a number of ticks: a deadline rounds up, now rounds down, so that
 * nothing fires early.  Read in base 64 it has eight digits.  An entry lies on
 * the level of the highest digit in which its tick differs from the wheel's,
 * in the slot named by its own digit there.
 *
 *     wheel   0 0 3 1 7       tick of the wheel
 *     entry   0 0 3 5 2       differs first in digit 1: level 1, slot 5
 *
 * Invariants
 *   W1  Every armed entry lies where the rule above puts it, for the wheel's
 *       present tick; so its tick is greater than the wheel's, and its slot
 *       comes after the wheel's digit on that level.
 *   W2  So all of a level comes before all of the next one, and within a level
 *       the slots are in order: the first bit of the lowest level in use is
 *       the next thing to happen.  No tick is ever visited in vain.
 *   W3  Entries of one tick share a slot whatever the wheel's tick is, so they
 *       move together and stay in the order in which they were armed.
 *   W4  A bit of used[] is set exactly while its slot has an entry, a bit of
 *       levels exactly while its word of used[] is not 0.
 *
 * Time moves from one occupied slot to the next one.  At the start of a slot on
 * level 0 its entries are due.  At the start of a higher one W1 puts them on
 * lower levels, or they are due; an entry moves at most seven times.  Between
 * slots time may jump: W1 goes on to hold up to the start of the next one.
 *
 * Lists are rings; the head is the oldest entry, and its prev the newest.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/wheel.h"

#include <stddef.h>
#include <string.h>

#define BITS COACT__WHEEL_LEVEL_BITS
#define DIGIT_MASK (((uint32_t)1 << BITS) - 1)
#define FIRED ((uint32_t)COACT__WHEEL_SLOTS)
#define NEVER ((uint32_t)COACT__WHEEL_SLOTS + 1)
#define LAST_TICK ((uint64_t)(INT64_MAX >> COACT__WHEEL_TICK_BITS))

/* How many entries of a slot next_ns looks at for an exact answer. */
#define LOOK 8

_Static_assert(sizeof(struct coact__wheel_entry) <= 32,
               "there may be a million of them");
_Static_assert(COACT__WHEEL_TICK_BITS + COACT__WHEEL_LEVELS * BITS == 63,
               "the levels cover all of int64, so no deadline is too far");

static uint64_t
tick_of_deadline(int64_t ns)
{
    if (ns <= 0) {
        return 0;
    }
    uint64_t up = (uint64_t)COACT__WHEEL_TICK_NS - 1;
    return ((uint64_t)ns + up) >> COACT__WHEEL_TICK_BITS;
}

static uint64_t
tick_of_now(int64_t ns)
{
    return ns <= 0 ? 0 : (uint64_t)ns >> COACT__WHEEL_TICK_BITS;
}

static int64_t
ns_of_tick(uint64_t tick)
{
    return (int64_t)(tick << COACT__WHEEL_TICK_BITS);
}

static uint32_t
digit(uint64_t tick, uint32_t level)
{
    return (uint32_t)(tick >> (level * BITS)) & DIGIT_MASK;
}

/* The list on which an entry of this tick belongs (W1). */
static uint32_t
list_for(const struct coact__wheel *wheel, uint64_t tick)
{
    if (tick <= wheel->tick) {
        return FIRED;
    }
    if (tick > LAST_TICK) {
        return NEVER;
    }
    uint64_t differ = tick ^ wheel->tick; /* not 0: tick is greater */
    uint32_t level = (63 - (uint32_t)__builtin_clzll(differ)) / BITS;
    return (level << BITS) + digit(tick, level);
}

static void
append(struct coact__wheel *wheel, uint32_t list,
       struct coact__wheel_entry *entry)
{
    struct coact__wheel_entry *head = wheel->lists[list];
    entry->place = list + 1;
    if (head) {
        entry->next = head;
        entry->prev = head->prev;
        head->prev->next = entry;
        head->prev = entry;
        return;
    }
    entry->next = entry->prev = entry;
    wheel->lists[list] = entry;
    if (list < COACT__WHEEL_SLOTS) { /* W4 */
        wheel->used[list >> BITS] |= (uint64_t)1 << (list & DIGIT_MASK);
        wheel->levels |= (uint64_t)1 << (list >> BITS);
    }
}

/* The list has lost its last entry (W4). */
static void
mark_empty(struct coact__wheel *wheel, uint32_t list)
{
    wheel->lists[list] = NULL;
    if (list >= COACT__WHEEL_SLOTS) {
        return;
    }
    uint32_t level = list >> BITS;
    wheel->used[level] &= ~((uint64_t)1 << (list & DIGIT_MASK));
    if (!wheel->used[level]) {
        wheel->levels &= ~((uint64_t)1 << level);
    }
}

static void
detach(struct coact__wheel *wheel, struct coact__wheel_entry *entry)
{
    uint32_t list = entry->place - 1;
    entry->place = 0;
    if (entry->next == entry) {
        mark_empty(wheel, list);
        return;
    }
    entry->prev->next = entry->next;
    entry->next->prev = entry->prev;
    if (wheel->lists[list] == entry) {
        wheel->lists[list] = entry->next;
    }
}

void
coact__wheel_init(struct coact__wheel *wheel, int64_t now_ns)
{
    memset(wheel, 0, sizeof(*wheel));
    wheel->tick = tick_of_now(now_ns);
}

void
coact__wheel_add(struct coact__wheel *wheel, struct coact__wheel_entry *entry,
                 int64_t deadline_ns)
{
    if (entry->place) {
        detach(wheel, entry);
    }
    entry->deadline_ns = deadline_ns;
    append(wheel, list_for(wheel, tick_of_deadline(deadline_ns)), entry);
}

bool
coact__wheel_remove(struct coact__wheel *wheel,
                    struct coact__wheel_entry *entry)
{
    if (!entry->place) {
        return false;
    }
    detach(wheel, entry);
    return true;
}

/* The first occupied slot (W2) and the tick at which it begins.  There is one:
   wheel->levels is not 0. */
static uint32_t
first_slot(const struct coact__wheel *wheel, uint64_t *begins)
{
    uint32_t level = (uint32_t)__builtin_ctzll(wheel->levels);
    uint32_t slot = (uint32_t)__builtin_ctzll(wheel->used[level]);
    uint32_t shift = level * BITS;
    uint64_t above = wheel->tick >> shift >> BITS << BITS;
    *begins = (above | slot) << shift;
    return (level << BITS) + slot;
}

/* The wheel's tick has just become that at which this list begins: its entries
   go where they now belong. */
static void
open_slot(struct coact__wheel *wheel, uint32_t list)
{
    struct coact__wheel_entry *entry = wheel->lists[list];
    struct coact__wheel_entry *last = entry->prev;
    mark_empty(wheel, list);
    for (bool more = true; more;) {
        struct coact__wheel_entry *next = entry->next;
        more = entry != last;
        uint64_t tick = tick_of_deadline(entry->deadline_ns);
        append(wheel, list_for(wheel, tick), entry);
        entry = next;
    }
}

void
coact__wheel_advance(struct coact__wheel *wheel, int64_t now_ns)
{
    uint64_t now = tick_of_now(now_ns);
    if (now <= wheel->tick) {
        return;
    }
    while (wheel->levels) {
        uint64_t begins;
        uint32_t list = first_slot(wheel, &begins);
        if (begins > now) {
            break;
        }
        wheel->tick = begins;
        open_slot(wheel, list);
    }
    wheel->tick = now;
}

struct coact__wheel_entry *
coact__wheel_pop(struct coact__wheel *wheel)
{
    struct coact__wheel_entry *entry = wheel->lists[FIRED];
    if (entry) {
        detach(wheel, entry);
    }
    return entry;
}

int64_t
coact__wheel_next_ns(const struct coact__wheel *wheel)
{
    if (wheel->lists[FIRED]) {
        return ns_of_tick(wheel->tick);
    }
    if (!wheel->levels) {
        return INT64_MAX;
    }
    uint64_t begins;
    const struct coact__wheel_entry *head =
        wheel->lists[first_slot(wheel, &begins)];
    const struct coact__wheel_entry *entry = head;
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < LOOK; i++) {
        uint64_t tick = tick_of_deadline(entry->deadline_ns);
        least = tick < least ? tick : least;
        entry = entry->next;
        if (entry == head) {
            return ns_of_tick(least); /* that was all of the slot */
        }
    }
    return ns_of_tick(begins);
}
