/*
 * pair.h - two sessions in one thread, whose frames a test passes by hand.
 *
 * Node 1 and node 2 are peers; there is no network and no clock: a test moves
 * `now` and decides which frame arrives, when, and how often.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_PAIR_H
#define COACT_TEST_PAIR_H

#include "runtime/transport/session.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MS INT64_C(1000000)

/* Two nodes, 1 and 2, and what they were told. */
struct side {
    struct coact__session_config config;
    struct coact__session session;
    struct coact__counters counters;
    struct coact__ration ration;
    uint32_t up_incarnation;
    int ups, downs, why;
    uint64_t messages;
    uint8_t last[64];
    size_t last_len;
    unsigned frames; /* that this side has sent */
    bool checks_order;
    uint8_t next[3]; /* number expected, by lane */
};

extern struct side side[3]; /* by id: the first is not used */
extern int64_t now;

/* open_both leaves them unconnected, go_up only when both sessions are up;
   close_both ends either. */
void open_side(uint32_t id, uint64_t incarnation);
void open_both(void);
void go_up(void);
void close_both(void);

/* The next frame of a side; 0 if it has none. */
size_t take_frame(uint32_t from, uint8_t *frame);
void give_frame(uint32_t to, uint8_t *frame, size_t len);

/* Hand the next frame of one side to the other; its type. */
int pass_one(uint32_t from);

/* Pass frames until there are none. */
void pass_all(void);

void tick_both(int64_t ns);
int send_bytes(uint32_t from, uint64_t lane, unsigned flags, const void *bytes,
               size_t len);

#endif
