/*
 * wire_sim.h - a network inside one process, where the oracle is the weather.
 *
 * Each node of a simulation has a wire of one net.  Frames take a time that the
 * oracle draws.  A connection keeps their order; when one breaks, the oracle
 * says how much of what was on its way still arrives, and that may be after
 * what the next connection carries, as it is with nanomsg.  Nothing is ever
 * duplicated by itself; inject can.
 *
 * Time is the oracle's.  A wire moves when its transport is stepped.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_TRANSPORT_WIRE_SIM_H
#define COACT_RUNTIME_TRANSPORT_WIRE_SIM_H

#include "runtime/transport/wire.h"

/* All zero is a good net. */
struct coact__sim_net_options {
    int64_t delay_min_ns; /* of a frame and of a connect; 0: 20 us */
    int64_t delay_max_ns; /* 0: 2 ms */
    uint32_t pipe_bytes;  /* what a connection holds; 0: 256 KiB */
    uint32_t cut_ppm;     /* chance that a connection breaks at a send */

    /* Sees each frame as it is sent, and may change it or shorten *len.  False:
       it is lost without a trace. */
    bool (*tap)(void *context, uint32_t from, uint32_t to, uint8_t *frame,
                size_t *len);
    void *context;
};

struct coact__sim_net;

/* NULL without memory.  Free it when all its wires are freed. */
struct coact__sim_net *
coact__sim_net_new(const struct coact__sim_net_options *options);
void coact__sim_net_free(struct coact__sim_net *net);

/* The wire of a node, for coact__transport_options; NULL without memory.  Its
   addresses begin with "sim://"; any text may follow. */
struct coact__wire *coact__sim_net_wire(struct coact__sim_net *net,
                                        uint32_t node);

/* The connection on which `from` sends to `to` breaks, if there is one. */
void coact__sim_net_cut(struct coact__sim_net *net, uint32_t from, uint32_t to);

/* Nothing passes from `from` to `to`, and nobody is told; what is under way
   waits.  Nor can either dial the other. */
void coact__sim_net_block(struct coact__sim_net *net, uint32_t from,
                          uint32_t to, bool blocks);

/* The node's process is gone: its connections break, and nothing that it sends
   from here on arrives.  Stop its transport afterwards. */
void coact__sim_net_kill(struct coact__sim_net *net, uint32_t node);

/* A stranger sends these bytes to the node's listener, now.  -ENOMEM, -ENOENT */
COACT_CHECKED int coact__sim_net_inject(struct coact__sim_net *net, uint32_t to,
                                        const uint8_t *bytes, size_t len);

#endif
