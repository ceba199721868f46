/*
 * supervisor_restart.c - a child ended: who is restarted, and when.
 *
 * The rules are Erlang/OTP's but for two.  A supervisor that gives up fails with
 * a reason of its own, abnormal, so that a transient one is restarted by its
 * supervisor instead of vanishing.  And a start that fails is tried again after
 * a wait that grows, so that it does not use up all restarts in a moment.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/supervisor_state.h"

#include "runtime/oracle.h"

#include <stdio.h>

static bool
is_restarted(const struct coact__child *child,
             const struct coact_reason *reason)
{
    switch (child->plan->spec.restart) {
    case COACT_PERMANENT:
        return true;
    case COACT_TRANSIENT:
        return !coact_reason_is_expected(reason->code);
    case COACT_TEMPORARY:
        break;
    }
    return false;
}

/* Its work may be done: `child` ended and does not come back. */
static void
shut_down_if_done(struct coact__sup *sup, const struct coact__child *child)
{
    enum coact_auto_shutdown how = sup->plan->spec.auto_shutdown;
    if (!child->plan->spec.significant || sup->mode >= COACT__SUP_ENDING) {
        return;
    }
    if (how == COACT_AUTO_ANY ||
        (how == COACT_AUTO_ALL && sup->significant == 0)) {
        struct coact_reason done = {.code = COACT_SHUTDOWN};
        coact__sup_log(sup, COACT_LOG_INFO,
                       "significant child %s has ended: it shuts down",
                       coact__sup_id(child));
        coact__sup_end(sup, &done, COACT_FOREVER);
    }
}

void
coact__sup_has_ended(struct coact__sup *sup, struct coact__child *child,
                     const struct coact_reason *reason)
{
    if (is_restarted(child, reason)) {
        coact__sup_failed(sup, child, reason, false);
        return;
    }
    bool is_failure = !coact_reason_is_expected(reason->code);
    coact__sup_log(sup, is_failure ? COACT_LOG_WARNING : COACT_LOG_DEBUG,
                   "child %s ended: %s; it is not restarted",
                   coact__sup_id(child), coact__sup_words(reason).text);
    coact__asks_answer(&child->finders, -ESRCH, (coact_ref){0}, reason);
    shut_down_if_done(sup, child);
    if (child->plan->spec.restart == COACT_TEMPORARY ||
        sup->plan->spec.strategy == COACT_DYNAMIC) {
        coact__sup_forget(sup, child);
    }
}

/* ---- The restart --------------------------------------------------------- */

static void
give_up(struct coact__sup *sup, const struct coact__child *child,
        const struct coact_reason *reason)
{
    struct coact_reason end = {.code = COACT_GAVE_UP};
    struct coact__words words = coact__sup_words(reason);
    snprintf(end.text, sizeof(end.text), "child %.50s: %.60s",
             coact__sup_id(child), words.text);
    coact__sup_log(
        sup, COACT_LOG_ERROR,
        "it gives up: child %s ended: %s; the limit is %u restarts in "
        "%lld ms",
        coact__sup_id(child), words.text, sup->window.room,
        (long long)(sup->window.period_ns / 1000000));
    coact__sup_end(sup, &end, COACT_FOREVER);
}

static void
log_restart(struct coact__sup *sup, const struct coact__child *child,
            const struct coact_reason *reason, bool start_failed,
            int64_t wait_ns)
{
    if (!coact__sup_would_log(sup, COACT_LOG_WARNING)) {
        return;
    }
    char of[48] = "";
    uint32_t used = sup->window.count;
    if (!sup->window.unlimited) {
        snprintf(of, sizeof(of), " %u of %u in %lld ms", used, sup->window.room,
                 (long long)(sup->window.period_ns / 1000000));
    }
    char when[48] = "";
    if (wait_ns > 0) {
        snprintf(when, sizeof(when), ", after %lld.%03lld ms",
                 (long long)(wait_ns / 1000000),
                 (long long)(wait_ns / 1000 % 1000));
    }
    coact__sup_log(sup, COACT_LOG_WARNING, "child %s %s: %s; restart%s%s",
                   coact__sup_id(child),
                   start_failed ? "failed to start" : "ended",
                   coact__sup_words(reason).text, of, when);
}

/* How long to wait: the nth failure in a row, unless it ran well for long. */
static int64_t
wait_for_restart(struct coact__child *child, bool start_failed, int64_t now_ns)
{
    const struct coact_backoff *backoff = &child->plan->spec.backoff;
    if (!start_failed && now_ns - child->started_ns >= backoff->reset_ns) {
        child->failures = 0;
    }
    if (child->failures < UINT32_MAX) {
        child->failures++;
    }
    return coact__backoff_wait_ns(backoff, child->failures, start_failed);
}

static void
restart_one(struct coact__sup *sup, struct coact__child *child, int64_t now_ns,
            int64_t wait_ns)
{
    if (wait_ns == 0) {
        coact__sup_start(sup, child);
        return;
    }
    coact__sup_set_state(sup, child, COACT_CHILD_WAITING, now_ns);
    coact__list_set_due(&sup->list, child, coact__sup_after(now_ns, wait_ns));
}

void
coact__sup_failed(struct coact__sup *sup, struct coact__child *child,
                  const struct coact_reason *reason, bool start_failed)
{
    int64_t now_ns = coact__oracle_now_ns();
    if (!coact__window_add(&sup->window, now_ns)) {
        give_up(sup, child, reason);
        return;
    }
    sup->restarts++;
    int64_t wait_ns = wait_for_restart(child, start_failed, now_ns);
    log_restart(sup, child, reason, start_failed, wait_ns);
    switch (sup->plan->spec.strategy) {
    case COACT_ONE_FOR_ONE:
    case COACT_DYNAMIC:
        restart_one(sup, child, now_ns, wait_ns);
        break;
    case COACT_ONE_FOR_ALL:
        coact__sup_group_restart(sup, 0, coact__sup_after(now_ns, wait_ns));
        break;
    case COACT_REST_FOR_ONE:
        coact__sup_group_restart(sup, child->order,
                                 coact__sup_after(now_ns, wait_ns));
        break;
    }
}
