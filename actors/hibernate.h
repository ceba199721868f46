/*
 * hibernate.h - finding those that have been parked for long.
 *
 * For the files of this folder; runtime/hibernate.h does what is to be done with
 * those that are found.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_HIBERNATE_H
#define COACT_ACTORS_HIBERNATE_H

#include "runtime/hibernate.h"
#include "runtime/timers.h"

#include <coact/actor.h>

#include <stdatomic.h>
#include <stdint.h>

struct coact__actor;
struct coact_runtime;

/* The fields are those of hibernate.c.  All zero, it rests. */
struct coact__hibernation {
    struct coact__timer timer; /* first */
    _Atomic uint32_t state;
    uint32_t next_slot; /* 0: a pass begins */
    int64_t longest_ns; /* that one who is not due yet has rested; -1: none */
    struct coact__task *found[COACT__HIBERNATE_BATCH];
};

/* At each look of a worker: begin, or go on.  from a worker */
void coact__hibernation_look(struct coact_runtime *runtime);

/* What an actor allows: by itself, or before it first runs. */
void coact__hibernate_allow(struct coact__actor *actor,
                            enum coact_hibernate when);

#endif
