/*
 * wire.h - what the transport needs of a network.
 *
 * A wire moves frames.  It listens at one address and dials one address for
 * each peer, one way each; it may lose, and across a reconnect reorder, what it
 * took.  It knows neither sessions nor keys.  There are two: nanomsg, and the
 * simulated network.
 *
 * One thread calls all of this but check.  Nothing waits.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_TRANSPORT_WIRE_H
#define COACT_RUNTIME_TRANSPORT_WIRE_H

#include "runtime/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct coact__wire;
struct coact__wire_peer;

struct coact__wire_state {
    bool is_connected;
    uint32_t breaks; /* connections lost since the peer was opened */
};

struct coact__wire_stats {
    uint64_t renewed;    /* peer sockets made anew */
    uint64_t bound_anew; /* times that the listener was */
    uint64_t probes_failed;
};

struct coact__wire_ops {
    /* Listen.  strangers: connections beyond those of the peers, dead ones
       that cannot be told from live ones included, that make the wire close
       its listener and bind it anew.  Codes as the system gives them. */
    int (*listen)(struct coact__wire *wire, const char *address,
                  uint32_t strangers);

    /* -EINVAL unless this is an address that open takes.  From any thread. */
    int (*check)(const char *address);

    /* Begin to dial.  -EINVAL, -ENOMEM */
    int (*open)(struct coact__wire *wire, uint32_t node, const char *address,
                struct coact__wire_peer **out);
    void (*close)(struct coact__wire *wire, struct coact__wire_peer *peer);

    /* Hang up and dial again: counts as a break if it was connected. */
    void (*renew)(struct coact__wire *wire, struct coact__wire_peer *peer);
    struct coact__wire_state (*state)(struct coact__wire *wire,
                                      struct coact__wire_peer *peer);

    /* Room for a frame; NULL without memory.  Freed by send, or by frame_free,
       which also frees what receive gave. */
    uint8_t *(*frame_new)(struct coact__wire *wire, size_t len);
    void (*frame_free)(struct coact__wire *wire, uint8_t *frame);

    /* 0: the frame is the wire's.  Else it is still yours: -EAGAIN: later, and
       fd will tell; -ENOTCONN. */
    int (*send)(struct coact__wire *wire, struct coact__wire_peer *peer,
                uint8_t *frame, size_t len);

    /* 0 and a frame, which is yours; -EAGAIN. */
    int (*receive)(struct coact__wire *wire, uint8_t **frame, size_t *len);

    /* Readable when tick, receive or a refused send has something to do; -1 if
       there is no such thing. */
    int (*fd)(struct coact__wire *wire);

    /* Look after connections.  Before receive. */
    void (*tick)(struct coact__wire *wire, int64_t now_ns);

    /* When tick or receive has something to do that fd does not tell. */
    int64_t (*next_ns)(struct coact__wire *wire);

    void (*stats)(struct coact__wire *wire, struct coact__wire_stats *out);

    /* Close everything.  Peers have been closed. */
    void (*free)(struct coact__wire *wire);
};

/* The first member of each kind of wire. */
struct coact__wire {
    const struct coact__wire_ops *ops;
};

/* The wire that is nanomsg: *out is given, free it with its ops.
   from host, waits no, fails ENOMEM EMFILE */
COACT_CHECKED int coact__wire_nanomsg_new(struct coact__wire **out);

#endif
