/*
 * scout.h - the actor that looks ahead, so that the progress bar has an end.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORDCOUNT_SCOUT_H
#define WORDCOUNT_SCOUT_H

#include "messages.h"

COACT_MAILBOX(scout, taken);

/* What it is to look at, and whom to tell; lent until it ends. */
struct scouting {
    const char *root;
    desk_ref desk;
};

/* Its argument is a struct scouting. */
void scout_body(scout_self self, void *arg);

#endif
