/*
 * ask_test.c - requests: every one ends, once, with the right outcome.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/peers.h"

/* ---- 28: late replies ---------------------------------------------------- */

static void
late_oracle(peer_self self, void *arg)
{
    (void)arg;
    struct question *q = NULL;
    COACT_RECEIVE_ONLY(self, IN_TIME, question, go) {
    case COACT_ON(question, m):
        q = coact_keep(m);
        break;
    case COACT_ON(go, m):
        (void)m;
        break;
    }
    if (q == NULL) {
        return; // it was over before we ran
    }
    until_go_body(self, NULL);
    ck_assert_int_eq(coact_reply_to(question, q, .n = 666), -ESRCH);
    coact_release(q);
}
static void
late_reply(peer_self self, void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        peer_ref late = spawn_peer(late_oracle, NULL);
        peer_ref oracle = spawn_peer(oracle_body, NULL);
        struct answer a = {.n = 77};
        ck_assert_int_eq(
            coact_ask(late, question, &a, coact_in_ns(200000), .n = 1),
            -ETIMEDOUT);
        ck_assert_uint_eq(a.n, 77);
        coact_send(late, go, 0);
        // The next call is not answered by the reply to the last.
        ck_assert_int_eq(coact_ask(oracle, question, &a, IN_TIME, .n = 10), 0);
        ck_assert_uint_eq(a.n, 11);
        coact_monitor_id monitor;
        ck_assert_int_eq(coact_monitor(late.ref, &monitor), 0);
        struct coact_down down = expect_down(self);
        ck_assert_msg(down.reason.code == COACT_NORMAL ||
                          down.reason.code == COACT_NOPROC,
                      "%s", down.reason.text);
        ck_assert_uint_eq(coact_pending(), 0);
        coact_kill(oracle.ref);
    }
}
START_TEST(s28_a_reply_after_the_timeout_never_enters_the_mailbox)
{
    conduct(2, late_reply, NULL);
}
END_TEST

/* Timeouts and replies that meet each other in every way. */
static void
asks_in_haste(peer_self self, void *arg)
{
    (void)self;
    peer_ref *oracle = arg;
    uint32_t answered = 0, late = 0;
    for (uint64_t i = 0; i < 3000; i++) {
        struct answer a = {0};
        int rc = coact_ask(*oracle, question, &a,
                           coact_in_ns((int64_t)(i % 40) * 1000), .n = i);
        if (rc == 0) {
            ck_assert_uint_eq(a.n, i + 1);
            answered++;
        } else {
            ck_assert_int_eq(rc, -ETIMEDOUT);
            late++;
        }
        ck_assert_uint_eq(coact_pending(), 0);
    }
    ck_assert_uint_gt(answered + late, 0);
}
static void
hasty_askers(peer_self self, void *arg)
{
    (void)self, (void)arg;
    peer_ref oracle = spawn_peer(oracle_body, NULL);
    peer_ref askers[4];
    coact_monitor_id monitors[4];
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(coact_spawn_with(peer, &askers[i], asks_in_haste,
                                          &oracle, .monitor = &monitors[i]),
                         0);
    }
    for (int i = 0; i < 4; i++) {
        struct coact_down down = expect_down(self);
        ck_assert_msg(down.reason.code == COACT_NORMAL, "%s", down.reason.text);
    }
    coact_kill(oracle.ref);
}
START_TEST(s28_an_answer_is_that_of_its_own_call_whatever_came_late)
{
    conduct(2, hasty_askers, NULL);
}
END_TEST

/* ---- 29: the callee dies ------------------------------------------------- */

static void
fails_when_asked(peer_self self, void *arg)
{
    (void)arg;
    COACT_RECEIVE(self, IN_TIME) {
    case COACT_ON(question, m):
        coact_fail(-EDOM, "of question %d", (int)m->n);
        break;
    }
}
static void
callee_dies(peer_self self, void *arg)
{
    (void)self, (void)arg;
    for (int i = 0; i < 500; i++) {
        struct answer a;
        // Handling it, or not having read it, or gone.
        peer_ref p = spawn_peer(fails_when_asked, NULL);
        ck_assert_int_eq(coact_ask(p, question, &a, COACT_FOREVER, .n = 5),
                         -EOWNERDEAD);
        ck_assert_int_eq(coact_last_reason().code, -EDOM);
        ck_assert_str_eq(coact_last_reason().text, "of question 5");
        peer_ref deaf = spawn_peer(sleep_until_killed, NULL);
        if (i % 2 == 0) {
            coact_yield();
        }
        peer_ref killer = spawn_peer(until_go_body, NULL);
        coact_send(killer, go, 0);
        coact_kill(deaf.ref);
        int rc = coact_ask(deaf, question, &a, COACT_FOREVER, .n = 5);
        ck_assert_msg(rc == -EOWNERDEAD || rc == -ESRCH, "%d", rc);
        join_peer(p); // the call was over when the question was dropped
        ck_assert_int_eq(coact_ask(p, question, &a, COACT_FOREVER, .n = 5),
                         -ESRCH);
        ck_assert_int_eq(coact_last_reason().code, COACT_NOPROC);
    }
}
START_TEST(s29_the_caller_of_a_dying_actor_resumes_at_once_with_the_reason)
{
    conduct(2, callee_dies, NULL);
}
END_TEST

