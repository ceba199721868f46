/*
 * node_state.h - what node*.c share.
 *
 * A tie is what an actor here and an actor there have with each other: a
 * monitor, in either direction, or a link.  It belongs to the peer and holds
 * one hold on the watch or bond.  When the link to the peer goes down all its
 * ties are cut: both ends learn of it, each from its own node.
 *
 * The lock covers the peers, their ties, and the waiters.  Under it we deliver
 * and send, which take no lock of ours.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_NODE_STATE_H
#define COACT_ACTORS_NODE_STATE_H

#include "actors/bond.h"
#include "actors/node.h"
#include "actors/node_wire.h"
#include "actors/watch.h"
#include "runtime/transport/transport.h"

#include <pthread.h>

enum coact__tie_kind {
    COACT__TIE_WATCHING, /* we here monitor one there; a = its id */
    COACT__TIE_WATCHED,  /* one there monitors us here; a = its id there */
    COACT__TIE_LINK      /* a = the one here, b = the one there */
};

struct coact__tie {
    enum coact__tie_kind kind;
    uint64_t a, b; /* slot << 32 | generation, or an id and 0 */
    union {
        struct coact__watch *watch;
        struct coact__bond *bond;
    };
};

struct coact__peer {
    struct coact__peer *next;
    uint32_t node;
    uint32_t incarnation; /* 0: the link is down */
    void *ties;           /* a tsearch tree */
};

/* A task that sleeps until something about the links changes. */
struct coact__node_waiter {
    struct coact__node_waiter *next;
    struct coact__task *task;
};

struct coact__node {
    struct coact_runtime *runtime;
    struct coact__transport *transport;
    pthread_mutex_t lock;
    pthread_cond_t all_down; /* under lock */
    struct coact__peer *peers;
    struct coact__node_waiter *waiters;
    uint32_t links_up;
    unsigned char key[32];
    char *listen;
};

/* Under the lock. */
struct coact__peer *coact__peer_find(struct coact__node *node, uint32_t number);
struct coact__tie *coact__tie_find(struct coact__peer *peer,
                                   enum coact__tie_kind kind, uint64_t a,
                                   uint64_t b);
COACT_CHECKED int coact__tie_add(struct coact__peer *peer,
                                 const struct coact__tie *tie);
/* The object and its hold are the caller's again; the tie is freed. */
void coact__tie_remove(struct coact__peer *peer, struct coact__tie *tie);
/* Cut them all. */
void coact__ties_cut(struct coact__node *node, struct coact__peer *peer);

static inline uint64_t
coact__tie_key(coact_ref ref)
{
    return (uint64_t)ref.slot << 32 | ref.generation;
}

/* node_send.c: a record to the node of record->to.  Traffic of one pair of
   actors keeps its order. */
int coact__node_put(struct coact__node *node,
                    const struct coact__record *record, const void *tail,
                    size_t tail_bytes, unsigned flags);
int coact__node_put_reason(struct coact__node *node,
                           const struct coact__record *record,
                           const struct coact_reason *reason);

/* node_receive.c: the transport's hook. */
bool coact__node_receive(void *owner, uint32_t number, uint32_t incarnation,
                         const uint8_t *bytes, size_t len);

/* A task that is about to sleep until something about the links changes; and
   that has. */
void coact__node_enlist(struct coact__node *node,
                        struct coact__node_waiter *waiter);
void coact__node_delist(struct coact__node *node,
                        struct coact__node_waiter *waiter);

#endif
