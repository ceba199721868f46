/*
 * manual_test.c - the pieces of C in docs/manual.md, whole and run.
 *
 * It is linked with libcoact-sim, as the manual's chapter on tests tells: the
 * test's thread is the only one, and time passes when nobody can run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/docs/manual_runtime.h"

#include <coact/actor.h>
#include <coact/supervisor.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Messages ------------------------------------------------------------ */

struct place {
    coact_text street;
    uint16_t number;
};
COACT_MESSAGE(place, (1, street), (2, number));

enum urgency { LOW, HIGH };

struct order {
    uint64_t customer;
    enum urgency urgency;
    struct place to;
    COACT_REPEATED(uint32_t) items;
    coact_ref reply_to;
};
COACT_MESSAGE(order, (1, customer), (2, urgency, ENUM), (3, to, NESTED, place),
              (4, items, REPEATED), (5, reply_to, REF));

struct label {
    coact_text text;
};
COACT_MESSAGE(label, (1, text));

COACT_SIGNAL(close_shop);

COACT_MAILBOX(clerk, order, label, close_shop);

struct shop {
    coact_text last_street;
    coact_text last_label;
    size_t items;
};

static void
clerk_body(clerk_self self, void *arg)
{
    struct shop *shop = arg;
    for (bool open = true; open;) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(order, m): {
            shop->items += m->items.count;
            coact_text_free(&shop->last_street);
            shop->last_street = coact_text_take(&m->to.street);
        } break;
        case COACT_ON(label, m): {
            coact_text_free(&shop->last_label);
            shop->last_label = coact_text_take(&m->text);
        } break;
        case COACT_ON(close_shop, m):
            open = false;
            break;
        }
    }
}

static int
send_order(clerk_ref clerk, const char *street)
{
    uint32_t *items = coact_list_new(2, sizeof(*items));
    if (items == NULL) {
        return -ENOMEM;
    }
    items[0] = 17;
    items[1] = 4;
    return coact_send(clerk, order, .customer = 1, .urgency = HIGH,
                      .to.street = coact_text_copy(street), .to.number = 12,
                      .items = {items, 2});
}

START_TEST(a_text_taken_out_of_a_message_outlives_it)
{
    struct coact_runtime *runtime = begin();
    struct shop shop = {0};
    clerk_ref clerk;
    ck_assert_int_eq(coact_spawn(clerk, &clerk, clerk_body, &shop), 0);
    ck_assert_int_eq(send_order(clerk, "Long Lane"), 0);
    ck_assert_int_eq(
        coact_send(clerk, label, .text = coact_text_copy("fragile")), 0);
    ck_assert_int_eq(coact_send(clerk, close_shop, 0), 0);
    ck_assert_int_eq(coact_join(clerk.ref, COACT_FOREVER, NULL), 0);
    ck_assert_str_eq(coact_text_cstr(shop.last_street), "Long Lane");
    ck_assert_str_eq(coact_text_cstr(shop.last_label), "fragile");
    ck_assert_uint_eq(shop.items, 2);
    coact_text_free(&shop.last_street);
    coact_text_free(&shop.last_label);
    end(runtime);
}
END_TEST

/* ---- Receiving ----------------------------------------------------------- */

struct step {
    int32_t number;
};
COACT_MESSAGE(step, (1, number));
COACT_SIGNAL(pause_work);
COACT_SIGNAL(resume_work);

COACT_MAILBOX(walker, step, pause_work, resume_work);

struct walk {
    char said[64];
};

static void
say(struct walk *walk, const char *word)
{
    size_t used = strlen(walk->said);
    snprintf(walk->said + used, sizeof(walk->said) - used, "%s ", word);
}

static void
wait_for_resume(walker_self self, struct walk *walk)
{
    COACT_RECEIVE_ONLY(self, coact_in_ms(60000), resume_work) {
    case COACT_ON(resume_work, m):
        say(walk, "resumed");
        break;
    case COACT_ON_TIMEOUT:
        say(walk, "bored");
        break;
    }
}

static void
walker_body(walker_self self, void *arg)
{
    struct walk *walk = arg;
    for (bool done = false; !done;) {
        COACT_RECEIVE(self, coact_in_ms(1000)) {
        case COACT_ON(step, m):
            say(walk, m->number == 1 ? "one" : "two");
            break;
        case COACT_ON(pause_work, m):
            wait_for_resume(self, walk);
            break;
        case COACT_ON_TIMEOUT:
            done = true;
            break;
        }
    }
}

