/*
 * life_test.c - how actors end, and what is left of them: nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/peers.h"

/* ---- 1: exit normal ------------------------------------------------------ */

static void
normal_to_another(peer_self self, void *arg)
{
    (void)self, (void)arg;
    peer_ref p = spawn_peer(oracle_body, NULL);
    ck_assert_int_eq(coact_signal_exit(p.ref, COACT_NORMAL, ""), 0);
    struct answer a = {0};
    ck_assert_int_eq(coact_ask(p, question, &a, IN_TIME, .n = 1), 0);
    ck_assert_uint_eq(a.n, 2);
    ck_assert(coact_is_alive(p.ref));
    coact_kill(p.ref);
}
START_TEST(s01_exit_normal_from_another_leaves_it_alive)
{
    conduct(2, normal_to_another, NULL);
}
END_TEST

static void
normal_to_itself(peer_self self, void *arg)
{
    (void)arg;
    coact_signal_exit(self.ref, COACT_NORMAL, "");
    coact_sleep(COACT_FOREVER);
    coact_sleep(COACT_FOREVER);
}
static void
normal_to_self_conductor(peer_self self, void *arg)
{
    (void)self, (void)arg;
    ck_assert_int_eq(join_peer(spawn_peer(normal_to_itself, NULL)).code,
                     COACT_NORMAL);
}
START_TEST(s01_exit_normal_of_oneself_ends_it)
{
    conduct(2, normal_to_self_conductor, NULL);
}
END_TEST

/* ---- 2, 3: kill ---------------------------------------------------------- */

static void
trapping_idle(peer_self self, void *arg)
{
    coact_trap_exit(true);
    idle_body(self, arg);
}
static void
kill_is_not_trapped(peer_self self, void *arg)
{
    (void)arg;
    peer_ref p;
    coact_monitor_id monitor;
    ck_assert_int_eq(coact_spawn_with(peer, &p, trapping_idle, NULL,
                                      .trap_exit = true, .monitor = &monitor),
                     0);
    coact_kill(p.ref);
    struct coact_down down = expect_down(self);
    ck_assert_uint_eq(down.monitor.id, monitor.id);
    ck_assert_int_eq(down.reason.code, COACT_KILLED);
    ck_assert(coact_ref_equal(down.who, p.ref));
    ck_assert(!coact_is_alive(p.ref));
}
START_TEST(s02_kill_cannot_be_trapped_and_monitors_see_killed)
{
    conduct(2, kill_is_not_trapped, NULL);
}
END_TEST

static void
dies_of_kill(peer_self self, void *arg)
{
    until_go_body(self, arg);
    coact_fail(COACT_KILL, "with reason kill");
}
static void
kill_along_a_link(peer_self self, void *arg)
{
    (void)arg;
    coact_trap_exit(true);
    peer_ref dying = spawn_peer(dies_of_kill, NULL);
    ck_assert_int_eq(coact_link(dying.ref), 0);
    coact_send(dying, go, 0);
    struct coact_exit_news news = expect_exit(self);
    ck_assert(coact_ref_equal(news.from, dying.ref));
    ck_assert_int_eq(news.reason.code, COACT_KILL);
}
START_TEST(s03_a_trapping_actor_gets_exit_kill_of_a_linked_one)
{
    conduct(2, kill_along_a_link, NULL);
}
END_TEST

static void
link_and_wait(peer_self self, void *arg)
{
    peer_ref *to = arg;
    ck_assert_int_eq(coact_link(to->ref), 0);
    coact_send(*to, go, 0);
    idle_body(self, NULL);
}
static void
kill_along_a_link_kills(peer_self self, void *arg)
{
    (void)self, (void)arg;
    peer_ref dying = spawn_peer(dies_of_kill, NULL);
    peer_ref linked = spawn_peer(link_and_wait, &dying);
    ck_assert_int_eq(join_peer(linked).code, COACT_KILL);
}
START_TEST(s03_an_actor_that_does_not_trap_dies_with_kill)
{
    conduct(2, kill_along_a_link_kills, NULL);
}
END_TEST

