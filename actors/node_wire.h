/*
 * node_wire.h - the records that nodes send each other (docs/wire.md, "Records").
 *
 * A record is a head of fixed size, little-endian, and a tail that depends on
 * its kind: an encoded message, a reason, or nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_NODE_WIRE_H
#define COACT_ACTORS_NODE_WIRE_H

#include <coact/reason.h>
#include <coact/ref.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum coact__record_kind {
    COACT__RECORD_MESSAGE = 1, /* from, to, type; tail: the payload */
    COACT__RECORD_REQUEST,     /* the same, and caller, call, left_ns */
    COACT__RECORD_REPLY,       /* from, caller, call, type; tail: the payload */
    COACT__RECORD_FAILURE,     /* caller, call, code; tail: the reason */
    COACT__RECORD_WATCH,       /* from the watcher, to the target, id */
    COACT__RECORD_UNWATCH,     /* the same */
    COACT__RECORD_DOWN,        /* from the target, to the watcher, id; reason */
    COACT__RECORD_LINK,        /* from, to, id */
    COACT__RECORD_UNLINK,      /* from, to, id; code: 1 if `from` made it */
    COACT__RECORD_EXIT,        /* the same; tail: the reason; along a link */
    COACT__RECORD_SIGNAL,      /* from, to; tail: the reason; without a link */
    COACT__RECORD_KILL,        /* from, to */
    COACT__RECORD_KINDS
};

/* Every field is in every record; those that a kind does not use are zero. */
struct coact__record {
    uint8_t kind;
    coact_ref from, to; /* for REPLY and FAILURE, `to` is the caller */
    coact_ref caller;
    uint64_t type; /* of the payload; or a monitor's or link's id */
    uint64_t call;
    int64_t left_ns; /* until the caller's deadline */
    int32_t code;
};

#define COACT__RECORD_HEAD (4 + 3 * 16 + 4 * 8)
#define COACT__RECORD_REASON (4 + COACT_REASON_TEXT)

void coact__record_put(const struct coact__record *record,
                       uint8_t head[COACT__RECORD_HEAD]);

/* False: too short, or of no kind that we know. */
bool coact__record_get(struct coact__record *record, const uint8_t *bytes,
                       size_t len);

/* The number of bytes written. */
size_t coact__reason_put(const struct coact_reason *reason,
                         uint8_t bytes[COACT__RECORD_REASON]);
bool coact__reason_get(struct coact_reason *reason, const uint8_t *bytes,
                       size_t len);

#endif
