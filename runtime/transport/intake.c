/*
 * intake.c - records to messages.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/transport/intake.h"

#include "runtime/memory.h"

#include <string.h>

/* The first room for a long message; then it doubles. */
#define ROOM_FIRST ((size_t)256 * 1024)

void
coact__intake_begin(struct coact__intake *in, uint32_t window,
                    uint64_t message_max)
{
    coact__intake_clear(in);
    in->window = window;
    in->message_max = message_max;
    in->granted = window;
}

static void
drop_partial(struct coact__intake *in, struct coact__partial **at)
{
    struct coact__partial *partial = *at;
    *at = partial->next;
    in->partial_count--;
    in->partial_bytes -= partial->total;
    coact__free(partial->bytes);
    coact__free(partial);
}

void
coact__intake_clear(struct coact__intake *in)
{
    while (in->partials != NULL) {
        drop_partial(in, &in->partials);
    }
    in->received = in->held = in->granted = 0;
    in->has_bye = in->bye_is_answer = false;
}

static void
deliver(struct coact__intake *in, const uint8_t *bytes, size_t len)
{
    if (!in->deliver(in->context, bytes, len)) {
        in->held += COACT__RECORD_HEADER + len;
    }
}

static int
make_room(struct coact__partial *partial, size_t more)
{
    size_t need = partial->len + more;
    if (need <= partial->room) {
        return 0;
    }
    size_t room = partial->room == 0 ? ROOM_FIRST : partial->room * 2;
    room = room < need ? need : room;
    room = room > partial->total ? partial->total : room;
    uint8_t *bytes = coact__realloc(partial->bytes, room);
    if (bytes == NULL) {
        return -ENOMEM;
    }
    partial->bytes = bytes;
    partial->room = room;
    return 0;
}

static struct coact__partial **
find_partial(struct coact__intake *in, uint32_t id)
{
    struct coact__partial **at = &in->partials;
    while (*at != NULL && (*at)->id != id) {
        at = &(*at)->next;
    }
    return at;
}

/* The bytes of a part; the last one delivers the message. */
static int
collect(struct coact__intake *in, struct coact__partial **at,
        const uint8_t *bytes, size_t len)
{
    struct coact__partial *partial = *at;
    if (len == 0 || len > partial->total - partial->len) {
        return -EPROTO;
    }
    int rc = make_room(partial, len);
    if (rc != 0) {
        return rc;
    }
    memcpy(partial->bytes + partial->len, bytes, len);
    partial->len += len;
    if (partial->len == partial->total) {
        deliver(in, partial->bytes, partial->len);
        drop_partial(in, at);
    }
    return 0;
}

static int
take_first(struct coact__intake *in, const uint8_t *body, size_t len)
{
    if (len < COACT__FIRST_HEADER) {
        return -EPROTO;
    }
    uint32_t id = coact__get_u32(body);
    uint64_t total = coact__get_u64(body + 4);
    if (total > in->message_max ||
        in->partial_bytes > in->message_max - total ||
        in->partial_count >= COACT__PARTIAL_MAX ||
        *find_partial(in, id) != NULL) {
        return -EPROTO;
    }
    struct coact__partial *partial = coact__alloc_zeroed(sizeof(*partial));
    if (partial == NULL) {
        return -ENOMEM;
    }
    partial->id = id;
    partial->total = (size_t)total;
    partial->next = in->partials;
    in->partials = partial;
    in->partial_count++;
    in->partial_bytes += total;
    return collect(in, &in->partials, body + COACT__FIRST_HEADER,
                   len - COACT__FIRST_HEADER);
}

static int
take_part(struct coact__intake *in, const uint8_t *body, size_t len)
{
    if (len < COACT__PART_HEADER) {
        return -EPROTO;
    }
    struct coact__partial **at = find_partial(in, coact__get_u32(body));
    if (*at == NULL) {
        return -EPROTO;
    }
    return collect(in, at, body + COACT__PART_HEADER, len - COACT__PART_HEADER);
}

static int
take_record(struct coact__intake *in, uint32_t kind, const uint8_t *body,
            size_t len)
{
    if (kind == COACT__RECORD_BYE) {
        if (len != 1 || body[0] > 1) {
            return -EPROTO;
        }
        in->has_bye = true;
        in->bye_is_answer = body[0] == 1;
        return 0;
    }
    in->received += COACT__RECORD_HEADER + len;
    if (in->received > in->granted) {
        return -EPROTO;
    }
    switch (kind) {
    case COACT__RECORD_MESSAGE:
        if (len > in->message_max) {
            return -EPROTO;
        }
        deliver(in, body, len);
        return 0;
    case COACT__RECORD_FIRST:
        return take_first(in, body, len);
    case COACT__RECORD_PART:
        return take_part(in, body, len);
    default:
        return -EPROTO;
    }
}

int
coact__intake_records(struct coact__intake *in, const uint8_t *plain,
                      size_t len)
{
    while (len > 0 && !in->has_bye) {
        if (len < COACT__RECORD_HEADER) {
            return -EPROTO;
        }
        uint32_t word = coact__get_u32(plain);
        size_t body = word & COACT__RECORD_LEN_MASK;
        plain += COACT__RECORD_HEADER;
        len -= COACT__RECORD_HEADER;
        if (body > len) {
            return -EPROTO;
        }
        int rc = take_record(in, word >> 28, plain, body);
        if (rc != 0) {
            return rc;
        }
        plain += body;
        len -= body;
    }
    return 0;
}

void
coact__intake_release(struct coact__intake *in, uint64_t cost)
{
    in->held -= cost < in->held ? cost : in->held;
}

uint64_t
coact__intake_grant(const struct coact__intake *in)
{
    // A held long message costs more than the last parts that made it, so what
    // is held may for a while be more than the window: then nothing is granted.
    uint64_t may = in->received + in->window;
    may -= in->held < may ? in->held : may;
    return may > in->granted ? may : in->granted;
}

bool
coact__intake_grant_is_due(const struct coact__intake *in)
{
    return coact__intake_grant(in) - in->granted >= in->window / 4;
}
