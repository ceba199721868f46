/*
 * manual_roles_test.c - what the manual says of roles.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/docs/manual_runtime.h"

#include <coact/account.h>
#include <coact/actor.h>
#include <coact/limit.h>

#include <errno.h>
#include <stdio.h>

static const struct coact_role_options roles[] = {
    {.name = "front", .weight = 300, .target_ns = COACT_MS(5)},
    {.name = "reports", .weight = 100}};

static void
missed(void *context, const struct coact_missed *missed)
{
    (void)context;
    fprintf(stderr, "%s: 1 of 100 is more than %.1f ms late\n", missed->role,
            (double)missed->delay.p99_ns / 1e6);
}

static const struct coact_role_options watched_roles[] = {
    {.name = "default", .target_ns = COACT_MS(5), .missed = missed}};

static struct coact_runtime *
begin_with_roles(const struct coact_role_options *with, uint32_t count)
{
    const struct coact_runtime_options options = {.roles = with,
                                                  .role_count = count};
    return begin_with(&options);
}

COACT_SIGNAL(hello);
COACT_MAILBOX(clerk, hello);

/* ---- Roles --------------------------------------------------------------- */

static void
clerk_body(clerk_self self, void *arg)
{
    (void)self, (void)arg;
    ck_assert_uint_eq(coact_role_here().id, coact_role_named("batch").id);
    ck_assert_int_eq(coact_set_role(coact_role_named("front")), 0);
}

START_TEST(an_actor_has_a_role_and_can_change_it)
{
    struct coact_runtime *runtime = begin_with_roles(roles, 2);
    clerk_ref out;
    int rc = coact_spawn_with(clerk, &out, clerk_body, NULL,
                              .role = coact_role_named("batch"));
    ck_assert_int_eq(rc, 0);
    struct coact_reason reason;
    ck_assert_int_eq(coact_join(out.ref, COACT_FOREVER, &reason), 0);
    ck_assert_int_eq(reason.code, COACT_NORMAL);
    end(runtime);
}
END_TEST

static void
sleeper_body(clerk_self self, void *arg)
{
    (void)self, (void)arg;
    coact_sleep(coact_in_ms(10));
}

START_TEST(how_late_actors_are_is_measured)
{
    struct coact_runtime *runtime = begin_with_roles(watched_roles, 1);
    clerk_ref out;
    ck_assert_int_eq(coact_spawn(clerk, &out, sleeper_body, NULL), 0);
    ck_assert_int_eq(coact_join(out.ref, COACT_FOREVER, NULL), 0);
    struct coact_delay delay;
    ck_assert_int_eq(
        coact_delay_ever(runtime, coact_role_named("default"), &delay), 0);
    ck_assert_uint_gt(delay.count, 0);
    ck_assert_int_lt(delay.max_ns, COACT_MS(5));
    end(runtime);
}
END_TEST

/* ---- Limits -------------------------------------------------------------- */

static int
run_query(void)
{
    return coact_sleep(coact_in_ms(1));
}

static int
query(struct coact_limit *queries)
{
    int rc = coact_limit_enter(queries, coact_in_ms(500));
    if (rc < 0) {
        return rc; /* -EAGAIN: the queue is full; -ETIMEDOUT; -ECANCELED */
    }
    rc = run_query();
    coact_limit_leave(queries);
    return rc;
}

static void
client_body(clerk_self self, void *arg)
{
    (void)self;
    ck_assert_int_eq(query(arg), 0);
}

START_TEST(a_limit_bounds_how_many_work)
{
    struct coact_runtime *runtime = begin_with_roles(roles, 2);
    const struct coact_limit_options options = {.most = 8, .queue_most = 100};
    struct coact_limit *queries = NULL;
    int rc = coact_limit_new(&options, &queries);
    ck_assert_int_eq(rc, 0);
    clerk_ref clients[50];
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(coact_spawn(clerk, &clients[i], client_body, queries),
                         0);
    }
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(coact_join(clients[i].ref, COACT_FOREVER, NULL), 0);
    }
    ck_assert_int_eq(coact_limit_free(queries), 0);
    end(runtime);
}
END_TEST

/* ---- Accounts ------------------------------------------------------------ */

START_TEST(an_account_tells_where_the_time_went)
{
    struct coact_runtime *runtime = begin_with_roles(roles, 2);
    clerk_ref out;
    ck_assert_int_eq(
        coact_spawn_with(clerk, &out, sleeper_body, NULL, .account = true), 0);
    ck_assert_int_eq(coact_join(out.ref, coact_in_ms(5), NULL), -ETIMEDOUT);
    struct coact_account account;
    if (coact_account_of(out.ref, &account) == 0) {
        printf("running %.3f s, ready %.3f s, in ask %.3f s of %.3f s\n",
               (double)account.running_ns / 1e9, (double)account.ready_ns / 1e9,
               (double)account.ask_ns / 1e9, (double)account.total_ns / 1e9);
    }
    ck_assert_int_ge(account.sleep_ns, COACT_MS(4));
    end(runtime);
}
END_TEST

SUITE_MAIN("manual_roles", an_actor_has_a_role_and_can_change_it,
           how_late_actors_are_is_measured, a_limit_bounds_how_many_work,
           an_account_tells_where_the_time_went)