static void
links_a_dead_one(peer_self self, void *arg)
{
    ck_assert_int_eq(coact_link(((peer_ref *)arg)->ref), 0);
    idle_body(self, NULL);
}
static void
link_the_dead(peer_self self, void *arg)
{
    (void)arg;
    peer_ref dead = spawn_peer(until_go_body, NULL);
    coact_send(dead, go, 0);
    join_peer(dead);
    peer_ref p = spawn_peer(links_a_dead_one, &dead);
    ck_assert_int_eq(join_peer(p).code, COACT_NOPROC);
    coact_trap_exit(true);
    ck_assert_int_eq(coact_link(dead.ref), 0);
    struct coact_exit_news news = expect_exit(self);
    ck_assert_int_eq(news.reason.code, COACT_NOPROC);
    ck_assert(coact_ref_equal(news.from, dead.ref));
    expect_nothing(self);
}
START_TEST(s04_linking_a_dead_actor_is_noproc)
{
    conduct(2, link_the_dead, NULL);
}
END_TEST

/* ---- 10, 11, 12: what is over when the news arrives ---------------------- */

struct traces {
    _Atomic uint32_t order;
    uint32_t first, second, third; /* when each clean-up ran */
    uintptr_t body_frame, cleanup_frame;
};

static struct traces *
traces_new(void)
{
    struct traces *t = calloc(1, sizeof(*t));
    ck_assert_ptr_nonnull(t);
    return t;
}
static void
clean_first(void *arg)
{
    struct traces *t = arg;
    char here;
    t->cleanup_frame = (uintptr_t)&here;
    t->first = atomic_fetch_add(&t->order, 1) + 1;
}
static void
clean_second(void *arg)
{
    struct traces *t = arg;
    t->second = atomic_fetch_add(&t->order, 1) + 1;
}
static void
clean_third(void *arg)
{
    struct traces *t = arg;
    t->third = atomic_fetch_add(&t->order, 1) + 1;
}
static void
with_cleanups(peer_self self, void *arg)
{
    struct traces *t = arg;
    char here;
    t->body_frame = (uintptr_t)&here;
    ck_assert_int_eq(coact_register("the cleaner"), 0);
    ck_assert_int_eq(coact_defer(clean_first, t), 0);
    ck_assert_int_eq(coact_defer(clean_second, t), 0);
    ck_assert_int_eq(coact_defer(clean_third, t), 0);
    memset(coact_arena(100), 1, 100);
    memset(coact_arena(100000), 1, 100000);
    idle_body(self, NULL);
}
static void
all_is_over(peer_self self, void *arg)
{
    (void)arg;
    for (int round = 0; round < 200; round++) {
        struct traces *t = traces_new();
        peer_ref p;
        coact_monitor_id monitor;
        ck_assert_int_eq(
            coact_spawn_with(peer, &p, with_cleanups, t, .monitor = &monitor),
            0);
        peer_ref found;
        while (coact_whereis(peer, "the cleaner", &found) < 0) {
            coact_yield();
        }
        ck_assert(coact_ref_equal(found.ref, p.ref));
        while (atomic_load(&t->order) == 0 && round % 2 == 0 &&
               coact_is_alive(p.ref)) {
            coact_kill(p.ref);
            coact_yield();
        }
        coact_kill(p.ref);
        ck_assert_int_eq(expect_down(self).reason.code, COACT_KILLED);
        ck_assert_int_eq(coact_whereis(peer, "the cleaner", &found), -ENOENT);
        ck_assert(!coact_is_alive(p.ref));
        // A kill may come before all were deferred; those that were have run.
        uint32_t ran = atomic_load(&t->order);
        if (ran == 3) {
            ck_assert_uint_eq(t->third, 1);
            ck_assert_uint_eq(t->second, 2);
            ck_assert_uint_eq(t->first, 3);
            intptr_t apart = (intptr_t)(t->body_frame - t->cleanup_frame);
            ck_assert_msg(labs(apart) < 64 * 1024, "not on its own stack");
        }
        ck_assert_int_eq(coact_register("the cleaner"), 0);
        ck_assert_int_eq(coact_unregister("the cleaner"), 0);
        free(t);
    }
}
START_TEST(s10_when_down_arrives_the_name_is_free_and_clean_ups_have_run)
{
    conduct(2, all_is_over, NULL);
}
END_TEST

