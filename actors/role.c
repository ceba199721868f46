/*
 * role.c - roles as users name them, and roles that are lent.
 *
 * An actor with sender_role sleeps with a wish beside its role: whoever wakes it
 * leaves his own there, so that it waits in the right queue from the start.  For
 * a message that was queued meanwhile it changes the role when it takes it; the
 * role of the sender is in the envelope, where `back` is not in use yet.
 *
 * Who waits behind a message waits for it.  So an actor that lends looks along
 * its queue, and runs in the tightest role that it finds within LENT_LOOK.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/role_internal.h"

#include "actors/life.h"
#include "actors/limit_internal.h"
#include "actors/switch_check.h"
#include "runtime/memory.h"

#include <errno.h>
#include <string.h>

#define LENT_LOOK 16

/* ---- The runtime's ---- */

static const struct coact__role_spec built_in[] = {
    {.name = "system", .weight = 1000, .target_ns = COACT_MS(1)},
    {.name = "interactive", .weight = 400, .target_ns = COACT_MS(2)},
    {.name = "batch", .weight = 25}};
enum { BUILT_IN = sizeof(built_in) / sizeof(built_in[0]) };

int
coact__role_specs(const struct coact_runtime_options *options,
                  struct coact__role_list *out)
{
    *out = (struct coact__role_list){.count = BUILT_IN};
    memcpy(out->specs, built_in, sizeof(built_in));
    for (uint32_t i = 0; i < options->role_count; i++) {
        const struct coact_role_options *role = &options->roles[i];
        if (role->name == NULL || role->target_ns < 0 ||
            (role->limit != 0 && strcmp(role->name, "default") == 0) ||
            out->count == COACT__ROLES - 1 + BUILT_IN) {
            return -EINVAL;
        }
        out->specs[out->count++] = (struct coact__role_spec){
            role->name, role->weight, role->target_ns};
    }
    return 0;
}

int
coact__role_limits_start(struct coact_runtime *runtime)
{
    const struct coact_runtime_options *options = &runtime->options;
    int rc = 0;
    for (uint32_t i = 0; i < options->role_count && rc == 0; i++) {
        const struct coact_role_options *role = &options->roles[i];
        int number = coact__roles_find(&runtime->scheduler.roles, role->name);
        // Of two of one name the last one holds.
        coact_limit_free(runtime->role_limits[number]);
        runtime->role_limits[number] = NULL;
        if (role->limit != 0) {
            rc = coact_limit_new(
                &(const struct coact_limit_options){.most = role->limit,
                                                    .rigid = role->rigid_limit},
                &runtime->role_limits[number]);
        }
    }
    if (rc < 0) {
        coact__role_limits_free(runtime);
    }
    return rc;
}

void
coact__role_limits_free(struct coact_runtime *runtime)
{
    for (uint32_t i = 0; i < COACT__ROLES; i++) {
        coact_limit_free(runtime->role_limits[i]);
    }
}

coact_role
coact_role_in(const struct coact_runtime *runtime, const char *name)
{
    int found = coact__roles_find(&runtime->scheduler.roles, name);
    return (coact_role){found < 0 ? 0 : (uint8_t)(found + 1)};
}

coact_role
coact_role_named(const char *name)
{
    const struct coact_runtime *runtime = coact__runtime_here();
    return runtime != NULL ? coact_role_in(runtime, name) : (coact_role){0};
}

bool
coact__role_exists(const struct coact_runtime *runtime, coact_role role)
{
    return role.id != 0 && role.id <= runtime->scheduler.roles.count;
}

int
coact_stats_of_role(struct coact_runtime *runtime, coact_role role,
                    struct coact_role_stats *out)
{
    if (!coact__role_exists(runtime, role)) {
        return -EINVAL;
    }
    const struct coact__roles *roles = &runtime->scheduler.roles;
    const struct coact__role *of = &roles->of[role.id - 1];
    *out = (struct coact_role_stats){
        .name = of->name,
        .weight = of->weight,
        .target_ns = of->target_ns,
        .used_ns = coact__roles_used_ns(roles, role.id - 1U)};
    struct coact_limit *limit = runtime->role_limits[role.id - 1];
    if (limit != NULL) {
        coact_stats_of_limit(limit, &out->limit);
    }
    return 0;
}

