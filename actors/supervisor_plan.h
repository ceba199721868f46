/*
 * supervisor_plan.h - a specification, checked, copied, and never changed again.
 *
 * The user's structs are gone when coact_supervise returns, but a child may be
 * started again for as long as its tree lives.  So the tree works from plans:
 * copies with the defaults filled in.  They are counted, because a nested
 * supervisor that is still stopping may outlive the one that held its plan.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_SUPERVISOR_PLAN_H
#define COACT_ACTORS_SUPERVISOR_PLAN_H

#include "actors/supervisor.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct coact_runtime;

/* A child's specification.  The pointers in spec belong to the plan: text in
   the same block, arg where it was taken or is a message. */
struct coact__child_plan {
    _Atomic uint32_t refs;
    struct coact_child spec;
    struct coact__plan *supervisor; /* the child is one; else NULL */
    char text[];
};

/* A supervisor's specification.  spec.children and child_count are not used:
   the children's plans stand below. */
struct coact__plan {
    _Atomic uint32_t refs;
    struct coact_supervisor spec;
    size_t count;
    struct coact__child_plan **children;
    char text[];
};

/* Check a whole tree and copy it.  What it takes (destroy_arg) is taken also if
   this fails.  -EINVAL: it makes no sense, and the log says where. */
COACT_CHECKED int coact__plan_new(const struct coact_supervisor *spec,
                                  struct coact_runtime *runtime,
                                  struct coact__plan **out);
struct coact__plan *coact__plan_ref(struct coact__plan *plan);
void coact__plan_unref(struct coact__plan *plan);

/* The same for one child, which is to be added to a supervisor that only its
   actor knows: coact__child_plan_fits is asked there. */
COACT_CHECKED int coact__child_plan_new(const struct coact_child *spec,
                                        struct coact_runtime *runtime,
                                        struct coact__child_plan **out);
struct coact__child_plan *coact__child_plan_ref(struct coact__child_plan *plan);
void coact__child_plan_unref(struct coact__child_plan *plan);

/* NULL if a child may be in such a supervisor, else why not. */
const char *coact__child_plan_misfit(const struct coact_child *child,
                                     const struct coact_supervisor *parent);

/* Destroy what a specification hands over, when nobody will use it. */
void coact__plan_discard(const struct coact_supervisor *spec);
void coact__child_plan_discard(const struct coact_child *spec);

#endif
