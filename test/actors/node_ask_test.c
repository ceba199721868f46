/*
 * node_ask_test.c - asking and looking for actors on other nodes, each a
 * process; and what is said where there is nobody.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/town.h"

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

/* ---- Asking ---- */

static int
ask(puppet_ref puppet, enum town_how how, uint32_t n, coact_ref who,
    int64_t deadline_ns, struct answer *out)
{
    return coact_ask(puppet, question, out, deadline_ns, .how = (uint32_t)how,
                     .n = n, .who = who);
}

static bool
has_late_reply(void *count)
{
    return town_stats().replies_late >= *(uint64_t *)count;
}

static void
ask_them(boss_self self)
{
    puppet_ref puppet = town_puppet(2);
    struct answer answer = {0};
    coact_ref none = {0};
    ck_assert_int_eq(ask(puppet, TOWN_ANSWER, 5, none, SOON, &answer), 0);
    ck_assert_uint_eq(answer.n, 5);
    ck_assert(coact_ref_equal(answer.by, puppet.ref));
    ck_assert_int_eq(ask(puppet, TOWN_LARGE, LARGE, none, SOON, &answer), 0);
    ck_assert_uint_eq(answer.load.bytes, LARGE);
    coact_message_destroy(COACT_TYPE(answer), &answer);
    // Longer than a message can be: both learn of it.
    ck_assert_int_eq(ask(puppet, TOWN_LARGE, 66u << 20, none, SOON, &answer),
                     -EOVERFLOW);
    ck_assert_int_eq(ask(puppet, TOWN_DROP, 0, none, SOON, &answer), -EPIPE);
    ck_assert_int_eq(ask(puppet, TOWN_KEEP, 0, none, coact_in_ms(20), &answer),
                     -ETIMEDOUT);
    // A reply that comes too late is dropped, not taken for the next one.
    ck_assert_int_eq(
        ask(puppet, TOWN_WHEN_TOLD, 1, none, coact_in_ms(20), &answer),
        -ETIMEDOUT);
    uint64_t late = town_stats().replies_late + 1;
    (void)tell(self, puppet, TOWN_COUNT, puppet.ref);
    town_until(has_late_reply, &late);
    ck_assert_int_eq(ask(puppet, TOWN_ANSWER, 6, none, SOON, &answer), 0);
    ck_assert_uint_eq(answer.n, 6);
    // The callee ends in mid-call, or had ended.
    puppet_ref a = town_another(self, puppet, false);
    ck_assert_int_eq(ask(a, TOWN_DIE, 0, none, COACT_FOREVER, &answer),
                     -EOWNERDEAD);
    ck_assert_int_eq(coact_last_reason().code, 277);
    // Its requests fail before its address does: the end takes a moment.
    int rc = ask(a, TOWN_ANSWER, 0, none, COACT_FOREVER, &answer);
    ck_assert(rc == -ESRCH || rc == -EOWNERDEAD);
}

START_TEST(an_ask_across_ends_with_the_answer_or_with_what_went_wrong)
{
    conduct_with_peers(1, ask_them);
}
END_TEST

static void
ask_third(boss_self self)
{
    puppet_ref two = town_puppet(2);
    puppet_ref three = town_puppet(3);
    struct answer answer = {0};
    puppet_ref here;
    // They know each other as soon as one gets through.
    while (tell(self, two, TOWN_USE, three.ref).n == -ENOTCONN) {
    }
    ck_assert_int_eq(ask(two, TOWN_FORWARD, 8, three.ref, SOON, &answer), 0);
    ck_assert_uint_eq(answer.n, 8);
    ck_assert(coact_ref_equal(answer.by, three.ref));
    // And back to the asking node.
    ck_assert_int_eq(coact_spawn(puppet, &here, puppet_body, NULL), 0);
    ck_assert_int_eq(ask(two, TOWN_FORWARD, 9, here.ref, SOON, &answer), 0);
    ck_assert(coact_ref_equal(answer.by, here.ref));
    ck_assert_int_eq(coact_kill(here.ref), 0);
    // A third that has ended.
    puppet_ref gone = town_another(self, three, false);
    tell_to_fail(gone, 287);
    ck_assert_int_eq(coact_join(gone.ref, SOON, NULL), 0);
    ck_assert_int_eq(
        ask(two, TOWN_FORWARD, 9, gone.ref, COACT_FOREVER, &answer), -ESRCH);
}

START_TEST(a_request_is_handed_on_across_nodes_and_answered_by_a_third_actor)
{
    conduct_with_peers(2, ask_third);
}
END_TEST

