/*
 * wheel_lists.c - cells on lists, and bits that say which lists have some.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/wheel_lists.h"

#include <stddef.h>

static void
mark_used(struct coact__wheel *wheel, uint32_t list)
{
    if (list < COACT__WHEEL_SLOTS) {
        uint32_t level = coact__wheel_level_of_list(list);
        uint32_t slot = list - coact__wheel_first_list(level);
        wheel->used[level][slot / 64] |= (uint64_t)1 << (slot % 64);
        wheel->levels |= UINT32_C(1) << level;
    }
}

static bool
is_level_used(const struct coact__wheel *wheel, uint32_t level)
{
    uint64_t any = 0;
    for (uint32_t i = 0; i <= COACT__WHEEL_BROAD_MASK / 64; i++) {
        any |= wheel->used[level][i];
    }
    return any != 0;
}

struct coact__cell_chunk *
coact__wheel_list_empty(struct coact__wheel *wheel, uint32_t list)
{
    struct coact__cell_chunk *chunks = wheel->lists[list].first;
    wheel->lists[list] = (struct coact__cells){0};
    if (list == COACT__WHEEL_FIRED) {
        wheel->popped = 0;
    }
    if (list == COACT__WHEEL_ON_WAY) {
        wheel->led = 0;
    }
    if (list < COACT__WHEEL_SLOTS) {
        uint32_t level = coact__wheel_level_of_list(list);
        uint32_t slot = list - coact__wheel_first_list(level);
        wheel->used[level][slot / 64] &= ~((uint64_t)1 << (slot % 64));
        if (!is_level_used(wheel, level)) {
            wheel->levels &= ~(UINT32_C(1) << level);
        }
    }
    return chunks;
}

bool
coact__wheel_list_append(struct coact__wheel *wheel, uint32_t list,
                         struct coact__wheel_cell cell)
{
    if (!coact__cells_append(&wheel->store, &wheel->lists[list], cell)) {
        return false;
    }
    mark_used(wheel, list);
    return true;
}

enum what { RECORDS, ENTRIES };

static void
fetch(const struct coact__cells *list, enum what what)
{
    for (const struct coact__cell_chunk *chunk = list->first; chunk != NULL;
         chunk = chunk->next) {
        for (uint32_t i = 0; i < chunk->count; i++) {
            const struct coact__wheel_record *record = chunk->cells[i].record;
            const void *wanted =
                what == RECORDS ? (const void *)record : record->owner;
            __builtin_prefetch(wanted, 1);
        }
    }
}

/* Each lies on a page of its own, which the processor has to look up first.  It does
   so for several at once, where none waits for another: first all records. */
void
coact__wheel_fetch(const struct coact__wheel *wheel, uint32_t first,
                   uint32_t last)
{
    for (uint32_t list = first; list <= last; list++) {
        fetch(&wheel->lists[list], RECORDS);
    }
    for (uint32_t list = first; list <= last; list++) {
        fetch(&wheel->lists[list], ENTRIES);
    }
}

uint32_t
coact__wheel_left_behind(const struct coact__wheel *wheel, uint32_t list)
{
    return list == COACT__WHEEL_FIRED    ? wheel->popped
           : list == COACT__WHEEL_ON_WAY ? wheel->led
                                         : 0;
}

/* ---- Cells of the dead ---- */

void
coact__wheel_bury(struct coact__wheel *wheel,
                  struct coact__wheel_record *record)
{
    coact__record_give(&wheel->store, record);
    wheel->dead--;
}

static void
close_ranks(struct coact__wheel *wheel, uint32_t list)
{
    struct coact__cells *at = &wheel->lists[list];
    uint32_t from = coact__wheel_left_behind(wheel, list);
    wheel->popped = list == COACT__WHEEL_FIRED ? 0 : wheel->popped;
    wheel->led = list == COACT__WHEEL_ON_WAY ? 0 : wheel->led;
    wheel->dead -= coact__cells_close_ranks(&wheel->store, at, from);
    if (at->count == 0) {
        coact__cell_chunks_give(&wheel->store,
                                coact__wheel_list_empty(wheel, list));
    }
}

/* W5, at a constant price for each that was removed. */
void
coact__wheel_sweep(struct coact__wheel *wheel)
{
    for (uint32_t list = 0; list <= COACT__WHEEL_ON_WAY; list++) {
        if (wheel->lists[list].count > 0) {
            close_ranks(wheel, list);
        }
    }
}

static bool
is_last(const struct coact__wheel *wheel, uint32_t list,
        const struct coact__wheel_record *record)
{
    const struct coact__cell_chunk *last = wheel->lists[list].last;
    return list != COACT__WHEEL_FIRED && list != COACT__WHEEL_ON_WAY &&
           last != NULL && last->count > 0 &&
           last->cells[last->count - 1].record == record;
}

bool
coact__wheel_trim(struct coact__wheel *wheel, uint32_t list,
                  const struct coact__wheel_record *record)
{
    if (!is_last(wheel, list, record)) {
        return false;
    }
    struct coact__cells *at = &wheel->lists[list];
    struct coact__cell_chunk *last = at->last;
    while (last->count > 0 &&
           last->cells[last->count - 1].record->owner == NULL) {
        coact__wheel_bury(wheel, last->cells[--last->count].record);
        at->count--;
    }
    if (at->count == 0) {
        coact__cell_chunks_give(&wheel->store,
                                coact__wheel_list_empty(wheel, list));
    }
    return true;
}
