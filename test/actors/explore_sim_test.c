/*
 * explore_sim_test.c - a few hundred actors that do anything to each other.
 *
 * Each does at random what actors can do: start others, link, monitor, kill,
 * signal, send, ask, set timers, sleep, fail.  A seed decides all of it, and
 * the order in which the actors run.  What must hold whatever they do:
 *
 *   every monitor fires exactly once, or was taken back, and then never
 *   what one sends to another is received in order, without a gap, once
 *   nothing of an actor is received after its DOWN
 *   an answer is that of its question
 *   a cancelled timer does not tick
 *   in the end nobody is left
 *
 * An auditor monitors everybody twice.  A leak checker sees what remains.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/oracle.h"
#include "test/actors/peers.h"
#include "test/support/sim.h"

#ifdef __SANITIZE_THREAD__
#define SEEDS 5 /* its fibers are dear */
#else
#define SEEDS 150
#endif
#define MOST 300   /* actors of one run */
#define FIRST 12   /* that the auditor starts */
#define STEPS 30   /* of each */
#define WATCHES 24 /* monitors of each at a time */

/* The world of one run.  In simulation there is one thread. */
static struct world {
    uint32_t count;
    peer_ref refs[MOST];
    uint16_t taken[MOST][MOST]; /* sends that succeeded, from, to */
} world;

struct watch {
    coact_monitor_id id;
    uint32_t whom;
};

/* What one actor knows; in its arena. */
struct self {
    uint32_t index;
    uint16_t next[MOST]; /* number expected from each */
    bool is_down[MOST];
    struct watch watches[WATCHES];
    coact_timer_id timer, cancelled;
    uint64_t questions;
};

static uint32_t
any(uint32_t n)
{
    return coact__oracle_choose(n);
}

static void actor_body(peer_self self, void *arg);

static void
add_actor(bool link)
{
    if (world.count == MOST) {
        return;
    }
    uint32_t index = world.count++;
    coact_monitor_id ignored;
    bool watched = any(4) == 0 && link;
    int rc = coact_spawn_with(
        peer, &world.refs[index], actor_body, (void *)(uintptr_t)index,
        .link = link && any(2) == 0, .trap_exit = any(3) == 0,
        .monitor = watched ? &ignored : NULL,
        .mailbox_messages = any(5) == 0 ? 3 : 0, .overflow = COACT_BLOCK);
    COACT_CHECK(rc == 0);
    if (watched) {
        coact_demonitor(ignored);
    }
}

/* ---- What arrives -------------------------------------------------------- */

static void
see_down(struct self *me, const struct coact_down *down)
{
    for (uint32_t i = 0; i < WATCHES; i++) {
        if (me->watches[i].id.id == down->monitor.id) {
            uint32_t whom = me->watches[i].whom;
            COACT_CHECK(coact_ref_equal(down->who, world.refs[whom].ref));
            COACT_CHECK(!coact_is_alive(down->who));
            if (down->reason.code != COACT_NOPROC) {
                // It was alive when we came, so nothing of it can follow.
                COACT_CHECK(me->next[whom] == world.taken[whom][me->index]);
            }
            me->is_down[whom] = true;
            me->watches[i].id.id = 0;
            return;
        }
    }
    coact_fail(-EINVAL, "a DOWN that nobody asked for");
}

static void
see_item(struct self *me, const struct item *m)
{
    COACT_CHECK(m->number == me->next[m->from]);
    COACT_CHECK(!me->is_down[m->from]);
    me->next[m->from]++;
}

/* False: we are asked to end. */
static bool
hear(peer_self self, struct self *me, int64_t deadline_ns)
{
    bool goes_on = true;
    COACT_RECEIVE(self, deadline_ns) {
    case COACT_ON(item, m):
        see_item(me, m);
        break;
    case COACT_ON(question, m): {
        if (any(4) != 0) {
            coact_reply(m, .n = m->n + 1);
        }
    } break;
    case COACT_ON_DOWN(d):
        see_down(me, d);
        break;
    case COACT_ON_TICK(t):
        COACT_CHECK(t->timer.id != me->cancelled.id);
        break;
    case COACT_ON_CANCELLED:
        goes_on = false;
        break;
    }
    return goes_on;
}

