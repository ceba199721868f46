/*
 * desk.h - the actor that hands out the work and puts the results together.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORDCOUNT_DESK_H
#define WORDCOUNT_DESK_H

#include "ledger.h"
#include "messages.h"
#include "options.h"

/* A whole count: what is wanted, and what came of it once the desk has ended
   normally. */
struct job {
    const struct options *options;
    struct ledger ledger;
    uint64_t
        troubles; /* files and directories that were not read as they are */
    uint64_t kills, restarts;
};

/* Its argument is a struct job, lent until it ends. */
void desk_body(desk_self self, void *arg);

#endif