static void
killed_in_clean_order(peer_self self, void *arg)
{
    (void)arg;
    struct traces *t = traces_new();
    peer_ref p = spawn_peer(with_cleanups, t);
    coact_monitor_id monitor;
    ck_assert_int_eq(coact_monitor(p.ref, &monitor), 0);
    peer_ref found;
    while (coact_whereis(peer, "the cleaner", &found) < 0) {
        coact_yield();
    }
    coact_sleep(coact_in_ms(5)); // it waits now
    coact_kill(p.ref);
    coact_kill(p.ref);
    expect_down(self);
    ck_assert_uint_eq(atomic_load(&t->order), 3);
    ck_assert_uint_eq(t->third, 1);
    ck_assert_uint_eq(t->first, 3);
    free(t);
}
START_TEST(s12_a_killed_actor_cleans_up_once_newest_first_on_its_own_stack)
{
    conduct(2, killed_in_clean_order, NULL);
}
END_TEST

static void
taken_names(peer_self self, void *arg)
{
    (void)arg;
    peer_ref a, b, found;
    ck_assert_int_eq(coact_spawn_with(peer, &a, idle_body, NULL, .name = "one"),
                     0);
    ck_assert_int_eq(coact_spawn_with(peer, &b, idle_body, NULL, .name = "one"),
                     -EEXIST);
    ck_assert_int_eq(coact_register("one"), -EEXIST);
    ck_assert_int_eq(coact_whereis(peer, "one", &found), 0);
    ck_assert(coact_ref_equal(found.ref, a.ref));
    coact_monitor_id monitor;
    ck_assert_int_eq(coact_monitor(a.ref, &monitor), 0);
    coact_kill(a.ref);
    expect_down(self);
    ck_assert_int_eq(coact_whereis(peer, "one", &found), -ENOENT);
    ck_assert_int_eq(coact_register("one"), 0);
}
START_TEST(s11_a_name_is_unique_and_freed_on_kill_too)
{
    conduct(2, taken_names, NULL);
}
END_TEST

/* ---- 14: reasons --------------------------------------------------------- */

static void
returns(peer_self self, void *arg)
{
    (void)self, (void)arg;
}
static void
fails_at_once(peer_self self, void *arg)
{
    (void)self, (void)arg;
    coact_fail(-EIO, "disk %d", 7);
}
static void
checks(peer_self self, void *arg)
{
    (void)self;
    COACT_CHECK(arg != NULL);
}
struct gate {
    _Atomic bool is_open;
};

/* Nothing has given it anything that could hold a text before it fails. */
static void
fails_after_go(peer_self self, void *arg)
{
    struct gate *gate = arg;
    (void)self;
    while (!gate->is_open) {
    }
    coact_fail(-EIO, "disk 8");
}
static void
reasons(peer_self self, void *arg)
{
    (void)arg;
    coact_monitor_id monitor;
    peer_ref p;
    ck_assert_int_eq(
        coact_spawn_with(peer, &p, returns, NULL, .monitor = &monitor), 0);
    ck_assert_int_eq(expect_down(self).reason.code, COACT_NORMAL);
    ck_assert_int_eq(
        coact_spawn_with(peer, &p, fails_at_once, NULL, .monitor = &monitor),
        0);
    struct coact_down down = expect_down(self);
    ck_assert_int_eq(down.reason.code, -EIO);
    ck_assert_str_eq(down.reason.text, "disk 7");
    ck_assert_int_eq(
        coact_spawn_with(peer, &p, checks, NULL, .monitor = &monitor), 0);
    down = expect_down(self);
    ck_assert_ptr_nonnull(strstr(down.reason.text, "life_test.c:"));
    ck_assert_ptr_nonnull(strstr(down.reason.text, "arg != NULL"));
}
START_TEST(s14_a_reason_has_code_and_text_and_a_check_says_where)
{
    conduct(2, reasons, NULL);
}
END_TEST