/* A callee that dies at a random moment of many calls to it. */
static void
asks_until_dead(peer_self self, void *arg)
{
    (void)self;
    peer_ref *oracle = arg;
    struct answer a;
    int rc = 0;
    for (uint64_t i = 0; rc == 0; i++) {
        rc = coact_ask(*oracle, question, &a, COACT_FOREVER, .n = i);
    }
    COACT_CHECK(rc == -EOWNERDEAD || rc == -ESRCH);
}
#define ASKERS 6
static void
callee_of_many_dies(peer_self self, void *arg)
{
    (void)arg;
    for (int round = 0; round < 200; round++) {
        peer_ref oracle = spawn_peer(oracle_body, NULL);
        for (int i = 0; i < ASKERS; i++) {
            peer_ref asker;
            coact_monitor_id monitor;
            ck_assert_int_eq(coact_spawn_with(peer, &asker, asks_until_dead,
                                              &oracle, .monitor = &monitor),
                             0);
        }
        for (int i = round % 7; i > 0; i--) {
            coact_yield();
        }
        coact_kill(oracle.ref);
        for (int i = 0; i < ASKERS; i++) {
            ck_assert_int_eq(expect_down(self).reason.code, COACT_NORMAL);
        }
    }
}
START_TEST(s29_no_caller_is_left_behind_when_a_busy_callee_is_killed)
{
    conduct(2, callee_of_many_dies, NULL);
}
END_TEST

/* ---- 30: oneself --------------------------------------------------------- */

static void
ask_oneself(peer_self self, void *arg)
{
    (void)arg;
    struct answer a;
    struct letter_of letter;
    peer_ref me = {.ref = self.ref};
    ck_assert_int_eq(coact_ask(me, question, &a, COACT_FOREVER, .n = 1),
                     -EDEADLK);
    ck_assert_int_eq(coact_ask(me, note, &letter, COACT_FOREVER,
                               .text = coact_text_copy("to me")),
                     -EDEADLK);
    ck_assert_int_eq(coact_join(self.ref, COACT_FOREVER, NULL), -EDEADLK);
    ck_assert_uint_eq(coact_pending(), 0);
}
START_TEST(s30_asking_or_joining_oneself_is_an_error_at_once)
{
    conduct(1, ask_oneself, NULL);
}
END_TEST

/* ---- 32, 33, 34 ---------------------------------------------------------- */

struct seen_deadline {
    int64_t deadline_ns;
    _Atomic uint32_t questions;
};
static void
reads_deadline(peer_self self, void *arg)
{
    struct seen_deadline *seen = arg;
    until_go_body(self, NULL);
    bool is_over = false;
    while (!is_over) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(question, m): {
            seen->questions++;
            seen->deadline_ns = coact_deadline_of(m);
            coact_reply(m, .n = 0);
        } break;
        case COACT_ON_CANCELLED:
            is_over = true;
            break;
        }
    }
}
static void
deadlines(peer_self self, void *arg)
{
    (void)self, (void)arg;
    struct seen_deadline seen = {0};
    peer_ref p = spawn_peer(reads_deadline, &seen);
    struct answer a;
    ck_assert_int_eq(coact_ask(p, question, &a, coact_in_ms(1), .n = 1),
                     -ETIMEDOUT);
    coact_send(p, go, 0);
    int64_t deadline = IN_TIME;
    ck_assert_int_eq(coact_ask(p, question, &a, deadline, .n = 2), 0);
    ck_assert_int_eq(seen.deadline_ns, deadline);
    ck_assert_uint_eq(seen.questions, 1); // the first one was over: skipped
    coact_kill(p.ref);
    join_peer(p);
}
START_TEST(s32_the_callee_sees_the_deadline_and_is_spared_calls_that_are_over)
{
    conduct(2, deadlines, NULL);
}
END_TEST

