/*
 * random_message.c - a message of any type, made from a seed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/mailbox/random_message.h"

#include "mailbox/type.h"
#include "runtime/memory.h"

#include <string.h>

#define LEVELS 4 /* of messages in messages; then lists stay empty */

/* splitmix64: any state is a good one. */
uint64_t
random_next(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t
below(uint64_t *state, uint64_t n)
{
    return random_next(state) % n;
}

/* Bits of any kind of number: small, near a power of two, or anything. */
static uint64_t
number(uint64_t *state)
{
    uint64_t bits = random_next(state);
    switch (below(state, 4)) {
    case 0:
        return 0;
    case 1:
        return bits & 0xff;
    case 2:
        return (UINT64_C(1) << (bits & 63)) - (bits >> 63);
    default:
        return bits;
    }
}

static bool
fill_blob(const struct coact_field *field, void *at, uint64_t *state)
{
    static const char *const texts[] = {"a", "plain text",
                                        "na\xc3\xafve \xe2\x82\xac",
                                        "\xf0\x9f\x8c\xb1 tree", "\x7f\x01"};
    uint64_t which = below(state, 8);
    struct coact__blob blob = {NULL, 0};
    if (field->kind == COACT_KIND_TEXT && which < 5) {
        coact_text text = coact_text_copy(texts[which]);
        blob = (struct coact__blob){text.data, text.bytes};
    } else if (field->kind == COACT_KIND_BYTES && which < 7) {
        size_t bytes = which == 6 ? 150 : (size_t)which;
        coact_bytes fresh = coact_bytes_new(bytes);
        memset(fresh.data != NULL ? fresh.data : at, (int)below(state, 256),
               fresh.data != NULL ? bytes : 0);
        blob = (struct coact__blob){fresh.data, fresh.bytes};
    }
    if (blob.data == NULL && blob.bytes != 0) {
        return false;
    }
    memcpy(at, &blob, sizeof(blob));
    return true;
}

static bool fill(struct coact_type *type, void *message, uint64_t *state,
                 int level);

static bool
fill_item(const struct coact_field *field, void *at, uint64_t *state, int level)
{
    uint64_t bits = number(state);
    switch (field->kind) {
    case COACT_KIND_TEXT:
    case COACT_KIND_BYTES:
        return fill_blob(field, at, state);
    case COACT_KIND_NESTED:
        return fill(field->of, at, state, level + 1);
    case COACT_KIND_BOOL:
        *(bool *)at = (bits & 1) != 0;
        return true;
    case COACT_KIND_REF: {
        coact_ref ref = {(uint32_t)bits, (uint32_t)(bits >> 32),
                         (uint32_t)number(state), (uint32_t)number(state)};
        memcpy(at, &ref, sizeof(ref));
        return true;
    }
    case COACT_KIND_FLOAT:
    case COACT_KIND_DOUBLE:
        // No negative zero: protobuf-c does not send it.
        bits |= (bits << 1) == 0 || (uint32_t)(bits << 1) == 0;
        memcpy(at, &bits, coact__type_item_bytes(field));
        return true;
    default:
        // Little endian or not, any bytes are a number.
        memcpy(at, &bits, coact__type_item_bytes(field));
        return true;
    }
}

static bool
fill_list(const struct coact_field *field, void *at, uint64_t *state, int level)
{
    size_t bytes = coact__type_item_bytes(field);
    size_t count = below(state, 8) == 0 ? 40 : (size_t)below(state, 4);
    if (count == 0 || level >= LEVELS) {
        return true;
    }
    count = field->kind == COACT_KIND_NESTED && count > 3 ? 3 : count;
    struct coact__list list = {coact_list_new(count, bytes), count};
    if (list.data == NULL) {
        return false;
    }
    memcpy(at, &list, sizeof(list));
    bool filled = true;
    for (size_t i = 0; i < count && filled; i++) {
        filled = fill_item(field, (char *)list.data + i * bytes, state, level);
    }
    return filled;
}

static bool
fill(struct coact_type *type, void *message, uint64_t *state, int level)
{
    bool filled = true;
    for (size_t i = 0; i < type->field_count && filled; i++) {
        const struct coact_field *field = &type->fields[i];
        void *at = (char *)message + field->offset;
        if (below(state, 4) == 0) {
            continue;
        }
        filled = field->repeated ? fill_list(field, at, state, level)
                                 : fill_item(field, at, state, level);
    }
    return filled;
}

bool
random_message(struct coact_type *type, void *message, uint64_t *state)
{
    memset(message, 0, type->size);
    bool filled = fill(type, message, state, 1);
    if (!filled) {
        coact_message_destroy(type, message);
    }
    return filled;
}
