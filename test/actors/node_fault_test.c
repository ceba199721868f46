/*
 * node_fault_test.c - nodes that are killed, stopped, restarted, of another
 * build or another cluster, and strangers at the door.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/town.h"

#include "runtime/oracle.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define VICTIMS 7
#define IN_MS(ns) ((double)(ns) / 1e6)

static int place[TOWN_NODES];

/* ---- s56: a node dies ---- */

struct call {
    puppet_ref to;
    int rc;
    int64_t ended_ns;
};

static void
caller_body(boss_self self, void *arg)
{
    struct call *call = arg;
    struct answer answer;
    (void)self;
    call->rc =
        coact_ask(call->to, question, &answer, COACT_FOREVER, .how = TOWN_KEEP);
    call->ended_ns = coact__oracle_now_ns();
}

/* Until the monitor, the link and the ask have all told. */
static int64_t
until_all_know(boss_self self, int victim, int signal_number)
{
    static struct call call;
    puppet_ref puppet = town_puppet((uint32_t)victim);
    puppet_ref linked = town_another(self, puppet, false);
    coact_monitor_id id;
    boss_ref caller;
    call = (struct call){.to = puppet};
    ck_assert_int_eq(coact_monitor(puppet.ref, &id), 0);
    ck_assert_int_eq(coact_link(linked.ref), 0);
    ck_assert_int_eq(coact_spawn(boss, &caller, caller_body, &call), 0);
    (void)town_tell(self, linked, (struct order){.what = TOWN_COUNT});
    int64_t begin_ns = coact__oracle_now_ns();
    town_signal(place[victim], signal_number);
    for (int news = 0; news < 2; news++) {
        COACT_RECEIVE_ONLY(self, SOON, coact_down, coact_exit) {
        case COACT_ON_DOWN(d): {
            ck_assert_int_eq(d->reason.code, COACT_NOCONNECTION);
        } break;
        case COACT_ON_EXIT(e): {
            ck_assert_int_eq(e->reason.code, COACT_NOCONNECTION);
        } break;
        case COACT_ON_TIMEOUT:
            ck_abort_msg("news %d did not come", news);
        }
    }
    int64_t end_ns = coact__oracle_now_ns();
    ck_assert_int_eq(coact_join(caller.ref, SOON, NULL), 0);
    ck_assert_int_eq(call.rc, -ENOTCONN);
    return (end_ns > call.ended_ns ? end_ns : call.ended_ns) - begin_ns;
}

static void
see_them_die(boss_self self)
{
    int64_t took[VICTIMS];
    ck_assert_int_eq(coact_trap_exit(true), 0);
    for (int i = 0; i < VICTIMS; i++) {
        took[i] = until_all_know(self, 2 + i, SIGKILL);
    }
    int64_t median = town_median(took, VICTIMS);
    printf("     SIGKILL to the last news: median %.1f ms, most %.1f ms\n",
           IN_MS(median), IN_MS(took[VICTIMS - 1]));
    ck_assert_int_lt(median, COACT_MS(500));
}

START_TEST(s56_the_kill_of_a_peer_ends_every_monitor_link_and_ask)
{
    town_found();
    for (int i = 2; i < 2 + VICTIMS; i++) {
        place[i] = town_fork_peer((uint32_t)i, 1);
        town_go(place[i]);
    }
    town_conduct(1 + VICTIMS, see_them_die);
}
END_TEST

static void
see_it_stop_and_go_on(boss_self self)
{
    puppet_ref before = town_puppet(2);
    ck_assert_int_eq(coact_trap_exit(true), 0);
    int64_t took = until_all_know(self, 2, SIGSTOP);
    printf("     SIGSTOP to the last news: %.1f ms\n", IN_MS(took));
    ck_assert_int_lt(took, COACT_MS(4000));
    town_signal(place[2], SIGCONT);
    puppet_ref after = town_puppet(2);
    ck_assert(coact_ref_equal(before.ref, after.ref));
    (void)town_tell(self, before, (struct order){.what = TOWN_COUNT});
}

