/*
 * blocks.c - thread caches over a shared depot, after J. Bonwick's magazines.
 *
 * A cache is its thread's alone and takes no lock.  The depot's lock is taken
 * once for COACT__BLOCK_BUNDLE blocks.  The depot keeps what it is given until
 * its end: what a burst has needed the next one will need again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/blocks.h"

#include "runtime/context.h" /* COACT__ASAN, COACT__TSAN */
#include "runtime/memory.h"

#include <stdbool.h>

#define SMALLEST ((size_t)64)
#define FIRST_CLASS                                                            \
    (COACT__ASAN || COACT__TSAN ? COACT__BLOCK_LARGE : 0) /* see blocks.h */

static uint8_t
class_of(size_t bytes)
{
    uint8_t class = FIRST_CLASS;
    while (class < COACT__BLOCK_CLASSES && bytes > SMALLEST << class) {
        class ++;
    }
    return class;
}

void
coact__depot_init(struct coact__depot *depot)
{
    *depot = (struct coact__depot){0};
}

void
coact__depot_fini(struct coact__depot *depot)
{
    while (depot->chunks != NULL) {
        struct coact__chunk_of_blocks *next = depot->chunks->next;
        coact__free(depot->chunks);
        depot->chunks = next;
    }
    coact__depot_init(depot);
}

void
coact__blocks_init(struct coact__blocks *blocks, struct coact__depot *depot)
{
    *blocks = (struct coact__blocks){.depot = depot};
}

static struct coact__block *
take_bundle(struct coact__depot *depot, uint8_t class)
{
    coact__spin_lock(&depot->lock);
    struct coact__block *bundle = depot->bundles[class];
    if (bundle != NULL) {
        depot->bundles[class] = bundle->next_bundle;
    }
    coact__spin_unlock(&depot->lock);
    return bundle;
}

static void
give_bundle(struct coact__depot *depot, uint8_t class,
            struct coact__block *bundle)
{
    coact__spin_lock(&depot->lock);
    bundle->next_bundle = depot->bundles[class];
    depot->bundles[class] = bundle;
    coact__spin_unlock(&depot->lock);
}

/* A bundle of fresh blocks: one visit to malloc for all of them. */
static struct coact__block *
cut_bundle(struct coact__depot *depot, uint8_t class)
{
    size_t bytes = SMALLEST << class;
    struct coact__chunk_of_blocks *chunk = coact__alloc_aligned(
        SMALLEST, sizeof(*chunk) + COACT__BLOCK_BUNDLE * bytes);
    if (chunk == NULL) {
        return NULL;
    }
    coact__spin_lock(&depot->lock);
    chunk->next = depot->chunks;
    depot->chunks = chunk;
    coact__spin_unlock(&depot->lock);
    char *at = (char *)(chunk + 1);
    struct coact__block *bundle = NULL;
    for (int i = COACT__BLOCK_BUNDLE - 1; i >= 0; i--) {
        struct coact__block *block = (void *)(at + (size_t)i * bytes);
        block->next = bundle;
        bundle = block;
    }
    return bundle;
}

/* The list is empty: the spare, a bundle of the depot, or a new one. */
static void *
refill(struct coact__blocks *blocks, uint8_t class)
{
    struct coact__block *bundle = blocks->of[class].spare;
    blocks->of[class].spare = NULL;
    if (bundle == NULL) {
        bundle = take_bundle(blocks->depot, class);
    }
    if (bundle == NULL) {
        bundle = cut_bundle(blocks->depot, class);
    }
    if (bundle != NULL) {
        blocks->of[class].first = bundle->next;
        blocks->of[class].count = COACT__BLOCK_BUNDLE - 1;
    }
    return bundle;
}

void *
coact__blocks_alloc(struct coact__blocks *blocks, size_t bytes,
                    uint8_t *size_class)
{
    uint8_t class = class_of(bytes);
    *size_class = class;
    if (class == COACT__BLOCK_LARGE) {
        return coact__alloc(bytes);
    }
    struct coact__block *block = blocks->of[class].first;
    if (block == NULL) {
        return refill(blocks, class);
    }
    blocks->of[class].first = block->next;
    blocks->of[class].count--;
    return block;
}

void
coact__blocks_free(struct coact__blocks *blocks, void *block,
                   uint8_t size_class)
{
    if (size_class == COACT__BLOCK_LARGE) {
        coact__free(block);
        return;
    }
    if (blocks->of[size_class].count == COACT__BLOCK_BUNDLE) {
        // The full list becomes the spare; the spare before it goes back.
        if (blocks->of[size_class].spare != NULL) {
            give_bundle(blocks->depot, size_class,
                        blocks->of[size_class].spare);
        }
        blocks->of[size_class].spare = blocks->of[size_class].first;
        blocks->of[size_class].first = NULL;
        blocks->of[size_class].count = 0;
    }
    struct coact__block *freed = block;
    freed->next = blocks->of[size_class].first;
    blocks->of[size_class].first = freed;
    blocks->of[size_class].count++;
}
