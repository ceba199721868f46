/*
 * node_test.c - actors on two or three nodes, each a process: what crosses.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/town.h"

#ifdef __SANITIZE_THREAD__
#define BURST 4000u
#else
#define BURST 12000u
#endif
#define SENDERS 4u
#define LARGE (1u << 20)

static void
conduct_with_peers(uint32_t peers, void (*body)(boss_self self))
{
    town_found();
    for (uint32_t i = 0; i < peers; i++) {
        town_go(town_fork_peer(2 + i, 1 + peers));
    }
    town_conduct(1 + peers, body);
}

static struct told
tell(boss_self self, puppet_ref puppet, enum town_order what, coact_ref who)
{
    return town_tell(self, puppet,
                     (struct order){.what = (uint32_t)what, .who = who});
}

static void
tell_to_fail(puppet_ref puppet, int code)
{
    ck_assert_int_eq(
        coact_send(puppet, order, .what = TOWN_FAIL, .n = (uint32_t)code), 0);
}

/* ---- Messages ---- */

static void
send_parcel(boss_self self)
{
    puppet_ref puppet = town_puppet(2);
    struct parcel parcel = {.title = coact_text_copy("na\xc3\xafve"),
                            .photo = coact_bytes_copy("\0\1\2", 3),
                            .home = {coact_text_copy("Elm"), 7},
                            .author = coact_self(),
                            .weight = 1.5};
    parcel.scores.data = coact_list_new(3, sizeof(int32_t));
    parcel.scores.count = 3;
    parcel.scores.data[1] = -70000;
    parcel.places.data = coact_list_new(2, sizeof(struct place));
    parcel.places.count = 2;
    parcel.places.data[1] = (struct place){coact_text_copy("Oak"), 65535};
    ck_assert_int_eq(coact__send(puppet.ref, COACT_TYPE(parcel),
                                 COACT__NUMBER(puppet, parcel), &parcel),
                     0);
    COACT_RECEIVE(self, SOON) {
    case COACT_ON(parcel, m): {
        ck_assert_str_eq(coact_text_cstr(m->title), "na\xc3\xafve");
        ck_assert_uint_eq(m->photo.bytes, 3);
        ck_assert_int_eq(m->photo.data[2], 2);
        ck_assert_uint_eq(m->scores.count, 3);
        ck_assert_int_eq(m->scores.data[1], -70000);
        ck_assert_uint_eq(m->places.count, 2);
        ck_assert_str_eq(coact_text_cstr(m->places.data[0].street), "");
        ck_assert_str_eq(coact_text_cstr(m->places.data[1].street), "Oak");
        ck_assert_uint_eq(m->places.data[1].door, 65535);
        ck_assert_str_eq(coact_text_cstr(m->home.street), "Elm");
        ck_assert(coact_ref_equal(m->author, coact_self()));
        ck_assert(m->weight == 1.5);
        ck_assert(coact_ref_equal(coact_sender_of(m), puppet.ref));
    } break;
    case COACT_ON_TIMEOUT:
        ck_abort_msg("it did not come back");
    }
}

START_TEST(texts_bytes_lists_nested_and_addresses_cross_and_come_back)
{
    conduct_with_peers(1, send_parcel);
}
END_TEST

static void
use_address(boss_self self)
{
    puppet_ref two = town_puppet(2);
    puppet_ref three = town_puppet(3);
    // Node 3 gets to know an actor of node 2 from us, and uses it.
    while (tell(self, three, TOWN_USE, two.ref).n == -ENOTCONN) {
    }
    while (tell(self, two, TOWN_COUNT, two.ref).n == 0) {
    }
    // And ours: the item comes before the word that it was sent.
    town_tell(self, three,
              (struct order){.what = TOWN_USE, .who = coact_self(), .n = 9});
    COACT_RECEIVE_ONLY(self, COACT_NOW, item) {
    case COACT_ON(item, m):
        ck_assert_uint_eq(m->number, 9);
        break;
    case COACT_ON_TIMEOUT:
        ck_abort_msg("no item");
    }
}

START_TEST(an_address_in_a_message_is_of_use_on_a_third_node)
{
    conduct_with_peers(2, use_address);
}
END_TEST

