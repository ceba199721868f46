/*
 * runnable.h - what run queues hold, and a chain of it.
 *
 * A runnable is embedded first in a task.  Whoever took it out of a queue owns
 * it, and its next field, until he puts it into another.  A batch is a chain of
 * them in private hands, on its way from one queue to the next.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_RUNNABLE_H
#define COACT_RUNTIME_RUNNABLE_H

#include <stddef.h>
#include <stdint.h>

struct coact__runnable {
    struct coact__runnable *next; /* inside a batch or the global queue */
};

/* All zero is the empty batch. */
struct coact__batch {
    struct coact__runnable *first; /* the oldest */
    struct coact__runnable *last;  /* meaningless while first is NULL */
    uint32_t count;
};

static inline void
coact__batch_append(struct coact__batch *batch, struct coact__runnable *r)
{
    r->next = NULL;
    if (batch->first) {
        batch->last->next = r;
    } else {
        batch->first = r;
    }
    batch->last = r;
    batch->count++;
}

/* The oldest one, or NULL. */
static inline struct coact__runnable *
coact__batch_pop(struct coact__batch *batch)
{
    struct coact__runnable *r = batch->first;
    if (r) {
        batch->first = r->next;
        batch->count--;
    }
    return r;
}

#endif
