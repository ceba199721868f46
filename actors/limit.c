/*
 * limit.c - slots, and the queue for them.
 *
 * Who waits is on the list with a record on its own stack.  A slot that is given
 * back goes to the first of them, without ever being free: nobody who comes
 * later can take it in between.  So the order is that of coming.
 *
 *   state     | becomes  | who                          |
 *   WAITING   | GRANTED  | who gives back a slot        | off the list
 *   WAITING   | SHED     | who comes to a full queue    | off the list
 *   WAITING   | (gone)   | the waiter, at its deadline or end
 *
 * All under the limit's lock.  The waiter reads its state without it: acquire
 * pairs with the release of who wrote it, and he does not touch the record after
 * that, so it may go.
 *
 * An actor that was asked to end does not wait for a slot to go on: it is to
 * unwind, and does that beside the limit.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/limit_internal.h"

#include "actors/switch_check.h"
#include "runtime/memory.h"
#include "runtime/oracle.h"
#include "runtime/spin.h"

#include <coact/limit.h>

#include <errno.h>

enum wait_state { WAITING, GRANTED, SHED };

struct waiter {
    struct waiter *next, *before;
    struct coact__task *task;
    int64_t since_ns;
    bool begins; /* it has no work yet, so it can be refused */
    _Atomic int state;
};

struct coact_limit {
    struct coact__spin lock;
    struct coact_limit_options options;
    struct waiter *first, *last;
    uint32_t beginners; /* on the list */
    _Atomic uint32_t queued;
    struct coact_limit_stats stats;
};

int
coact_limit_new(const struct coact_limit_options *options,
                struct coact_limit **out)
{
    if (options->most == 0) {
        return -EINVAL;
    }
    struct coact_limit *limit = coact__alloc_zeroed(sizeof(*limit));
    if (limit == NULL) {
        return -ENOMEM;
    }
    limit->options = *options;
    limit->stats.most = options->most;
    *out = limit;
    return 0;
}

int
coact_limit_free(struct coact_limit *limit)
{
    if (limit == NULL) {
        return 0;
    }
    coact__spin_lock(&limit->lock);
    bool is_busy = limit->stats.inside > 0 || limit->first != NULL;
    coact__spin_unlock(&limit->lock);
    if (is_busy) {
        return -EBUSY;
    }
    coact__free(limit);
    return 0;
}

void
coact_stats_of_limit(struct coact_limit *limit, struct coact_limit_stats *out)
{
    coact__spin_lock(&limit->lock);
    *out = limit->stats;
    out->queued = atomic_load_explicit(&limit->queued, memory_order_relaxed);
    coact__spin_unlock(&limit->lock);
}

/* ---- The list; the lock is held ---- */

static void
set_queued(struct coact_limit *limit, uint32_t change)
{
    atomic_store_explicit(
        &limit->queued,
        atomic_load_explicit(&limit->queued, memory_order_relaxed) + change,
        memory_order_relaxed);
}

static void
append(struct coact_limit *limit, struct waiter *waiter)
{
    waiter->before = limit->last;
    if (limit->last != NULL) {
        limit->last->next = waiter;
    } else {
        limit->first = waiter;
    }
    limit->last = waiter;
    limit->beginners += waiter->begins;
    set_queued(limit, 1);
}

static void
unlist(struct coact_limit *limit, struct waiter *waiter)
{
    if (waiter->before != NULL) {
        waiter->before->next = waiter->next;
    } else {
        limit->first = waiter->next;
    }
    if (waiter->next != NULL) {
        waiter->next->before = waiter->before;
    } else {
        limit->last = waiter->before;
    }
    limit->beginners -= waiter->begins;
    set_queued(limit, (uint32_t)-1);
}

/* Its task, which is to be woken without the lock. */
static struct coact__task *
settle(struct coact_limit *limit, struct waiter *waiter, enum wait_state state)
{
    unlist(limit, waiter);
    struct coact__task *task = waiter->task;
    atomic_store_explicit(&waiter->state, state, memory_order_release);
    return task;
}

static void
count_wait(struct coact_limit *limit, const struct waiter *waiter)
{
    int64_t ns = coact__oracle_now_ns() - waiter->since_ns;
    limit->stats.waited++;
    limit->stats.waited_ns += ns;
    limit->stats.longest_ns =
        ns > limit->stats.longest_ns ? ns : limit->stats.longest_ns;
}

