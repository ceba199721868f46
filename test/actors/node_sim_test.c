/*
 * node_sim_test.c - three nodes in bad weather, and what holds all the same.
 *
 * Citizens live on every node and send, monitor, link and ask each other at
 * random, while connections are cut, blocked one way, and a node is killed and
 * started again.  What is checked:
 *
 *   - Whoever monitors before it sends and looks for a DOWN before each send
 *     gets his messages through without a gap, from the first after the monitor
 *     to the last one that arrives at all, in order, once.
 *   - Every monitor, link and ask across a link that went down is told, once.
 *   - The same seed gives the same run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/fleet.h"

#include "runtime/memory.h"
#include "test/support/valgrind.h"

#define EACH 3 /* citizens of a node */
#define CITIZENS (FLEET_NODES * EACH)

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define STORMS 5
#else
#define STORMS (is_on_valgrind() ? 5 : 20)
#endif

struct letter {
    uint32_t from, life, epoch, number;
    coact_bytes load;
};
struct plea {
    uint32_t how; /* 0: answer; 1: keep; 2: drop; else hand on to `whom` */
    coact_ref whom;
};
struct verdict {
    uint32_t by;
};
COACT_MESSAGE(letter, (1, from), (2, life), (3, epoch), (4, number), (5, load));
COACT_MESSAGE(verdict, (1, by));
COACT_REQUEST(plea, verdict, (1, how), (2, whom));
COACT_MAILBOX(citizen, letter, plea);

/* What a citizen knows of another. */
struct view {
    coact_monitor_id monitor; /* 0: none */
    coact_ref monitored;
    uint32_t epoch, sent; /* of ours to him; letters since the monitor */
    uint32_t his_life, his_epoch, his_number; /* the next that must come */
    bool linked; /* we have linked ourselves, and had no EXIT */
    coact_ref linked_to;
};

struct citizen {
    uint32_t index, life;
    citizen_ref ref;
    struct view view[CITIZENS];
};

static struct {
    struct fleet fleet;
    struct citizen citizen[CITIZENS];
    bool is_calm; /* nothing new is begun */
    uint32_t asks_open, asks_lost, asks_answered;
    uint32_t letters, downs, exits;
} world;

static uint32_t
node_of(uint32_t index)
{
    return index / EACH + 1;
}

static void
read_letter(struct citizen *me, struct letter *m)
{
    struct view *view = &me->view[m->from];
    if (m->life != view->his_life || m->epoch != view->his_epoch) {
        ck_assert_uint_ge(m->life, view->his_life);
        ck_assert(m->life > view->his_life || m->epoch > view->his_epoch);
        view->his_life = m->life;
        view->his_epoch = m->epoch;
        view->his_number = 0;
    }
    ck_assert_msg(m->number == view->his_number, "%u of epoch %u, not %u",
                  m->number, m->epoch, view->his_number);
    view->his_number++;
    world.letters++;
    coact__sim_note(m, offsetof(struct letter, load));
}

static void
hear_down(struct citizen *me, struct coact_down *down)
{
    for (uint32_t i = 0; i < CITIZENS; i++) {
        struct view *view = &me->view[i];
        if (view->monitor.id == down->monitor.id) {
            ck_assert(coact_ref_equal(view->monitored, down->who));
            view->monitor.id = 0;
            view->epoch++;
            view->sent = 0;
            world.downs++;
            coact__sim_note(&i, sizeof(i));
            return;
        }
    }
    ck_abort_msg("a DOWN of no monitor, or a second one");
}

static void
hear_exit(struct citizen *me, struct coact_exit_news *exit)
{
    for (uint32_t i = 0; i < CITIZENS; i++) {
        if (coact_ref_equal(me->view[i].linked_to, exit->from)) {
            me->view[i].linked = false;
        }
    }
    world.exits++;
    if (coact_ref_is_none(exit->from)) {
        coact_exit(COACT_SHUTDOWN); // the node stops
    }
}

/* All that has arrived. */
static void
look_at_mail(citizen_self self, struct citizen *me, int64_t deadline_ns)
{
    bool is_empty = false;
    while (!is_empty) {
        COACT_RECEIVE(self, deadline_ns) {
        case COACT_ON(letter, m):
            read_letter(me, m);
            break;
        case COACT_ON(plea, m): {
            if (m->how == 0) {
                (void)coact_reply(m, .by = me->index);
            } else if (m->how == 1) {
                (void)coact_keep(m);
            } else if (m->how > 2) {
                m->how = m->how % 2;
                (void)coact_forward(m, (citizen_ref){.ref = m->whom}, plea);
            }
        } break;
        case COACT_ON_DOWN(d):
            hear_down(me, d);
            break;
        case COACT_ON_EXIT(e):
            hear_exit(me, e);
            break;
        case COACT_ON_TIMEOUT:
            is_empty = true;
            break;
        }
        deadline_ns = COACT_NOW;
    }
}

