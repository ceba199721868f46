/*
 * receive_test.c - mailboxes: order, bounds, selective receive, dead letters.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/peers.h"

/* ---- 19, 20: bounds ------------------------------------------------------ */

#define BOUND 4

static void
asks_then_counts(peer_self self, void *arg)
{
    // Deaf to messages while it asks, so that its mailbox fills.
    peer_ref *oracle = arg;
    coact_timer_id timer;
    coact_trap_exit(true);
    ck_assert_int_eq(coact_timer_start(&timer, coact_in_ms(1), 0, NULL), 0);
    struct answer a = {0};
    ck_assert_int_eq(coact_ask(*oracle, question, &a, IN_TIME, .n = 6), 0);
    ck_assert_uint_eq(a.n, 7);
    uint32_t items = 0, downs = 0, exits = 0, ticks = 0;
    while (items < BOUND || downs < 1 || exits < 1 || ticks < 1) {
        COACT_RECEIVE(self, IN_TIME) {
        case COACT_ON(item, m):
            ck_assert_uint_eq(m->number, items++);
            break;
        case COACT_ON_DOWN(d):
            (void)d;
            downs++;
            break;
        case COACT_ON_EXIT(e):
            (void)e;
            exits++;
            break;
        case COACT_ON_TICK(t):
            (void)t;
            ticks++;
            break;
        case COACT_ON_TIMEOUT:
            ck_abort_msg("items %u downs %u exits %u ticks %u", items, downs,
                         exits, ticks);
            break;
        }
    }
    ck_assert_uint_eq(coact_pending(), 0);
}
/* Answers its one question when it is told to. */
static void
slow_oracle(peer_self self, void *arg)
{
    (void)arg;
    struct question *q = NULL;
    COACT_RECEIVE_ONLY(self, IN_TIME, question) {
    case COACT_ON(question, m):
        q = coact_keep(m);
        break;
    }
    ck_assert_ptr_nonnull(q);
    until_go_body(self, NULL);
    ck_assert_int_eq(coact_reply_to(question, q, .n = q->n + 1), 0);
    coact_release(q);
}
static void
asks_and_watches(peer_self self, void *arg)
{
    peer_ref *oracle = arg;
    peer_ref mayfly = spawn_peer(until_go_body, NULL);
    coact_monitor_id monitor;
    ck_assert_int_eq(coact_monitor(mayfly.ref, &monitor), 0);
    coact_send(mayfly, go, 0);
    asks_then_counts(self, oracle);
}
static void
full_mailbox_of_a_watcher(peer_self self, void *arg)
{
    (void)arg;
    peer_ref oracle = spawn_peer(slow_oracle, NULL);
    peer_ref full;
    coact_monitor_id monitor;
    ck_assert_int_eq(coact_spawn_with(peer, &full, asks_and_watches, &oracle,
                                      .mailbox_messages = BOUND,
                                      .trap_exit = true, .monitor = &monitor),
                     0);
    for (uint32_t i = 0; i < BOUND; i++) {
        ck_assert_int_eq(coact_send(full, item, .number = i), 0);
    }
    _Atomic uint32_t destroyed = 0;
    ck_assert_int_eq(coact_send(full, item, .number = 99), -ENOBUFS);
    ck_assert_int_eq(coact_send(full, parcel, .destroyed = &destroyed),
                     -ENOBUFS);
    ck_assert_uint_eq(destroyed, 1);
    struct answer a;
    ck_assert_int_eq(coact_ask(full, question, &a, IN_TIME, .n = 1), -ENOBUFS);
    ck_assert_int_eq(coact_send_wait(full, IN_TIME, item, .number = 99),
                     -ENOBUFS);
    coact_signal_exit(full.ref, -EIO, "news for one that traps");
    coact_sleep(coact_in_ms(3)); // the tick fires
    coact_send(oracle, go, 0);
    struct coact_down down = expect_down(self);
    ck_assert_msg(down.reason.code == COACT_NORMAL, "%s", down.reason.text);
}
START_TEST(s19_a_full_mailbox_refuses_messages_but_not_news_and_replies)
{
    conduct(2, full_mailbox_of_a_watcher, NULL);
}
END_TEST

