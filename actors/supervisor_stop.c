/*
 * supervisor_stop.c - stop one child, and stop all.
 *
 * A child is asked, and after shutdown_ns killed.  After that there is nothing
 * left to do in this process: one that never waits ends when it does, and until
 * then it is named in the log, and the supervisor waits for it; only a child
 * that may be abandoned is counted as dead.
 *
 * Deadlines of a whole tree go down before the signal that asks for the end, so
 * that each supervisor below can kill what is late at its own level and say up
 * who it was.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/supervisor_state.h"

#include "actors/life.h"
#include "runtime/oracle.h"

#include <stdio.h>
#include <string.h>

/* After a kill: how long until it is worth a line that the child is still
   there; for one killed without being asked, also until it is abandoned. */
#define KILLED_NS COACT_SECONDS(5)

#define ASK_AGAIN_NS COACT_MS(1)

/* Tell a supervisor below when we have to be gone.  If there is no memory for
   that it is killed at the deadline itself, without naming who was late. */
static void
send_deadline(const struct coact__sup *sup, const struct coact__child *child)
{
    if (child->plan->supervisor == NULL ||
        sup->end_deadline_ns == COACT_FOREVER) {
        return;
    }
    coact__supervisor_ref below = {.ref = child->ref};
    (void)coact_send(below, coact__sup_news, .kind = COACT__SUP_NEWS_DEADLINE,
                     .deadline_ns = sup->end_deadline_ns);
}

void
coact__sup_kill(struct coact__sup *sup, struct coact__child *child)
{
    const struct coact_child *spec = &child->plan->spec;
    int64_t now_ns = coact__oracle_now_ns();
    if (child->state != COACT_CHILD_STOPPING) {
        coact__sup_set_state(sup, child, COACT_CHILD_STOPPING, now_ns);
    }
    child->is_killed = true;
    coact_kill(child->ref);
    bool is_patient = spec->abandon && spec->shutdown_ns > 0;
    coact__list_set_due(
        &sup->list, child,
        coact__sup_after(now_ns, is_patient ? spec->shutdown_ns : KILLED_NS));
}

/* The signal may find no memory.  Then it is sent again, until the time that
   the child is given is over in any case. */
static void
ask_to_end(struct coact__sup *sup, struct coact__child *child, int64_t now_ns)
{
    int64_t due_ns =
        coact__sup_after(child->since_ns, child->plan->spec.shutdown_ns);
    child->is_asked = coact_signal_exit(child->ref, COACT_SHUTDOWN, "") == 0;
    if (!child->is_asked && due_ns > now_ns + ASK_AGAIN_NS) {
        due_ns = now_ns + ASK_AGAIN_NS;
    }
    coact__list_set_due(&sup->list, child, due_ns);
}

void
coact__sup_stop(struct coact__sup *sup, struct coact__child *child)
{
    const struct coact_child *spec = &child->plan->spec;
    if (!coact__sup_is_alive(child) || child->state == COACT_CHILD_STOPPING) {
        return;
    }
    if (spec->shutdown_ns == COACT_BRUTAL_KILL) {
        coact__sup_kill(sup, child);
        return;
    }
    int64_t now_ns = coact__oracle_now_ns();
    coact__sup_set_state(sup, child, COACT_CHILD_STOPPING, now_ns);
    send_deadline(sup, child);
    ask_to_end(sup, child, now_ns);
}

void
coact__sup_has_stopped(struct coact__sup *sup, struct coact__child *child)
{
    // Who asked for its end does not want to see it come back with the group.
    if (child->stoppers.first != NULL) {
        child->is_turn_due = false;
    }
    coact__asks_answer(&child->stoppers, 0, (coact_ref){0}, NULL);
    coact__asks_answer(&child->starters, -ECANCELED, (coact_ref){0}, NULL);
    bool is_gone_for_good = child->plan->spec.restart == COACT_TEMPORARY ||
                            sup->plan->spec.strategy == COACT_DYNAMIC ||
                            child->is_new;
    if (is_gone_for_good) {
        coact__sup_forget(sup, child);
    } else if (!child->is_turn_due) {
        coact__asks_answer(&child->finders, -ESRCH, (coact_ref){0}, NULL);
    }
    if (sup->phase == COACT__SUP_STOP) {
        coact__sup_group_go(sup);
    } else if (sup->mode == COACT__SUP_ENDING && sup->alive == 0) {
        sup->mode = COACT__SUP_OVER;
    }
}

static void
abandon(struct coact__sup *sup, struct coact__child *child)
{
    struct coact_reason reason = {COACT_UNRESPONSIVE,
                                  "killed, but did not end"};
    coact__sup_log(sup, COACT_LOG_ERROR,
                   "child %s does not end although it was killed; it counts as "
                   "dead from here on",
                   coact__sup_id(child));
    coact_demonitor(child->monitor);
    coact_unlink(child->ref);
    coact__sup_child_ended(sup, child, &reason);
}

