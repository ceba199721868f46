/*
 * ring.c - one token over 1000 actors: more of them than a cache holds.
 *
 * With the variant server they are servers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/bench/bench.h"

#include <coact/server.h>

#include <stdlib.h>

enum { NODES = 1000 };

struct next_is {
    coact_ref node;
};
COACT_MESSAGE(next_is, (1, node));
COACT_MAILBOX(node, ping, next_is);

static void
node_body(node_self self, void *arg)
{
    boss_ref boss = *(boss_ref *)arg;
    node_ref next = {{0}};
    for (;;) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(ping, m):
            if (m->value == 0) {
                bench_must(coact_send(boss, done, .value = 1), "send");
            } else {
                bench_must(coact_send(next, ping, .value = m->value - 1),
                           "pass the token");
            }
            break;
        case COACT_ON(next_is, m):
            next.ref = m->node;
            break;
        }
    }
}

struct node {
    boss_ref boss;
    node_ref next;
};

static void
node_handle(node_turn self, void *state)
{
    struct node *node = state;
    COACT_HANDLE(self) {
    case COACT_ON(ping, m):
        if (m->value == 0) {
            bench_must(coact_send(node->boss, done, .value = 1), "send");
        } else {
            bench_must(coact_send(node->next, ping, .value = m->value - 1),
                       "pass the token");
        }
        break;
    case COACT_ON(next_is, m):
        node->next.ref = m->node;
        break;
    }
}

static int
start_node(const struct bench_run *run, node_ref *out, struct node *node)
{
    return run->variant[0] != '\0'
               ? coact_serve(node, out, node_handle, node)
               : coact_spawn(node, out, node_body, &node->boss);
}

void
bench_ring(boss_self self, void *arg)
{
    struct bench_run *run = arg;
    node_ref *nodes = bench_alloc(NODES, sizeof(*nodes));
    struct node *states = bench_alloc(NODES, sizeof(*states));
    for (int i = 0; i < NODES; i++) {
        states[i].boss.ref = self.ref;
        bench_must(start_node(run, &nodes[i], &states[i]), "spawn");
    }
    for (int i = 0; i < NODES; i++) {
        coact_ref next = nodes[(i + 1) % NODES].ref;
        bench_must(coact_send(nodes[i], next_is, .node = next), "send");
    }
    int64_t start = coact_now_ns();
    bench_must(coact_send(nodes[0], ping, .value = run->n), "send the token");
    bench_check(bench_collect(self, 1) == 1, "the token ended in one place");
    bench_finish(run, run->n, start);
    free(nodes);
    free(states); // whoever is left gets no message any more
}
