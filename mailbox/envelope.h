/*
 * envelope.h - what lies in an inbox: a message, or news from the runtime.
 *
 * Everything that reaches an actor begins with an item, which says for which
 * actor of the slot it is and what kind it is.  What a user gets to see is an
 * envelope: an item with a type and a sender, and the payload right behind it,
 * so that a payload's address leads back to its envelope.  A request has, in
 * front of the envelope, whom to answer.
 *
 *     [ request ] [ envelope ] [ payload ... ]
 *                               ^ what the user calls m
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_MAILBOX_ENVELOPE_H
#define COACT_MAILBOX_ENVELOPE_H

#include "runtime/inbox.h"
#include "runtime/scheduler.h"

#include <coact/message.h>
#include <coact/ref.h>

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>

enum coact__kind {
    // These become messages; what a mailbox bounds are the first two.
    COACT__KIND_MESSAGE,
    COACT__KIND_REQUEST,
    COACT__KIND_DOWN,
    COACT__KIND_EXIT_NEWS,
    COACT__KIND_TICK,
    // These are acted upon when they are taken from the inbox.
    COACT__KIND_WATCH,   /* somebody monitors us */
    COACT__KIND_UNWATCH, /* no longer */
    COACT__KIND_LINK,    /* somebody has linked himself to us */
    COACT__KIND_UNLINK,  /* no longer */
    COACT__KIND_EXIT     /* an exit signal */
};

struct coact__item {
    _Alignas(16) struct coact__inbox_node node; /* first; see inbox.h */
    uint32_t generation;                        /* the receiver's */
    uint16_t number;                            /* in its accepts struct */
    union {
        struct {
            uint8_t size_class : 3; /* of the block */
            uint8_t owns : 1;       /* its payload is to be destroyed */
            uint8_t kind : 4;       /* enum coact__kind */
        };
        uint8_t form; /* all three: see COACT__FORM_PLAIN_END */
    };
    uint8_t sender_role; /* 0: none; or one more than the role */
};

/* Below it are the forms of what needs no more at its end than to be put back: a
   message that owns nothing, in a block of a cache. */
#define COACT__FORM_PLAIN_END ((uint8_t)COACT__BLOCK_LARGE)

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the class is in the low bits of a form");

struct coact__envelope {
    struct coact__item item;      /* first */
    struct coact__envelope *back; /* in the list of what its actor holds */
    struct coact_type *type;      /* NULL for news */
    coact_ref from;
};

/* Whom to answer.  The call is over when the caller's number has moved on. */
struct coact__request {
    coact_ref caller;
    uint64_t call; /* 0: it has been answered */
    int64_t deadline_ns;
};

_Static_assert(sizeof(struct coact__item) == 16, "two to an envelope's line");
_Static_assert(sizeof(struct coact__envelope) % 16 == 0,
               "a payload must be aligned for anything");
_Static_assert(sizeof(struct coact__request) % 16 == 0,
               "so must the envelope behind a request");

static inline void *
coact__payload_of(struct coact__envelope *envelope)
{
    return envelope + 1;
}

static inline struct coact__envelope *
coact__envelope_of(const void *payload)
{
    return (struct coact__envelope *)(uintptr_t)payload - 1;
}

static inline struct coact__request *
coact__request_of(struct coact__envelope *envelope)
{
    return (struct coact__request *)envelope - 1;
}

static inline struct coact__envelope *
coact__envelope_of_item(struct coact__item *item)
{
    return (struct coact__envelope *)item; // its first member
}

/* The next in the list that it is on. */
static inline struct coact__envelope *
coact__envelope_next(const struct coact__envelope *envelope)
{
    return (struct coact__envelope *)(void *)envelope->item.node.next;
}

/* What is written into a fresh envelope but for what its sender knows: number,
   generation, role and address. */
static inline struct coact__envelope *
coact__envelope_write(void *block, enum coact__kind kind, uint8_t size_class,
                      struct coact_type *type)
{
    size_t front =
        kind == COACT__KIND_REQUEST ? sizeof(struct coact__request) : 0;
    struct coact__envelope *envelope =
        (struct coact__envelope *)(void *)((char *)block + front);
    envelope->item.form = (uint8_t)((unsigned)kind << 4 | size_class);
    envelope->type = type;
    return envelope;
}

/* A message from the cache of the worker that we run on; its type's facts are
   known.  NULL: the other way may still find memory. */
static inline struct coact__envelope *
coact__envelope_new_on(struct coact__worker *worker, struct coact_type *type,
                       uint8_t size_class)
{
    void *block = coact__blocks_pop(&worker->blocks, size_class);
    return block != NULL ? coact__envelope_write(block, COACT__KIND_MESSAGE,
                                                 size_class, type)
                         : NULL;
}

/* A message or a request of this type with room for its payload, which is not
   written.  NULL when there is no memory. */
struct coact__envelope *coact__envelope_new(struct coact__scheduler *scheduler,
                                            enum coact__kind kind,
                                            struct coact_type *type);

/* Give the memory back, without destroying the payload. */
void coact__envelope_free(struct coact__scheduler *scheduler,
                          struct coact__envelope *envelope);

#endif
