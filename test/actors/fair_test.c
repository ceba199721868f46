/*
 * fair_test.c - actors that serve their senders round robin.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/fair_world.h"

#include "runtime/memory.h"

#define NOISE 100000
#define QUIET 999

/* ---- 26: the noisy one and the quiet ones -------------------------------- */

static void
serves_a_crowd(peer_self self, void *arg)
{
    const bool *is_short_of_memory = arg;
    struct crowd crowd = {.to = {.ref = self.ref},
                          .senders = QUIET,
                          .noise = NOISE,
                          .messages = 1,
                          .is_deaf = *is_short_of_memory};
    let_send(&crowd);
    if (*is_short_of_memory) {
        coact__fail_nth(1, true);
    }
    ck_assert_uint_eq(coact_pending(), NOISE + QUIET);
    if (*is_short_of_memory) {
        coact__fail_nth(0, false);
    }
    struct reading reading = read_crowd(self, &crowd);
    ck_assert_uint_eq(reading.quiet_read, QUIET);
    if (!*is_short_of_memory) {
        // One round: each quiet one, and the noisy one at most twice.
        ck_assert_uint_le(reading.read_at_last_quiet, QUIET + 2);
    } else {
        // Most had to share a ring, so it took them more than one.
        ck_assert_uint_gt(reading.read_at_last_quiet, QUIET + QUIET / 2);
    }
    ck_assert_uint_eq(coact_pending(), 0);
}
START_TEST(s26_999_quiet_senders_are_served_within_1001_messages_of_a_noisy_one)
{
    bool is_short_of_memory = false;
    conduct_fairly(1, serves_a_crowd, &is_short_of_memory);
    conduct_fairly(2, serves_a_crowd, &is_short_of_memory);
}
END_TEST

START_TEST(s26_without_memory_for_its_table_no_message_is_lost_or_out_of_order)
{
    bool is_short_of_memory = true;
    conduct_fairly(2, serves_a_crowd, &is_short_of_memory);
}
END_TEST

/* Some share a ring for want of memory.  When others have left the table there is
   room in it again; who is in the ring must not be there as well. */
static void
sends_twice(peer_self self, void *arg)
{
    struct crowd *crowd = arg;
    uint32_t from = ++crowd->next;
    for (uint32_t i = 0; i < 4; i++) {
        if (i == 2) {
            crowd->done++;
            until_go_body(self, NULL);
        }
        coact_send(crowd->to, item, .from = from, .number = i);
    }
    crowd->done++;
}
static void
take_items(peer_self self, struct reading *reading, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        COACT_RECEIVE(self, IN_TIME) {
        case COACT_ON(item, m):
            note_item(reading, m);
            break;
        case COACT_ON_TIMEOUT:
            ck_abort_msg("an item is missing");
            break;
        }
    }
}
static void
serves_a_ring(peer_self self, void *arg)
{
    (void)arg;
    struct crowd crowd = {
        .to = {.ref = self.ref}, .senders = 100, .is_deaf = true};
    peer_ref sender[100];
    uint32_t next[101] = {0};
    struct reading reading = {.next = next, .senders = 100};
    for (int i = 0; i < 100; i++) {
        sender[i] = spawn_peer(sends_twice, &crowd);
    }
    await_done(&crowd, 100);
    coact__fail_nth(1, true);
    ck_assert_uint_eq(coact_pending(), 200);
    coact__fail_nth(0, false);
    take_items(self, &reading, 70);
    for (int i = 0; i < 100; i++) {
        coact_send(sender[i], go, 0);
    }
    crowd.is_deaf = false;
    await_done(&crowd, 200);
    take_items(self, &reading, 330);
    ck_assert_uint_eq(coact_pending(), 0);
}
START_TEST(s18_who_shares_a_ring_for_want_of_memory_stays_in_it)
{
    conduct_fairly(2, serves_a_ring, NULL);
}
END_TEST

