/*
 * globalq.h - the run queue of all workers: no bound, one lock.
 *
 * It takes what comes from threads that are not workers, what overflows a
 * worker's own queue, and what a retiring worker leaves behind.  Who is prompt
 * (runnable.h) does not wait behind all that a retiring worker left.  Its length is
 * readable without the lock, so that a look into an empty one costs a load.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_GLOBALQ_H
#define COACT_RUNTIME_GLOBALQ_H

#include "runtime/error.h"
#include "runtime/runnable.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

/* The length is a cache line away from the rest: workers poll it, and must not
   feel the lock change hands. */
struct coact__globalq {
    _Atomic size_t length;
    char apart_from_length[64 - sizeof(size_t)];
    pthread_mutex_t lock;
    struct coact__batch lines[COACT__RANKS]; /* under lock */
};

/* fails ENOMEM EAGAIN, where the system has no lock to give */
COACT_CHECKED int coact__globalq_init(struct coact__globalq *q);

/* Only when it is empty and nobody uses it any more. */
void coact__globalq_fini(struct coact__globalq *q);

/* Add at the end of those of its rank.  from any */
void coact__globalq_push(struct coact__globalq *q, struct coact__runnable *r);

/* Add a whole batch, in its order; it is empty then.  from any */
void coact__globalq_push_batch(struct coact__globalq *q,
                               struct coact__batch *batch);

/* Move up to max of the oldest to the end of *out, those who are prompt first,
   but one at least who is patient; how many they were.  Takes no lock when the
   queue looks empty.  from any */
uint32_t coact__globalq_pop(struct coact__globalq *q, uint32_t max,
                            struct coact__batch *out);

/* The same for those of one rank alone. */
uint32_t coact__globalq_pop_rank(struct coact__globalq *q,
                                 enum coact__rank rank, uint32_t max,
                                 struct coact__batch *out);

/* How many there are; it may be out of date on return.  from any */
size_t coact__globalq_length(const struct coact__globalq *q);

#endif
