/*
 * supervisor_model_test.c - supervisors against a model of them.
 *
 * The model is what the rules say when nothing takes time: a recursive walk
 * over a tree, without messages, queues or clocks.  A seed makes a tree and a
 * schedule of crashes, normal ends, kills and requests; after each event the
 * real tree must have started and stopped the same children in the same order.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/supervisor_world.h"
#include "test/support/seed.h"

#define FANOUT 4
#define NODES 64
#define EVENTS 40

/* ---- Chance -------------------------------------------------------------- */

static uint64_t chance_state;

static unsigned
chance(unsigned n)
{
    chance_state ^= chance_state << 13;
    chance_state ^= chance_state >> 7;
    chance_state ^= chance_state << 17;
    return (unsigned)((chance_state >> 33) % n);
}

/* ---- The model ----------------------------------------------------------- */

struct node {
    char name[8];
    struct node *parent;
    enum coact_restart restart;
    bool is_supervisor, is_listed, is_running;
    // Of supervisors.
    enum coact_strategy strategy;
    int intensity;
    struct node *child[FANOUT];
    int count;
    int64_t restarts_ns[EVENTS * NODES];
    int restart_count;
    // What the real one is made from.
    struct coact_child specs[FANOUT];
    struct coact_supervisor spec;
};

static struct node nodes[NODES];
static int node_count;
static char model_trace[1 << 12];

#define PERIOD_NS COACT_SECONDS(1)

static void
model_note(char sign, const struct node *node)
{
    size_t used = strlen(model_trace);
    snprintf(model_trace + used, sizeof(model_trace) - used, "%s%c%s",
             used > 0 ? " " : "", sign, node->name);
}

static void
model_start(struct node *node)
{
    node->is_running = true;
    if (!node->is_supervisor) {
        model_note('+', node);
    }
    node->restart_count = 0;
    for (int i = 0; i < node->count; i++) {
        node->child[i]->is_listed = true;
        node->child[i]->is_running = false;
    }
    for (int i = 0; i < node->count; i++) {
        model_start(node->child[i]);
    }
}

/* It ended or was stopped: the specification of a temporary child goes. */
static void
model_is_down(struct node *node)
{
    node->is_running = false;
    if (node->restart == COACT_TEMPORARY) {
        node->is_listed = false;
    }
}

static void
model_stop(struct node *node)
{
    if (!node->is_running) {
        return;
    }
    for (int i = node->count - 1; i >= 0; i--) {
        model_stop(node->child[i]);
    }
    if (!node->is_supervisor) {
        model_note('-', node);
    }
    model_is_down(node);
}

static void model_ended(struct node *node, bool is_abnormal);

static bool
model_may_restart(struct node *sup)
{
    int64_t now_ns = coact_now_ns();
    int recent = 0;
    for (int i = 0; i < sup->restart_count; i++) {
        recent += now_ns - sup->restarts_ns[i] <= PERIOD_NS;
    }
    sup->restarts_ns[sup->restart_count++] = now_ns;
    return recent < sup->intensity;
}

static void
model_restart_from(struct node *sup, int first)
{
    for (int i = sup->count - 1; i >= first; i--) {
        model_stop(sup->child[i]);
    }
    for (int i = first; i < sup->count; i++) {
        if (sup->child[i]->is_listed) {
            model_start(sup->child[i]);
        }
    }
}

/* A child has ended by itself, and has been noted. */
static void
model_ended(struct node *node, bool is_abnormal)
{
    struct node *sup = node->parent;
    model_is_down(node);
    if (sup == NULL || node->restart == COACT_TEMPORARY ||
        (node->restart == COACT_TRANSIENT && !is_abnormal)) {
        return;
    }
    if (!model_may_restart(sup)) {
        for (int i = sup->count - 1; i >= 0; i--) {
            model_stop(sup->child[i]);
        }
        model_ended(sup, true);
        return;
    }
    int at = 0;
    while (sup->child[at] != node) {
        at++;
    }
    switch (sup->strategy) {
    case COACT_ONE_FOR_ALL:
        model_restart_from(sup, 0);
        break;
    case COACT_REST_FOR_ONE:
        model_restart_from(sup, at);
        break;
    case COACT_ONE_FOR_ONE:
    case COACT_DYNAMIC:
        model_start(node);
        break;
    }
}

/* ---- A tree by chance ---------------------------------------------------- */

static struct node *
grow(struct node *parent, int depth)
{
    struct node *node = &nodes[node_count];
    *node = (struct node){.parent = parent};
    snprintf(node->name, sizeof(node->name), "n%d", node_count++);
    node->restart = (enum coact_restart)chance(3);
    node->is_supervisor = parent == NULL || (depth < 3 && chance(3) == 0);
    if (!node->is_supervisor) {
        node->specs[0] =
            (struct coact_child)TOY_WITH(node->name, .restart = node->restart);
        return node;
    }
    static const int intensities[] = {1, 2, 5, 1000};
    node->strategy = (enum coact_strategy)chance(3);
    node->intensity = intensities[chance(4)];
    node->count = 1 + (int)chance(FANOUT);
    for (int i = 0; i < node->count; i++) {
        struct node *child = grow(node, depth + 1);
        node->child[i] = child;
        if (child->is_supervisor) {
            node->specs[i] = (struct coact_child)COACT_CHILD_SUPERVISOR(
                child->name, &child->spec, .restart = child->restart);
        } else {
            node->specs[i] = child->specs[0];
        }
    }
    node->spec = (struct coact_supervisor){
        .strategy = node->strategy,
        .intensity = node->intensity,
        .period_ns = PERIOD_NS,
        .children = node->specs,
        .child_count = (size_t)node->count,
    };
    return node;
}

