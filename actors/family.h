/*
 * family.h - what the isolated children of one runtime have in common.
 *
 * They form a cluster with their parent.  If the parent is part of one already,
 * they use its key and its listener; else a key is drawn that nobody but them
 * ever sees, and the parent listens in a folder that only its user can enter.
 * Each child listens in that folder.  Siblings are told of each other, so an
 * address that the parent hands on works between them.
 *
 * All of it is made when the first child is spawned, and goes with the runtime.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_FAMILY_H
#define COACT_ACTORS_FAMILY_H

#include "actors/isolated_wire.h"
#include "actors/life.h"
#include "runtime/process.h"

#include <coact/main.h>

struct coact__family;

/*
 * A process and what is known of it.  Held by its guardian and, from its start
 * to its end, by the spawner; freed by the last one.
 *
 * The spawner's thread writes under the lock; the guardian reads there.
 */
struct coact__cell {
    struct coact__family *family;
    struct coact__cell *next; /* under the family's lock */
    pthread_mutex_t lock;
    _Atomic unsigned holds;
    coact_ref guardian;
    struct coact__process *process;      /* the guardian's */
    char address[COACT__INMATE_ADDRESS]; /* where it listens */
    uint32_t published_node; /* under the family's lock; 0: not yet */
    coact_ref published;     /* the same */

    // Under the lock.
    uint32_t node; /* 0: it has not said */
    coact_ref body;
    bool has_said_end, has_ended;
    struct coact_reason said;
    struct coact__process_end end;
    int64_t heard_ns; /* when the body last waited, as far as we know */
    struct coact__envelope *last_news; /* so that the end can always be told */
};

/* Isolated children are possible in this runtime from now on. */
COACT_CHECKED int coact__family_new(struct coact_runtime *runtime,
                                    const struct coact_program *program);

/* Make what the first child needs. */
COACT_CHECKED int coact__family_open(struct coact__family *family);

/* No actor is left: end the spawner, and remove the folder.  -ETIMEDOUT: a
   process would not die. */
COACT_CHECKED int coact__family_stop(struct coact_runtime *runtime,
                                     int64_t deadline_ns);
void coact__family_free(struct coact_runtime *runtime);

/* Before the process is left in a hurry: what would stay behind. */
void coact__family_abandon(struct coact_runtime *runtime);

const struct coact_program *
coact__family_program(const struct coact__family *family);
struct coact_runtime *coact__family_runtime(const struct coact__family *family);
struct coact__spawner *coact__family_spawner(struct coact__family *family);

/* The key and our own address, once it is open. */
const unsigned char *coact__family_key(struct coact__family *family);
const char *coact__family_listens(struct coact__family *family);

/* A cell with an address that no other has.  NULL: no memory. */
struct coact__cell *coact__cell_new(struct coact__family *family,
                                    coact_ref guardian);
void coact__cell_unhold(struct coact__cell *cell);

/* The body can be reached: give it to who asks, and tell its siblings. */
void coact__family_publish(struct coact__cell *cell, uint32_t node,
                           coact_ref body);

/* The process is gone, or was never there. */
void coact__family_remove(struct coact__cell *cell);

#endif