/* The backlog is there when each quiet message arrives, again and again. */
static void
serves_late_comers(peer_self self, void *arg)
{
    (void)arg;
    struct crowd crowd = {
        .to = {.ref = self.ref}, .senders = 0, .noise = NOISE, .messages = 1};
    let_send(&crowd);
    crowd.senders = 1;
    uint32_t noise = 0;
    while (noise + 3 < NOISE && crowd.next < 500) {
        join_peer(spawn_peer(quiet_body, &crowd));
        uint32_t until_quiet = 0;
        bool is_served = false;
        while (!is_served) {
            COACT_RECEIVE(self, IN_TIME) {
            case COACT_ON(item, m): {
                is_served = m->from != NOISY;
                noise += !is_served;
                ck_assert(is_served || m->number + 1 == noise);
            } break;
            }
            ck_assert_uint_le(++until_quiet, 2);
        }
    }
    ck_assert_uint_eq(crowd.next, 500);
    ck_assert_uint_eq(coact_pending(), NOISE - noise);
}
START_TEST(s26_who_comes_while_a_backlog_waits_is_served_next_but_one)
{
    conduct_fairly(2, serves_late_comers, NULL);
}
END_TEST

/* An actor that is not fair, so that the above is known to measure something. */
static void
serves_in_order(peer_self self, void *arg)
{
    (void)arg;
    struct crowd crowd = {
        .to = {.ref = self.ref}, .senders = 9, .noise = 1000, .messages = 1};
    let_send(&crowd);
    struct reading reading = read_crowd(self, &crowd);
    ck_assert_uint_eq(reading.read_at_last_quiet, 1009);
}
START_TEST(s26_only_who_asks_for_it_is_fair)
{
    conduct(1, serves_in_order, NULL);
}
END_TEST

/* ---- 18: order ----------------------------------------------------------- */

static void
serves_many_rounds(peer_self self, void *arg)
{
    (void)arg;
    struct crowd crowd = {.to = {.ref = self.ref},
                          .senders = 100,
                          .noise = 20000,
                          .messages = 200};
    spawn_peer(noisy_body, &crowd);
    for (uint32_t i = 0; i < crowd.senders; i++) {
        spawn_peer(quiet_body, &crowd);
    }
    // While they still send.
    struct reading reading = read_crowd(self, &crowd);
    ck_assert_uint_eq(reading.quiet_read, 100 * 200);
    await_senders(&crowd);
}
START_TEST(s18_a_fair_actor_keeps_the_order_of_each_sender)
{
    conduct_fairly(1, serves_many_rounds, NULL);
    conduct_fairly(2, serves_many_rounds, NULL);
}
END_TEST

/* ---- News ---------------------------------------------------------------- */

#define LAST_WORDS 50

static void
sends_and_dies(peer_self self, void *arg)
{
    (void)self;
    peer_ref *to = arg;
    for (uint32_t i = 0; i < LAST_WORDS; i++) {
        ck_assert_int_eq(coact_send(*to, item, .from = 1, .number = i), 0);
    }
    coact_fail(-EIO, "that was all");
}
static void
hears_of_a_death(peer_self self, void *arg)
{
    (void)arg;
    coact_trap_exit(true);
    peer_ref me = {.ref = self.ref};
    struct crowd crowd = {
        .to = me, .senders = 20, .noise = 1000, .messages = 3};
    let_send(&crowd);
    peer_ref dying;
    coact_monitor_id monitor;
    ck_assert_int_eq(coact_spawn_with(peer, &dying, sends_and_dies, &me,
                                      .monitor = &monitor, .link = true),
                     0);
    while (coact_is_alive(dying.ref)) {
        coact_yield();
    }
    uint32_t words = 0, downs = 0, exits = 0, read = 0;
    while (downs + exits < 2) {
        COACT_RECEIVE(self, IN_TIME) {
        case COACT_ON(item, m):
            words += coact_ref_equal(coact_sender_of(m), dying.ref);
            break;
        case COACT_ON_DOWN(d): {
            ck_assert(coact_ref_equal(d->who, dying.ref));
            ck_assert_uint_eq(words, LAST_WORDS);
            downs++;
        } break;
        case COACT_ON_EXIT(e): {
            ck_assert(coact_ref_equal(e->from, dying.ref));
            ck_assert_uint_eq(words, LAST_WORDS);
            exits++;
        } break;
        }
        read++;
    }
    ck_assert_uint_eq(downs, 1);
    // With two each round at the end, and 60 of the others.
    ck_assert_uint_le(read, 2 * (LAST_WORDS + 3) + 60);
}
START_TEST(s26_news_of_a_death_follows_all_that_the_dead_has_sent)
{
    conduct_fairly(1, hears_of_a_death, NULL);
    conduct_fairly(2, hears_of_a_death, NULL);
}
END_TEST

