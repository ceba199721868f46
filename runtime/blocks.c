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

#include <sys/mman.h>

void
coact__depot_init(struct coact__depot *depot)
{
    *depot = (struct coact__depot){0};
}

static void
free_chunk(struct coact__chunk_of_blocks *chunk)
{
    if (chunk->bytes >= COACT__CHUNK_MAPPED) {
        munmap(chunk, chunk->bytes);
    } else {
        coact__free(chunk);
    }
}

void
coact__depot_fini(struct coact__depot *depot)
{
    while (depot->chunks != NULL) {
        struct coact__chunk_of_blocks *next = depot->chunks->next;
        free_chunk(depot->chunks);
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

static struct coact__chunk_of_blocks *
new_chunk(size_t bytes)
{
    if (bytes < COACT__CHUNK_MAPPED) {
        return coact__alloc_aligned(COACT__BLOCK_SMALLEST, bytes);
    }
    void *at = coact__fails() ? MAP_FAILED
                              : mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        return NULL;
    }
    (void)madvise(at, bytes, MADV_HUGEPAGE);
    return at;
}

/* Under the lock: the next chunk, twice the one before. */
static bool
open_chunk(struct coact__depot *depot)
{
    size_t bytes = depot->chunks == NULL ? COACT__CHUNK_FIRST
                   : depot->chunks->bytes < COACT__CHUNK_MAPPED / 32
                       ? 2 * depot->chunks->bytes
                       : COACT__CHUNK_MAPPED;
    struct coact__chunk_of_blocks *chunk = new_chunk(bytes);
    if (chunk == NULL) {
        return false;
    }
    *chunk = (struct coact__chunk_of_blocks){depot->chunks, bytes};
    depot->chunks = chunk;
    depot->at = (char *)(chunk + 1);
    depot->end = (char *)chunk + bytes;
    return true;
}

/* So many bytes that nobody has had, or as many as there are of at least one
   block; what is left of a chunk is given up for a new one. */
static char *
cut(struct coact__depot *depot, size_t block, size_t *blocks)
{
    coact__spin_lock(&depot->lock);
    char *at = NULL;
    if ((size_t)(depot->end - depot->at) >= block || open_chunk(depot)) {
        size_t left = (size_t)(depot->end - depot->at) / block;
        *blocks = left < COACT__BLOCK_BUNDLE ? left : COACT__BLOCK_BUNDLE;
        at = depot->at;
        depot->at += *blocks * block;
    }
    coact__spin_unlock(&depot->lock);
    return at;
}

/* A bundle of fresh blocks, in the order of their addresses; of *count. */
static struct coact__block *
cut_bundle(struct coact__depot *depot, uint8_t class, uint32_t *count)
{
    size_t bytes = COACT__BLOCK_SMALLEST << class;
    size_t blocks = 0;
    char *at = cut(depot, bytes, &blocks);
    struct coact__block *bundle = NULL;
    for (size_t i = blocks; at != NULL && i-- > 0;) {
        struct coact__block *block = (void *)(at + i * bytes);
        block->next = bundle;
        bundle = block;
    }
    *count = (uint32_t)blocks;
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
    uint32_t count = COACT__BLOCK_BUNDLE;
    if (bundle == NULL) {
        bundle = cut_bundle(blocks->depot, size_class, &count);
    }
    of->first = bundle;
    of->count = bundle != NULL ? count : 0;
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
    of->first = block;
    of->first->next = NULL;
    of->count = 1;
}