/* Items of several senders come in, each sender's in order, then its DOWN. */
static void
collect(boss_self self, uint32_t senders, uint32_t count, size_t bytes)
{
    puppet_ref puppet = town_puppet(2);
    puppet_ref all[SENDERS];
    uint32_t slot[SENDERS], next[SENDERS] = {0}, ended = 0;
    for (uint32_t i = 0; i < senders; i++) {
        coact_monitor_id id;
        puppet_ref sender = town_another(self, puppet, false);
        slot[i] = sender.ref.slot;
        ck_assert_int_eq(coact_monitor(sender.ref, &id), 0);
        all[i] = sender;
    }
    for (uint32_t i = 0; i < senders; i++) {
        ck_assert_int_eq(coact_send(all[i], order, .what = TOWN_BURST,
                                    .n = count, .bytes = (uint32_t)bytes,
                                    .who = coact_self()),
                         0);
        tell_to_fail(all[i], 300);
    }
    while (ended < senders) {
        COACT_RECEIVE(self, SOON) {
        case COACT_ON(item, m): {
            uint32_t i = 0;
            while (i < senders && slot[i] != m->from) {
                i++;
            }
            ck_assert_uint_lt(i, senders);
            ck_assert_uint_eq(m->number, next[i]);
            ck_assert(m->load.bytes == (next[i] % 16 == 15 ? bytes : 0));
            next[i]++;
        } break;
        case COACT_ON(told, m): {
        } break;
        case COACT_ON_DOWN(d): {
            uint32_t i = 0;
            while (i < senders && slot[i] != d->who.slot) {
                i++;
            }
            ck_assert_int_eq(d->reason.code, 300);
            ck_assert_msg(next[i] == count, "DOWN after %u of %u", next[i],
                          count);
            ended++;
        } break;
        case COACT_ON_TIMEOUT:
            ck_abort_msg("nothing comes any more");
        }
    }
}

static void
collect_small(boss_self self)
{
    collect(self, SENDERS, BURST, 0);
}

START_TEST(s58_the_order_of_two_actors_on_two_nodes_holds)
{
    conduct_with_peers(1, collect_small);
}
END_TEST

static void
collect_large(boss_self self)
{
    collect(self, SENDERS, 48, LARGE);
}

/* The last item of a burst is a large one: its DOWN waits behind it. */
START_TEST(s58_order_holds_where_small_and_large_messages_mix)
{
    conduct_with_peers(1, collect_large);
}
END_TEST

static void
send_to_slow(boss_self self)
{
    puppet_ref puppet = town_puppet(2);
    (void)self;
    uint32_t waited = 0;
    for (uint32_t i = 0; i < 3000; i++) {
        coact_bytes load = coact_bytes_new(8000);
        int rc = coact_send(puppet, item, .number = i, .load = load);
        if (rc == -EAGAIN) {
            waited++;
            rc = coact_send_wait(puppet, SOON, item, .number = i,
                                 .load = coact_bytes_new(8000));
        }
        ck_assert_int_eq(rc, 0);
    }
    ck_assert_uint_gt(waited, 0);
    ck_assert_int_eq(tell(self, puppet, TOWN_COUNT, puppet.ref).n, 3000);
}

START_TEST(a_send_that_waits_gets_through_a_link_that_is_full)
{
    conduct_with_peers(1, send_to_slow);
}
END_TEST

static int paused; /* the place of a peer */

static void
send_to_paused(boss_self self)
{
    puppet_ref puppet = town_puppet(2);
    coact_monitor_id id;
    (void)self;
    ck_assert_int_eq(coact_monitor(puppet.ref, &id), 0);
    town_signal(paused, SIGSTOP);
    int rc = 0;
    while (rc == 0) {
        rc = coact_send(puppet, item, .load = coact_bytes_new(8000));
    }
    ck_assert_int_eq(rc, -EAGAIN);
    // The kernel takes a little more.
    do {
        rc = coact_send_wait(puppet, coact_in_ms(20), item,
                             .load = coact_bytes_new(8000));
    } while (rc == 0);
    ck_assert_int_eq(rc, -ETIMEDOUT);
    // The end of the link ends the wait, too.
    ck_assert_int_eq(
        coact_send_wait(puppet, SOON, item, .load = coact_bytes_new(8000)),
        -ENOTCONN);
    town_expect_down(self, id, COACT_NOCONNECTION);
    town_signal(paused, SIGCONT);
}

