/*
 * codec_check.h - what must hold for whatever bytes are decoded, whether a test
 * or the fuzzer made them.
 *
 * A failure leaves nothing behind.  A success is a message that encodes to as
 * many bytes as was said, into exactly that room and no less, and those bytes
 * decode to an equal message.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_CODEC_CHECK_H
#define COACT_TEST_CODEC_CHECK_H

#include "mailbox/codec.h"
#include "mailbox/type.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Not assert: these stay on in every build. */
#define CODEC_CHECK(claim)                                                     \
    do {                                                                       \
        if (!(claim)) {                                                        \
            (void)fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__,   \
                          #claim);                                             \
            abort();                                                           \
        }                                                                      \
    } while (0)

static inline bool
codec_all_zero(const void *bytes, size_t count)
{
    const unsigned char *p = bytes;
    while (count != 0 && *p == 0) {
        p++;
        count--;
    }
    return count == 0;
}

/* *message is valid.  length is that of the bytes that it came from: these may
   be longer than its encoding, and so may have granted it more memory. */
static inline void
codec_check_again(struct coact_type *type, const void *message, size_t length)
{
    size_t size = coact__codec_size(type, message);
    uint8_t *bytes = malloc(size + 1);
    void *copy = malloc(type->size);
    CODEC_CHECK(bytes != NULL && copy != NULL);
    ptrdiff_t written = coact__codec_encode(type, message, bytes, size);
    if (written == -EINVAL && size < length) {
        free(bytes);
        free(copy);
        return;
    }
    CODEC_CHECK(written == (ptrdiff_t)size);
    CODEC_CHECK(coact__codec_decode(type, bytes, size, copy, NULL) == 0);
    CODEC_CHECK(coact__type_equal(type, message, copy));
    if (size != 0) {
        CODEC_CHECK(coact__codec_encode(type, copy, bytes, size - 1) ==
                    -EOVERFLOW);
    }
    coact__type_destroy(type, copy);
    free(bytes);
    free(copy);
}

/* The result is whether the bytes were a message. */
static inline bool
codec_check(struct coact_type *type, const void *bytes, size_t length)
{
    void *message = malloc(type->size);
    uint64_t unknown = 0;
    CODEC_CHECK(message != NULL);
    memset(message, 0xa5, type->size);
    int rc = coact__codec_decode(type, bytes, length, message, &unknown);
    if (rc == 0) {
        codec_check_again(type, message, length);
        coact__type_destroy(type, message);
    } else {
        CODEC_CHECK(rc == -EBADMSG || rc == -EOVERFLOW);
        CODEC_CHECK(unknown == 0 && codec_all_zero(message, type->size));
    }
    free(message);
    return rc == 0;
}

#endif