START_TEST(what_a_selective_receive_skips_keeps_its_order)
{
    struct coact_runtime *runtime = begin();
    struct walk walk = {""};
    walker_ref walker;
    ck_assert_int_eq(coact_spawn(walker, &walker, walker_body, &walk), 0);
    ck_assert_int_eq(coact_send(walker, pause_work, 0), 0);
    ck_assert_int_eq(coact_send(walker, step, .number = 1), 0);
    ck_assert_int_eq(coact_send(walker, step, .number = 2), 0);
    ck_assert_int_eq(coact_send(walker, resume_work, 0), 0);
    ck_assert_int_eq(coact_join(walker.ref, COACT_FOREVER, NULL), 0);
    ck_assert_str_eq(walk.said, "resumed one two ");
    end(runtime);
}
END_TEST

/* ---- Asking -------------------------------------------------------------- */

struct table {
    uint32_t number;
};
struct ask_table {
    uint32_t guests;
};
COACT_MESSAGE(table, (1, number));
COACT_REQUEST(ask_table, table, (1, guests));
COACT_SIGNAL(table_is_free);

COACT_MAILBOX(host, ask_table, table_is_free);

static void
host_body(host_self self, void *arg)
{
    struct ask_table *waiting = NULL;
    (void)arg;
    for (;;) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(ask_table, m): {
            if (waiting == NULL) {
                waiting = coact_keep(m); /* answered later */
            }
        } break; /* a second guest is dropped: his ask says -EPIPE */
        case COACT_ON(table_is_free, m): {
            if (waiting != NULL) {
                coact_reply_to(ask_table, waiting, .number = 5);
                coact_release(waiting);
                waiting = NULL;
            }
        } break;
        }
    }
}

struct guest {
    host_ref host;
    int rc;
    struct table table;
};

static void
seat(struct guest *guest)
{
    struct table table;
    int rc = coact_ask(guest->host, ask_table, &table, coact_in_ms(2000),
                       .guests = 2);
    switch (rc) {
    case 0:
        guest->table = table;
        break;
    case -ETIMEDOUT:  /* no answer in time; a late one is dropped */
    case -EOWNERDEAD: /* the host died: coact_last_reason() tells why */
    case -ESRCH:      /* there was no host */
    case -EPIPE:      /* the host received it, and gave no answer */
    case -ENOTCONN:   /* the host's node is out of reach */
        break;
    case -ECANCELED: /* we are asked to end: unwind, and return */
        break;
    default:
        break;
    }
    guest->rc = rc;
}

static void
guest_body(host_self self, void *arg)
{
    (void)self;
    seat(arg);
}

START_TEST(a_request_that_was_kept_is_answered_later)
{
    struct coact_runtime *runtime = begin();
    host_ref host;
    host_ref guests[3];
    struct guest seats[3];
    ck_assert_int_eq(coact_spawn(host, &host, host_body, NULL), 0);
    for (int i = 0; i < 2; i++) {
        seats[i] = (struct guest){.host = host};
        ck_assert_int_eq(coact_spawn(host, &guests[i], guest_body, &seats[i]),
                         0);
    }
    ck_assert_int_eq(coact_join(guests[1].ref, COACT_FOREVER, NULL), 0);
    ck_assert_int_eq(seats[1].rc, -EPIPE);
    ck_assert_int_eq(coact_send(host, table_is_free, 0), 0);
    ck_assert_int_eq(coact_join(guests[0].ref, COACT_FOREVER, NULL), 0);
    ck_assert_int_eq(seats[0].rc, 0);
    ck_assert_uint_eq(seats[0].table.number, 5);
    // Nobody answers the third, who gives up after two seconds.
    int64_t before = coact_now_ns();
    seats[2] = (struct guest){.host = host};
    ck_assert_int_eq(coact_spawn(host, &guests[2], guest_body, &seats[2]), 0);
    ck_assert_int_eq(coact_join(guests[2].ref, COACT_FOREVER, NULL), 0);
    ck_assert_int_eq(seats[2].rc, -ETIMEDOUT);
    ck_assert_int_ge(coact_now_ns() - before, COACT_SECONDS(2));
    end(runtime);
}
END_TEST

/* ---- Ending -------------------------------------------------------------- */

struct oven {
    char said[64];
};

static void
put_out(void *arg)
{
    struct oven *oven = arg;
    strcat(oven->said, "out");
}

static int
bake(struct oven *oven)
{
    for (int minutes = 0; minutes < 40; minutes++) {
        int rc = coact_sleep(coact_in_ms(60000));
        if (rc < 0) {
            return rc; /* -ECANCELED: asked to end */
        }
    }
    strcat(oven->said, "baked ");
    return 0;
}

static void
baker_body(host_self self, void *arg)
{
    struct oven *oven = arg;
    (void)self;
    COACT_CHECK(coact_defer(put_out, oven) == 0);
    if (bake(oven) < 0) {
        strcat(oven->said, "unbaked ");
    }
}

