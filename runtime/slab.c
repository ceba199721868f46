/*
 * slab.c - slabs that grow, and a table that never moves.
 *
 * A slab is one mapping, and one block with an entry for each of its stacks.
 *
 *     base | guard |      stack 0      | guard |      stack 1      | ...
 *            <------ stride -------->
 *
 * The first has 16 stacks, the next twice as many, up to 64 MiB: a small
 * program maps 1 MiB, and a large one never asks for so much at once that
 * overcommit_memory=2 or RLIMIT_AS refuse it.  A very large one maps up to 16 of
 * them ahead, where that is allowed: each mapping keeps all threads waiting that
 * guard a stack or touch a new page meanwhile.
 *
 * Invariants
 *   B1  A slab in the table stays where it is to the end; the table too.  So a
 *       signal handler may look (coact__slabs_find) while another thread grows.
 *   B2  A number is the slab's place in the table above, the stack's place in
 *       the slab below.
 *
 * Memory orders
 *   count release -> acquire: the slab and its base, size and table.
 *   cut release -> acquire: who finds a stack below it finds its entry.  That
 *   it is guarded its holder knows, on whose stack a fault in the guard is.
 *   The relaxed loads are the writers' own, under the callers' lock.
 *
 * Huge pages are off: one touched byte of a stack would cost 2 MiB.  MAP_STACK
 * alone does that on current kernels, the advice on older ones.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/slab.h"

#include "runtime/memory.h"
#include "runtime/stack.h"

#include <errno.h>
#include <sys/mman.h>

#define SLAB_MAX_BYTES ((size_t)64 << 20)
#define SLAB_FIRST_STACKS ((size_t)16)
#define AHEAD_MOST ((size_t)16)

#define INDEX_BITS 12
#define INDEX_MASK ((1u << INDEX_BITS) - 1)
#define NUMBER(slab, index) ((uint32_t)((slab) << INDEX_BITS | (index)))

_Static_assert(SLAB_MAX_BYTES / COACT__STACK_MIN_BYTES <= 1u << INDEX_BITS,
               "an index has room in a number");

static const char no_table[] = "no memory for the table of a stack slab";
static const char no_space[] =
    "the kernel refuses address space for stacks (ulimit -v, "
    "vm.overcommit_memory, vm.max_map_count)";
static const char no_more[] = "the runtime's limit on stacks is reached";

static size_t
stacks_max(size_t stride)
{
    size_t stacks = SLAB_MAX_BYTES / stride;
    return stacks > 0 ? stacks : 1;
}

/* How many stacks the nth slab holds. */
static size_t
stacks_in(size_t stride, size_t nth)
{
    size_t max = stacks_max(stride);
    size_t stacks = SLAB_FIRST_STACKS;
    while (nth-- > 0 && stacks < max) {
        stacks *= 2;
    }
    return stacks < max ? stacks : max;
}

static size_t
slabs_for(size_t stride, size_t stacks)
{
    size_t slabs = 0;
    size_t covered = 0;
    size_t max = stacks_max(stride);
    while (covered < stacks) {
        size_t next = stacks_in(stride, slabs);
        if (next == max) {
            return slabs + 1 + (stacks - covered - 1) / max;
        }
        covered += next;
        slabs++;
    }
    return slabs;
}

int
coact__slabs_init(struct coact__slabs *slabs, size_t stride, size_t max_stacks)
{
    size_t max = slabs_for(stride, max_stacks);
    if (max > COACT__NO_STACK >> INDEX_BITS) {
        return -EINVAL;
    }
    struct coact__slab **table = coact__alloc_zeroed(max * sizeof(void *));
    if (table == NULL) {
        return -ENOMEM;
    }
    *slabs =
        (struct coact__slabs){.stride = stride, .max = max, .table = table};
    return 0;
}

void
coact__slabs_fini(struct coact__slabs *slabs)
{
    size_t count = atomic_load_explicit(&slabs->count, memory_order_relaxed);
    for (size_t i = 0; i < count; i++) {
        munmap(slabs->table[i]->base, slabs->table[i]->bytes);
        coact__free(slabs->table[i]);
    }
    if (slabs->ahead_bytes > 0) {
        munmap(slabs->ahead, slabs->ahead_bytes);
    }
    coact__free(slabs->table);
}

static char *
map_pages(size_t bytes)
{
    if (coact__fails()) {
        return NULL;
    }
    void *base =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (base == MAP_FAILED) {
        return NULL;
    }
    // EINVAL: this kernel has no huge pages to forbid.
    if (coact__fails() ||
        (madvise(base, bytes, MADV_NOHUGEPAGE) != 0 && errno != EINVAL)) {
        munmap(base, bytes);
        return NULL;
    }
    return base;
}