START_TEST(a_send_that_waits_ends_at_its_deadline_and_with_the_link)
{
    town_found();
    paused = town_fork_peer(2, 2);
    town_go(paused);
    town_conduct(2, send_to_paused);
}
END_TEST

/* ---- Monitors, links, signals ---- */

static void
monitor_them(boss_self self)
{
    puppet_ref puppet = town_puppet(2);
    puppet_ref a = town_another(self, puppet, false);
    coact_monitor_id one, two, three;
    ck_assert_int_eq(coact_monitor(a.ref, &one), 0);
    ck_assert_int_eq(coact_monitor(a.ref, &two), 0);
    ck_assert_int_eq(coact_monitor(a.ref, &three), 0);
    ck_assert_int_eq(coact_demonitor(two), 0);
    ck_assert_int_eq(coact_demonitor(two), -ENOENT);
    tell_to_fail(a, 299);
    town_expect_down(self, three, 299); // the newest first
    town_expect_down(self, one, 299);
    town_expect_nothing(self, puppet);
    // Of one that is dead: once, noproc.
    ck_assert_int_eq(coact_monitor(a.ref, &one), 0);
    town_expect_down(self, one, COACT_NOPROC);
    town_expect_nothing(self, puppet);
    ck_assert_int_eq(coact_demonitor(one), -ENOENT);
    // Taken back when the news is here already.
    ck_assert_int_eq(coact_monitor(a.ref, &one), 0);
    (void)tell(self, puppet, TOWN_COUNT, puppet.ref);
    ck_assert_int_eq(coact_demonitor(one), 0);
    town_expect_nothing(self, puppet);
    struct coact_reason reason;
    ck_assert_int_eq(coact_join(a.ref, SOON, &reason), 0);
    ck_assert_int_eq(reason.code, COACT_NOPROC);
}

START_TEST(monitors_across_fire_once_each_and_can_be_taken_back)
{
    conduct_with_peers(1, monitor_them);
}
END_TEST

static void
link_them(boss_self self)
{
    puppet_ref puppet = town_puppet(2);
    ck_assert_int_eq(coact_trap_exit(true), 0);
    puppet_ref a = town_another(self, puppet, false);
    // We link; it ends.
    ck_assert_int_eq(coact_link(a.ref), 0);
    ck_assert_int_eq(coact_link(a.ref), 0);
    tell_to_fail(a, 298);
    town_expect_exit(self, a.ref, 298);
    // It links; it ends.
    a = town_another(self, puppet, false);
    (void)tell(self, a, TOWN_LINK, coact_self());
    tell_to_fail(a, 297);
    town_expect_exit(self, a.ref, 297);
    // Both link at a time: one news.
    a = town_another(self, puppet, false);
    ck_assert_int_eq(
        coact_send(a, order, .what = TOWN_LINK, .who = coact_self()), 0);
    ck_assert_int_eq(coact_link(a.ref), 0);
    tell_to_fail(a, 296);
    town_expect_exit(self, a.ref, 296);
    COACT_RECEIVE_ONLY(self, SOON, told) {
    case COACT_ON(told, m): {
    } break;
    }
    town_expect_nothing(self, puppet);
    // Unlinked, by either.
    a = town_another(self, puppet, false);
    ck_assert_int_eq(coact_link(a.ref), 0);
    ck_assert_int_eq(coact_unlink(a.ref), 0);
    tell_to_fail(a, 295);
    a = town_another(self, puppet, false);
    ck_assert_int_eq(coact_link(a.ref), 0);
    (void)tell(self, a, TOWN_UNLINK, coact_self());
    tell_to_fail(a, 294);
    town_expect_nothing(self, puppet);
    // With one that is dead.
    ck_assert_int_eq(coact_link(a.ref), 0);
    town_expect_exit(self, a.ref, COACT_NOPROC);
}

START_TEST(links_across_hold_whoever_makes_them_and_end_with_an_unlink)
{
    conduct_with_peers(1, link_them);
}
END_TEST

/* Ends at once. */
static void
mayfly_body(boss_self self, void *arg)
{
    coact_ref *partner = arg;
    (void)self;
    COACT_CHECK(coact_link(*partner) == 0);
    coact_fail(293, "mayfly");
}

