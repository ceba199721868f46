/*
 * codec_encode.c - a message to bytes, in one pass.
 *
 * A nested message, an address list or a packed list starts with its length,
 * which is known only behind it.  One byte is left for it; if it turns out to
 * need more, the content is moved up.  Most are shorter than 128 bytes, so most
 * are never moved, and nothing is measured before it is written.
 *
 * The size walk is the same walk without the writing.  It is taken only when a
 * frame had no room.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mailbox/codec.h"
#include "mailbox/type.h"
#include "mailbox/wire.h"

/* Where the next byte goes, and what the receiver will have to allocate. */
struct writer {
    uint8_t *at;
    uint8_t *end;
    size_t memory;
};

static int encode_message(struct writer *w, const struct coact_type *type,
                          const void *payload, int level);

static size_t
room(const struct writer *w)
{
    return (size_t)(w->end - w->at);
}

static int
write_varint(struct writer *w, uint64_t value)
{
    if (room(w) < COACT__VARINT_MAX && room(w) < coact__varint_bytes(value)) {
        return -EOVERFLOW;
    }
    w->at = coact__varint_write(w->at, value);
    return 0;
}

static int
write_bytes(struct writer *w, const void *bytes, size_t length)
{
    if (room(w) < length) {
        return -EOVERFLOW;
    }
    memcpy(w->at, bytes, length);
    w->at += length;
    return 0;
}

static int
write_value(struct writer *w, enum coact__wire wire, uint64_t bits)
{
    if (wire == COACT__WIRE_VARINT) {
        return write_varint(w, bits);
    }
    if (room(w) < (wire == COACT__WIRE_32 ? sizeof(uint32_t) : sizeof(bits))) {
        return -EOVERFLOW;
    }
    w->at = wire == COACT__WIRE_32 ? coact__fixed32_write(w->at, (uint32_t)bits)
                                   : coact__fixed64_write(w->at, bits);
    return 0;
}

static int
write_tag(struct writer *w, const struct coact_field *field,
          enum coact__wire wire)
{
    return write_varint(w, coact__wire_tag(field->number, wire));
}

/* Leave a byte for a length.  The content starts at w->at. */
static int
open_length(struct writer *w, const struct coact_field *field)
{
    int rc = write_tag(w, field, COACT__WIRE_BYTES);
    if (rc == 0 && room(w) == 0) {
        rc = -EOVERFLOW;
    }
    w->at += rc == 0;
    return rc;
}

static int
close_length(struct writer *w, uint8_t *start)
{
    size_t length = (size_t)(w->at - start);
    size_t more = coact__varint_bytes(length) - 1;
    if (more != 0) {
        if (room(w) < more) {
            return -EOVERFLOW;
        }
        memmove(start + more, start, length);
        w->at += more;
    }
    (void)coact__varint_write(start - 1, length);
    return 0;
}

static int
encode_blob(struct writer *w, const struct coact_field *field,
            const struct coact__blob *blob)
{
    if (blob->data == NULL && blob->bytes != 0) {
        return -ENOMEM;
    }
    if (field->kind == COACT_KIND_TEXT &&
        !coact__utf8_is_valid(blob->data, blob->bytes)) {
        return -EINVAL;
    }
    int rc = write_tag(w, field, COACT__WIRE_BYTES);
    rc = rc != 0 ? rc : write_varint(w, blob->bytes);
    if (rc != 0 || blob->bytes == 0) {
        return rc;
    }
    w->memory += blob->bytes + 1;
    return write_bytes(w, blob->data, blob->bytes);
}

/* The content of an address: what is 0 is left out, as in any message. */
static size_t
put_ref(uint8_t *to, const void *address)
{
    uint32_t words[4];
    _Static_assert(sizeof(words) == sizeof(coact_ref), "four words");
    memcpy(words, address, sizeof(words));
    uint8_t *at = to;
    for (uint32_t i = 0; i < 4; i++) {
        if (words[i] != 0) {
            *at++ = (uint8_t)coact__wire_tag(i + 1, COACT__WIRE_32);
            at = coact__fixed32_write(at, words[i]);
        }
    }
    return (size_t)(at - to);
}

