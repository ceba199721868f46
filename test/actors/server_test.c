/*
 * server_test.c - actors that are called for each message, and hold no stack
 * between them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/life.h"
#include "test/actors/server_world.h"

/* ---- At rest ------------------------------------------------------------- */

enum { MANY = 10000, STACKS_OF_WORKERS = 200 };

static uint64_t
stacks_in_use(void)
{
    struct coact_runtime_stats stats;
    coact_stats(coact_runtime_here(), &stats);
    return stats.stacks_in_use;
}

static void
many_at_rest(peer_self self, void *arg)
{
    (void)self, (void)arg;
    peer_ref *servers = calloc(MANY, sizeof(*servers));
    struct tally *tallies = calloc(MANY, sizeof(*tallies));
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(
            coact_serve(peer, &servers[i], tally_handle, &tallies[i]), 0);
    }
    wait_until_at_rest(MANY);
    ck_assert_uint_lt(stacks_in_use(), STACKS_OF_WORKERS);
    for (int i = 0; i < MANY; i++) {
        struct answer a = {0};
        ck_assert_int_eq(
            coact_ask(servers[i], question, &a, IN_TIME, .n = (uint64_t)i), 0);
        ck_assert_uint_eq(a.n, (uint64_t)i + 1);
    }
    wait_until_at_rest(MANY);
    ck_assert_uint_lt(stacks_in_use(), STACKS_OF_WORKERS);
    for (int i = 0; i < MANY; i++) {
        coact_kill(servers[i].ref);
    }
    for (int i = 0; i < MANY; i++) {
        int code = join_peer(servers[i]).code;
        ck_assert(code == COACT_KILLED || code == COACT_NOPROC);
    }
    free(tallies);
    free(servers);
}
START_TEST(ten_thousand_servers_hold_no_stack_at_rest)
{
    conduct(2, many_at_rest, NULL);
}
END_TEST

static void
stop_at_rest(peer_self self, void *arg)
{
    (void)self;
    struct tally *tallies = arg;
    for (int i = 0; i < 1000; i++) {
        peer_ref server;
        ck_assert_int_eq(coact_serve_with(peer, &server, tally_handle,
                                          &tallies[i], .init = tally_init),
                         0);
    }
    wait_until_at_rest(1000);
}
START_TEST(a_runtime_stops_with_servers_at_rest_and_each_cleans_up)
{
    struct tally *tallies = calloc(1000, sizeof(*tallies));
    conduct(2, stop_at_rest, tallies);
    for (int i = 0; i < 1000; i++) {
        ck_assert_uint_eq(tallies[i].inits, 1);
        ck_assert_uint_eq(tallies[i].clean_ups, 1);
        ck_assert_uint_eq(tallies[i].cancels, 1);
    }
    free(tallies);
}
END_TEST

/* ---- Messages ------------------------------------------------------------ */

enum { SENDERS = 4, EACH = 5000 };

static void
sender_body(peer_self self, void *arg)
{
    const struct source *source = arg;
    (void)self;
    for (uint32_t i = 0; i < EACH; i++) {
        ck_assert_int_eq(
            coact_send(source->to, item, .from = source->index, .number = i),
            0);
    }
}
static void
in_order(peer_self self, void *arg)
{
    (void)self, (void)arg;
    struct tally tally = {0};
    peer_ref server;
    ck_assert_int_eq(coact_serve(peer, &server, tally_handle, &tally), 0);
    struct source sources[SENDERS];
    peer_ref senders[SENDERS];
    for (uint32_t i = 0; i < SENDERS; i++) {
        sources[i] = (struct source){server, i};
        senders[i] = spawn_peer(sender_body, &sources[i]);
    }
    for (uint32_t i = 0; i < SENDERS; i++) {
        join_peer(senders[i]);
    }
    struct answer a;
    ck_assert_int_eq(coact_ask(server, question, &a, IN_TIME, .n = 0), 0);
    ck_assert_uint_eq(tally.items, SENDERS * EACH);
    ck_assert_uint_eq(tally.out_of_order, 0);
    coact_kill(server.ref);
    join_peer(server);
}
START_TEST(s18_a_server_handles_the_messages_of_one_sender_in_order)
{
    conduct(2, in_order, NULL);
}
END_TEST