START_TEST(s56_a_peer_that_is_stopped_is_missed_and_comes_back_as_it_was)
{
    town_found();
    place[2] = town_fork_peer(2, 2);
    town_go(place[2]);
    town_conduct(2, see_it_stop_and_go_on);
}
END_TEST

/* The caller's node has no link to where its request goes. */
static void
ask_beyond(boss_self self)
{
    puppet_ref two = town_puppet(2);
    puppet_ref three = town_puppet(3);
    struct answer answer;
    // They know each other as soon as one gets through.
    while (
        town_tell(self, two, (struct order){.what = TOWN_USE, .who = three.ref})
            .n != 0) {
    }
    ck_assert_int_eq(coact_node_remove(town_runtime(), 3), 0);
    ck_assert_int_eq(coact_ask(two, question, &answer, SOON,
                               .how = TOWN_FORWARD, .n = 3, .who = three.ref),
                     0);
    ck_assert_uint_eq(answer.n, 3);
}

START_TEST(an_answer_comes_back_the_way_that_its_request_went)
{
    town_found();
    for (uint32_t i = 2; i < 4; i++) {
        place[i] = town_fork_peer(i, 3);
        town_go(place[i]);
    }
    town_conduct(3, ask_beyond);
}
END_TEST

static void
entrust_body(boss_self self, void *arg)
{
    struct call *call = arg;
    struct answer answer;
    (void)self;
    call->rc = coact_ask(call->to, question, &answer, COACT_FOREVER,
                         .how = TOWN_ENTRUST, .who = town_puppet(3).ref);
}

static void
lose_the_third(boss_self self)
{
    static struct call call;
    puppet_ref two = town_puppet(2);
    puppet_ref three = town_puppet(3);
    boss_ref caller;
    while (
        town_tell(self, two, (struct order){.what = TOWN_USE, .who = three.ref})
            .n != 0) {
    }
    int32_t before =
        town_tell(self, three, (struct order){.what = TOWN_COUNT}).n;
    call = (struct call){.to = two};
    ck_assert_int_eq(coact_spawn(boss, &caller, entrust_body, &call), 0);
    // An item that goes the same way arrives behind the request.
    (void)coact_sleep(coact_in_ms(5));
    (void)town_tell(self, two,
                    (struct order){.what = TOWN_USE, .who = three.ref});
    while (town_tell(self, three, (struct order){.what = TOWN_COUNT}).n <=
           before) {
    }
    town_signal(place[3], SIGKILL);
    ck_assert_int_eq(coact_join(caller.ref, SOON, NULL), 0);
    ck_assert_int_eq(call.rc, -ENOTCONN);
}

START_TEST(s56_a_request_that_was_handed_on_fails_when_the_third_node_dies)
{
    town_found();
    for (uint32_t i = 2; i < 4; i++) {
        place[i] = town_fork_peer(i, 3);
        town_go(place[i]);
    }
    town_conduct(3, lose_the_third);
}
END_TEST

/* ---- s57: a restart ---- */

static int second_life;

static void
restart_it(boss_self self)
{
    puppet_ref old = town_puppet(2);
    struct answer answer;
    coact_monitor_id id;
    ck_assert_int_eq(coact_monitor(old.ref, &id), 0);
    (void)coact_send(old, item, .number = 1);
    town_signal(place[2], SIGKILL);
    town_go(second_life);
    town_expect_down(self, id, COACT_NOCONNECTION);
    puppet_ref new = town_puppet(2);
    ck_assert_uint_eq(new.ref.node, old.ref.node);
    ck_assert_uint_eq(new.ref.slot, old.ref.slot);
    ck_assert_uint_ne(new.ref.incarnation, old.ref.incarnation);
    // The old address names nobody, though a slot like that is there.
    ck_assert_int_eq(coact_send(old, item, .number = 2), -ENOTCONN);
    ck_assert_int_eq(
        coact_ask(old, question, &answer, COACT_FOREVER, .how = TOWN_ANSWER),
        -ENOTCONN);
    ck_assert_int_eq(coact_kill(old.ref), -ENOTCONN);
    ck_assert_int_eq(coact_monitor(old.ref, &id), 0);
    town_expect_down(self, id, COACT_NOCONNECTION);
    ck_assert_int_eq(town_tell(self, new, (struct order){.what = TOWN_COUNT}).n,
                     0);
    town_expect_nothing(self, new);
}