/* Inside a message an address that names nobody is left out, inside a list it
   is an empty item. */
static int
encode_ref(struct writer *w, const struct coact_field *field,
           const void *address)
{
    uint8_t content[COACT__REF_BYTES_MAX];
    size_t length = put_ref(content, address);
    if (length == 0 && !field->repeated) {
        return 0;
    }
    int rc = write_tag(w, field, COACT__WIRE_BYTES);
    rc = rc != 0 ? rc : write_varint(w, length);
    return rc != 0 ? rc : write_bytes(w, content, length);
}

/* A message that is all zero is left out, except in a list.  So with no room for
   a tag it may still fit: then it writes nothing into no room. */
static int
encode_nested(struct writer *w, const struct coact_field *field,
              const void *payload, int level)
{
    uint8_t *before = w->at;
    int rc = open_length(w, field);
    if (rc != 0 && !field->repeated) {
        struct writer none = {before, before, 0};
        w->at = before;
        return encode_message(&none, field->of, payload, level + 1);
    }
    if (rc != 0) {
        return rc;
    }
    uint8_t *start = w->at;
    rc = encode_message(w, field->of, payload, level + 1);
    if (rc == 0 && w->at == start && !field->repeated) {
        w->at = before;
        return 0;
    }
    return rc != 0 ? rc : close_length(w, start);
}

static int
encode_packed(struct writer *w, const struct coact_field *field,
              const struct coact__list *list)
{
    int rc = open_length(w, field);
    if (rc != 0) {
        return rc;
    }
    uint8_t *start = w->at;
    enum coact__wire wire = coact__wire_of(field->kind);
    size_t bytes = coact__type_item_bytes(field);
    const char *item = list->data;
    for (size_t i = 0; i < list->count && rc == 0; i++, item += bytes) {
        rc = write_value(w, wire, coact__wire_load(field->kind, item));
    }
    return rc != 0 ? rc : close_length(w, start);
}

static int
encode_item(struct writer *w, const struct coact_field *field, const void *item,
            int level)
{
    if (field->kind == COACT_KIND_REF) {
        return encode_ref(w, field, item);
    }
    if (field->kind == COACT_KIND_NESTED) {
        return encode_nested(w, field, item, level);
    }
    struct coact__blob blob = coact__blob_load(item);
    return encode_blob(w, field, &blob);
}

static int
encode_list(struct writer *w, const struct coact_field *field,
            const void *member, int level)
{
    struct coact__list list = coact__list_load(member);
    if (list.count == 0) {
        return 0;
    }
    if (list.data == NULL) {
        return -ENOMEM;
    }
    size_t bytes = coact__type_item_bytes(field);
    w->memory += list.count * bytes;
    if (coact__wire_of(field->kind) != COACT__WIRE_BYTES) {
        return encode_packed(w, field, &list);
    }
    int rc = 0;
    const char *item = list.data;
    for (size_t i = 0; i < list.count && rc == 0; i++, item += bytes) {
        rc = encode_item(w, field, item, level);
    }
    return rc;
}

static int
encode_field(struct writer *w, const struct coact_field *field,
             const void *member, int level)
{
    if (field->repeated) {
        return encode_list(w, field, member, level);
    }
    enum coact__wire wire = coact__wire_of(field->kind);
    if (wire != COACT__WIRE_BYTES) {
        uint64_t bits = coact__wire_load(field->kind, member);
        if (bits == 0) {
            return 0;
        }
        int rc = write_tag(w, field, wire);
        return rc != 0 ? rc : write_value(w, wire, bits);
    }
    if (field->kind == COACT_KIND_TEXT || field->kind == COACT_KIND_BYTES) {
        struct coact__blob blob = coact__blob_load(member);
        return blob.bytes == 0 ? 0 : encode_blob(w, field, &blob);
    }
    return encode_item(w, field, member, level);
}

