/*
 * traffic.h - many actors that send each other numbered messages, and die.
 *
 * Each talker sends to listeners that it picks, numbering what each of them has
 * taken, and ends.  Every listener starts and watches talkers of its own, and
 * hears those of all.  Whatever the order of things, a listener sees the
 * numbers of one talker in order and without a gap, and the DOWN of its own
 * talkers behind the last of them.  When all talkers are gone the conductor
 * says go, which arrives behind everything, and nothing may be missing then.
 * The same scenario runs on threads and in simulation.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_TRAFFIC_H
#define COACT_TEST_TRAFFIC_H

#include "test/actors/peers.h"

#define TRAFFIC_LISTENERS 8
#define TRAFFIC_TALKERS 16 /* of each listener */
#define TRAFFIC_ALL (TRAFFIC_LISTENERS * TRAFFIC_TALKERS)

struct traffic {
    uint32_t rounds; /* sends of each talker */
    uint32_t bound;  /* of the listeners' mailboxes; 0: none */
    peer_ref conductor, listeners[TRAFFIC_LISTENERS];
    /* What was taken; written by the talker, read after its DOWN. */
    uint32_t taken[TRAFFIC_ALL][TRAFFIC_LISTENERS];
    _Atomic uint32_t refused;
    struct traffic_place {
        struct traffic *traffic;
        uint32_t number;
    } talkers[TRAFFIC_ALL], places[TRAFFIC_LISTENERS];
};

/* A number that depends on nothing else than these. */
static uint32_t
traffic_pick(uint32_t talker, uint32_t round, uint32_t of)
{
    uint32_t x = (talker + 1) * 2654435761u ^ (round + 7) * 2246822519u;
    x ^= x >> 15;
    x *= 2654435761u;
    return (x >> 8) % of;
}

static void
traffic_talk(peer_self self, void *arg)
{
    (void)self;
    struct traffic_place *place = arg;
    struct traffic *t = place->traffic;
    uint32_t me = place->number;
    for (uint32_t round = 0; round < t->rounds; round++) {
        uint32_t to = traffic_pick(me, round, TRAFFIC_LISTENERS);
        int rc = coact_send(t->listeners[to], item, .from = me,
                            .number = t->taken[me][to]);
        if (rc == 0) {
            t->taken[me][to]++;
        } else {
            COACT_CHECK(rc == -ENOBUFS && t->bound != 0);
            t->refused++;
        }
        if (rc < 0 || traffic_pick(me, round + 1000, 8) == 0) {
            coact_yield();
        }
    }
}

struct traffic_heard {
    uint32_t next[TRAFFIC_ALL]; /* number expected from each talker */
    coact_monitor_id monitor[TRAFFIC_TALKERS];
    uint32_t downs;
};

static void
traffic_down(struct traffic_place *place, struct traffic_heard *heard,
             const struct coact_down *down)
{
    struct traffic *t = place->traffic;
    COACT_CHECK(down->reason.code == COACT_NORMAL);
    for (uint32_t i = 0; i < TRAFFIC_TALKERS; i++) {
        if (heard->monitor[i].id == down->monitor.id) {
            uint32_t talker = place->number * TRAFFIC_TALKERS + i;
            // All that it has sent us came first.
            COACT_CHECK(heard->next[talker] == t->taken[talker][place->number]);
            heard->monitor[i].id = 0;
            heard->downs++;
            return;
        }
    }
    coact_fail(-EINVAL, "a DOWN of no monitor, or the second of one");
}

/* Everybody has sent everything; it must have arrived. */
static void
traffic_total(struct traffic_place *place, const struct traffic_heard *heard)
{
    COACT_CHECK(heard->downs == TRAFFIC_TALKERS);
    for (uint32_t i = 0; i < TRAFFIC_ALL; i++) {
        COACT_CHECK(heard->next[i] == place->traffic->taken[i][place->number]);
    }
    COACT_CHECK(coact_pending() == 0);
}

static void
traffic_say_go(peer_ref to)
{
    int rc;
    while ((rc = coact_send(to, go, 0)) == -ENOBUFS) {
        coact_yield();
    }
    COACT_CHECK(rc == 0);
}

static void
traffic_hear(peer_self self, struct traffic_place *place,
             struct traffic_heard *heard)
{
    bool is_over = false;
    while (!is_over) {
        COACT_RECEIVE(self, IN_TIME) {
        case COACT_ON(item, m):
            COACT_CHECK(m->number == heard->next[m->from]++);
            break;
        case COACT_ON_DOWN(d): {
            traffic_down(place, heard, d);
            if (heard->downs == TRAFFIC_TALKERS) {
                traffic_say_go(place->traffic->conductor);
            }
        } break;
        case COACT_ON(go, m): {
            (void)m;
            traffic_total(place, heard);
            is_over = true;
        } break;
        case COACT_ON_TIMEOUT:
            coact_fail(-ETIMEDOUT, "%u downs", heard->downs);
            break;
        }
    }
}

static void
traffic_listen(peer_self self, void *arg)
{
    struct traffic_place *place = arg;
    struct traffic_heard *heard = coact_arena(sizeof(*heard));
    COACT_CHECK(heard != NULL);
    memset(heard, 0, sizeof(*heard));
    until_go_body(self, NULL);
    for (uint32_t i = 0; i < TRAFFIC_TALKERS; i++) {
        peer_ref talker;
        COACT_CHECK(
            coact_spawn_with(
                peer, &talker, traffic_talk,
                &place->traffic->talkers[place->number * TRAFFIC_TALKERS + i],
                .monitor = &heard->monitor[i]) == 0);
    }
    traffic_hear(self, place, heard);
}

static void
traffic_await_gos(peer_self self)
{
    for (uint32_t i = 0; i < TRAFFIC_LISTENERS; i++) {
        COACT_RECEIVE_ONLY(self, IN_TIME, go, coact_down) {
        case COACT_ON(go, m):
            (void)m;
            break;
        case COACT_ON_DOWN(d):
            coact_fail(-EINVAL, "a listener ended too soon: %s",
                       d->reason.text);
            break;
        case COACT_ON_TIMEOUT:
            coact_fail(-ETIMEDOUT, "%u listeners are ready", i);
            break;
        }
    }
}

/* By a conductor: all of it, once. */
static void
traffic_run(peer_self self, struct traffic *t)
{
    memset(t->taken, 0, sizeof(t->taken));
    t->conductor.ref = self.ref;
    for (uint32_t i = 0; i < TRAFFIC_ALL; i++) {
        t->talkers[i] = (struct traffic_place){t, i};
    }
    for (uint32_t i = 0; i < TRAFFIC_LISTENERS; i++) {
        coact_monitor_id monitor;
        t->places[i] = (struct traffic_place){t, i};
        COACT_CHECK(coact_spawn_with(peer, &t->listeners[i], traffic_listen,
                                     &t->places[i], .monitor = &monitor,
                                     .mailbox_messages = t->bound) == 0);
    }
    for (uint32_t i = 0; i < TRAFFIC_LISTENERS; i++) {
        COACT_CHECK(coact_send(t->listeners[i], go, 0) == 0);
    }
    traffic_await_gos(self);
    for (uint32_t i = 0; i < TRAFFIC_LISTENERS; i++) {
        traffic_say_go(t->listeners[i]);
    }
    for (uint32_t i = 0; i < TRAFFIC_LISTENERS; i++) {
        struct coact_down down = expect_down(self);
        ck_assert_msg(down.reason.code == COACT_NORMAL, "a listener: %s",
                      down.reason.text);
    }
}

#endif
