/*
 * globalq.c - the run queue of all workers: no bound, one lock.
 *
 * A list for each rank, from old to new, under a mutex.  It is not on the path of a message
 * between two actors, so a lock is what it needs and no more.
 *
 * Invariants, under the lock
 *   G1  length is the number of entries of all lines.
 *   G2  Each line holds those of its rank, from old to new.
 *
 * Memory orders.  What the entries hold passes from hand to hand by the lock.
 * length guards nothing, so it is relaxed everywhere: it is written under the
 * lock, and read without it as a hint that may be out of date.  Who must not
 * miss an entry, a worker about to sleep, orders himself after the push by a
 * word of his own, and then reads a length that is at least as new.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/globalq.h"

int
coact__globalq_init(struct coact__globalq *q)
{
    for (int rank = 0; rank < COACT__RANKS; rank++) {
        q->lines[rank] = (struct coact__batch){0};
    }
    atomic_init(&q->length, 0);
    return -pthread_mutex_init(&q->lock, NULL);
}

void
coact__globalq_fini(struct coact__globalq *q)
{
    (void)pthread_mutex_destroy(&q->lock);
}

void
coact__globalq_push(struct coact__globalq *q, struct coact__runnable *r)
{
    struct coact__batch one = {0};
    coact__batch_append(&one, r);
    coact__globalq_push_batch(q, &one);
}

/* Under the lock: nobody else writes the length. */
static void
set_length(struct coact__globalq *q, size_t length)
{
    atomic_store_explicit(&q->length, length, memory_order_relaxed);
}

void
coact__globalq_push_batch(struct coact__globalq *q, struct coact__batch *batch)
{
    if (batch->first == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&q->lock);
    set_length(q, coact__globalq_length(q) + batch->count);
    struct coact__runnable *r;
    while ((r = coact__batch_pop(batch)) != NULL) {
        coact__batch_append(&q->lines[r->rank], r);
    }
    (void)pthread_mutex_unlock(&q->lock);
}

/* Under the lock. */
static uint32_t
move(struct coact__batch *from, uint32_t most, struct coact__batch *out)
{
    uint32_t moved = 0;
    for (; moved < most && from->first != NULL; moved++) {
        coact__batch_append(out, coact__batch_pop(from));
    }
    return moved;
}

uint32_t
coact__globalq_pop(struct coact__globalq *q, uint32_t max,
                   struct coact__batch *out)
{
    if (coact__globalq_length(q) == 0) {
        return 0;
    }
    (void)pthread_mutex_lock(&q->lock);
    struct coact__batch *patient = &q->lines[COACT__RANK_PATIENT];
    // One of them each time, so that they do not starve.
    uint32_t kept = patient->first != NULL && max > 1 ? 1 : 0;
    uint32_t taken = move(&q->lines[COACT__RANK_PROMPT], max - kept, out);
    taken += move(patient, max - taken, out);
    set_length(q, coact__globalq_length(q) - taken);
    (void)pthread_mutex_unlock(&q->lock);
    return taken;
}

uint32_t
coact__globalq_pop_rank(struct coact__globalq *q, enum coact__rank rank,
                        uint32_t max, struct coact__batch *out)
{
    if (coact__globalq_length(q) == 0) {
        return 0;
    }
    (void)pthread_mutex_lock(&q->lock);
    uint32_t taken = move(&q->lines[rank], max, out);
    set_length(q, coact__globalq_length(q) - taken);
    (void)pthread_mutex_unlock(&q->lock);
    return taken;
}

size_t
coact__globalq_length(const struct coact__globalq *q)
{
    return atomic_load_explicit(&q->length, memory_order_relaxed);
}
