/*
 * ledger.h - what has been counted.
 *
 * Tallies are staged with their lot and entered when the lot is finished, all
 * of them in one step: a lot that is lost half-way leaves no trace, and is
 * counted anew.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORDCOUNT_LEDGER_H
#define WORDCOUNT_LEDGER_H

#include "messages.h"
#include "supply.h"
#include "table.h"

struct ledger {
    struct table table;
    uint64_t files, bytes, words;
};

/* Keep a tally with its lot; takes the words out of it.  0, -ENOMEM, or
   -EBADMSG. */
int ledger_stage(struct lot *lot, struct tally *tally);

/* Enter what is staged of a lot, and its edges, which it takes; the troubles
   are complained about: error 0 says that a file has changed.  The lot is still the caller's.  0, -ENOMEM, or
   -EBADMSG. */
int ledger_enter(struct ledger *ledger, struct supply *supply, struct lot *lot,
                 struct finished *finished, walk_complain *complain,
                 void *context);

#endif
