/*
 * wheel.c - a million timers in order of their deadlines, O(1) each.
 *
 * A time is a number of ticks: a deadline rounds up, now rounds down, so that
 * nothing fires early.  Read in base 256 it has seven digits.  An entry lies on
 * the level of the highest coact__wheel_digit in which its tick differs from the wheel's,
 * in the slot named by its own coact__wheel_digit there.
 *
 *     wheel   0 0 3 1 7       tick of the wheel
 *     entry   0 0 3 5 2       differs first in coact__wheel_digit 1: level 1, slot 5
 *
 * So it is below and above the broad level, 2.  Of that a whole turn, 2.1 s of
 * deadlines, would have to be moved in one go whenever the next coact__wheel_digit changes, a
 * third of a second's work for a million.  Therefore it has the slots of two
 * turns, this one's and the next one's, and what lies above is moved as if the
 * wheel were a turn ahead.  A slot of level 3, which is one turn, is put aside
 * then, and led to the broad level some cells at a time: a turn is left for it.
 *
 * Invariants
 *   W1  Every armed entry lies where the rules above put it, for the wheel's
 *       present tick; so its tick is greater than the wheel's.  Those on their way
 *       are of the next turn, and so is all that is armed for it meanwhile.
 *   W2  So within a level the slots are in order, on the broad one from the wheel's
 *       own coact__wheel_digit round to it, and the first of them is the next thing that happens
 *       there: of four such the earliest.  No tick is ever visited in vain.
 *   W3  Entries of one tick share a list whatever the wheel's tick is, so they
 *       move together, or one behind the other, and stay in the order in which
 *       they were armed.
 *   W4  A bit of used[] is set exactly while its slot has a cell, a bit of levels
 *       exactly while its level has such a bit.
 *   W5  A cell names a record, and the record its entry, which names the record;
 *       or nobody: that one was removed.  Of such cells there are at most as
 *       many as live ones, and DEAD_MOST.
 *   W6  An entry in a list has fired if its tick is not after the wheel's.
 *
 * Time moves from one thing that happens to the next one.  At the start of a slot
 * on level 0 its entries are due.  At the start of a higher one W1 puts them on
 * lower levels, or they are due; an entry moves at most seven times.  In between
 * time may jump: W1 goes on to hold up to the start of the next one.
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

#include "runtime/invariant.h"
#include "runtime/wheel_lists.h"

#include <stddef.h>

/* How many are led on in one advance. */
#define LED_AT_ONCE 64

#define DEAD_MOST 64

/* Slots of level 1 whose entries are fetched together: those of 262 us. */
#define FETCHED_AT_ONCE 8

/* How many cells of a slot next_ns looks at for an exact answer. */
#define LOOK 8

static void
stray(struct coact__wheel *wheel, struct coact__wheel_entry *entry)
{
    struct coact__wheel_entry *head = wheel->strays;
    entry->place = COACT__WHEEL_STRAY + 1;
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
    } else if (tick > COACT__WHEEL_LAST_TICK) {
        wheel->nevers += change;
    }
}

