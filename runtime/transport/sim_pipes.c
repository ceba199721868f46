/*
 * sim_pipes.c - the net: its connections, and what befalls them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/transport/sim_pipes.h"

#include "runtime/memory.h"
#include "runtime/oracle.h"

#include <string.h>

#define DELAY_MIN_NS INT64_C(20000)
#define DELAY_MAX_NS INT64_C(2000000)
#define PIPE_BYTES (256u * 1024)

int64_t
coact__sim_delay(const struct coact__sim_net *net)
{
    int64_t span = net->options.delay_max_ns - net->options.delay_min_ns;
    // In steps of 1/1024 of the span: choose takes 32 bits.
    return net->options.delay_min_ns +
           span / 1024 * (int64_t)coact__oracle_choose(1024);
}

bool
coact__sim_is_blocked(const struct coact__sim_net *net, uint32_t from,
                      uint32_t to)
{
    const struct coact__sim_block *b = net->blocks;
    while (b != NULL && (b->from != from || b->to != to)) {
        b = b->next;
    }
    return b != NULL;
}

struct coact__sim_flight *
coact__sim_pipe_take(struct coact__sim_pipe *pipe)
{
    struct coact__sim_flight *flight = pipe->head;
    pipe->head = flight->next;
    if (pipe->head == NULL) {
        pipe->tail = NULL;
    }
    pipe->bytes -= flight->len;
    return flight;
}

void
coact__sim_pipe_put(struct coact__sim_pipe *pipe,
                    struct coact__sim_flight *flight)
{
    flight->next = NULL;
    if (pipe->tail != NULL) {
        pipe->tail->next = flight;
    } else {
        pipe->head = flight;
    }
    pipe->tail = flight;
    pipe->bytes += flight->len;
}

void
coact__sim_pipes_sweep(struct coact__sim_net *net)
{
    struct coact__sim_pipe **at = &net->pipes;
    while (*at != NULL) {
        struct coact__sim_pipe *pipe = *at;
        if (pipe->is_closed && pipe->head == NULL) {
            *at = pipe->next;
            coact__free(pipe);
        } else {
            at = &pipe->next;
        }
    }
}

static void
empty(struct coact__sim_pipe *pipe)
{
    while (pipe->head != NULL) {
        coact__free(coact__sim_pipe_take(pipe));
    }
}

/* The connection is gone; a part of what was on its way still arrives, and
   late, for it waits where the dead connection's data waits. */
static void
close_pipe(struct coact__sim_net *net, struct coact__sim_pipe *pipe)
{
    uint32_t count = 0;
    int64_t late = coact__sim_delay(net) * 4;
    for (struct coact__sim_flight *f = pipe->head; f != NULL; f = f->next) {
        count++;
    }
    uint32_t kept = coact__oracle_choose(count + 1);
    struct coact__sim_pipe rest = *pipe;
    pipe->head = pipe->tail = NULL;
    pipe->bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct coact__sim_flight *flight = coact__sim_pipe_take(&rest);
        if (i < kept) {
            flight->due_ns += late;
            coact__sim_pipe_put(pipe, flight);
        } else {
            coact__free(flight);
        }
    }
    pipe->is_closed = true;
}

struct coact__sim_pipe *
coact__sim_pipe_new(struct coact__sim_net *net, uint32_t from, uint32_t to)
{
    struct coact__sim_pipe *pipe = coact__alloc_zeroed(sizeof(*pipe));
    if (pipe != NULL) {
        pipe->from = from;
        pipe->to = to;
        pipe->next = net->pipes;
        net->pipes = pipe;
    }
    return pipe;
}

void
coact__sim_hang_up(struct coact__sim_wire *w, struct coact__wire_peer *peer)
{
    if (peer->pipe != NULL) {
        close_pipe(w->net, peer->pipe);
        peer->pipe = NULL;
        peer->breaks++;
    }
    peer->wants_room = false;
}

static struct coact__sim_wire *
find_node(const struct coact__sim_net *net, uint32_t node)
{
    struct coact__sim_wire *w = net->wires;
    while (w != NULL && (w->node != node || w->is_dead)) {
        w = w->next;
    }
    return w;
}