START_TEST(s57_a_restart_is_a_new_incarnation)
{
    town_found();
    place[2] = town_fork_peer(2, 2);
    second_life = town_fork_peer(2, 2);
    town_go(place[2]);
    town_conduct(2, restart_it);
}
END_TEST

/* ---- s24, s62: a node of another build ---- */

/* The messages of the other program: `item` has a field that we do not know and
   lacks one that we have, and there are messages that are new to us. */
struct item_of_tomorrow {
    uint32_t from, number;
    coact_text remark;
};
static const struct coact_field item_of_tomorrow_fields[] = {
    {"from", NULL, 1, offsetof(struct item_of_tomorrow, from), COACT_KIND_U32,
     0},
    {"number", NULL, 2, offsetof(struct item_of_tomorrow, number),
     COACT_KIND_U32, 0},
    {"remark", NULL, 77, offsetof(struct item_of_tomorrow, remark),
     COACT_KIND_TEXT, 0},
};
static struct coact_type item_of_tomorrow = {
    .name = "item",
    .size = sizeof(struct item_of_tomorrow),
    .align = _Alignof(struct item_of_tomorrow),
    .fields = item_of_tomorrow_fields,
    .field_count = 3};
struct hologram {
    uint32_t size;
};
struct hologram_of {
    uint32_t size;
};
COACT_MESSAGE(hologram_of, (1, size));
COACT_REQUEST(hologram, hologram_of, (1, size));
COACT_MAILBOX(tomorrow, hologram, order, item);

/* Told by an order: a message that is unknown over there, a request that is, an
   item of ours. */
static void
tomorrow_body(tomorrow_self self, void *arg)
{
    (void)arg;
    for (;;) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(order, m): {
            boss_ref boss = {.ref = coact_sender_of(m)};
            tomorrow_ref alike = {.ref = boss.ref};
            struct hologram_of reply;
            struct item_of_tomorrow new = {
                .from = 5, .number = 6, .remark = coact_text_copy("new")};
            COACT_CHECK(coact_send(alike, hologram, .size = 1) == 0);
            COACT_CHECK(coact_ask(alike, hologram, &reply, SOON, .size = 2) ==
                        -ECONNREFUSED);
            COACT_CHECK(coact__send(boss.ref, &item_of_tomorrow, 0, &new) == 0);
        } break;
        }
    }
}

static void
live_in_tomorrow(int here)
{
    struct coact_runtime *runtime = town_start(2, NULL, 2);
    tomorrow_ref who;
    if (coact_spawn_with(tomorrow, &who, tomorrow_body, NULL,
                         .name = "tomorrow", .runtime = runtime) != 0) {
        abort();
    }
    town_await_end(here);
    struct coact_runtime_stats stats;
    coact_stats(runtime, &stats);
    if (stats.actors_failed != 0) {
        abort();
    }
    town_stop(runtime);
}

static void
meet_tomorrow(boss_self self)
{
    tomorrow_ref who;
    int rc;
    ck_assert_int_eq(coact_node_await(2, SOON), 0);
    while ((rc = coact_whereis_at(tomorrow, 2, "tomorrow", &who, SOON)) ==
           -ENOENT) {
        ck_assert_int_eq(coact_sleep(coact_in_ms(1)), 0);
    }
    ck_assert_int_eq(rc, 0);
    uint64_t refused = town_stats().messages_refused;
    coact_monitor_id id;
    ck_assert_int_eq(coact_monitor(who.ref, &id), 0);
    ck_assert_int_eq(coact_send(who, order, .what = 1), 0);
    COACT_RECEIVE(self, SOON) {
    case COACT_ON(item, m): {
        ck_assert_uint_eq(m->from, 5);
        ck_assert_uint_eq(m->number, 6);
        ck_assert_uint_eq(m->load.bytes, 0);
    } break;
    case COACT_ON_TIMEOUT:
        ck_abort_msg("no item");
    }
    ck_assert_uint_eq(town_stats().messages_refused, refused + 2);
    ck_assert_uint_gt(town_stats().fields_unknown, 0);
    // The link has stood all the time.
    ck_assert_int_eq(coact_kill(who.ref), 0);
    town_expect_down(self, id, COACT_KILLED);
}