static int
encode_message(struct writer *w, const struct coact_type *type,
               const void *payload, int level)
{
    if (type->local) {
        return -ENOTSUP;
    }
    if (level > COACT__NESTING_MAX) {
        return -EINVAL;
    }
    int rc = 0;
    for (size_t i = 0; i < type->field_count && rc == 0; i++) {
        const struct coact_field *field = &type->fields[i];
        rc = encode_field(w, field, (const char *)payload + field->offset,
                          level);
    }
    return rc;
}

ptrdiff_t
coact__codec_encode(const struct coact_type *type, const void *payload,
                    // NOLINTNEXTLINE(readability-non-const-parameter)
                    uint8_t *buf, size_t room) // which the writer writes to
{
    if (room > COACT__CODEC_BYTES_MAX) {
        room = COACT__CODEC_BYTES_MAX;
    }
    struct writer w = {buf, buf + room, 0};
    int rc = encode_message(&w, type, payload, 1);
    if (rc != 0) {
        return rc;
    }
    size_t length = (size_t)(w.at - buf);
    if (w.memory > COACT__CODEC_MEMORY_FREE &&
        w.memory - COACT__CODEC_MEMORY_FREE >
            length * COACT__CODEC_MEMORY_FACTOR) {
        return -EINVAL;
    }
    return (ptrdiff_t)length;
}

static size_t message_bytes(const struct coact_type *type, const void *payload,
                            int level);

static size_t
with_length(const struct coact_field *field, size_t content)
{
    uint64_t tag = coact__wire_tag(field->number, COACT__WIRE_BYTES);
    return coact__varint_bytes(tag) + coact__varint_bytes(content) + content;
}

static size_t
value_bytes(enum coact__wire wire, uint64_t bits)
{
    if (wire == COACT__WIRE_VARINT) {
        return coact__varint_bytes(bits);
    }
    return wire == COACT__WIRE_32 ? sizeof(uint32_t) : sizeof(uint64_t);
}

static size_t
content_bytes(const struct coact_field *field, const void *item, int level)
{
    if (field->kind == COACT_KIND_REF) {
        uint8_t content[COACT__REF_BYTES_MAX];
        return put_ref(content, item);
    }
    if (field->kind == COACT_KIND_NESTED) {
        return message_bytes(field->of, item, level + 1);
    }
    return coact__blob_load(item).bytes;
}

static size_t
list_bytes(const struct coact_field *field, const void *member, int level)
{
    struct coact__list list = coact__list_load(member);
    if (list.data == NULL || list.count == 0) {
        return 0;
    }
    enum coact__wire wire = coact__wire_of(field->kind);
    size_t bytes = coact__type_item_bytes(field);
    const char *item = list.data;
    size_t sum = 0;
    for (size_t i = 0; i < list.count; i++, item += bytes) {
        sum += wire == COACT__WIRE_BYTES
                   ? with_length(field, content_bytes(field, item, level))
                   : value_bytes(wire, coact__wire_load(field->kind, item));
    }
    return wire == COACT__WIRE_BYTES ? sum : with_length(field, sum);
}

static size_t
field_bytes(const struct coact_field *field, const void *member, int level)
{
    if (field->repeated) {
        return list_bytes(field, member, level);
    }
    enum coact__wire wire = coact__wire_of(field->kind);
    if (wire == COACT__WIRE_BYTES) {
        size_t content = content_bytes(field, member, level);
        return content == 0 ? 0 : with_length(field, content);
    }
    uint64_t bits = coact__wire_load(field->kind, member);
    return bits == 0
               ? 0
               : coact__varint_bytes(coact__wire_tag(field->number, wire)) +
                     value_bytes(wire, bits);
}

/* Too deep counts as empty: encoding will say -EINVAL. */
static size_t
message_bytes(const struct coact_type *type, const void *payload, int level)
{
    size_t sum = 0;
    for (size_t i = 0; i < type->field_count && level <= COACT__NESTING_MAX;
         i++) {
        const struct coact_field *field = &type->fields[i];
        sum += field_bytes(field, (const char *)payload + field->offset, level);
    }
    return sum;
}

size_t
coact__codec_size(const struct coact_type *type, const void *payload)
{
    return message_bytes(type, payload, 1);
}
