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

#include "runtime/memory.h"

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
    size_t bytes = COACT__BLOCK_SMALLEST << class;
    struct coact__chunk_of_blocks *chunk = coact__alloc_aligned(
        COACT__BLOCK_SMALLEST, sizeof(*chunk) + COACT__BLOCK_BUNDLE * bytes);
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

/* The spare, a bundle of the depot, or a new one. */
bool
coact__blocks_refill(struct coact__blocks *blocks, uint8_t size_class)
{
    struct coact__blocks_of *of = &blocks->of[size_class];
    struct coact__block *bundle = of->spare;
    of->spare = NULL;
    if (bundle == NULL) {
        bundle = take_bundle(blocks->depot, size_class);
    }
    if (bundle == NULL) {
        bundle = cut_bundle(blocks->depot, size_class);
    }
    of->first = bundle;
    of->count = bundle != NULL ? COACT__BLOCK_BUNDLE : 0;
    return bundle != NULL;
}

void *
coact__blocks_alloc_slowly(struct coact__blocks *blocks, size_t bytes,
                           uint8_t size_class)
{
    if (size_class == COACT__BLOCK_LARGE) {
        return coact__alloc(bytes);
    }
    return coact__blocks_refill(blocks, size_class)
               ? coact__blocks_pop(blocks, size_class)
               : NULL;
}

void
coact__blocks_free_slowly(struct coact__blocks *blocks, void *block,
                          uint8_t size_class)
{
    if (size_class == COACT__BLOCK_LARGE) {
        coact__free(block);
        return;
    }
    // The full list becomes the spare; the spare before it goes back.
    struct coact__blocks_of *of = &blocks->of[size_class];
    if (of->spare != NULL) {
        give_bundle(blocks->depot, size_class, of->spare);
    }
    of->spare = of->first;
    of->first = NULL;
    of->count = 0;
    coact__blocks_free(blocks, block, size_class);
}
