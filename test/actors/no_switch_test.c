/*
 * no_switch_test.c - COACT_NO_SWITCH: who waits in one is told where it began.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/watched_log.h"

#include "actors/life.h"
#include "runtime/spin.h"

#include <coact/io.h>
#include <coact/no_switch.h>
#include <unistd.h>

/* ---- The two places ------------------------------------------------------ */

/* Says in *arg where its region begins. */
static void
receives_inside(peer_self self, void *arg)
{
    int *line = arg;
    ck_assert_int_eq(coact_send((peer_ref){.ref = coact_self()}, go, 0), 0);
    *line = __LINE__ + 1;
    COACT_NO_SWITCH
    {
        COACT_RECEIVE(self, COACT_NOW) {
        case COACT_ON(go, m):
            (void)m;
            break;
        }
    }
}

static void
assert_names_both_places(const char *text, int line)
{
    char place[80];
    snprintf(place, sizeof(place), "no_switch_test.c:%d (receives_inside)",
             line);
    ASSERT_SAYS(text, "misuse of receive by culprit: ");
    ASSERT_SAYS(text, "inside COACT_NO_SWITCH of ");
    ASSERT_SAYS(text, place);
}

START_TEST(s55_a_wait_in_a_region_aborts_and_names_both_places)
{
    char words[1024];
    int line = abort_at_a_line(receives_inside, words, sizeof(words));
    assert_names_both_places(words, line);
}
END_TEST

START_TEST(a_wait_in_a_region_is_counted_and_goes_on_where_nothing_aborts)
{
    if (COACT_ABORT_ON_MISUSE) {
        return; // in such a build a mistake ends the process
    }
    struct log_seen seen = {0};
    int line = misuse_at_a_line(receives_inside, &seen);
    assert_names_both_places(seen.last, line);
}
END_TEST

/* ---- Each wait ----------------------------------------------------------- */

enum wait { SLEEP, YIELD, ASK, JOIN, SEND, IO, RECEIVE, WAITS };
static const char *const wait_names[WAITS] = {
    "sleep", "yield", "ask", "join", "send", "I/O", "receive"};

struct wanted {
    enum wait wait;
    bool suspends; /* else what it waits for is there */
    peer_ref oracle, ended;
    int fd; /* is ready for reading */
};

static int
wait_as(peer_self self, struct wanted *w)
{
    struct answer a;
    char byte;
    switch (w->wait) {
    case SLEEP:
        return coact_sleep(w->suspends ? coact_in_ms(1) : COACT_NOW);
    case YIELD:
        return coact_yield();
    case ASK:
        return coact_ask(w->oracle, question, &a, IN_TIME, .n = 1);
    case JOIN:
        return coact_join(w->ended.ref, IN_TIME, NULL);
    case SEND:
        return coact_send_wait(w->oracle, IN_TIME, go, 0);
    case IO:
        return coact_read(w->fd, &byte, 1, IN_TIME) == 1 ? 0 : -EIO;
    case RECEIVE:
        COACT_RECEIVE(self, w->suspends ? coact_in_ms(1) : COACT_NOW) {
        case COACT_ON_TIMEOUT:
            return 0;
        }
        return -EPROTO;
    case WAITS:
        break;
    }
    return -EINVAL;
}

static void
waits_inside(peer_self self, void *arg)
{
    struct wanted *w = arg;
    COACT_NO_SWITCH
    {
        ck_assert_int_eq(wait_as(self, w), 0);
    }
    ck_assert_uint_eq(misuses_now(), 1);
    ck_assert_int_eq(wait_as(self, w), 0);
    ck_assert_uint_eq(misuses_now(), 1);
    COACT_NO_SWITCH
    {
        ck_assert_int_eq(wait_as(self, w), 0);
        ck_assert_int_eq(wait_as(self, w), 0);
    }
    ck_assert_uint_eq(misuses_now(), 3);
}

