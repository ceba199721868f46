/*
 * watch_test.c - monitors and links: exactly one piece of news, and in order.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/peers.h"

#include <sched.h>

static peer_ref
dead_peer(void)
{
    peer_ref dead = spawn_peer(until_go_body, NULL);
    coact_send(dead, go, 0);
    join_peer(dead);
    return dead;
}

static void
monitor_the_dead(peer_self self, void *arg)
{
    (void)arg;
    peer_ref dead = dead_peer();
    for (int i = 0; i < 10; i++) {
        coact_monitor_id monitor;
        ck_assert_int_eq(coact_monitor(dead.ref, &monitor), 0);
        struct coact_down down = expect_down(self);
        ck_assert_uint_eq(down.monitor.id, monitor.id);
        ck_assert_int_eq(down.reason.code, COACT_NOPROC);
        ck_assert(coact_ref_equal(down.who, dead.ref));
        ck_assert_int_eq(coact_demonitor(monitor), -ENOENT);
    }
    expect_nothing(self);
}
START_TEST(s05_a_monitor_of_a_dead_actor_fires_once_with_noproc)
{
    conduct(2, monitor_the_dead, NULL);
}
END_TEST

/* Actors start, end and are monitored all at once: the slots are used again
   and again, and each monitor says one thing. */
static void
monitor_the_dying(peer_self self, void *arg)
{
    (void)arg;
    for (int i = 0; i < 3000; i++) {
        peer_ref p = spawn_peer(until_go_body, NULL);
        coact_send(p, go, 0);
        if (i % 3 == 0) {
            coact_yield();
        }
        coact_monitor_id monitor;
        ck_assert_int_eq(coact_monitor(p.ref, &monitor), 0);
        struct coact_down down = expect_down(self);
        ck_assert_uint_eq(down.monitor.id, monitor.id);
        ck_assert_msg(down.reason.code == COACT_NORMAL ||
                          down.reason.code == COACT_NOPROC,
                      "%d", down.reason.code);
    }
    expect_nothing(self);
}
START_TEST(s05_a_monitor_of_a_dying_actor_fires_exactly_once)
{
    conduct(2, monitor_the_dying, NULL);
}
END_TEST

static void
two_monitors(peer_self self, void *arg)
{
    (void)arg;
    peer_ref p = spawn_peer(until_go_body, NULL);
    coact_monitor_id a, b;
    ck_assert_int_eq(coact_monitor(p.ref, &a), 0);
    ck_assert_int_eq(coact_monitor(p.ref, &b), 0);
    ck_assert_uint_ne(a.id, b.id);
    coact_send(p, go, 0);
    uint64_t first = expect_down(self).monitor.id;
    uint64_t second = expect_down(self).monitor.id;
    ck_assert((first == a.id && second == b.id) ||
              (first == b.id && second == a.id));
    expect_nothing(self);
}
START_TEST(s06_two_monitors_are_two_downs)
{
    conduct(2, two_monitors, NULL);
}
END_TEST

static void
monitors_and_ends(peer_self self, void *arg)
{
    (void)self;
    peer_ref *target = arg;
    coact_monitor_id monitor;
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(coact_monitor(target->ref, &monitor), 0);
    }
}
static void
watchers_die(peer_self self, void *arg)
{
    (void)self, (void)arg;
    peer_ref target = spawn_peer(oracle_body, NULL);
    for (int i = 0; i < 300; i++) {
        join_peer(spawn_peer(monitors_and_ends, &target));
    }
    struct answer a;
    ck_assert_int_eq(coact_ask(target, question, &a, IN_TIME, .n = 1), 0);
    coact_kill(target.ref);
    join_peer(target);
}
START_TEST(s06_monitors_of_a_dead_watcher_are_removed)
{
    conduct(2, watchers_die, NULL); // a leak checker sees those that are not
}
END_TEST

/* ---- 7: demonitor -------------------------------------------------------- */

static void
demonitor_at_any_time(peer_self self, void *arg)
{
    (void)arg;
    for (int i = 0; i < 3000; i++) {
        peer_ref p = spawn_peer(until_go_body, NULL);
        coact_monitor_id monitor;
        ck_assert_int_eq(coact_monitor(p.ref, &monitor), 0);
        coact_send(p, go, 0);
        for (int wait = i % 5; wait > 0; wait--) {
            coact_yield();
        }
        if (i % 7 == 0) {
            coact_pending(); // the news is taken from the inbox
        }
        ck_assert_int_eq(coact_demonitor(monitor), 0);
        ck_assert_int_eq(coact_demonitor(monitor), -ENOENT);
        bool is_empty = false;
        COACT_RECEIVE(self, COACT_NOW) {
        case COACT_ON_TIMEOUT:
            is_empty = true;
            break;
        }
        ck_assert_msg(is_empty, "a DOWN after its demonitor, round %d", i);
    }
    expect_nothing(self);
}
START_TEST(s07_no_down_is_left_after_demonitor_also_when_it_had_fired)
{
    conduct(2, demonitor_at_any_time, NULL);
}
END_TEST

