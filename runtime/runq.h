/*
 * runq.h - the run queue of one worker: it pushes and pops, others take.
 *
 * A ring of a fixed size.  The worker that owns it adds at the tail; everybody,
 * the owner included, takes the oldest from the head.  No slot is private: a
 * worker that is stuck in an actor keeps nothing from those who steal from it.
 *
 * "owner" below means the thread that runs the worker; there is one at a time,
 * and handing the role over is up to the caller (a lock, a join).  "any" means
 * every thread, the owner too.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_RUNQ_H
#define COACT_RUNTIME_RUNQ_H

#include "runtime/runnable.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#ifndef COACT__RUNQ_SLOTS
#define COACT__RUNQ_SLOTS 256 /* a power of two; the interleaving tests use 4 */
#endif

/* The padding keeps what the owner writes at every push on another cache line
   than what thieves write when they steal.  It does so wherever the struct
   lies, so that plain memory will do for it. */
struct coact__runq {
    _Atomic uint32_t head;
    char apart_from_head[64 - sizeof(uint32_t)];
    _Atomic uint32_t tail;
    char apart_from_tail[64 - sizeof(uint32_t)];
    _Atomic(struct coact__runnable *) slots[COACT__RUNQ_SLOTS];
};

/* Empty, before any other thread sees it.  from host or owner */
void coact__runq_init(struct coact__runq *q);

/* Add one at the tail; true.  When the ring is full nothing is lost: the older
   half of it and then r are put at the end of *overflow, a batch for the global
   queue, and the answer is false.  from owner */
bool coact__runq_push(struct coact__runq *q, struct coact__runnable *r,
                      struct coact__batch *overflow);

/* Take the oldest, or NULL when the queue is empty.  from owner */
struct coact__runnable *coact__runq_pop(struct coact__runq *q);

/* Take the older half of the victim's (of one, the one): the oldest is returned,
   to run at once, the others are pushed to our own queue in their order, as far
   as there is room.  NULL when the victim has nothing.
   from the owner of own; victim is another queue */
struct coact__runnable *coact__runq_steal(struct coact__runq *own,
                                          struct coact__runq *victim);

/* Take everything that is there when the call begins, oldest first, to the end
   of *out; the number taken.  What the owner or thieves get hold of meanwhile
   is not missing, it is theirs.  from any */
uint32_t coact__runq_take_all(struct coact__runq *q, struct coact__batch *out);

/* How many there are, more or less: it may be out of date on return.  An
   answer of 0 is to be trusted only by who has ordered himself after the last
   push (the owner, or a parker after its exchange).  from any */
uint32_t coact__runq_length(const struct coact__runq *q);

#endif
