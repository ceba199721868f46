/*
 * type.c - destroying, copying and comparing messages by their descriptors.
 *
 * All walks have the same shape: for each field, for each of its items, and
 * down into nested messages.  An item is a scalar, an address, a blob (a text
 * or bytes) or a message.
 *
 * Invariants
 *   T1  A blob or list without data owns nothing, whatever its length says.
 *   T2  A text's data has one more byte than its length, and that byte is 0.
 *   T3  Zero bytes are a valid message of every type, and it owns nothing.
 *
 * The facts, like the id and the schema hash, are found by whoever asks first.
 * Two threads may find them at once; both write the same, so the order is
 * relaxed and there is no lock.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mailbox/type.h"

#include "mailbox/envelope.h"

#include "runtime/memory.h"

#include <string.h>

static const uint8_t item_bytes[] = {
    [COACT_KIND_BOOL] = sizeof(bool),
    [COACT_KIND_U8] = 1,
    [COACT_KIND_U16] = 2,
    [COACT_KIND_U32] = 4,
    [COACT_KIND_U64] = 8,
    [COACT_KIND_I8] = 1,
    [COACT_KIND_I16] = 2,
    [COACT_KIND_I32] = 4,
    [COACT_KIND_I64] = 8,
    [COACT_KIND_ENUM] = 4,
    [COACT_KIND_FLOAT] = sizeof(float),
    [COACT_KIND_DOUBLE] = sizeof(double),
    [COACT_KIND_TEXT] = sizeof(coact_text),
    [COACT_KIND_BYTES] = sizeof(coact_bytes),
    [COACT_KIND_REF] = sizeof(coact_ref),
    [COACT_KIND_NESTED] = 0,
};

_Static_assert(sizeof(coact_text) == sizeof(struct coact__blob) &&
                   sizeof(coact_bytes) == sizeof(struct coact__blob) &&
                   sizeof(struct coact__list) == sizeof(COACT_REPEATED(char)),
               "texts, bytes and lists are read through one struct each");

size_t
coact__type_item_bytes(const struct coact_field *field)
{
    return field->kind == COACT_KIND_NESTED ? field->of->size
                                            : item_bytes[field->kind];
}

static bool
is_blob(const struct coact_field *field)
{
    return field->kind == COACT_KIND_TEXT || field->kind == COACT_KIND_BYTES;
}

static void *
member(void *payload, const struct coact_field *field)
{
    return (char *)payload + field->offset;
}

static const void *
member_const(const void *payload, const struct coact_field *field)
{
    return (const char *)payload + field->offset;
}

/* A field may lead back to a type that is being looked at only through a list,
   and a list owns without looking further: so this ends. */
uint32_t
coact__type_find_facts(struct coact_type *type)
{
    bool owns = type->destroy != NULL;
    for (size_t i = 0; i < type->field_count && !owns; i++) {
        const struct coact_field *field = &type->fields[i];
        owns =
            field->repeated || is_blob(field) ||
            (field->kind == COACT_KIND_NESTED && coact__type_owns(field->of));
    }
    uint32_t class =
        coact__block_class(sizeof(struct coact__envelope) + type->size);
    uint32_t facts = COACT__TYPE_KNOWN | (owns ? COACT__TYPE_OWNS : 0U) |
                     class << COACT__TYPE_CLASS_SHIFT;
    __atomic_store_n(&type->facts, facts, __ATOMIC_RELAXED);
    return facts;
}

static void
destroy_item(const struct coact_field *field, void *item)
{
    if (is_blob(field)) {
        coact__free(coact__blob_load(item).data);
    } else if (field->kind == COACT_KIND_NESTED) {
        coact__type_destroy(field->of, item);
    }
}

static void
destroy_list(const struct coact_field *field, void *at)
{
    struct coact__list list = coact__list_load(at);
    if (list.data == NULL) {
        return; // T1
    }
    if (is_blob(field) ||
        (field->kind == COACT_KIND_NESTED && coact__type_owns(field->of))) {
        size_t bytes = coact__type_item_bytes(field);
        for (size_t i = 0; i < list.count; i++) {
            destroy_item(field, (char *)list.data + i * bytes);
        }
    }
    coact__free(list.data);
}

void
coact__type_destroy_owned(struct coact_type *type, void *payload)
{
    if (type->destroy != NULL) {
        type->destroy(payload);
    }
    for (size_t i = 0; i < type->field_count; i++) {
        const struct coact_field *field = &type->fields[i];
        if (field->repeated) {
            destroy_list(field, member(payload, field));
        } else {
            destroy_item(field, member(payload, field));
        }
    }
}

static int check(struct coact_type *type, const void *payload, int level);

static int
check_item(const struct coact_field *field, const void *item, int level)
{
    if (is_blob(field)) {
        struct coact__blob blob = coact__blob_load(item);
        return blob.data == NULL && blob.bytes != 0 ? -ENOMEM : 0;
    }
    return field->kind == COACT_KIND_NESTED ? check(field->of, item, level + 1)
                                            : 0;
}

