/*
 * arena.c - memory that goes when its actor does.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/life.h"
#include "runtime/memory.h"

struct coact__chunk {
    struct coact__chunk *next;
    size_t used, bytes;
    // the memory follows, aligned to 16
};

#define CHUNK_HEAD ((sizeof(struct coact__chunk) + 15) / 16 * 16)
#define CHUNK_BYTES ((size_t)4096)

static struct coact__chunk *
new_chunk(struct coact__extra *extra, size_t bytes)
{
    size_t room =
        bytes > CHUNK_BYTES - CHUNK_HEAD ? bytes : CHUNK_BYTES - CHUNK_HEAD;
    struct coact__chunk *chunk = coact__alloc(CHUNK_HEAD + room);
    if (chunk != NULL) {
        *chunk = (struct coact__chunk){extra->arena, 0, room};
        extra->arena = chunk;
    }
    return chunk;
}

void *
coact_arena(size_t bytes)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_arena");
    struct coact__extra *extra = actor != NULL ? coact__extra_of(actor) : NULL;
    if (extra == NULL || bytes > SIZE_MAX / 2) {
        return NULL;
    }
    bytes = (bytes + 15) / 16 * 16;
    struct coact__chunk *chunk = extra->arena;
    if (chunk == NULL || chunk->bytes - chunk->used < bytes) {
        chunk = new_chunk(extra, bytes);
    }
    if (chunk == NULL) {
        return NULL;
    }
    void *memory = (char *)chunk + CHUNK_HEAD + chunk->used;
    chunk->used += bytes;
    return memory;
}

void
coact__arena_free(struct coact__extra *extra)
{
    while (extra->arena != NULL) {
        struct coact__chunk *next = extra->arena->next;
        coact__free(extra->arena);
        extra->arena = next;
    }
}