static void
takes_news_back(peer_self self, void *arg)
{
    (void)arg;
    peer_ref me = {.ref = self.ref};
    coact_monitor_id monitor[3];
    peer_ref dying[3];
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(coact_spawn_with(peer, &dying[i], sends_and_dies, &me,
                                          .monitor = &monitor[i]),
                         0);
    }
    coact_timer_id timer[3];
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(coact_timer_start(&timer[i], COACT_NOW, 0, NULL), 0);
    }
    while (coact_pending() < 3 * LAST_WORDS + 6) {
        coact_sleep(coact_in_ms(1));
    }
    // From within rings, their ends and their middles.
    ck_assert_int_eq(coact_demonitor(monitor[1]), 0);
    ck_assert_int_eq(coact_timer_cancel(timer[1]), 0);
    ck_assert_int_eq(coact_timer_cancel(timer[0]), 0);
    ck_assert_uint_eq(coact_pending(), 3 * LAST_WORDS + 3);
    uint32_t items = 0, downs = 0, ticks = 0;
    while (coact_pending() > 0) {
        COACT_RECEIVE(self, IN_TIME) {
        case COACT_ON(item, m):
            items += m->from;
            break;
        case COACT_ON_DOWN(d): {
            ck_assert(d->monitor.id != monitor[1].id);
            downs++;
        } break;
        case COACT_ON_TICK(t): {
            ck_assert_uint_eq(t->timer.id, timer[2].id);
            ticks++;
        } break;
        }
    }
    ck_assert_uint_eq(items, 3 * LAST_WORDS);
    ck_assert_uint_eq(downs, 2);
    ck_assert_uint_eq(ticks, 1);
}
START_TEST(s07_what_a_fair_actor_takes_back_is_not_received)
{
    conduct_fairly(1, takes_news_back, NULL);
    conduct_fairly(2, takes_news_back, NULL);
}
END_TEST

/* ---- 22, 23: selective receive ------------------------------------------- */

static void
sends_both(peer_self self, void *arg)
{
    (void)self;
    struct crowd *crowd = arg;
    uint32_t from = ++crowd->next;
    for (uint32_t i = 0; i < crowd->messages; i++) {
        coact_send(crowd->to, item, .from = from, .number = i);
        coact_send(crowd->to, parcel, .number = (uint64_t)from << 32 | i);
    }
    crowd->done++;
}
static void
chooses(peer_self self, void *arg)
{
    (void)arg;
    struct crowd crowd = {
        .to = {.ref = self.ref}, .senders = 10, .messages = 30};
    for (uint32_t i = 0; i < crowd.senders; i++) {
        spawn_peer(sends_both, &crowd);
    }
    while (crowd.done < crowd.senders) {
        coact_yield();
    }
    uint32_t next[11] = {0}, least = 0;
    for (uint32_t i = 0; i < 300; i++) {
        COACT_RECEIVE_ONLY(self, 0, parcel) {
        case COACT_ON(parcel, m):
            ck_assert_uint_eq((uint32_t)m->number, next[m->number >> 32]++);
            break;
        case COACT_ON_TIMEOUT:
            ck_abort_msg("a parcel is missing");
            break;
        }
        if (i % 10 == 9) {
            least++;
            for (uint32_t from = 1; from <= 10; from++) {
                ck_assert_uint_eq(next[from], least); // round robin, too
            }
        }
    }
    ck_assert_uint_eq(coact_pending(), 300);
    struct crowd items = {.senders = 10, .messages = 30};
    struct reading reading = read_crowd(self, &items);
    ck_assert_uint_eq(reading.quiet_read, 300);
}
START_TEST(s22_a_fair_actor_chooses_and_keeps_the_order_of_what_it_skips)
{
    conduct_fairly(1, chooses, NULL);
    conduct_fairly(2, chooses, NULL);
}
END_TEST

