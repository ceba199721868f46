/*
 * proto.c - our messages, told to programs in other languages.
 *
 * The .proto file has each message that was asked for and each that those hold,
 * once.  References to messages start with a dot: a message may be called
 * string, and then string alone would be it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <coact/message.h>

#include "runtime/memory.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* An address, in messages that have one. */
#define REF_NAME "coact_ref"

/* What was asked for and what it leads to. */
struct closure {
    struct coact_type **types;
    size_t count;
    size_t room;
    bool has_refs;
};

/* Where the text goes.  After the first failure nothing more is written. */
struct printer {
    int (*write)(void *arg, const char *text, size_t bytes);
    void *arg;
    const char *package;
    int rc;
};

static void
put(struct printer *p, const char *text)
{
    if (p->rc == 0 && *text != '\0') {
        p->rc = p->write(p->arg, text, strlen(text));
    }
}

__attribute__((format(printf, 2, 3))) static void
put_number(struct printer *p, const char *format, ...)
{
    char text[64];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    put(p, text);
}

/* 1 if it is new, 0 if it is known, or an error. */
static int
is_new(const struct closure *all, struct coact_type *type)
{
    if (strcmp(type->name, REF_NAME) == 0) {
        return -EINVAL;
    }
    for (size_t i = 0; i < all->count; i++) {
        if (strcmp(all->types[i]->name, type->name) == 0) {
            bool same =
                coact_type_schema(all->types[i]) == coact_type_schema(type);
            return same ? 0 : -EINVAL;
        }
    }
    return 1;
}

static int
add(struct closure *all, struct coact_type *type)
{
    int rc = is_new(all, type);
    if (rc <= 0) {
        return rc;
    }
    if (all->count == all->room) {
        size_t room = all->room == 0 ? 16 : all->room * 2;
        struct coact_type **grown =
            coact__realloc(all->types, room * sizeof(struct coact_type *));
        if (grown == NULL) {
            return -ENOMEM;
        }
        all->types = grown;
        all->room = room;
    }
    all->types[all->count++] = type;
    return 0;
}

static int
add_held(struct closure *all, const struct coact_type *type)
{
    int rc = 0;
    for (size_t i = 0; i < type->field_count && rc == 0; i++) {
        const struct coact_field *field = &type->fields[i];
        all->has_refs |= field->kind == COACT_KIND_REF;
        if (field->kind == COACT_KIND_NESTED) {
            rc = add(all, field->of);
        }
    }
    return rc;
}

/* What is added while we look is looked at too: so it ends when nothing new is
   found. */
static int
collect(struct closure *all, struct coact_type *const *types, size_t count)
{
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = add(all, types[i]);
    }
    for (size_t i = 0; i < all->count && rc == 0; i++) {
        rc = add_held(all, all->types[i]);
    }
    return rc;
}

static const char *const scalar_names[] = {
    [COACT_KIND_BOOL] = "bool",   [COACT_KIND_U8] = "uint32",
    [COACT_KIND_U16] = "uint32",  [COACT_KIND_U32] = "uint32",
    [COACT_KIND_U64] = "uint64",  [COACT_KIND_I8] = "sint32",
    [COACT_KIND_I16] = "sint32",  [COACT_KIND_I32] = "sint32",
    [COACT_KIND_I64] = "sint64",  [COACT_KIND_ENUM] = "int32",
    [COACT_KIND_FLOAT] = "float", [COACT_KIND_DOUBLE] = "double",
    [COACT_KIND_TEXT] = "string", [COACT_KIND_BYTES] = "bytes",
};

/* What .proto has no word for. */
static const char *
remark(uint8_t kind)
{
    switch (kind) {
    case COACT_KIND_U8:
        return " // at most 255";
    case COACT_KIND_U16:
        return " // at most 65535";
    case COACT_KIND_I8:
        return " // -128 to 127";
    case COACT_KIND_I16:
        return " // -32768 to 32767";
    case COACT_KIND_ENUM:
        return " // an enum";
    default:
        return "";
    }
}

static void
put_reference(struct printer *p, const char *name)
{
    put(p, ".");
    if (p->package != NULL) {
        put(p, p->package);
        put(p, ".");
    }
    put(p, name);
}

static void
put_field(struct printer *p, const struct coact_field *field)
{
    put(p, field->repeated ? "  repeated " : "  ");
    if (field->kind == COACT_KIND_NESTED) {
        put_reference(p, field->of->name);
    } else if (field->kind == COACT_KIND_REF) {
        put_reference(p, REF_NAME);
    } else {
        put(p, scalar_names[field->kind]);
    }
    put(p, " ");
    put(p, field->name);
    put_number(p, " = %" PRIu32 ";", field->number);
    put(p, remark(field->kind));
    put(p, "\n");
}

static void
put_message(struct printer *p, struct coact_type *type)
{
    put_number(p, "\n// id 0x%016" PRIx64, coact_type_id(type));
    if (type->reply != NULL) {
        put(p, ", answered by ");
        put(p, type->reply->name);
    }
    put(p, "\nmessage ");
    put(p, type->name);
    put(p, " {\n");
    for (size_t i = 0; i < type->field_count; i++) {
        put_field(p, &type->fields[i]);
    }
    put(p, "}\n");
}

static void
put_file(struct printer *p, const struct closure *all)
{
    put(p, "// Messages of coact, printed from their descriptors.\n"
           "syntax = \"proto3\";\n");
    if (p->package != NULL) {
        put(p, "\npackage ");
        put(p, p->package);
        put(p, ";\n");
    }
    if (all->has_refs) {
        put(p, "\n// The address of an actor; without fields, nobody.\n"
               "message " REF_NAME " {\n"
               "  fixed32 node = 1;\n"
               "  fixed32 incarnation = 2;\n"
               "  fixed32 slot = 3;\n"
               "  fixed32 generation = 4;\n"
               "}\n");
    }
    for (size_t i = 0; i < all->count; i++) {
        put_message(p, all->types[i]);
    }
}

int
coact_type_print_proto(struct coact_type *const *types, size_t count,
                       const char *package,
                       int (*write)(void *arg, const char *text, size_t bytes),
                       void *arg)
{
    struct closure all = {NULL, 0, 0, false};
    struct printer p = {write, arg, package, 0};
    int rc = collect(&all, types, count);
    if (rc == 0) {
        put_file(&p, &all);
        rc = p.rc;
    }
    coact__free(all.types);
    return rc;
}
