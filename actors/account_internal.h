/*
 * account_internal.h - what the calls that wait tell an account.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_ACCOUNT_INTERNAL_H
#define COACT_ACTORS_ACCOUNT_INTERNAL_H

#include "actors/life.h"

#include <coact/account.h>

/* Open one for an actor that is to run, or runs; close the one that it has. */
COACT_CHECKED int coact__account_open(struct coact__actor *actor,
                                      bool is_running);
void coact__account_close(struct coact__actor *actor);

/* For one that has an account: it runs for the first time; it is about to be
   switched away from; it is back. */
void coact__account_begin(struct coact__actor *actor);
void coact__account_suspend(struct coact__actor *actor, const char *doing);
void coact__account_resume(struct coact__actor *actor);

/* False: it has none.  Under the runtime's lock. */
bool coact__account_read(struct coact_runtime *runtime, coact_ref ref,
                         struct coact_account *out);

#endif
