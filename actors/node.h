/*
 * node.h - actors on other nodes, as the rest of this folder sees them.
 *
 * The first part is what local deliveries turn into for an address that is not
 * ours; without a link to its node every such address is out of reach.  The
 * second is our part in a cluster: a transport, and the peers that it has links
 * to.  The public calls are in cluster.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_NODE_H
#define COACT_ACTORS_NODE_H

#include "actors/life.h"

struct coact__bond_side;
struct coact__wire;

/* ---- Instead of a local delivery ---- */

/* Send; the envelope is taken. */
int coact__node_dispatch(struct coact_runtime *runtime, coact_ref to,
                         struct coact__envelope *envelope);

/* The same, but where there is no room on the link sleep until there is. */
int coact__node_dispatch_wait(struct coact__actor *actor, coact_ref to,
                              struct coact__envelope *envelope,
                              int64_t deadline_ns);

/* Answer a caller on another node: with a payload of `type`, or a failure. */
int coact__node_answer(struct coact_runtime *runtime,
                       const struct coact__request *request,
                       struct coact_type *type, const void *payload, int rc,
                       const struct coact_reason *reason);

/* Monitor, and no longer.  watch takes over the request's hold if it succeeds,
   unwatch the withdrawal's. */
int coact__node_watch(struct coact_runtime *runtime,
                      struct coact__watch *watch);
void coact__node_unwatch(struct coact_runtime *runtime,
                         struct coact__watch *watch);

/* Tell a watcher elsewhere; the caller's hold is taken. */
void coact__node_down(struct coact_runtime *runtime, struct coact__watch *watch,
                      const struct coact_reason *reason);

/* Link; takes over the introduction's hold if it succeeds. */
int coact__node_link(struct coact_runtime *runtime, struct coact__bond *bond);

/* Say good-bye to a linked actor elsewhere; the caller's hold is taken. */
void coact__node_farewell(struct coact_runtime *runtime,
                          struct coact__bond_side *side, enum coact__kind kind,
                          const struct coact_reason *reason);

/* An exit signal that goes along no link; kill does as coact_kill. */
int coact__node_signal(struct coact_runtime *runtime, coact_ref from,
                       coact_ref to, const struct coact_reason *reason,
                       bool is_kill);

/* ---- Our part in a cluster ---- */

/* The address of a node itself, which answers questions about names. */
#define COACT__NODE_SLOT UINT32_MAX

/* From the options; 0 also where they name no cluster. */
COACT_CHECKED int coact__node_start(struct coact_runtime *runtime);

/* Start listening.  wire: NULL, or a simulated one, taken.  -EALREADY */
COACT_CHECKED int coact__node_open(struct coact_runtime *runtime,
                                   const char *listen,
                                   const unsigned char key[32],
                                   int64_t heartbeat_ns,
                                   struct coact__wire *wire);
bool coact__node_is_open(struct coact_runtime *runtime);
const char *coact__node_listens(struct coact_runtime *runtime);
const unsigned char *coact__node_key(struct coact_runtime *runtime);

COACT_CHECKED int coact__node_add(struct coact_runtime *runtime, uint32_t node,
                                  const char *address);
void coact__node_remove(struct coact_runtime *runtime, uint32_t number);

/* The peer is a process of ours: when it breaks the link, what goes across waits
   to be cut until coact__node_ended says why it ended. */
void coact__node_is_child(struct coact_runtime *runtime, uint32_t number);
void coact__node_ended(struct coact_runtime *runtime, uint32_t number,
                       const struct coact_reason *reason);

/* Wait until the link to a node is up.  from any; fails ENOENT ETIMEDOUT
   ECANCELED ENOTCONN */
COACT_CHECKED int coact__node_await(struct coact_runtime *runtime,
                                    uint32_t node, int64_t deadline_ns,
                                    uint32_t *incarnation);

/* Say good-bye to all; then free everything. */
void coact__node_stop(struct coact_runtime *runtime, int64_t deadline_ns);
void coact__node_free(struct coact_runtime *runtime);

/* Host-driven. */
int64_t coact__node_next_ns(struct coact_runtime *runtime);
void coact__node_step(struct coact_runtime *runtime);
void coact__node_stats(struct coact_runtime *runtime,
                       struct coact_runtime_stats *out);

#endif