/* ---- An actor's ---- */

coact_role
coact_role_here(void)
{
    struct coact__actor *actor = coact__actor_here();
    return (coact_role){actor != NULL ? (uint8_t)(actor->task.runnable.role + 1)
                                      : 0};
}

uint8_t
coact__role_own(const struct coact__actor *actor)
{
    return (actor->traits & COACT__LENDS) != 0 ? actor->extra->own_role
                                               : actor->task.runnable.role;
}

int
coact__role_prepare(struct coact__actor *actor, bool lends)
{
    uint8_t role = actor->task.runnable.role;
    struct coact__roles *roles = &coact__runtime_of(actor)->scheduler.roles;
    if (!coact__roles_is_used(roles, role)) {
        coact__roles_use(roles, role);
    }
    struct coact_limit *limit = coact__runtime_of(actor)->role_limits[role];
    if (COACT__UNLIKELY(limit != NULL)) {
        int rc = coact__limits_of_role(actor, limit);
        if (rc < 0) {
            return rc;
        }
    }
    if (!lends) {
        return 0;
    }
    struct coact__extra *extra = coact__extra_of(actor);
    if (extra == NULL) {
        return -ENOMEM;
    }
    extra->own_role = role;
    actor->traits |= COACT__LENDS;
    return 0;
}

/* Leave, and come back when it is the turn of that role. */
static void
change(struct coact__actor *actor, uint8_t role)
{
    if (role != actor->task.runnable.role) {
        coact__note_wait(actor, "turn");
        coact__task_change_role(&actor->task, role);
        coact__note_awake(actor);
    }
}

int
coact_set_role(coact_role role)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_set_role");
    if (actor == NULL) {
        return -EPERM;
    }
    if (!coact__role_exists(coact__runtime_of(actor), role)) {
        return coact__misuse(coact__runtime_of(actor), -EINVAL,
                             "coact_set_role", "there is no role %u",
                             (unsigned)role.id);
    }
    coact__switch_check(actor, "turn");
    int rc = coact__wait_begin(actor);
    if (rc == 0) {
        rc = coact__limits_of_role(
            actor, coact__runtime_of(actor)->role_limits[role.id - 1]);
    }
    if (rc == 0) {
        if ((actor->traits & COACT__LENDS) != 0) {
            actor->extra->own_role = (uint8_t)(role.id - 1);
        }
        change(actor, (uint8_t)(role.id - 1));
        if ((actor->traits & COACT__LIMITED) != 0) {
            coact__limits_resume(actor);
        }
    }
    return rc;
}

/* ---- Lent ---- */

void
coact__role_wish(struct coact__actor *actor)
{
    actor->task.runnable.role =
        (uint8_t)(actor->extra->own_role | COACT__ROLE_LENT);
}

static uint8_t
role_of(const struct coact__actor *actor,
        const struct coact__envelope *envelope)
{
    return envelope->item.kind <= COACT__KIND_REQUEST &&
                   envelope->item.sender_role != 0
               ? (uint8_t)(envelope->item.sender_role - 1)
               : actor->extra->own_role;
}

static int64_t
target_of(struct coact__actor *actor, uint8_t role)
{
    const struct coact__roles *roles =
        &coact__runtime_of(actor)->scheduler.roles;
    int64_t target = roles->of[role].target_ns;
    return target != 0 ? target : COACT_FOREVER;
}

uint8_t
coact__role_for(struct coact__actor *actor, struct coact__envelope *envelope)
{
    uint8_t tightest = role_of(actor, envelope);
    struct coact__envelope *at = actor->first;
    for (int i = 0; i < LENT_LOOK && at != NULL; i++) {
        uint8_t role = role_of(actor, at);
        if (target_of(actor, role) < target_of(actor, tightest)) {
            tightest = role;
        }
        at = (struct coact__envelope *)(void *)at->item.node.next;
    }
    return tightest;
}

void
coact__role_take(struct coact__actor *actor, uint8_t role)
{
    change(actor, role);
}