/* ---- Slots ---- */

static void
give(struct coact_limit *limit)
{
    struct coact__task *next = NULL;
    coact__spin_lock(&limit->lock);
    if (limit->first != NULL) {
        count_wait(limit, limit->first);
        next = settle(limit, limit->first, GRANTED);
    } else {
        limit->stats.working--;
    }
    coact__spin_unlock(&limit->lock);
    if (next != NULL) {
        coact__task_wake(next);
    }
}

/* The lock is held, and the queue is full.  False: who comes is refused. */
static bool
make_room(struct coact_limit *limit, struct coact__task **shed)
{
    limit->stats.rejected++;
    struct waiter *oldest = limit->first;
    while (oldest != NULL && !oldest->begins) {
        oldest = oldest->next;
    }
    if (limit->options.full != COACT_LIMIT_SHED || oldest == NULL) {
        return false;
    }
    *shed = settle(limit, oldest, SHED);
    return true;
}

/* GRANTED, WAITING if we are on the list now, or SHED: it is too long. */
static enum wait_state
begin_take(struct coact_limit *limit, struct waiter *waiter)
{
    struct coact__task *shed = NULL;
    enum wait_state state = WAITING;
    coact__spin_lock(&limit->lock);
    uint32_t queue_most = limit->options.queue_most;
    if (limit->first == NULL && limit->stats.working < limit->options.most) {
        limit->stats.working++;
        state = GRANTED;
    } else if (waiter->begins && queue_most != 0 &&
               limit->beginners >= queue_most && !make_room(limit, &shed)) {
        state = SHED;
    } else {
        append(limit, waiter);
    }
    coact__spin_unlock(&limit->lock);
    if (shed != NULL) {
        coact__task_wake(shed);
    }
    return state;
}

/* Leave the list.  False: it had been settled. */
static bool
give_up(struct coact_limit *limit, struct waiter *waiter)
{
    coact__spin_lock(&limit->lock);
    bool was_waiting =
        atomic_load_explicit(&waiter->state, memory_order_relaxed) == WAITING;
    if (was_waiting) {
        unlist(limit, waiter);
        limit->stats.given_up++;
    }
    coact__spin_unlock(&limit->lock);
    return was_waiting;
}

static enum wait_state
state_of(struct waiter *waiter)
{
    return (enum wait_state)atomic_load_explicit(&waiter->state,
                                                 memory_order_acquire);
}

/* Until it is settled, or we are asked to end, or the deadline. */
static void
sleep_for_slot(struct coact__actor *actor, struct waiter *waiter,
               int64_t deadline_ns)
{
    while (state_of(waiter) == WAITING && actor->stage == COACT__STAGE_ALIVE &&
           !coact__has_passed(deadline_ns)) {
        coact__note_wait(actor, "limit");
        coact__task_wait(&actor->task, COACT__INBOX_DEAF, deadline_ns);
        coact__note_awake(actor);
        coact__drain(actor);
    }
}

/* 0: we have a slot.  -ETIMEDOUT: we have none, for the deadline or because we
   are to end.  -EAGAIN: refused. */
static int
take(struct coact_limit *limit, struct coact__actor *actor, bool begins,
     int64_t deadline_ns)
{
    struct waiter waiter = {.task = &actor->task,
                            .begins = begins,
                            .since_ns = coact__oracle_now_ns()};
    enum wait_state state = begin_take(limit, &waiter);
    if (state == WAITING) {
        sleep_for_slot(actor, &waiter, deadline_ns);
        if (state_of(&waiter) == WAITING && give_up(limit, &waiter)) {
            return -ETIMEDOUT;
        }
        state = state_of(&waiter);
    }
    return state == GRANTED ? 0 : -EAGAIN;
}

static void
count_inside(struct coact_limit *limit, uint32_t change)
{
    coact__spin_lock(&limit->lock);
    limit->stats.inside += change;
    limit->stats.entered += change == 1;
    coact__spin_unlock(&limit->lock);
}

/* ---- Of a role ---- */

static void
let_go(struct coact__limit_hold *hold)
{
    if (hold->limit != NULL) {
        count_inside(hold->limit, (uint32_t)-1);
        if (hold->has_slot) {
            give(hold->limit);
        }
    }
    *hold = (struct coact__limit_hold){.limit = NULL};
}

