/*
 * role.h - whose turn it is: kinds of actors, and what share is theirs.
 *
 * Each actor has a role; it is that of the actor which spawned it, unless the
 * spawn names another.  Roles share the processors by weight, by time that was
 * measured and not by turns: of two that have enough to do, one with three
 * times the weight runs three times as long.  Who has nothing to do leaves his
 * share to others, and does not save it up.
 *
 * A role may have a target: how late an actor of it may run when it is ready.
 * It goes before roles with a wider target or none, as long as it has not used
 * more than its share, and does not wait for actors that never yield.
 *
 * These roles are always there; one of the same name in the runtime's options
 * takes the place of one of them:
 *   "default"      weight 100, no target; who is spawned from outside
 *   "system"       weight 1000, 1 ms
 *   "interactive"  weight 400, 2 ms
 *   "batch"        weight 25, no target
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ROLE_H
#define COACT_ROLE_H

#include <coact/error.h>
#include <coact/limit.h>

#include <stdbool.h>
#include <stdint.h>

COACT_BEGIN_DECLS

struct coact_runtime;

typedef struct coact_role {
    uint8_t id; /* 0 names none */
} coact_role;

/* How late actors were that were ready, in nanoseconds.  The quantiles are not
   less than the truth, and at most an eighth more. */
struct coact_delay {
    uint64_t count; /* that were measured; 0: then all else is 0 too */
    int64_t p50_ns, p90_ns, p99_ns;
    int64_t max_ns, mean_ns;
    int64_t span_ns; /* the time in which they were */
};

/* A role has missed its target. */
struct coact_missed {
    const char *role;
    int64_t target_ns;
    struct coact_delay delay; /* in the last second */
};

/* One of the runtime's roles, as its options name them.  At most 16, with those
   that are always there. */
struct coact_role_options {
    const char *name;  /* lent until the runtime is freed */
    uint32_t weight;   /* 0: 100 */
    int64_t target_ns; /* 0: none */
    /* How many of its actors may be in the middle of work, from the receipt of a
       message until they ask for the next; 0: any number.  Not for "default". */
    uint32_t limit;
    bool rigid_limit; /* see limit.h */
    /* Called, at most once a second, when in the second before one in a hundred
       was later than the target.  On some thread of the runtime; it must not
       wait, nor call coact.  NULL: nobody is told. */
    void (*missed)(void *context, const struct coact_missed *missed);
    void *missed_context;
};

/* The role of a name, in the caller's runtime; none if there is no such.
   from any, waits no, fails never */
COACT_API coact_role coact_role_named(const char *name);

/* The same in a runtime of which the caller may be no part.
   from any, waits no, fails never */
COACT_API coact_role coact_role_in(const struct coact_runtime *runtime,
                                   const char *name);

/* The role that we run in: our own, or with sender_role that of who sent what we
   are at.
   from actor, waits no, fails never */
COACT_API coact_role coact_role_here(void);

/* Go on in another role, when it is its turn.
   from actor, waits yes, fails EINVAL ECANCELED ENOMEM EPERM */
COACT_API COACT_CHECKED int coact_set_role(coact_role role);

struct coact_role_stats {
    const char *name;
    uint32_t weight;
    int64_t target_ns;
    int64_t used_ns; /* its actors have run so long, all in all; what runs now
                        is counted at the next look of its worker */
    struct coact_limit_stats limit;
};

/* -EINVAL: there is no such role.
   from any, waits no, fails EINVAL */
COACT_API int coact_stats_of_role(struct coact_runtime *runtime,
                                  coact_role role,
                                  struct coact_role_stats *out);

/* ---- How late ------------------------------------------------------------ */

/* How late the actors of a role were, from when they were ready until they ran,
   since the start of the runtime.  What is measured: each sleep and each other
   wait that ended at its deadline, and of all wake-ups one about every 20 us.
   Not measured: who has yielded, or has computed for a millisecond at a time;
   such a one can wait.  -EINVAL: there is no such role.
   from any, waits no, fails EINVAL */
COACT_API int coact_delay_ever(struct coact_runtime *runtime, coact_role role,
                               struct coact_delay *out);

/* The same in the last second, or up to two; at rest, in the last one that was
   not.
   from any, waits no, fails EINVAL */
COACT_API int coact_delay_recent(struct coact_runtime *runtime, coact_role role,
                                 struct coact_delay *out);

COACT_END_DECLS

#endif
