/*
 * stack_trim.c - give back the pages of stacks that nobody wants, many at once.
 *
 * A call for each stack costs 1 us, one call for 64 neighbours a tenth of that
 * for each.  So the chain of those to be trimmed is taken off the warm list,
 * sorted by number, and its runs of neighbours are handed to the kernel, all
 * without the lock: the chain is this thread's alone.  It is sorted in place,
 * because memory that runs short is a reason to trim.
 *
 * The same serves for stacks in use that are to be emptied (hibernate.h).
 *
 * Guards lie between neighbours, and MADV_DONTNEED leaves both kinds alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/memory.h"
#include "runtime/stack.h"

#include <sys/mman.h>

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

/* Take all but the `keep` last put off the warm list. */
static uint32_t
detach_locked(struct coact__stacks *s, size_t keep)
{
    if (s->trimming > 0 || s->warm.length <= keep) {
        return COACT__NO_STACK;
    }
    uint32_t *link = &s->warm.head;
    for (size_t i = 0; i < keep; i++) {
        link = next_of(s, *link);
    }
    uint32_t chain = *link;
    *link = COACT__NO_STACK;
    s->trimming = s->warm.length - keep;
    s->warm.length = keep;
    for (uint32_t i = chain; i != COACT__NO_STACK; i = *next_of(s, i)) {
        coact__slabs_entry(&s->slabs, i)->state = COACT__STACK_TRIMMING;
    }
    return chain;
}

/* The pages of neighbours, first to last, in one call. */
static bool
release(const struct coact__stacks *s, uint32_t first, uint32_t last)
{
    char *from = coact__slabs_base(&s->slabs, first) + s->guards.page;
    char *to = coact__slabs_base(&s->slabs, last) + s->slabs.stride;
    return !coact__fails() &&
           madvise(from, (size_t)(to - from), MADV_DONTNEED) == 0;
}

/* A run is free again: cold, or warm if the kernel refused it. */
static void
give_back(struct coact__stacks *s, uint32_t first, uint32_t last,
          bool was_released)
{
    pthread_mutex_lock(&s->lock);
    for (uint32_t number = first; number <= last; number++) {
        if (was_released) {
            coact__stacks_push(s, &s->cold, number, COACT__STACK_COLD);
        } else {
            coact__stacks_push(s, &s->warm, number, COACT__STACK_WARM);
        }
    }
    s->trimming -= last - first + 1;
    pthread_cond_broadcast(&s->trimmed);
    pthread_mutex_unlock(&s->lock);
}

/* The first neighbours of a sorted chain, which goes on behind them. */
struct run {
    uint32_t first, last;
};

static struct run
next_run(const struct coact__stacks *s, uint32_t *chain)
{
    struct run run = {*chain, *chain};
    *chain = *next_of(s, run.last);
    while (coact__slabs_adjoin(run.last, *chain)) {
        run.last = *chain;
        *chain = *next_of(s, run.last);
    }
    return run;
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
coact__stacks_empty(const struct coact__stacks *s,
                    const struct coact__stack_list *chain)
{
    uint32_t sorted = sort(s, chain->head);
    while (sorted != COACT__NO_STACK) {
        struct run run = next_run(s, &sorted);
        release(s, run.first, run.last);
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
        struct run run = next_run(s, &chain);
        bool was_released = release(s, run.first, run.last);
        give_back(s, run.first, run.last, was_released);
        trimmed += was_released ? run.last - run.first + 1 : 0;
    }
    return trimmed;
}