static void
set_trait(struct coact__actor *actor)
{
    const struct coact__extra *extra = actor->extra;
    if (extra->of_role.limit != NULL || extra->entered.limit != NULL) {
        actor->traits |= COACT__LIMITED;
    } else {
        actor->traits &= (uint8_t)~COACT__LIMITED;
    }
}

int
coact__limits_of_role(struct coact__actor *actor, struct coact_limit *limit)
{
    if (limit == NULL && actor->extra == NULL) {
        return 0;
    }
    struct coact__extra *extra = coact__extra_of(actor);
    if (extra == NULL) {
        return -ENOMEM;
    }
    if (extra->of_role.limit != limit) {
        let_go(&extra->of_role);
        extra->of_role.limit = limit;
        if (limit != NULL) {
            count_inside(limit, 1);
        }
    }
    set_trait(actor);
    return 0;
}

/* ---- Around a wait ---- */

static void
pause_one(struct coact__limit_hold *hold, bool is_end_of_work)
{
    struct coact_limit *limit = hold->limit;
    if (limit == NULL || !hold->has_slot ||
        (limit->options.rigid && !is_end_of_work)) {
        return;
    }
    hold->has_slot = false;
    if (!is_end_of_work) {
        coact__spin_lock(&limit->lock);
        limit->stats.given_back++;
        coact__spin_unlock(&limit->lock);
    }
    give(limit);
}

void
coact__limits_pause(struct coact__actor *actor, bool is_receive)
{
    pause_one(&actor->extra->of_role, is_receive);
    pause_one(&actor->extra->entered, false);
}

static void
resume_one(struct coact__actor *actor, struct coact__limit_hold *hold)
{
    if (hold->limit != NULL && !hold->has_slot &&
        actor->stage == COACT__STAGE_ALIVE) {
        hold->has_slot = take(hold->limit, actor, false, COACT_FOREVER) == 0;
    }
}

void
coact__limits_resume(struct coact__actor *actor)
{
    resume_one(actor, &actor->extra->of_role);
    resume_one(actor, &actor->extra->entered);
}

void
coact__limits_next(struct coact__actor *actor)
{
    struct coact__limit_hold *hold = &actor->extra->of_role;
    // Relaxed: who has just come is seen at the next message.
    if (hold->limit != NULL && hold->has_slot &&
        atomic_load_explicit(&hold->limit->queued, memory_order_relaxed) > 0) {
        pause_one(hold, true);
        resume_one(actor, hold);
    }
}

void
coact__limits_end(struct coact__actor *actor)
{
    let_go(&actor->extra->of_role);
    let_go(&actor->extra->entered);
    set_trait(actor);
}

/* ---- Entered ---- */

int
coact_limit_enter(struct coact_limit *limit, int64_t deadline_ns)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_limit_enter");
    if (actor == NULL) {
        return -EPERM;
    }
    struct coact__extra *extra = coact__extra_of(actor);
    if (extra == NULL) {
        return -ENOMEM;
    }
    if (extra->entered.limit != NULL) {
        return -EDEADLK;
    }
    coact__switch_check(actor, "limit");
    int rc = coact__wait_begin(actor);
    if (rc == 0) {
        // A clean-up is beside all limits.
        rc = actor->stage == COACT__STAGE_ALIVE ? 0 : -ECANCELED;
    }
    if (rc == 0) {
        coact__limits_pause(actor, false);
        rc = take(limit, actor, true, deadline_ns);
        resume_one(actor, &extra->of_role);
    }
    if (rc == 0) {
        extra->entered =
            (struct coact__limit_hold){.limit = limit, .has_slot = true};
        count_inside(limit, 1);
        set_trait(actor);
    } else if (rc == -ETIMEDOUT) {
        int cancelled = coact__interrupted(actor);
        rc = cancelled < 0 ? cancelled : rc;
    }
    return rc;
}

int
coact_limit_leave(struct coact_limit *limit)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_limit_leave");
    if (actor == NULL) {
        return -EPERM;
    }
    if (actor->extra == NULL || actor->extra->entered.limit != limit) {
        return -ENOENT;
    }
    let_go(&actor->extra->entered);
    set_trait(actor);
    return 0;
}
