/*
 * codec.c - any bytes, decoded as messages of several types.
 *
 * The first byte picks the type.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/mailbox/codec_check.h"
#include "test/mailbox/messages.h"

/* libFuzzer fixes this name, and declares it nowhere. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct coact_type *const types[] = TEST_TYPES;
    if (size != 0) {
        struct coact_type *type =
            types[data[0] % (sizeof(types) / sizeof(types[0]))];
        (void)codec_check(type, data + 1, size - 1);
    }
    return 0;
}
