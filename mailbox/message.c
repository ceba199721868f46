/*
 * message.c - the functions of <coact/message.h>: owned values, and the two
 * hashes by which nodes recognise a message.
 *
 * Both hashes are FNV-1a over 64 bits: anyone can write it in five lines, and
 * the names it is used on come from programs, not from strangers.  It must
 * never change: the id of every message in every running cluster is one.
 *
 * The schema hash is taken over a text, docs/wire.md, section Messages:
 *   place{1 street text;2 doors u16*;3 within place^;}
 * fields by ascending number, a star behind the kind of a list, a nested
 * message in full, and ^ behind the name of one that we are inside of.
 *
 * SPDX-License-Identifier: MIT
 */
#include <coact/message.h>

#include "mailbox/type.h"
#include "runtime/memory.h"

#include <stdio.h>
#include <string.h>

#define FNV_START UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

coact_text
coact_text_copy(const char *text)
{
    return coact_text_copy_n(text, text != NULL ? strlen(text) : 0);
}

coact_text
coact_text_copy_n(const char *text, size_t bytes)
{
    coact_text copy = {NULL, bytes};
    if (bytes == 0 || bytes == SIZE_MAX) {
        return copy;
    }
    copy.data = coact__alloc(bytes + 1);
    if (copy.data != NULL) {
        memcpy(copy.data, text, bytes);
        copy.data[bytes] = '\0';
    }
    return copy;
}

void
coact_text_free(coact_text *text)
{
    coact__free(text->data);
    *text = (coact_text){NULL, 0};
}

coact_bytes
coact_bytes_copy(const void *data, size_t bytes)
{
    coact_bytes copy = {NULL, bytes};
    if (bytes != 0) {
        copy.data = coact__alloc(bytes);
    }
    if (copy.data != NULL) {
        memcpy(copy.data, data, bytes);
    }
    return copy;
}

coact_bytes
coact_bytes_new(size_t bytes)
{
    coact_bytes fresh = {NULL, bytes};
    if (bytes != 0) {
        fresh.data = coact__alloc_zeroed(bytes);
    }
    return fresh;
}

void
coact_bytes_free(coact_bytes *bytes)
{
    coact__free(bytes->data);
    *bytes = (coact_bytes){NULL, 0};
}

void *
coact_list_new(size_t count, size_t item_bytes)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, item_bytes, &bytes) || bytes == 0) {
        return NULL;
    }
    return coact__alloc_zeroed(bytes);
}

void
coact_list_free(void *data)
{
    coact__free(data);
}

void
coact_message_destroy(struct coact_type *type, void *message)
{
    coact__type_destroy(type, message);
    memset(message, 0, type->size);
}

int
coact_message_copy(struct coact_type *type, void *copy, const void *message)
{
    return coact__type_copy(type, copy, message);
}

static uint64_t
fnv(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * FNV_PRIME;
    }
    return hash;
}

/* 0 says "not asked yet" in a descriptor. */
static uint64_t
never_zero(uint64_t hash)
{
    return hash != 0 ? hash : 1;
}

uint64_t
coact_type_find_id(struct coact_type *type)
{
    uint64_t id = never_zero(fnv(FNV_START, type->name));
    __atomic_store_n(&type->id, id, __ATOMIC_RELAXED);
    return id;
}

static const char *const kind_names[] = {
    [COACT_KIND_BOOL] = "bool",   [COACT_KIND_U8] = "u8",
    [COACT_KIND_U16] = "u16",     [COACT_KIND_U32] = "u32",
    [COACT_KIND_U64] = "u64",     [COACT_KIND_I8] = "i8",
    [COACT_KIND_I16] = "i16",     [COACT_KIND_I32] = "i32",
    [COACT_KIND_I64] = "i64",     [COACT_KIND_ENUM] = "enum",
    [COACT_KIND_FLOAT] = "float", [COACT_KIND_DOUBLE] = "double",
    [COACT_KIND_TEXT] = "text",   [COACT_KIND_BYTES] = "bytes",
    [COACT_KIND_REF] = "ref",
};

/* The types that we are inside of, from the innermost out. */
struct path {
    const struct coact_type *type;
    const struct path *outer;
};

static bool
is_inside(const struct path *path, const struct coact_type *type)
{
    while (path != NULL && path->type != type) {
        path = path->outer;
    }
    return path != NULL;
}

/* The field with the smallest number above that one, or NULL. */
static const struct coact_field *
next_field(const struct coact_type *type, uint32_t above)
{
    const struct coact_field *next = NULL;
    for (size_t i = 0; i < type->field_count; i++) {
        const struct coact_field *field = &type->fields[i];
        if (field->number > above &&
            (next == NULL || field->number < next->number)) {
            next = field;
        }
    }
    return next;
}

static uint64_t
hash_schema(uint64_t hash, const struct coact_type *type,
            const struct path *outer)
{
    hash = fnv(hash, type->name);
    if (is_inside(outer, type)) {
        return fnv(hash, "^");
    }
    struct path here = {type, outer};
    const struct coact_field *field = next_field(type, 0);
    hash = fnv(hash, "{");
    while (field != NULL) {
        char number[16];
        (void)snprintf(number, sizeof(number), "%u ", (unsigned)field->number);
        hash = fnv(fnv(fnv(hash, number), field->name), " ");
        hash = field->kind == COACT_KIND_NESTED
                   ? hash_schema(hash, field->of, &here)
                   : fnv(hash, kind_names[field->kind]);
        hash = fnv(hash, field->repeated ? "*;" : ";");
        field = next_field(type, field->number);
    }
    return fnv(hash, "}");
}

uint64_t
coact_type_schema(struct coact_type *type)
{
    // Relaxed: every thread finds the same number, and it guards no data.
    uint64_t schema = __atomic_load_n(&type->schema, __ATOMIC_RELAXED);
    if (schema == 0) {
        schema = never_zero(hash_schema(FNV_START, type, NULL));
        __atomic_store_n(&type->schema, schema, __ATOMIC_RELAXED);
    }
    return schema;
}
