/*
 * bound.c - a counter, and a queue of those who wait for it to fall.
 *
 * A sender enters the queue before it tries once more, and the receiver gives a
 * place back before it looks at the queue; so either the sender's second try
 * finds the place, or the receiver finds the sender.
 *
 * Memory orders, by what the pair protects
 *   place  G1 release -> T1 acquire.  The room that the receiver made.
 *   queue  has_waiters and taken are written and read crosswise by sender and
 *          receiver, and each must see the other's write or be seen: both
 *          sides use seq_cst for this pair (E1, T1 against G1, G2), the only
 *          one in coact that needs it.
 *   is_listed is relaxed: it is written under the lock, and who reads it
 *   without only decides by it whether to enter again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mailbox/bound.h"

#include "runtime/task.h"

#include <stddef.h>

void
coact__bound_open(struct coact__bound *bound, uint32_t generation,
                  uint32_t limit, bool blocks)
{
    coact__spin_lock(&bound->lock);
    bound->blocks = blocks;
    coact__spin_unlock(&bound->lock);
    atomic_store_explicit(&bound->taken, (uint64_t)generation << 32,
                          memory_order_relaxed);
    atomic_store_explicit(&bound->limit, limit, memory_order_release);
}

/* Under the lock. */
static struct coact__bound_waiter *
unlist_first(struct coact__bound *bound)
{
    struct coact__bound_waiter *first = bound->first;
    if (first != NULL) {
        bound->first = first->next;
        atomic_store_explicit(&first->is_listed, false, memory_order_relaxed);
        atomic_store_explicit(&bound->has_waiters, bound->first != NULL,
                              memory_order_seq_cst);
        // Under the lock: the waiter cannot leave, and its stack stays.
        coact__task_wake(first->task);
    }
    return first;
}

/* Wake as many as there are places, the longest first. */
static void
call_waiters(struct coact__bound *bound, uint32_t count)
{
    coact__spin_lock(&bound->lock);
    while (count-- > 0 && unlist_first(bound) != NULL) {
    }
    coact__spin_unlock(&bound->lock);
}

void
coact__bound_give(struct coact__bound *bound, uint32_t generation,
                  uint32_t count)
{
    if (atomic_load_explicit(&bound->limit, memory_order_relaxed) == 0) {
        return;
    }
    uint64_t taken = atomic_load_explicit(&bound->taken, memory_order_relaxed);
    uint32_t fewer;
    do {
        if (taken >> 32 != generation || (uint32_t)taken == 0) {
            return;
        }
        fewer = count < (uint32_t)taken ? count : (uint32_t)taken;
    } while (!atomic_compare_exchange_weak_explicit(
        &bound->taken, &taken, taken - fewer, memory_order_seq_cst,
        memory_order_relaxed)); // G1
    if (atomic_load_explicit(&bound->has_waiters,
                             memory_order_seq_cst)) { // G2
        call_waiters(bound, fewer);
    }
}

void
coact__bound_close(struct coact__bound *bound)
{
    atomic_store_explicit(&bound->limit, 0, memory_order_release);
    coact__spin_lock(&bound->lock);
    while (unlist_first(bound) != NULL) {
    }
    coact__spin_unlock(&bound->lock);
}

bool
coact__bound_enter(struct coact__bound *bound,
                   struct coact__bound_waiter *waiter)
{
    coact__spin_lock(&bound->lock);
    bool blocks = bound->blocks;
    if (blocks) {
        waiter->next = NULL;
        atomic_store_explicit(&waiter->is_listed, true, memory_order_relaxed);
        if (bound->first == NULL) {
            bound->first = waiter;
        } else {
            bound->last->next = waiter;
        }
        bound->last = waiter;
        atomic_store_explicit(&bound->has_waiters, true,
                              memory_order_seq_cst); // E1
    }
    coact__spin_unlock(&bound->lock);
    return blocks;
}

static void
unlist(struct coact__bound *bound, struct coact__bound_waiter *waiter)
{
    struct coact__bound_waiter *before = NULL;
    struct coact__bound_waiter *at = bound->first;
    while (at != waiter) {
        before = at;
        at = at->next;
    }
    if (before == NULL) {
        bound->first = waiter->next;
    } else {
        before->next = waiter->next;
    }
    if (bound->last == waiter) {
        bound->last = before;
    }
    atomic_store_explicit(&bound->has_waiters, bound->first != NULL,
                          memory_order_seq_cst);
}

void
coact__bound_leave(struct coact__bound *bound,
                   struct coact__bound_waiter *waiter, bool got_room)
{
    coact__spin_lock(&bound->lock);
    if (atomic_load_explicit(&waiter->is_listed, memory_order_relaxed)) {
        unlist(bound, waiter);
    } else if (!got_room) {
        unlist_first(bound);
    }
    coact__spin_unlock(&bound->lock);
}
