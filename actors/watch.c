/*
 * watch.c - monitors: asked for, withdrawn, and fired.
 *
 * A monitor is a conversation of items between two inboxes, and needs no lock.
 * The watcher puts it on its list and sends the request.  The target, when it
 * takes the request from its inbox, puts it on its own list; when it ends it
 * sends the news to all on that list, and whatever request it finds in its
 * inbox later is bounced, which sends the news too.  A withdrawal follows the
 * request through the same inbox, so it cannot come first.
 *
 * The watch is freed with its last hold.  Everything else in it belongs to one
 * of the two ends, as watch.h says, or to whoever takes the item out of an
 * inbox.
 *
 * Memory orders: dropping a hold is release, the drop that finds itself last
 * acquires: all that the others did with the watch.  No hold is ever added: they
 * only pass from hand to hand.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/watch.h"

#include "actors/node.h"
#include "actors/switch_check.h"
#include "runtime/memory.h"
#include "runtime/oracle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void
tie(struct coact__watch **list, struct coact__watch *watch, size_t ties)
{
    struct coact__ties *ours = (void *)((char *)watch + ties);
    ours->prev = NULL;
    ours->next = *list;
    if (*list != NULL) {
        ((struct coact__ties *)(void *)((char *)*list + ties))->prev = watch;
    }
    *list = watch;
}

static void
untie(struct coact__watch **list, struct coact__watch *watch, size_t ties)
{
    struct coact__ties *ours = (void *)((char *)watch + ties);
    if (ours->prev != NULL) {
        ((struct coact__ties *)(void *)((char *)ours->prev + ties))->next =
            ours->next;
    } else {
        *list = ours->next;
    }
    if (ours->next != NULL) {
        ((struct coact__ties *)(void *)((char *)ours->next + ties))->prev =
            ours->prev;
    }
}

#define WATCHER_TIES offsetof(struct coact__watch, watcher_ties)
#define TARGET_TIES offsetof(struct coact__watch, target_ties)

void
coact__watch_unhold(struct coact__watch *watch)
{
    if (atomic_fetch_sub_explicit(&watch->holds, 1, memory_order_acq_rel) ==
        1) {
        coact__free(watch);
    }
}

/* ---- The watcher's end ---- */

struct coact__watch *
coact__watch_new(struct coact__actor *watcher)
{
    if (coact__extra_of(watcher) == NULL) {
        return NULL;
    }
    return coact__alloc_zeroed(sizeof(struct coact__watch));
}

static void
fill(struct coact__watch *watch, coact_ref watcher, coact_ref target,
     uint64_t id)
{
    watch->watcher = watcher;
    watch->target = target;
    watch->request.kind = COACT__KIND_WATCH;
    watch->news.down.monitor.id = id;
    watch->news.down.who = target;
    watch->news.envelope.from = target;
    watch->news.envelope.item.kind = COACT__KIND_DOWN;
    watch->news.envelope.item.number =
        offsetof(struct coact_accepts_always, coact_down);
    // One for our list or tie; one for the request, which becomes the target's.
    atomic_store_explicit(&watch->holds, 2, memory_order_relaxed);
}

/* A local target gets the request, or we answer for it. */
void
coact__watch_begin(struct coact_runtime *runtime, struct coact__watch *watch)
{
    if (!coact__is_local(runtime, watch->target) ||
        !coact__deliver(runtime, watch->target, &watch->request,
                        COACT__AS_SIGNAL)) {
        coact__watch_fire(runtime, watch,
                          &(const struct coact_reason){.code = COACT_NOPROC});
    }
}

coact_monitor_id
coact__watch_start(struct coact__actor *watcher, struct coact__watch *watch,
                   coact_ref target)
{
    struct coact_runtime *runtime = coact__runtime_of(watcher);
    fill(watch, coact__ref_of(watcher), target,
         atomic_fetch_add_explicit(&runtime->next_id, 1, memory_order_relaxed));
    coact_monitor_id id = watch->news.down.monitor;
    watch->is_watching = true;
    tie(&watcher->extra->watching, watch, WATCHER_TIES);
    if (coact__is_local(runtime, target)) {
        coact__watch_begin(runtime, watch);
    } else if (coact__node_watch(runtime, watch) < 0) {
        coact__watch_fire(
            runtime, watch,
            &(const struct coact_reason){.code = COACT_NOCONNECTION});
    }
    return id;
}