static void
die_of_us(boss_self self)
{
    puppet_ref puppet = town_puppet(2);
    for (int traps = 0; traps < 2; traps++) {
        puppet_ref a = town_another(self, puppet, traps != 0);
        coact_monitor_id id;
        boss_ref mayfly;
        (void)tell(self, a, TOWN_COUNT, a.ref); // now we are its boss
        ck_assert_int_eq(coact_monitor(a.ref, &id), 0);
        ck_assert_int_eq(coact_spawn(boss, &mayfly, mayfly_body, &a.ref), 0);
        if (traps == 0) {
            town_expect_down(self, id, 293);
            continue;
        }
        COACT_RECEIVE_ONLY(self, SOON, told) {
        case COACT_ON(told, m): {
            ck_assert_int_eq(m->n, 293);
            ck_assert(coact_ref_equal(m->who, mayfly.ref));
        } break;
        case COACT_ON_TIMEOUT:
            ck_abort_msg("it was not told");
        }
        // A signal that is not one of a link is trapped, too; kill is not.
        ck_assert_int_eq(coact_signal_exit(a.ref, 292, "go"), 0);
        COACT_RECEIVE_ONLY(self, SOON, told) {
        case COACT_ON(told, m):
            ck_assert_int_eq(m->n, 292);
            break;
        case COACT_ON_TIMEOUT:
            ck_abort_msg("it was not told");
        }
        ck_assert_int_eq(coact_kill(a.ref), 0);
        town_expect_down(self, id, COACT_KILLED);
        ck_assert_int_eq(coact_kill(a.ref), 0);
    }
    puppet_ref a = town_another(self, puppet, false);
    coact_monitor_id id;
    ck_assert_int_eq(coact_monitor(a.ref, &id), 0);
    ck_assert_int_eq(coact_signal_exit(a.ref, COACT_NORMAL, ""), 0);
    (void)tell(self, a, TOWN_COUNT, a.ref); // it lives
    ck_assert_int_eq(coact_signal_exit(a.ref, 291, "go"), 0);
    town_expect_down(self, id, 291);
}

START_TEST(exit_signals_and_kill_cross_with_their_reason)
{
    conduct_with_peers(1, die_of_us);
}
END_TEST

/* The watchers are over there, the watched one is here. */
static void
be_watched(boss_self self)
{
    puppet_ref puppet = town_puppet(2);
    puppet_ref other = town_another(self, puppet, true);
    puppet_ref here;
    ck_assert_int_eq(coact_spawn(puppet, &here, puppet_body, NULL), 0);
    (void)tell(self, puppet, TOWN_MONITOR, here.ref);
    (void)tell(self, other, TOWN_LINK, here.ref);
    tell_to_fail(here, 290);
    for (int i = 0; i < 2; i++) {
        COACT_RECEIVE_ONLY(self, SOON, told) {
        case COACT_ON(told, m):
            ck_assert_int_eq(m->n, 290);
            break;
        case COACT_ON_TIMEOUT:
            ck_abort_msg("somebody was not told");
        }
    }
    // A watcher that ends takes its monitor with it.
    ck_assert_int_eq(coact_spawn(puppet, &here, puppet_body, NULL), 0);
    (void)tell(self, other, TOWN_MONITOR, here.ref);
    tell_to_fail(other, 289);
    (void)tell(self, puppet, TOWN_COUNT, here.ref);
    tell_to_fail(here, 288);
    town_expect_nothing(self, puppet);
}

START_TEST(an_actor_is_watched_and_linked_from_another_node)
{
    conduct_with_peers(1, be_watched);
}
END_TEST

SUITE_MAIN("node", texts_bytes_lists_nested_and_addresses_cross_and_come_back,
           an_address_in_a_message_is_of_use_on_a_third_node,
           s58_the_order_of_two_actors_on_two_nodes_holds,
           s58_order_holds_where_small_and_large_messages_mix,
           a_send_that_waits_gets_through_a_link_that_is_full,
           a_send_that_waits_ends_at_its_deadline_and_with_the_link,
           monitors_across_fire_once_each_and_can_be_taken_back,
           links_across_hold_whoever_makes_them_and_end_with_an_unlink,
           exit_signals_and_kill_cross_with_their_reason,
           an_actor_is_watched_and_linked_from_another_node)
