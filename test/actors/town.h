/*
 * town.h - several nodes, each a real process, for tests of what crosses.
 *
 * A test forks its peers before anything has a thread, since neither threads
 * nor nanomsg survive a fork.  Each waits for town_go, then is a node with one
 * actor, the puppet, that does what it is told; a peer ends when the town is
 * closed, and must leave nothing behind.  The test itself is node 1, and its
 * body is an actor there, the boss.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_TOWN_H
#define COACT_TEST_TOWN_H

#include "test/support/suite.h"

#include <coact/actor.h>
#include <coact/cluster.h>
#include <coact/runtime.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define TOWN_NODES 10
#define SOON coact_in_ms(20000)

/* What the puppet can be told. */
enum town_order {
    TOWN_SPAWN = 1, /* another puppet; it traps exits if n is not 0 */
    TOWN_MONITOR,   /* who */
    TOWN_DEMONITOR, /* the last monitor */
    TOWN_LINK,      /* with who */
    TOWN_UNLINK,
    TOWN_FAIL,  /* with code n; no answer comes */
    TOWN_BURST, /* send who n items, each 16th of `bytes` bytes */
    TOWN_COUNT, /* how many items have you seen? */
    TOWN_USE    /* send who one item: an address that came with an order */
};

/* How the puppet answers a question. */
enum town_how {
    TOWN_ANSWER = 1,
    TOWN_KEEP, /* and never answer */
    TOWN_DIE,  /* with code 277 */
    TOWN_DROP,
    TOWN_LARGE,    /* n bytes */
    TOWN_FORWARD,  /* to who, who answers */
    TOWN_ENTRUST,  /* to who, who keeps it */
    TOWN_WHEN_TOLD /* when the next order has come */
};

struct order {
    uint32_t what, n, bytes;
    coact_ref who;
};
struct told {
    uint32_t what; /* the order's */
    int32_t n;
    coact_ref who;
};
struct item {
    uint32_t from, number;
    coact_bytes load;
};
struct question {
    uint32_t how, n;
    coact_ref who;
};
struct answer {
    uint32_t n;
    coact_ref by;
    coact_bytes load;
};
struct place {
    coact_text street;
    uint16_t door;
};
struct parcel {
    coact_text title;
    coact_bytes photo;
    COACT_REPEATED(int32_t) scores;
    COACT_REPEATED(struct place) places;
    struct place home;
    coact_ref author;
    double weight;
};
COACT_MESSAGE(order, (1, what), (2, n), (3, bytes), (4, who));
COACT_MESSAGE(told, (1, what), (2, n), (3, who));
COACT_MESSAGE(item, (1, from), (2, number), (3, load));
COACT_MESSAGE(answer, (1, n), (2, by), (3, load));
COACT_REQUEST(question, answer, (1, how), (2, n), (3, who));
COACT_MESSAGE(place, (1, street), (2, door));
COACT_MESSAGE(parcel, (1, title), (2, photo), (3, scores, REPEATED),
              (4, places, REPEATED, place), (5, home, NESTED, place),
              (6, author), (7, weight));
COACT_SIGNAL(nudge);

COACT_MAILBOX(puppet, order, question, item, parcel);
COACT_MAILBOX(boss, told, item, parcel, nudge);

/* The actor "puppet" of each peer. */
void puppet_body(puppet_self self, void *arg);

/* Make the town: a folder, a key. */
void town_found(void);
/* Where a node listens; before town_found with a tcp address if not in the
   folder. */
const char *town_address(uint32_t number);
void town_set_address(uint32_t number, const char *address);
/* A key file that is not the town's. */
const char *town_other_key(void);

/* Fork what is to be a node: `live` runs when town_go is called, in a process
   without threads.  Returns its place, for the other calls. */
int town_fork(void (*live)(int place));
/* The same for a node with a puppet that knows nodes 1 to `known`. */
int town_fork_peer(uint32_t number, uint32_t known);
void town_go(int place);
void town_signal(int place, int signal_number);

/* By a peer: a running node that knows others; wait for the end of the town;
   stop.  key: NULL for the town's. */
/* How many refusals the hook of this process has seen. */
unsigned town_refusals(void);

struct coact_runtime *town_start(uint32_t number, const char *key,
                                 uint32_t known);
void town_await_end(int place);
void town_stop(struct coact_runtime *runtime);

/* Be node 1, run body as an actor, stop, and close the town. */
void town_conduct(uint32_t known, void (*body)(boss_self self));
struct coact_runtime *town_runtime(void);

/* ---- For bodies ---- */

puppet_ref town_puppet(uint32_t number);
/* Tell a puppet, and wait until it has done so. */
struct told town_tell(boss_self self, puppet_ref puppet, struct order order);
puppet_ref town_another(boss_self self, puppet_ref puppet, bool traps);
/* The next news must be this. */
void town_expect_down(boss_self self, coact_monitor_id id, int code);
void town_expect_exit(boss_self self, coact_ref from, int code);
/* News of these kinds do not wait: a round trip to the puppet brings none. */
void town_expect_nothing(boss_self self, puppet_ref puppet);
struct coact_runtime_stats town_stats(void);
/* Let one more short time pass until is_true(context), at most 20 s. */
void town_until(bool (*is_true)(void *context), void *context);
int64_t town_median(int64_t *values, size_t count);

#endif