static void
demonitor_fired(peer_self self, void *arg)
{
    (void)arg;
    peer_ref p = spawn_peer(until_go_body, NULL);
    coact_monitor_id fired;
    ck_assert_int_eq(coact_monitor(p.ref, &fired), 0);
    coact_send(p, go, 0);
    join_peer(p);
    ck_assert_uint_eq(coact_pending(), 1);
    ck_assert_int_eq(coact_demonitor(fired), 0);
    ck_assert_uint_eq(coact_pending(), 0);
    expect_nothing(self);
}
START_TEST(s07_demonitor_takes_a_waiting_down_out_of_the_mailbox)
{
    conduct(2, demonitor_fired, NULL);
}
END_TEST

/* ---- 8: unlink ----------------------------------------------------------- */

static void
unlink_at_any_time(peer_self self, void *arg)
{
    (void)arg;
    coact_trap_exit(true);
    for (int i = 0; i < 2000; i++) {
        peer_ref p = spawn_peer(until_go_body, NULL);
        ck_assert_int_eq(coact_link(p.ref), 0);
        coact_send(p, go, 0);
        for (int wait = i % 4; wait > 0; wait--) {
            coact_yield();
        }
        coact_unlink(p.ref);
        // What had come before the unlink may be there; nothing comes after.
        bool is_empty = false;
        while (!is_empty) {
            COACT_RECEIVE(self, COACT_NOW) {
            case COACT_ON_EXIT(e):
                ck_assert(coact_ref_equal(e->from, p.ref));
                break;
            case COACT_ON_TIMEOUT:
                is_empty = true;
                break;
            }
        }
        coact_monitor_id monitor;
        ck_assert_int_eq(coact_monitor(p.ref, &monitor), 0);
        bool is_down = false;
        COACT_RECEIVE(self, IN_TIME) {
        case COACT_ON_DOWN(d):
            (void)d;
            is_down = true;
            break;
        }
        ck_assert_msg(is_down, "an EXIT after the unlink");
    }
    expect_nothing(self);
}
START_TEST(s08_no_exit_arrives_after_unlink)
{
    conduct(2, unlink_at_any_time, NULL);
}
END_TEST

/* It ends without having looked into its inbox, where the unlink lies. */
struct gate {
    _Atomic bool is_open, is_reached;
};
static void
fails_at_gate(peer_self self, void *arg)
{
    (void)self;
    struct gate *gate = arg;
    gate->is_reached = true;
    while (!gate->is_open) {
        sched_yield(); // the thread's turn, not the actor's
    }
    coact_fail(-EIO, "unaware of the unlink");
}
static void
unlink_unseen(peer_self self, void *arg)
{
    (void)arg;
    coact_trap_exit(true);
    for (int i = 0; i < 50; i++) {
        struct gate gate = {false};
        peer_ref p;
        coact_monitor_id monitor;
        ck_assert_int_eq(coact_spawn_with(peer, &p, fails_at_gate, &gate,
                                          .link = true, .monitor = &monitor),
                         0);
        while (!gate.is_reached) {
            coact_sleep(coact_in_ns(50000));
        }
        ck_assert_int_eq(coact_unlink(p.ref), 0);
        gate.is_open = true;
        ck_assert_int_eq(expect_down(self).reason.code, -EIO);
        expect_nothing(self);
    }
}
START_TEST(s08_an_exit_of_one_that_has_not_seen_the_unlink_is_not_received)
{
    conduct(3, unlink_unseen, NULL);
}
END_TEST