/* ---- What they do -------------------------------------------------------- */

static int
speak(struct self *me, uint32_t to, bool waits)
{
    uint16_t *taken = &world.taken[me->index][to];
    uint16_t number = *taken;
    if (waits) {
        int rc = coact_send_wait(world.refs[to], coact_in_ms(any(5)), item,
                                 .from = me->index, .number = number);
        // Counted only now, when the receiver may have seen it: so DOWNs are
        // compared with what was received before this returned.
        *taken = (uint16_t)(*taken + (rc == 0));
        return rc;
    }
    *taken = (uint16_t)(number + 1);
    int rc =
        coact_send(world.refs[to], item, .from = me->index, .number = number);
    if (rc < 0) {
        *taken = number;
    }
    return rc == -ECANCELED ? rc : 0;
}

static int
inquire(struct self *me, uint32_t of)
{
    struct answer a = {0};
    uint64_t n = (uint64_t)me->index << 32 | me->questions++;
    int rc =
        coact_ask(world.refs[of], question, &a, coact_in_ms(any(20)), .n = n);
    COACT_CHECK(rc != 0 || a.n == n + 1);
    COACT_CHECK(rc == 0 || rc == -ETIMEDOUT || rc == -ECANCELED ||
                rc == -ESRCH || rc == -EOWNERDEAD || rc == -EPIPE ||
                rc == -ENOBUFS || rc == -EDEADLK);
    return rc == -ECANCELED ? rc : 0;
}

static void
watch_one(struct self *me, uint32_t whom)
{
    struct watch *free_one = &me->watches[any(WATCHES)];
    if (free_one->id.id != 0) {
        int rc = coact_demonitor(free_one->id);
        COACT_CHECK(rc == 0); // it has not been received
        COACT_CHECK(coact_demonitor(free_one->id) == -ENOENT);
        free_one->id.id = 0;
    } else {
        free_one->whom = whom;
        COACT_CHECK(coact_monitor(world.refs[whom].ref, &free_one->id) == 0);
    }
}

static void
change_timer(struct self *me)
{
    if (me->timer.id != 0) {
        me->cancelled = me->timer;
        me->timer.id = 0;
        (void)coact_timer_cancel(me->cancelled);
    } else {
        COACT_CHECK(coact_timer_start(&me->timer, coact_in_ns(any(3000000)),
                                      any(2) * 700000, NULL) == 0);
    }
}

static int
act(struct self *me)
{
    uint32_t other = any(world.count);
    switch (any(16)) {
    case 0:
    case 1:
        add_actor(true);
        return 0;
    case 2:
        return coact_link(world.refs[other].ref);
    case 3:
        return coact_unlink(world.refs[other].ref);
    case 4:
    case 5:
        watch_one(me, other);
        return 0;
    case 6:
        return any(3) == 0 ? coact_kill(world.refs[other].ref) : 0;
    case 7:
        return coact_signal_exit(world.refs[other].ref,
                                 any(2) == 0 ? COACT_NORMAL : -EIO, "signal");
    case 8:
        return inquire(me, other);
    case 9:
        change_timer(me);
        return 0;
    case 10:
        return coact_sleep(coact_in_ns(any(2000000)));
    case 11:
        return coact_yield();
    case 12:
        return any(20) == 0 ? -EIO : coact_trap_exit(any(2) == 0);
    default:
        return speak(me, other, false);
    }
}

static void
cleans_up(void *arg)
{
    struct self *me = arg;
    // A clean-up may do all that the body may.
    (void)coact_sleep(coact_in_ns(any(1000)));
    (void)speak(me, any(world.count), false);
}

