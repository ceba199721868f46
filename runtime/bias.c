/*
 * bias.c - asking the owner of a biased lock to make way.
 *
 *   asked     0         nobody
 *             a ticket  somebody is inside or waits for it; tickets of one lock
 *                       do not come again for 2^31 requests
 *             LOCKED    there is no bias: `lock` decides
 *
 * Invariants
 *   B1  asked leaves 0 by a swap of who asks, and becomes 0 by the same one.
 *   B2  Who asks is inside when, after his swap, he has seen the owner outside
 *       (inside is 0) and the owner's next E2 is bound to see the ticket; or
 *       when the owner has answered this very ticket.
 *   B3  The owner is inside when, after E1, E2 has found nobody.
 *
 * B2 and B3 exclude each other: E1 and E2 are a store and a load of different
 * words, and so are the swap and A2.  One of them must see the other.  The
 * owner's half has no fence.  The membarrier makes one for him: each thread of
 * the process passes a full barrier between its start and its end.  If E1 came
 * before that, A2 sees it; if not, E2 comes after it and sees the ticket.
 *
 * Memory orders, by what the pair protects
 *   queue   E3, M2 release -> A2 acquire; W1 release -> A1 acquire.  All that the
 *           owner did inside, for who asked.
 *   back    G1 release -> E2, M1 acquire.  All that he did, for the owner.
 *   others  G1 release -> T1 acquire; or, if one between them gave up, T1 and G2
 *           of that one.  What one who asked did, for the next.
 *   E1 and M3 are relaxed, and so is the ticket: the barrier orders them.  W2 is
 *   relaxed: M1 looks again.
 *
 * After D. Dice, M. Moir and W. Scherer, "Quickly reacquirable locks", 2003;
 * the membarrier is Linux's, since 4.14.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/bias.h"

#include "runtime/context.h" /* COACT__TSAN */
#include "runtime/oracle.h"

#include <linux/membarrier.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* How long we wait for an answer before we make the kernel work, which takes
   about three times as long. */
#define ANSWER_NS 4000

/* How often we look for it between two looks at the time; and for an owner that
   goes outside: one that the kernel has stopped inside we do not wait for.  The
   interleaving tests look less often. */
#ifndef COACT__BIAS_LOOKS
#define COACT__BIAS_LOOKS 16
#define COACT__BIAS_OUTSIDE_LOOKS 2000
#endif

/* The interleaving tests have a barrier of their own. */
#ifndef coact__membarrier
static void
coact__membarrier(void)
{
    syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}
#endif

bool
coact__bias_is_possible(void)
{
    if (COACT__TSAN || coact__oracle_is_simulated()) {
        return false;
    }
    return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0,
                   0) == 0;
}

void
coact__bias_init(struct coact__bias *bias, bool is_possible)
{
    atomic_init(&bias->inside, 0);
    atomic_init(&bias->asked, is_possible ? 0 : COACT__BIAS_LOCKED);
    atomic_init(&bias->answered, 0);
    atomic_init(&bias->tickets, 0);
    atomic_init(&bias->attention, false);
    atomic_init(&bias->lock.held, false);
    bias->is_by_lock = false;
}

/* The owner waits outside until who asked with this ticket has gone. */
static void
wait_for(struct coact__bias *bias, uint32_t ticket)
{
    atomic_store_explicit(&bias->answered, ticket, memory_order_release); // W1
    unsigned turns = 0;
    while (atomic_load_explicit(&bias->asked, memory_order_relaxed) ==
           ticket) { // W2
        if (++turns % 64 == 0) {
            sched_yield(); // he may have lost his processor
        }
        coact__pause();
    }
}

void
coact__bias_make_way(struct coact__bias *bias)
{
    for (;;) {
        uint32_t asked =
            atomic_load_explicit(&bias->asked, memory_order_acquire); // M1
        if (asked == 0) {
            return; // E1 has been done, and this was E2
        }
        atomic_store_explicit(&bias->inside, 0, memory_order_release); // M2
        if (asked == COACT__BIAS_LOCKED) {
            coact__spin_lock(&bias->lock);
            bias->is_by_lock = true;
            return;
        }
        wait_for(bias, asked);
        atomic_store_explicit(&bias->inside, 1, memory_order_relaxed); // M3
        coact__bias_keep_order();
    }
}

/* Even, and neither 0 nor LOCKED. */
static uint32_t
new_ticket(struct coact__bias *bias)
{
    uint32_t ticket = 0;
    while (ticket == 0) {
        ticket =
            atomic_fetch_add_explicit(&bias->tickets, 2, memory_order_relaxed) +
            2;
    }
    return ticket;
}

static bool
is_answered(struct coact__bias *bias, uint32_t ticket)
{
    int64_t end = coact__oracle_now_ns() + ANSWER_NS;
    do {
        for (int i = 0; i < COACT__BIAS_LOOKS; i++) {
            if (atomic_load_explicit(&bias->answered, memory_order_acquire) ==
                ticket) { // A1
                return true;
            }
            coact__pause();
        }
    } while (coact__oracle_now_ns() < end);
    return false;
}

static bool
is_outside(struct coact__bias *bias)
{
    for (int i = 0; i < COACT__BIAS_OUTSIDE_LOOKS; i++) {
        if (atomic_load_explicit(&bias->inside, memory_order_acquire) ==
            0) { // A2
            return true;
        }
        coact__pause();
    }
    return false;
}

bool
coact__bias_take(struct coact__bias *bias)
{
    uint32_t nobody = 0;
    uint32_t ticket = new_ticket(bias);
    if (!atomic_compare_exchange_strong_explicit(&bias->asked, &nobody, ticket,
                                                 memory_order_acquire,
                                                 memory_order_relaxed)) { // T1
        if (nobody != COACT__BIAS_LOCKED) {
            return false;
        }
        coact__spin_lock(&bias->lock);
        return true;
    }
    if (is_answered(bias, ticket)) {
        return true;
    }
    coact__membarrier();
    if (is_outside(bias)) {
        return true;
    }
    atomic_store_explicit(&bias->asked, 0, memory_order_release); // G2
    return false;
}

void
coact__bias_give(struct coact__bias *bias)
{
    if (atomic_load_explicit(&bias->asked, memory_order_relaxed) ==
        COACT__BIAS_LOCKED) {
        coact__spin_unlock(&bias->lock);
    } else {
        atomic_store_explicit(&bias->asked, 0, memory_order_release); // G1
    }
}
