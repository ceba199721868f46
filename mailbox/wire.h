/*
 * wire.h - the Protocol Buffers encoding below the level of messages.
 *
 * A message is a row of fields; a field is a tag and a value; a tag is
 * number << 3 | wire type, as a varint.  A varint has seven bits in each byte,
 * the lowest first, and the top bit set in all but the last.  Zigzag maps
 * 0 -1 1 -2 … to 0 1 2 3 …, so that small negative numbers stay short.
 *
 * Readers take a cursor and an end and move the cursor only when they succeed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_MAILBOX_WIRE_H
#define COACT_MAILBOX_WIRE_H

#include <coact/message.h>

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum coact__wire {
    COACT__WIRE_VARINT = 0,
    COACT__WIRE_64 = 1,
    COACT__WIRE_BYTES = 2, /* a length and that many bytes */
    COACT__WIRE_32 = 5
};

#define COACT__VARINT_MAX 10 /* bytes */

/* An address on the wire: four fixed32 with one-byte tags. */
#define COACT__REF_BYTES_MAX 20

/* How a value of this kind is encoded. */
static inline enum coact__wire
coact__wire_of(uint8_t kind)
{
    if (kind <= COACT_KIND_ENUM) {
        return COACT__WIRE_VARINT;
    }
    if (kind == COACT_KIND_FLOAT) {
        return COACT__WIRE_32;
    }
    return kind == COACT_KIND_DOUBLE ? COACT__WIRE_64 : COACT__WIRE_BYTES;
}

static inline size_t
coact__varint_bytes(uint64_t value)
{
    // 7 bits a byte: ceil(bits / 7), with 1 for 0, as a multiplication.
    unsigned bits = 63U - (unsigned)__builtin_clzll(value | 1);
    return (bits * 9 + 73) / 64;
}

/* There is room for it. */
static inline uint8_t *
coact__varint_write(uint8_t *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

/* False if the bytes end inside it or it has more than 64 bits. */
static inline bool
coact__varint_read(const uint8_t **at, const uint8_t *end, uint64_t *value)
{
    const uint8_t *p = *at;
    if (p < end && *p < 0x80) {
        *value = *p;
        *at = p + 1;
        return true;
    }
    uint64_t sum = 0;
    for (unsigned shift = 0; p < end && shift < 64; shift += 7) {
        uint8_t byte = *p++;
        if (shift == 63 && byte > 1) {
            return false;
        }
        sum |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = sum;
            *at = p;
            return true;
        }
    }
    return false;
}

static inline uint64_t
coact__zigzag(int64_t value)
{
    return ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0);
}

static inline int64_t
coact__unzigzag(uint64_t value)
{
    uint64_t bits = (value >> 1) ^ ((value & 1) != 0 ? UINT64_MAX : 0);
    int64_t result;
    memcpy(&result, &bits, sizeof(result));
    return result;
}

static inline uint8_t *
coact__fixed32_write(uint8_t *at, uint32_t value)
{
    uint32_t little = htole32(value);
    memcpy(at, &little, sizeof(little));
    return at + sizeof(little);
}

static inline uint8_t *
coact__fixed64_write(uint8_t *at, uint64_t value)
{
    uint64_t little = htole64(value);
    memcpy(at, &little, sizeof(little));
    return at + sizeof(little);
}

static inline uint32_t
coact__fixed32_load(const uint8_t *at)
{
    uint32_t little;
    memcpy(&little, at, sizeof(little));
    return le32toh(little);
}

static inline uint64_t
coact__fixed64_load(const uint8_t *at)
{
    uint64_t little;
    memcpy(&little, at, sizeof(little));
    return le64toh(little);
}

static inline uint64_t
coact__wire_tag(uint32_t number, enum coact__wire wire)
{
    return (uint64_t)number << 3 | (uint64_t)wire;
}

/* The loads are copies of bytes, since a member of a user's struct may have any
   type of that size: an enum, a long. */
#define COACT__LOAD(T, from)                                                   \
    T value;                                                                   \
    memcpy(&value, from, sizeof(value))

