/*
 * guardian.h - what a guardian is started with, and then needs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_GUARDIAN_H
#define COACT_ACTORS_GUARDIAN_H

#include "actors/family.h"

/* Made by who spawns it, then the guardian's. */
struct coact__order {
    struct coact__family *family;
    struct coact__cell *cell; /* NULL before it runs */
    int64_t hang_ns;
    bool is_known; /* its node has been added */
    bool has_started;
    bool is_hung;
    uint8_t *bytes; /* the sentence, without the cell's address */
    size_t len;
};

void coact__order_free(void *arg);

/* Spawn a guardian as a linked child of the calling supervisor.  The order is
   taken. */
COACT_CHECKED int coact__guardian_spawn(struct coact__order *order,
                                        const char *label, int64_t grace_ns,
                                        coact_ref *out);

#endif
