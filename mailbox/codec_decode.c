/*
 * codec_decode.c - bytes from a stranger to a message.
 *
 * Fields come in any order; most senders keep the order of the descriptor, so
 * the search for a field starts behind the last one found.  Of a field that
 * comes twice the last one counts, also when it is a message.
 *
 * The room of a list is allocated once, when its first item comes: its items in
 * the rest of the message are counted, which is one more look at each tag and
 * never into nested messages.  So the work grows with the length of the bytes
 * times the number of lists, and nothing is allocated that is not there.
 *
 * Invariants
 *   D1  *payload is a valid message at every moment (zeroed first, items
 *       counted only when zero or filled), so that one destroy undoes all.
 *   D2  A length is compared with what is left before it is used.
 *   D3  All memory is granted first: grant() keeps the sum below a multiple
 *       of the input.
 *   D4  An item is made only after its bytes were read whole, and count_items
 *       counts whatever can be read so: a list has room for all its items.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mailbox/codec.h"
#include "mailbox/type.h"
#include "mailbox/wire.h"
#include "runtime/memory.h"

/* What all levels of one message share. */
struct decoding {
    size_t memory; /* bytes that may still be allocated */
    uint64_t unknown_fields;
};

/* One level: the bytes of one message, and where in them we are. */
struct reader {
    struct decoding *all;
    const struct coact_type *type;
    const uint8_t *at;
    const uint8_t *end;
    size_t next;   /* the field that is expected */
    uint64_t seen; /* bit i: field i has come before */
    int level;
};

/* A tag taken apart. */
struct tag {
    uint32_t number;
    enum coact__wire wire;
};

_Static_assert(sizeof(((struct reader *)0)->seen) * 8 >= 40,
               "a bit for each field that COACT_MESSAGE can list");

static int decode_message(struct decoding *all, const struct coact_type *type,
                          const uint8_t *at, const uint8_t *end, void *payload,
                          int level);

/* Leave to allocate that much. */
static int
grant(struct decoding *all, size_t bytes)
{
    if (bytes > all->memory) {
        return -EOVERFLOW;
    }
    all->memory -= bytes;
    return 0;
}

static int
read_tag(const uint8_t **at, const uint8_t *end, struct tag *tag)
{
    uint64_t bits;
    if (!coact__varint_read(at, end, &bits) || bits > UINT32_MAX ||
        bits >> 3 == 0) {
        return -EBADMSG;
    }
    tag->number = (uint32_t)(bits >> 3);
    tag->wire = (enum coact__wire)(bits & 7);
    return 0;
}

/* The bytes behind a length: *content to *at. */
static int
read_content(const uint8_t **at, const uint8_t *end, const uint8_t **content)
{
    uint64_t length;
    if (!coact__varint_read(at, end, &length) ||
        length > (uint64_t)(end - *at)) {
        return -EBADMSG; // D2
    }
    *content = *at;
    *at += length;
    return 0;
}

static int
read_value(const uint8_t **at, const uint8_t *end, enum coact__wire wire,
           uint64_t *bits)
{
    if (wire == COACT__WIRE_VARINT) {
        return coact__varint_read(at, end, bits) ? 0 : -EBADMSG;
    }
    size_t bytes = wire == COACT__WIRE_32 ? sizeof(uint32_t) : sizeof(uint64_t);
    if ((size_t)(end - *at) < bytes) {
        return -EBADMSG;
    }
    *bits = wire == COACT__WIRE_32 ? coact__fixed32_load(*at)
                                   : coact__fixed64_load(*at);
    *at += bytes;
    return 0;
}

/* Over the value behind a tag.  The groups of old protobuf are refused. */
static int
skip(const uint8_t **at, const uint8_t *end, enum coact__wire wire)
{
    uint64_t bits;
    const uint8_t *content;
    switch (wire) {
    case COACT__WIRE_VARINT:
    case COACT__WIRE_64:
    case COACT__WIRE_32:
        return read_value(at, end, wire, &bits);
    case COACT__WIRE_BYTES:
        return read_content(at, end, &content);
    }
    return -EBADMSG;
}

/* True if a field of this type may come with this wire type: as what it is, or
   packed. */
static bool
is_expected(const struct coact_field *field, enum coact__wire wire)
{
    return wire == coact__wire_of(field->kind) ||
           (field->repeated && wire == COACT__WIRE_BYTES);
}

/* The index of the field with that number, or field_count. */
static size_t
find_field(struct reader *r, uint32_t number)
{
    const struct coact_type *type = r->type;
    for (size_t i = r->next; i < type->field_count; i++) {
        if (type->fields[i].number == number) {
            return i;
        }
    }
    for (size_t i = 0; i < r->next; i++) {
        if (type->fields[i].number == number) {
            return i;
        }
    }
    return type->field_count;
}

