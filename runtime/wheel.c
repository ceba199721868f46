/*
 * wheel.c - a million timers in order of their deadlines, O(1) each.
 *
 * A time is a number of ticks: a deadline rounds up, now rounds down, so that
 * nothing fires early.  Read in base 256 it has seven digits.  An entry lies on
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
 *   W4  A bit of used[] is set exactly while its slot has a cell, a bit of levels
 *       exactly while its level has such a bit.
 *   W5  A cell names a record, and the record its entry, which names the record;
 *       or nobody: that one was removed.  Of such cells there are at most as
 *       many as live ones, and DEAD_MOST.
 *   W6  An entry in a list has fired if its tick is not after the wheel's.
 *
 * Time moves from one occupied slot to the next one.  At the start of a slot on
 * level 0 its entries are due.  At the start of a higher one W1 puts them on
 * lower levels, or they are due; an entry moves at most six times.  Between
 * slots time may jump: W1 goes on to hold up to the start of the next one.
 *
 * A move copies cells, which lie side by side, and touches nothing else; so an
 * entry does not know where its cell is, and one that is removed leaves it
 * behind, unless it is still the last one where it came to: so it is where a
 * wait with a deadline ends soon.
 *
 * An entry for which there is no memory is a stray, on a ring, and is tried
 * again in each advance.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/wheel.h"

#include <stddef.h>

#define BITS COACT__WHEEL_LEVEL_BITS
#define DIGIT_MASK (((uint32_t)1 << BITS) - 1)
#define FIRED ((uint32_t)COACT__WHEEL_SLOTS)
#define NEVER ((uint32_t)COACT__WHEEL_SLOTS + 1)
#define STRAY ((uint32_t)COACT__WHEEL_SLOTS + 2)
#define LAST_TICK ((uint64_t)(INT64_MAX >> COACT__WHEEL_TICK_BITS))

#define DEAD_MOST 64

/* How many cells of a slot next_ns looks at for an exact answer. */
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
    uint64_t differ = tick ^ wheel->tick; // not 0: tick is greater
    uint32_t level = (63 - (uint32_t)__builtin_clzll(differ)) / BITS;
    return (level << BITS) + digit(tick, level);
}

/* ---- Lists ---- */

static void
mark_used(struct coact__wheel *wheel, uint32_t list)
{
    if (list < COACT__WHEEL_SLOTS) {
        uint32_t slot = list & DIGIT_MASK;
        wheel->used[list >> BITS][slot / 64] |= (uint64_t)1 << (slot % 64);
        wheel->levels |= UINT32_C(1) << (list >> BITS);
    }
}

static bool
is_level_used(const struct coact__wheel *wheel, uint32_t level)
{
    uint64_t any = 0;
    for (uint32_t i = 0; i <= DIGIT_MASK / 64; i++) {
        any |= wheel->used[level][i];
    }
    return any != 0;
}

/* The list has lost its last cell (W4); its chunks are the caller's. */
static struct coact__cell_chunk *
mark_empty(struct coact__wheel *wheel, uint32_t list)
{
    struct coact__cell_chunk *chunks = wheel->lists[list].first;
    wheel->lists[list] = (struct coact__cells){0};
    if (list == FIRED) {
        wheel->popped = 0;
    }
    if (list < COACT__WHEEL_SLOTS) {
        uint32_t level = list >> BITS;
        uint32_t slot = list & DIGIT_MASK;
        wheel->used[level][slot / 64] &= ~((uint64_t)1 << (slot % 64));
        if (!is_level_used(wheel, level)) {
            wheel->levels &= ~(UINT32_C(1) << level);
        }
    }
    return chunks;
}

/* To the end of a list.  False: there is no memory. */
static bool
append(struct coact__wheel *wheel, uint32_t list, struct coact__wheel_cell cell)
{
    if (!coact__cells_append(&wheel->store, &wheel->lists[list], cell)) {
        return false;
    }
    mark_used(wheel, list);
    return true;
}

static void
stray(struct coact__wheel *wheel, struct coact__wheel_entry *entry)
{
    struct coact__wheel_entry *head = wheel->strays;
    entry->place = STRAY + 1;
    entry->next = entry->prev = entry;
    if (head != NULL) {
        entry->next = head;
        entry->prev = head->prev;
        head->prev->next = entry;
        head->prev = entry;
    } else {
        wheel->strays = entry;
    }
}

/* One more in the lists, or one less. */
static void
count(struct coact__wheel *wheel, uint64_t tick, uint64_t change)
{
    wheel->live += change;
    if (tick <= wheel->tick) {
        wheel->fired += change; // W6
    } else if (tick > LAST_TICK) {
        wheel->nevers += change;
    }
}

static void
put_in(struct coact__wheel *wheel, struct coact__wheel_entry *entry)
{
    uint64_t tick = tick_of_deadline(entry->deadline_ns);
    uint32_t list = list_for(wheel, tick);
    struct coact__wheel_record *record = coact__record_take(&wheel->store);
    if (record == NULL ||
        !append(wheel, list,
                (struct coact__wheel_cell){entry->deadline_ns, record})) {
        if (record != NULL) {
            coact__record_give(&wheel->store, record);
        }
        stray(wheel, entry);
        return;
    }
    record->owner = entry;
    entry->record = record;
    entry->place = list + 1;
    count(wheel, tick, 1);
}

