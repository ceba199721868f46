/*
 * cluster.c - the driver of cluster.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/transport/cluster.h"

#include "runtime/memory.h"
#include "runtime/oracle.h"
#include "runtime/oracle_sim.h"
#include "runtime/transport/frame.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD 16u

static uint8_t
filler(uint64_t number, size_t at)
{
    return (uint8_t)(number * 31 + at * 7);
}

static void
on_up(void *owner, uint32_t from, uint32_t incarnation)
{
    struct node *node = owner;
    struct view *view = &node->view[from];
    ck_assert(!view->is_up);
    ck_assert_uint_ne(incarnation, 0);
    view->is_up = true;
    view->incarnation = incarnation;
    view->ups++;
    memset(view->sent, 0, sizeof(view->sent));
    memset(view->received, 0, sizeof(view->received));
}

static void
on_down(void *owner, uint32_t from, uint32_t incarnation, int why)
{
    struct node *node = owner;
    struct view *view = &node->view[from];
    ck_assert(view->is_up);
    ck_assert_uint_eq(incarnation, view->incarnation);
    ck_assert_int_ne(why, COACT__DOWN_NONE);
    view->is_up = false;
    view->downs++;
    view->last_why = why;
    view->down_at_ns = coact__oracle_now_ns();
    uint32_t told[3] = {node->id, from, (uint32_t)why};
    coact__sim_note(told, sizeof(told));
}

static bool
on_message(void *owner, uint32_t from, uint32_t incarnation,
           const uint8_t *bytes, size_t len)
{
    struct node *node = owner;
    struct view *view = &node->view[from];
    ck_assert(view->is_up);
    ck_assert_uint_eq(incarnation, view->incarnation);
    ck_assert_uint_ge(len, HEAD);
    uint32_t lane = coact__get_u32(bytes);
    uint64_t number = coact__get_u64(bytes + 8);
    ck_assert_uint_lt(lane, CLUSTER_LANES);
    ck_assert_uint_eq(coact__get_u32(bytes + 4), incarnation);
    ck_assert_uint_eq(number, view->received[lane]);
    for (size_t i = HEAD; i < len; i += 997) {
        ck_assert_uint_eq(bytes[i], filler(number, i));
    }
    view->received[lane]++;
    view->all_received++;
    coact__sim_note(bytes, HEAD);
    view->held += node->holds ? len : 0;
    return !node->holds;
}

static void
on_writable(void *owner, uint32_t to)
{
    struct node *node = owner;
    node->view[to].writables++;
}

static uint64_t
on_progress(void *owner)
{
    struct node *node = owner;
    node->progress += node->is_hung ? 0 : 1;
    return node->progress;
}

static void
on_stalled(void *owner, uint32_t who)
{
    struct node *node = owner;
    node->view[who].stalls++;
}

static void
address_of(uint32_t id, char out[32])
{
    (void)snprintf(out, 32, "sim://node-%u", id);
}

int
cluster_connect(struct cluster *c, uint32_t id)
{
    for (uint32_t peer = 1; peer <= (uint32_t)c->nodes; peer++) {
        char address[32];
        address_of(peer, address);
        if (peer != id) {
            int rc =
                coact__transport_add_peer(c->node[id].transport, peer, address);
            if (rc != 0 && rc != -EEXIST) {
                return rc;
            }
        }
    }
    return 0;
}

int
cluster_start_node(struct cluster *c, uint32_t id)
{
    struct node *node = &c->node[id];
    struct coact__transport_options o = c->options;
    char address[32];
    memset(node, 0, sizeof(*node));
    node->cluster = c;
    node->id = id;
    address_of(id, address);
    o.node = id;
    o.listen = address;
    o.no_thread = true;
    o.owner = node;
    o.hooks = (struct coact__transport_hooks){
        .up = on_up,
        .down = on_down,
        .message = on_message,
        .writable = on_writable,
        .progress = on_progress,
        .stalled = on_stalled,
    };
    o.wire = coact__sim_net_wire(c->net, id);
    if (o.wire == NULL) {
        return -ENOMEM;
    }
    int rc = coact__transport_start(&o, &node->transport, NULL, 0);
    return rc != 0 ? rc : cluster_connect(c, id);
}

void
cluster_start(struct cluster *c, int nodes,
              const struct coact__transport_options *options,
              const struct coact__sim_net_options *net)
{
    struct coact__sim_net_options none;
    memset(&none, 0, sizeof(none));
    memset(c, 0, sizeof(*c));
    c->nodes = nodes;
    c->now_ns = coact__oracle_now_ns();
    if (options != NULL) {
        c->options = *options;
    }
    c->net = coact__sim_net_new(net != NULL ? net : &none);
    ck_assert_ptr_nonnull(c->net);
    for (uint32_t id = 1; id <= (uint32_t)nodes; id++) {
        ck_assert_int_eq(cluster_start_node(c, id), 0);
    }
}

void
cluster_kill(struct cluster *c, uint32_t id)
{
    coact__sim_net_kill(c->net, id);
    if (c->node[id].transport != NULL) {
        coact__transport_stop(c->node[id].transport, 0);
        c->node[id].transport = NULL;
    }
    // Whoever is alive knows nothing of it yet.
    memset(c->node[id].view, 0, sizeof(c->node[id].view));
}

void
cluster_stop(struct cluster *c)
{
    for (uint32_t id = 1; id <= (uint32_t)c->nodes; id++) {
        if (c->node[id].transport != NULL) {
            coact__transport_stop(c->node[id].transport, 0);
        }
    }
    coact__sim_net_free(c->net);
}

bool
cluster_turn(struct cluster *c)
{
    bool did = false;
    uint32_t first = coact__oracle_choose((uint32_t)c->nodes);
    for (uint32_t i = 0; i < (uint32_t)c->nodes; i++) {
        struct coact__transport *t =
            c->node[(first + i) % (uint32_t)c->nodes + 1].transport;
        if (t != NULL && coact__transport_next_ns(t) <= c->now_ns) {
            coact__transport_step(t, c->now_ns);
            did = true;
        }
    }
    return did;
}

static int64_t
next_of_all(struct cluster *c)
{
    int64_t next = INT64_MAX;
    for (uint32_t id = 1; id <= (uint32_t)c->nodes; id++) {
        struct coact__transport *t = c->node[id].transport;
        int64_t due = t != NULL ? coact__transport_next_ns(t) : INT64_MAX;
        next = due < next ? due : next;
    }
    return next;
}

void
cluster_run(struct cluster *c, int64_t ns)
{
    int64_t until = c->now_ns + ns;
    unsigned turns_at_once = 0;
    for (;;) {
        while (cluster_turn(c)) {
            // Time that stands still while things go on is a loop.
            ck_assert_msg(++turns_at_once < 1000000, "livelock");
        }
        int64_t next = next_of_all(c);
        if (next > until) {
            break;
        }
        if (next > c->now_ns) {
            turns_at_once = 0;
            c->now_ns = next;
            coact__sim_advance_to(next);
        }
    }
    c->now_ns = until;
    coact__sim_advance_to(until);
}

int
cluster_send(struct cluster *c, uint32_t from, uint32_t to, uint32_t lane,
             size_t len, unsigned flags)
{
    struct node *node = &c->node[from];
    struct view *view = &node->view[to];
    if (node->transport == NULL) {
        return -ENOTCONN;
    }
    uint8_t *bytes = calloc(1, len);
    ck_assert_ptr_nonnull(bytes);
    uint64_t number = view->sent[lane];
    for (size_t i = HEAD; i < len; i += 997) {
        bytes[i] = filler(number, i);
    }
    coact__put_u32(bytes, lane);
    coact__put_u32(bytes + 4,
                   (uint32_t)coact__transport_incarnation(node->transport));
    coact__put_u64(bytes + 8, number);
    struct iovec parts[2] = {{bytes, HEAD}, {bytes + HEAD, len - HEAD}};
    int rc = coact__transport_send(node->transport, to, view->incarnation, lane,
                                   flags, parts, 2);
    view->sent[lane] += rc == 0 ? 1 : 0;
    free(bytes);
    return rc;
}

bool
cluster_is_whole(const struct cluster *c)
{
    for (uint32_t a = 1; a <= (uint32_t)c->nodes; a++) {
        for (uint32_t b = 1; b <= (uint32_t)c->nodes; b++) {
            if (a != b && c->node[a].transport != NULL &&
                c->node[b].transport != NULL && !c->node[a].view[b].is_up) {
                return false;
            }
        }
    }
    return true;
}