static void
unlooked_handle(peer_turn self, void *state)
{
    (void)self;
    *(uint32_t *)state += 1;
}
static uint64_t
unhandled(void)
{
    struct coact_runtime_stats stats;
    coact_stats(coact_runtime_here(), &stats);
    return stats.messages_unhandled;
}
static void
without_a_case(peer_self self, void *arg)
{
    (void)self, (void)arg;
    struct tally tally = {0};
    uint32_t calls = 0;
    _Atomic uint32_t destroyed = 0;
    peer_ref server, careless;
    ck_assert_int_eq(coact_serve(peer, &server, tally_handle, &tally), 0);
    ck_assert_int_eq(coact_serve(peer, &careless, unlooked_handle, &calls), 0);
    ck_assert_int_eq(coact_send(server, parcel, .destroyed = &destroyed), 0);
    ck_assert_int_eq(coact_send(careless, parcel, .destroyed = &destroyed), 0);
    struct answer a;
    // A request that is not looked at is dropped, and its asker learns of it.
    ck_assert_int_eq(coact_ask(careless, question, &a, IN_TIME, .n = 0),
                     -EPIPE);
    ck_assert_int_eq(coact_ask(server, question, &a, IN_TIME, .n = 0), 0);
    ck_assert_uint_eq(unhandled(), 3);
    ck_assert_uint_eq(destroyed, 2);
    ck_assert_uint_eq(calls, 2);
    coact_kill(server.ref);
    coact_kill(careless.ref);
    join_peer(server);
    join_peer(careless);
}
START_TEST(a_message_without_a_case_or_a_handle_is_counted_and_destroyed)
{
    conduct(2, without_a_case, NULL);
}
END_TEST

static void
twice_handle(peer_turn self, void *state)
{
    uint32_t *arms = state;
    for (int i = 0; i < 3; i++) {
        COACT_HANDLE(self) {
        case COACT_ON(question, m): {
            *arms += 1;
            coact_reply(m, .n = *arms);
        } break;
        }
    }
}
static void
handles_twice(peer_self self, void *arg)
{
    (void)self, (void)arg;
    uint32_t arms = 0;
    peer_ref server;
    struct answer a;
    ck_assert_int_eq(coact_serve(peer, &server, twice_handle, &arms), 0);
    ck_assert_int_eq(coact_ask(server, question, &a, IN_TIME, .n = 0), 0);
    ck_assert_int_eq(coact_ask(server, question, &a, IN_TIME, .n = 0), 0);
    ck_assert_uint_eq(a.n, 2);
    coact_kill(server.ref);
    join_peer(server);
    ck_assert_uint_eq(arms, 2);
}
START_TEST(a_second_handle_in_one_call_has_no_message)
{
    conduct(2, handles_twice, NULL);
}
END_TEST

struct kept {
    struct question *question;
    _Atomic bool is_there;
};
static void
keeping_handle(peer_turn self, void *state)
{
    struct kept *kept = state;
    COACT_HANDLE(self) {
    case COACT_ON(question, m):
        kept->question = coact_keep(m);
        atomic_store_explicit(&kept->is_there, true, memory_order_release);
        break;
    case COACT_ON(go, m): {
        coact_reply_to(question, kept->question, .n = kept->question->n * 2);
        coact_release(kept->question);
    } break;
    }
}
static void
asks_once(peer_self self, void *arg)
{
    (void)self;
    struct answer a = {0};
    ck_assert_int_eq(
        coact_ask(*(peer_ref *)arg, question, &a, IN_TIME, .n = 21), 0);
    ck_assert_uint_eq(a.n, 42);
}
static void
keeps_across_rests(peer_self self, void *arg)
{
    (void)self, (void)arg;
    struct kept kept = {.question = NULL};
    peer_ref server;
    ck_assert_int_eq(coact_serve(peer, &server, keeping_handle, &kept), 0);
    peer_ref asker = spawn_peer(asks_once, &server);
    while (!atomic_load_explicit(&kept.is_there, memory_order_acquire)) {
        ck_assert_int_eq(coact_sleep(coact_in_ms(1)), 0);
    }
    wait_until_at_rest(1);
    coact_send(server, go, 0);
    ck_assert_int_eq(join_peer(asker).code, COACT_NORMAL);
    coact_kill(server.ref);
    join_peer(server);
}
START_TEST(a_kept_request_is_answered_in_a_later_call)
{
    conduct(1, keeps_across_rests, NULL);
}
END_TEST

/* ---- Suspending ---------------------------------------------------------- */

