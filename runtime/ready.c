/*
 * ready.c - what is off the fast ways: turns, theft, and giving up everything.
 *
 * Invariants, for whoever is inside
 *   R1  What is in slot and fresh has the role whose turn it is.
 *   R2  length counts lines and fresh; bit r of waiting is set exactly while a
 *       line of role r has some.
 *   R3  A runnable is in one place at a time, and its fields belong to the lock
 *       while it is there.
 *   R4  A role in a line is one without wishes, below COACT__ROLES.
 *   R5  An outlet is empty.  Its role and its quick are no task's and differ, so
 *       that no put takes a fast way.
 *
 * A thief takes at most COACT__STEAL_MOST from one place: it has to walk along
 * a line to cut it, and the owner may be waiting.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/ready.h"

#include "runtime/invariant.h"
#include "runtime/oracle.h"

#include <string.h>

#define FEW_FRESH ((COACT__FRESH + 3) / 4)

_Static_assert((COACT__FRESH & (COACT__FRESH - 1)) == 0,
               "positions wrap at 2^32, places must wrap with them");
_Static_assert(COACT__ROLES <= 32, "a bit for each in one word");

void
coact__ready_init(struct coact__ready *ready, bool is_bias_possible)
{
    memset(ready, 0, sizeof(*ready));
    coact__bias_init(&ready->bias, is_bias_possible);
}

void
coact__ready_init_outlet(struct coact__ready *ready)
{
    coact__ready_init(ready, false);
    ready->role = COACT__ROLES;
    ready->quick = COACT__ROLES + 1;
}

static bool
turns_away(const struct coact__ready *ready, const struct coact__runnable *r)
{
    return (r->role & COACT__ROLE_PINNED) != 0 || ready->role == COACT__ROLES;
}

void
coact__runnable_wishes(struct coact__runnable *r, uint32_t waker)
{
    uint8_t wishes = r->role & COACT__ROLE_WISHES;
    r->role &= (uint8_t)~COACT__ROLE_WISHES;
    if ((wishes & COACT__ROLE_LENT) != 0 && waker < COACT__ROLES) {
        r->role = (uint8_t)(waker | (r->role & COACT__ROLE_PINNED));
    }
    if ((wishes & COACT__ROLE_STAMPED) != 0 && r->ready_at == 0) {
        r->ready_at = coact__stamp_of(coact__oracle_now_ns());
    }
}

void
coact__ready_sample(struct coact__ready *ready, struct coact__runnable *r)
{
    if (r->rank == COACT__RANK_PROMPT && r->ready_at == 0) {
        r->ready_at = coact__stamp_of(coact__oracle_now_ns());
        ready->quick = ready->role;
    }
}

static struct coact__runnable *
from_oldest_fresh(struct coact__ready *ready)
{
    if (ready->fresh_first == ready->fresh_end) {
        return NULL;
    }
    coact__ready_count(ready, (uint32_t)-1);
    return ready->fresh[ready->fresh_first++ % COACT__FRESH];
}

/* The rule. */
static struct coact__runnable *
pop_in_order(struct coact__ready *ready)
{
    struct coact__runnable *r = coact__ready_from_slot(ready);
    if (r == NULL) {
        r = coact__ready_from_line(ready, COACT__RANK_PROMPT);
    }
    if (r == NULL) {
        r = coact__ready_from_fresh(ready);
    }
    return r != NULL ? r : coact__ready_from_line(ready, COACT__RANK_PATIENT);
}

/* The oldest fresh one, if it is to have its turn: it opens another branch of a tree,
   which needs stacks and children beside the first.  Where there is no room for
   those, all branches would soon be open at once. */
static struct coact__runnable *
from_oldest_in_turn(struct coact__ready *ready)
{
    bool are_few = ready->fresh_end - ready->fresh_first < FEW_FRESH;
    if (!ready->is_oldest_overdue && !(ready->is_oldest_due && are_few)) {
        return NULL;
    }
    ready->is_oldest_due = ready->is_oldest_overdue = false;
    return from_oldest_fresh(ready);
}

