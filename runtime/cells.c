/*
 * cells.c - chunks of cells, and records, in blocks.
 *
 * A chunk that is not wanted is kept, however many there are.  A million timers
 * that end would free tens of thousands, and an allocator that is asked for one
 * more looks at those first: that was seen to take the better part of a second,
 * under the lock of the timers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/cells.h"

#include "runtime/memory.h"

#include <stddef.h>

/* Blocks of about a page. */
#define RECORDS 511
#define CHUNKS 15

struct coact__wheel_records {
    struct coact__wheel_records *next;
    struct coact__wheel_record records[RECORDS];
};

struct coact__cell_chunks {
    struct coact__cell_chunk chunks[CHUNKS];
    struct coact__cell_chunks *next;
};

_Static_assert(sizeof(struct coact__cell_chunk) == 256, "four lines");
_Static_assert(sizeof(struct coact__wheel_records) % 64 == 0, "whole lines");

/* ---- Records ---- */

static bool
more_records(struct coact__cell_store *store)
{
    struct coact__wheel_records *block =
        coact__alloc_aligned(64, sizeof(struct coact__wheel_records));
    if (block == NULL) {
        return false;
    }
    block->next = store->record_blocks;
    store->record_blocks = block;
    for (uint32_t i = RECORDS; i-- > 0;) {
        coact__record_give(store, &block->records[i]);
    }
    return true;
}

struct coact__wheel_record *
coact__record_take(struct coact__cell_store *store)
{
    if (store->records == NULL && !more_records(store)) {
        return NULL;
    }
    struct coact__wheel_record *record = store->records;
    store->records = record->unused;
    return record;
}

void
coact__record_give(struct coact__cell_store *store,
                   struct coact__wheel_record *record)
{
    record->unused = store->records;
    store->records = record;
}

/* ---- Chunks ---- */

static bool
more_chunks(struct coact__cell_store *store)
{
    struct coact__cell_chunks *block =
        coact__alloc_aligned(64, sizeof(struct coact__cell_chunks));
    if (block == NULL) {
        return false;
    }
    block->next = store->chunk_blocks;
    store->chunk_blocks = block;
    for (uint32_t i = CHUNKS; i-- > 0;) {
        coact__cell_chunk_give(store, &block->chunks[i]);
    }
    return true;
}

static struct coact__cell_chunk *
take_chunk(struct coact__cell_store *store)
{
    if (store->chunks == NULL && !more_chunks(store)) {
        return NULL;
    }
    struct coact__cell_chunk *chunk = store->chunks;
    store->chunks = chunk->next;
    chunk->next = NULL;
    chunk->count = 0;
    return chunk;
}

void
coact__cell_chunk_give(struct coact__cell_store *store,
                       struct coact__cell_chunk *chunk)
{
    chunk->next = store->chunks;
    store->chunks = chunk;
}

void
coact__cell_chunks_give(struct coact__cell_store *store,
                        struct coact__cell_chunk *chunk)
{
    while (chunk != NULL) {
        struct coact__cell_chunk *next = chunk->next;
        coact__cell_chunk_give(store, chunk);
        chunk = next;
    }
}

void
coact__cell_store_fini(struct coact__cell_store *store)
{
    while (store->chunk_blocks != NULL) {
        struct coact__cell_chunks *block = store->chunk_blocks;
        store->chunk_blocks = block->next;
        coact__free(block);
    }
    while (store->record_blocks != NULL) {
        struct coact__wheel_records *block = store->record_blocks;
        store->record_blocks = block->next;
        coact__free(block);
    }
}

/* ---- Lists ---- */

static bool
has_room(struct coact__cell_store *store, struct coact__cells *list)
{
    if (list->last != NULL && list->last->count < COACT__CELLS_A_CHUNK) {
        return true;
    }
    struct coact__cell_chunk *chunk = take_chunk(store);
    if (chunk == NULL) {
        return false;
    }
    if (list->last != NULL) {
        list->last->next = chunk;
    } else {
        list->first = chunk;
    }
    list->last = chunk;
    return true;
}

bool
coact__cells_append(struct coact__cell_store *store, struct coact__cells *list,
                    struct coact__wheel_cell cell)
{
    if (!has_room(store, list)) {
        return false;
    }
    list->last->cells[list->last->count++] = cell;
    list->count++;
    return true;
}

uint64_t
coact__cells_close_ranks(struct coact__cell_store *store,
                         struct coact__cells *list, uint32_t from)
{
    uint64_t gone = 0;
    struct coact__cell_chunk *to = list->first;
    uint32_t filled = 0;
    uint32_t i = from;
    list->count = 0;
    // `to` is never ahead of `at`: what is written over has been read.
    struct coact__cell_chunk *at = to;
    do {
        for (; i < at->count; i++) {
            struct coact__wheel_cell cell = at->cells[i];
            if (cell.record->owner == NULL) {
                coact__record_give(store, cell.record);
                gone++;
                continue;
            }
            if (filled == COACT__CELLS_A_CHUNK) {
                to->count = COACT__CELLS_A_CHUNK;
                to = to->next;
                filled = 0;
            }
            to->cells[filled++] = cell;
            list->count++;
        }
        i = 0;
        at = at->next;
    } while (at != NULL);
    to->count = filled;
    coact__cell_chunks_give(store, to->next);
    to->next = NULL;
    list->last = to;
    return gone;
}
