/*
 * codec_help.h - encoding and decoding in one line, for the tests of the codec.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_CODEC_HELP_H
#define COACT_TEST_CODEC_HELP_H

#include "mailbox/codec.h"
#include "test/mailbox/codec_check.h"
#include "test/mailbox/messages.h"
#include "test/mailbox/random_message.h"
#include "test/support/suite.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX 65536

static struct coact_type *const types[] = TEST_TYPES;

enum { TYPE_COUNT = sizeof(types) / sizeof(types[0]) };

/* Encode into buf; the message must fit. */
static inline size_t
encode(struct coact_type *type, const void *message, uint8_t *buf)
{
    ptrdiff_t bytes = coact__codec_encode(type, message, buf, BYTES_MAX);
    ck_assert_int_ge(bytes, 0);
    return (size_t)bytes;
}

/* Encode a random message, never an empty one. */
static inline size_t
encode_random(struct coact_type *type, uint64_t *state, uint8_t *buf)
{
    void *message = malloc(type->size);
    size_t bytes;
    do {
        ck_assert(random_message(type, message, state));
        bytes = encode(type, message, buf);
        coact__type_destroy(type, message);
    } while (bytes == 0 && type->field_count != 0);
    free(message);
    return bytes;
}

static inline int
decode(struct coact_type *type, const char *bytes, size_t length, void *message)
{
    // A block of that very length, so that a step beyond it is seen.
    void *block = malloc(length + (length == 0));
    memcpy(block, bytes, length);
    int rc = coact__codec_decode(type, block, length, message, NULL);
    free(block);
    return rc;
}

#define DECODE(type, literal, message)                                         \
    decode(COACT_TYPE(type), literal, sizeof(literal) - 1, message)

#endif