/* The other way round: those that the rule keeps waiting. */
static struct coact__runnable *
pop_reversed(struct coact__ready *ready)
{
    struct coact__runnable *r =
        coact__ready_from_line(ready, COACT__RANK_PATIENT);
    if (r == NULL) {
        r = from_oldest_in_turn(ready);
    }
    if (r == NULL) {
        r = coact__ready_from_line(ready, COACT__RANK_PROMPT);
    }
    if (r == NULL) {
        r = coact__ready_from_slot(ready);
    }
    return r != NULL ? r : coact__ready_from_fresh(ready);
}

struct coact__runnable *
coact__ready_pop_slowly(struct coact__ready *ready)
{
    struct coact__runnable *r = NULL;
    if (!coact__ready_has_slot(ready) && coact__ready_length(ready) == 0) {
        coact__ready_leave_quickly(ready); // we have said that we are inside
        return NULL;
    }
    coact__bias_enter(&ready->bias);
    if (COACT__LIKELY((coact__ready_waiting(ready) & ready->urgent) == 0 &&
                      !atomic_load_explicit(&ready->bias.attention,
                                            memory_order_relaxed))) {
        if (ready->streak < COACT__STREAK - 1) {
            ready->streak++;
            r = pop_in_order(ready);
        } else {
            ready->streak = 0;
            r = pop_reversed(ready);
        }
    }
    coact__bias_leave(&ready->bias);
    return r;
}

struct coact__runnable *
coact__ready_pop_heir(struct coact__ready *ready)
{
    if (coact__ready_waiting(ready) != 0 || coact__ready_length(ready) == 0) {
        return coact__ready_pop(ready);
    }
    struct coact__runnable *r = NULL;
    coact__bias_enter(&ready->bias);
    if (COACT__LIKELY(!atomic_load_explicit(&ready->bias.attention,
                                            memory_order_relaxed) &&
                      ready->streak < COACT__STREAK - 1)) {
        ready->streak++;
        r = coact__ready_from_fresh(ready);
    }
    coact__bias_leave(&ready->bias);
    return r != NULL ? r : coact__ready_pop(ready);
}

void
coact__ready_put_slowly(struct coact__ready *ready, struct coact__runnable *r)
{
    if (turns_away(ready, r)) {
        coact__runnable_elsewhere(r);
        return;
    }
    coact__bias_enter(&ready->bias);
    if (ready->quick != ready->role) {
        coact__ready_sample(ready, r);
    }
    coact__ready_line_up(ready, r);
    coact__bias_leave(&ready->bias);
}

void
coact__ready_put_next_slowly(struct coact__ready *ready,
                             struct coact__runnable *r)
{
    if (COACT__UNLIKELY(turns_away(ready, r))) {
        coact__ready_leave_quickly(ready); // we have said that we are inside
        coact__runnable_elsewhere(r);
        return;
    }
    coact__bias_enter(&ready->bias);
    coact__runnable_wishes(r, ready->role);
    if (ready->quick != ready->role) {
        coact__ready_sample(ready, r);
    }
    if (r->role != ready->role) {
        coact__ready_line_up(ready, r);
    } else {
        struct coact__runnable *before =
            atomic_load_explicit(&ready->slot, memory_order_relaxed);
        atomic_store_explicit(&ready->slot, r, memory_order_relaxed);
        if (before != NULL) {
            coact__ready_line_up(ready, before);
        }
    }
    coact__bias_leave(&ready->bias);
}