static bool
was_seen(struct reader *r, size_t index)
{
    uint64_t bit = UINT64_C(1) << index;
    bool was = (r->seen & bit) != 0;
    r->seen |= bit;
    return was;
}

/* Items in a packed list, if its values are whole. */
static size_t
count_packed(uint8_t kind, const uint8_t *at, const uint8_t *end)
{
    enum coact__wire wire = coact__wire_of(kind);
    if (wire != COACT__WIRE_VARINT) {
        return (size_t)(end - at) / (wire == COACT__WIRE_32 ? 4 : 8);
    }
    size_t count = 0;
    for (; at < end; at++) {
        count += *at < 0x80; // the last byte of each
    }
    return count;
}

/* Items of this list from here to the end, at least as many as decoding will
   find before it meets its end or a mistake. */
static size_t
count_items(const struct coact_field *field, const uint8_t *at,
            const uint8_t *end)
{
    size_t count = 0;
    struct tag tag;
    bool packs = coact__wire_of(field->kind) != COACT__WIRE_BYTES;
    while (at < end && read_tag(&at, end, &tag) == 0) {
        const uint8_t *value = at;
        if (skip(&at, end, tag.wire) != 0) {
            break;
        }
        if (tag.number != field->number || !is_expected(field, tag.wire)) {
            continue;
        }
        if (packs && tag.wire == COACT__WIRE_BYTES) {
            const uint8_t *content = value;
            (void)read_content(&value, end, &content);
            count += count_packed(field->kind, content, value);
        } else {
            count++;
        }
    }
    return count;
}

static int
decode_blob(struct decoding *all, const struct coact_field *field,
            const uint8_t *content, size_t bytes, void *member)
{
    struct coact__blob blob = coact__blob_load(member);
    coact__free(blob.data); // an earlier one: the last one counts
    blob = (struct coact__blob){NULL, 0};
    memcpy(member, &blob, sizeof(blob));
    bool is_text = field->kind == COACT_KIND_TEXT;
    if (is_text && !coact__utf8_is_valid(content, bytes)) {
        return -EBADMSG;
    }
    if (bytes == 0) {
        return 0;
    }
    int rc = grant(all, bytes + is_text);
    if (rc != 0) {
        return rc;
    }
    blob.data = coact__alloc(bytes + is_text);
    if (blob.data == NULL) {
        return -ENOMEM;
    }
    memcpy(blob.data, content, bytes);
    memset((char *)blob.data + bytes, 0, is_text);
    blob.bytes = bytes;
    memcpy(member, &blob, sizeof(blob));
    return 0;
}

static int
decode_ref(struct decoding *all, const uint8_t *at, const uint8_t *end,
           void *member)
{
    uint32_t words[4] = {0};
    struct tag tag;
    while (at < end) {
        int rc = read_tag(&at, end, &tag);
        const uint8_t *value = at;
        rc = rc != 0 ? rc : skip(&at, end, tag.wire);
        if (rc != 0) {
            return rc;
        }
        if (tag.number <= 4 && tag.wire == COACT__WIRE_32) {
            words[tag.number - 1] = coact__fixed32_load(value);
        } else {
            all->unknown_fields++;
        }
    }
    memcpy(member, words, sizeof(words));
    return 0;
}

/* A value whose content was found: text, bytes, address or message.  *value is
   zero, or a blob or address that came before. */
static int
decode_content(struct reader *r, const struct coact_field *field,
               const uint8_t *content, const uint8_t *end, void *value)
{
    if (field->kind == COACT_KIND_REF) {
        return decode_ref(r->all, content, end, value);
    }
    if (field->kind == COACT_KIND_NESTED) {
        return decode_message(r->all, field->of, content, end, value,
                              r->level + 1);
    }
    return decode_blob(r->all, field, content, (size_t)(end - content), value);
}

/* Room for all items of the list that the rest of this message holds. */
static int
open_list(struct reader *r, const struct coact_field *field, const uint8_t *tag,
          void *member)
{
    struct coact__list list = {NULL, 0};
    size_t count = count_items(field, tag, r->end);
    size_t bytes;
    if (count == 0) {
        return 0; // an empty packed list, or a mistake that comes up next
    }
    if (__builtin_mul_overflow(count, coact__type_item_bytes(field), &bytes)) {
        return -EOVERFLOW;
    }
    int rc = grant(r->all, bytes);
    if (rc != 0) {
        return rc;
    }
    list.data = coact__alloc_zeroed(bytes);
    if (list.data == NULL) {
        return -ENOMEM;
    }
    memcpy(member, &list, sizeof(list));
    return 0;
}

/* The next free item, zero; it counts from now on.  Called only when the item's
   bytes were read: then count_items has counted it (D4). */