/* ---- Cells of the dead ---- */

static void
bury(struct coact__wheel *wheel, struct coact__wheel_record *record)
{
    coact__record_give(&wheel->store, record);
    wheel->dead--;
}

static void
close_ranks(struct coact__wheel *wheel, uint32_t list)
{
    struct coact__cells *at = &wheel->lists[list];
    uint32_t from = list == FIRED ? wheel->popped : 0;
    wheel->popped = list == FIRED ? 0 : wheel->popped;
    wheel->dead -= coact__cells_close_ranks(&wheel->store, at, from);
    if (at->count == 0) {
        coact__cell_chunks_give(&wheel->store, mark_empty(wheel, list));
    }
}

/* W5, at a constant price for each that was removed. */
static void
sweep(struct coact__wheel *wheel)
{
    for (uint32_t list = 0; list <= NEVER; list++) {
        if (wheel->lists[list].count > 0) {
            close_ranks(wheel, list);
        }
    }
}

/* Its cell is the last one of the list: take that off, and the dead before it. */
static void
trim(struct coact__wheel *wheel, uint32_t list)
{
    struct coact__cells *at = &wheel->lists[list];
    struct coact__cell_chunk *last = at->last;
    while (last->count > 0 &&
           last->cells[last->count - 1].record->owner == NULL) {
        bury(wheel, last->cells[--last->count].record);
        at->count--;
    }
    if (at->count == 0) {
        coact__cell_chunks_give(&wheel->store, mark_empty(wheel, list));
    }
}

static bool
is_last(const struct coact__wheel *wheel, uint32_t list,
        const struct coact__wheel_record *record)
{
    const struct coact__cell_chunk *last = wheel->lists[list].last;
    return list != FIRED && last != NULL && last->count > 0 &&
           last->cells[last->count - 1].record == record;
}

static void
leave_list(struct coact__wheel *wheel, struct coact__wheel_entry *entry)
{
    uint32_t list = entry->place - 1;
    struct coact__wheel_record *record = entry->record;
    count(wheel, tick_of_deadline(entry->deadline_ns), (uint64_t)-1);
    record->owner = NULL;
    wheel->dead++;
    if (is_last(wheel, list, record)) {
        trim(wheel, list);
    } else if (wheel->dead > wheel->live + DEAD_MOST) {
        sweep(wheel);
    }
}

static void
leave_ring(struct coact__wheel *wheel, struct coact__wheel_entry *entry)
{
    if (entry->next == entry) {
        wheel->strays = NULL;
        return;
    }
    entry->next->prev = entry->prev;
    entry->prev->next = entry->next;
    if (wheel->strays == entry) {
        wheel->strays = entry->next;
    }
}

static void
detach(struct coact__wheel *wheel, struct coact__wheel_entry *entry)
{
    if (entry->place == STRAY + 1) {
        leave_ring(wheel, entry);
    } else {
        leave_list(wheel, entry);
    }
    entry->place = 0;
}

/* ---- The wheel ---- */

void
coact__wheel_init(struct coact__wheel *wheel, int64_t now_ns)
{
    wheel->tick = tick_of_now(now_ns);
}

void
coact__wheel_fini(struct coact__wheel *wheel)
{
    if (wheel->store.blocks == NULL) {
        return; // never used: its memory need not be touched
    }
    for (uint32_t list = 0; list <= NEVER; list++) {
        if (wheel->lists[list].count > 0) {
            coact__cell_chunks_give(&wheel->store, mark_empty(wheel, list));
        }
    }
    coact__cell_store_fini(&wheel->store);
}

void
coact__wheel_add(struct coact__wheel *wheel, struct coact__wheel_entry *entry,
                 int64_t deadline_ns)
{
    if (entry->place) {
        detach(wheel, entry);
    }
    entry->deadline_ns = deadline_ns;
    put_in(wheel, entry);
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
    uint32_t level = (uint32_t)__builtin_ctz(wheel->levels);
    const uint64_t *used = wheel->used[level];
    uint32_t slot = 0;
    while (used[slot / 64] == 0) {
        slot += 64;
    }
    slot += (uint32_t)__builtin_ctzll(used[slot / 64]);
    uint32_t shift = level * BITS;
    uint64_t above = wheel->tick >> shift >> BITS << BITS;
    *begins = (above | slot) << shift;
    return (level << BITS) + slot;
}

