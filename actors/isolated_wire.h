/*
 * isolated_wire.h - what a guardian and its process tell each other.
 *
 * Both ends are the same executable, so numbers have the machine's own form;
 * lengths are checked all the same, because a body that writes wild may have
 * written here.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_ISOLATED_WIRE_H
#define COACT_ACTORS_ISOLATED_WIRE_H

#include <coact/error.h>
#include <coact/reason.h>
#include <coact/ref.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COACT__INMATE_VERSION 1u
#define COACT__INMATE_ADDRESS 128 /* of a node, with the final 0 */

/* Everything that a child's process knows of its world.  Texts are lent. */
struct coact__sentence {
    uint32_t version;
    uint32_t parent_node;
    const char *parent_listens;
    const char *listens; /* where the child is to */
    unsigned char key[32];
    int64_t heartbeat_ns;
    int64_t start_ns; /* how long the way into the cluster may take */
    int64_t grace_ns; /* how long the body may take to end */
    int64_t hang_ns;
    const char *program; /* the name of the parent's */

    const char *body, *mailbox; /* its row in the table */
    bool has_arg;
    uint64_t arg_type;
    const uint8_t *arg;
    size_t arg_bytes;

    const char *label, *name; /* NULL: none */
    uint64_t stack_bytes;
    uint32_t mailbox_messages;
    uint32_t overflow;
    uint32_t hibernate;
    bool trap_exit, wait_init, pinned;

    uint32_t workers; /* the runtime's, from here on */
    uint64_t runtime_stack_bytes;
    uint32_t log_level;
    bool abort_on_misuse, unguarded_stacks, without_crash_report;
};

/* The bytes that it takes, and those bytes.  put returns how many. */
size_t coact__sentence_size(const struct coact__sentence *sentence);
size_t coact__sentence_put(const struct coact__sentence *sentence,
                           uint8_t *bytes);

/* False: not one of this version.  The texts point into bytes. */
bool coact__sentence_get(struct coact__sentence *sentence, const void *bytes,
                         size_t len);

enum coact__packet_kind {
    // From the child.
    COACT__PACKET_HELLO = 1, /* node: its number in the cluster */
    COACT__PACKET_STARTED,   /* ref: the body's */
    COACT__PACKET_BEAT,      /* ns: how long the body has not waited */
    COACT__PACKET_END,       /* reason: the body's, or of a failed start */
    // From the parent.
    COACT__PACKET_STOP, /* reason: the body is to end */
    COACT__PACKET_PEER, /* node, address: of a sibling */
    COACT__PACKET_GONE  /* node: of a sibling */
};

struct coact__packet {
    uint32_t kind;
    uint32_t node;
    coact_ref ref;
    int64_t ns;
    struct coact_reason reason;
    char address[COACT__INMATE_ADDRESS];
};

/* Check what came, and copy it. */
bool coact__packet_get(struct coact__packet *packet, const void *bytes,
                       size_t len);

#endif