static void
tomorrow(void)
{
    town_found();
    town_go(town_fork(live_in_tomorrow));
    town_conduct(2, meet_tomorrow);
}

START_TEST(s62_an_unknown_message_or_field_is_skipped_and_the_link_stays)
{
    tomorrow();
}
END_TEST

static void
send_what_it_does_not_take(boss_self self)
{
    puppet_ref puppet = town_puppet(2);
    boss_ref wrong = {.ref = puppet.ref};
    tomorrow_ref also_wrong = {.ref = puppet.ref};
    struct hologram_of reply;
    ck_assert_int_eq(coact_send(wrong, nudge, 0), 0);
    ck_assert_int_eq(coact_send(wrong, told, .what = 3), 0);
    ck_assert_int_eq(
        coact_ask(also_wrong, hologram, &reply, COACT_FOREVER, .size = 1),
        -ECONNREFUSED);
    ck_assert_int_eq(
        town_tell(self, puppet, (struct order){.what = TOWN_COUNT}).n, 0);
}

static void
live_and_refuse(int here)
{
    struct coact_runtime *runtime = town_start(2, NULL, 2);
    puppet_ref puppet;
    struct coact_runtime_stats stats;
    if (coact_spawn_with(puppet, &puppet, puppet_body, NULL, .name = "puppet",
                         .runtime = runtime) != 0) {
        abort();
    }
    town_await_end(here);
    coact_stats(runtime, &stats);
    if (stats.messages_refused != 3 || stats.messages_unhandled != 0 ||
        town_refusals() != 3) {
        abort();
    }
    town_stop(runtime);
}

START_TEST(
    s24_what_a_mailbox_does_not_take_is_refused_and_counted_from_elsewhere)
{
    town_found();
    town_go(town_fork(live_and_refuse));
    town_conduct(2, send_what_it_does_not_take);
}
END_TEST

/* ---- s61: strangers ---- */

static void
live_with_other_key(int here)
{
    struct coact_runtime *runtime = town_start(2, town_other_key(), 3);
    struct coact_runtime_stats stats = {0};
    town_await_end(here);
    coact_stats(runtime, &stats);
    if (stats.frames_rejected == 0 || stats.links_up != 0) {
        abort();
    }
    town_stop(runtime);
}

static bool
has_rejected(void *context)
{
    (void)context;
    return town_stats().frames_rejected >= 3;
}

static void
meet_other_key(boss_self self)
{
    puppet_ref three = town_puppet(3);
    town_until(has_rejected, NULL);
    ck_assert_int_eq(coact_node_await(2, coact_in_ms(50)), -ETIMEDOUT);
    ck_assert_uint_eq(town_stats().links_up, 1);
    (void)town_tell(self, three, (struct order){.what = TOWN_COUNT});
}

START_TEST(s61_a_node_with_another_key_gets_no_link_and_is_counted)
{
    town_found();
    town_go(town_fork(live_with_other_key));
    town_go(town_fork_peer(3, 3));
    town_conduct(3, meet_other_key);
}
END_TEST

static struct sockaddr_in door;

/* A port that nobody has just now. */
static void
find_port(uint32_t number, struct sockaddr_in *found)
{
    struct sockaddr_in any = {.sin_family = AF_INET,
                              .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(any);
    char address[64];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&any, len), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&any, &len), 0);
    close(fd);
    snprintf(address, sizeof(address), "tcp://127.0.0.1:%u",
             ntohs(any.sin_port));
    town_set_address(number, address);
    *found = any;
}