START_TEST(an_actor_that_is_asked_to_end_unwinds)
{
    struct coact_runtime *runtime = begin();
    struct oven ovens[2] = {{""}, {""}};
    host_ref bakers[2];
    struct coact_reason why;
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(coact_spawn(host, &bakers[i], baker_body, &ovens[i]),
                         0);
    }
    ck_assert_int_eq(coact_join(bakers[0].ref, coact_in_ms(90000), NULL),
                     -ETIMEDOUT);
    ck_assert_int_eq(coact_kill(bakers[0].ref), 0);
    ck_assert_int_eq(coact_join(bakers[0].ref, COACT_FOREVER, NULL), 0);
    ck_assert_str_eq(ovens[0].said, "unbaked out");
    ck_assert_int_eq(coact_join(bakers[1].ref, COACT_FOREVER, &why), 0);
    ck_assert_int_eq(why.code, COACT_NORMAL);
    ck_assert_str_eq(ovens[1].said, "baked out");
    end(runtime);
}
END_TEST

/* ---- Links --------------------------------------------------------------- */

COACT_SIGNAL(start_now);
COACT_MAILBOX(pair, start_now);

static void
failing_body(pair_self self, void *arg)
{
    (void)arg;
    COACT_RECEIVE(self, COACT_FOREVER) {
    case COACT_ON(start_now, m):
        coact_fail(-EIO, "the disk is full");
    }
}

struct watch {
    struct coact_reason heard;
};

static void
trapping_body(pair_self self, void *arg)
{
    struct watch *watch = arg;
    pair_ref other;
    COACT_CHECK(coact_trap_exit(true) == 0);
    COACT_CHECK(
        coact_spawn_with(pair, &other, failing_body, NULL, .link = true) == 0);
    COACT_CHECK(coact_send(other, start_now, 0) == 0);
    COACT_RECEIVE(self, COACT_FOREVER) {
    case COACT_ON_EXIT(e):
        watch->heard = e->reason;
        break;
    }
}

START_TEST(who_traps_exits_hears_of_a_linked_actors_end)
{
    struct coact_runtime *runtime = begin();
    struct watch watch = {{0}};
    pair_ref trapping;
    ck_assert_int_eq(coact_spawn(pair, &trapping, trapping_body, &watch), 0);
    ck_assert_int_eq(coact_join(trapping.ref, COACT_FOREVER, NULL), 0);
    ck_assert_int_eq(watch.heard.code, -EIO);
    ck_assert_str_eq(watch.heard.text, "the disk is full");
    end(runtime);
}
END_TEST

/* ---- Supervisors and names ----------------------------------------------- */

static void
pool_body(pair_self self, void *arg)
{
    struct watch *watch = arg;
    (void)self;
    COACT_CHECK(watch != NULL);
    if (coact_started() < 0) {
        coact_fail(-ENOMEM, "cannot tell the supervisor");
    }
    (void)coact_sleep(COACT_FOREVER);
}

static int
start_tree(struct watch *watch, coact_supervisor_ref *top)
{
    const struct coact_child workers[] = {
        COACT_CHILD(pair, "left", pool_body, watch, .wait_init = true),
        COACT_CHILD(pair, "right", pool_body, watch, .wait_init = true,
                    .options.name = "right"),
    };
    const struct coact_supervisor pool = {
        .strategy = COACT_ONE_FOR_ALL,
        .children = workers,
        .child_count = 2,
    };
    const struct coact_child all[] = {
        COACT_CHILD(host, "host", host_body, NULL, .restart = COACT_TRANSIENT),
        COACT_CHILD_SUPERVISOR("pool", &pool),
    };
    const struct coact_supervisor spec = {
        .strategy = COACT_REST_FOR_ONE,
        .intensity = 3,
        .period_ns = COACT_SECONDS(10),
        .children = all,
        .child_count = 2,
        .label = "restaurant",
    };
    struct coact_reason why;
    int rc = coact_supervise(&spec, coact_in_ms(5000), top, &why);
    if (rc < 0) {
        fprintf(stderr, "%s: %s\n", coact_strerror(rc), why.text);
    }
    return rc;
}

START_TEST(a_tree_starts_in_order_and_is_found_by_names)
{
    struct coact_runtime *runtime = begin();
    struct watch watch = {{0}};
    coact_supervisor_ref top;
    ck_assert_int_eq(start_tree(&watch, &top), 0);

    pair_ref right;
    ck_assert_int_eq(coact_whereis(pair, "right", &right), 0);
    ck_assert_int_eq(coact_kill(right.ref), 0);
    ck_assert_int_eq(coact_join(right.ref, COACT_FOREVER, NULL), 0);

    coact_supervisor_ref pool;
    pair_ref again;
    int64_t deadline = coact_in_ms(1000);
    ck_assert_int_eq(coact_child_find_supervisor(top, "pool", &pool, deadline),
                     0);
    ck_assert_int_eq(coact_child_find(pool, pair, "right", &again, deadline),
                     0);
    ck_assert(!coact_ref_equal(again.ref, right.ref));
    ck_assert_int_eq(coact_supervisor_stop(top, coact_in_ms(5000), NULL), 0);
    end(runtime);
}
END_TEST

