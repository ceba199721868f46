/*
 * supervisor_check.h - what makes no sense in a specification, in words.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_SUPERVISOR_CHECK_H
#define COACT_ACTORS_SUPERVISOR_CHECK_H

#include "actors/supervisor.h"

/* Deeper trees are a circle of specifications more often than a wish. */
#define COACT__TREE_DEPTH_MAX 32

/* NULL, or what is wrong with a child wherever it may stand; a supervisor that
   it may be is not looked into. */
const char *coact__check_child(const struct coact_child *child);

/* 0 if a supervisor and all below it make sense; else -EINVAL, and a line in
   the log names the place.  id is its own among its siblings, or NULL. */
COACT_CHECKED int coact__check_tree(const struct coact_supervisor *spec,
                                    const char *id,
                                    struct coact_runtime *runtime, int depth);

#endif
