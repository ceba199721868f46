/*
 * roles.c - weighted clocks.
 *
 * After I. Stoica and H. Abdel-Wahab's virtual time, with what each role had
 * counted when it was last charged in place of lags: turns are short against
 * the second over which shares are promised.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/roles.h"

#include <errno.h>
#include <string.h>

void
coact__roles_init(struct coact__roles *roles)
{
    *roles = (struct coact__roles){.count = 1, .used = 1};
    roles->of[0].name = "default";
    roles->of[0].weight = COACT__ROLE_WEIGHT;
}

int
coact__roles_find(const struct coact__roles *roles, const char *name)
{
    for (uint32_t i = 0; i < roles->count; i++) {
        if (strcmp(roles->of[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -ENOENT;
}

int
coact__roles_add(struct coact__roles *roles,
                 const struct coact__role_spec *spec)
{
    int number = coact__roles_find(roles, spec->name);
    if (number < 0) {
        if (roles->count == COACT__ROLES) {
            return -EINVAL;
        }
        number = (int)roles->count++;
    }
    struct coact__role *role = &roles->of[number];
    role->name = spec->name;
    role->weight = spec->weight != 0 ? spec->weight : COACT__ROLE_WEIGHT;
    role->target_ns = spec->target_ns;
    return number;
}

void
coact__roles_use(struct coact__roles *roles, uint32_t role)
{
    uint32_t bit = UINT32_C(1) << role;
    atomic_fetch_or_explicit(&roles->used, bit, memory_order_relaxed);
    if (roles->of[role].target_ns != 0) {
        atomic_fetch_or_explicit(&roles->tight, bit, memory_order_relaxed);
    }
}

/* The clock of a role, not further behind than its credit. */
static int64_t
clock_of(struct coact__roles *roles, uint32_t role)
{
    int64_t clock =
        atomic_load_explicit(&roles->of[role].clock_ns, memory_order_relaxed);
    int64_t least = atomic_load_explicit(&roles->now_ns, memory_order_relaxed) -
                    COACT__ROLE_CREDIT_NS;
    return clock > least ? clock : least;
}

void
coact__roles_charge(struct coact__roles *roles, uint32_t role, int64_t ns)
{
    struct coact__role *of = &roles->of[role];
    atomic_fetch_add_explicit(&of->used_ns, ns, memory_order_relaxed);
    if (!coact__roles_are_several(roles)) {
        return; // nobody to be ahead of, now or when another comes
    }
    int64_t clock = clock_of(roles, role);
    int64_t was = atomic_load_explicit(&of->clock_ns, memory_order_relaxed);
    int64_t more = ns * COACT__ROLE_WEIGHT / of->weight;
    int64_t most = atomic_load_explicit(&roles->now_ns, memory_order_relaxed) +
                   COACT__ROLE_DEBT_NS - clock;
    // What it had with nobody else waiting is no debt: now_ns has moved along.
    more = more < most ? more : most > 0 ? most : 0;
    // Two workers charge one role at a time: neither addition may be lost.
    atomic_fetch_add_explicit(&of->clock_ns, clock - was + more,
                              memory_order_relaxed);
}

static int64_t
target_of(const struct coact__roles *roles, uint32_t role)
{
    int64_t target = roles->of[role].target_ns;
    return target != 0 ? target : INT64_MAX;
}

/* Those that need not wait behind a role with that target: tighter ones, not
   more than their credit ahead of who is furthest behind. */
static uint32_t
urgent_before(struct coact__roles *roles, int64_t target, int64_t first)
{
    uint32_t urgent = 0;
    uint32_t left = atomic_load_explicit(&roles->tight, memory_order_relaxed);
    for (; left != 0; left &= left - 1) {
        uint32_t role = (uint32_t)__builtin_ctz(left);
        if (target_of(roles, role) < target &&
            clock_of(roles, role) <= first + COACT__ROLE_CREDIT_NS) {
            urgent |= UINT32_C(1) << role;
        }
    }
    return urgent;
}

static uint32_t
tightest_of(const struct coact__roles *roles, uint32_t some)
{
    uint32_t tightest = (uint32_t)__builtin_ctz(some);
    for (uint32_t left = some; left != 0; left &= left - 1) {
        uint32_t role = (uint32_t)__builtin_ctz(left);
        if (target_of(roles, role) < target_of(roles, tightest)) {
            tightest = role;
        }
    }
    return tightest;
}

uint32_t
coact__roles_choose(struct coact__roles *roles, uint32_t waiting,
                    uint32_t *urgent)
{
    uint32_t chosen = 0;
    int64_t first = INT64_MAX;
    for (uint32_t left = waiting; left != 0; left &= left - 1) {
        uint32_t role = (uint32_t)__builtin_ctz(left);
        int64_t clock = clock_of(roles, role);
        if (clock < first) {
            first = clock;
            chosen = role;
        }
    }
    // It only moves on: whoever is behind it by more gets its credit, no more.
    if (first > atomic_load_explicit(&roles->now_ns, memory_order_relaxed)) {
        atomic_store_explicit(&roles->now_ns, first, memory_order_relaxed);
    }
    *urgent = urgent_before(roles, target_of(roles, chosen), first);
    if ((*urgent & waiting) != 0) {
        chosen = tightest_of(roles, *urgent & waiting);
        *urgent = urgent_before(roles, target_of(roles, chosen), first);
    }
    return chosen;
}

int64_t
coact__roles_lag(struct coact__roles *roles, uint32_t role, uint32_t other)
{
    return clock_of(roles, other) - clock_of(roles, role);
}
