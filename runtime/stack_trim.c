/*
 * stack_trim.c - give back the pages of stacks that nobody wants, many at once.
 *
 * A call for each stack costs 1.4 us, one for many that lie apart a third of that
 * for each, one for neighbours a sixth.  So the chain of those to be trimmed is
 * taken off the warm list, sorted by number, and its runs of neighbours are
 * handed to the kernel, many with one call if it takes them so, all without the
 * lock: the chain is this thread's alone.  It is sorted in place, because memory
 * that runs short is a reason to trim.
 *
 * The same serves for stacks in use that are to be emptied (hibernate.h).
 *
 * Guards lie between neighbours, and MADV_DONTNEED leaves both kinds alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/memory.h"
#include "runtime/stack.h"

#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/uio.h>

/* With one call, at most. */
#define RUNS 32

static uint32_t *
next_of(const struct coact__stacks *s, uint32_t number)
{
    return &coact__slabs_entry(&s->slabs, number)->next;
}

/* Merge two chains that are sorted by number. */
static uint32_t
merge(const struct coact__stacks *s, uint32_t a, uint32_t b)
{
    uint32_t head = COACT__NO_STACK;
    uint32_t *tail = &head;
    while (a != COACT__NO_STACK && b != COACT__NO_STACK) {
        uint32_t *least = a < b ? &a : &b;
        *tail = *least;
        tail = next_of(s, *least);
        *least = *tail;
    }
    *tail = a != COACT__NO_STACK ? a : b;
    return head;
}

/* Merge sort from below: sorted[i] is empty or a sorted chain of 2^i. */
static uint32_t
sort(const struct coact__stacks *s, uint32_t chain)
{
    enum { BITS = 32 };
    uint32_t sorted[BITS];
    for (size_t i = 0; i < BITS; i++) {
        sorted[i] = COACT__NO_STACK;
    }
    while (chain != COACT__NO_STACK) {
        uint32_t carry = chain;
        chain = *next_of(s, carry);
        *next_of(s, carry) = COACT__NO_STACK;
        size_t i = 0;
        for (; sorted[i] != COACT__NO_STACK; i++) {
            carry = merge(s, sorted[i], carry);
            sorted[i] = COACT__NO_STACK;
        }
        sorted[i] = carry;
    }
    uint32_t all = COACT__NO_STACK;
    for (size_t i = 0; i < BITS; i++) {
        all = merge(s, sorted[i], all);
    }
    return all;
}

/* Neighbours, first to last. */
struct run {
    uint32_t first, last;
    bool was_released;
};

static uint32_t
stacks_of(const struct run *run)
{
    return run->last - run->first + 1;
}

/* The first neighbours of a sorted chain, which goes on behind them. */
static struct run
next_run(const struct coact__stacks *s, uint32_t *chain)
{
    struct run run = {*chain, *chain, false};
    *chain = *next_of(s, run.last);
    while (coact__slabs_adjoin(run.last, *chain)) {
        run.last = *chain;
        *chain = *next_of(s, run.last);
    }
    return run;
}

/* Their pages: all but the guard of the first. */
static struct iovec
pages_of(const struct coact__stacks *s, const struct run *run)
{
    char *from = coact__slabs_base(&s->slabs, run->first) + s->guards.page;
    char *to = coact__slabs_base(&s->slabs, run->last) + s->slabs.stride;
    return (struct iovec){from, (size_t)(to - from)};
}

/* All runs with one call, which flushes the other cores' translations once.
   False: some are left. */
static bool
release_together(const struct coact__stacks *s, const struct run *runs,
                 size_t count)
{
    struct iovec pages[RUNS];
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        pages[i] = pages_of(s, &runs[i]);
        bytes += pages[i].iov_len;
    }
    return !coact__fails() &&
           coact__advise_many(pages, count, bytes, MADV_DONTNEED) == 0;
}