void
coact__sim_break_all_to(struct coact__sim_net *net, uint32_t node)
{
    for (struct coact__sim_wire *w = net->wires; w != NULL; w = w->next) {
        for (struct coact__wire_peer *p = w->peers; p != NULL; p = p->next) {
            if (p->pipe != NULL && p->pipe->to == node) {
                struct coact__sim_pipe *pipe = p->pipe;
                coact__sim_hang_up(w, p);
                empty(pipe);
            }
        }
    }
    for (struct coact__sim_pipe *p = net->pipes; p != NULL; p = p->next) {
        if (p->to == node) {
            empty(p);
        }
    }
}

struct coact__sim_net *
coact__sim_net_new(const struct coact__sim_net_options *options)
{
    struct coact__sim_net *net = coact__alloc_zeroed(sizeof(*net));
    if (net == NULL) {
        return NULL;
    }
    net->options = *options;
    struct coact__sim_net_options *o = &net->options;
    o->delay_min_ns = o->delay_min_ns != 0 ? o->delay_min_ns : DELAY_MIN_NS;
    o->delay_max_ns = o->delay_max_ns != 0 ? o->delay_max_ns : DELAY_MAX_NS;
    o->pipe_bytes = o->pipe_bytes != 0 ? o->pipe_bytes : PIPE_BYTES;
    return net;
}

void
coact__sim_net_free(struct coact__sim_net *net)
{
    while (net->pipes != NULL) {
        struct coact__sim_pipe *pipe = net->pipes;
        net->pipes = pipe->next;
        empty(pipe);
        coact__free(pipe);
    }
    while (net->blocks != NULL) {
        struct coact__sim_block *block = net->blocks;
        net->blocks = block->next;
        coact__free(block);
    }
    coact__free(net);
}

void
coact__sim_net_cut(struct coact__sim_net *net, uint32_t from, uint32_t to)
{
    struct coact__sim_wire *w = find_node(net, from);
    struct coact__wire_peer *p = w != NULL ? w->peers : NULL;
    while (p != NULL && p->node != to) {
        p = p->next;
    }
    if (p != NULL && p->pipe != NULL) {
        coact__sim_hang_up(w, p);
        p->dial_ns = coact__oracle_now_ns() + coact__sim_delay(net);
    }
}

void
coact__sim_net_block(struct coact__sim_net *net, uint32_t from, uint32_t to,
                     bool blocks)
{
    struct coact__sim_block **at = &net->blocks;
    while (*at != NULL && ((*at)->from != from || (*at)->to != to)) {
        at = &(*at)->next;
    }
    if (*at != NULL && !blocks) {
        struct coact__sim_block *block = *at;
        *at = block->next;
        coact__free(block);
    } else if (*at == NULL && blocks) {
        // A net that cannot remember that it is blocked lets frames pass.
        struct coact__sim_block *block = coact__alloc(sizeof(*block));
        if (block != NULL) {
            *block = (struct coact__sim_block){NULL, from, to};
            *at = block;
        }
    }
}

void
coact__sim_net_kill(struct coact__sim_net *net, uint32_t node)
{
    struct coact__sim_wire *w = find_node(net, node);
    if (w == NULL) {
        return;
    }
    coact__sim_break_all_to(net, node);
    for (struct coact__wire_peer *p = w->peers; p != NULL; p = p->next) {
        coact__sim_hang_up(w, p);
    }
    w->is_dead = true;
}

int
coact__sim_net_inject(struct coact__sim_net *net, uint32_t to,
                      const uint8_t *bytes, size_t len)
{
    if (find_node(net, to) == NULL) {
        return -ENOENT;
    }
    struct coact__sim_flight *flight = coact__alloc(sizeof(*flight) + len);
    // Node 0 stands for the stranger; nobody blocks it.
    struct coact__sim_pipe *pipe =
        flight != NULL ? coact__sim_pipe_new(net, 0, to) : NULL;
    if (pipe == NULL) {
        coact__free(flight);
        return -ENOMEM;
    }
    flight->due_ns = coact__oracle_now_ns();
    flight->len = len;
    memcpy(flight->bytes, bytes, len);
    coact__sim_pipe_put(pipe, flight);
    pipe->is_closed = true;
    return 0;
}