bool
coact__ready_put_fresh(struct coact__ready *ready, struct coact__runnable *r)
{
    if (COACT__UNLIKELY(r->role != ready->role)) {
        r->rank = COACT__RANK_PATIENT;
        coact__ready_put_slowly(ready, r);
        return false;
    }
    coact__bias_enter(&ready->bias);
    uint32_t count = ready->fresh_end - ready->fresh_first;
    if (count == COACT__FRESH) {
        r->rank = COACT__RANK_PATIENT;
        coact__ready_line_up(ready, r);
    } else {
        ready->fresh[ready->fresh_end++ % COACT__FRESH] = r;
        coact__ready_count(ready, 1);
    }
    coact__bias_leave(&ready->bias);
    return count + 1 >= COACT__FRESH;
}

void
coact__ready_put_all(struct coact__ready *ready, struct coact__batch *batch)
{
    coact__bias_enter(&ready->bias);
    struct coact__runnable *r;
    while ((r = coact__batch_pop(batch)) != NULL) {
        coact__ready_line_up(ready, r);
    }
    coact__bias_leave(&ready->bias);
}

/* Inside: slot and fresh to their lines (R1). */
static void
line_up_all(struct coact__ready *ready)
{
    struct coact__runnable *r = coact__ready_from_slot(ready);
    if (r != NULL) {
        coact__ready_line_up(ready, r);
    }
    while ((r = from_oldest_fresh(ready)) != NULL) {
        r->rank = COACT__RANK_PATIENT;
        coact__ready_line_up(ready, r);
    }
}

uint32_t
coact__ready_roles(struct coact__ready *ready)
{
    coact__bias_enter(&ready->bias);
    uint32_t roles = coact__ready_waiting(ready);
    if (coact__ready_has_slot(ready) ||
        ready->fresh_first != ready->fresh_end) {
        roles |= UINT32_C(1) << ready->role;
    }
    coact__bias_leave(&ready->bias);
    return roles;
}

void
coact__ready_turn(struct coact__ready *ready, uint32_t role, uint32_t urgent)
{
    if (role == ready->role && urgent == ready->urgent) {
        return; // nobody else writes them
    }
    coact__bias_enter(&ready->bias);
    if (role != ready->role) {
        line_up_all(ready);
        ready->quick = ready->quick == ready->role ? role : COACT__ROLES;
        ready->role = role;
    }
    ready->urgent = urgent;
    coact__bias_leave(&ready->bias);
}

/* Inside: all lines to a batch, the prompt ones first. */
static uint32_t
empty(struct coact__ready *ready, struct coact__batch *out)
{
    line_up_all(ready);
    uint32_t count = coact__ready_length(ready);
    for (int rank = 0; rank < COACT__RANKS; rank++) {
        for (uint32_t role = 0; role < COACT__ROLES; role++) {
            coact__batch_append_all(out, &ready->lines[role][rank]);
        }
    }
    atomic_store_explicit(&ready->length, 0, memory_order_relaxed);
    atomic_store_explicit(&ready->waiting, 0, memory_order_relaxed);
    return count;
}

/* Take the nth out of a chain that has so many. */
static struct coact__runnable *
cut_nth(struct coact__batch *batch, uint32_t n)
{
    struct coact__runnable *before = NULL;
    struct coact__runnable *r = batch->first;
    while (n-- > 0) {
        before = r;
        r = r->next;
    }
    if (before == NULL) {
        batch->first = r->next;
    } else {
        before->next = r->next;
    }
    if (r == batch->last) {
        batch->last = before;
    }
    batch->count--;
    return r;
}

struct coact__runnable *
coact__ready_pop_nth(struct coact__ready *ready, uint32_t n)
{
    struct coact__runnable *found = NULL;
    coact__bias_enter(&ready->bias);
    line_up_all(ready);
    for (uint32_t i = 0; i < COACT__ROLES * COACT__RANKS && found == NULL;
         i++) {
        struct coact__batch *line =
            &ready->lines[i / COACT__RANKS][i % COACT__RANKS];
        if (n < line->count) {
            found = cut_nth(line, n);
            coact__ready_count_out(ready, i / COACT__RANKS);
        } else {
            n -= line->count;
        }
    }
    coact__bias_leave(&ready->bias);
    return found;
}

