/*
 * wheel.h - a million timers in order of their deadlines, O(1) each.
 *
 * Think of a clock face with hands of different speed: a timer hangs at the
 * slowest hand that it is still away from, and moves to a faster one each time
 * that hand passes.  The wheel reads no clock and takes no lock; whoever owns it
 * brings both.
 *
 * An entry is the caller's memory, all zero before its first use.  It is in one
 * of three states: idle; armed, from add on; fired, from the advance that finds
 * it due until it is popped.  remove makes it idle from either.  So a timer
 * that has fired can still be cancelled, and is not delivered then.
 *
 * The order is kept in memory of the wheel's own, beside the entries: those lie
 * scattered, most of them on the stacks of sleepers, and to touch each of them
 * whenever a hand passes would cost more than all the rest.  Where there is no
 * memory for that, entries wait on a plain list: dear, but none is refused.
 * What a wheel has needed once it keeps: some 25 bytes for each entry.
 *
 * Promises: an entry never fires before its deadline, and fires in the first
 * advance to a time one tick (COACT__WHEEL_TICK_NS) after it, or earlier.
 * Entries fire in the order of their deadlines, rounded up to a tick; among
 * equals, in the order in which they were armed, as long as there is memory.  A
 * deadline that lies behind the wheel's time already counts as if it were that
 * time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_WHEEL_H
#define COACT_RUNTIME_WHEEL_H

#include "runtime/cells.h"

#include <stdbool.h>
#include <stdint.h>

#define COACT__WHEEL_TICK_BITS 7
#define COACT__WHEEL_TICK_NS ((int64_t)1 << COACT__WHEEL_TICK_BITS)
#define COACT__WHEEL_LEVEL_BITS 8
#define COACT__WHEEL_LEVELS 7 /* 7 + 7 * 8 bits are all that an int64 has */
/* One level has two turns at once: wheel.c. */
#define COACT__WHEEL_SLOTS                                                     \
    ((COACT__WHEEL_LEVELS + 1) << COACT__WHEEL_LEVEL_BITS)

/* Embed one in what waits.  All of it is the wheel's while armed or fired. */
struct coact__wheel_entry {
    union {
        struct coact__wheel_record *record; /* what stands for it in a list */
        struct coact__wheel_entry *next;    /* a stray: in a ring */
    };
    struct coact__wheel_entry *prev;
    int64_t deadline_ns;
    uint32_t place; /* 0 when idle, else 1 + the list that it came to first */
};

struct coact__wheel {
    uint64_t tick; /* the time of the wheel: nothing armed is due by it */
    uint64_t live; /* entries in lists; of those */
    uint64_t fired, nevers;
    uint64_t dead;    /* cells of entries that were removed */
    uint32_t levels;  /* bit l: level l has some */
    uint32_t popped;  /* cells of the first chunk of the fired */
    uint32_t led;     /* and of those that are on their way (wheel.c) */
    uint64_t fetched; /* the last slot of level 1 whose entries were fetched */
    /* Bit s of a level: its slot s has some. */
    uint64_t used[COACT__WHEEL_LEVELS][(2 << COACT__WHEEL_LEVEL_BITS) / 64];
    struct coact__wheel_entry *strays;
    struct coact__cell_store store;
    /* The slots of level 0, of level 1, …; then three lists of their own: those
       that have fired, those that never will, those that are on their way. */
    struct coact__cells lists[COACT__WHEEL_SLOTS + 3];
};

/* An empty wheel whose time is now_ns.  Its memory must be all zero: most of it
   stays untouched then. */
void coact__wheel_init(struct coact__wheel *wheel, int64_t now_ns);

/* Give its memory back.  What is armed yet must not be touched again. */
void coact__wheel_fini(struct coact__wheel *wheel);

/* Arm the entry; if it is armed or fired already, it moves.  A deadline within
   the last tick of int64, such as INT64_MAX, never comes: the entry is armed
   and can be removed, but does not fire. */
void coact__wheel_add(struct coact__wheel *wheel,
                      struct coact__wheel_entry *entry, int64_t deadline_ns);

/* Make the entry idle.  True if it was armed, or fired and not popped yet: it
   will not be popped any more.  Harmless on an idle one. */
bool coact__wheel_remove(struct coact__wheel *wheel,
                         struct coact__wheel_entry *entry);

/* Set the wheel's time and fire what is due by then.  A now_ns before the
   wheel's time changes nothing. */
void coact__wheel_advance(struct coact__wheel *wheel, int64_t now_ns);

/* The next one that has fired, now idle; NULL when there is none.  Advance
   first: pop looks at no deadlines. */
struct coact__wheel_entry *coact__wheel_pop(struct coact__wheel *wheel);

/* The earliest time at which advance and pop may have something to do, for a
   sleep until then: never later than the next entry can fire.  It is exactly
   that time while few entries share the next occupied slot, else it may be
   earlier, a handful of times in the life of a timer.  A time in the past means
   now.  INT64_MAX: nothing will ever fire. */
int64_t coact__wheel_next_ns(const struct coact__wheel *wheel);

/* The state of an entry. */
static inline bool
coact__wheel_is_idle(const struct coact__wheel_entry *entry)
{
    return entry->place == 0;
}

#endif