/* From here to the next look at the mail nothing suspends. */
static void
write_letters(struct citizen *me, uint32_t whom)
{
    struct view *view = &me->view[whom];
    citizen_ref to = world.citizen[whom].ref;
    if (view->monitor.id == 0) {
        view->monitored = to.ref;
        ck_assert_int_eq(coact_monitor(to.ref, &view->monitor), 0);
        return; // the news may be here at once
    }
    to.ref = view->monitored;
    for (uint32_t n = coact__oracle_choose(5); n > 0; n--) {
        size_t bytes = coact__oracle_choose(10) == 0 ? 100000 : 10;
        if (coact_send(to, letter, .from = me->index, .life = me->life,
                       .epoch = view->epoch, .number = view->sent,
                       .load = coact_bytes_new(bytes)) == 0) {
            view->sent++;
        }
    }
}

static void
plead_body(citizen_self self, void *arg)
{
    uint32_t whom = coact__oracle_choose(CITIZENS);
    uint32_t third = coact__oracle_choose(CITIZENS);
    struct verdict verdict;
    (void)self, (void)arg;
    world.asks_open++;
    int rc = coact_ask(world.citizen[whom].ref, plea, &verdict, COACT_FOREVER,
                       .how = coact__oracle_choose(6),
                       .whom = world.citizen[third].ref.ref);
    if (rc != -ECANCELED) {
        world.asks_lost += rc != 0;
        world.asks_answered += rc == 0;
    }
    world.asks_open--;
    coact__sim_note(&rc, sizeof(rc));
}

/* Of some pairs only one makes and unmakes the link: an unlink ends also what
   the other one has made, so that he could not know whether he will be told. */
static bool
is_one_sided(uint32_t a, uint32_t b)
{
    return (a + b) % 3 == 0;
}

static bool
may_link(uint32_t who, uint32_t whom)
{
    return who < whom || !is_one_sided(who, whom);
}

static void
act(struct citizen *me)
{
    uint32_t whom = coact__oracle_choose(CITIZENS);
    struct view *view = &me->view[whom];
    citizen_ref ref;
    int rc;
    if (whom == me->index) {
        return;
    }
    switch (coact__oracle_choose(8)) {
    case 0:
        if (!view->linked && may_link(me->index, whom)) {
            view->linked_to = world.citizen[whom].ref.ref;
            view->linked = true;
            ck_assert_int_eq(coact_link(view->linked_to), 0);
        }
        break;
    case 1:
        if (view->linked && is_one_sided(me->index, whom)) {
            ck_assert_int_eq(coact_unlink(view->linked_to), 0);
            view->linked = false;
        }
        break;
    case 2:
        rc = coact_spawn(citizen, &ref, plead_body, NULL);
        ck_assert(rc == 0 || rc == -ESHUTDOWN);
        break;
    case 3:
        if (view->monitor.id != 0 && coact__oracle_choose(8) == 0) {
            ck_assert_int_eq(coact_demonitor(view->monitor), 0);
            view->monitor.id = 0;
            view->epoch++;
            view->sent = 0;
        }
        break;
    default:
        write_letters(me, whom);
        break;
    }
}

static void
citizen_body(citizen_self self, void *arg)
{
    struct citizen *me = arg;
    for (;;) {
        look_at_mail(self, me,
                     coact_in_ns(COACT_MS(2) + coact__oracle_choose(24000000)));
        if (!world.is_calm) {
            act(me);
        }
    }
}

static void
settle_node(uint32_t number)
{
    ck_assert_int_eq(fleet_launch(&world.fleet, number, FLEET_NODES), 0);
    for (uint32_t i = (number - 1) * EACH; i < number * EACH; i++) {
        uint32_t life = world.citizen[i].life + 1;
        world.citizen[i] = (struct citizen){.index = i, .life = life};
        ck_assert_int_eq(
            coact_spawn_with(citizen, &world.citizen[i].ref, citizen_body,
                             &world.citizen[i], .trap_exit = true,
                             .runtime = world.fleet.runtime[number]),
            0);
    }
}