/* A cell whose slot has been opened, to where it belongs now. */
static void
move(struct coact__wheel *wheel, struct coact__wheel_cell cell)
{
    uint64_t tick = tick_of_deadline(cell.deadline_ns);
    uint32_t list = list_for(wheel, tick);
    struct coact__wheel_record *record = cell.record;
    if (list == FIRED) {
        if (record->owner == NULL) {
            bury(wheel, record);
            return;
        }
        wheel->fired++;                       // W6: it has been armed so far
        __builtin_prefetch(record->owner, 1); // pop comes next
    }
    if (append(wheel, list, cell)) {
        if (list <= DIGIT_MASK) {
            __builtin_prefetch(
                record); // it is due within this turn of the hand
        }
        return;
    }
    struct coact__wheel_entry *entry = record->owner;
    if (entry == NULL) {
        bury(wheel, record);
        return;
    }
    count(wheel, tick, (uint64_t)-1);
    coact__record_give(&wheel->store, record);
    stray(wheel, entry);
}

/* The wheel's tick has just become that at which this list begins. */
static void
open_slot(struct coact__wheel *wheel, uint32_t list)
{
    struct coact__cell_chunk *chunk = mark_empty(wheel, list);
    bool is_due = list <= DIGIT_MASK;
    while (chunk != NULL) {
        for (uint32_t i = 0; is_due && i < chunk->count; i++) {
            __builtin_prefetch(chunk->cells[i].record);
        }
        for (uint32_t i = 0; i < chunk->count; i++) {
            move(wheel, chunk->cells[i]);
        }
        struct coact__cell_chunk *next = chunk->next;
        coact__cell_chunk_give(&wheel->store, chunk);
        chunk = next;
    }
}

/* Try again; those that are strays yet make a new ring. */
static void
call_strays(struct coact__wheel *wheel)
{
    struct coact__wheel_entry *entry = wheel->strays;
    struct coact__wheel_entry *last = entry->prev;
    wheel->strays = NULL;
    for (bool more = true; more;) {
        struct coact__wheel_entry *next = entry->next;
        more = entry != last;
        put_in(wheel, entry);
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
    if (wheel->strays != NULL) {
        call_strays(wheel);
    }
}

/* One that is due though there is no memory. */
static struct coact__wheel_entry *
pop_stray(struct coact__wheel *wheel)
{
    struct coact__wheel_entry *entry = wheel->strays;
    if (entry == NULL) {
        return NULL;
    }
    do {
        if (tick_of_deadline(entry->deadline_ns) <= wheel->tick) {
            detach(wheel, entry);
            return entry;
        }
        entry = entry->next;
    } while (entry != wheel->strays);
    return NULL;
}

/* The first cell of those that have fired; there is one. */
static struct coact__wheel_record *
pop_cell(struct coact__wheel *wheel)
{
    struct coact__cells *fired = &wheel->lists[FIRED];
    struct coact__cell_chunk *chunk = fired->first;
    if (wheel->popped == chunk->count) {
        fired->first = chunk->next;
        coact__cell_chunk_give(&wheel->store, chunk);
        chunk = fired->first;
        wheel->popped = 0;
    }
    struct coact__wheel_record *record = chunk->cells[wheel->popped++].record;
    if (--fired->count == 0) {
        coact__cell_chunks_give(&wheel->store, mark_empty(wheel, FIRED));
    }
    return record;
}

struct coact__wheel_entry *
coact__wheel_pop(struct coact__wheel *wheel)
{
    while (wheel->lists[FIRED].count > 0) {
        struct coact__wheel_record *record = pop_cell(wheel);
        struct coact__wheel_entry *entry = record->owner;
        if (entry == NULL) {
            bury(wheel, record);
            continue;
        }
        coact__record_give(&wheel->store, record);
        wheel->live--;
        wheel->fired--;
        entry->place = 0;
        return entry;
    }
    return pop_stray(wheel);
}

/* The least tick of some cells that are all of their list; UINT64_MAX: there are
   more, and it is not worth it. */
static uint64_t
least_of_few(const struct coact__cells *at)
{
    uint64_t least = UINT64_MAX;
    const struct coact__cell_chunk *chunk = at->first;
    if (chunk->next != NULL || chunk->count > LOOK) {
        return UINT64_MAX;
    }
    for (uint32_t i = 0; i < chunk->count; i++) {
        uint64_t tick = tick_of_deadline(chunk->cells[i].deadline_ns);
        least = tick < least ? tick : least;
    }
    return least;
}

/* The least tick of the strays; UINT64_MAX if there are none. */
static uint64_t
least_of_strays(const struct coact__wheel *wheel)
{
    uint64_t least = UINT64_MAX;
    const struct coact__wheel_entry *entry = wheel->strays;
    if (entry == NULL) {
        return least;
    }
    do {
        uint64_t tick = tick_of_deadline(entry->deadline_ns);
        least = tick < least ? tick : least;
        entry = entry->next;
    } while (entry != wheel->strays);
    return least;
}

int64_t
coact__wheel_next_ns(const struct coact__wheel *wheel)
{
    if (wheel->fired > 0) {
        return ns_of_tick(wheel->tick);
    }
    uint64_t next = least_of_strays(wheel);
    if (wheel->live > wheel->nevers) {
        uint64_t begins;
        uint64_t least =
            least_of_few(&wheel->lists[first_slot(wheel, &begins)]);
        begins = least != UINT64_MAX ? least : begins;
        next = begins < next ? begins : next;
    }
    return next > LAST_TICK ? INT64_MAX : ns_of_tick(next);
}
