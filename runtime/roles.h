/*
 * roles.h - whose turn it is: shares of the processors for kinds of tasks.
 *
 * Each task has a role.  Roles share processor time by weight, not by turns: a
 * role's clock runs slower the more weight it has, and the role whose clock is
 * furthest behind is next.  The clocks are those of the whole scheduler, so that
 * shares hold over all workers.  A role that had nothing to run does not save
 * up: its clock is never further behind than COACT__ROLE_CREDIT_NS.  One that has
 * had far too much, in one long run, is not kept waiting for all of it: its clock
 * is never further ahead than COACT__ROLE_DEBT_NS.
 *
 * A role may have a target: how late its tasks may run when they are ready.  One
 * with a tighter target does not wait for the end of another role's turn, as
 * long as its clock is behind.
 *
 * A role that no task has ever had costs nothing: it is not `used`, and its
 * target binds nobody.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_ROLES_H
#define COACT_RUNTIME_ROLES_H

#include "runtime/ready.h"

#include <stdatomic.h>
#include <stdint.h>

#define COACT__ROLE_CREDIT_NS INT64_C(20000000)
#define COACT__ROLE_DEBT_NS INT64_C(200000000)
#define COACT__ROLE_WEIGHT 100u /* of a role of which nobody said anything */

struct coact__role {
    const char *name;
    uint32_t weight;   /* not 0 */
    int64_t target_ns; /* 0: none */
    char apart[64 - 2 * sizeof(void *) - sizeof(int64_t)];
    // Relaxed: an approximation is all that a share needs.
    _Atomic int64_t clock_ns; /* used time, by weight */
    _Atomic int64_t used_ns;
    char apart_from_next[64 - 2 * sizeof(int64_t)];
};

struct coact__roles {
    uint32_t count; /* at least 1; fixed from the start */
    // Relaxed: bits are only set, each before the first task of its role.
    _Atomic uint32_t used;  /* bit r: a task has, or had, role r */
    _Atomic uint32_t tight; /* bit r: that too, and role r has a target */
    struct coact__role of[COACT__ROLES];
    char apart[64];
    _Atomic int64_t now_ns; /* the clock of who had the last turn */
};

/* What a role is to be; the name is lent for as long as there are roles. */
struct coact__role_spec {
    const char *name;
    uint32_t weight; /* 0: COACT__ROLE_WEIGHT */
    int64_t target_ns;
};

/* One role, the default one, with number 0. */
void coact__roles_init(struct coact__roles *roles);

/* One more, or one of that name anew: its number, or -EINVAL.  Before the
   scheduler runs. */
int coact__roles_add(struct coact__roles *roles,
                     const struct coact__role_spec *spec);

/* The number of a name, or -ENOENT.  from any */
int coact__roles_find(const struct coact__roles *roles, const char *name);

/* A task is to have this role.  from any */
static inline bool
coact__roles_is_used(const struct coact__roles *roles, uint32_t role)
{
    return (atomic_load_explicit(&roles->used, memory_order_relaxed) >> role &
            1) != 0;
}
void coact__roles_use(struct coact__roles *roles, uint32_t role);

/* Is there a question whose turn it is? */
static inline bool
coact__roles_are_several(const struct coact__roles *roles)
{
    uint32_t used = atomic_load_explicit(&roles->used, memory_order_relaxed);
    return (used & (used - 1)) != 0;
}

/* A role has used a processor for that long.  from worker */
void coact__roles_charge(struct coact__roles *roles, uint32_t role, int64_t ns);

/* Which of those in `waiting` (not 0) has the next turn, and in *urgent those
   that may interrupt it.  from worker */
uint32_t coact__roles_choose(struct coact__roles *roles, uint32_t waiting,
                             uint32_t *urgent);

/* How far the clock of a role is behind that of another; for thieves. */
int64_t coact__roles_lag(struct coact__roles *roles, uint32_t role,
                         uint32_t other);

/* How long a role has had a processor, all in all.  from any */
static inline int64_t
coact__roles_used_ns(const struct coact__roles *roles, uint32_t role)
{
    return atomic_load_explicit(&roles->of[role].used_ns, memory_order_relaxed);
}

#endif
