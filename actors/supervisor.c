/*
 * supervisor.c - the loop of a supervisor, and what it hears.
 *
 * Invariants
 *   V1  A child has an address exactly while we watch it, and it is found in
 *       the list by that address.
 *   V2  That a child has ended is learnt from its DOWN and from nothing else:
 *       an EXIT can be forged, and a child can unlink itself.
 *   V3  The loop waits in its receive only.  So every request is answered
 *       while children start, stop or wait, and one that never ends makes
 *       nobody wait but who asked for its end.
 *   V4  A supervisor that is killed leaves no orphan: every child was linked to
 *       it when it was spawned, and the runtime ends those.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/supervisor_state.h"

#include "actors/life.h"
#include "runtime/memory.h"
#include "runtime/oracle.h"

#include <stdio.h>

int
coact__sup_new(struct coact__plan *plan, struct coact_runtime *runtime,
               struct coact__sup **out)
{
    struct coact__sup *sup = coact__alloc_zeroed(sizeof(*sup));
    if (sup == NULL) {
        return -ENOMEM;
    }
    sup->plan = coact__plan_ref(plan);
    sup->runtime = runtime;
    sup->build_deadline_ns = COACT_FOREVER;
    sup->end_deadline_ns = COACT_FOREVER;
    int rc = coact__window_init(&sup->window, plan->spec.intensity,
                                plan->spec.period_ns);
    for (size_t i = 0; rc == 0 && i < plan->count; i++) {
        struct coact__child *child = NULL;
        rc = coact__list_add(&sup->list, plan->children[i], &child);
        if (rc == 0) {
            sup->in_state[COACT_CHILD_STOPPED]++;
            sup->supervisors += child->plan->supervisor != NULL;
        }
    }
    if (rc < 0) {
        coact__sup_free(sup);
        return rc;
    }
    *out = sup;
    return 0;
}

void
coact__sup_free(void *arg)
{
    struct coact__sup *sup = arg;
    coact__list_fini(&sup->list);
    coact__window_fini(&sup->window);
    coact__plan_unref(sup->plan);
    coact__free(sup);
}

void
coact__sup_set_state(struct coact__sup *sup, struct coact__child *child,
                     enum coact_child_state state, int64_t now_ns)
{
    if (child->plan->spec.significant) {
        sup->significant -= child->state != COACT_CHILD_STOPPED;
        sup->significant += state != COACT_CHILD_STOPPED;
    }
    sup->in_state[child->state]--;
    sup->in_state[state]++;
    child->state = state;
    child->since_ns = now_ns;
    coact__list_set_due(&sup->list, child, COACT_FOREVER);
}

void
coact__sup_forget(struct coact__sup *sup, struct coact__child *child)
{
    if (sup->cursor == child) {
        sup->cursor = sup->phase == COACT__SUP_STOP ? child->prev : child->next;
    }
    coact__asks_answer(&child->finders, -ENOENT, (coact_ref){0}, NULL);
    sup->in_state[child->state]--;
    sup->supervisors -= child->plan->supervisor != NULL;
    coact__list_remove(&sup->list, child);
}

/* ---- What it hears ------------------------------------------------------- */

void
coact__sup_child_ended(struct coact__sup *sup, struct coact__child *child,
                       const struct coact_reason *reason)
{
    enum coact_child_state was = child->state;
    bool is_start_late = child->is_start_late;
    int64_t now_ns = coact__oracle_now_ns();
    coact__list_unbind(&sup->list, child);
    sup->alive--;
    coact__sup_remember(child, reason, now_ns);
    coact__sup_set_state(sup, child, COACT_CHILD_STOPPED, now_ns);

    if (coact__sup_group_stops(sup, child) ||
        (was == COACT_CHILD_STOPPING && !is_start_late)) {
        if (was == COACT_CHILD_STOPPING && !child->is_killed &&
            !coact_reason_is_expected(reason->code)) {
            coact__sup_log(sup, COACT_LOG_WARNING,
                           "child %s failed while it was stopped: %s",
                           coact__sup_id(child), coact__sup_words(reason).text);
        }
        coact__sup_has_stopped(sup, child);
    } else if (is_start_late) {
        struct coact_reason late = {-ETIMEDOUT, "it has not started in time"};
        coact__sup_start_failed(sup, child, &late);
    } else if (was == COACT_CHILD_STARTING) {
        coact__sup_start_failed(sup, child, reason);
    } else {
        coact__sup_has_ended(sup, child, reason);
    }
}

static void
on_down(struct coact__sup *sup, const struct coact_down *down)
{
    struct coact__child *child = coact__list_by_ref(&sup->list, down->who);
    if (child != NULL) {
        if (down->reason.code == -ENOMEM) {
            // Maybe it lives: a monitor that finds no memory there fires early.
            coact_kill(down->who);
        }
        coact__sup_child_ended(sup, child, &down->reason);
    }
}

/* Children are learnt of by their DOWN; a stranger's signal is not for us to
   obey.  Nobody's is the runtime's, or the host's. */
