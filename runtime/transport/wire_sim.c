/*
 * wire_sim.c - a wire whose other end is in the same process.
 *
 * The listener takes from all pipes that have something due, in an order that
 * the oracle chooses, as NN_PULL takes from its connections.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/transport/sim_pipes.h"

#include "runtime/memory.h"
#include "runtime/oracle.h"

#include <string.h>

#define REDIAL_NS INT64_C(20000000)

static struct coact__sim_wire *
self(struct coact__wire *wire)
{
    return (struct coact__sim_wire *)wire;
}

static struct coact__sim_flight *
flight_of(uint8_t *frame)
{
    return (
        struct coact__sim_flight *)(void *)(frame -
                                            offsetof(struct coact__sim_flight,
                                                     bytes));
}

static struct coact__sim_wire *
find_listener(const struct coact__sim_net *net, const char *address)
{
    struct coact__sim_wire *w = net->wires;
    while (w != NULL && (w->is_dead || !w->is_listening ||
                         strcmp(w->address, address) != 0)) {
        w = w->next;
    }
    return w;
}

static int
wire_check(const char *address)
{
    return strncmp(address, "sim://", 6) == 0 && strlen(address) < 64 ? 0
                                                                      : -EINVAL;
}

static int
wire_listen(struct coact__wire *wire, const char *address, uint32_t strangers)
{
    struct coact__sim_wire *w = self(wire);
    (void)strangers;
    if (wire_check(address) != 0) {
        return -EINVAL;
    }
    if (find_listener(w->net, address) != NULL) {
        return -EADDRINUSE;
    }
    memcpy(w->address, address, strlen(address) + 1);
    w->is_listening = true;
    return 0;
}

static int
wire_open(struct coact__wire *wire, uint32_t node, const char *address,
          struct coact__wire_peer **out)
{
    struct coact__sim_wire *w = self(wire);
    struct coact__wire_peer *peer = coact__alloc_zeroed(sizeof(*peer));
    if (peer == NULL) {
        return -ENOMEM;
    }
    memcpy(peer->address, address, strlen(address) + 1);
    peer->node = node;
    peer->dial_ns = coact__oracle_now_ns() + coact__sim_delay(w->net);
    peer->next = w->peers;
    w->peers = peer;
    *out = peer;
    return 0;
}

static void
wire_close(struct coact__wire *wire, struct coact__wire_peer *peer)
{
    struct coact__sim_wire *w = self(wire);
    struct coact__wire_peer **at = &w->peers;
    coact__sim_hang_up(w, peer);
    while (*at != peer) {
        at = &(*at)->next;
    }
    *at = peer->next;
    coact__free(peer);
}

static void
wire_renew(struct coact__wire *wire, struct coact__wire_peer *peer)
{
    struct coact__sim_wire *w = self(wire);
    if (peer->pipe != NULL) {
        w->stats.renewed++;
    }
    coact__sim_hang_up(w, peer);
    peer->dial_ns = coact__oracle_now_ns() + coact__sim_delay(w->net);
}

static struct coact__wire_state
wire_state(struct coact__wire *wire, struct coact__wire_peer *peer)
{
    (void)wire;
    return (struct coact__wire_state){peer->pipe != NULL, peer->breaks};
}

static uint8_t *
wire_frame_new(struct coact__wire *wire, size_t len)
{
    (void)wire;
    struct coact__sim_flight *flight = coact__alloc(sizeof(*flight) + len);
    return flight != NULL ? flight->bytes : NULL;
}

static void
wire_frame_free(struct coact__wire *wire, uint8_t *frame)
{
    (void)wire;
    coact__free(flight_of(frame));
}

/* True if the connection is to break now. */
static bool
is_cut(struct coact__sim_net *net)
{
    return net->options.cut_ppm > 0 &&
           coact__oracle_choose(1000000) < net->options.cut_ppm;
}

static int
wire_send(struct coact__wire *wire, struct coact__wire_peer *peer,
          uint8_t *frame, size_t len)
{
    struct coact__sim_wire *w = self(wire);
    struct coact__sim_net *net = w->net;
    struct coact__sim_pipe *pipe = peer->pipe;
    struct coact__sim_flight *flight = flight_of(frame);
    if (w->is_dead || pipe == NULL) {
        return -ENOTCONN;
    }
    if (pipe->bytes + len > net->options.pipe_bytes) {
        peer->wants_room = true;
        return -EAGAIN;
    }
    if (net->options.tap != NULL &&
        !net->options.tap(net->options.context, w->node, peer->node, frame,
                          &len)) {
        coact__free(flight);
        return 0;
    }
    int64_t due = coact__oracle_now_ns() + coact__sim_delay(net);
    pipe->last_due_ns = due > pipe->last_due_ns ? due : pipe->last_due_ns;
    flight->due_ns = pipe->last_due_ns;
    flight->len = len;
    coact__sim_pipe_put(pipe, flight);
    if (is_cut(net)) {
        coact__sim_hang_up(w, peer);
        peer->dial_ns = coact__oracle_now_ns() + coact__sim_delay(net);
    }
    return 0;
}