START_TEST(s14_the_text_arrives_though_the_monitor_came_too_late_to_be_seen)
{
    struct coact_runtime *runtime = start_runtime(2);
    if (!COACT_SIM) {
        for (int round = 0; round < 50; round++) {
            // The body spins, so the monitor of the join waits unread in its
            // inbox; the pause only makes that likely.
            struct gate gate = {false};
            peer_ref p = spawn_peer(fails_after_go, &gate);
            struct coact_reason reason = {0};
            peer_ref judge;
            struct coact_runtime_stats before, now;
            coact_stats(runtime, &before);
            ck_assert_int_eq(coact_spawn(peer, &judge, idle_body, NULL), 0);
            do {
                coact_stats(runtime, &now);
            } while (now.dispatches == before.dispatches);
            gate.is_open = true;
            ck_assert_int_eq(coact_join(p.ref, IN_TIME, &reason), 0);
            if (reason.code != COACT_NOPROC) {
                ck_assert_int_eq(reason.code, -EIO);
                ck_assert_str_eq(reason.text, "disk 8");
            }
            coact_kill(judge.ref);
        }
    }
    stop_runtime(runtime);
}
END_TEST

/* ---- 16: spawn with link and monitor ------------------------------------- */

static void
atomic_spawns(peer_self self, void *arg)
{
    (void)arg;
    coact_trap_exit(true);
    for (int round = 0; round < 500; round++) {
        peer_ref p;
        coact_monitor_id monitor;
        ck_assert_int_eq(coact_spawn_with(peer, &p, fails_at_once, NULL,
                                          .link = true, .monitor = &monitor),
                         0);
        struct coact_down down = expect_down(self);
        ck_assert_uint_eq(down.monitor.id, monitor.id);
        ck_assert_int_eq(down.reason.code, -EIO);
        struct coact_exit_news news = expect_exit(self);
        ck_assert(coact_ref_equal(news.from, p.ref));
        ck_assert_int_eq(news.reason.code, -EIO);
    }
    expect_nothing(self);
}
START_TEST(s16_spawn_with_link_and_monitor_never_misses_the_end)
{
    conduct(2, atomic_spawns, NULL);
}
END_TEST

/* Whoever finds a name may kill its owner, however young. */
static _Atomic uint32_t hunted;
static void
hunter(peer_self self, void *arg)
{
    (void)self;
    struct gate *is_over = arg;
    while (!is_over->is_open && coact_yield() == 0) {
        peer_ref found;
        if (coact_whereis(peer, "game", &found) == 0) {
            coact_kill(found.ref);
            struct coact_reason reason;
            ck_assert_int_eq(coact_join(found.ref, IN_TIME, &reason), 0);
            hunted++;
        }
    }
}
static void
half_born(peer_self self, void *arg)
{
    (void)self, (void)arg;
    struct gate is_over = {false};
    peer_ref h = spawn_peer(hunter, &is_over);
    for (int round = 0; round < 2000; round++) {
        peer_ref p;
        int rc;
        while ((rc = coact_spawn_with(peer, &p, idle_body, NULL,
                                      .name = "game")) == -EEXIST) {
            coact_yield();
        }
        ck_assert_int_eq(rc, 0);
    }
    while (hunted < 2000) {
        coact_yield();
    }
    is_over.is_open = true;
    join_peer(h);
}
START_TEST(s16_an_actor_found_by_name_while_it_is_born_can_be_killed)
{
    conduct(2, half_born, NULL);
}
END_TEST

SUITE_MAIN("life", s01_exit_normal_from_another_leaves_it_alive,
           s01_exit_normal_of_oneself_ends_it,
           s02_kill_cannot_be_trapped_and_monitors_see_killed,
           s03_a_trapping_actor_gets_exit_kill_of_a_linked_one,
           s03_an_actor_that_does_not_trap_dies_with_kill,
           s04_linking_a_dead_actor_is_noproc,
           s10_when_down_arrives_the_name_is_free_and_clean_ups_have_run,
           s11_a_name_is_unique_and_freed_on_kill_too,
           s12_a_killed_actor_cleans_up_once_newest_first_on_its_own_stack,

           s14_a_reason_has_code_and_text_and_a_check_says_where,
           s14_the_text_arrives_though_the_monitor_came_too_late_to_be_seen,
           s16_spawn_with_link_and_monitor_never_misses_the_end,
           s16_an_actor_found_by_name_while_it_is_born_can_be_killed)