static int
check_list(const struct coact_field *field, const void *at, int level)
{
    struct coact__list list = coact__list_load(at);
    if (list.data == NULL) {
        return list.count != 0 ? -ENOMEM : 0;
    }
    if (!is_blob(field) && field->kind != COACT_KIND_NESTED) {
        return 0;
    }
    size_t bytes = coact__type_item_bytes(field);
    for (size_t i = 0; i < list.count; i++) {
        int rc = check_item(field, (const char *)list.data + i * bytes, level);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int
check(struct coact_type *type, const void *payload, int level)
{
    if (level > COACT__NESTING_MAX) {
        return -EINVAL;
    }
    if (!coact__type_owns(type)) {
        return 0;
    }
    int rc = 0;
    for (size_t i = 0; i < type->field_count && rc == 0; i++) {
        const struct coact_field *field = &type->fields[i];
        const void *at = member_const(payload, field);
        rc = field->repeated ? check_list(field, at, level)
                             : check_item(field, at, level);
    }
    return rc;
}

int
coact__type_check(struct coact_type *type, const void *payload)
{
    return check(type, payload, 1);
}

static int
copy_blob(const struct coact_field *field, void *dst, const void *src)
{
    struct coact__blob from = coact__blob_load(src);
    if (from.data == NULL || from.bytes == 0) {
        return from.bytes == 0 ? 0 : -ENOMEM;
    }
    struct coact__blob to = {NULL, from.bytes};
    size_t zero = field->kind == COACT_KIND_TEXT ? 1 : 0;
    to.data = coact__alloc(from.bytes + zero);
    if (to.data == NULL) {
        return -ENOMEM;
    }
    memcpy(to.data, from.data, from.bytes);
    memset((char *)to.data + from.bytes, 0, zero);
    memcpy(dst, &to, sizeof(to));
    return 0;
}

/* *dst is zero, or for a nested message anything. */
static int
copy_item(const struct coact_field *field, void *dst, const void *src)
{
    if (is_blob(field)) {
        return copy_blob(field, dst, src);
    }
    if (field->kind == COACT_KIND_NESTED) {
        return coact__type_copy(field->of, dst, src);
    }
    memcpy(dst, src, coact__type_item_bytes(field));
    return 0;
}

static int
copy_list(const struct coact_field *field, void *dst, const void *src)
{
    struct coact__list from = coact__list_load(src);
    if (from.data == NULL || from.count == 0) {
        return from.count == 0 ? 0 : -ENOMEM;
    }
    size_t bytes = coact__type_item_bytes(field);
    struct coact__list to = {coact__alloc_zeroed(from.count * bytes),
                             from.count};
    if (to.data == NULL) {
        return -ENOMEM;
    }
    memcpy(dst, &to, sizeof(to)); // from here on the destroy walk frees it
    for (size_t i = 0; i < from.count; i++) {
        int rc = copy_item(field, (char *)to.data + i * bytes,
                           (const char *)from.data + i * bytes);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* *dst as it is before its fields are copied: unlisted members are there, but
   nothing in it points to what *src owns. */
static void
copy_unlisted(struct coact_type *type, void *dst, const void *src)
{
    if (type->destroy != NULL) {
        memset(dst, 0, type->size);
        return;
    }
    memcpy(dst, src, type->size);
    for (size_t i = 0; i < type->field_count; i++) {
        const struct coact_field *field = &type->fields[i];
        size_t bytes = field->repeated ? sizeof(struct coact__list)
                                       : coact__type_item_bytes(field);
        memset(member(dst, field), 0, bytes);
    }
}

int
coact__type_copy(struct coact_type *type, void *dst, const void *src)
{
    if (type->local) {
        memset(dst, 0, type->size);
        return -ENOTSUP;
    }
    copy_unlisted(type, dst, src);
    for (size_t i = 0; i < type->field_count; i++) {
        const struct coact_field *field = &type->fields[i];
        void *to = member(dst, field);
        const void *from = member_const(src, field);
        int rc = field->repeated ? copy_list(field, to, from)
                                 : copy_item(field, to, from);
        if (rc != 0) {
            coact__type_destroy(type, dst);
            memset(dst, 0, type->size);
            return rc;
        }
    }
    return 0;
}

static bool
items_are_equal(const struct coact_field *field, const void *a, const void *b)
{
    if (is_blob(field)) {
        struct coact__blob x = coact__blob_load(a);
        struct coact__blob y = coact__blob_load(b);
        return x.bytes == y.bytes &&
               (x.bytes == 0 || memcmp(x.data, y.data, x.bytes) == 0);
    }
    if (field->kind == COACT_KIND_NESTED) {
        return coact__type_equal(field->of, a, b);
    }
    return memcmp(a, b, coact__type_item_bytes(field)) == 0;
}

static bool
lists_are_equal(const struct coact_field *field, const void *a, const void *b)
{
    struct coact__list x = coact__list_load(a);
    struct coact__list y = coact__list_load(b);
    size_t bytes = coact__type_item_bytes(field);
    bool equal = x.count == y.count;
    for (size_t i = 0; i < x.count && equal; i++) {
        equal = items_are_equal(field, (const char *)x.data + i * bytes,
                                (const char *)y.data + i * bytes);
    }
    return equal;
}

bool
coact__type_equal(struct coact_type *type, const void *a, const void *b)
{
    bool equal = true;
    for (size_t i = 0; i < type->field_count && equal; i++) {
        const struct coact_field *field = &type->fields[i];
        const void *x = member_const(a, field);
        const void *y = member_const(b, field);
        equal = field->repeated ? lists_are_equal(field, x, y)
                                : items_are_equal(field, x, y);
    }
    return equal;
}
