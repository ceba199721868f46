/*
 * blocks.h - memory for messages, from a cache that belongs to the thread.
 *
 * A message is often made on one worker and freed on another.  So a cache that
 * grows too long hands half of what it has to a depot that all share, and one
 * that is empty takes such a bundle from there, before it asks malloc.  Thus
 * blocks flow back to where they are made, in bundles, and most allocations are
 * a pop from a list.
 *
 * Under a sanitizer every block is malloc's, so that a use after free is seen.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_BLOCKS_H
#define COACT_RUNTIME_BLOCKS_H

#include "runtime/context.h" /* COACT__ASAN, COACT__TSAN */
#include "runtime/error.h"
#include "runtime/spin.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 64, 128, 256, 512 and 1024 bytes; larger ones are malloc's. */
#define COACT__BLOCK_CLASSES 5
#define COACT__BLOCK_LARGE COACT__BLOCK_CLASSES
#define COACT__BLOCK_BUNDLE 64
#define COACT__BLOCK_SMALLEST ((size_t)64)
#define COACT__BLOCK_LARGEST                                                   \
    (COACT__BLOCK_SMALLEST << (COACT__BLOCK_CLASSES - 1))

struct coact__block {
    struct coact__block *next;
    struct coact__block *next_bundle; /* of the first of a bundle */
};

/* Memory to be cut into blocks: this, then the blocks. */
struct coact__chunk_of_blocks {
    _Alignas(64) struct coact__chunk_of_blocks *next;
    size_t bytes; /* with this; mapped from COACT__CHUNK_MAPPED on */
};

/* Chunks double from the first size up to 1 MiB; then they are mapped, in huge
   pages: messages by the million would be page faults by the ten thousand. */
#define COACT__CHUNK_FIRST ((size_t)16 << 10)
#define COACT__CHUNK_MAPPED ((size_t)32 << 20)

struct coact__depot {
    struct coact__spin lock;
    struct coact__block *bundles[COACT__BLOCK_CLASSES];
    struct coact__chunk_of_blocks *chunks; /* all, to be freed at the end */
    char *at, *end; /* what is left of the first of them */
};

/* A list and a full bundle behind it, so that a thread that allocates and frees
   around a boundary does not visit the depot each time. */
struct coact__blocks {
    struct coact__depot *depot;
    struct coact__blocks_of {
        struct coact__block *first;
        struct coact__block *spare;
        uint32_t count;
        uint32_t apart[3]; /* 32 bytes, to be found by a shift */
    } of[COACT__BLOCK_CLASSES];
};

void coact__depot_init(struct coact__depot *depot);
void coact__depot_fini(struct coact__depot *depot); /* frees all blocks */

void coact__blocks_init(struct coact__blocks *blocks,
                        struct coact__depot *depot);

/* The list of this class is empty: fill it.  False: there is no memory. */
bool coact__blocks_refill(struct coact__blocks *blocks, uint8_t size_class);

/* What the fast ways below leave: an empty list, a full one, malloc. */
void *coact__blocks_alloc_slowly(struct coact__blocks *blocks, size_t bytes,
                                 uint8_t size_class);
void coact__blocks_free_slowly(struct coact__blocks *blocks, void *block,
                               uint8_t size_class);

static inline uint8_t
coact__block_class(size_t bytes)
{
    if (COACT__ASAN || COACT__TSAN || bytes > COACT__BLOCK_LARGEST) {
        return COACT__BLOCK_LARGE;
    }
    // How often 64 must be doubled to hold them.
    size_t lines = (bytes - 1) / COACT__BLOCK_SMALLEST;
    return bytes <= COACT__BLOCK_SMALLEST
               ? 0
               : (uint8_t)(64 - __builtin_clzll(lines));
}

/* One to hand of this class; NULL if there is none. */
static inline void *
coact__blocks_pop(struct coact__blocks *blocks, uint8_t size_class)
{
    if (size_class == COACT__BLOCK_LARGE) {
        return NULL;
    }
    struct coact__blocks_of *of = &blocks->of[size_class];
    struct coact__block *block = of->first;
    if (block != NULL) {
        of->first = block->next;
        of->count--;
        // In a burst the next one is wanted soon, and was not touched for long.
        __builtin_prefetch(of->first, 1);
    }
    return block;
}

/* At least that many bytes, aligned to 16 and, from the caches, to 64; NULL when
   there is no memory.  The size class is needed to free it, on any thread. */
static inline void *
coact__blocks_alloc(struct coact__blocks *blocks, size_t bytes,
                    uint8_t *size_class)
{
    *size_class = coact__block_class(bytes);
    void *block = coact__blocks_pop(blocks, *size_class);
    return block != NULL
               ? block
               : coact__blocks_alloc_slowly(blocks, bytes, *size_class);
}

static inline void
coact__blocks_free(struct coact__blocks *blocks, void *block,
                   uint8_t size_class)
{
    if (size_class == COACT__BLOCK_LARGE ||
        blocks->of[size_class].count == COACT__BLOCK_BUNDLE) {
        coact__blocks_free_slowly(blocks, block, size_class);
        return;
    }
    struct coact__blocks_of *of = &blocks->of[(size_t)size_class];
    struct coact__block *freed = block;
    freed->next = of->first;
    of->first = freed;
    of->count++;
}

#endif
