/*
 * type.h - what a descriptor tells about the memory behind a message.
 *
 * A message's struct is destroyed, copied and compared by walking its fields.
 * Most messages own nothing: that is found out once for each descriptor, and
 * after it destroying one costs a load and a branch.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_MAILBOX_TYPE_H
#define COACT_MAILBOX_TYPE_H

#include <coact/message.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Messages in messages: not deeper than this, or a few bytes from a stranger
   could use up a stack.  The outermost is level 1. */
#define COACT__NESTING_MAX 16

/* What type->facts holds once it is not 0. */
enum {
    COACT__TYPE_KNOWN = 1,
    COACT__TYPE_OWNS = 2, /* it, or one in it, has memory or a destructor */
    COACT__TYPE_FLAGS = 255,
    COACT__TYPE_CLASS_SHIFT = 8 /* above it: the size class of its envelope */
};

static inline uint32_t
coact__type_facts(struct coact_type *type)
{
    // Relaxed: every thread finds the same bits, and they guard no data.
    return __atomic_load_n(&type->facts, __ATOMIC_RELAXED);
}

/* Every list looks like this, whatever its items are. */
struct coact__list {
    void *data;
    size_t count;
};

/* Every text and every bytes look like this. */
struct coact__blob {
    void *data;
    size_t bytes;
};

/* Reading a user's member as one of the two above is a copy of its bytes: its
   declared type is another one, and a compiler may know that. */
static inline struct coact__list
coact__list_load(const void *member)
{
    struct coact__list list;
    memcpy(&list, member, sizeof(list));
    return list;
}

static inline struct coact__blob
coact__blob_load(const void *member)
{
    struct coact__blob blob;
    memcpy(&blob, member, sizeof(blob));
    return blob;
}

/* Bytes that one value of this field takes in memory; of a list, one item. */
size_t coact__type_item_bytes(const struct coact_field *field);

uint32_t coact__type_find_facts(struct coact_type *type);

/* True if a message of this type must be destroyed. */
static inline bool
coact__type_owns(struct coact_type *type)
{
    // Relaxed: every thread finds the same bits, and they guard no data.
    uint32_t facts = __atomic_load_n(&type->facts, __ATOMIC_RELAXED);
    if (facts == 0) {
        facts = coact__type_find_facts(type);
    }
    return (facts & COACT__TYPE_OWNS) != 0;
}

void coact__type_destroy_owned(struct coact_type *type, void *payload);

/* Run the destructors in a message and free what it owns.  The struct itself is
   the caller's, and its content is not to be read any more. */
static inline void
coact__type_destroy(struct coact_type *type, void *payload)
{
    if (coact__type_owns(type)) {
        coact__type_destroy_owned(type, payload);
    }
}

/* For a send, before it takes a message: 0, -ENOMEM if a text, bytes or list in
   it did not get its memory, -EINVAL if messages nest too deep.  The message
   stays the caller's. */
int coact__type_check(struct coact_type *type, const void *payload);

/* See coact_message_copy.  On failure *dst is all zero. */
int coact__type_copy(struct coact_type *type, void *dst, const void *src);

/* True if all listed fields are equal; floating point by its bits. */
bool coact__type_equal(struct coact_type *type, const void *a, const void *b);

#endif
