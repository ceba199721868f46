/*
 * cancel_test.c - waits that are cut short by a kill, and clean-ups that wait.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/peers.h"

/* ---- 13: waits that are cancelled ---------------------------------------- */

enum wait_kind {
    WAIT_RECEIVE,
    WAIT_SLEEP,
    WAIT_ASK,
    WAIT_JOIN,
    WAIT_SEND,
    WAIT_KINDS
};
struct waiter {
    enum wait_kind kind;
    peer_ref other; /* idle, and its mailbox is full */
    _Atomic int first_rc;
    _Atomic bool is_waiting, went_on, cleaned;
};

static int
wait_for_it(peer_self self, struct waiter *w)
{
    struct answer a;
    switch (w->kind) {
    case WAIT_RECEIVE:
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON_CANCELLED:
            return -ECANCELED;
        }
        return 0;
    case WAIT_SLEEP:
        return coact_sleep(COACT_FOREVER);
    case WAIT_ASK:
        return coact_ask(w->other, question, &a, COACT_FOREVER, .n = 1);
    case WAIT_JOIN:
        return coact_join(w->other.ref, COACT_FOREVER, NULL);
    case WAIT_SEND:
        return coact_send_wait(w->other, COACT_FOREVER, go, 0);
    case WAIT_KINDS:
        break;
    }
    return 0;
}
static void
waiter_cleans(void *arg)
{
    struct waiter *w = arg;
    ck_assert_int_eq(coact_sleep(coact_in_ms(1)), -ECANCELED);
    w->cleaned = true;
}
static void
waiter_body(peer_self self, void *arg)
{
    struct waiter *w = arg;
    ck_assert_int_eq(coact_defer(waiter_cleans, w), 0);
    w->is_waiting = true;
    w->first_rc = wait_for_it(self, w);
    wait_for_it(self, w);
    w->went_on = true;
}
static void
cancelled_waits(peer_self self, void *arg)
{
    (void)arg;
    for (int round = 0; round < 100; round++) {
        for (int kind = 0; kind < WAIT_KINDS; kind++) {
            struct waiter w = {.kind = (enum wait_kind)kind};
            ck_assert_int_eq(coact_spawn_with(peer, &w.other,
                                              sleep_until_killed, NULL,
                                              .mailbox_messages = 1,
                                              .overflow = COACT_BLOCK),
                             0);
            if (w.kind == WAIT_SEND) {
                ck_assert_int_eq(coact_send(w.other, go, 0), 0);
            }
            coact_monitor_id monitor;
            peer_ref p;
            ck_assert_int_eq(coact_spawn_with(peer, &p, waiter_body, &w,
                                              .monitor = &monitor),
                             0);
            while (!w.is_waiting) {
                coact_yield();
            }
            if (round % 2 == 0) {
                coact_sleep(coact_in_ns(50000));
            }
            coact_kill(p.ref);
            ck_assert_int_eq(expect_down(self).reason.code, COACT_KILLED);
            ck_assert_int_eq(w.first_rc, -ECANCELED);
            ck_assert(!w.went_on);
            ck_assert(w.cleaned);
            coact_kill(w.other.ref);
        }
    }
}
START_TEST(s13_a_killed_wait_returns_once_and_the_next_one_does_not)
{
    conduct(2, cancelled_waits, NULL);
}
END_TEST

static void
sleeps_in_clean_up(void *arg)
{
    int *rc = arg; // read after the join, which orders it
    *rc = coact_sleep(coact_in_ms(30));
}
static void
shutdown_waits_body(peer_self self, void *arg)
{
    coact_defer(sleeps_in_clean_up, arg);
    until_go_body(self, NULL);
    coact_fail(-EIO, "after the go");
}
static void
clean_ups_wait(peer_self self, void *arg)
{
    (void)self, (void)arg;
    int rc = 1;
    peer_ref p = spawn_peer(shutdown_waits_body, &rc);
    coact_send(p, go, 0);
    struct coact_reason reason = join_peer(p);
    ck_assert_int_eq(reason.code, -EIO);
    ck_assert_str_eq(reason.text, "after the go");
    ck_assert_int_eq(rc, 0);
}
START_TEST(s13_clean_ups_of_an_actor_that_was_not_killed_may_wait)
{
    conduct(2, clean_ups_wait, NULL);
}
END_TEST

/* An answer and a kill at the same time: whichever the ask tells of, the kill
   is told once before a wait does not return. */
static void
ask_and_be_killed(peer_self self, void *arg)
{
    (void)self;
    struct waiter *w = arg;
    struct answer a;
    int rc = 0;
    w->is_waiting = true;
    while (rc == 0) {
        rc = coact_ask(w->other, question, &a, COACT_FOREVER, .n = 1);
    }
    w->first_rc = rc;
}
static void
answers_and_kills(peer_self self, void *arg)
{
    (void)arg;
    for (int round = 0; round < 1000; round++) {
        struct waiter w = {.other = spawn_peer(oracle_body, NULL)};
        coact_monitor_id monitor;
        peer_ref p;
        ck_assert_int_eq(coact_spawn_with(peer, &p, ask_and_be_killed, &w,
                                          .monitor = &monitor),
                         0);
        while (!w.is_waiting) {
            coact_yield();
        }
        coact_kill(p.ref);
        ck_assert_int_eq(expect_down(self).reason.code, COACT_KILLED);
        ck_assert_int_eq(w.first_rc, -ECANCELED);
        coact_kill(w.other.ref);
    }
}
START_TEST(s13_a_kill_beside_an_answer_is_told_all_the_same)
{
    conduct(2, answers_and_kills, NULL);
}
END_TEST

static void
asks_when_told(peer_self self, void *arg)
{
    peer_ref *other = arg;
    struct letter_of a;
    until_go_body(self, NULL);
    ck_assert_int_eq(coact_sleep(COACT_FOREVER), -ECANCELED);
    int rc = coact_ask(*other, note, &a, COACT_FOREVER,
                       .text = coact_text_copy("never sent"));
    ck_abort_msg("the ask returned %d", rc);
}
static void
sends_when_told(peer_self self, void *arg)
{
    peer_ref *other = arg;
    until_go_body(self, NULL);
    ck_assert_int_eq(coact_sleep(COACT_FOREVER), -ECANCELED);
    int rc = coact_send_wait(*other, COACT_FOREVER, note,
                             .text = coact_text_copy("never sent"));
    ck_abort_msg("the send returned %d", rc);
}
static void
payloads_of_the_dying(peer_self self, void *arg)
{
    (void)self, (void)arg;
    peer_ref other = spawn_peer(idle_body, NULL);
    peer_ref a = spawn_peer(asks_when_told, &other);
    peer_ref b = spawn_peer(sends_when_told, &other);
    coact_send(a, go, 0);
    coact_send(b, go, 0);
    coact_sleep(coact_in_ms(5));
    coact_kill(a.ref);
    coact_kill(b.ref);
    join_peer(a);
    join_peer(b);
}
START_TEST(a_wait_that_does_not_return_destroys_what_it_was_to_send)
{
    conduct(2, payloads_of_the_dying, NULL); // a leak checker sees the text
}
END_TEST

SUITE_MAIN("cancel", s13_a_killed_wait_returns_once_and_the_next_one_does_not,
           s13_clean_ups_of_an_actor_that_was_not_killed_may_wait,
           s13_a_kill_beside_an_answer_is_told_all_the_same,
           a_wait_that_does_not_return_destroys_what_it_was_to_send)
