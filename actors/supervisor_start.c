/*
 * supervisor_start.c - one child: start it, and what comes of that.
 *
 * A start is over when the child runs, or, where it waits for its init, when it
 * has said so.  Who wanted it may be a request, the group, or the backoff of a
 * restart; each is told here, and nowhere else.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/supervisor_state.h"

#include "actors/isolated.h"
#include "actors/life.h"
#include "runtime/oracle.h"

#include <stdio.h>

/* What the runtime grants a child that traps exits. */
static int64_t
grace_ns(const struct coact_child *spec)
{
    return spec->shutdown_ns == COACT_BRUTAL_KILL ? 0 : spec->shutdown_ns;
}

static int
spawn_supervisor(struct coact__sup *sup, struct coact__child *child,
                 struct coact_options *options)
{
    struct coact__sup *below = NULL;
    int rc = coact__sup_new(child->plan->supervisor, sup->runtime, &below);
    if (rc < 0) {
        return rc;
    }
    below->starter = coact_self();
    if (options->name == NULL) {
        options->name = child->plan->supervisor->spec.name;
    }
    options->trap_exit = true;
    options->destroy_arg = coact__sup_free;
    return coact__spawn_child(&coact__supervisor_coact_mailbox,
                              COACT__BODY(coact__supervisor, coact__sup_body),
                              below, options, grace_ns(&child->plan->spec),
                              &child->ref);
}

static int
spawn_isolated(struct coact__child *child)
{
    coact_ref guardian;
    int rc = coact__spawn_isolated(&child->plan->spec, &guardian);
    if (rc < 0) {
        return rc;
    }
    rc = coact_monitor(guardian, &child->monitor);
    if (rc < 0) {
        coact_kill(guardian);
        return rc;
    }
    child->ref = guardian;
    return 0;
}

static int
spawn(struct coact__sup *sup, struct coact__child *child)
{
    const struct coact_child *spec = &child->plan->spec;
    if (spec->isolated) {
        return spawn_isolated(child);
    }
    struct coact_options options = spec->options;
    options.monitor = &child->monitor;
    // The argument stays the plan's: it outlives many starts.
    options.destroy_arg = NULL;
    if (child->plan->supervisor != NULL) {
        return spawn_supervisor(sup, child, &options);
    }
    return (spec->serves ? coact__serve_child : coact__spawn_child)(
        spec->mailbox, spec->body, spec->arg, &options, grace_ns(spec),
        &child->ref);
}

enum coact__sup_start
coact__sup_start(struct coact__sup *sup, struct coact__child *child)
{
    const struct coact_child *spec = &child->plan->spec;
    int64_t now_ns = coact__oracle_now_ns();
    child->is_killed = false;
    child->is_start_late = false;
    child->is_turn_due = false;
    child->started_ns = now_ns;
    int rc = spawn(sup, child);
    child->starts++;
    if (rc < 0) {
        struct coact_reason reason = {.code = rc};
        child->ref = (coact_ref){0};
        snprintf(reason.text, sizeof(reason.text), "%s", coact_strerror(rc));
        coact__sup_set_state(sup, child, COACT_CHILD_STOPPED, now_ns);
        coact__sup_remember(child, &reason, now_ns);
        coact__sup_start_failed(sup, child, &reason);
        return COACT__FAILED;
    }
    sup->alive++;
    coact__list_bind(&sup->list, child, child->ref);
    coact__sup_set_state(sup, child, COACT_CHILD_STARTING, now_ns);
    if (spec->wait_init || spec->isolated) {
        coact__list_set_due(&sup->list, child,
                            coact__sup_after(now_ns, spec->start_ns));
        return COACT__STARTS;
    }
    coact__sup_has_started(sup, child);
    return COACT__RUNS;
}

coact_ref
coact__sup_address(const struct coact__child *child)
{
    return child->plan->spec.isolated ? coact__isolated_address(child->ref)
                                      : child->ref;
}

void
coact__sup_has_started(struct coact__sup *sup, struct coact__child *child)
{
    coact__sup_set_state(sup, child, COACT_CHILD_RUNNING,
                         coact__oracle_now_ns());
    child->is_new = false;
    coact__asks_answer(&child->starters, 0, coact__sup_address(child), NULL);
    coact__asks_answer(&child->finders, 0, coact__sup_address(child), NULL);
    const struct coact_child *spec = &child->plan->spec;
    bool is_waited_for = sup->phase == COACT__SUP_START &&
                         sup->cursor == child &&
                         (spec->wait_init || spec->isolated);
    if (is_waited_for) {
        sup->cursor = child->next;
        coact__sup_group_go(sup);
    }
}

/* Its first start of all: the tree cannot be built. */
static void
build_failed(struct coact__sup *sup, struct coact__child *child,
             const struct coact_reason *reason)
{
    struct coact_reason end = {.code = reason->code};
    if (coact_reason_is_expected(end.code)) {
        end.code = -ECHILD;
    }
    snprintf(end.text, sizeof(end.text), "child %.50s: %.60s",
             coact__sup_id(child), coact__sup_words(reason).text);
    coact__sup_log(sup, COACT_LOG_ERROR, "child %s failed to start: %s",
                   coact__sup_id(child), coact__sup_words(reason).text);
    coact__sup_end(sup, &end, COACT_FOREVER);
}

void
coact__sup_start_failed(struct coact__sup *sup, struct coact__child *child,
                        const struct coact_reason *reason)
{
    if (child->starters.first != NULL) {
        int code = reason->code < 0 ? reason->code : -ECHILD;
        coact__asks_answer(&child->starters, code, (coact_ref){0}, reason);
        coact__asks_answer(&child->finders, -ESRCH, (coact_ref){0}, reason);
        if (child->is_new) {
            coact__sup_forget(sup, child);
        }
    } else if (sup->mode == COACT__SUP_BUILDING &&
               sup->phase == COACT__SUP_START && sup->cursor == child) {
        build_failed(sup, child, reason);
    } else {
        coact__sup_failed(sup, child, reason, true);
    }
}
