/*
 * transport.h - ordered, sealed, flow-controlled messages to peer nodes.
 *
 * How to think of it.  A node has one transport.  Told the number and the
 * address of a peer, the transport keeps a link to it up for as long as it can.
 * A link that is up has a session: one incarnation of the peer, fresh keys, and
 * every message that send accepted arrives in order, or else is part of a
 * suffix that is lost together with a down().  Bytes only: what they mean is
 * the business of the storey above.
 *
 * Incarnations have 64 bits on the wire.  Here, as in addresses, a peer is
 * (node, lower 32 bits of its incarnation); those are never 0.
 *
 * Threads.  All hooks run on the transport's one thread, or inside step() if
 * there is none, one at a time and with no lock held; they may call send,
 * consumed, add_peer and remove_peer, but not stop.  They hold up every link
 * while they run.
 *
 * Contracts end with a line of facts, as in runtime/error.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_TRANSPORT_TRANSPORT_H
#define COACT_RUNTIME_TRANSPORT_TRANSPORT_H

#include "runtime/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct coact__transport;
struct coact__wire;

/* Why a session ended.  X(name, what it means) */
#define COACT__DOWN_TABLE(X)                                                   \
    X(BROKEN, "the connection broke")                                          \
    X(SILENT, "the peer has not been heard for four heartbeats")               \
    X(UNHEARD, "the peer has not heard us for four heartbeats")                \
    X(GAP, "a frame is missing")                                               \
    X(BYE, "the peer said good-bye")                                           \
    X(RESTARTED, "the peer has restarted")                                     \
    X(SUPERSEDED, "the peer has begun a new session")                          \
    X(PROTOCOL, "the peer broke the protocol")                                 \
    X(MEMORY, "no memory for what the peer sent, or for an urgent message")    \
    X(OVERLOAD, "the room for urgent messages is full")                        \
    X(REMOVED, "the peer was removed")                                         \
    X(STOPPED, "this node is stopping")

enum coact__down_why {
    COACT__DOWN_NONE,
#define COACT__DOWN_NAME(name, text) COACT__DOWN_##name,
    COACT__DOWN_TABLE(COACT__DOWN_NAME)
#undef COACT__DOWN_NAME
};

/* The meaning of an enum coact__down_why, in English; never freed.
   from any, waits no, fails never */
const char *coact__down_text(int why);

/* What the owner is told.  Any may be NULL. */
struct coact__transport_hooks {
    /* A session began.  Every up is followed by exactly one down, and no up
       comes between. */
    void (*up)(void *owner, uint32_t node, uint32_t incarnation);

    /* It ended.  All its messages that will ever come have come. */
    void (*down)(void *owner, uint32_t node, uint32_t incarnation, int why);

    /* A message came.  The bytes are lent until this returns.  True means
       that it is dealt with; false holds its credit, so that the peer can send
       at most a window more, until coact__transport_consumed is called with
       its length.  NULL: all is dealt with. */
    bool (*message)(void *owner, uint32_t node, uint32_t incarnation,
                    const uint8_t *bytes, size_t len);

    /* A send to this node was refused with -EAGAIN, and there is room again. */
    void (*writable)(void *owner, uint32_t node);

    /* A number that moves for as long as this node is well, idle or not: peers
       see it in each heartbeat.  Must be quick. */
    uint64_t (*progress)(void *owner);

    /* The peer is connected, but its number has not moved for stall_ns.  Told
       once each time it stands still. */
    void (*stalled)(void *owner, uint32_t node);
};

/* All zero but node, incarnation, listen and key is a good transport. */
struct coact__transport_options {
    uint32_t node;              /* our number in the cluster */
    uint64_t incarnation;       /* 0: drawn; the lower 32 bits never 0 */
    const char *listen;         /* "tcp://192.0.2.1:5000", "tcp://[::1]:5000",
                                   "ipc:///path"; numbers, not names; copied */
    uint8_t key[32];            /* the cluster's secret; copied */
    int64_t heartbeat_ns;       /* 0: 100 ms */
    int64_t stall_ns;           /* 0: never tell of stalled peers */
    uint32_t window_bytes;      /* what a peer may send unread; 0: 256 KiB */
    uint32_t backlog_bytes;     /* what waits to be sent; 0: 1 MiB */
    uint32_t urgent_bytes;      /* the same for urgent ones; 0: 256 KiB */
    uint64_t message_bytes_max; /* 0: 64 MiB + 64 KiB */
    uint32_t strangers_max;     /* connections of nobody we know, dead ones
                                   included, before the listener is bound anew
                                   and all links resume; 0: 1000 */
    bool no_thread;             /* the owner calls step() */
    struct coact__wire *wire;   /* NULL: nanomsg; taken */
    void *owner;                /* given to each hook */
    struct coact__transport_hooks hooks;
};

/* Start listening.  *out is given: end it with stop.  error, if not NULL, gets
   a sentence that says what is wrong with what.
   from host, waits no, fails EINVAL ENOMEM EADDRINUSE EADDRNOTAVAIL EMFILE EIO
   and what the system says to the address */