static void
weather(void)
{
    uint32_t a = 1 + coact__oracle_choose(FLEET_NODES);
    uint32_t b = 1 + (a + coact__oracle_choose(FLEET_NODES - 1)) % FLEET_NODES;
    int64_t while_ns = COACT_MS(50 + coact__oracle_choose(800));
    switch (coact__oracle_choose(6)) {
    case 0:
    case 1:
        coact__sim_net_cut(world.fleet.net, a, b);
        break;
    case 2:
    case 3:
        coact__sim_net_block(world.fleet.net, a, b, true);
        fleet_run(&world.fleet, while_ns);
        coact__sim_net_block(world.fleet.net, a, b, false);
        break;
    case 4:
        fleet_land(&world.fleet, a, true);
        fleet_run(&world.fleet, while_ns);
        settle_node(a);
        break;
    default:
        break;
    }
    fleet_run(&world.fleet, while_ns);
}

/* Cut everything for good; then nobody has an open monitor, link or ask with
   somebody elsewhere. */
static void
check_all_are_told(void)
{
    world.is_calm = true;
    for (uint32_t a = 1; a <= FLEET_NODES; a++) {
        for (uint32_t b = 1; b <= FLEET_NODES; b++) {
            if (a != b) {
                coact__sim_net_block(world.fleet.net, a, b, true);
            }
        }
    }
    fleet_run(&world.fleet, COACT_SECONDS(3));
    for (uint32_t i = 0; i < CITIZENS; i++) {
        for (uint32_t j = 0; j < CITIZENS; j++) {
            const struct view *view = &world.citizen[i].view[j];
            if (node_of(i) != node_of(j)) {
                ck_assert_msg(view->monitor.id == 0,
                              "%u was not told of %u, which it monitors", i, j);
                ck_assert_msg(!view->linked,
                              "%u was not told of its link to %u", i, j);
            }
        }
    }
}

static void
storm(void *arg)
{
    const struct coact__sim_net_options options = {.cut_ppm = 500};
    (void)arg;
    memset(&world, 0, sizeof(world));
    world.fleet.net = coact__sim_net_new(&options);
    ck_assert_ptr_nonnull(world.fleet.net);
    for (uint32_t i = 1; i <= FLEET_NODES; i++) {
        settle_node(i);
    }
    for (int i = 0; i < 8; i++) {
        weather();
    }
    check_all_are_told();
    ck_assert_uint_gt(world.letters, 50);
    ck_assert_uint_gt(world.downs, 0);
    for (uint32_t i = 1; i <= FLEET_NODES; i++) {
        fleet_land(&world.fleet, i, false);
    }
    ck_assert_uint_eq(world.asks_open, 0);
    coact__sim_net_free(world.fleet.net);
}

START_TEST(s58_in_any_weather_order_holds_and_everyone_is_told_once)
{
    sim_each_seed(STORMS, storm, NULL);
}
END_TEST

START_TEST(s65_the_same_seed_gives_the_same_run_of_many_nodes)
{
    for (uint64_t seed = 1; seed <= 2; seed++) {
        uint64_t first = sim_seed_once(seed, storm, NULL);
        ck_assert_uint_eq(sim_seed_once(seed, storm, NULL), first);
        ck_assert_uint_ne(sim_seed_once(seed + 100, storm, NULL), first);
    }
}
END_TEST

/* ---- Asks that wait for ever ---- */

static int lost_rc;

static void
lost_body(citizen_self self, void *arg)
{
    const struct plea *plea = arg;
    struct verdict verdict;
    (void)self;
    lost_rc = coact_ask(world.citizen[EACH].ref, plea, &verdict, COACT_FOREVER,
                        .how = plea->how, .whom = plea->whom);
}

/* Node 1 asks node 2, which keeps the request or hands it on to node 3; then
   node `dies` does. */
