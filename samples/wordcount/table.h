/*
 * table.h - words, and how often each was seen.
 *
 * An open hash of slots, half of them free at least; the letters lie one word
 * behind the other in blocks that never move.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORDCOUNT_TABLE_H
#define WORDCOUNT_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct word {
    const char *letters; /* NULL: a free slot.  Not ended by a 0 */
    size_t length;
    uint64_t hash;
    uint64_t times;
};

struct table_block;

/* All zero is an empty table. */
struct table {
    struct word *slots;
    size_t room; /* a power of two, or 0 */
    size_t used; /* distinct words */
    struct table_block *blocks;
};

/* See a word so many times more.  0 or -ENOMEM. */
int table_add(struct table *table, const char *letters, size_t length,
              uint64_t times);

/* Forget all words; keeps the slots. */
void table_clear(struct table *table);
void table_free(struct table *table);

/* All words in a list of their own, sorted by their bytes, or by how often they
   were seen, then by their bytes: free() it; it points into the table.  NULL
   where there is no memory. */
struct word *table_by_letters(const struct table *table);
struct word *table_by_times(const struct table *table);

#endif