static void
forwards(peer_self self, void *arg)
{
    peer_ref *to = arg;
    COACT_RECEIVE(self, COACT_FOREVER) {
    case COACT_ON(question, m):
        ck_assert_int_eq(coact_forward(m, *to, question), 0);
        break;
    }
    // Gone before the answer: the duty is not ours any more.
}
static void
drops(peer_self self, void *arg)
{
    (void)arg;
    COACT_RECEIVE(self, COACT_FOREVER) {
    case COACT_ON(question, m):
        (void)m;
        break;
    }
    idle_body(self, NULL);
}
static void
answers_twice(peer_self self, void *arg)
{
    int *second = arg;
    COACT_RECEIVE(self, COACT_FOREVER) {
    case COACT_ON(question, m): {
        ck_assert_int_eq(coact_reply(m, .n = 1), 0);
        *second = coact_reply(m, .n = 2);
    } break;
    }
}
static void
duties(peer_self self, void *arg)
{
    (void)self, (void)arg;
    struct answer a = {0};
    peer_ref oracle = spawn_peer(oracle_body, NULL);
    peer_ref forwarder = spawn_peer(forwards, &oracle);
    ck_assert_int_eq(coact_ask(forwarder, question, &a, IN_TIME, .n = 8), 0);
    ck_assert_uint_eq(a.n, 9);
    peer_ref dropper = spawn_peer(drops, NULL);
    ck_assert_int_eq(coact_ask(dropper, question, &a, COACT_FOREVER, .n = 8),
                     -EPIPE);
    int second = 0;
    peer_ref twice = spawn_peer(answers_twice, &second);
    ck_assert_int_eq(coact_ask(twice, question, &a, IN_TIME, .n = 8), 0);
    ck_assert_uint_eq(a.n, 1);
    join_peer(twice);
    ck_assert_int_eq(second, -EALREADY);
    join_peer(forwarder);
    // A duty that is handed to the dead.
    coact_kill(oracle.ref);
    join_peer(oracle);
    struct coact_runtime_stats before;
    coact_stats(coact_runtime_here(), &before);
    coact_kill(dropper.ref);
}
START_TEST(s33_a_duty_can_be_handed_on_dropped_and_done_once)
{
    conduct(2, duties, NULL);
}
END_TEST

static void
outcomes(peer_self self, void *arg)
{
    (void)arg;
    struct answer a;
    peer_ref nobody = {
        .ref = {.node = 77, .incarnation = 1, .slot = 1, .generation = 1}};
    peer_ref deaf, full;
    ck_assert_int_eq(coact_spawn(peer, &deaf, sleep_until_killed, NULL), 0);
    ck_assert_int_eq(coact_spawn_with(peer, &full, sleep_until_killed, NULL,
                                      .mailbox_messages = 1),
                     0);
    coact_send(full, go, 0);
    ck_assert_int_eq(coact_ask(deaf, question, &a, coact_in_ms(1), .n = 1),
                     -ETIMEDOUT);
    ck_assert_int_eq(coact_ask(full, question, &a, IN_TIME, .n = 1), -ENOBUFS);
    ck_assert_int_eq(coact_ask(nobody, question, &a, IN_TIME, .n = 1),
                     -ENOTCONN);
    ck_assert_int_eq(coact_last_reason().code, COACT_NOCONNECTION);
    peer_ref never = {.ref = self.ref};
    never.ref.slot = 5000000;
    ck_assert_int_eq(coact_ask(never, question, &a, IN_TIME, .n = 1), -ESRCH);
    coact_kill(deaf.ref);
    coact_kill(full.ref);
}
START_TEST(s34_an_ask_tells_its_failures_apart)
{
    conduct(2, outcomes, NULL);
}
END_TEST

SUITE_MAIN("ask", s28_a_reply_after_the_timeout_never_enters_the_mailbox,
           s28_an_answer_is_that_of_its_own_call_whatever_came_late,
           s29_the_caller_of_a_dying_actor_resumes_at_once_with_the_reason,
           s29_no_caller_is_left_behind_when_a_busy_callee_is_killed,
           s30_asking_or_joining_oneself_is_an_error_at_once,
           s32_the_callee_sees_the_deadline_and_is_spared_calls_that_are_over,
           s33_a_duty_can_be_handed_on_dropped_and_done_once,
           s34_an_ask_tells_its_failures_apart)
