/*
 * envelope.c - one allocation for a message and all that goes with it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mailbox/envelope.h"

#include "mailbox/type.h"

struct coact__envelope *
coact__envelope_new(struct coact__scheduler *scheduler, enum coact__kind kind,
                    struct coact_type *type)
{
    size_t front =
        kind == COACT__KIND_REQUEST ? sizeof(struct coact__request) : 0;
    uint8_t size_class;
    void *block = coact__scheduler_alloc(
        scheduler, front + sizeof(struct coact__envelope) + type->size,
        &size_class);
    if (block == NULL) {
        return NULL;
    }
    struct coact__envelope *envelope =
        coact__envelope_write(block, kind, size_class, type);
    envelope->item.owns = coact__type_owns(type);
    envelope->item.number = 0;
    envelope->item.sender_role = 0;
    return envelope;
}

void
coact__envelope_free(struct coact__scheduler *scheduler,
                     struct coact__envelope *envelope)
{
    void *block = envelope->item.kind == COACT__KIND_REQUEST
                      ? (void *)coact__request_of(envelope)
                      : (void *)envelope;
    coact__scheduler_free(scheduler, block, envelope->item.size_class);
}
