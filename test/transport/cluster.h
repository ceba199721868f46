/*
 * cluster.h - a few nodes on a simulated network, and a ledger of what they
 * send each other.
 *
 * Every message carries its lane and its number in that lane; numbers begin at
 * 0 with each session.  So a receiver that sees 0, 1, 2 … in each lane of each
 * session has seen order kept and nothing lost but a suffix; whatever else it
 * sees fails the test at once.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_TRANSPORT_CLUSTER_H
#define COACT_TEST_TRANSPORT_CLUSTER_H

#include "runtime/transport/transport.h"
#include "runtime/transport/wire_sim.h"

#define CLUSTER_NODES_MAX 5
#define CLUSTER_LANES 4
#define MS INT64_C(1000000)

/* What one node knows of another. */
struct view {
    bool is_up;
    uint32_t incarnation;
    uint64_t ups, downs;
    int last_why;
    int64_t down_at_ns;
    uint64_t sent[CLUSTER_LANES], received[CLUSTER_LANES];
    uint64_t all_received;
    uint64_t stalls, writables;
    size_t held;
};

struct node {
    struct cluster *cluster;
    uint32_t id;                             /* 1 .. */
    struct coact__transport *transport;      /* NULL: not running */
    struct view view[CLUSTER_NODES_MAX + 1]; /* by node id */
    bool holds;                              /* does not give credit back */
    uint64_t progress;
    bool is_hung; /* its progress stands still */
};

struct cluster {
    struct coact__sim_net *net;
    int nodes;
    struct node node[CLUSTER_NODES_MAX + 1];
    struct coact__transport_options options; /* for every node */
    int64_t now_ns;
};

/* Nodes 1 .. n, all peers of each other; `options` and `net` may be NULL. */
void cluster_start(struct cluster *c, int nodes,
                   const struct coact__transport_options *options,
                   const struct coact__sim_net_options *net);
void cluster_stop(struct cluster *c);

/* A code if a node could not be started; then it is not running. */
int cluster_start_node(struct cluster *c, uint32_t id);
int cluster_connect(struct cluster *c, uint32_t id);

/* As SIGKILL does. */
void cluster_kill(struct cluster *c, uint32_t id);

/* Let virtual time pass. */
void cluster_run(struct cluster *c, int64_t ns);

/* Do all that is due now; true if something was. */
bool cluster_turn(struct cluster *c);

/* Send the next message of a lane, of at least 16 bytes. */
int cluster_send(struct cluster *c, uint32_t from, uint32_t to, uint32_t lane,
                 size_t len, unsigned flags);

/* Every running pair is up, both ways. */
bool cluster_is_whole(const struct cluster *c);

#endif