COACT_CHECKED int
coact__transport_start(const struct coact__transport_options *options,
                       struct coact__transport **out, char *error,
                       size_t error_bytes);

/* Say good-bye to all peers, send what was accepted, wait until they answered
   or the deadline has passed, end the thread, free everything.  Each link that
   is up gets its down.  Without a thread nothing is waited for: call leave, and
   step until has_left, before.
   from host, waits yes, fails never */
void coact__transport_stop(struct coact__transport *t, int64_t deadline_ns);

/* The first half of stop: from here on nothing can be sent.
   from any, waits no, fails never */
void coact__transport_leave(struct coact__transport *t, int64_t deadline_ns);

/* True when all peers have answered our good-bye, or its deadline has passed.
   from any, waits no, fails never */
bool coact__transport_has_left(struct coact__transport *t);

/* Keep a link to this node up.  The address is copied.
   from any, waits no, fails EINVAL EEXIST ENOMEM ESHUTDOWN EMFILE (nanomsg has
   no more sockets: 500 peers) */
COACT_CHECKED int coact__transport_add_peer(struct coact__transport *t,
                                            uint32_t node, const char *address);

/* End the link: good-bye, down, and no more dialling.  It happens soon, not at
   once; until then the node counts as existing.
   from any, waits no, fails ENOENT */
COACT_CHECKED int coact__transport_remove_peer(struct coact__transport *t,
                                               uint32_t node);

/* Never refused for lack of room: there is a reserve for these, and if even
   that is full, or memory fails, the link goes down instead (which everybody
   is told), and the answer is -ENOTCONN.  For links, monitors, exit signals. */
#define COACT__SEND_URGENT 1u

/* The longest urgent message. */
#define COACT__URGENT_BYTES_MAX 16000u

/* Send the bytes of parts, in order, as one message to this incarnation of the
   node.  Messages with the same lane keep their order; a long message delays
   only those of its own lane.  The bytes are copied.
   from any, waits no, fails ENOTCONN (no session with that incarnation) EAGAIN
   (the backlog is full; writable() will tell) EOVERFLOW (longer than we or the
   peer take) ENOMEM EINVAL (unknown flags) */
COACT_CHECKED int coact__transport_send(struct coact__transport *t,
                                        uint32_t node, uint32_t incarnation,
                                        uint64_t lane, unsigned flags,
                                        const struct iovec *parts, int count);

/* Give back the credit of one message whose hook returned false; len is its
   length.
   from any, waits no, fails never: what is no longer held is ignored */
void coact__transport_consumed(struct coact__transport *t, uint32_t node,
                               uint32_t incarnation, size_t len);

/* Our incarnation, all of it.
   from any, waits no, fails never */
uint64_t coact__transport_incarnation(const struct coact__transport *t);

/* For owners who pump.  fd is readable when step has something to do, -1 if
   the wire has none; next_ns is when it has, at the latest (INT64_MAX: never).
   step does all that is due at now_ns and never waits.
   from the one thread that pumps, waits no, fails never */
int coact__transport_fd(const struct coact__transport *t);
int64_t coact__transport_next_ns(struct coact__transport *t);
void coact__transport_step(struct coact__transport *t, int64_t now_ns);

/* Frames that were dropped, and why.  X(name, what it means) */
#define COACT__REJECT_TABLE(X)                                                 \
    X(malformed, "not the shape of any frame of ours")                         \
    X(version, "another version of the protocol")                              \
    X(stranger, "from a node that we do not know, or to another one")          \
    X(mac, "a handshake frame that does not fit the key")                      \
    X(auth, "a sealed frame that does not open")                               \
    X(session, "of a session that is not, or no longer, ours")                 \
    X(stale, "seen before, or an answer to what we did not ask")               \
    X(rate, "more handshakes than we care to compute")                         \
    X(clash, "an incarnation whose lower half is that of an earlier one")

struct coact__transport_stats {
    uint64_t frames_out, frames_in;     /* of live sessions */
    uint64_t messages_out, messages_in; /* accepted; delivered */
    uint64_t bytes_out, bytes_in;       /* of those messages */
    uint64_t sessions_begun, sessions_ended;
    uint64_t ended[COACT__DOWN_STOPPED + 1]; /* by enum coact__down_why */
    struct {
#define COACT__REJECT_FIELD(name, text) uint64_t name;
        COACT__REJECT_TABLE(COACT__REJECT_FIELD)
#undef COACT__REJECT_FIELD
    } rejected;
    uint64_t sockets_renewed; /* PUSH sockets closed and made anew */
    uint64_t listener_bound_anew;
    uint64_t probes_failed; /* our own connect() before nanomsg's */
    uint64_t peers, links_up;
    uint64_t backlog_bytes; /* accepted and not yet sealed, all links */
};

/* A snapshot; its numbers may be from slightly different moments.
   from any, waits no, fails never */
void coact__transport_stats(struct coact__transport *t,
                            struct coact__transport_stats *out);

#endif