/* Memory for the nth slab, and maybe for some more. */
static char *
next_pages(struct coact__slabs *slabs, size_t nth, size_t bytes)
{
    if (slabs->ahead_bytes < bytes) {
        // Nothing is left over: so far on, slabs are all of one size.
        size_t several = nth / 8 < AHEAD_MOST ? nth / 8 : AHEAD_MOST;
        several = several < slabs->max - nth ? several : slabs->max - nth;
        slabs->ahead = several > 1 ? map_pages(several * bytes) : NULL;
        slabs->ahead_bytes = slabs->ahead != NULL ? several * bytes : 0;
        slabs->mapped_bytes += slabs->ahead_bytes;
    }
    if (slabs->ahead_bytes < bytes) {
        char *alone = map_pages(bytes);
        slabs->mapped_bytes += alone != NULL ? bytes : 0;
        return alone;
    }
    char *pages = slabs->ahead;
    slabs->ahead += bytes;
    slabs->ahead_bytes -= bytes;
    return pages;
}

static int
grow(struct coact__slabs *slabs, size_t nth, const char **reason)
{
    if (nth == slabs->max) {
        *reason = no_more;
        return -EAGAIN;
    }
    size_t count = stacks_in(slabs->stride, nth);
    struct coact__slab *slab =
        coact__alloc_zeroed(sizeof *slab + count * sizeof slab->entries[0]);
    if (slab == NULL) {
        *reason = no_table;
        return -ENOMEM;
    }
    slab->count = (uint32_t)count;
    slab->bytes = count * slabs->stride;
    slab->base = next_pages(slabs, nth, slab->bytes);
    if (slab->base == NULL) {
        coact__free(slab);
        *reason = no_space;
        return -ENOMEM;
    }
    slabs->table[nth] = slab;
    atomic_store_explicit(&slabs->count, nth + 1, memory_order_release);
    return 0;
}

int
coact__slabs_next(struct coact__slabs *slabs, uint32_t *number,
                  const char **reason)
{
    size_t count = atomic_load_explicit(&slabs->count, memory_order_relaxed);
    uint32_t index = 0;
    if (count > 0) {
        const struct coact__slab *last = slabs->table[count - 1];
        index = atomic_load_explicit(&last->cut, memory_order_relaxed);
        if (index < last->count) {
            *number = NUMBER(count - 1, index);
            return 0;
        }
    }
    int rc = grow(slabs, count, reason);
    if (rc == 0) {
        *number = NUMBER(count, 0);
    }
    return rc;
}

void
coact__slabs_cut(struct coact__slabs *slabs, uint32_t number)
{
    struct coact__slab *slab = slabs->table[number >> INDEX_BITS];
    uint32_t index = number & INDEX_MASK;
    atomic_store_explicit(&slab->cut, index + 1, memory_order_release);
}

uint32_t
coact__slabs_left(const struct coact__slabs *slabs, uint32_t number)
{
    return slabs->table[number >> INDEX_BITS]->count - (number & INDEX_MASK);
}

struct coact__stack_entry *
coact__slabs_entry(const struct coact__slabs *slabs, uint32_t number)
{
    return &slabs->table[number >> INDEX_BITS]->entries[number & INDEX_MASK];
}

char *
coact__slabs_base(const struct coact__slabs *slabs, uint32_t number)
{
    return slabs->table[number >> INDEX_BITS]->base +
           (number & INDEX_MASK) * slabs->stride;
}

bool
coact__slabs_adjoin(uint32_t first, uint32_t second)
{
    // The first of a slab follows nobody.
    return second == first + 1 && (second & INDEX_MASK) != 0;
}

bool
coact__slabs_find(const struct coact__slabs *slabs, const void *addr,
                  uint32_t *number, size_t *offset)
{
    size_t count = atomic_load_explicit(&slabs->count, memory_order_acquire);
    for (size_t i = 0; i < count; i++) {
        const struct coact__slab *slab = slabs->table[i];
        uintptr_t from_base = (uintptr_t)addr - (uintptr_t)slab->base;
        if (from_base >= slab->bytes) {
            continue;
        }
        size_t index = from_base / slabs->stride;
        *number = NUMBER(i, index);
        *offset = from_base % slabs->stride;
        return index < atomic_load_explicit(&slab->cut, memory_order_acquire);
    }
    return false;
}
