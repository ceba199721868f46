/*
 * frame.h - what the bytes of a frame mean.
 *
 * Two shapes, told apart by the first byte.  A handshake frame has a fixed size
 * and a MAC; a data frame has a header of fixed size in the clear, and the rest
 * is sealed.  All numbers are little-endian.  docs/wire.md has the tables.
 *
 * Nothing here trusts a byte: the readers say whether a frame has the shape,
 * and nobody looks behind the fixed header before MAC or seal are checked.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_TRANSPORT_FRAME_H
#define COACT_RUNTIME_TRANSPORT_FRAME_H

#include "runtime/transport/crypto.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COACT__FRAME_VERSION 1u

enum coact__frame_type {
    COACT__FRAME_KNOCK = 1, /* higher id to lower: please begin */
    COACT__FRAME_M1 = 2,    /* lower to higher: my half of the key */
    COACT__FRAME_M2 = 3,    /* the answer: my half */
    COACT__FRAME_DATA = 4,
};

/* A handshake frame. */
struct coact__hello {
    uint8_t type;
    uint32_t from, to;
    uint32_t window; /* what the sender lets us send unread */
    uint64_t incarnation;
    uint64_t message_max; /* the longest message that it takes */
    uint64_t session;     /* what our data frames to it must carry */
    uint8_t open_key[COACT__KEY_BYTES];
    uint8_t answers[COACT__HASH_BYTES]; /* M2: the hash of M1 */
};

#define COACT__HELLO_BYTES 136u

/* The header of a data frame, and what begins its sealed part. */
struct coact__data {
    uint32_t from;
    uint64_t session;
    uint64_t seq;
};

#define COACT__DATA_HEADER 24u
#define COACT__DATA_PREFIX 24u /* granted, heard, progress: u64 each */

/* Room for prefix and records.  16 KiB is where batching has paid all that it
   will, and the loss and the memory per step are still small. */
#define COACT__FRAME_PLAIN 16384u
#define COACT__FRAME_MAX                                                       \
    (COACT__DATA_HEADER + COACT__FRAME_PLAIN + COACT__SEAL_BYTES)
#define COACT__FRAME_MIN                                                       \
    (COACT__DATA_HEADER + COACT__DATA_PREFIX + COACT__SEAL_BYTES)

/* A record: u32 kind << 28 | length, then the bytes. */
enum coact__record_kind {
    COACT__RECORD_MESSAGE = 1, /* a whole message */
    COACT__RECORD_FIRST = 2, /* u32 id, u64 length, first bytes of a long one */
    COACT__RECORD_PART = 3,  /* u32 id, more bytes */
    COACT__RECORD_BYE = 4,   /* u8: 1 if it answers a BYE */
};

#define COACT__RECORD_HEADER 4u
#define COACT__RECORD_LEN_MASK 0x0fffffffu
#define COACT__FIRST_HEADER 12u
#define COACT__PART_HEADER 4u

/* The longest message that one frame can carry whole. */
#define COACT__WHOLE_MAX                                                       \
    (COACT__FRAME_PLAIN - COACT__DATA_PREFIX - COACT__RECORD_HEADER)

/* Long messages that may be on their way to one peer at the same time. */
#define COACT__PARTIAL_MAX 64u

static inline void
coact__put_u32(uint8_t *at, uint32_t v)
{
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(v >> (8 * i));
    }
}

static inline void
coact__put_u64(uint8_t *at, uint64_t v)
{
    for (int i = 0; i < 8; i++) {
        at[i] = (uint8_t)(v >> (8 * i));
    }
}

static inline uint32_t
coact__get_u32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
           (uint32_t)at[3] << 24;
}

static inline uint64_t
coact__get_u64(const uint8_t *at)
{
    return (uint64_t)coact__get_u32(at) | (uint64_t)coact__get_u32(at + 4)
                                              << 32;
}

/* What a frame claims to be, by its first bytes alone. */
enum coact__frame_shape {
    COACT__SHAPE_BAD,
    COACT__SHAPE_OTHER_VERSION,
    COACT__SHAPE_HELLO,
    COACT__SHAPE_DATA,
};

/* *from is set for HELLO and DATA: whom it claims to be from. */
enum coact__frame_shape coact__frame_shape(const uint8_t *frame, size_t len,
                                           uint32_t *from);

void coact__hello_write(const struct coact__keys *keys,
                        const struct coact__hello *hello,
                        uint8_t out[COACT__HELLO_BYTES]);

/* False if the MAC does not fit.  The shape has been checked. */
COACT_CHECKED bool coact__hello_read(const struct coact__keys *keys,
                                     const uint8_t frame[COACT__HELLO_BYTES],
                                     struct coact__hello *out);

void coact__data_header_write(const struct coact__data *data,
                              uint8_t out[COACT__DATA_HEADER]);
void coact__data_header_read(const uint8_t frame[COACT__DATA_HEADER],
                             struct coact__data *out);

/* Write a record's header; the bytes follow at out + COACT__RECORD_HEADER. */
void coact__record_write(uint8_t *out, enum coact__record_kind kind,
                         size_t len);

#endif
