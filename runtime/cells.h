/*
 * cells.h - the memory in which a timer wheel keeps its order.
 *
 * A cell is a deadline and a record; the record tells whose it is.  Cells lie side
 * by side in chunks and are copied from list to list; the record stays where it
 * is, and is emptied when its owner goes away.  So moving a million of them
 * touches neither owners nor records.
 *
 * Records and chunks are kept for reuse.  Nothing here takes a lock.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_CELLS_H
#define COACT_RUNTIME_CELLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COACT__CELLS_A_CHUNK 15

struct coact__wheel_record {
    union {
        struct coact__wheel_entry *owner;   /* NULL: gone */
        struct coact__wheel_record *unused; /* the next one that is */
    };
};

struct coact__wheel_cell {
    int64_t deadline_ns;
    struct coact__wheel_record *record;
};

struct coact__cell_chunk {
    struct coact__cell_chunk *next;
    uint32_t count;
    struct coact__wheel_cell cells[COACT__CELLS_A_CHUNK];
};

/* In the order of their arrival.  All zero: empty. */
struct coact__cells {
    struct coact__cell_chunk *first, *last;
    uint64_t count;
};

/* Memory of a block that nobody has had; how large the block is. */
struct coact__cell_area {
    char *fresh;
    size_t left, bytes;
};

/* What is to hand.  All zero: nothing. */
struct coact__cell_store {
    struct coact__cell_chunk *chunks;
    struct coact__wheel_record *records;
    struct coact__cell_area fresh_chunks, fresh_records;
    struct coact__cell_block *blocks; /* all of them */
};

/* Give all memory back; no list and no record is used again. */
void coact__cell_store_fini(struct coact__cell_store *store);

/* NULL: there is no memory. */
struct coact__wheel_record *coact__record_take(struct coact__cell_store *store);
void coact__record_give(struct coact__cell_store *store,
                        struct coact__wheel_record *record);

/* To the end of a list.  False: there is no memory. */
bool coact__cells_append(struct coact__cell_store *store,
                         struct coact__cells *list,
                         struct coact__wheel_cell cell);

/* A chunk, or one and all behind it, whose cells were read. */
void coact__cell_chunk_give(struct coact__cell_store *store,
                            struct coact__cell_chunk *chunk);
void coact__cell_chunks_give(struct coact__cell_store *store,
                             struct coact__cell_chunk *chunk);

/* Of a list that has cells: leave out what nobody owns, from the cell `from` of the first chunk on; those
   before it are gone.  The records go back; how many.  The list may be empty
   then, and still has a chunk. */
uint64_t coact__cells_close_ranks(struct coact__cell_store *store,
                                  struct coact__cells *list, uint32_t from);

#endif
