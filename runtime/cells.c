/*
 * cells.c - chunks of cells, and records, from blocks that grow.
 *
 * What is not wanted is kept, however much it is.  A million timers that end would
 * free tens of thousands of chunks, with the lock of the timers held, and that was a
 * thirtieth of all that a million sleepers take.  Small blocks would be dear as well:
 * each makes the allocator's heap grow by a system call, and all that touch new
 * pages meanwhile wait for it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/cells.h"

#include "runtime/memory.h"

#define LINE 64
#define BLOCK_FIRST ((size_t)4096)
#define BLOCK_LAST ((size_t)256 << 10)

struct coact__cell_block {
    struct coact__cell_block *next;
};

_Static_assert(sizeof(struct coact__cell_chunk) == 256, "four lines");

/* ---- Blocks ---- */

static bool
grow(struct coact__cell_store *store, struct coact__cell_area *area)
{
    size_t bytes = area->bytes == 0           ? BLOCK_FIRST
                   : area->bytes < BLOCK_LAST ? 2 * area->bytes
                                              : BLOCK_LAST;
    struct coact__cell_block *block = coact__alloc_aligned(LINE, bytes);
    if (block == NULL) {
        return false;
    }
    block->next = store->blocks;
    store->blocks = block;
    *area =
        (struct coact__cell_area){(char *)block + LINE, bytes - LINE, bytes};
    return true;
}

/* Memory that nobody has had; NULL: there is none. */
static void *
take_fresh(struct coact__cell_store *store, struct coact__cell_area *area,
           size_t bytes)
{
    if (area->left < bytes && !grow(store, area)) {
        return NULL;
    }
    void *fresh = area->fresh;
    area->fresh += bytes;
    area->left -= bytes;
    return fresh;
}

void
coact__cell_store_fini(struct coact__cell_store *store)
{
    while (store->blocks != NULL) {
        struct coact__cell_block *block = store->blocks;
        store->blocks = block->next;
        coact__free(block);
    }
}

/* ---- Records ---- */

struct coact__wheel_record *
coact__record_take(struct coact__cell_store *store)
{
    struct coact__wheel_record *record = store->records;
    if (record == NULL) {
        return take_fresh(store, &store->fresh_records, sizeof(*record));
    }
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

static struct coact__cell_chunk *
take_chunk(struct coact__cell_store *store)
{
    struct coact__cell_chunk *chunk = store->chunks;
    if (chunk != NULL) {
        store->chunks = chunk->next;
    } else {
        chunk = take_fresh(store, &store->fresh_chunks, sizeof(*chunk));
    }
    if (chunk != NULL) {
        chunk->next = NULL;
        chunk->count = 0;
    }
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