/* ---- Events -------------------------------------------------------------- */

static coact_supervisor_ref
find_supervisor(coact_supervisor_ref top, const struct node *node)
{
    if (node->parent == NULL) {
        return top;
    }
    coact_supervisor_ref above = find_supervisor(top, node->parent), ref;
    int rc =
        coact_child_find_supervisor(above, node->name, &ref, coact_in_ms(10));
    ck_assert_msg(rc == 0, "%s: %s", node->name, coact_strerror(rc));
    return ref;
}

static bool
all_above_run(const struct node *node)
{
    for (node = node->parent; node != NULL; node = node->parent) {
        if (!node->is_running) {
            return false;
        }
    }
    return true;
}

static struct node *
pick(bool running)
{
    for (int tries = 0; tries < 100; tries++) {
        struct node *node = &nodes[chance((unsigned)node_count)];
        if (!node->is_supervisor && node->is_listed &&
            node->is_running == running && all_above_run(node)) {
            return node;
        }
    }
    return NULL;
}

static void
blow(coact_supervisor_ref top, struct node *node, int how)
{
    coact_supervisor_ref parent = find_supervisor(top, node->parent);
    toy_ref toy = toy_of(parent, node->name);
    if (how == COACT_KILLED) {
        ck_assert_int_eq(coact_kill(toy.ref), 0);
    } else {
        ck_assert_int_eq(coact_send(toy, blow, .code = how), 0);
    }
    settle();
    model_note('-', node);
    model_ended(node, !coact_reason_is_expected(how));
}

static void
terminate(coact_supervisor_ref top, struct node *node)
{
    coact_supervisor_ref parent = find_supervisor(top, node->parent);
    ck_assert_int_eq(
        coact_child_terminate(parent, node->name, coact_in_ms(1000)), 0);
    model_stop(node);
}

static void
start_again(coact_supervisor_ref top, struct node *node)
{
    coact_supervisor_ref parent = find_supervisor(top, node->parent);
    ck_assert_int_eq(
        coact_child_restart(parent, node->name, coact_in_ms(1000), NULL), 0);
    model_start(node);
}

static void
one_event(coact_supervisor_ref top)
{
    static const int ends[] = {COACT_NORMAL, COACT_SHUTDOWN, COACT_KILLED, -EIO,
                               300};
    unsigned what = chance(10);
    struct node *node = pick(what != 9);
    if (what == 8) {
        ck_assert_int_eq(coact_sleep(coact_in_ns(2 * PERIOD_NS)), 0);
    }
    if (node == NULL) {
        return;
    }
    if (what == 9) {
        start_again(top, node);
    } else if (what == 7) {
        terminate(top, node);
    } else {
        blow(top, node, ends[chance(COUNT(ends))]);
    }
}

static void
compare(int event)
{
    ck_assert_msg(strcmp(world_trace, model_trace) == 0,
                  "event %d\n  tree  %.600s\n  model %.600s", event,
                  world_trace, model_trace);
    world_trace[0] = model_trace[0] = '\0';
}

static unsigned long events_seen, gave_up;

static void
play(world_self self)
{
    (void)self;
    struct node *root = grow(NULL, 0);
    coact_supervisor_ref top = supervise(&root->spec);
    model_start(root);
    compare(-1);
    for (int i = 0; i < EVENTS && root->is_running; i++) {
        one_event(top);
        compare(i);
        events_seen++;
    }
    struct coact_reason why = {.code = -1};
    if (root->is_running) {
        stop(top);
        model_stop(root);
        compare(EVENTS);
        return;
    }
    gave_up++;
    ck_assert_int_eq(coact_join(top.ref, coact_in_ms(10), &why), 0);
    ck_assert(why.code == COACT_GAVE_UP || why.code == COACT_NOPROC);
}

static void
play_seed(uint64_t seed)
{
    suite_seed(seed);
    node_count = 0;
    world_log[0] = world_trace[0] = '\0';
    chance_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    in_world_seeded(play, seed);
}

START_TEST(random_trees_and_crashes_follow_the_model)
{
    uint64_t seed;
    if (suite_seed_asked(&seed)) {
        play_seed(seed);
        return;
    }
    for (seed = 1; seed <= 400; seed++) {
        play_seed(seed);
    }
    // The schedules are long enough to mean something.
    ck_assert_uint_gt(events_seen, 4000);
    ck_assert_uint_gt(gave_up, 50);
}
END_TEST

SUITE_MAIN("supervisor_model", random_trees_and_crashes_follow_the_model)