static void
lose_an_ask(uint32_t how, uint32_t dies)
{
    const struct coact__sim_net_options none = {0};
    struct plea plea;
    citizen_ref ref;
    memset(&world, 0, sizeof(world));
    world.is_calm = true;
    world.fleet.net = coact__sim_net_new(&none);
    ck_assert_ptr_nonnull(world.fleet.net);
    for (uint32_t i = 1; i <= FLEET_NODES; i++) {
        settle_node(i);
    }
    fleet_run(&world.fleet, COACT_SECONDS(1));
    plea = (struct plea){how, world.citizen[2 * EACH].ref.ref};
    lost_rc = 1;
    ck_assert_int_eq(coact_spawn_with(citizen, &ref, lost_body, &plea,
                                      .runtime = world.fleet.runtime[1]),
                     0);
    fleet_run(&world.fleet, COACT_SECONDS(1));
    ck_assert_int_eq(lost_rc, 1);
    fleet_land(&world.fleet, dies, true);
    fleet_run(&world.fleet, COACT_SECONDS(1));
    ck_assert_int_eq(lost_rc, -ENOTCONN);
    for (uint32_t i = 1; i <= FLEET_NODES; i++) {
        fleet_land(&world.fleet, i, false);
    }
    coact__sim_net_free(world.fleet.net);
}

static void
lose_asks(void *arg)
{
    (void)arg;
    lose_an_ask(1, 2);
    lose_an_ask(3, 2);
    lose_an_ask(3, 3);
}

START_TEST(an_ask_fails_when_any_node_on_the_way_of_its_request_dies)
{
    sim_each_seed(8, lose_asks, NULL);
}
END_TEST

/* ---- Every failure once ---- */

static void
frail_body(citizen_self self, void *arg)
{
    citizen_ref there = world.citizen[1].ref;
    coact_monitor_id id;
    struct verdict verdict;
    (void)arg;
    for (uint32_t i = 0; i < 3; i++) {
        (void)coact_sleep(coact_in_ms(300));
        (void)!coact_monitor(there.ref, &id);
        (void)!coact_link(there.ref);
        (void)coact_send(there, letter, .load = coact_bytes_new(100));
        (void)coact_send(there, letter, .load = coact_bytes_new(70000));
        (void)!coact_ask(there, plea, &verdict, coact_in_ms(500), .how = i);
        (void)!coact_ask(there, plea, &verdict, COACT_FOREVER, .how = 4,
                         .whom = world.citizen[2].ref.ref);
        (void)coact_signal_exit(there.ref, COACT_NORMAL, "");
    }
    COACT_RECEIVE(self, coact_in_ms(500)) {
    case COACT_ON_TIMEOUT:
        break;
    }
}

static void
frail_friend_body(citizen_self self, void *arg)
{
    (void)arg;
    for (;;) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(letter, m): {
        } break;
        case COACT_ON(plea, m): {
            if (m->how == 0) {
                (void)coact_reply(m, .by = 1);
            } else if (m->how > 2) {
                m->how = 0;
                (void)coact_forward(m, (citizen_ref){.ref = m->whom}, plea);
            }
        } break;
        }
    }
}

static unsigned long
frail_run(unsigned long nth)
{
    const struct coact__sim_net_options none = {0};
    memset(&world, 0, sizeof(world));
    coact__sim_seed(nth);
    coact__fail_nth(nth, false);
    world.fleet.net = coact__sim_net_new(&none);
    for (uint32_t i = 1; world.fleet.net != NULL && i <= FLEET_NODES; i++) {
        if (fleet_launch(&world.fleet, i, FLEET_NODES) == 0) {
            int rc = coact_spawn_with(citizen, &world.citizen[i - 1].ref,
                                      i == 1 ? frail_body : frail_friend_body,
                                      NULL, .trap_exit = i != 1,
                                      .runtime = world.fleet.runtime[i]);
            ck_assert(rc == 0 || rc == -ENOMEM);
        }
    }
    if (world.fleet.net != NULL) {
        fleet_run(&world.fleet, COACT_MS(1500));
        fleet_land(&world.fleet, 3, true);
        fleet_run(&world.fleet, COACT_MS(700));
        for (uint32_t i = 1; i <= FLEET_NODES; i++) {
            fleet_land(&world.fleet, i, false);
        }
        coact__sim_net_free(world.fleet.net);
    }
    unsigned long points = coact__fail_count();
    coact__fail_nth(0, false);
    return points;
}

START_TEST(three_nodes_survive_the_failure_of_anything_once)
{
    unsigned long points = frail_run(1000000); // a failure that never comes
    for (unsigned long nth = 1; nth <= points; nth++) {
        suite_seed(nth);
        (void)frail_run(nth);
    }
    printf("     %lu points of failure\n", points);
}
END_TEST

SUITE_MAIN("node_sim", s58_in_any_weather_order_holds_and_everyone_is_told_once,
           s65_the_same_seed_gives_the_same_run_of_many_nodes,
           an_ask_fails_when_any_node_on_the_way_of_its_request_dies,
           three_nodes_survive_the_failure_of_anything_once)