uint32_t
coact__ready_give_up_all(struct coact__ready *ready, struct coact__batch *out)
{
    coact__bias_enter(&ready->bias);
    uint32_t count = empty(ready, out);
    coact__bias_leave(&ready->bias);
    return count;
}

uint32_t
coact__ready_take_all(struct coact__ready *victim, struct coact__batch *out)
{
    if (!coact__ready_has_slot(victim) && coact__ready_length(victim) == 0) {
        return 0;
    }
    if (!coact__bias_take(&victim->bias)) {
        return 0;
    }
    uint32_t count = empty(victim, out);
    coact__bias_give(&victim->bias);
    return count;
}

/* Inside: cut the older half off a line. */
static void
halve(struct coact__ready *victim, struct coact__batch *line,
      struct coact__batch *out)
{
    uint32_t n = line->count - line->count / 2;
    n = n < COACT__STEAL_MOST ? n : COACT__STEAL_MOST;
    coact__ready_count(victim, (uint32_t)-n);
    while (n-- > 0) {
        coact__batch_append(out, coact__batch_pop(line));
    }
}

/* Inside: the older half of a role's lines. */
static void
take_half_of_role(struct coact__ready *victim, uint32_t role,
                  struct coact__batch *out)
{
    struct coact__batch *lines = victim->lines[role];
    halve(victim, &lines[COACT__RANK_PROMPT], out);
    halve(victim, &lines[COACT__RANK_PATIENT], out);
    uint32_t bit = UINT32_C(1) << role;
    uint32_t waiting = coact__ready_waiting(victim) & ~bit;
    if (lines[COACT__RANK_PROMPT].first != NULL ||
        lines[COACT__RANK_PATIENT].first != NULL) {
        waiting |= bit;
    }
    atomic_store_explicit(&victim->waiting, waiting, memory_order_relaxed);
}

/* Inside: the older half of everything but the slot. */
static void
take_half(struct coact__ready *victim, struct coact__batch *out)
{
    uint32_t fresh = victim->fresh_end - victim->fresh_first;
    for (uint32_t n = fresh - fresh / 2; n > 0; n--) {
        coact__batch_append(out, from_oldest_fresh(victim));
    }
    for (uint32_t role = 0; role < COACT__ROLES; role++) {
        take_half_of_role(victim, role, out);
    }
}

/* What was stolen, to where it would be if it were ours from the start; it is
   no sample of when it became ready. */
static void
bring_home(struct coact__ready *own, struct coact__batch *loot)
{
    struct coact__batch others = {0};
    struct coact__runnable *r;
    while ((r = coact__batch_pop(loot)) != NULL) {
        if (r->is_fresh) {
            (void)coact__ready_put_fresh(own, r);
        } else {
            coact__batch_append(&others, r);
        }
    }
    coact__ready_put_all(own, &others);
}

uint32_t
coact__ready_steal(struct coact__ready *own, struct coact__ready *victim)
{
    if (coact__ready_length(victim) == 0 || !coact__bias_take(&victim->bias)) {
        return 0;
    }
    struct coact__batch loot = {0};
    take_half(victim, &loot);
    coact__bias_give(&victim->bias);
    uint32_t count = loot.count;
    bring_home(own, &loot);
    return count;
}

uint32_t
coact__ready_steal_role(struct coact__ready *own, struct coact__ready *victim,
                        uint32_t role)
{
    if ((coact__ready_waiting(victim) >> role & 1) == 0 ||
        !coact__bias_take(&victim->bias)) {
        return 0;
    }
    struct coact__batch loot = {0};
    take_half_of_role(victim, role, &loot);
    coact__bias_give(&victim->bias);
    uint32_t count = loot.count;
    coact__ready_put_all(own, &loot);
    return count;
}