static void
floods(peer_self self, void *arg)
{
    (void)self;
    peer_ref *to = arg;
    for (uint32_t i = 0; i < 20000; i++) {
        coact_send(*to, item, .from = 1, .number = i);
        if (i % 4 == 0) {
            coact_yield();
        }
    }
    coact_send(*to, go, 0);
}
static void
skips_a_flood(peer_self self, void *arg)
{
    (void)arg;
    peer_ref me = {.ref = self.ref};
    for (uint32_t i = 0; i < NOISE; i++) {
        coact_send(me, item, .number = i);
    }
    spawn_peer(floods, &me);
    bool got = false;
    // If each of 5000 arrivals began at the front, this would be 5e8 steps.
    int64_t start = coact_now_ns();
    COACT_RECEIVE_ONLY(self, IN_TIME, go) {
    case COACT_ON(go, m):
        (void)m;
        got = true;
        break;
    }
    ck_assert(got);
    ck_assert_int_lt(coact_now_ns() - start, 20 * (int64_t)1000000000);
    ck_assert_uint_eq(coact_pending(), NOISE + 20000);
}
START_TEST(s23_a_fair_actor_does_not_scan_again_what_it_has_skipped)
{
    conduct_fairly(1, skips_a_flood, NULL);
}
END_TEST

/* ---- Ends, bounds -------------------------------------------------------- */

struct post {
    peer_ref to;
    _Atomic uint32_t destroyed;
};
static void
dies_with_a_full_list(peer_self self, void *arg)
{
    struct post *post = arg;
    while (coact_pending() < 100) {
        coact_yield();
    }
    COACT_RECEIVE(self, IN_TIME) {
    case COACT_ON(parcel, m):
        if (m->destroyed == &post->destroyed) {
            coact_fail(-EIO, "with 99 unread");
        }
        break;
    }
}
static void
sends_parcels(peer_self self, void *arg)
{
    (void)self;
    struct post *post = arg;
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(
            coact_send(post->to, parcel, .destroyed = &post->destroyed), 0);
    }
}
static void
fills_one(peer_self self, void *arg)
{
    (void)self, (void)arg;
    for (int round = 0; round < 20; round++) {
        struct post post = {.destroyed = 0};
        ck_assert_int_eq(coact_spawn_with(peer, &post.to, dies_with_a_full_list,
                                          &post, .fair = true,
                                          .mailbox_messages = 100),
                         0);
        peer_ref sender[10];
        for (int i = 0; i < 10; i++) {
            sender[i] = spawn_peer(sends_parcels, &post);
        }
        for (int i = 0; i < 10; i++) {
            join_peer(sender[i]);
        }
        join_peer(post.to);
        ck_assert_uint_eq(post.destroyed, 100);
        // The slot's next owner is as it says.
        peer_ref oracle = spawn_peer(oracle_body, NULL);
        struct answer a = {0};
        ck_assert_int_eq(coact_ask(oracle, question, &a, IN_TIME, .n = 1), 0);
        ck_assert_uint_eq(a.n, 2);
        coact_kill(oracle.ref);
    }
}
START_TEST(s26_what_a_fair_actor_has_not_read_is_destroyed_with_it)
{
    conduct(1, fills_one, NULL);
    conduct(2, fills_one, NULL);
}
END_TEST

SUITE_MAIN("fair",
           s26_999_quiet_senders_are_served_within_1001_messages_of_a_noisy_one,
           s26_without_memory_for_its_table_no_message_is_lost_or_out_of_order,
           s18_who_shares_a_ring_for_want_of_memory_stays_in_it,
           s26_who_comes_while_a_backlog_waits_is_served_next_but_one,
           s26_only_who_asks_for_it_is_fair,
           s18_a_fair_actor_keeps_the_order_of_each_sender,
           s26_news_of_a_death_follows_all_that_the_dead_has_sent,
           s07_what_a_fair_actor_takes_back_is_not_received,
           s22_a_fair_actor_chooses_and_keeps_the_order_of_what_it_skips,
           s23_a_fair_actor_does_not_scan_again_what_it_has_skipped,
           s26_what_a_fair_actor_has_not_read_is_destroyed_with_it)
