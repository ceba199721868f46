/*
 * server.h - the smallest actor: a function that is called for each message, and
 * a state; no stack while there is nothing to do.
 *
 *   static void
 *   bank_handle(bank_turn self, void *state)
 *   {
 *       struct ledger *ledger = state;
 *       COACT_HANDLE(self) {
 *       case COACT_ON(deposit, m): ledger->cents += m->cents; break;
 *       case COACT_ON(balance, m): coact_reply(m, .cents = ledger->cents); break;
 *       }
 *   }
 *
 *   bank_ref bank;
 *   int rc = coact_serve(bank, &bank, bank_handle, &ledger);
 *
 * A server is an actor with all that belongs to one, but for a body: what a body
 * keeps in its variables from one receive to the next, a server keeps in its
 * state.  The handler runs on a stack that is borrowed for the call.  It may do
 * whatever an actor may: ask, sleep, receive what it waits for, spawn, defer.
 * While it is suspended it keeps its stack, and other messages wait; one at a
 * time, in order.  When it returns, and nothing more is there, the stack goes
 * back: a server at rest is its place in the table of actors and its state, and
 * a million of them are some 260 MB.  What lives on stacks in a body lives as
 * long as one call here: an open descriptor belongs into the state, and its
 * close into a coact_defer.
 *
 * The end.  A handler that wants it says so, with coact_exit or coact_fail.  Who
 * is asked to end is told as in a receive: by -ECANCELED of the next call that
 * waits, or, at rest, by one call of its handler with COACT_ON_CANCELLED.  Then
 * its clean-ups run.  So they do where the memory for a stack has run out when
 * something comes for a server at rest: it ends with -ENOMEM, its messages
 * are answered as those of a dead actor, and its clean-ups run on a
 * stack that is kept for them, of the runtime's size, where every wait returns
 * -ECANCELED at once.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_SERVER_H
#define COACT_SERVER_H

#include <coact/actor.h>
#include <coact/error.h>
#include <coact/mailbox.h>
#include <coact/ref.h>

COACT_BEGIN_DECLS

/* Start a server: its mailbox, where to put its address, its handler (a function
   `void handle(NAME_turn self, void *state)`), and its state, lent until it
   ends.  It may have handled messages, and ended, before the call returns.
   from any, waits no, fails EINVAL ENOMEM EEXIST EPERM ESHUTDOWN EAGAIN */
#define coact_serve(mailbox, out, handler, state)                              \
    coact__serve(&mailbox##_coact_mailbox, COACT__HANDLER(mailbox, handler),   \
                 (state), NULL, &(1 ? (out) : (mailbox##_ref *)0)->ref)

/*
 * The same with options, as designated initialisers of struct coact_options.
 * One is for servers alone:
 *   .init   int init(void **state): called once, in the server, before the first
 *           message.  *state is what was given to coact_serve, and may be
 *           changed: what it is afterwards the handler gets.  Returns 0, or why
 *           it cannot serve: a negative code or a reason of yours, with which
 *           the server ends, after what init had deferred.  To say more, it
 *           calls coact_fail.
 * from any, waits no, fails EINVAL ENOMEM EEXIST EPERM ESHUTDOWN EAGAIN
 */
#define coact_serve_with(mailbox, out, handler, state, ...)                    \
    coact__serve(&mailbox##_coact_mailbox, COACT__HANDLER(mailbox, handler),   \
                 (state), &(const struct coact_options){__VA_ARGS__},          \
                 &(1 ? (out) : (mailbox##_ref *)0)->ref)

/* Act on the message at hand, with arms as in COACT_RECEIVE; self is that of the
   handler.  Once in a call: a second one, or a handler without one, has no
   message, and one that no arm takes is counted and logged.  There is no
   time-out: a timer's COACT_ON_TICK is what a server has instead.
   from actor, waits no, fails never */
#define COACT_HANDLE(self) COACT__RECEIVE(self, coact__at_hand((self).at_hand))

/* ---- Behind the macros --------------------------------------------------- */

COACT_API COACT_CHECKED int coact__serve(const struct coact_mailbox *mailbox,
                                         void (*handler)(void), void *state,
                                         const struct coact_options *options,
                                         coact_ref *out);

/* From now on it is the block's to close. */
static inline struct coact_receipt
coact__at_hand(struct coact_receipt *at_hand)
{
    struct coact_receipt mine = *at_hand;
    at_hand->message = 0;
    at_hand->open = false;
    return mine;
}

COACT_END_DECLS

#endif
