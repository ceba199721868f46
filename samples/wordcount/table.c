/*
 * table.c - see table.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 1024, BLOCK_BYTES = 64 * 1024 };

struct table_block {
    struct table_block *next;
    size_t used, room;
    char letters[];
};

static uint64_t
hash_of(const char *letters, size_t length)
{
    uint64_t hash = UINT64_C(14695981039346656037); // FNV-1a
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ (unsigned char)letters[i]) * UINT64_C(1099511628211);
    }
    return hash ^ hash >> 32;
}

/* The slot of a word, or the free one where it belongs. */
static struct word *
slot_of(const struct table *table, const char *letters, size_t length,
        uint64_t hash)
{
    size_t at = (size_t)hash & (table->room - 1);
    for (;; at = (at + 1) & (table->room - 1)) {
        struct word *slot = &table->slots[at];
        if (slot->letters == NULL ||
            (slot->hash == hash && slot->length == length &&
             memcmp(slot->letters, letters, length) == 0)) {
            return slot;
        }
    }
}

static int
grow(struct table *table)
{
    struct table larger = {.room = table->room > 0 ? table->room * 2
                                                   : (size_t)FIRST_ROOM};
    larger.slots = calloc(larger.room, sizeof(*larger.slots));
    if (larger.slots == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < table->room; i++) {
        const struct word *word = &table->slots[i];
        if (word->letters != NULL) {
            *slot_of(&larger, word->letters, word->length, word->hash) = *word;
        }
    }
    free(table->slots);
    table->slots = larger.slots;
    table->room = larger.room;
    return 0;
}

/* A copy of the letters that lives as long as the table's words. */
static const char *
keep_letters(struct table *table, const char *letters, size_t length)
{
    struct table_block *block = table->blocks;
    if (block == NULL || block->room - block->used < length) {
        size_t room = length > BLOCK_BYTES ? length : (size_t)BLOCK_BYTES;
        block = malloc(sizeof(*block) + room);
        if (block == NULL) {
            return NULL;
        }
        *block = (struct table_block){.next = table->blocks, .room = room};
        table->blocks = block;
    }
    char *copy = block->letters + block->used;
    memcpy(copy, letters, length);
    block->used += length;
    return copy;
}

int
table_add(struct table *table, const char *letters, size_t length,
          uint64_t times)
{
    if (table->used >= table->room / 2) {
        int rc = grow(table);
        if (rc < 0) {
            return rc;
        }
    }
    uint64_t hash = hash_of(letters, length);
    struct word *slot = slot_of(table, letters, length, hash);
    if (slot->letters == NULL) {
        const char *copy = keep_letters(table, letters, length);
        if (copy == NULL) {
            return -ENOMEM;
        }
        *slot = (struct word){copy, length, hash, 0};
        table->used++;
    }
    slot->times += times;
    return 0;
}

void
table_clear(struct table *table)
{
    while (table->blocks != NULL) {
        struct table_block *next = table->blocks->next;
        free(table->blocks);
        table->blocks = next;
    }
    if (table->slots != NULL) {
        memset(table->slots, 0, table->room * sizeof(*table->slots));
    }
    table->used = 0;
}

void
table_free(struct table *table)
{
    table_clear(table);
    free(table->slots);
    *table = (struct table){0};
}

/* ---- Lists ---- */

static int
by_letters(const void *left, const void *right)
{
    const struct word *a = left;
    const struct word *b = right;
    size_t shared = a->length < b->length ? a->length : b->length;
    int order = memcmp(a->letters, b->letters, shared);
    return order != 0 ? order
                      : (a->length > b->length) - (a->length < b->length);
}

static int
by_times(const void *left, const void *right)
{
    const struct word *a = left;
    const struct word *b = right;
    return a->times != b->times ? (a->times < b->times) - (a->times > b->times)
                                : by_letters(a, b);
}

static struct word *
sorted(const struct table *table, int (*compare)(const void *, const void *))
{
    struct word *list = malloc((table->used + 1) * sizeof(*list));
    if (list == NULL) {
        return NULL;
    }
    size_t count = 0;
    for (size_t i = 0; i < table->room; i++) {
        if (table->slots[i].letters != NULL) {
            list[count++] = table->slots[i];
        }
    }
    qsort(list, count, sizeof(*list), compare);
    return list;
}

struct word *
table_by_letters(const struct table *table)
{
    return sorted(table, by_letters);
}

struct word *
table_by_times(const struct table *table)
{
    return sorted(table, by_times);
}