static void
on_exit_signal(struct coact__sup *sup, const struct coact_exit_news *news)
{
    coact_ref parent = coact__supervisor_of_self();
    bool is_ours = coact_ref_is_none(news->from) ||
                   coact_ref_equal(news->from, parent) ||
                   (!coact_ref_is_none(sup->starter) &&
                    coact_ref_equal(news->from, sup->starter));
    if (!is_ours) {
        return;
    }
    struct coact_reason reason = news->reason;
    if (reason.code == COACT_NORMAL) {
        reason.code = COACT_SHUTDOWN;
    }
    coact__sup_end(sup, &reason, COACT_FOREVER);
}

static void
on_news(struct coact__sup *sup, const struct coact__sup_news *news)
{
    struct coact__child *child = coact__list_by_ref(&sup->list, news->who);
    switch (news->kind) {
    case COACT__SUP_NEWS_STARTED:
        if (child != NULL && child->state == COACT_CHILD_STARTING) {
            coact__sup_has_started(sup, child);
        }
        break;
    case COACT__SUP_NEWS_LATE:
        if (child != NULL) {
            coact__sup_blame(sup, child, news->path);
        }
        break;
    case COACT__SUP_NEWS_DEADLINE: {
        struct coact_reason reason = {.code = COACT_SHUTDOWN};
        coact__sup_end(sup, &reason, news->deadline_ns);
    } break;
    }
}

/* ---- What is due --------------------------------------------------------- */

static int64_t
next_due_ns(const struct coact__sup *sup)
{
    const struct coact__child *child = coact__list_first_due(&sup->list);
    int64_t due_ns = child != NULL ? child->due_ns : COACT_FOREVER;
    if (sup->phase == COACT__SUP_DELAY && sup->start_at_ns < due_ns) {
        due_ns = sup->start_at_ns;
    }
    if (sup->build_deadline_ns < due_ns) {
        due_ns = sup->build_deadline_ns;
    }
    if (!sup->is_late && sup->end_deadline_ns < due_ns) {
        due_ns = sup->end_deadline_ns;
    }
    return due_ns;
}

static void
build_is_late(struct coact__sup *sup)
{
    sup->build_deadline_ns = COACT_FOREVER;
    if (sup->mode == COACT__SUP_BUILDING) {
        struct coact_reason reason = {.code = -ETIMEDOUT};
        snprintf(reason.text, sizeof(reason.text),
                 "child %.80s: it has not started in time",
                 sup->cursor != NULL ? coact__sup_id(sup->cursor) : "(none)");
        coact__asks_answer(&sup->builders, -ETIMEDOUT, (coact_ref){0}, &reason);
        coact__sup_end(sup, &reason, COACT_FOREVER);
    } else {
        // Its start had failed before; what still stops is not waited for.
        int code = sup->end.code < 0 ? sup->end.code : -ECHILD;
        coact__asks_answer(&sup->builders, code, (coact_ref){0}, &sup->end);
    }
}

/* One thing at a time, so that a message is taken between any two. */
static void
serve_due(struct coact__sup *sup)
{
    int64_t due_ns = next_due_ns(sup);
    if (due_ns == COACT_FOREVER || due_ns > coact__oracle_now_ns()) {
        return;
    }
    struct coact__child *child = coact__list_first_due(&sup->list);
    if (!sup->is_late && sup->end_deadline_ns == due_ns) {
        coact__sup_end_is_late(sup);
    } else if (sup->build_deadline_ns == due_ns) {
        build_is_late(sup);
    } else if (sup->phase == COACT__SUP_DELAY && sup->start_at_ns == due_ns) {
        coact__sup_group_start(sup);
    } else if (child->state == COACT_CHILD_WAITING) {
        coact__sup_start(sup, child);
    } else {
        coact__sup_is_overdue(sup, child);
    }
}

/* ---- The actor ----------------------------------------------------------- */

static void
tell_who_waits(struct coact__sup *sup)
{
    int code = sup->end.code < 0 ? sup->end.code : -ECHILD;
    if (sup->end.code == COACT_SHUTDOWN) {
        code = -ESHUTDOWN;
    }
    coact__asks_answer(&sup->builders, code, (coact_ref){0}, &sup->end);
    struct coact_reason late = {.code = -ETIMEDOUT};
    snprintf(late.text, sizeof(late.text), "%s", sup->late);
    coact__asks_answer(&sup->enders, sup->late[0] != '\0' ? -ETIMEDOUT : 0,
                       (coact_ref){0}, &late);
}

void
coact__sup_body(coact__supervisor_self self, void *arg)
{
    struct coact__sup *sup = arg;
    if (!sup->is_root) {
        coact__sup_group_build(sup);
    }
    while (sup->mode != COACT__SUP_OVER) {
        COACT_RECEIVE(self, next_due_ns(sup)) {
        case COACT_ON(coact__sup_request, m):
            coact__sup_request(sup, m);
            break;
        case COACT_ON(coact__sup_news, m):
            on_news(sup, m);
            break;
        case COACT_ON_DOWN(d):
            on_down(sup, d);
            break;
        case COACT_ON_EXIT(e):
            on_exit_signal(sup, e);
            break;
        case COACT_ON_TIMEOUT:
            break;
        case COACT_ON_CANCELLED:
            return;
        }
        serve_due(sup);
    }
    tell_who_waits(sup);
    if (coact_reason_is_expected(sup->end.code)) {
        coact_exit(COACT_SHUTDOWN);
    }
    coact_fail(sup->end.code, "%s", sup->end.text);
}