static void
actor_body(peer_self self, void *arg)
{
    struct self *me = coact_arena(sizeof(*me));
    COACT_CHECK(me != NULL);
    memset(me, 0, sizeof(*me));
    me->index = (uint32_t)(uintptr_t)arg;
    COACT_CHECK(coact_ref_equal(self.ref, world.refs[me->index].ref));
    COACT_CHECK(coact_defer(cleans_up, me) == 0);
    for (uint32_t step = 0; step < STEPS; step++) {
        int rc = act(me);
        if (rc == -ECANCELED) {
            return;
        }
        if (rc < 0) {
            coact_fail(rc, "at random");
        }
        if (!hear(self, me, any(3) == 0 ? coact_in_ms(1) : COACT_NOW)) {
            return;
        }
    }
}

/* ---- The auditor --------------------------------------------------------- */

struct audit {
    uint32_t watched;
    coact_monitor_id ids[MOST][2];
    uint32_t downs[MOST];
};

static void
watch_new(struct audit *audit)
{
    for (; audit->watched < world.count; audit->watched++) {
        for (int i = 0; i < 2; i++) {
            ck_assert_int_eq(coact_monitor(world.refs[audit->watched].ref,
                                           &audit->ids[audit->watched][i]),
                             0);
        }
    }
}

static void
note_down(struct audit *audit, const struct coact_down *down)
{
    for (uint32_t i = 0; i < audit->watched; i++) {
        for (int j = 0; j < 2; j++) {
            if (audit->ids[i][j].id == down->monitor.id) {
                audit->ids[i][j].id = 0;
                audit->downs[i]++;
                ck_assert(coact_ref_equal(down->who, world.refs[i].ref));
                ck_assert_msg(down->reason.text[0] == '\0' ||
                                  strchr(down->reason.text, ':') == NULL,
                              "actor %u: %s", i, down->reason.text);
                return;
            }
        }
    }
    ck_abort_msg("the auditor got a DOWN twice, or of nobody");
}

static bool
all_are_down(const struct audit *audit)
{
    for (uint32_t i = 0; i < world.count; i++) {
        if (audit->downs[i] != 2) {
            return false;
        }
    }
    return true;
}

static void
auditor(peer_self self, void *arg)
{
    (void)arg;
    coact_trap_exit(true);
    struct audit *audit = coact_arena(sizeof(*audit));
    memset(audit, 0, sizeof(*audit));
    for (uint32_t i = 0; i < FIRST; i++) {
        add_actor(false);
    }
    int64_t patience = coact_in_ms(100);
    while (!all_are_down(audit)) {
        watch_new(audit);
        COACT_RECEIVE(self, coact_in_ms(1)) {
        case COACT_ON_DOWN(d):
            note_down(audit, d);
            break;
        case COACT_ON_EXIT(e):
            (void)e;
            break;
        case COACT_ON_TIMEOUT: {
            for (uint32_t i = 0; coact_now_ns() > patience && i < world.count;
                 i++) {
                coact_kill(world.refs[i].ref);
            }
            ck_assert_msg(coact_now_ns() < patience + COACT_SECONDS(60),
                          "somebody does not end");
        } break;
        }
    }
    for (uint32_t i = 0; i < world.count; i++) {
        ck_assert(!coact_is_alive(world.refs[i].ref));
        ck_assert_uint_eq(audit->downs[i], 2);
    }
    expect_nothing(self);
}

static void
scenario(void *arg)
{
    (void)arg;
    memset(&world, 0, sizeof(world));
    conduct(1, auditor, NULL);
}

START_TEST(actors_that_do_anything_to_each_other_break_no_promise)
{
    sim_each_seed(SEEDS, scenario, NULL);
}
END_TEST

START_TEST(s65_a_random_world_repeats_itself_from_its_seed)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        uint64_t trace = sim_seed_once(seed, scenario, NULL);
        uint32_t count = world.count;
        ck_assert_uint_eq(sim_seed_once(seed, scenario, NULL), trace);
        ck_assert_uint_eq(world.count, count);
        ck_assert_uint_gt(count, FIRST);
    }
}
END_TEST

SUITE_MAIN("explore_sim",
           actors_that_do_anything_to_each_other_break_no_promise,
           s65_a_random_world_repeats_itself_from_its_seed)