/* Slots of bounded actors are used again while senders still send to those who
   had them before; no place may be lost or won by that. */
struct bounded_round {
    _Atomic uint64_t slot_and_generation;
    _Atomic bool is_over;
};
static void
late_sender(peer_self self, void *arg)
{
    (void)self;
    struct bounded_round *round = arg;
    while (!round->is_over && coact_yield() == 0) {
        uint64_t to = round->slot_and_generation;
        peer_ref ref = {.ref = self.ref};
        ref.ref.slot = (uint32_t)(to >> 32);
        ref.ref.generation = (uint32_t)to;
        for (int i = 0; i < 50 && to != 0; i++) {
            (void)coact_send(ref, go, 0);
        }
    }
}
static void
bounds_of_reused_slots(peer_self self, void *arg)
{
    (void)self, (void)arg;
    struct bounded_round round = {0};
    peer_ref senders[2];
    for (int i = 0; i < 2; i++) {
        senders[i] = spawn_peer(late_sender, &round);
    }
    for (int i = 0; i < 2000; i++) {
        peer_ref p;
        ck_assert_int_eq(coact_spawn_with(peer, &p, sleep_until_killed, NULL,
                                          .mailbox_messages = BOUND),
                         0);
        // Nobody but us knows this one yet: exactly BOUND fit.
        for (int n = 0; n < BOUND; n++) {
            ck_assert_int_eq(coact_send(p, item, .number = 1), 0);
        }
        ck_assert_int_eq(coact_send(p, item, .number = 1), -ENOBUFS);
        round.slot_and_generation =
            (uint64_t)p.ref.slot << 32 | p.ref.generation;
        coact_kill(p.ref);
        coact_yield();
    }
    round.is_over = true;
    join_peer(senders[0]);
    join_peer(senders[1]);
}
START_TEST(s19_the_bound_is_exact_also_in_a_slot_that_is_used_again)
{
    conduct(2, bounds_of_reused_slots, NULL);
}
END_TEST

struct blocked {
    peer_ref to;
    int64_t deadline_ms;
    _Atomic int rc;
    _Atomic bool is_sending;
};
static void
blocked_sender(peer_self self, void *arg)
{
    (void)self;
    struct blocked *b = arg;
    b->is_sending = true;
    b->rc = coact_send_wait(b->to,
                            b->deadline_ms == 0 ? COACT_FOREVER
                                                : coact_in_ms(b->deadline_ms),
                            item, .number = 1);
}
static void
blocked_senders(peer_self self, void *arg)
{
    (void)self, (void)arg;
    for (int i = 0; i < 200; i++) {
        peer_ref full;
        ck_assert_int_eq(coact_spawn_with(peer, &full, sleep_until_killed, NULL,
                                          .mailbox_messages = 1,
                                          .overflow = COACT_BLOCK),
                         0);
        ck_assert_int_eq(coact_send(full, go, 0), 0);
        struct blocked late = {.to = full, .deadline_ms = 1, .rc = 1};
        struct blocked killed = {.to = full, .rc = 1};
        struct blocked freed = {.to = full, .rc = 1};
        peer_ref a = spawn_peer(blocked_sender, &late);
        peer_ref b = spawn_peer(blocked_sender, &killed);
        peer_ref c = spawn_peer(blocked_sender, &freed);
        while (!killed.is_sending || !freed.is_sending) {
            coact_yield();
        }
        join_peer(a);
        ck_assert_int_eq(late.rc, -ETIMEDOUT);
        coact_kill(b.ref);
        join_peer(b);
        ck_assert_int_eq(killed.rc, -ECANCELED);
        ck_assert_int_eq(freed.rc, 1);
        coact_kill(full.ref);
        join_peer(c);
        ck_assert_int_eq(freed.rc, -ESRCH);
    }
}
START_TEST(s20_a_blocked_sender_times_out_is_cancelled_or_freed_by_a_death)
{
    conduct(2, blocked_senders, NULL);
}
END_TEST

#define CROWD 8
#define CROWD_SENDS 500

