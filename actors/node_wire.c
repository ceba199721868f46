/*
 * node_wire.c - records to bytes and back.
 *
 *   0   kind, then three zero bytes
 *   4   from     node, incarnation, slot, generation: 4 bytes each
 *   20  to
 *   36  caller
 *   52  type, call, left_ns: 8 bytes each
 *   76  code, 4 bytes; then four zero bytes
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/node_wire.h"

#include <endian.h>
#include <string.h>

static uint8_t *
put32(uint8_t *at, uint32_t value)
{
    value = htole32(value);
    memcpy(at, &value, sizeof(value));
    return at + sizeof(value);
}

static uint8_t *
put64(uint8_t *at, uint64_t value)
{
    value = htole64(value);
    memcpy(at, &value, sizeof(value));
    return at + sizeof(value);
}

static uint8_t *
put_ref(uint8_t *at, coact_ref ref)
{
    at = put32(at, ref.node);
    at = put32(at, ref.incarnation);
    at = put32(at, ref.slot);
    return put32(at, ref.generation);
}

static uint32_t
get32(const uint8_t **at)
{
    uint32_t value;
    memcpy(&value, *at, sizeof(value));
    *at += sizeof(value);
    return le32toh(value);
}

static uint64_t
get64(const uint8_t **at)
{
    uint64_t value;
    memcpy(&value, *at, sizeof(value));
    *at += sizeof(value);
    return le64toh(value);
}

static coact_ref
get_ref(const uint8_t **at)
{
    coact_ref ref;
    ref.node = get32(at);
    ref.incarnation = get32(at);
    ref.slot = get32(at);
    ref.generation = get32(at);
    return ref;
}

void
coact__record_put(const struct coact__record *record,
                  uint8_t head[COACT__RECORD_HEAD])
{
    uint8_t *at = put32(head, record->kind);
    at = put_ref(at, record->from);
    at = put_ref(at, record->to);
    at = put_ref(at, record->caller);
    at = put64(at, record->type);
    at = put64(at, record->call);
    at = put64(at, (uint64_t)record->left_ns);
    at = put32(at, (uint32_t)record->code);
    put32(at, 0);
}

bool
coact__record_get(struct coact__record *record, const uint8_t *bytes,
                  size_t len)
{
    if (len < COACT__RECORD_HEAD) {
        return false;
    }
    uint32_t kind = get32(&bytes);
    record->kind = (uint8_t)kind;
    record->from = get_ref(&bytes);
    record->to = get_ref(&bytes);
    record->caller = get_ref(&bytes);
    record->type = get64(&bytes);
    record->call = get64(&bytes);
    record->left_ns = (int64_t)get64(&bytes);
    record->code = (int32_t)get32(&bytes);
    return kind > 0 && kind < COACT__RECORD_KINDS;
}

size_t
coact__reason_put(const struct coact_reason *reason,
                  uint8_t bytes[COACT__RECORD_REASON])
{
    size_t text = strnlen(reason->text, COACT_REASON_TEXT - 1);
    put32(bytes, (uint32_t)reason->code);
    memcpy(bytes + 4, reason->text, text);
    return 4 + text;
}

bool
coact__reason_get(struct coact_reason *reason, const uint8_t *bytes, size_t len)
{
    if (len < 4 || len > COACT__RECORD_REASON - 1) {
        return false;
    }
    memset(reason, 0, sizeof(*reason));
    reason->code = (int32_t)get32(&bytes);
    memcpy(reason->text, bytes, len - 4);
    return true;
}
