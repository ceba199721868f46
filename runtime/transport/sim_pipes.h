/*
 * sim_pipes.h - the simulated network as its own files see it.
 *
 * A pipe is one connection, from a dialler to a listener.  It outlives its
 * ends: when the dialler hangs up, or the connection is cut, the pipe is closed
 * and what the oracle left in it drains to the listener; only then is it freed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_TRANSPORT_SIM_PIPES_H
#define COACT_RUNTIME_TRANSPORT_SIM_PIPES_H

#include "runtime/transport/wire_sim.h"

/* A frame; what the wire's users hold is `bytes`. */
struct coact__sim_flight {
    struct coact__sim_flight *next;
    int64_t due_ns;
    size_t len;
    uint8_t bytes[];
};

struct coact__sim_pipe {
    struct coact__sim_pipe *next;
    uint32_t from, to;
    struct coact__sim_flight *head, *tail;
    size_t bytes;
    int64_t last_due_ns; /* a connection keeps order */
    bool is_closed;
};

struct coact__sim_block {
    struct coact__sim_block *next;
    uint32_t from, to;
};

struct coact__wire_peer {
    struct coact__wire_peer *next;
    uint32_t node;
    struct coact__sim_pipe *pipe; /* NULL: not connected */
    uint32_t breaks;
    int64_t dial_ns; /* when the connect arrives */
    bool wants_room; /* a send was refused */
    char address[64];
};

struct coact__sim_wire {
    struct coact__wire base;
    struct coact__sim_wire *next;
    struct coact__sim_net *net;
    uint32_t node;
    bool is_dead, is_listening;
    struct coact__wire_peer *peers;
    struct coact__wire_stats stats;
    char address[64];
};

struct coact__sim_net {
    struct coact__sim_net_options options;
    struct coact__sim_wire *wires;
    struct coact__sim_pipe *pipes;
    struct coact__sim_block *blocks;
};

/* How long something takes now. */
int64_t coact__sim_delay(const struct coact__sim_net *net);

bool coact__sim_is_blocked(const struct coact__sim_net *net, uint32_t from,
                           uint32_t to);

/* NULL without memory. */
struct coact__sim_pipe *coact__sim_pipe_new(struct coact__sim_net *net,
                                            uint32_t from, uint32_t to);
void coact__sim_pipe_put(struct coact__sim_pipe *pipe,
                         struct coact__sim_flight *flight);
struct coact__sim_flight *coact__sim_pipe_take(struct coact__sim_pipe *pipe);

/* Free pipes that are closed and drained. */
void coact__sim_pipes_sweep(struct coact__sim_net *net);

/* The peer's connection ends here, if it has one. */
void coact__sim_hang_up(struct coact__sim_wire *wire,
                        struct coact__wire_peer *peer);

/* Whoever is connected to this node loses the connection; what was on its way
   to it is lost for good. */
void coact__sim_break_all_to(struct coact__sim_net *net, uint32_t node);

#endif