static void
crowd_sender(peer_self self, void *arg)
{
    (void)self;
    peer_ref *to = arg;
    for (uint32_t i = 0; i < CROWD_SENDS; i++) {
        ck_assert_int_eq(coact_send_wait(*to, IN_TIME, item, .number = i), 0);
    }
}
static void
crowd_at_a_door(peer_self self, void *arg)
{
    (void)arg;
    peer_ref me = {.ref = self.ref};
    for (int i = 0; i < CROWD; i++) {
        spawn_peer(crowd_sender, &me);
    }
    for (uint32_t n = 0; n < CROWD * CROWD_SENDS; n++) {
        bool got = false;
        COACT_RECEIVE(self, IN_TIME) {
        case COACT_ON(item, m):
            (void)m;
            got = true;
            break;
        }
        ck_assert_msg(got, "a sender sleeps beside an empty mailbox (%u)", n);
        ck_assert_uint_le(coact_pending(), 2);
    }
}
START_TEST(s20_a_crowd_of_blocked_senders_all_get_through_a_small_mailbox)
{
    struct coact_runtime *runtime = start_runtime(2);
    peer_ref p;
    ck_assert_int_eq(coact_spawn_with(peer, &p, crowd_at_a_door, NULL,
                                      .mailbox_messages = 2,
                                      .overflow = COACT_BLOCK),
                     0);
    struct coact_reason reason;
    ck_assert_int_eq(coact_join(p.ref, IN_TIME, &reason), 0);
    stop_runtime(runtime);
}
END_TEST

/* ---- 22: selective receive ----------------------------------------------- */

static void
selective(peer_self self, void *arg)
{
    (void)arg;
    peer_ref me = {.ref = self.ref};
    for (uint32_t i = 0; i < 10; i++) {
        coact_send(me, item, .number = i);
        if (i % 3 == 0) {
            coact_send(me, go, 0);
        }
    }
    uint32_t gone = 0;
    for (bool got = true; got;) {
        COACT_RECEIVE_ONLY(self, COACT_NOW, go) {
        case COACT_ON(go, m):
            (void)m;
            gone++;
            break;
        case COACT_ON_TIMEOUT:
            got = false;
            break;
        }
    }
    ck_assert_uint_eq(gone, 4);
    for (uint32_t i = 0; i < 10; i++) {
        COACT_RECEIVE(self, COACT_NOW) {
        case COACT_ON(item, m):
            ck_assert_uint_eq(m->number, i);
            break;
        case COACT_ON_TIMEOUT:
            ck_abort_msg("number %u is lost", i);
            break;
        }
    }
    ck_assert_uint_eq(coact_pending(), 0);
}
START_TEST(s22_selective_receive_keeps_the_order_of_what_it_skips)
{
    conduct(1, selective, NULL);
}
END_TEST

static void
chatters(peer_self self, void *arg)
{
    (void)self;
    peer_ref *to = arg;
    while (coact_send(*to, item, .number = 0) == 0) {
        if (coact_sleep(coact_in_ns(200000)) < 0) {
            return;
        }
    }
}
static void
deadline_amid_traffic(peer_self self, void *arg)
{
    (void)arg;
    peer_ref me = {.ref = self.ref};
    peer_ref noise = spawn_peer(chatters, &me);
    while (coact_pending() == 0) {
        ck_assert_int_eq(coact_yield(), 0);
    }
    int64_t deadline = coact_in_ms(20);
    bool is_over = false;
    COACT_RECEIVE_ONLY(self, deadline, go) {
    case COACT_ON_TIMEOUT:
        is_over = true;
        break;
    }
    ck_assert(is_over);
    ck_assert(coact_now_ns() >= deadline);
    // Had each message begun a new wait, the noise would have to end first.
    ck_assert(coact_is_alive(noise.ref));
    ck_assert_uint_gt(coact_pending(), 0);
    coact_kill(noise.ref);
}
START_TEST(s22_traffic_that_does_not_match_does_not_extend_the_deadline)
{
    conduct(2, deadline_amid_traffic, NULL);
}
END_TEST