static void *
next_item(const struct coact_field *field, void *member)
{
    struct coact__list list = coact__list_load(member);
    size_t offset = list.count * coact__type_item_bytes(field);
    list.count++;
    memcpy(member, &list, sizeof(list));
    return (char *)list.data + offset;
}

/* One scalar, into its member or the next item of its list. */
static int
decode_scalar(const struct coact_field *field, const uint8_t **at,
              const uint8_t *end, void *member)
{
    uint64_t bits;
    int rc = read_value(at, end, coact__wire_of(field->kind), &bits);
    if (rc != 0) {
        return rc;
    }
    void *value = field->repeated ? next_item(field, member) : member;
    return coact__wire_store(field->kind, bits, value) ? 0 : -EBADMSG;
}

static int
decode_list(struct reader *r, const struct coact_field *field,
            enum coact__wire wire, void *member)
{
    const uint8_t *content;
    if (wire != COACT__WIRE_BYTES) {
        return decode_scalar(field, &r->at, r->end, member);
    }
    int rc = read_content(&r->at, r->end, &content);
    if (rc == 0 && coact__wire_of(field->kind) == COACT__WIRE_BYTES) {
        return decode_content(r, field, content, r->at,
                              next_item(field, member));
    }
    while (rc == 0 && content < r->at) {
        rc = decode_scalar(field, &content, r->at, member);
    }
    return rc;
}

static int
decode_single(struct reader *r, const struct coact_field *field,
              enum coact__wire wire, bool again, void *member)
{
    const uint8_t *content;
    if (wire != COACT__WIRE_BYTES) {
        return decode_scalar(field, &r->at, r->end, member);
    }
    int rc = read_content(&r->at, r->end, &content);
    if (rc != 0) {
        return rc;
    }
    if (again && field->kind == COACT_KIND_NESTED) {
        coact__type_destroy(field->of, member);
        memset(member, 0, field->of->size);
    }
    return decode_content(r, field, content, r->at, member);
}

/* The field at r->at. */
static int
decode_field(struct reader *r, void *payload)
{
    const uint8_t *start = r->at;
    struct tag tag;
    int rc = read_tag(&r->at, r->end, &tag);
    if (rc != 0) {
        return rc;
    }
    size_t index = find_field(r, tag.number);
    const struct coact_field *field =
        index < r->type->field_count ? &r->type->fields[index] : NULL;
    if (field == NULL || !is_expected(field, tag.wire)) {
        r->all->unknown_fields++;
        return skip(&r->at, r->end, tag.wire);
    }
    void *member = (char *)payload + field->offset;
    bool again = was_seen(r, index);
    if (!field->repeated) {
        r->next = index + 1;
        return decode_single(r, field, tag.wire, again, member);
    }
    r->next = index; // its items follow each other
    rc = again ? 0 : open_list(r, field, start, member);
    return rc != 0 ? rc : decode_list(r, field, tag.wire, member);
}

/* *payload is zero. */
static int
decode_message(struct decoding *all, const struct coact_type *type,
               const uint8_t *at, const uint8_t *end, void *payload, int level)
{
    if (type->local) {
        return -ENOTSUP;
    }
    if (level > COACT__NESTING_MAX) {
        return -EBADMSG;
    }
    struct reader r = {all, type, at, end, 0, 0, level};
    int rc = 0;
    while (r.at < r.end && rc == 0) {
        rc = decode_field(&r, payload);
    }
    return rc;
}

/* Input above the limit could not come from an encoder, and below it the
   multiplication cannot overflow where size_t has 64 bits. */
static int
start(struct decoding *all, size_t length)
{
    size_t bytes;
    if (length > COACT__CODEC_BYTES_MAX ||
        __builtin_mul_overflow(length, (size_t)COACT__CODEC_MEMORY_FACTOR,
                               &bytes) ||
        __builtin_add_overflow(bytes, COACT__CODEC_MEMORY_FREE, &all->memory)) {
        return -EOVERFLOW;
    }
    all->unknown_fields = 0;
    return 0;
}

int
coact__codec_decode(struct coact_type *type, const void *bytes, size_t length,
                    void *payload, uint64_t *unknown_fields)
{
    struct decoding all;
    const uint8_t *at = bytes;
    memset(payload, 0, type->size);
    int rc = start(&all, length);
    if (rc != 0) {
        return rc;
    }
    rc = decode_message(&all, type, at, length != 0 ? at + length : at, payload,
                        1);
    if (rc != 0) {
        coact__type_destroy(type, payload); // D1
        memset(payload, 0, type->size);
    } else if (unknown_fields != NULL) {
        *unknown_fields += all.unknown_fields;
    }
    return rc;
}