/* Two actors link each other at the same time, then one ends. */
struct pair {
    peer_ref other;
    _Atomic uint32_t *exits, *linked, *ready;
};
static void
links_other(peer_self self, void *arg)
{
    struct pair *pair = arg;
    coact_trap_exit(true);
    until_go_body(self, NULL);
    // Both at the same moment, if there are two processors and luck.
    atomic_fetch_add_explicit(pair->ready, 1, memory_order_relaxed);
    int64_t patience = coact_in_ms(5);
    while (atomic_load_explicit(pair->ready, memory_order_relaxed) < 2 &&
           coact_now_ns() < patience) {
    }
    ck_assert_int_eq(coact_link(pair->other.ref), 0);
    coact_yield(); // the other's link arrives
    atomic_fetch_add_explicit(pair->linked, 1, memory_order_relaxed);
    for (;;) {
        bool is_cancelled = false;
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON_EXIT(e):
            (void)e;
            atomic_fetch_add_explicit(pair->exits, 1, memory_order_relaxed);
            break;
        case COACT_ON_CANCELLED:
            is_cancelled = true;
            break;
        }
        if (is_cancelled) {
            return;
        }
    }
}
static void
link_both_ways(peer_self self, void *arg)
{
    (void)self, (void)arg;
    for (int i = 0; i < 500; i++) {
        _Atomic uint32_t exits = 0, linked = 0, ready = 0;
        struct pair pairs[2] = {
            {.exits = &exits, .linked = &linked, .ready = &ready},
            {.exits = &exits, .linked = &linked, .ready = &ready}};
        peer_ref a = spawn_peer(links_other, &pairs[0]);
        peer_ref b = spawn_peer(links_other, &pairs[1]);
        pairs[0].other = b;
        pairs[1].other = a;
        coact_send(a, go, 0);
        coact_send(b, go, 0);
        while (atomic_load_explicit(&linked, memory_order_relaxed) < 2) {
            coact_yield();
        }
        coact_kill(a.ref);
        join_peer(a);
        while (atomic_load_explicit(&exits, memory_order_relaxed) == 0) {
            coact_yield();
        }
        coact_yield();
        coact_kill(b.ref);
        join_peer(b);
        ck_assert_uint_eq(exits, 1);
    }
}
START_TEST(two_that_link_each_other_at_once_have_one_link)
{
    conduct(3, link_both_ways, NULL);
}
END_TEST

/* ---- 9: order ------------------------------------------------------------ */

#define SENT_BEFORE_DEATH 20

struct last_words {
    peer_ref to;
};
static void
speaks_and_dies(peer_self self, void *arg)
{
    (void)self;
    struct last_words *words = arg;
    for (uint32_t i = 1; i <= SENT_BEFORE_DEATH; i++) {
        ck_assert_int_eq(coact_send(words->to, item, .number = i), 0);
        if (i % 8 == 0) {
            coact_yield();
        }
    }
}
static void
last_words_first(peer_self self, void *arg)
{
    (void)arg;
    coact_trap_exit(true);
    struct last_words words = {.to = {.ref = self.ref}};
    for (int round = 0; round < 2000; round++) {
        peer_ref p;
        coact_monitor_id monitor;
        ck_assert_int_eq(coact_spawn_with(peer, &p, speaks_and_dies, &words,
                                          .link = true, .monitor = &monitor),
                         0);
        uint32_t seen = 0;
        bool is_down = false, is_exit = false;
        while (!is_down || !is_exit) {
            COACT_RECEIVE(self, IN_TIME) {
            case COACT_ON(item, m):
                ck_assert_uint_eq(m->number, ++seen);
                break;
            case COACT_ON_DOWN(d):
                ck_assert(coact_ref_equal(d->who, p.ref));
                ck_assert_uint_eq(seen, SENT_BEFORE_DEATH);
                is_down = true;
                break;
            case COACT_ON_EXIT(e):
                ck_assert(coact_ref_equal(e->from, p.ref));
                ck_assert_uint_eq(seen, SENT_BEFORE_DEATH);
                is_exit = true;
                break;
            case COACT_ON_TIMEOUT:
                ck_abort_msg("the news did not come");
                break;
            }
        }
    }
}
START_TEST(s09_down_and_exit_come_after_all_that_the_dead_has_sent)
{
    conduct(2, last_words_first, NULL);
}
END_TEST

SUITE_MAIN("watch", s05_a_monitor_of_a_dead_actor_fires_once_with_noproc,
           s05_a_monitor_of_a_dying_actor_fires_exactly_once,
           s06_two_monitors_are_two_downs,
           s06_monitors_of_a_dead_watcher_are_removed,
           s07_no_down_is_left_after_demonitor_also_when_it_had_fired,
           s07_demonitor_takes_a_waiting_down_out_of_the_mailbox,
           s08_no_exit_arrives_after_unlink,
           s08_an_exit_of_one_that_has_not_seen_the_unlink_is_not_received,
           two_that_link_each_other_at_once_have_one_link,
           s09_down_and_exit_come_after_all_that_the_dead_has_sent)
