/*
 * account.h - where an actor's time went.
 *
 * Every call that may wait has a name, and an account adds up the time in each.
 * It is kept where it was asked for: for all actors by an option of the runtime,
 * for one by an option of its spawn, or by the actor itself.  It costs that actor
 * three looks at the clock each time it waits, and all others nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACCOUNT_H
#define COACT_ACCOUNT_H

#include <coact/error.h>
#include <coact/ref.h>

#include <stdbool.h>
#include <stdint.h>

COACT_BEGIN_DECLS

/* All that is since the account was opened; the sum of what is listed first.
   What an actor is in is counted up to now.  Who was woken is "ready" only when
   he runs; until then he is still in what he waited in. */
struct coact_account {
    int64_t total_ns;
    int64_t running_ns;
    int64_t ready_ns; /* it could run, or its deadline had come, and it did not
                         run yet */
    int64_t receive_ns, ask_ns, sleep_ns;
    int64_t io_ns, blocking_ns;
    int64_t send_ns; /* waited for room in a mailbox */
    int64_t join_ns;
    int64_t limit_ns; /* waited for a slot */
    int64_t other_ns;
    uint64_t waits; /* how often it did not run on */
};

/* Open our own account, or close it and forget what is in it.
   from actor, waits no, fails ENOMEM EPERM */
COACT_API int coact_set_account(bool on);

/* The account of an actor of our runtime.  -ESRCH: it is gone, or not of our
   runtime; -ENOENT: it has none.
   from any, waits no, fails ESRCH ENOENT EPERM */
COACT_API int coact_account_of(coact_ref actor, struct coact_account *out);

COACT_END_DECLS

#endif
