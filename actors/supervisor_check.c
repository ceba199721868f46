/*
 * supervisor_check.c - what makes no sense in a specification, in words.
 *
 * Nothing of a tree is started before all of it has been checked: a mistake in
 * the last child must not cost the starts and stops of those before it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/supervisor_check.h"

#include "actors/life.h"
#include "actors/supervisor_limit.h"
#include "actors/supervisor_plan.h"

#include <string.h>

static const char *
time_nonsense(const struct coact_child *child)
{
    const struct coact_backoff *backoff = &child->backoff;
    if (child->shutdown_ns < 0 && child->shutdown_ns != COACT_BRUTAL_KILL) {
        return "shutdown_ns is negative";
    }
    if (child->start_ns < 0) {
        return "start_ns is negative";
    }
    if (child->hang_ns < 0) {
        return "hang_ns is negative";
    }
    if (backoff->first_ns < 0 && backoff->first_ns != COACT_NO_BACKOFF) {
        return "backoff.first_ns is negative";
    }
    if (backoff->max_ns < 0 || backoff->reset_ns < 0) {
        return "backoff.max_ns or backoff.reset_ns is negative";
    }
    if (backoff->max_ns > 0 && backoff->max_ns < backoff->first_ns) {
        return "backoff.max_ns is less than backoff.first_ns";
    }
    return NULL;
}

static const char *
body_nonsense(const struct coact_child *child)
{
    const struct coact_options *options = &child->options;
    if (child->supervisor != NULL) {
        if (child->body != NULL || child->mailbox != NULL) {
            return "it has a body, but it is a supervisor";
        }
        if (child->arg != NULL || options->destroy_arg != NULL) {
            return "it has an argument, but it is a supervisor";
        }
        if (child->isolated) {
            return "a supervisor cannot be isolated";
        }
        if (child->serves) {
            return "a supervisor is no server";
        }
        if (options->overflow != COACT_REJECT ||
            options->mailbox_messages != 0) {
            return "the mailbox of a supervisor has no limit";
        }
    } else if (child->body == NULL || child->mailbox == NULL) {
        return "it has no body or no mailbox";
    }
    if (child->isolated && child->arg != NULL && child->arg_type == NULL) {
        return "it is isolated, so its argument must be a message";
    }
    if (!child->isolated && (child->arg_type != NULL || child->hang_ns != 0)) {
        return "arg_type and hang_ns are for isolated children";
    }
    if (child->isolated && options->destroy_arg != NULL) {
        return "an isolated child's argument is copied, not destroyed";
    }
    if (child->isolated && child->serves) {
        return "an isolated child has a body, not a handler";
    }
    if (!child->serves && options->init != NULL) {
        return "options.init is for servers";
    }
    if (options->link || options->monitor != NULL || options->runtime != NULL) {
        return "options.link, .monitor and .runtime are the supervisor's";
    }
    return NULL;
}

const char *
coact__check_child(const struct coact_child *child)
{
    const char *nonsense = body_nonsense(child);
    if (nonsense == NULL) {
        nonsense = time_nonsense(child);
    }
    if (nonsense != NULL) {
        return nonsense;
    }
    if ((unsigned)child->restart > COACT_TEMPORARY) {
        return "there is no such restart";
    }
    if (child->significant && child->restart == COACT_PERMANENT) {
        return "it is permanent, so it cannot be significant";
    }
    if (child->id != NULL && child->id[0] == '\0') {
        return "its id is empty";
    }
    return NULL;
}

const char *
coact__child_plan_misfit(const struct coact_child *child,
                         const struct coact_supervisor *parent)
{
    if (child->id == NULL && parent->strategy != COACT_DYNAMIC) {
        return "it has no id";
    }
    if (child->significant && parent->auto_shutdown == COACT_AUTO_NEVER) {
        return "it is significant, but auto_shutdown is never";
    }
    return NULL;
}

static const char *
supervisor_nonsense(const struct coact_supervisor *spec)
{
    if ((unsigned)spec->strategy > COACT_DYNAMIC) {
        return "there is no such strategy";
    }
    if ((unsigned)spec->auto_shutdown > COACT_AUTO_ALL) {
        return "there is no such auto_shutdown";
    }
    if (spec->intensity < COACT_NO_RESTARTS ||
        (spec->intensity > COACT__WINDOW_MAX &&
         spec->intensity != COACT_RESTART_FOREVER)) {
        return "intensity is neither 0 to 1,000,000 nor a constant";
    }
    if (spec->period_ns < 0) {
        return "period_ns is negative";
    }
    if (spec->child_count > 0 && spec->strategy == COACT_DYNAMIC) {
        return "a dynamic supervisor begins without children";
    }
    if (spec->child_count > 0 && spec->children == NULL) {
        return "children is NULL";
    }
    if (spec->max_children > 0 && spec->child_count > spec->max_children) {
        return "it has more children than max_children";
    }
    return NULL;
}

static bool
id_is_repeated(const struct coact_supervisor *spec, size_t i)
{
    const char *id = spec->children[i].id;
    for (size_t k = 0; id != NULL && k < i; k++) {
        if (strcmp(spec->children[k].id, id) == 0) {
            return true;
        }
    }
    return false;
}

// NOLINTBEGIN(misc-no-recursion): as deep as the tree, COACT__TREE_DEPTH_MAX.

static int
check(const struct coact_supervisor *spec, const char *label,
      struct coact_runtime *runtime, int depth)
{
    const char *nonsense = depth > COACT__TREE_DEPTH_MAX
                               ? "supervisors are nested too deep"
                               : supervisor_nonsense(spec);
    if (nonsense != NULL) {
        coact__log(runtime, COACT_LOG_ERROR, "supervisor %s: %s", label,
                   nonsense);
        return -EINVAL;
    }
    for (size_t i = 0; i < spec->child_count; i++) {
        const struct coact_child *child = &spec->children[i];
        nonsense = coact__check_child(child);
        if (nonsense == NULL) {
            nonsense = coact__child_plan_misfit(child, spec);
        }
        if (nonsense == NULL && id_is_repeated(spec, i)) {
            nonsense = "its id is that of an earlier child";
        }
        if (nonsense != NULL) {
            coact__log(runtime, COACT_LOG_ERROR,
                       "supervisor %s: child %zu (%s): %s", label, i,
                       child->id != NULL ? child->id : "no id", nonsense);
            return -EINVAL;
        }
        if (child->supervisor != NULL) {
            int rc = coact__check_tree(child->supervisor, child->id, runtime,
                                       depth + 1);
            if (rc < 0) {
                return rc;
            }
        }
    }
    return 0;
}

int
coact__check_tree(const struct coact_supervisor *spec, const char *id,
                  struct coact_runtime *runtime, int depth)
{
    const char *label = spec->label != NULL ? spec->label : id;
    return check(spec, label != NULL ? label : "supervisor", runtime, depth);
}

// NOLINTEND(misc-no-recursion)
