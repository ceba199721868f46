/*
 * inbox.c - arrivals and sleep in one word.
 *
 *     word = newest node | flags      node -> older -> ... -> oldest -> NULL
 *
 * Senders put their node in front; the owner takes the whole list at once and
 * turns it round, as he goes along it anyway; so a burst of n messages costs him
 * one atomic operation, and none per message.
 *
 * Invariants
 *   I1  LISTENING and DEAF are set by the owner's worker only, after the task's
 *       context is saved; whoever clears them owns the task and schedules it.
 *   I2  LISTENING implies an empty list: an arrival clears it in the same step.
 *   I3  Asleep implies not NOTIFIED: a wake ends the sleep instead.
 *   I4  CLOSED implies an empty list; only open() ends it.
 *   I5  A node is its sender's until P2 succeeds, then the inbox's until T1 or
 *       C1 returns it, then the owner's.
 *
 * The same node address may come back between a sender's load and its swap (the
 * owner took it, freed it, and it was pushed anew).  That does no harm: a list
 * that is only pushed and only taken whole has no middle to corrupt, and the
 * link written in the node is right whenever the word has the value read.
 *
 * Memory orders, by what the pair protects
 *   body    P2, P4 release -> T1, C1 acquire.  What the sender wrote in the node.
 *           All writes to the word are read-modify-writes, so a later sender's
 *           P2 or a wake's W2 continues the release sequence of an earlier one.
 *   asleep  S2 release -> P2, W2, A1 acquire.  All the task did before it slept,
 *           its saved context first of all, for whoever schedules it.
 *   news    W2 release -> S3 acquire.  What the waker wrote before its wake (a
 *           reply, a flag), for the owner that looks again.
 *   P1, P3, W1, S1 and the load before A1 are relaxed: they only feed the swap, which
 *   fails if they were stale (explained).  E1 is relaxed: a hint (explained).
 *   A1 releases nothing: what its caller leaves the task goes with the task, by
 *   the queue that it is put in; as a change it continues the sequence.
 *   O1 is release, to P2 and P4: a sender that still holds the address of the
 *   slot's former actor may push at once, and must see the slot as its new owner
 *   made it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/inbox.h"

#include "runtime/invariant.h"

#include <stddef.h>

#define ASLEEP ((uintptr_t)(COACT__INBOX_LISTENING | COACT__INBOX_DEAF))
#define FLAGS ((uintptr_t)COACT__INBOX_FLAGS)

static struct coact__inbox_node *
newest_of(uintptr_t word)
{
    return (struct coact__inbox_node *)(word & ~FLAGS);
}

void
coact__inbox_open(struct coact__inbox *inbox)
{
    atomic_store_explicit(&inbox->word, 0, memory_order_release); // O1
}

/* Put a node in front.  `wakes` are the kinds of sleep that it ends; `leaves`
   is what an awake task is left to see. */
static enum coact__inbox_result
put(struct coact__inbox *inbox, struct coact__inbox_node *node, uintptr_t wakes,
    uintptr_t leaves)
{
    // A node that is not aligned would be read as flags.
    COACT__INVARIANT(((uintptr_t)node & FLAGS) == 0);
    uintptr_t was =
        atomic_load_explicit(&inbox->word, memory_order_relaxed); // P1
    uintptr_t now;
    do {
        if ((was & COACT__INBOX_CLOSED) != 0) {
            return COACT__INBOX_REFUSED;
        }
        node->next = newest_of(was);
        uintptr_t kept = was & FLAGS & ~wakes;
        now = (uintptr_t)node | kept |
              ((was & ASLEEP) == 0 ? leaves : (uintptr_t)0);
    } while (!atomic_compare_exchange_weak_explicit(
        &inbox->word, &was, now, memory_order_acq_rel,
        memory_order_relaxed)); // P2
    return (was & wakes & ASLEEP) != 0 ? COACT__INBOX_WOKEN
                                       : COACT__INBOX_PUSHED;
}

enum coact__inbox_result
coact__inbox_push(struct coact__inbox *inbox, struct coact__inbox_node *node)
{
    return put(inbox, node, COACT__INBOX_LISTENING, 0);
}

enum coact__inbox_result
coact__inbox_signal(struct coact__inbox *inbox, struct coact__inbox_node *node)
{
    return put(inbox, node, ASLEEP, COACT__INBOX_NOTIFIED);
}

bool
coact__inbox_wake_from_any(struct coact__inbox *inbox)
{
    uintptr_t was =
        atomic_load_explicit(&inbox->word, memory_order_relaxed); // W1
    uintptr_t now;
    do {
        if ((was & COACT__INBOX_CLOSED) != 0) {
            return false;
        }
        now = (was & ASLEEP) != 0 ? was & ~ASLEEP : was | COACT__INBOX_NOTIFIED;
    } while (!atomic_compare_exchange_weak_explicit(
        &inbox->word, &was, now, memory_order_acq_rel,
        memory_order_relaxed)); // W2
    return (was & ASLEEP) != 0;
}

struct coact__inbox_node *
coact__inbox_turn_round(struct coact__inbox_node *newest)
{
    struct coact__inbox_node *oldest = NULL;
    while (newest != NULL) {
        struct coact__inbox_node *older = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = older;
    }
    return oldest;
}

struct coact__inbox_node *
coact__inbox_take_by_owner(struct coact__inbox *inbox)
{
    if (coact__inbox_is_empty(inbox)) {
        return NULL;
    }
    uintptr_t was = atomic_fetch_and_explicit(&inbox->word, FLAGS,
                                              memory_order_acquire); // T1
    return newest_of(was);
}

bool
coact__inbox_sleep_by_owner(struct coact__inbox *inbox,
                            enum coact__inbox_flag how)
{
    uintptr_t was =
        atomic_load_explicit(&inbox->word, memory_order_relaxed); // S1
    for (;;) {
        if ((was & COACT__INBOX_NOTIFIED) != 0) {
            // Seen: the owner looks again now, so the next sleep may succeed.
            coact__inbox_look_by_owner(inbox);
            return false;
        }
        if (how == COACT__INBOX_LISTENING && newest_of(was) != NULL) {
            return false;
        }
        if (atomic_compare_exchange_weak_explicit(
                &inbox->word, &was, was | (uintptr_t)how, memory_order_release,
                memory_order_relaxed)) { // S2
            return true;
        }
    }
}

struct coact__inbox_node *
coact__inbox_close_by_owner(struct coact__inbox *inbox)
{
    uintptr_t was = atomic_exchange_explicit(&inbox->word, COACT__INBOX_CLOSED,
                                             memory_order_acquire); // C1
    return coact__inbox_turn_round(newest_of(was));
}