static void
wait_for_go(peer_turn self, struct tally *tally)
{
    COACT_RECEIVE_ONLY(self, IN_TIME, go) {
    case COACT_ON(go, m):
        tally->goes++;
        break;
    }
    tally->items_seen_by_go = tally->items;
}
static void
suspending_handle(peer_turn self, void *state)
{
    struct tally *tally = state;
    COACT_HANDLE(self) {
    case COACT_ON(question, m): {
        // On the stack, over a wait; the message is still there behind it.
        uint64_t mine[64];
        for (uint64_t i = 0; i < 64; i++) {
            mine[i] = m->n + i;
        }
        wait_for_go(self, tally);
        uint64_t sum = 0;
        for (uint64_t i = 0; i < 64; i++) {
            sum += mine[i];
        }
        coact_reply(m, .n = sum);
    } break;
    case COACT_ON(item, m): {
        tally->out_of_order += m->number != tally->items;
        tally->items++;
    } break;
    }
}
struct asker {
    peer_ref to;
    struct answer answer;
    int rc;
};
static void
asker_body(peer_self self, void *arg)
{
    (void)self;
    struct asker *asker = arg;
    asker->rc =
        coact_ask(asker->to, question, &asker->answer, IN_TIME, .n = 1000);
}
static bool
find_waiting(void *context, const struct coact_actor_info *info)
{
    *(bool *)context |= strcmp(info->label, "suspending") == 0 &&
                        strcmp(info->state, "receive") == 0;
    return true;
}
static void
suspends(peer_self self, void *arg)
{
    (void)self;
    struct tally tally = {0};
    struct asker asker = {0};
    ck_assert_int_eq(
        coact_serve_with(peer, &asker.to, suspending_handle, &tally,
                         .label = "suspending",
                         .hibernate = *(enum coact_hibernate *)arg),
        0);
    peer_ref p = spawn_peer(asker_body, &asker);
    for (bool waits = false; !waits;) {
        ck_assert_int_eq(coact_sleep(coact_in_ms(1)), 0);
        coact_each_actor(coact_runtime_here(), find_waiting, &waits);
    }
    for (uint32_t i = 0; i < 100; i++) {
        coact_send(asker.to, item, .number = i);
    }
    coact_send(asker.to, go, 0);
    join_peer(p);
    ck_assert_int_eq(asker.rc, 0);
    ck_assert_uint_eq(asker.answer.n, 64 * 1000 + 63 * 64 / 2);
    wait_until_at_rest(1);
    coact_kill(asker.to.ref);
    join_peer(asker.to);
    ck_assert_uint_eq(tally.goes, 1);
    ck_assert_uint_eq(tally.items_seen_by_go, 0);
    ck_assert_uint_eq(tally.items, 100);
    ck_assert_uint_eq(tally.out_of_order, 0);
}
START_TEST(a_handler_that_suspends_keeps_its_stack_and_others_messages_wait)
{
    enum coact_hibernate kinds[] = {COACT_HIBERNATE_NEVER,
                                    COACT_HIBERNATE_AT_ONCE};
    conduct(2, suspends, &kinds[0]);
    conduct(2, suspends, &kinds[1]);
}
END_TEST

static void
asking_handle(peer_turn self, void *state)
{
    const peer_ref *below = state;
    COACT_HANDLE(self) {
    case COACT_ON(question, m): {
        struct answer a = {0};
        int rc = coact_ask(*below, question, &a, coact_deadline_of(m),
                           .n = m->n * 10);
        COACT_CHECK(rc == 0);
        coact_reply(m, .n = a.n);
    } break;
    }
}
static void
ask_along(peer_self self, void *arg)
{
    (void)self, (void)arg;
    struct tally tally = {0};
    peer_ref servers[3];
    ck_assert_int_eq(coact_serve(peer, &servers[0], tally_handle, &tally), 0);
    for (int i = 1; i < 3; i++) {
        ck_assert_int_eq(
            coact_serve(peer, &servers[i], asking_handle, &servers[i - 1]), 0);
    }
    for (uint64_t i = 0; i < 2000; i++) {
        struct answer a = {0};
        ck_assert_int_eq(coact_ask(servers[2], question, &a, IN_TIME, .n = i),
                         0);
        ck_assert_uint_eq(a.n, 100 * i + 1);
    }
    for (int i = 2; i >= 0; i--) {
        coact_kill(servers[i].ref);
        join_peer(servers[i]);
    }
}
START_TEST(servers_ask_each_other)
{
    conduct(2, ask_along, NULL);
}
END_TEST

/* ---- Floods -------------------------------------------------------------- */

static void
beside_a_flood(peer_self self, void *arg)
{
    (void)self, (void)arg;
    struct tally tally = {0};
    struct flood flood = {0};
    peer_ref flooded, server;
    ck_assert_int_eq(coact_serve(peer, &flooded, flooding_handle, &flood), 0);
    ck_assert_int_eq(coact_serve(peer, &server, tally_handle, &tally), 0);
    coact_send(flooded, go, 0);
    ck_assert_int_eq(coact_yield(), 0);
    for (uint64_t i = 0; i < 1000; i++) {
        struct answer a = {0};
        ck_assert_int_eq(coact_ask(server, question, &a, IN_TIME, .n = i), 0);
    }
    // It had its turns all the time, and so had the others: at most a run of it
    // for each of their dispatches, and 61 in a row now and then.
    uint64_t turns = atomic_load_explicit(&flood.turns, memory_order_relaxed);
    ck_assert_uint_gt(turns, 64);
    ck_assert_uint_lt(turns, 64 * 1000 * 4);
    coact_kill(flooded.ref);
    coact_kill(server.ref);
    join_peer(flooded);
    join_peer(server);
}
START_TEST(a_flood_to_one_server_does_not_starve_the_others)
{
    conduct(1, beside_a_flood, NULL);
}
END_TEST

SUITE_MAIN("server", ten_thousand_servers_hold_no_stack_at_rest,
           a_runtime_stops_with_servers_at_rest_and_each_cleans_up,
           s18_a_server_handles_the_messages_of_one_sender_in_order,
           a_message_without_a_case_or_a_handle_is_counted_and_destroyed,
           a_second_handle_in_one_call_has_no_message,
           a_kept_request_is_answered_in_a_later_call,
           a_handler_that_suspends_keeps_its_stack_and_others_messages_wait,
           servers_ask_each_other,
           a_flood_to_one_server_does_not_starve_the_others)
