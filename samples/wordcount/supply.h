/*
 * supply.h - the tree, cut into lots.
 *
 * Lots are made when they are asked for: what nobody has room to count is not
 * even looked at.  Their size follows the lives of the counters: a lot that is
 * lost makes all that follow half as large, one that is done makes them a bit
 * larger again.  So the job goes on however often counters die.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORDCOUNT_SUPPLY_H
#define WORDCOUNT_SUPPLY_H

#include "lot.h"
#include "walk.h"

struct supply;

/* 0 or -ENOMEM.  Given: supply_free. */
int supply_new(struct supply **out, const char *root, walk_complain *complain,
               void *context);

/* Also frees the large files of which ranges are missing. */
void supply_free(struct supply *supply);

/* The next lot, given: supply_done or supply_return.  NULL and 0: there is
   none, but one may be returned; NULL and a code: something went wrong. */
int supply_next(struct supply *supply, struct lot **out);

/* It is counted. */
void supply_done(struct supply *supply, struct lot *lot);

/* Take a lot back that was lost; what was staged of it is forgotten. */
void supply_return(struct supply *supply, struct lot *lot);

/* A large file is complete, and entered. */
void supply_end_large(struct supply *supply, struct large *large);

#endif