static bool
is_due(const struct coact__sim_net *net, const struct coact__sim_pipe *pipe,
       uint32_t to, int64_t now_ns)
{
    return pipe->to == to && pipe->head != NULL &&
           pipe->head->due_ns <= now_ns &&
           !coact__sim_is_blocked(net, pipe->from, pipe->to);
}

static int
wire_receive(struct coact__wire *wire, uint8_t **frame, size_t *len)
{
    struct coact__sim_wire *w = self(wire);
    struct coact__sim_pipe *chosen = NULL;
    int64_t now_ns = coact__oracle_now_ns();
    uint32_t seen = 0;
    for (struct coact__sim_pipe *p = w->net->pipes; p != NULL; p = p->next) {
        // Each of those seen so far is chosen with the same chance.
        if (is_due(w->net, p, w->node, now_ns) &&
            coact__oracle_choose(++seen) == 0) {
            chosen = p;
        }
    }
    if (chosen == NULL || w->is_dead) {
        return -EAGAIN;
    }
    struct coact__sim_flight *flight = coact__sim_pipe_take(chosen);
    *frame = flight->bytes;
    *len = flight->len;
    return 0;
}

static int
wire_fd(struct coact__wire *wire)
{
    (void)wire;
    return -1;
}

static void
dial(struct coact__sim_wire *w, struct coact__wire_peer *peer, int64_t now_ns)
{
    struct coact__sim_wire *to = find_listener(w->net, peer->address);
    peer->dial_ns = now_ns + REDIAL_NS + coact__sim_delay(w->net);
    if (to != NULL && !coact__sim_is_blocked(w->net, w->node, to->node) &&
        !coact__sim_is_blocked(w->net, to->node, w->node)) {
        peer->pipe = coact__sim_pipe_new(w->net, w->node, to->node);
    }
}

static void
wire_tick(struct coact__wire *wire, int64_t now_ns)
{
    struct coact__sim_wire *w = self(wire);
    coact__sim_pipes_sweep(w->net);
    for (struct coact__wire_peer *p = w->peers; p != NULL; p = p->next) {
        if (!w->is_dead && p->pipe == NULL && now_ns >= p->dial_ns) {
            dial(w, p, now_ns);
        }
    }
}

static int64_t
earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t
wire_next_ns(struct coact__wire *wire)
{
    struct coact__sim_wire *w = self(wire);
    int64_t next = INT64_MAX;
    if (w->is_dead) {
        return next;
    }
    for (struct coact__wire_peer *p = w->peers; p != NULL; p = p->next) {
        if (p->pipe == NULL) {
            next = earlier(next, p->dial_ns);
        } else if (p->wants_room &&
                   p->pipe->bytes < w->net->options.pipe_bytes / 2) {
            p->wants_room = false;
            next = INT64_MIN;
        }
    }
    for (struct coact__sim_pipe *p = w->net->pipes; p != NULL; p = p->next) {
        if (is_due(w->net, p, w->node, INT64_MAX)) {
            next = earlier(next, p->head->due_ns);
        }
    }
    return next;
}

static void
wire_stats(struct coact__wire *wire, struct coact__wire_stats *out)
{
    *out = self(wire)->stats;
}

static void
wire_free(struct coact__wire *wire)
{
    struct coact__sim_wire *w = self(wire);
    struct coact__sim_wire **at = &w->net->wires;
    if (!w->is_dead && w->is_listening) {
        coact__sim_break_all_to(w->net, w->node);
    }
    while (*at != w) {
        at = &(*at)->next;
    }
    *at = w->next;
    coact__free(w);
}

static const struct coact__wire_ops sim_ops = {
    .listen = wire_listen,
    .check = wire_check,
    .open = wire_open,
    .close = wire_close,
    .renew = wire_renew,
    .state = wire_state,
    .frame_new = wire_frame_new,
    .frame_free = wire_frame_free,
    .send = wire_send,
    .receive = wire_receive,
    .fd = wire_fd,
    .tick = wire_tick,
    .next_ns = wire_next_ns,
    .stats = wire_stats,
    .free = wire_free,
};

struct coact__wire *
coact__sim_net_wire(struct coact__sim_net *net, uint32_t node)
{
    struct coact__sim_wire *w = coact__alloc_zeroed(sizeof(*w));
    if (w == NULL) {
        return NULL;
    }
    w->base.ops = &sim_ops;
    w->net = net;
    w->node = node;
    w->next = net->wires;
    net->wires = w;
    return &w->base;
}
