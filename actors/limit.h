/*
 * limit.h - how many may be in the middle of work at a time.
 *
 * A limit has so many slots.  Who wants to work takes one, and who comes when all
 * are taken waits in a queue, first come, first served.  A slot is never lost:
 * an actor that ends, however it does, gives it back before its clean-ups run.
 *
 * An elastic limit counts who works, not who has begun.  An actor that waits,
 * in whatever call, gives its slot to the next one, and when it wakes takes one
 * again, at the end of the same queue; the call returns when it has it, which
 * may be after the call's deadline.  So a hundred sleepers do not keep one out
 * who could work.  A rigid limit is held until it is left.
 *
 * A role may have a limit too (role.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_LIMIT_H
#define COACT_LIMIT_H

#include <coact/error.h>

#include <stdbool.h>
#include <stdint.h>

COACT_BEGIN_DECLS

struct coact_limit;

/* What becomes of those who wait when the queue is full. */
enum coact_limit_full {
    COACT_LIMIT_REJECT, /* who comes is refused */
    COACT_LIMIT_SHED    /* who has waited longest is refused in its place: the
                           others wait less, and its caller has given up soonest */
};

struct coact_limit_options {
    uint32_t most; /* slots; not 0 */
    bool rigid;
    uint32_t queue_most; /* who waits to begin; 0: any number */
    enum coact_limit_full full;
};

/* Given: free it.
   from any, waits no, fails EINVAL ENOMEM */
COACT_API COACT_CHECKED int
coact_limit_new(const struct coact_limit_options *options,
                struct coact_limit **out);

/* -EBUSY, and it is as it was, while anybody is inside or waits.
   from any, waits no, fails EBUSY */
COACT_API int coact_limit_free(struct coact_limit *limit);

/* Begin to work: take a slot, and wait for it until the deadline.  -EAGAIN: the
   queue was full.  -EDEADLK: we are inside of one.
   from actor, waits yes, fails EAGAIN ETIMEDOUT ECANCELED EDEADLK ENOMEM EPERM */
COACT_API COACT_CHECKED int coact_limit_enter(struct coact_limit *limit,
                                              int64_t deadline_ns);

/* The work is done.  -ENOENT: we are not inside.
   from actor, waits no, fails ENOENT EPERM */
COACT_API int coact_limit_leave(struct coact_limit *limit);

struct coact_limit_stats {
    uint32_t most;       /* 0: there is no limit */
    uint32_t working;    /* slots that are taken */
    uint32_t inside;     /* have entered and not left: those, and who waits in
                            the middle of work */
    uint32_t queued;     /* wait for a slot, to begin or to go on */
    uint64_t entered;    /* began to work */
    uint64_t rejected;   /* were refused by a full queue */
    uint64_t given_up;   /* left the queue: their deadline came, or their end */
    uint64_t given_back; /* slots that waiting actors gave to others */
    uint64_t waited;     /* had to wait for a slot and got one */
    int64_t waited_ns;   /* these, all together */
    int64_t longest_ns;  /* and the longest */
};

/* from any, waits no, fails never */
COACT_API void coact_stats_of_limit(struct coact_limit *limit,
                                    struct coact_limit_stats *out);

COACT_END_DECLS

#endif
