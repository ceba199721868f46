/*
 * fleet.h - several nodes in one simulation: runtimes over a simulated net.
 *
 * Whatever is due at the moment happens, in an order that the seed decides;
 * then the clock jumps to the next time at which something is.  For tests that
 * are registered with SIM.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_FLEET_H
#define COACT_TEST_FLEET_H

#include "test/support/suite.h"

#include "actors/node.h"
#include "runtime/oracle.h"
#include "runtime/transport/wire_sim.h"
#include "test/support/sim.h"

#include <coact/actor.h>
#include <coact/runtime.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FLEET_NODES 3

struct fleet {
    struct coact__sim_net *net;
    struct coact_runtime *runtime[FLEET_NODES + 1]; /* by number, from 1 */
};

__attribute__((unused)) static void
fleet_quiet(void *context, enum coact_log_level level, const char *text)
{
    (void)context, (void)level, (void)text;
}

/* A node that knows all others; 0, or why not, and then there is none. */
__attribute__((unused)) static int
fleet_launch(struct fleet *fleet, uint32_t number, uint32_t nodes)
{
    static const unsigned char key[32] = "the key of this simulated fleet";
    const struct coact_runtime_options options = {.log = fleet_quiet};
    struct coact_runtime *runtime = NULL;
    char address[32];
    int rc = coact_start(&options, &runtime);
    if (rc < 0) {
        return rc;
    }
    // Options name no wire, so they cannot name this node; nobody has seen the
    // number that it drew.
    runtime->node = number;
    snprintf(address, sizeof(address), "sim://%u", number);
    struct coact__wire *wire = coact__sim_net_wire(fleet->net, number);
    rc = wire != NULL ? coact__node_open(runtime, address, key, 0, wire)
                      : -ENOMEM;
    for (uint32_t i = 1; rc == 0 && i <= nodes; i++) {
        snprintf(address, sizeof(address), "sim://%u", i);
        rc = i != number ? coact__node_add(runtime, i, address) : 0;
    }
    if (rc == 0) {
        fleet->runtime[number] = runtime;
        return 0;
    }
    ck_assert_int_eq(coact_stop(runtime, coact_in_ms(1000)), 0);
    ck_assert_int_eq(coact_free(runtime), 0);
    return rc;
}

/* Pump each node that has something to do now.  False: none had. */
__attribute__((unused)) static bool
fleet_turn(struct fleet *fleet, int64_t *next_ns)
{
    bool did = false;
    uint32_t first = coact__oracle_choose(FLEET_NODES);
    *next_ns = COACT_FOREVER;
    for (uint32_t i = 0; i < FLEET_NODES; i++) {
        struct coact_runtime *runtime =
            fleet->runtime[(first + i) % FLEET_NODES + 1];
        int64_t due =
            runtime != NULL ? coact_next_deadline(runtime) : COACT_FOREVER;
        if (due <= coact__oracle_now_ns()) {
            (void)coact_pump(runtime, COACT_FOREVER);
            did = true;
        }
        *next_ns = due < *next_ns ? due : *next_ns;
    }
    return did;
}

__attribute__((unused)) static void
fleet_run(struct fleet *fleet, int64_t ns)
{
    int64_t until = coact__oracle_now_ns() + ns;
    int64_t next = 0;
    unsigned turns_at_once = 0;
    while (next <= until) {
        if (fleet_turn(fleet, &next)) {
            // Time that stands still while things go on is a loop.
            ck_assert_msg(++turns_at_once < 100000, "livelock");
            next = 0;
        } else if (next <= until) {
            turns_at_once = 0;
            coact__sim_advance_to(next);
        }
    }
    coact__sim_advance_to(until);
}

/* The end of a node: with good-byes, or without. */
__attribute__((unused)) static void
fleet_land(struct fleet *fleet, uint32_t number, bool is_killed)
{
    struct coact_runtime *runtime = fleet->runtime[number];
    fleet->runtime[number] = NULL;
    if (is_killed) {
        coact__sim_net_kill(fleet->net, number);
    }
    if (runtime != NULL) {
        ck_assert_int_eq(coact_stop(runtime, coact_in_ms(5000)), 0);
        ck_assert_int_eq(coact_free(runtime), 0);
    }
}

#endif
