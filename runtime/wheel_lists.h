/*
 * wheel_lists.h - the lists of a timer wheel: which of them a tick belongs on, what
 * is on them, and the cells of those that were removed.
 *
 * Beneath wheel.c, which tells the rules (W1 to W6), and for it alone.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_WHEEL_LISTS_H
#define COACT_RUNTIME_WHEEL_LISTS_H

#include "runtime/wheel.h"

#define COACT__WHEEL_DIGIT_MASK (((uint32_t)1 << COACT__WHEEL_LEVEL_BITS) - 1)
#define COACT__WHEEL_FIRED ((uint32_t)COACT__WHEEL_SLOTS)
#define COACT__WHEEL_NEVER ((uint32_t)COACT__WHEEL_SLOTS + 1)
#define COACT__WHEEL_ON_WAY ((uint32_t)COACT__WHEEL_SLOTS + 2)
#define COACT__WHEEL_STRAY ((uint32_t)COACT__WHEEL_SLOTS + 3)

/* The broad level: its first list, its turn. */
#define COACT__WHEEL_BROAD ((uint32_t)2)
#define COACT__WHEEL_BROAD_SHIFT (COACT__WHEEL_BROAD * COACT__WHEEL_LEVEL_BITS)
#define COACT__WHEEL_BROAD_LIST (COACT__WHEEL_BROAD << COACT__WHEEL_LEVEL_BITS)
#define COACT__WHEEL_BROAD_MASK (((uint32_t)2 << COACT__WHEEL_LEVEL_BITS) - 1)
#define COACT__WHEEL_TURN_SHIFT                                                \
    (COACT__WHEEL_BROAD_SHIFT + COACT__WHEEL_LEVEL_BITS)
#define COACT__WHEEL_ABOVE (COACT__WHEEL_BROAD + 1)

#define COACT__WHEEL_LAST_TICK ((uint64_t)(INT64_MAX >> COACT__WHEEL_TICK_BITS))

_Static_assert(sizeof(struct coact__wheel_entry) <= 32,
               "there may be a million of them");
_Static_assert(COACT__WHEEL_TICK_BITS +
                       COACT__WHEEL_LEVELS * COACT__WHEEL_LEVEL_BITS ==
                   63,
               "the levels cover all of int64, so no deadline is too far");

static inline uint64_t
coact__wheel_tick_of_deadline(int64_t ns)
{
    if (ns <= 0) {
        return 0;
    }
    uint64_t up = (uint64_t)COACT__WHEEL_TICK_NS - 1;
    return ((uint64_t)ns + up) >> COACT__WHEEL_TICK_BITS;
}

static inline uint64_t
coact__wheel_tick_of_now(int64_t ns)
{
    return ns <= 0 ? 0 : (uint64_t)ns >> COACT__WHEEL_TICK_BITS;
}

static inline int64_t
coact__wheel_ns_of_tick(uint64_t tick)
{
    return (int64_t)(tick << COACT__WHEEL_TICK_BITS);
}

static inline uint32_t
coact__wheel_digit(uint64_t tick, uint32_t level)
{
    return (uint32_t)(tick >> (level * COACT__WHEEL_LEVEL_BITS)) &
           COACT__WHEEL_DIGIT_MASK;
}

static inline uint64_t
coact__wheel_turn_of(uint64_t tick)
{
    return tick >> COACT__WHEEL_TURN_SHIFT;
}

/* The highest coact__wheel_digit in which two numbers differ. */
static inline uint32_t
coact__wheel_level_of(uint64_t differ)
{
    return (63 - (uint32_t)__builtin_clzll(differ)) / COACT__WHEEL_LEVEL_BITS;
}

/* The broad level has the lists of two. */
static inline uint32_t
coact__wheel_first_list(uint32_t level)
{
    return (level + (level > COACT__WHEEL_BROAD)) << COACT__WHEEL_LEVEL_BITS;
}

static inline uint32_t
coact__wheel_level_of_list(uint32_t list)
{
    uint32_t row = list >> COACT__WHEEL_LEVEL_BITS;
    return row - (row > COACT__WHEEL_BROAD);
}

static inline uint32_t
coact__wheel_broad_list(uint64_t tick)
{
    return COACT__WHEEL_BROAD_LIST +
           ((uint32_t)(tick >> COACT__WHEEL_BROAD_SHIFT) &
            COACT__WHEEL_BROAD_MASK);
}

/* The list on which an entry of this tick belongs (W1). */
static inline uint32_t
coact__wheel_list_for(const struct coact__wheel *wheel, uint64_t tick)
{
    if (tick <= wheel->tick) {
        return COACT__WHEEL_FIRED;
    }
    if (tick > COACT__WHEEL_LAST_TICK) {
        return COACT__WHEEL_NEVER;
    }
    uint64_t differ = tick ^ wheel->tick; // not 0: tick is greater
    uint32_t level = coact__wheel_level_of(differ);
    if (level < COACT__WHEEL_BROAD) {
        return coact__wheel_first_list(level) + coact__wheel_digit(tick, level);
    }
    uint64_t next_turn = coact__wheel_turn_of(wheel->tick) + 1;
    uint64_t turn = coact__wheel_turn_of(tick);
    if (turn <= next_turn) {
        return turn == next_turn && wheel->lists[COACT__WHEEL_ON_WAY].count > 0
                   ? COACT__WHEEL_ON_WAY
                   : coact__wheel_broad_list(tick);
    }
    level = COACT__WHEEL_ABOVE + coact__wheel_level_of(turn ^ next_turn);
    return coact__wheel_first_list(level) + coact__wheel_digit(tick, level);
}

/* To the end of a list.  False: there is no memory. */
bool coact__wheel_list_append(struct coact__wheel *wheel, uint32_t list,
                              struct coact__wheel_cell cell);

/* The list has lost its last cell (W4); its chunks are the caller's. */
struct coact__cell_chunk *coact__wheel_list_empty(struct coact__wheel *wheel,
                                                  uint32_t list);

/* What hangs on the lists from the first to the last is needed soon: have its records
   and entries on their way from memory. */
void coact__wheel_fetch(const struct coact__wheel *wheel, uint32_t first,
                        uint32_t last);

/* How many cells of its first chunk are not in it any more. */
uint32_t coact__wheel_left_behind(const struct coact__wheel *wheel,
                                  uint32_t list);

/* ---- Cells of the dead ---- */

/* Such a cell has left its list. */
void coact__wheel_bury(struct coact__wheel *wheel,
                       struct coact__wheel_record *record);

/* The owner of this record has just left: if its cell is the last one of that list,
   take it off, and the dead before it.  False: it is not. */
bool coact__wheel_trim(struct coact__wheel *wheel, uint32_t list,
                       const struct coact__wheel_record *record);

/* All of them, from all lists. */
void coact__wheel_sweep(struct coact__wheel *wheel);

#endif