static void
poll_once(peer_self self, void *arg)
{
    (void)arg;
    peer_ref me = {.ref = self.ref};
    int what = 0;
    COACT_RECEIVE(self, 0) {
    case COACT_ON_TIMEOUT:
        what = 1;
        break;
    }
    ck_assert_int_eq(what, 1);
    coact_send(me, go, 0);
    COACT_RECEIVE(self, 0) {
    case COACT_ON(go, m):
        (void)m;
        what = 2;
        break;
    }
    ck_assert_int_eq(what, 2);
}
START_TEST(s22_a_receive_until_zero_polls_once)
{
    conduct(1, poll_once, NULL);
}
END_TEST

/* ---- 23: cost ------------------------------------------------------------ */

#define QUEUED 100000

static void
answer_beside_a_queue(peer_self self, void *arg)
{
    (void)arg;
    peer_ref me = {.ref = self.ref};
    peer_ref oracle = spawn_peer(oracle_body, NULL);
    for (uint32_t i = 0; i < QUEUED; i++) {
        ck_assert_int_eq(coact_send(me, item, .number = i), 0);
    }
    struct coact_runtime_stats before, after;
    coact_stats(coact_runtime_here(), &before);
    for (uint64_t i = 0; i < 1000; i++) {
        struct answer a = {0};
        ck_assert_int_eq(coact_ask(oracle, question, &a, IN_TIME, .n = i), 0);
        ck_assert_uint_eq(a.n, i + 1);
    }
    coact_stats(coact_runtime_here(), &after);
    // Two a round, one each; noise cannot make us run, we are deaf.
    ck_assert_uint_le(after.dispatches - before.dispatches, 2200);
    ck_assert_uint_eq(coact_pending(), QUEUED);
    coact_kill(oracle.ref);
}
START_TEST(s23_a_reply_is_found_beside_a_long_queue_without_a_look_at_it)
{
    conduct(1, answer_beside_a_queue, NULL);
}
END_TEST

static void
flood(peer_self self, void *arg)
{
    (void)self;
    peer_ref *to = arg;
    for (uint32_t i = 0; i < 20000; i++) {
        coact_send(*to, item, .number = i);
        if (i % 4 == 0) {
            coact_yield();
        }
    }
    coact_send(*to, go, 0);
}
static void
skip_a_flood(peer_self self, void *arg)
{
    (void)arg;
    peer_ref me = {.ref = self.ref};
    for (uint32_t i = 0; i < QUEUED; i++) {
        coact_send(me, item, .number = i);
    }
    spawn_peer(flood, &me);
    bool got = false;
    // If each of 5000 arrivals began at the front, this would be 5e8 steps.
    COACT_RECEIVE_ONLY(self, IN_TIME, go) {
    case COACT_ON(go, m):
        (void)m;
        got = true;
        break;
    }
    ck_assert(got);
}
START_TEST(s23_skipped_messages_are_not_scanned_again_on_each_arrival)
{
    conduct(1, skip_a_flood, NULL);
}
END_TEST

/* ---- 25: dead letters ---------------------------------------------------- */

static void
keep_last_line(void *context, enum coact_log_level level, const char *text)
{
    (void)level;
    struct log_seen *seen = context;
    if (strstr(text, "dead letter") != NULL) {
        atomic_fetch_add(&seen->lines, 1);
        snprintf(seen->last, sizeof(seen->last), "%s", text);
    }
}
START_TEST(s25_a_send_to_the_dead_is_a_counted_logged_and_destroyed_dead_letter)
{
    static struct log_seen seen;
    struct coact_runtime_options options = {.workers = 1,
                                            .log = keep_last_line,
                                            .log_context = &seen,
                                            .log_level = COACT_LOG_INFO};
    struct coact_runtime *runtime;
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    peer_ref dead = spawn_peer(until_go_body, NULL);
    coact_send(dead, go, 0);
    join_peer(dead);
    _Atomic uint32_t destroyed = 0;
    struct coact_runtime_stats before, after;
    coact_stats(runtime, &before);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(coact_send(dead, parcel, .destroyed = &destroyed),
                         -ESRCH);
    }
    coact_stats(runtime, &after);
    ck_assert_uint_eq(destroyed, 100);
    ck_assert_uint_eq(after.dead_letters - before.dead_letters, 100);
    ck_assert_uint_ge(seen.lines, 1);
    ck_assert_uint_le(seen.lines, 30); // rate-limited
    char whom[64];
    snprintf(whom, sizeof(whom), "%u.%u", dead.ref.slot, dead.ref.generation);
    ck_assert_ptr_nonnull(strstr(seen.last, whom));
    ck_assert_ptr_nonnull(strstr(seen.last, "parcel"));
    stop_runtime(runtime);
}
END_TEST

