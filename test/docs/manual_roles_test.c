/*
 * manual_roles_test.c - what the manual says of roles.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/support/suite.h"

#include <coact/actor.h>
#include <coact/runtime.h>

static const struct coact_role_options roles[] = {
    {.name = "front", .weight = 300, .target_ns = COACT_MS(5)},
    {.name = "reports", .weight = 100}};

static struct coact_runtime *
open_shop(void)
{
    const struct coact_runtime_options options = {
        .roles = roles, .role_count = sizeof(roles) / sizeof(roles[0])};
    struct coact_runtime *runtime = NULL;
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    return runtime;
}

static void
close_shop(struct coact_runtime *runtime)
{
    coact_detach();
    ck_assert_int_eq(coact_stop(runtime, COACT_FOREVER), 0);
    ck_assert_int_eq(coact_free(runtime), 0);
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
    struct coact_runtime *runtime = open_shop();
    clerk_ref out;
    int rc = coact_spawn_with(clerk, &out, clerk_body, NULL,
                              .role = coact_role_named("batch"));
    ck_assert_int_eq(rc, 0);
    struct coact_reason reason;
    ck_assert_int_eq(coact_join(out.ref, COACT_FOREVER, &reason), 0);
    ck_assert_int_eq(reason.code, COACT_NORMAL);
    close_shop(runtime);
}
END_TEST

SUITE_MAIN("manual_roles", an_actor_has_a_role_and_can_change_it)
