/*
 * timer.c - sleeping, and ticks that arrive as messages.
 *
 * A tick's envelope is part of its timer, so a tick needs no memory when it
 * fires, and at most one is on its way at a time: a period that ends while the
 * last tick is unread is counted as missed.
 *
 *   is_sent   the tick is in the inbox or in the queue; set by the timer when
 *             it fires, cleared by the actor when it takes it
 *
 * Memory orders: is_sent is cleared with release and read with acquire by the
 * firing timer, which then writes the envelope anew.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/life.h"
#include "actors/switch_check.h"
#include "runtime/here.h"
#include "runtime/memory.h"
#include "runtime/oracle.h"

#include <errno.h>

struct coact__ticker {
    struct coact__timer timer; /* first */
    struct coact__ticker *next;
    struct coact__actor *actor;
    coact_ref owner;
    int64_t deadline_ns, period_ns;
    _Atomic uint64_t missed;
    _Atomic bool is_sent;
    bool is_cancelled; /* with a tick on its way; the actor's */
    bool is_held;      /* its tick is being handled; the actor's */
    struct {
        struct coact__envelope envelope;
        struct coact_tick tick;
    } news;
};

static struct coact__ticker *
ticker_of(struct coact__envelope *news)
{
    return (
        struct coact__ticker *)(void *)((char *)news -
                                        offsetof(struct coact__ticker, news));
}

/* ---- Sleeping ---- */

int
coact_sleep(int64_t deadline_ns)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_sleep");
    if (actor == NULL) {
        return -EPERM;
    }
    coact__switch_check(actor, "sleep");
    int rc = coact__wait_begin(actor);
    while (rc == 0 && (deadline_ns == COACT_FOREVER ||
                       coact__oracle_now_ns() < deadline_ns)) {
        coact__wait(actor, "sleep", COACT__INBOX_DEAF, deadline_ns);
        rc = coact__interrupted(actor);
    }
    return rc;
}

int
coact_yield(void)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_yield");
    if (actor == NULL) {
        return -EPERM;
    }
    coact__switch_check(actor, "yield");
    int rc = coact__wait_begin(actor);
    if (rc == 0) {
        // It counts as a wait for who looks whether the actor hangs.
        coact__note_wait(actor, NULL);
        coact__task_yield(&actor->task);
        coact__note_awake(actor);
        coact__drain(actor);
        rc = coact__interrupted(actor);
    }
    return rc;
}

/* ---- Ticks ---- */

/* So many periods later, or never. */
static int64_t
later(int64_t deadline_ns, int64_t periods, int64_t period_ns)
{
    int64_t ns;
    return __builtin_mul_overflow(periods, period_ns, &ns) ||
                   __builtin_add_overflow(deadline_ns, ns, &deadline_ns)
               ? COACT_FOREVER
               : deadline_ns;
}

/* Under the wheel's lock. */
static void
fire(struct coact__timer *timer)
{
    struct coact__ticker *ticker = (struct coact__ticker *)timer;
    if (ticker->period_ns > 0) {
        int64_t now = coact__oracle_now_ns();
        int64_t periods = (now - ticker->deadline_ns) / ticker->period_ns;
        ticker->deadline_ns =
            later(ticker->deadline_ns, periods + 1, ticker->period_ns);
        atomic_fetch_add_explicit(&ticker->missed, (uint64_t)periods,
                                  memory_order_relaxed);
        coact__wheel_add(&timer->home->wheel, &timer->entry,
                         ticker->deadline_ns);
    }
    if (atomic_exchange_explicit(&ticker->is_sent, true,
                                 memory_order_acq_rel)) {
        atomic_fetch_add_explicit(&ticker->missed, 1, memory_order_relaxed);
        return;
    }
    // The actor cancels its timers before it ends: the slot is still its own.
    coact__deliver(coact__runtime_of(ticker->actor), ticker->owner,
                   &ticker->news.envelope.item, COACT__AS_MESSAGE);
}