int
coact_monitor(coact_ref target, coact_monitor_id *out)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_monitor");
    if (actor == NULL) {
        return -EPERM;
    }
    struct coact__watch *watch = coact__watch_new(actor);
    if (watch == NULL) {
        return -ENOMEM;
    }
    *out = coact__watch_start(actor, watch, target);
    return 0;
}

void
coact__watch_withdraw(struct coact_runtime *runtime, struct coact__watch *watch)
{
    watch->withdrawal.kind = COACT__KIND_UNWATCH;
    if (!coact__is_local(runtime, watch->target)) {
        coact__node_unwatch(runtime, watch);
    } else if (!coact__deliver(runtime, watch->target, &watch->withdrawal,
                               COACT__AS_SIGNAL)) {
        coact__watch_unhold(watch);
    }
}

/* We do not want the news any more: tell the target. */
static void
withdraw(struct coact__actor *watcher, struct coact__watch *watch)
{
    untie(&watcher->extra->watching, watch, WATCHER_TIES);
    watch->is_watching = false;
    coact__watch_withdraw(coact__runtime_of(watcher),
                          watch); // with our list's hold
}

/* The news waits unread in our queue: take it out. */
static void
discard_news(struct coact__actor *actor, struct coact__watch *watch)
{
    if (coact__unqueue_this(actor, &watch->news.envelope)) {
        coact__watch_news_free(&watch->news.envelope);
    }
}

int
coact_demonitor(coact_monitor_id monitor)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_demonitor");
    if (actor == NULL) {
        return -EPERM;
    }
    struct coact__watch *watch =
        actor->extra != NULL ? actor->extra->watching : NULL;
    while (watch != NULL && watch->news.down.monitor.id != monitor.id) {
        watch = watch->watcher_ties.next;
    }
    if (watch == NULL) {
        return -ENOENT;
    }
    if (watch->has_arrived) {
        untie(&actor->extra->watching, watch, WATCHER_TIES);
        watch->is_watching = false;
        coact__watch_unhold(watch); // its news holds it still
        discard_news(actor, watch);
    } else {
        withdraw(actor, watch);
    }
    return 0;
}

bool
coact__watch_news_arrived(struct coact__actor *actor,
                          struct coact__envelope *news)
{
    struct coact__watch *watch = coact__watch_of_news(news);
    (void)actor;
    if (!watch->is_watching) {
        coact__watch_unhold(watch);
        return false;
    }
    watch->has_arrived = true;
    return true;
}

void
coact__watch_news_taken(struct coact__actor *actor,
                        struct coact__envelope *news)
{
    struct coact__watch *watch = coact__watch_of_news(news);
    untie(&actor->extra->watching, watch, WATCHER_TIES);
    watch->is_watching = false;
    coact__watch_unhold(watch);
}

void
coact__watch_news_free(struct coact__envelope *news)
{
    coact__watch_unhold(coact__watch_of_news(news));
}

void
coact__watches_drop(struct coact__actor *actor)
{
    struct coact__watch *watch;
    while ((watch = actor->extra->watching) != NULL) {
        if (watch->has_arrived) {
            // Its news was in our queue, and has been dropped with it.
            untie(&actor->extra->watching, watch, WATCHER_TIES);
            coact__watch_unhold(watch);
        } else {
            withdraw(actor, watch);
        }
    }
}

/* For a watcher that is not here: its node's tie stands for its list. */
struct coact__watch *
coact__watch_from(coact_ref watcher, coact_ref target, uint64_t id)
{
    struct coact__watch *watch = coact__alloc_zeroed(sizeof(*watch));
    if (watch != NULL) {
        fill(watch, watcher, target, id);
    }
    return watch;
}

/* ---- The target's end ---- */

static struct coact__watch *
watch_of(struct coact__item *item)
{
    size_t offset = item->kind == COACT__KIND_WATCH
                        ? offsetof(struct coact__watch, request)
                        : offsetof(struct coact__watch, withdrawal);
    return (struct coact__watch *)(void *)((char *)item - offset);
}