static void
put_in(struct coact__wheel *wheel, struct coact__wheel_entry *entry)
{
    uint64_t tick = coact__wheel_tick_of_deadline(entry->deadline_ns);
    uint32_t list = coact__wheel_list_for(wheel, tick);
    struct coact__wheel_record *record = coact__record_take(&wheel->store);
    if (record == NULL ||
        !coact__wheel_list_append(
            wheel, list,
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

static void
leave_list(struct coact__wheel *wheel, struct coact__wheel_entry *entry)
{
    uint32_t list = entry->place - 1;
    struct coact__wheel_record *record = entry->record;
    count(wheel, coact__wheel_tick_of_deadline(entry->deadline_ns),
          (uint64_t)-1);
    record->owner = NULL;
    wheel->dead++;
    if (!coact__wheel_trim(wheel, list, record) &&
        wheel->dead > wheel->live + DEAD_MOST) {
        coact__wheel_sweep(wheel);
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
    if (entry->place == COACT__WHEEL_STRAY + 1) {
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
    wheel->tick = coact__wheel_tick_of_now(now_ns);
}

void
coact__wheel_fini(struct coact__wheel *wheel)
{
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

/* The first bit from this one on, round to it; there is one. */
static uint32_t
first_from(const uint64_t *bits, uint32_t from, uint32_t mask)
{
    uint32_t at = from & mask;
    uint64_t word = bits[at / 64] >> (at % 64);
    if (word != 0) {
        return at + (uint32_t)__builtin_ctzll(word);
    }
    do {
        at = ((at | 63) + 1) & mask;
    } while (bits[at / 64] == 0);
    return at + (uint32_t)__builtin_ctzll(bits[at / 64]);
}

/* What happens next, of one kind: a list is to be opened at this tick. */
struct event {
    uint32_t list;
    uint64_t begins;
};

enum { EVENTS = 4 };

/* The first of each kind (W2); how many.  Of those at one tick the first is to be
   the first. */
static uint32_t
find_events(const struct coact__wheel *wheel, struct event events[EVENTS])
{
    uint32_t count = 0;
    uint64_t tick = wheel->tick;
    uint64_t next_turn = coact__wheel_turn_of(tick) + 1;
    if (wheel->lists[COACT__WHEEL_ON_WAY].count > 0) {
        events[count++] = (struct event){COACT__WHEEL_ON_WAY,
                                         next_turn << COACT__WHEEL_TURN_SHIFT};
    }
    if ((wheel->levels >> COACT__WHEEL_BROAD & 1) != 0) {
        uint64_t now = tick >> COACT__WHEEL_BROAD_SHIFT;
        uint32_t slot = first_from(wheel->used[COACT__WHEEL_BROAD],
                                   (uint32_t)now + 1, COACT__WHEEL_BROAD_MASK);
        uint64_t after = (slot - now) & COACT__WHEEL_BROAD_MASK;
        events[count++] =
            (struct event){COACT__WHEEL_BROAD_LIST + slot,
                           (now + after) << COACT__WHEEL_BROAD_SHIFT};
    }
    uint32_t below = wheel->levels & ((UINT32_C(1) << COACT__WHEEL_BROAD) - 1);
    if (below != 0) {
        uint32_t level = (uint32_t)__builtin_ctz(below);
        uint32_t slot =
            first_from(wheel->used[level], 0, COACT__WHEEL_DIGIT_MASK);
        uint64_t all = tick >> (level * COACT__WHEEL_LEVEL_BITS) >>
                       COACT__WHEEL_LEVEL_BITS << COACT__WHEEL_LEVEL_BITS;
        events[count++] =
            (struct event){coact__wheel_first_list(level) + slot,
                           (all | slot) << (level * COACT__WHEEL_LEVEL_BITS)};
    }
    uint32_t above = wheel->levels >> COACT__WHEEL_ABOVE;
    if (above != 0) {
        // The wheel above is a turn ahead, so its time comes a turn earlier.
        uint32_t row = (uint32_t)__builtin_ctz(above);
        uint32_t slot = first_from(wheel->used[COACT__WHEEL_ABOVE + row], 0,
                                   COACT__WHEEL_DIGIT_MASK);
        uint64_t turn = next_turn >> (row * COACT__WHEEL_LEVEL_BITS) >>
                        COACT__WHEEL_LEVEL_BITS << COACT__WHEEL_LEVEL_BITS;
        turn = (turn | slot) << (row * COACT__WHEEL_LEVEL_BITS);
        events[count++] = (struct event){
            coact__wheel_first_list(COACT__WHEEL_ABOVE + row) + slot,
            (turn - 1) << COACT__WHEEL_TURN_SHIFT};
    }
    return count;
}

static uint32_t
list_for_cell(const struct coact__wheel *wheel, struct coact__wheel_cell cell)
{
    return coact__wheel_list_for(
        wheel, coact__wheel_tick_of_deadline(cell.deadline_ns));
}

/* A cell whose slot has been opened, to where it belongs now. */
static void
move(struct coact__wheel *wheel, struct coact__wheel_cell cell, uint32_t list)
{
    struct coact__wheel_record *record = cell.record;
    if (list == COACT__WHEEL_FIRED) {
        if (record->owner == NULL) {
            coact__wheel_bury(wheel, record);
            return;
        }
        wheel->fired++; // W6: it has been armed so far
    }
    if (coact__wheel_list_append(wheel, list, cell)) {
        return;
    }
    struct coact__wheel_entry *entry = record->owner;
    if (entry == NULL) {
        coact__wheel_bury(wheel, record);
        return;
    }
    count(wheel, coact__wheel_tick_of_deadline(cell.deadline_ns), (uint64_t)-1);
    coact__record_give(&wheel->store, record);
    stray(wheel, entry);
}

/* So many of those that are on their way, to the broad level. */
static void
lead_on(struct coact__wheel *wheel, uint64_t most)
{
    struct coact__cells *all = &wheel->lists[COACT__WHEEL_ON_WAY];
    for (; most > 0 && all->count > 0; most--) {
        struct coact__cell_chunk *chunk = all->first;
        struct coact__wheel_cell cell = chunk->cells[wheel->led++];
        all->count--;
        if (wheel->led == chunk->count) {
            all->first = chunk->next;
            wheel->led = 0;
            coact__cell_chunk_give(&wheel->store, chunk);
        }
        if (all->count == 0) {
            coact__cell_chunks_give(
                &wheel->store,
                coact__wheel_list_empty(wheel, COACT__WHEEL_ON_WAY));
        }
        move(wheel, cell,
             coact__wheel_broad_list(
                 coact__wheel_tick_of_deadline(cell.deadline_ns)));
    }
}

/* A slot of level 1 is to be opened, and those behind it are, one every 33 us. */
static void
fetch_ahead(struct coact__wheel *wheel, uint32_t list)
{
    uint64_t group =
        wheel->tick >> COACT__WHEEL_LEVEL_BITS | (FETCHED_AT_ONCE - 1);
    if (wheel->fetched != group) {
        wheel->fetched = group;
        coact__wheel_fetch(wheel, list, list | (FETCHED_AT_ONCE - 1));
    }
}

/* The wheel's tick has just become that at which this list begins. */
static void
open_slot(struct coact__wheel *wheel, uint32_t list)
{
    if (coact__wheel_level_of_list(list) == 1) {
        fetch_ahead(wheel, list);
    }
    struct coact__cells all = wheel->lists[list];
    struct coact__cell_chunk *chunk = coact__wheel_list_empty(wheel, list);
    if (list >= coact__wheel_first_list(COACT__WHEEL_ABOVE) &&
        list < coact__wheel_first_list(COACT__WHEEL_ABOVE + 1)) {
        // Those of the turn before have been led on: they would be lost.
        COACT__INVARIANT(wheel->lists[COACT__WHEEL_ON_WAY].count == 0);
        wheel->lists[COACT__WHEEL_ON_WAY] = all;
        return;
    }
    while (chunk != NULL) {
        for (uint32_t i = 0; i < chunk->count; i++) {
            move(wheel, chunk->cells[i], list_for_cell(wheel, chunk->cells[i]));
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

/* What happens first of all; false: nothing ever. */
static bool
find_first(const struct coact__wheel *wheel, struct event *first)
{
    struct event events[EVENTS];
    uint32_t count = find_events(wheel, events);
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || events[i].begins < first->begins) {
            *first = events[i];
        }
    }
    return count > 0;
}

void
coact__wheel_advance(struct coact__wheel *wheel, int64_t now_ns)
{
    uint64_t now = coact__wheel_tick_of_now(now_ns);
    if (now <= wheel->tick) {
        return;
    }
    struct event event;
    while (find_first(wheel, &event) && event.begins <= now) {
        if (event.list == COACT__WHEEL_ON_WAY) {
            // Before their turn begins: others of them are there already.
            wheel->tick = event.begins - 1;
            lead_on(wheel, UINT64_MAX);
        } else {
            wheel->tick = event.begins;
            open_slot(wheel, event.list);
        }
    }
    wheel->tick = now;
    lead_on(wheel, LED_AT_ONCE);
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
        if (coact__wheel_tick_of_deadline(entry->deadline_ns) <= wheel->tick) {
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
    struct coact__cells *fired = &wheel->lists[COACT__WHEEL_FIRED];
    struct coact__cell_chunk *chunk = fired->first;
    if (wheel->popped == chunk->count) {
        fired->first = chunk->next;
        coact__cell_chunk_give(&wheel->store, chunk);
        chunk = fired->first;
        wheel->popped = 0;
    }
    struct coact__wheel_record *record = chunk->cells[wheel->popped++].record;
    if (--fired->count == 0) {
        coact__cell_chunks_give(
            &wheel->store, coact__wheel_list_empty(wheel, COACT__WHEEL_FIRED));
    }
    return record;
}

struct coact__wheel_entry *
coact__wheel_pop(struct coact__wheel *wheel)
{
    while (wheel->lists[COACT__WHEEL_FIRED].count > 0) {
        struct coact__wheel_record *record = pop_cell(wheel);
        struct coact__wheel_entry *entry = record->owner;
        if (entry == NULL) {
            coact__wheel_bury(wheel, record);
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
least_of_few(const struct coact__wheel *wheel, uint32_t list)
{
    const struct coact__cells *at = &wheel->lists[list];
    uint64_t least = UINT64_MAX;
    const struct coact__cell_chunk *chunk = at->first;
    if (chunk->next != NULL || chunk->count > LOOK) {
        return UINT64_MAX;
    }
    for (uint32_t i = coact__wheel_left_behind(wheel, list); i < chunk->count;
         i++) {
        uint64_t tick =
            coact__wheel_tick_of_deadline(chunk->cells[i].deadline_ns);
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
        uint64_t tick = coact__wheel_tick_of_deadline(entry->deadline_ns);
        least = tick < least ? tick : least;
        entry = entry->next;
    } while (entry != wheel->strays);
    return least;
}

int64_t
coact__wheel_next_ns(const struct coact__wheel *wheel)
{
    if (wheel->fired > 0) {
        return coact__wheel_ns_of_tick(wheel->tick);
    }
    uint64_t next = least_of_strays(wheel);
    struct event events[EVENTS];
    uint32_t count =
        wheel->live > wheel->nevers ? find_events(wheel, events) : 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t least = least_of_few(wheel, events[i].list);
        least = least != UINT64_MAX ? least : events[i].begins;
        next = least < next ? least : next;
    }
    return next > COACT__WHEEL_LAST_TICK ? INT64_MAX
                                         : coact__wheel_ns_of_tick(next);
}