static struct coact__ticker *
new_ticker(struct coact__actor *actor, int64_t deadline_ns, int64_t period_ns,
           void *data)
{
    struct coact__ticker *ticker = coact__alloc_zeroed(sizeof(*ticker));
    if (ticker != NULL) {
        ticker->timer.fire = fire;
        ticker->actor = actor;
        ticker->owner = coact__ref_of(actor);
        ticker->deadline_ns = deadline_ns;
        ticker->period_ns = period_ns;
        ticker->news.envelope.item.kind = COACT__KIND_TICK;
        ticker->news.envelope.item.number =
            offsetof(struct coact_accepts_always, coact_tick);
        ticker->news.envelope.from = ticker->owner;
        ticker->news.tick.data = data;
        ticker->news.tick.timer.id = atomic_fetch_add_explicit(
            &coact__runtime_of(actor)->next_id, 1, memory_order_relaxed);
        ticker->next = actor->extra->tickers;
        actor->extra->tickers = ticker;
    }
    return ticker;
}

int
coact_timer_start(coact_timer_id *out, int64_t deadline_ns, int64_t period_ns,
                  void *data)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_timer_start");
    if (actor == NULL) {
        return -EPERM;
    }
    if (period_ns < 0) {
        return coact__misuse(coact__runtime_of(actor), -EINVAL,
                             "coact_timer_start", "period_ns is negative");
    }
    struct coact__ticker *ticker =
        coact__extra_of(actor) != NULL
            ? new_ticker(actor, deadline_ns, period_ns, data)
            : NULL;
    if (ticker == NULL) {
        return -ENOMEM;
    }
    // A past deadline means now, not that periods were missed.
    int64_t now = coact__oracle_now_ns();
    ticker->deadline_ns = deadline_ns > now ? deadline_ns : now;
    *out = ticker->news.tick.timer;
    coact__timer_arm(&coact__here()->worker->timers, &ticker->timer,
                     deadline_ns);
    return 0;
}

static void
unlist(struct coact__actor *actor, struct coact__ticker *ticker)
{
    struct coact__ticker **link = &actor->extra->tickers;
    while (*link != ticker) {
        link = &(*link)->next;
    }
    *link = ticker->next;
}

/* The tick waits unread in our queue: take it out, and free its timer. */
static bool
discard_tick(struct coact__actor *actor, struct coact__ticker *ticker)
{
    bool is_there = coact__unqueue_this(actor, &ticker->news.envelope);
    if (is_there) {
        coact__free(ticker);
    }
    return is_there;
}

int
coact_timer_cancel(coact_timer_id timer)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_timer_cancel");
    if (actor == NULL) {
        return -EPERM;
    }
    struct coact__ticker *ticker =
        actor->extra != NULL ? actor->extra->tickers : NULL;
    while (ticker != NULL && ticker->news.tick.timer.id != timer.id) {
        ticker = ticker->next;
    }
    if (ticker == NULL) {
        return -ENOENT;
    }
    coact__timer_cancel(&ticker->timer);
    unlist(actor, ticker);
    if (!atomic_load_explicit(&ticker->is_sent, memory_order_acquire) &&
        !ticker->is_held) {
        coact__free(ticker);
    } else if (ticker->is_held || !discard_tick(actor, ticker)) {
        ticker->is_cancelled = true; // freed when its tick is
    }
    return 0;
}

bool
coact__tick_arrived(struct coact__envelope *tick)
{
    struct coact__ticker *ticker = ticker_of(tick);
    if (ticker->is_cancelled) {
        coact__free(ticker);
        return false;
    }
    return true;
}

void
coact__tick_taken(struct coact__envelope *tick)
{
    struct coact__ticker *ticker = ticker_of(tick);
    ticker->is_held = true;
    ticker->news.tick.missed =
        atomic_exchange_explicit(&ticker->missed, 0, memory_order_relaxed);
}

void
coact__tick_free(struct coact__envelope *tick)
{
    struct coact__ticker *ticker = ticker_of(tick);
    ticker->is_held = false;
    if (ticker->is_cancelled) {
        coact__free(ticker);
        return;
    }
    if (ticker->period_ns == 0) {
        unlist(ticker->actor, ticker);
        coact__free(ticker);
        return;
    }
    atomic_store_explicit(&ticker->is_sent, false, memory_order_release);
}

void
coact__tickers_drop(struct coact__actor *actor)
{
    // The queue is dropped already; a tick in the inbox dies with its timer
    // when the inbox is closed.
    struct coact__ticker *ticker;
    while ((ticker = actor->extra->tickers) != NULL) {
        actor->extra->tickers = ticker->next;
        coact__timer_cancel(&ticker->timer);
        if (atomic_load_explicit(&ticker->is_sent, memory_order_acquire)) {
            ticker->is_cancelled = true;
        } else {
            coact__free(ticker);
        }
    }
}
