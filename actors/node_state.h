/*
 * node_state.h - what node*.c share.
 *
 * A tie is what an actor here and an actor there have with each other: a
 * monitor or a link, made by either.  It belongs to the peer and holds one hold
 * on the watch or bond.  When the link to the peer goes down all its ties are
 * cut: both ends learn of it, each from its own node.
 *
 * A link is known by the number that its maker's node gave it, not by its two
 * ends: when both link themselves to each other at a time, there are two.
 *
 * A request that came from one node and is handed on to another leaves a relay
 * here: the answer comes back this way.  So each node on the way watches the
 * one link on which it has sent the request, and the caller is told wherever
 * the chain breaks.
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
    COACT__TIE_LINK,     /* made here; a = its id */
    COACT__TIE_LINKED,   /* made there; a = its id there */
    COACT__TIE_RELAY     /* one there is to answer one elsewhere; a = the id */
};

struct coact__tie {
    enum coact__tie_kind kind;
    uint64_t a;
    union {
        struct coact__watch *watch;
        struct coact__bond *bond;
        struct coact__request relayed;
    };
};

struct coact__peer {
    struct coact__peer *next;
    uint32_t node;
    uint32_t incarnation; /* 0: the link is down */
    bool is_removed;      /* goes with its link */
    bool is_child;        /* a process of ours: its end has a reason */
    bool is_cut_due;      /* the link broke; the reason is still to come */
    bool has_ended;
    struct coact_reason end; /* once it has */
    void *ties;              /* a tsearch tree */
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
                                   enum coact__tie_kind kind, uint64_t a);
COACT_CHECKED int coact__tie_add(struct coact__peer *peer,
                                 const struct coact__tie *tie);
/* The object and its hold are the caller's again; the tie is freed. */
void coact__tie_remove(struct coact__peer *peer, struct coact__tie *tie);
/* Cut them all, for this reason. */
void coact__ties_cut(struct coact__node *node, struct coact__peer *peer,
                     const struct coact_reason *reason);

/* node_send.c: a record to the node of record->to.  Traffic of one pair of
   actors keeps its order. */
int coact__node_put(struct coact__node *node,
                    const struct coact__record *record, const void *tail,
                    size_t tail_bytes, unsigned flags);
int coact__node_put_reason(struct coact__node *node,
                           const struct coact__record *record,
                           const struct coact_reason *reason);

/* The answer to a request: a payload that is encoded, of that type; or with
   type 0 a failure.  What cannot be sent is answered by a failure that says so;
   then, and if the caller is out of reach, it is why.  Lock or no lock. */
int coact__node_put_reply(struct coact__node *node, coact_ref from,
                          const struct coact__request *request, uint64_t type,
                          const void *payload, size_t payload_bytes);
int coact__node_put_failure(struct coact__node *node, coact_ref from,
                            const struct coact__request *request, int rc,
                            const struct coact_reason *reason);

/* node_peer.c: the transport's hooks for links. */
void coact__peer_up(void *owner, uint32_t number, uint32_t incarnation);
void coact__peer_down(void *owner, uint32_t number, uint32_t incarnation,
                      int why);
void coact__peer_writable(void *owner, uint32_t number);

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