/* ---- Looking in ---------------------------------------------------------- */

static bool
print_one(void *context, const struct coact_actor_info *info)
{
    FILE *to = context;
    fprintf(to, "%u.%u %s: %s, %llu wait\n", info->ref.slot,
            info->ref.generation, info->label, info->state,
            (unsigned long long)info->queued);
    return true;
}

static void
print_all(struct coact_runtime *runtime, FILE *to)
{
    struct coact_runtime_stats stats;
    coact_stats(runtime, &stats);
    fprintf(to, "%llu actors, %llu dead letters, %llu misuses\n",
            (unsigned long long)stats.actors_alive,
            (unsigned long long)stats.dead_letters,
            (unsigned long long)stats.misuses);
    coact_each_actor(runtime, print_one, to);
}

START_TEST(the_list_of_actors_says_what_each_waits_for)
{
    struct coact_runtime *runtime = begin();
    char text[512] = "";
    FILE *to = fmemopen(text, sizeof(text), "w");
    host_ref host;
    ck_assert_int_eq(
        coact_spawn_with(host, &host, host_body, NULL, .label = "the host"), 0);
    ck_assert_int_eq(coact_send(host, table_is_free, 0), 0);
    coact_pump(runtime, coact_in_ms(1));
    print_all(runtime, to);
    fclose(to);
    ck_assert_ptr_nonnull(strstr(text, "1 actors, 0 dead letters, 0 misuses"));
    ck_assert_ptr_nonnull(strstr(text, "the host: receive, 0 wait"));
    end(runtime);
}
END_TEST

/* ---- A test of one's own ------------------------------------------------- */

START_TEST(a_minute_of_simulated_time_takes_no_time)
{
    const struct coact_runtime_options options = {.host_driven = true};
    struct coact_runtime *runtime;
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);

    struct walk walk = {""};
    walker_ref walker;
    ck_assert_int_eq(coact_spawn(walker, &walker, walker_body, &walk), 0);
    ck_assert_int_eq(coact_send(walker, pause_work, 0), 0);
    int64_t before = coact_now_ns();
    ck_assert_int_eq(coact_join(walker.ref, COACT_FOREVER, NULL), 0);
    ck_assert_int_ge(coact_now_ns() - before, COACT_SECONDS(61));
    ck_assert_str_eq(walk.said, "bored ");

    coact_detach();
    ck_assert_int_eq(coact_stop(runtime, COACT_FOREVER), 0);
    ck_assert_int_eq(coact_free(runtime), 0);
}
END_TEST

/* ---- Hibernation --------------------------------------------------------- */

static void
must(int rc)
{
    ck_assert_int_eq(rc, 0);
}

START_TEST(an_actor_that_mostly_waits_is_hibernated)
{
    struct coact_runtime *runtime = begin();
    struct walk walk = {""};
    walker_ref walker;
    struct coact_runtime_stats stats;
    must(coact_spawn_with(walker, &walker, walker_body, &walk,
                          .hibernate = COACT_HIBERNATE_LATER));
    // This one waits for a second at most: it stays on its stack.
    must(coact_join(walker.ref, COACT_FOREVER, NULL));
    host_ref host;
    must(coact_spawn_with(host, &host, host_body, NULL,
                          .hibernate = COACT_HIBERNATE_LATER));
    must(coact_send(host, table_is_free, 0));
    struct table table;
    ck_assert_int_eq(coact_ask(host, ask_table, &table,
                               coact_now_ns() + COACT_SECONDS(16), .guests = 2),
                     -ETIMEDOUT);
    coact_stats(runtime, &stats);
    ck_assert_uint_eq(stats.actors_hibernated, 1);
    end(runtime);
}
END_TEST

SUITE_MAIN("manual", an_actor_that_mostly_waits_is_hibernated,
           a_text_taken_out_of_a_message_outlives_it,
           what_a_selective_receive_skips_keeps_its_order,
           a_request_that_was_kept_is_answered_later,
           an_actor_that_is_asked_to_end_unwinds,
           who_traps_exits_hears_of_a_linked_actors_end,
           a_tree_starts_in_order_and_is_found_by_names,
           the_list_of_actors_says_what_each_waits_for,
           a_minute_of_simulated_time_takes_no_time)