/* One stranger, of a kind that i chooses. */
static void
knock(unsigned i)
{
    static const char http[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    // nanomsg's greeting of a PUSH; then a message that is far too long, one
    // that is empty, one of noise.
    static const uint8_t greeting[] = {0, 'S', 'P', 0, 0, 80, 0, 0};
    uint8_t noise[512] = {0};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&door, sizeof(door)), 0);
    coact__oracle_random(noise, sizeof(noise));
    if (i % 5 == 0) {
        (void)!send(fd, http, sizeof(http) - 1, MSG_NOSIGNAL);
    } else if (i % 5 == 1) {
        (void)!send(fd, noise, sizeof(noise), MSG_NOSIGNAL);
    } else if (i % 5 == 2) {
        (void)!send(fd, greeting, 5, MSG_NOSIGNAL);
    } else {
        memset(noise, i % 5 == 3 ? 0 : 255, 8);
        noise[7] = i % 5 == 3 ? 136 : 255; // a handshake's length, or absurd
        noise[8] = (uint8_t)(i / 5 % 6);
        noise[9] = 1;
        (void)!send(fd, greeting, sizeof(greeting), MSG_NOSIGNAL);
        (void)!send(fd, noise, sizeof(noise), MSG_NOSIGNAL);
    }
    close(fd);
}

static void
open_the_door(boss_self self)
{
    puppet_ref puppet = town_puppet(2);
    coact_monitor_id id;
    ck_assert_int_eq(coact_monitor(puppet.ref, &id), 0);
    for (unsigned i = 0; i < 300; i++) {
        knock(i);
        if (i % 10 == 0) {
            (void)town_tell(self, puppet, (struct order){.what = TOWN_COUNT});
        }
    }
    town_until(has_rejected, NULL);
    town_expect_nothing(self, puppet); // above all no DOWN
    ck_assert_uint_eq(town_stats().links_up, 1);
}

START_TEST(s61_garbage_at_the_port_disturbs_no_link_and_is_counted)
{
    struct sockaddr_in other;
    find_port(1, &door);
    find_port(2, &other);
    town_found();
    town_go(town_fork_peer(2, 2));
    town_conduct(2, open_the_door);
}
END_TEST

/* ---- Stopping ---- */

static void
stop_with_everything_open(boss_self self)
{
    static struct call call;
    puppet_ref puppet = town_puppet(2);
    boss_ref caller;
    puppet_ref here;
    coact_monitor_id id;
    call = (struct call){.to = puppet};
    ck_assert_int_eq(coact_spawn(puppet, &here, puppet_body, NULL), 0);
    ck_assert_int_eq(coact_spawn(boss, &caller, caller_body, &call), 0);
    for (int i = 0; i < 20; i++) {
        puppet_ref a = town_another(self, puppet, true);
        ck_assert_int_eq(coact_monitor(a.ref, &id), 0);
        (void)town_tell(self, a,
                        (struct order){.what = TOWN_MONITOR, .who = here.ref});
        (void)town_tell(self, a,
                        (struct order){.what = TOWN_LINK, .who = here.ref});
        ck_assert_int_eq(coact_send(a, item, .load = coact_bytes_new(1 << 20)),
                         0);
    }
}

START_TEST(a_stop_with_links_up_and_calls_open_leaves_nothing_behind)
{
    town_found();
    place[2] = town_fork_peer(2, 2);
    town_go(place[2]);
    town_conduct(2, stop_with_everything_open);
}
END_TEST

SUITE_MAIN(
    "node_fault", s56_the_kill_of_a_peer_ends_every_monitor_link_and_ask,
    s56_a_peer_that_is_stopped_is_missed_and_comes_back_as_it_was,
    an_answer_comes_back_the_way_that_its_request_went,
    s56_a_request_that_was_handed_on_fails_when_the_third_node_dies,
    s57_a_restart_is_a_new_incarnation,
    s62_an_unknown_message_or_field_is_skipped_and_the_link_stays,
    s24_what_a_mailbox_does_not_take_is_refused_and_counted_from_elsewhere,
    s61_a_node_with_another_key_gets_no_link_and_is_counted,
    s61_garbage_at_the_port_disturbs_no_link_and_is_counted,
    a_stop_with_links_up_and_calls_open_leaves_nothing_behind)
