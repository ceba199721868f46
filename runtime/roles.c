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

void
coact__roles_init(struct coact__roles *roles)
{
    *roles = (struct coact__roles){.count = 1};
    roles->of[0].name = "default";
    roles->of[0].weight = COACT__ROLE_WEIGHT;
}

int
coact__roles_add(struct coact__roles *roles, const char *name, uint32_t weight,
                 int64_t target_ns)
{
    if (roles->count == COACT__ROLES) {
        return -ENOSPC;
    }
    uint32_t number = roles->count++;
    struct coact__role *role = &roles->of[number];
    role->name = name;
    role->weight = weight != 0 ? weight : COACT__ROLE_WEIGHT;
    role->target_ns = target_ns;
    if (target_ns != 0) {
        roles->tight |= UINT32_C(1) << number;
    }
    return (int)number;
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
    int64_t clock = clock_of(roles, role);
    int64_t was = atomic_load_explicit(&of->clock_ns, memory_order_relaxed);
    int64_t more = ns * COACT__ROLE_WEIGHT / of->weight;
    // Two workers charge one role at a time: neither addition may be lost.
    atomic_fetch_add_explicit(&of->clock_ns, clock - was + more,
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&of->used_ns, ns, memory_order_relaxed);
}

static int64_t
target_of(const struct coact__roles *roles, uint32_t role)
{
    int64_t target = roles->of[role].target_ns;
    return target != 0 ? target : INT64_MAX;
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
    *urgent = 0;
    for (uint32_t left = roles->tight; left != 0; left &= left - 1) {
        uint32_t role = (uint32_t)__builtin_ctz(left);
        if (target_of(roles, role) < target_of(roles, chosen) &&
            clock_of(roles, role) <= first + COACT__ROLE_CREDIT_NS) {
            *urgent |= UINT32_C(1) << role;
        }
    }
    return chosen;
}

int64_t
coact__roles_lag(struct coact__roles *roles, uint32_t role, uint32_t behind)
{
    return clock_of(roles, behind) - clock_of(roles, role);
}