/* The bits of a value in memory as they are encoded: for kinds that are a
   varint or fixed. */
static inline uint64_t
coact__wire_load(uint8_t kind, const void *from)
{
    switch ((enum coact_kind)kind) {
    case COACT_KIND_BOOL:
    case COACT_KIND_U8: {
        COACT__LOAD(uint8_t, from);
        return value;
    }
    case COACT_KIND_U16: {
        COACT__LOAD(uint16_t, from);
        return value;
    }
    case COACT_KIND_U32:
    case COACT_KIND_FLOAT: {
        COACT__LOAD(uint32_t, from);
        return value;
    }
    case COACT_KIND_U64:
    case COACT_KIND_DOUBLE: {
        COACT__LOAD(uint64_t, from);
        return value;
    }
    case COACT_KIND_I8: {
        COACT__LOAD(int8_t, from);
        return coact__zigzag(value);
    }
    case COACT_KIND_I16: {
        COACT__LOAD(int16_t, from);
        return coact__zigzag(value);
    }
    case COACT_KIND_I32: {
        COACT__LOAD(int32_t, from);
        return coact__zigzag(value);
    }
    case COACT_KIND_I64: {
        COACT__LOAD(int64_t, from);
        return coact__zigzag(value);
    }
    case COACT_KIND_ENUM: {
        COACT__LOAD(int32_t, from);
        return (uint64_t)(int64_t)value; // negative ones take ten bytes
    }
    case COACT_KIND_NONE:
    case COACT_KIND_TEXT:
    case COACT_KIND_BYTES:
    case COACT_KIND_REF:
    case COACT_KIND_NESTED:
        break;
    }
    return 0;
}

/* Narrow, or say that it does not fit. */
#define COACT__STORE(T, wide, to)                                              \
    do {                                                                       \
        T narrow = (T)(wide);                                                  \
        if (narrow != (wide)) {                                                \
            return false;                                                      \
        }                                                                      \
        memcpy(to, &narrow, sizeof(narrow));                                   \
        return true;                                                           \
    } while (0)

static inline bool
coact__store_signed(uint8_t kind, int64_t number, void *to)
{
    if (kind == COACT_KIND_I8) {
        COACT__STORE(int8_t, number, to);
    }
    if (kind == COACT_KIND_I16) {
        COACT__STORE(int16_t, number, to);
    }
    if (kind == COACT_KIND_I64) {
        COACT__STORE(int64_t, number, to);
    }
    COACT__STORE(int32_t, number, to);
}

/* The other way round.  False if the bits do not fit the kind: a newer sender
   may have made the field wider, and half a number is worse than none. */
static inline bool
coact__wire_store(uint8_t kind, uint64_t bits, void *to)
{
    switch ((enum coact_kind)kind) {
    case COACT_KIND_BOOL: {
        bool is_true = bits != 0;
        memcpy(to, &is_true, sizeof(is_true));
        return true;
    }
    case COACT_KIND_U8:
        COACT__STORE(uint8_t, bits, to);
    case COACT_KIND_U16:
        COACT__STORE(uint16_t, bits, to);
    case COACT_KIND_U32:
    case COACT_KIND_FLOAT:
        COACT__STORE(uint32_t, bits, to);
    case COACT_KIND_U64:
    case COACT_KIND_DOUBLE:
        COACT__STORE(uint64_t, bits, to);
    case COACT_KIND_I8:
    case COACT_KIND_I16:
    case COACT_KIND_I32:
    case COACT_KIND_I64:
        return coact__store_signed(kind, coact__unzigzag(bits), to);
    case COACT_KIND_ENUM:
        return coact__store_signed(kind, (int64_t)bits, to);
    case COACT_KIND_NONE:
    case COACT_KIND_TEXT:
    case COACT_KIND_BYTES:
    case COACT_KIND_REF:
    case COACT_KIND_NESTED:
        break;
    }
    return false;
}

/* True if these bytes are UTF-8: no surrogates, nothing overlong, nothing above
   U+10FFFF.  Zero bytes are allowed. */
bool coact__utf8_is_valid(const void *text, size_t bytes);

#endif