void
coact__sup_is_overdue(struct coact__sup *sup, struct coact__child *child)
{
    const struct coact_child *spec = &child->plan->spec;
    int64_t now_ns = coact__oracle_now_ns();
    if (child->state == COACT_CHILD_STARTING) {
        child->is_start_late = true;
        coact__sup_kill(sup, child);
    } else if (!child->is_killed && !child->is_asked &&
               now_ns < coact__sup_after(child->since_ns, spec->shutdown_ns)) {
        ask_to_end(sup, child, now_ns);
    } else if (!child->is_killed && sup->is_late) {
        // A supervisor that could not say in time who made it late.
        coact__sup_blame(sup, child, NULL);
        coact__sup_kill(sup, child);
    } else if (!child->is_killed) {
        coact__sup_log(sup, COACT_LOG_WARNING,
                       "child %s has not ended %lld ms after it was asked to: "
                       "it is killed",
                       coact__sup_id(child),
                       (long long)(spec->shutdown_ns / 1000000));
        coact__sup_kill(sup, child);
    } else if (spec->abandon) {
        abandon(sup, child);
    } else {
        coact__sup_log(sup, COACT_LOG_ERROR,
                       "child %s does not end although it was killed; it is "
                       "waited for",
                       coact__sup_id(child));
        coact__list_set_due(&sup->list, child, COACT_FOREVER);
    }
}

/* ---- The end of the supervisor ------------------------------------------- */

static void
hurry(struct coact__sup *sup, int64_t deadline_ns)
{
    if (deadline_ns >= sup->end_deadline_ns) {
        return;
    }
    sup->end_deadline_ns = deadline_ns;
    for (struct coact__child *c = sup->list.first; c != NULL; c = c->next) {
        if (c->state == COACT_CHILD_STOPPING) {
            send_deadline(sup, c);
        }
    }
}

static void
drop_hopes(struct coact__sup *sup, int64_t now_ns)
{
    coact__asks_answer(&sup->postponed, -ESHUTDOWN, (coact_ref){0}, NULL);
    for (struct coact__child *c = sup->list.first; c != NULL; c = c->next) {
        c->is_turn_due = false;
        coact__asks_answer(&c->finders, -ESHUTDOWN, (coact_ref){0}, NULL);
        coact__asks_answer(&c->starters, -ESHUTDOWN, (coact_ref){0}, NULL);
        if (c->state == COACT_CHILD_WAITING) {
            coact__sup_set_state(sup, c, COACT_CHILD_STOPPED, now_ns);
        }
    }
}

void
coact__sup_end(struct coact__sup *sup, const struct coact_reason *reason,
               int64_t deadline_ns)
{
    hurry(sup, deadline_ns);
    if (sup->mode >= COACT__SUP_ENDING) {
        return;
    }
    sup->mode = COACT__SUP_ENDING;
    sup->end = *reason;
    drop_hopes(sup, coact__oracle_now_ns());
    if (sup->plan->spec.strategy == COACT_DYNAMIC) {
        for (struct coact__child *c = sup->list.first; c != NULL; c = c->next) {
            coact__sup_stop(sup, c);
        }
        if (sup->alive == 0) {
            sup->mode = COACT__SUP_OVER;
        }
    } else {
        coact__sup_group_stop(sup);
    }
}

void
coact__sup_blame(struct coact__sup *sup, const struct coact__child *child,
                 const char *below)
{
    if (sup->late[0] != '\0') {
        return;
    }
    snprintf(sup->late, sizeof(sup->late), "%.60s%s%s", coact__sup_id(child),
             below != NULL ? "/" : "", below != NULL ? below : "");
    coact_ref parent = coact__supervisor_of_self();
    if (!coact_ref_is_none(parent)) {
        coact__supervisor_ref above = {.ref = parent};
        struct coact__sup_news news = {.kind = COACT__SUP_NEWS_LATE,
                                       .who = coact_self()};
        memcpy(news.path, sup->late, sizeof(news.path));
        // Without memory the path is shorter: ours is named by the one above.
        (void)coact__send(above.ref, &coact_type_coact__sup_news,
                          COACT__NUMBER(above, coact__sup_news), &news);
    }
    struct coact_reason late = {.code = -ETIMEDOUT};
    memcpy(late.text, sup->late, sizeof(late.text));
    coact__asks_answer(&sup->enders, -ETIMEDOUT, (coact_ref){0}, &late);
}

/* Supervisors kill their own at the same moment, and say who it was: they get
   a little longer. */
#define SAY_WHO_NS COACT_MS(200)

void
coact__sup_end_is_late(struct coact__sup *sup)
{
    struct coact__child *worst = NULL;
    sup->is_late = true;
    coact__sup_log(sup, COACT_LOG_ERROR,
                   "its deadline has passed with %zu children left: they are "
                   "killed",
                   sup->alive);
    int64_t now_ns = coact__oracle_now_ns();
    for (struct coact__child *c = sup->list.last; c != NULL; c = c->prev) {
        if (!coact__sup_is_alive(c)) {
            continue;
        }
        if (worst == NULL || (worst->state != COACT_CHILD_STOPPING &&
                              c->state == COACT_CHILD_STOPPING)) {
            worst = c;
        }
        if (c->plan->supervisor == NULL || c->state != COACT_CHILD_STOPPING) {
            coact__sup_kill(sup, c);
        } else {
            coact__list_set_due(&sup->list, c,
                                coact__sup_after(now_ns, SAY_WHO_NS));
        }
    }
    if (worst == NULL) {
        return;
    }
    coact__sup_log(sup, COACT_LOG_ERROR, "child %s made it late",
                   coact__sup_id(worst));
    if (worst->plan->supervisor == NULL) {
        coact__sup_blame(sup, worst, NULL);
    }
}
