/*
 * outbox.h - what is accepted and not yet sealed, of one link.
 *
 * Short messages are copied into the open batch, which is the plaintext of a
 * frame to come; there is no list of them and no allocation for one.  A long
 * message is kept whole and cut into parts, and takes turns with the batches
 * and with other long ones, so that it delays nobody.
 *
 * Order is kept per lane.  While a long message of a lane is queued or being
 * cut, the lane has an entry here, and all later messages of that lane queue in
 * it.  A lane without one has no entry and costs nothing.
 *
 * Invariants
 *   O1  A long message's first part is cut only after every batch that was
 *       open when its turn in the lane came has been taken.
 *   O2  A message that waited in a lane enters a batch only after the last part
 *       of the long one before it has been taken.
 *   O3  Batches are taken in the order in which they were opened.
 *   Together: within a lane, taken order is accepted order.
 *
 * Nothing here locks or knows the time: the session that owns it does.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_TRANSPORT_OUTBOX_H
#define COACT_RUNTIME_TRANSPORT_OUTBOX_H

#include "runtime/transport/frame.h"

#include <sys/uio.h>

#define COACT__LANE_BUCKETS 64u

/* The plaintext of one frame; the first COACT__DATA_PREFIX bytes are the
   session's. */
struct coact__parcel {
    struct coact__parcel *next;
    uint32_t used; /* prefix included */
    uint8_t plain[COACT__FRAME_PLAIN];
};

/* A message that could not go into a batch at once. */
struct coact__item {
    struct coact__item *next;
    size_t len;
    uint8_t bytes[];
};

struct coact__lane {
    struct coact__lane *chain; /* of its bucket */
    struct coact__lane *next;  /* of the one queue that it is in */
    uint64_t key;
    struct coact__item *first, *last; /* first: the long one, if is_long */
    bool is_long;                     /* else first waits for a batch */
    uint32_t id;                      /* of the long one, on the wire */
    size_t cut;                       /* bytes of it already taken */
    uint64_t after;                   /* O1: batches to be taken before */
};

struct coact__lane_queue {
    struct coact__lane *head, *tail;
};

struct coact__outbox_limits {
    size_t backlog_bytes; /* of short messages */
    size_t urgent_bytes;  /* on top, for urgent ones */
    size_t long_bytes;    /* of long ones, all together */
};

struct coact__outbox {
    struct coact__outbox_limits limits;
    struct coact__parcel *head, *tail; /* the open one is tail */
    struct coact__parcel *spare;
    unsigned spares;
    struct coact__parcel *scratch; /* for parts: cutting never allocates */
    uint64_t opened, taken;        /* batches, ever */
    struct coact__lane *bucket[COACT__LANE_BUCKETS];
    size_t lanes;
    struct coact__lane_queue waiting;   /* long ones that have not begun */
    struct coact__lane_queue cutting;   /* long ones in turn */
    struct coact__lane_queue releasing; /* short ones that found no memory */
    unsigned cutting_count;
    uint64_t cutting_bytes;
    uint64_t cutting_max;   /* the peer's longest message */
    size_t cutting_reserve; /* credit that parts leave for short ones */
    uint32_t next_id;
    bool part_is_next;              /* whose turn it is */
    size_t short_bytes, long_bytes; /* queued */
    bool short_refused;
    size_t long_refused;      /* length of the shortest refused; 0: none */
    struct coact__item *dead; /* to be freed outside the lock */
    uint64_t messages, bytes; /* accepted, ever */
};

COACT_CHECKED int coact__outbox_init(struct coact__outbox *box,
                                     const struct coact__outbox_limits *limits);
void coact__outbox_fini(struct coact__outbox *box);

/* A session begins: what its peer takes. */
void coact__outbox_begin(struct coact__outbox *box, uint64_t message_max,
                         uint32_t window);

/* It ended: all that is queued is lost.  Then free what bury returns. */
void coact__outbox_clear(struct coact__outbox *box);

/* Take the list of items that are to be freed, and free it: two calls, so that
   freeing 64 MiB can happen outside a lock. */
struct coact__item *coact__outbox_bury(struct coact__outbox *box);
void coact__item_free_all(struct coact__item *list);

/* A copy of parts, for put_long; NULL without memory. */
struct coact__item *coact__item_new(const struct iovec *parts, int count,
                                    size_t len);

/* len is at most COACT__WHOLE_MAX.  -EAGAIN (no room), -ENOMEM */
COACT_CHECKED int coact__outbox_put(struct coact__outbox *box, uint64_t lane,
                                    bool is_urgent, const struct iovec *parts,
                                    int count, size_t len);

/* True if a long message of this length has room now; false is remembered. */
COACT_CHECKED bool coact__outbox_has_room(struct coact__outbox *box,
                                          size_t len);

/* The item is longer than COACT__WHOLE_MAX and taken if 0 is returned.
   -EAGAIN, -ENOMEM */
COACT_CHECKED int coact__outbox_put_long(struct coact__outbox *box,
                                         uint64_t lane,
                                         struct coact__item *item);

/* The next plaintext that costs at most credit, or NULL.  Give it back with
   done before the next take. */
struct coact__parcel *coact__outbox_take(struct coact__outbox *box,
                                         uint64_t credit);
void coact__outbox_done(struct coact__outbox *box, struct coact__parcel *batch);

bool coact__outbox_is_empty(const struct coact__outbox *box);

/* True once after a refusal, when there is room again. */
COACT_CHECKED bool coact__outbox_has_room_again(struct coact__outbox *box);

/* Append to the open batch, opening one if need be: -ENOMEM.  For lane.c. */
COACT_CHECKED int coact__outbox_append(struct coact__outbox *box,
                                       const struct iovec *parts, int count,
                                       size_t len);

/* lane.c: the entry of a lane, or NULL; queue in it; begin, cut, release. */
struct coact__lane *coact__lane_find(const struct coact__outbox *box,
                                     uint64_t key);
void coact__lane_queue_item(struct coact__lane *lane, struct coact__item *item);
COACT_CHECKED int coact__lane_open(struct coact__outbox *box, uint64_t key,
                                   struct coact__item *item);
void coact__lane_begin_all(struct coact__outbox *box);
void coact__lane_release_all(struct coact__outbox *box);
bool coact__lane_can_cut(const struct coact__outbox *box, uint64_t credit);
void coact__lane_cut(struct coact__outbox *box, struct coact__parcel *into);
void coact__lane_clear(struct coact__outbox *box);

#endif
