/*
 * intake.h - what comes out of opened frames, of one session.
 *
 * Records become messages; parts of long ones are collected; credit is counted.
 * All bytes here are authenticated, which means that a member of the cluster
 * sent them, not that they make sense: everything is checked.
 *
 * Memory grows with what has arrived, never with what was announced: a partial
 * message has at most twice the room of its bytes, and all of them together
 * are at most the longest message that we take.
 *
 * Credit is the sum of record bytes, headers included.  granted = received -
 * held + window, and never falls.  What is held is what the owner has not yet
 * dealt with.  Parts are not held while they are collected, for their memory is
 * bounded already, but a long message is held whole if its owner says so.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_TRANSPORT_INTAKE_H
#define COACT_RUNTIME_TRANSPORT_INTAKE_H

#include "runtime/transport/frame.h"

struct coact__partial {
    struct coact__partial *next;
    uint32_t id;
    size_t total, len, room;
    uint8_t *bytes;
};

struct coact__intake {
    uint32_t window;
    uint64_t message_max;
    uint64_t received, held;
    uint64_t granted; /* what the peer has been told */
    struct coact__partial *partials;
    unsigned partial_count;
    uint64_t partial_bytes; /* the sum of their totals */
    bool has_bye, bye_is_answer;
    /* True: dealt with.  False: held. */
    bool (*deliver)(void *context, const uint8_t *bytes, size_t len);
    void *context;
};

/* A session begins. */
void coact__intake_begin(struct coact__intake *in, uint32_t window,
                         uint64_t message_max);

/* It ended: partial messages are dropped. */
void coact__intake_clear(struct coact__intake *in);

/* Take the records of one frame.  -EPROTO (they make no sense, or there was no
   credit for them), -ENOMEM: the session must end. */
COACT_CHECKED int coact__intake_records(struct coact__intake *in,
                                        const uint8_t *plain, size_t len);

/* The owner has dealt with this much of what was held. */
void coact__intake_release(struct coact__intake *in, uint64_t cost);

/* What the peer may be told now; telling it is up to the caller. */
uint64_t coact__intake_grant(const struct coact__intake *in);

/* True if the peer should be told, even if there is nothing else to say. */
bool coact__intake_grant_is_due(const struct coact__intake *in);

#endif
