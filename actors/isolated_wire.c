/*
 * isolated_wire.c - the bootstrap of an isolated child, to bytes and back.
 *
 * One walk over the fields serves three purposes: counting, writing, reading.
 * So the two ends cannot disagree about the order.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/isolated_wire.h"

#include <string.h>

struct walk {
    uint8_t *out;      /* NULL: count or read */
    const uint8_t *in; /* NULL: count or write */
    size_t at, len;
    bool is_broken;
};

static void
walk_bytes(struct walk *walk, void *field, size_t bytes)
{
    if (walk->is_broken || bytes > walk->len - walk->at) {
        walk->is_broken = true;
        return;
    }
    if (bytes > 0 && walk->out != NULL) {
        memcpy(walk->out + walk->at, field, bytes);
    } else if (bytes > 0 && walk->in != NULL) {
        memcpy(field, walk->in + walk->at, bytes);
    }
    walk->at += bytes;
}

/* A block whose content is lent: read, it points into the bytes. */
static void
walk_block(struct walk *walk, const uint8_t **data, size_t *bytes)
{
    walk_bytes(walk, bytes, sizeof(*bytes));
    if (walk->is_broken || *bytes > walk->len - walk->at) {
        walk->is_broken = true;
        return;
    }
    if (walk->out != NULL && *bytes > 0) {
        memcpy(walk->out + walk->at, *data, *bytes);
    } else if (walk->in != NULL) {
        *data = walk->in + walk->at;
    }
    walk->at += *bytes;
}

/* A text with its final 0; NULL is the one without. */
static void
walk_text(struct walk *walk, const char **text)
{
    const uint8_t *data = (const uint8_t *)*text;
    size_t bytes = *text != NULL ? strlen(*text) + 1 : 0;
    walk_block(walk, &data, &bytes);
    if (walk->in == NULL || walk->is_broken) {
        return;
    }
    *text = bytes > 0 ? (const char *)data : NULL;
    if (bytes > 0 && memchr(data, '\0', bytes) != data + bytes - 1) {
        walk->is_broken = true;
    }
}

#define WALK(member) walk_bytes(walk, &s->member, sizeof(s->member))

static void
walk_sentence(struct walk *walk, struct coact__sentence *s)
{
    WALK(version);
    WALK(parent_node);
    walk_text(walk, &s->parent_listens);
    walk_text(walk, &s->listens);
    WALK(key);
    WALK(heartbeat_ns);
    WALK(start_ns);
    WALK(grace_ns);
    WALK(hang_ns);
    walk_text(walk, &s->program);
    walk_text(walk, &s->body);
    walk_text(walk, &s->mailbox);
    WALK(has_arg);
    WALK(arg_type);
    walk_block(walk, &s->arg, &s->arg_bytes);
    walk_text(walk, &s->label);
    walk_text(walk, &s->name);
    WALK(stack_bytes);
    WALK(mailbox_messages);
    WALK(overflow);
    WALK(trap_exit);
    WALK(hibernate);
    WALK(wait_init);
    WALK(pinned);
    WALK(workers);
    WALK(runtime_stack_bytes);
    WALK(log_level);
    WALK(abort_on_misuse);
    WALK(unguarded_stacks);
    WALK(without_crash_report);
}

size_t
coact__sentence_size(const struct coact__sentence *sentence)
{
    struct coact__sentence copy = *sentence;
    struct walk walk = {.len = SIZE_MAX};
    walk_sentence(&walk, &copy);
    return walk.at;
}

size_t
// NOLINTNEXTLINE(readability-non-const-parameter): the walk writes to it
coact__sentence_put(const struct coact__sentence *sentence, uint8_t *bytes)
{
    struct coact__sentence copy = *sentence;
    struct walk walk = {.out = bytes, .len = SIZE_MAX};
    walk_sentence(&walk, &copy);
    return walk.at;
}

bool
coact__sentence_get(struct coact__sentence *sentence, const void *bytes,
                    size_t len)
{
    *sentence = (struct coact__sentence){0};
    uint32_t version = 0;
    if (len < sizeof(version)) {
        return false;
    }
    memcpy(&version, bytes, sizeof(version));
    if (version != COACT__INMATE_VERSION) {
        return false;
    }
    struct walk walk = {.in = bytes, .len = len};
    walk_sentence(&walk, sentence);
    return !walk.is_broken && walk.at == len && sentence->body != NULL &&
           sentence->mailbox != NULL && sentence->listens != NULL &&
           sentence->parent_listens != NULL;
}

bool
coact__packet_get(struct coact__packet *packet, const void *bytes, size_t len)
{
    if (len != sizeof(*packet)) {
        return false;
    }
    memcpy(packet, bytes, sizeof(*packet));
    packet->reason.text[sizeof(packet->reason.text) - 1] = '\0';
    packet->address[sizeof(packet->address) - 1] = '\0';
    return true;
}