void
coact__watch_fire(struct coact_runtime *runtime, struct coact__watch *watch,
                  const struct coact_reason *reason)
{
    if (!coact__is_local(runtime, watch->watcher)) {
        coact__node_down(runtime, watch, reason);
        return;
    }
    watch->news.down.reason = *reason;
    if (!coact__deliver(runtime, watch->watcher, &watch->news.envelope.item,
                        COACT__AS_MESSAGE)) {
        coact__watch_unhold(watch);
    }
}

void
coact__watch_arrived(struct coact__actor *actor, struct coact__item *item)
{
    struct coact__watch *watch = watch_of(item);
    if (item->kind == COACT__KIND_WATCH) {
        struct coact__extra *extra = coact__extra_of(actor);
        if (extra == NULL) {
            // Better a monitor that fires too soon than one that never does.
            coact__watch_fire(coact__runtime_of(actor), watch,
                              &(const struct coact_reason){.code = -ENOMEM});
            return;
        }
        watch->is_watched = true;
        tie(&extra->watched, watch, TARGET_TIES);
        return;
    }
    if (watch->is_watched) {
        watch->is_watched = false;
        untie(&actor->extra->watched, watch, TARGET_TIES);
        coact__watch_unhold(watch);
    }
    coact__watch_unhold(watch);
}

void
coact__watch_bounced(struct coact_runtime *runtime, struct coact__item *item,
                     const struct coact_reason *reason)
{
    struct coact__watch *watch = watch_of(item);
    if (item->kind == COACT__KIND_WATCH) {
        coact__watch_fire(runtime, watch, reason);
    } else {
        // A withdrawal that comes after the end: the list may still have it.
        coact__watch_unhold(watch);
    }
}

void
coact__watches_tell(struct coact__actor *actor,
                    const struct coact_reason *reason)
{
    struct coact__watch *watch;
    while ((watch = actor->extra->watched) != NULL) {
        actor->extra->watched = watch->target_ties.next;
        watch->is_watched = false;
        coact__watch_fire(coact__runtime_of(actor), watch, reason);
    }
}

/* ---- Joining ---- */

/* 0: the news of it is in our queue. */
static int
await_news(struct coact__actor *actor, struct coact__watch *watch,
           int64_t deadline_ns)
{
    for (;;) {
        coact__drain(actor);
        if (watch->has_arrived) {
            return 0;
        }
        int rc = coact__interrupted(actor);
        if (rc == 0 && deadline_ns != COACT_FOREVER &&
            coact__oracle_now_ns() >= deadline_ns) {
            rc = -ETIMEDOUT;
        }
        if (rc < 0) {
            return rc;
        }
        coact__wait(actor, "join", COACT__INBOX_LISTENING, deadline_ns);
    }
}

static int
join_inside(struct coact__actor *actor, coact_ref target, int64_t deadline_ns,
            struct coact_reason *reason)
{
    if (coact_ref_equal(target, coact__ref_of(actor))) {
        return -EDEADLK;
    }
    coact__switch_check(actor, "join");
    int rc = coact__wait_begin(actor);
    if (rc < 0) {
        return rc;
    }
    struct coact__watch *watch = coact__watch_new(actor);
    if (watch == NULL) {
        return -ENOMEM;
    }
    coact_monitor_id id = coact__watch_start(actor, watch, target);
    rc = await_news(actor, watch, deadline_ns);
    if (rc == 0 && reason != NULL) {
        *reason = watch->news.down.reason;
    }
    int demonitored = coact_demonitor(id);
    return rc < 0 ? rc : demonitored;
}

struct join_job {
    coact_ref target;
    int64_t deadline_ns;
    struct coact_reason *reason;
    int rc;
};

static void
join_job_run(void *arg)
{
    struct join_job *job = arg;
    job->rc = join_inside(coact__actor_here(), job->target, job->deadline_ns,
                          job->reason);
}

int
coact_join(coact_ref target, int64_t deadline_ns, struct coact_reason *reason)
{
    struct coact__actor *actor = coact__actor_here();
    if (actor != NULL) {
        return join_inside(actor, target, deadline_ns, reason);
    }
    struct coact_runtime *runtime = coact__runtime_here();
    if (runtime == NULL) {
        return coact__misuse(NULL, -EPERM, "coact_join",
                             "the thread is neither an actor nor attached");
    }
    struct join_job job = {target, deadline_ns, reason, -ECANCELED};
    int rc = coact__run_inside(runtime, join_job_run, &job);
    return rc < 0 ? rc : job.rc;
}