static void
fill_narrow(boss_self self)
{
    puppet_ref puppet = town_puppet(2);
    struct answer answer;
    puppet_ref narrow;
    (void)self;
    int rc;
    while ((rc = coact_whereis_at(puppet, 2, "narrow", &narrow, SOON)) ==
           -ENOENT) {
        ck_assert_int_eq(coact_sleep(coact_in_ms(1)), 0);
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(coact_send(narrow, item, .number = 1), 0);
    ck_assert_int_eq(coact_send(narrow, item, .number = 2), 0);
    ck_assert_int_eq(
        ask(narrow, TOWN_ANSWER, 1, puppet.ref, COACT_FOREVER, &answer),
        -ENOBUFS);
    // The news of its end gets in and out all the same.
    coact_monitor_id id;
    ck_assert_int_eq(coact_monitor(narrow.ref, &id), 0);
    ck_assert_int_eq(coact_kill(narrow.ref), 0);
    town_expect_down(self, id, COACT_KILLED);
}

static void
narrow_body(puppet_self self, void *arg)
{
    (void)self;
    (void)arg;
    (void)coact_sleep(COACT_FOREVER);
}

static void
live_with_narrow(int place)
{
    struct coact_runtime *runtime = town_start(2, NULL, 2);
    puppet_ref puppet;
    if (coact_spawn_with(puppet, &puppet, narrow_body, NULL, .name = "narrow",
                         .mailbox_messages = 2, .runtime = runtime) != 0 ||
        coact_spawn_with(puppet, &puppet, puppet_body, NULL, .name = "puppet",
                         .runtime = runtime) != 0) {
        abort();
    }
    town_await_end(place);
    struct coact_runtime_stats stats;
    coact_stats(runtime, &stats);
    if (stats.messages_refused != 1) {
        abort();
    }
    town_stop(runtime);
}

START_TEST(a_full_mailbox_on_another_node_fails_an_ask_and_is_counted)
{
    town_found();
    town_go(town_fork(live_with_narrow));
    town_conduct(2, fill_narrow);
}
END_TEST

/* ---- Names; no link ---- */

static void
look_for_them(boss_self self)
{
    puppet_ref puppet = town_puppet(2);
    puppet_ref found = {.ref = {0}};
    boss_ref wrong;
    (void)self;
    ck_assert_int_eq(coact_whereis_at(puppet, 2, "nobody", &found, SOON),
                     -ENOENT);
    ck_assert_int_eq(coact_whereis_at(boss, 2, "puppet", &wrong, SOON),
                     -EINVAL);
    ck_assert_int_eq(coact_whereis_at(puppet, 9, "puppet", &found, SOON),
                     -ENOENT);
    // Node 3 is known but does not run.
    ck_assert_int_eq(
        coact_whereis_at(puppet, 3, "puppet", &found, coact_in_ms(20)),
        -ETIMEDOUT);
    ck_assert_int_eq(coact_node_await(3, coact_in_ms(20)), -ETIMEDOUT);
    ck_assert_int_eq(coact_node_await(9, SOON), -ENOENT);
    ck_assert(coact_ref_is_none(found.ref));
    ck_assert_int_eq(coact_whereis_at(boss, 1, "nobody", &wrong, SOON),
                     -ENOENT);
    // What cannot be reached.
    struct answer answer;
    puppet_ref far = {.ref = {3, 77, 0, 1}};
    coact_monitor_id id;
    ck_assert_int_eq(coact_send(far, item, .load = coact_bytes_new(9)),
                     -ENOTCONN);
    ck_assert_int_eq(coact_send_wait(far, SOON, item, 0), -ENOTCONN);
    ck_assert_int_eq(ask(far, TOWN_ANSWER, 0, far.ref, SOON, &answer),
                     -ENOTCONN);
    ck_assert_int_eq(coact_last_reason().code, COACT_NOCONNECTION);
    ck_assert_int_eq(coact_kill(far.ref), -ENOTCONN);
    ck_assert_int_eq(coact_signal_exit(far.ref, 286, ""), -ENOTCONN);
    ck_assert_int_eq(coact_monitor(far.ref, &id), 0);
    town_expect_down(self, id, COACT_NOCONNECTION);
    ck_assert_int_eq(coact_trap_exit(true), 0);
    ck_assert_int_eq(coact_link(far.ref), 0);
    town_expect_exit(self, far.ref, COACT_NOCONNECTION);
    town_expect_nothing(self, puppet);
    // Another life of a node that is up.
    far.ref = puppet.ref;
    far.ref.incarnation++;
    ck_assert_int_eq(coact_send(far, item, 0), -ENOTCONN);
    ck_assert_int_eq(coact_monitor(far.ref, &id), 0);
    town_expect_down(self, id, COACT_NOCONNECTION);
    // A node that we no longer want to know.
    ck_assert_int_eq(coact_monitor(puppet.ref, &id), 0);
    ck_assert_int_eq(coact_node_remove(town_runtime(), 2), 0);
    town_expect_down(self, id, COACT_NOCONNECTION);
    ck_assert_int_eq(coact_send(puppet, item, 0), -ENOTCONN);
    ck_assert_int_eq(coact_node_await(2, SOON), -ENOENT);
}

START_TEST(names_nodes_and_actors_that_are_not_there_are_told_apart)
{
    town_found();
    town_go(town_fork_peer(2, 2));
    town_conduct(3, look_for_them);
}
END_TEST

SUITE_MAIN("node_ask",
           an_ask_across_ends_with_the_answer_or_with_what_went_wrong,
           a_request_is_handed_on_across_nodes_and_answered_by_a_third_actor,
           a_full_mailbox_on_another_node_fails_an_ask_and_is_counted,
           names_nodes_and_actors_that_are_not_there_are_told_apart)