/* Sends that race with the receiver's end: each parcel is destroyed once. */
#define PARCELS 200
static void
parcel_sender(peer_self self, void *arg)
{
    (void)arg;
    _Atomic uint32_t *destroyed = calloc(1, sizeof(*destroyed));
    ck_assert_ptr_nonnull(destroyed);
    for (int round = 0; round < 300; round++) {
        peer_ref p = spawn_peer(sleep_until_killed, NULL);
        atomic_store(destroyed, 0);
        for (int i = 0; i < PARCELS; i++) {
            if (i == PARCELS / 2) {
                coact_kill(p.ref);
            }
            if (i % 16 == 0) {
                coact_yield();
            }
            (void)coact_send(p, parcel, .destroyed = destroyed);
        }
        join_peer(p);
        while (atomic_load(destroyed) < PARCELS) {
            coact_yield();
        }
        ck_assert_uint_eq(atomic_load(destroyed), PARCELS);
    }
    free((void *)(uintptr_t)destroyed);
    (void)self;
}
START_TEST(s25_a_message_that_races_with_a_death_is_destroyed_exactly_once)
{
    conduct(2, parcel_sender, NULL);
}
END_TEST

static void
fail_inside(peer_self self, uint64_t outer)
{
    COACT_RECEIVE(self, COACT_FOREVER) {
    case COACT_ON(parcel, inner): {
        ck_assert_uint_eq(outer + 1, inner->number);
        coact_keep(inner);
        coact_fail(-EIO, "inside two blocks");
    } break;
    }
}
static void
held_when_killed(peer_self self, void *arg)
{
    (void)arg;
    COACT_RECEIVE(self, COACT_FOREVER) {
    case COACT_ON(parcel, outer):
        fail_inside(self, outer->number);
        break;
    }
}
static void
holds(peer_self self, void *arg)
{
    (void)self, (void)arg;
    _Atomic uint32_t destroyed = 0;
    peer_ref p = spawn_peer(held_when_killed, NULL);
    coact_send(p, parcel, .number = 1, .destroyed = &destroyed);
    coact_send(p, parcel, .number = 2, .destroyed = &destroyed);
    coact_send(p, parcel, .number = 3, .destroyed = &destroyed);
    struct coact_reason reason = join_peer(p);
    ck_assert(reason.code == -EIO || reason.code == COACT_NOPROC);
    ck_assert_uint_eq(destroyed, 3);
}
START_TEST(what_an_actor_holds_keeps_and_has_not_read_is_destroyed_at_its_end)
{
    conduct(2, holds, NULL);
}
END_TEST

SUITE_MAIN("receive",
           s19_a_full_mailbox_refuses_messages_but_not_news_and_replies,
           s19_the_bound_is_exact_also_in_a_slot_that_is_used_again,
           s20_a_blocked_sender_times_out_is_cancelled_or_freed_by_a_death,
           s20_a_crowd_of_blocked_senders_all_get_through_a_small_mailbox,
           s22_selective_receive_keeps_the_order_of_what_it_skips,
           s22_traffic_that_does_not_match_does_not_extend_the_deadline,
           s22_a_receive_until_zero_polls_once,
           s23_a_reply_is_found_beside_a_long_queue_without_a_look_at_it,
           s23_skipped_messages_are_not_scanned_again_on_each_arrival,
           s25_a_send_to_the_dead_is_a_counted_logged_and_destroyed_dead_letter,
           s25_a_message_that_races_with_a_death_is_destroyed_exactly_once,
           what_an_actor_holds_keeps_and_has_not_read_is_destroyed_at_its_end)