static void
release(struct coact__stacks *s, struct run *runs, size_t count)
{
    // Relaxed: a hint, and who misses it is refused once more.
    bool together = count > 1 && !atomic_load_explicit(&s->is_one_by_one,
                                                       memory_order_relaxed);
    if (together && !release_together(s, runs, count)) {
        together = false;
        atomic_store_explicit(&s->is_one_by_one, true, memory_order_relaxed);
    }
    for (size_t i = 0; i < count; i++) {
        struct iovec pages = pages_of(s, &runs[i]);
        runs[i].was_released =
            together ||
            (!coact__fails() &&
             madvise(pages.iov_base, pages.iov_len, MADV_DONTNEED) == 0);
    }
}

/* Release the first runs of a sorted chain.  How many there are. */
static size_t
release_some(struct coact__stacks *s, uint32_t *chain, struct run runs[RUNS])
{
    size_t count = 0;
    while (count < RUNS && *chain != COACT__NO_STACK) {
        runs[count++] = next_run(s, chain);
    }
    release(s, runs, count);
    return count;
}

/* Take all but the `keep` last put off the warm list. */
static uint32_t
detach_locked(struct coact__stacks *s, size_t keep)
{
    if (s->on_no_list > 0 || s->warm.length <= keep) {
        return COACT__NO_STACK;
    }
    uint32_t *link = &s->warm.head;
    for (size_t i = 0; i < keep; i++) {
        link = next_of(s, *link);
    }
    uint32_t chain = *link;
    *link = COACT__NO_STACK;
    s->on_no_list = s->warm.length - keep;
    s->warm.length = keep;
    for (uint32_t i = chain; i != COACT__NO_STACK; i = *next_of(s, i)) {
        coact__slabs_entry(&s->slabs, i)->state = COACT__STACK_TRIMMING;
    }
    return chain;
}

/* A run is free again: cold, or warm if the kernel refused it. */
static void
give_back(struct coact__stacks *s, const struct run *run)
{
    pthread_mutex_lock(&s->lock);
    for (uint32_t number = run->first; number <= run->last; number++) {
        if (run->was_released) {
            coact__stacks_push(s, &s->cold, number, COACT__STACK_COLD);
        } else {
            coact__stacks_push(s, &s->warm, number, COACT__STACK_WARM);
        }
    }
    s->on_no_list -= stacks_of(run);
    pthread_cond_broadcast(&s->trimmed);
    pthread_mutex_unlock(&s->lock);
}

size_t
coact__stacks_span(const struct coact__stacks *s,
                   const struct coact__stack *stack, const void *from)
{
    size_t offset = (size_t)((const char *)from -
                             coact__slabs_base(&s->slabs, stack->number));
    return s->slabs.stride - offset / s->guards.page * s->guards.page;
}

void
coact__stacks_chain(const struct coact__stacks *s,
                    struct coact__stack_list *chain,
                    const struct coact__stack *stack)
{
    *next_of(s, stack->number) = chain->head;
    chain->head = stack->number;
    chain->length++;
}

void
coact__stacks_empty(struct coact__stacks *s,
                    const struct coact__stack_list *chain)
{
    uint32_t sorted = sort(s, chain->head);
    while (sorted != COACT__NO_STACK) {
        struct run runs[RUNS];
        (void)release_some(s, &sorted, runs);
    }
}

size_t
coact__stacks_trim(struct coact__stacks *s, size_t keep)
{
    pthread_mutex_lock(&s->lock);
    uint32_t chain = detach_locked(s, keep);
    pthread_mutex_unlock(&s->lock);

    size_t trimmed = 0;
    chain = sort(s, chain);
    while (chain != COACT__NO_STACK) {
        struct run runs[RUNS];
        size_t count = release_some(s, &chain, runs);
        for (size_t i = 0; i < count; i++) {
            give_back(s, &runs[i]);
            trimmed += runs[i].was_released ? stacks_of(&runs[i]) : 0;
        }
    }
    return trimmed;
}
