/*
 * peers.h - actors for tests of actors: a mailbox, a runtime, a conductor.
 *
 * conduct(workers, body, arg) starts a runtime, runs body in it as an actor
 * whose assertions may fail the test, and stops it; it fails if the body does
 * not end in time, if anything is left behind, or if the body did not end
 * normally.  Against the simulated library the same test runs on one thread
 * and in virtual time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_PEERS_H
#define COACT_TEST_PEERS_H

#include "test/support/suite.h"

#include <coact/actor.h>
#include <coact/runtime.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct item {
    uint32_t from;
    uint32_t number;
};
struct question {
    uint64_t n;
};
struct answer {
    uint64_t n;
};
/* Something that counts how often it is destroyed. */
struct parcel {
    uint64_t number;
    _Atomic uint32_t *destroyed;
};
struct note {
    coact_text text;
};
struct letter_of {
    coact_text text;
};

__attribute__((unused)) static void
parcel_destroy(struct parcel *parcel)
{
    if (parcel->destroyed != NULL) {
        atomic_fetch_add_explicit(parcel->destroyed, 1, memory_order_acq_rel);
    }
}

COACT_SIGNAL(go);
COACT_MESSAGE(item, (1, from), (2, number));
COACT_MESSAGE(answer, (1, n));
COACT_REQUEST(question, answer, (1, n));
COACT_MESSAGE_WITH_DESTRUCTOR(parcel, parcel_destroy, (1, number));
COACT_MESSAGE(letter_of, (1, text));
COACT_REQUEST(note, letter_of, (1, text));

COACT_MAILBOX(peer, go, item, question, parcel, note);

/* Long enough for the slowest machine under the slowest checker. */
#define LIMIT_MS 60000
#define IN_TIME coact_in_ms(LIMIT_MS)

/* Wait, on a thread that is no actor, for what the counters say. */
#define AWAIT(condition)                                                       \
    do {                                                                       \
        int64_t deadline_ns = IN_TIME;                                         \
        while (!(condition)) {                                                 \
            ck_assert_msg(coact_now_ns() < deadline_ns, "never: " #condition); \
            usleep(1000);                                                      \
        }                                                                      \
    } while (0)

/* ---- The log of a runtime under test ------------------------------------- */

struct log_seen {
    _Atomic uint32_t lines;
    char last[512]; /* of one thread, or after the runtime has stopped */
};

__attribute__((unused)) static void
log_nothing(void *context, enum coact_log_level level, const char *text)
{
    (void)context, (void)level, (void)text;
}

/* ---- Running ------------------------------------------------------------- */

__attribute__((unused)) static struct coact_runtime *
start_runtime(uint32_t workers)
{
    struct coact_runtime_options options = {.workers = workers,
                                            .log = log_nothing};
    struct coact_runtime *runtime = NULL;
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    return runtime;
}

__attribute__((unused)) static void
stop_runtime(struct coact_runtime *runtime)
{
    ck_assert_int_eq(coact_stop(runtime, IN_TIME), 0);
    struct coact_runtime_stats stats;
    coact_stats(runtime, &stats);
    ck_assert_uint_eq(stats.actors_alive, 0);
    ck_assert_uint_eq(stats.actors_spawned, stats.actors_ended);
    coact_detach();
    ck_assert_int_eq(coact_free(runtime), 0);
}

__attribute__((unused)) static void
conduct(uint32_t workers, void (*body)(peer_self self, void *arg), void *arg)
{
    struct coact_runtime *runtime = start_runtime(workers);
    peer_ref conductor;
    ck_assert_int_eq(
        coact_spawn_with(peer, &conductor, body, arg, .label = "conductor"), 0);
    struct coact_reason reason;
    ck_assert_int_eq(coact_join(conductor.ref, IN_TIME, &reason), 0);
    if (reason.code != COACT_NOPROC) {
        ck_assert_msg(reason.code == COACT_NORMAL, "the conductor ended: %s %s",
                      coact_reason_name(reason.code), reason.text);
    }
    stop_runtime(runtime);
}

/* ---- Bodies -------------------------------------------------------------- */

/* Waits for nothing, for ever. */
__attribute__((unused)) static void
idle_body(peer_self self, void *arg)
{
    (void)arg;
    for (;;) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON_CANCELLED:
            return;
        }
    }
}

/* Sleeps, deaf to messages, until it is killed. */
__attribute__((unused)) static void
sleep_until_killed(peer_self self, void *arg)
{
    (void)self, (void)arg;
    coact_sleep(COACT_FOREVER);
}

/* Returns when it gets its first go. */
__attribute__((unused)) static void
until_go_body(peer_self self, void *arg)
{
    (void)arg;
    COACT_RECEIVE_ONLY(self, COACT_FOREVER, go) {
    case COACT_ON(go, m):
        (void)m;
        break;
    }
}

/* Answers questions with n + 1, for ever. */
__attribute__((unused)) static void
oracle_body(peer_self self, void *arg)
{
    (void)arg;
    bool is_cancelled = false;
    while (!is_cancelled) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(question, m):
            coact_reply(m, .n = m->n + 1);
            break;
        case COACT_ON_CANCELLED:
            is_cancelled = true;
            break;
        }
    }
}

/* ---- What a conductor expects -------------------------------------------- */

/* The next message is a DOWN; which. */
__attribute__((unused)) static struct coact_down
expect_down(peer_self self)
{
    struct coact_down seen = {.who = {0}};
    bool found = false;
    COACT_RECEIVE_ONLY(self, IN_TIME, coact_down) {
    case COACT_ON_DOWN(d):
        seen = *d;
        found = true;
        break;
    }
    ck_assert_msg(found, "no DOWN came");
    return seen;
}

__attribute__((unused)) static struct coact_exit_news
expect_exit(peer_self self)
{
    struct coact_exit_news seen = {.from = {0}};
    bool found = false;
    COACT_RECEIVE_ONLY(self, IN_TIME, coact_exit) {
    case COACT_ON_EXIT(e):
        seen = *e;
        found = true;
        break;
    }
    ck_assert_msg(found, "no EXIT came");
    return seen;
}

/* Nothing is in the mailbox, nor does it come while everybody who is ready has
   run, and a little time has passed. */
__attribute__((unused)) static void
expect_nothing(peer_self self)
{
    bool is_quiet = false;
    COACT_RECEIVE(self, coact_in_ms(20)) {
    case COACT_ON_TIMEOUT:
        is_quiet = true;
        break;
    }
    ck_assert_msg(is_quiet, "something came");
}

__attribute__((unused)) static peer_ref
spawn_peer(void (*body)(peer_self self, void *arg), void *arg)
{
    peer_ref ref;
    ck_assert_int_eq(coact_spawn(peer, &ref, body, arg), 0);
    return ref;
}

__attribute__((unused)) static struct coact_reason
join_peer(peer_ref ref)
{
    struct coact_reason reason;
    ck_assert_int_eq(coact_join(ref.ref, IN_TIME, &reason), 0);
    return reason;
}

#endif