static void
prepares_and_waits(peer_self self, void *arg)
{
    struct wanted *w = arg;
    int pipe_fds[2];
    ck_assert_int_eq(pipe(pipe_fds), 0);
    ck_assert_int_eq(write(pipe_fds[1], "some", 4), 4);
    w->fd = pipe_fds[0];
    w->oracle = spawn_peer(oracle_body, NULL);
    w->ended = spawn_peer(until_go_body, NULL);
    ck_assert_int_eq(coact_send(w->ended, go, 0), 0);
    join_peer(w->ended);
    waits_inside(self, w);
    coact_kill(w->oracle.ref);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

START_TEST(s55_each_wait_in_a_region_is_named_once_whether_it_suspends_or_not)
{
    if (COACT_ABORT_ON_MISUSE) {
        return; // in such a build a mistake ends the process
    }
    for (int i = 0; i < 2 * WAITS; i++) {
        struct log_seen seen = {0};
        struct wanted w = {.wait = (enum wait)(i / 2), .suspends = i % 2};
        char expected[80];
        snprintf(expected, sizeof(expected), "misuse of %s by culprit",
                 wait_names[w.wait]);
        ck_assert_uint_eq(misuses_of(prepares_and_waits, &w, &seen), 3);
        ASSERT_SAYS(seen.last, expected);
        ASSERT_SAYS(seen.last, " (waits_inside)");
    }
}
END_TEST

static void
does_what_does_not_wait(peer_self self, void *arg)
{
    (void)arg;
    COACT_NO_SWITCH
    {
        peer_ref other = spawn_peer(until_go_body, NULL);
        coact_monitor_id monitor;
        ck_assert_int_eq(coact_monitor(other.ref, &monitor), 0);
        ck_assert_int_eq(coact_send(other, go, 0), 0);
        ck_assert_int_eq(coact_demonitor(monitor), 0);
        ck_assert(!coact_ref_is_none(coact_self()));
        ck_assert_uint_eq(coact_pending(), 0);
        ck_assert_int_eq(coact_kill(other.ref), 0);
    }
    (void)self;
}

START_TEST(what_does_not_wait_may_be_called_in_a_region)
{
    struct log_seen seen = {0};
    ck_assert_uint_eq(misuses_of(does_what_does_not_wait, NULL, &seen), 0);
}
END_TEST

/* A wait of our own that forgot to ask at its beginning. */
static void
suspends_without_asking(peer_self self, void *arg)
{
    struct coact__actor *actor = coact__actor_here();
    (void)self;
    COACT_NO_SWITCH
    {
        coact__wait(actor, "forgetful", COACT__INBOX_DEAF, coact_in_ms(1));
    }
    ck_assert_uint_eq(misuses_now(), 1);
    ASSERT_SAYS(((struct log_seen *)arg)->last, "misuse of forgetful by");
    coact__wait(actor, "forgetful", COACT__INBOX_DEAF, coact_in_ms(1));
    ck_assert_uint_eq(misuses_now(), 1);
}

START_TEST(a_wait_that_does_not_ask_is_found_when_it_suspends)
{
    if (COACT_ABORT_ON_MISUSE) {
        return; // in such a build a mistake ends the process
    }
    struct log_seen seen = {0};
    ck_assert_uint_eq(misuses_of(suspends_without_asking, &seen, &seen), 1);
}
END_TEST

/* ---- Leaving a region ---------------------------------------------------- */

static int
leaves_by_return(void)
{
    COACT_NO_SWITCH
    {
        COACT_NO_SWITCH
        {
            return 7;
        }
    }
    return 0;
}

static int
leaves_by_goto(void)
{
    COACT_NO_SWITCH
    {
        COACT_NO_SWITCH
        {
            goto out;
        }
    }
    return 0;
out:
    return 7;
}

static void
leaves_in_all_ways(peer_self self, void *arg)
{
    (void)self, (void)arg;
    int turns = 0;
    COACT_NO_SWITCH
    {
        turns++;
        break;
    }
    ck_assert_int_eq(coact_yield(), 0);
    COACT_NO_SWITCH
    {
        turns++;
        continue;
    }
    ck_assert_int_eq(coact_yield(), 0);
    ck_assert_int_eq(leaves_by_return(), 7);
    ck_assert_int_eq(coact_yield(), 0);
    ck_assert_int_eq(leaves_by_goto(), 7);
    ck_assert_int_eq(coact_yield(), 0);
    ck_assert_int_eq(turns, 2);
}

START_TEST(a_region_ends_however_its_block_is_left)
{
    struct log_seen seen = {0};
    ck_assert_uint_eq(misuses_of(leaves_in_all_ways, NULL, &seen), 0);
}
END_TEST

static void
opens_in_clean_up(void *arg)
{
    COACT_NO_SWITCH
    {
        ++*(int *)arg;
    }
    ck_assert_int_eq(coact_sleep(coact_in_ms(1)), 0);
    ++*(int *)arg;
}

static void
ends_inside(peer_self self, void *arg)
{
    (void)self;
    ck_assert_int_eq(coact_defer(opens_in_clean_up, arg), 0);
    COACT_NO_SWITCH
    {
        COACT_NO_SWITCH
        {
            coact_exit(COACT_NORMAL);
        }
    }
}

static void
fails_inside(peer_self self, void *arg)
{
    (void)self;
    ck_assert_int_eq(coact_defer(opens_in_clean_up, arg), 0);
    COACT_NO_SWITCH
    {
        coact_fail(-EIO, "in the middle of it");
    }
}

START_TEST(an_actor_that_ends_in_a_region_may_wait_in_its_clean_ups)
{
    struct log_seen seen = {0};
    int steps = 0;
    ck_assert_uint_eq(misuses_of(ends_inside, &steps, &seen), 0);
    ck_assert_int_eq(steps, 2);
    ck_assert_uint_eq(misuses_of(fails_inside, &steps, &seen), 0);
    ck_assert_int_eq(steps, 4);
}
END_TEST

static void
waits_and_fails_in_clean_up(void *arg)
{
    (void)arg;
    COACT_NO_SWITCH
    {
        coact_fail(-EIO, "a clean-up fails in a region");
    }
}

static void
has_clean_ups_that_fail(peer_self self, void *arg)
{
    (void)self;
    ck_assert_int_eq(coact_defer(opens_in_clean_up, arg), 0);
    ck_assert_int_eq(coact_defer(waits_and_fails_in_clean_up, NULL), 0);
}

START_TEST(a_clean_up_that_fails_in_a_region_leaves_it)
{
    struct log_seen seen = {0};
    int steps = 0;
    ck_assert_uint_eq(misuses_of(has_clean_ups_that_fail, &steps, &seen), 0);
    ck_assert_int_eq(steps, 2);
}
END_TEST

static void
reuses_the_slot(peer_self self, void *arg)
{
    // Whoever takes the slot of one that ended in a region is not in it.
    for (int i = 0; i < 100; i++) {
        int steps = 0;
        join_peer(spawn_peer(ends_inside, &steps));
        join_peer(spawn_peer(leaves_in_all_ways, NULL));
    }
    (void)self, (void)arg;
}

START_TEST(the_next_actor_in_the_slot_may_wait)
{
    struct log_seen seen = {0};
    ck_assert_uint_eq(misuses_of(reuses_the_slot, NULL, &seen), 0);
}
END_TEST

/* ---- Nesting ------------------------------------------------------------- */

static void
yields_in_an_inner_region(void)
{
    COACT_NO_SWITCH
    {
        coact_yield();
    }
}

static void
nests(peer_self self, void *arg)
{
    (void)self;
    char *last = ((struct log_seen *)arg)->last;
    COACT_NO_SWITCH
    {
        yields_in_an_inner_region();
        ASSERT_SAYS(last, "(yields_in_an_inner_region)");
        coact_yield();
        ASSERT_SAYS(last, "(nests)");
    }
    ck_assert_uint_eq(misuses_now(), 2);
    coact_yield();
    ck_assert_uint_eq(misuses_now(), 2);
}

START_TEST(s55_the_innermost_region_is_named_and_the_outer_one_goes_on)
{
    if (COACT_ABORT_ON_MISUSE) {
        return; // in such a build a mistake ends the process
    }
    struct log_seen seen = {0};
    ck_assert_uint_eq(misuses_of(nests, &seen, &seen), 2);
}
END_TEST

START_TEST(a_thread_that_is_no_actor_may_wait_in_a_region)
{
    struct coact_runtime *runtime = start_runtime(1);
    peer_ref oracle = spawn_peer(oracle_body, NULL);
    struct answer a;
    COACT_NO_SWITCH
    {
        ck_assert_int_eq(coact_ask(oracle, question, &a, IN_TIME, .n = 1), 0);
    }
    ck_assert_uint_eq(misuses_now(), 0);
    stop_runtime(runtime);
}
END_TEST

static void
is_in_a_region_while_another_waits(peer_self self, void *arg)
{
    (void)self;
    _Atomic bool *other_has_waited = arg;
    COACT_NO_SWITCH
    {
        while (!atomic_load_explicit(other_has_waited, memory_order_acquire)) {
        }
    }
}

static void
waits_meanwhile(peer_self self, void *arg)
{
    (void)self;
    ck_assert_int_eq(coact_yield(), 0);
    ck_assert_int_eq(coact_sleep(coact_in_ms(1)), 0);
    atomic_store_explicit((_Atomic bool *)arg, true, memory_order_release);
}

START_TEST(a_region_is_that_of_one_actor)
{
    struct coact_runtime *runtime = start_runtime(2);
    _Atomic bool has_waited = false;
    peer_ref busy = spawn_peer(is_in_a_region_while_another_waits, &has_waited);
    peer_ref other = spawn_peer(waits_meanwhile, &has_waited);
    join_peer(busy);
    join_peer(other);
    ck_assert_uint_eq(misuses_now(), 0);
    stop_runtime(runtime);
}
END_TEST

/* ---- Our own locks ------------------------------------------------------- */

static struct coact__spin a_lock_of_ours;

static void
switches_with_a_lock(peer_self self, void *arg)
{
    (void)self, (void)arg;
    coact__spin_lock(&a_lock_of_ours);
    coact_yield();
    coact__spin_unlock(&a_lock_of_ours);
}

START_TEST(s55_a_suspension_with_a_lock_of_the_runtime_aborts_in_debug_builds)
{
    if (!COACT_ABORT_ON_MISUSE) {
        return; // other builds do not count their locks
    }
    char words[1024];
    ASSERT_ABORTS(switches_with_a_lock, NULL, words);
    ASSERT_SAYS(words, "yield with 1 lock of the runtime held");
    ASSERT_SAYS(words, "no_switch_test.c:");
}
END_TEST

SUITE_MAIN("no_switch", s55_a_wait_in_a_region_aborts_and_names_both_places,
           a_wait_in_a_region_is_counted_and_goes_on_where_nothing_aborts,
           s55_each_wait_in_a_region_is_named_once_whether_it_suspends_or_not,
           s55_the_innermost_region_is_named_and_the_outer_one_goes_on,
           s55_a_suspension_with_a_lock_of_the_runtime_aborts_in_debug_builds,
           a_wait_that_does_not_ask_is_found_when_it_suspends,
           what_does_not_wait_may_be_called_in_a_region,
           a_region_ends_however_its_block_is_left,
           an_actor_that_ends_in_a_region_may_wait_in_its_clean_ups,
           a_clean_up_that_fails_in_a_region_leaves_it,
           the_next_actor_in_the_slot_may_wait,
           a_thread_that_is_no_actor_may_wait_in_a_region,
           a_region_is_that_of_one_actor)
