/*
 * supervisor_plan.c - a specification, copied.
 *
 * Each plan is one block: the struct, then its texts.  Taking an argument
 * (destroy_arg) means that from the first call on it has exactly one owner:
 * the plan once there is one, and before that whoever fails to make it.
 *
 * The reference count's orders: an unref releases what its holder did with the
 * plan, and the last one acquires all of that before it frees.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/supervisor_plan.h"

#include "actors/life.h"
#include "actors/supervisor_check.h"
#include "actors/supervisor_limit.h"
#include "runtime/memory.h"

#include <string.h>

// NOLINTBEGIN(misc-no-recursion): as deep as the tree, COACT__TREE_DEPTH_MAX.

#define SHUTDOWN_NS COACT_SECONDS(5)
#define START_NS COACT_SECONDS(5)
#define INTENSITY 10
#define PERIOD_NS COACT_SECONDS(5)

static size_t
text_bytes(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

/* Copy a text to *at, and move *at behind it. */
static const char *
put_text(char **at, const char *text)
{
    size_t bytes = text_bytes(text);
    if (bytes == 0) {
        return NULL;
    }
    char *copy = memcpy(*at, text, bytes);
    *at += bytes;
    return copy;
}

/* True if that was the last one. */
static bool
drop(_Atomic uint32_t *refs)
{
    // Releases to, and acquires from, the other holders' drops.
    return atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) == 1;
}

static void
discard_child(const struct coact_child *spec, int depth)
{
    if (spec->options.destroy_arg != NULL) {
        spec->options.destroy_arg(spec->arg);
    }
    // The depth ends this also where a specification contains itself.
    const struct coact_supervisor *below = spec->supervisor;
    if (below == NULL || below->children == NULL ||
        depth >= COACT__TREE_DEPTH_MAX) {
        return;
    }
    for (size_t i = 0; i < below->child_count; i++) {
        discard_child(&below->children[i], depth + 1);
    }
}

void
coact__child_plan_discard(const struct coact_child *spec)
{
    discard_child(spec, 0);
}

void
coact__plan_discard(const struct coact_supervisor *spec)
{
    for (size_t i = 0; spec->children != NULL && i < spec->child_count; i++) {
        discard_child(&spec->children[i], 0);
    }
}

static void
complete_child(struct coact_child *spec)
{
    bool is_supervisor = spec->supervisor != NULL;
    if (spec->shutdown_ns == 0) {
        spec->shutdown_ns = is_supervisor ? COACT_FOREVER : SHUTDOWN_NS;
    }
    if (spec->start_ns == 0) {
        spec->start_ns = is_supervisor ? COACT_FOREVER : START_NS;
    }
    if (is_supervisor || spec->serves) {
        spec->wait_init = true;
    }
    if (spec->options.label == NULL) {
        spec->options.label = spec->id;
    }
    coact__backoff_complete(&spec->backoff);
}

static void
complete(struct coact_supervisor *spec)
{
    if (spec->intensity == 0) {
        spec->intensity = INTENSITY;
    }
    if (spec->period_ns == 0) {
        spec->period_ns = PERIOD_NS;
    }
    spec->children = NULL;
    spec->child_count = 0;
}

/* Give a message argument to the plan. */
static int
copy_message(struct coact__child_plan *plan)
{
    struct coact_child *spec = &plan->spec;
    void *copy = coact__alloc_zeroed(spec->arg_type->size);
    if (copy == NULL) {
        return -ENOMEM;
    }
    int rc = coact_message_copy(spec->arg_type, copy, spec->arg);
    if (rc < 0) {
        coact__free(copy);
    } else {
        spec->arg = copy;
    }
    return rc;
}

static int copy_tree(const struct coact_supervisor *spec, const char *id,
                     struct coact__plan **out);

/* From here on the child's argument is the plan's, or destroyed. */
static int
copy_child(const struct coact_child *spec, struct coact__child_plan **out)
{
    struct coact__child_plan *plan = coact__alloc(
        sizeof(*plan) + text_bytes(spec->id) + text_bytes(spec->options.label) +
        text_bytes(spec->options.name));
    if (plan == NULL) {
        coact__child_plan_discard(spec);
        return -ENOMEM;
    }
    char *at = plan->text;
    atomic_init(&plan->refs, 1);
    plan->spec = *spec;
    plan->supervisor = NULL;
    plan->spec.id = put_text(&at, spec->id);
    plan->spec.options.label = put_text(&at, spec->options.label);
    plan->spec.options.name = put_text(&at, spec->options.name);
    complete_child(&plan->spec);
    plan->spec.supervisor = NULL;
    int rc = 0;
    if (spec->isolated && spec->arg != NULL) {
        rc = copy_message(plan);
    } else if (spec->supervisor != NULL) {
        rc = copy_tree(spec->supervisor, spec->id, &plan->supervisor);
    }
    if (rc < 0) {
        coact__free(plan);
        return rc;
    }
    *out = plan;
    return 0;
}

static struct coact__plan *
new_plan(const struct coact_supervisor *spec, const char *id)
{
    const char *label = spec->label != NULL ? spec->label : id;
    if (label == NULL) {
        label = "supervisor";
    }
    struct coact__plan *plan = coact__alloc(sizeof(*plan) + text_bytes(label) +
                                            text_bytes(spec->name));
    if (plan == NULL) {
        return NULL;
    }
    char *at = plan->text;
    atomic_init(&plan->refs, 1);
    plan->spec = *spec;
    plan->spec.label = put_text(&at, label);
    plan->spec.name = put_text(&at, spec->name);
    plan->count = 0;
    // One more than needed, so that none is not an empty allocation.
    plan->children = coact__alloc((spec->child_count + 1) *
                                  sizeof(struct coact__child_plan *));
    if (plan->children == NULL) {
        coact__free(plan);
        return NULL;
    }
    complete(&plan->spec);
    return plan;
}

static int
copy_tree(const struct coact_supervisor *spec, const char *id,
          struct coact__plan **out)
{
    struct coact__plan *plan = new_plan(spec, id);
    if (plan == NULL) {
        coact__plan_discard(spec);
        return -ENOMEM;
    }
    for (size_t i = 0; i < spec->child_count; i++) {
        int rc = copy_child(&spec->children[i], &plan->children[i]);
        if (rc < 0) {
            while (++i < spec->child_count) {
                coact__child_plan_discard(&spec->children[i]);
            }
            coact__plan_unref(plan);
            return rc;
        }
        plan->count = i + 1;
    }
    *out = plan;
    return 0;
}

int
coact__plan_new(const struct coact_supervisor *spec,
                struct coact_runtime *runtime, struct coact__plan **out)
{
    int rc = coact__check_tree(spec, NULL, runtime, 0);
    if (rc < 0) {
        coact__plan_discard(spec);
        return rc;
    }
    return copy_tree(spec, NULL, out);
}

struct coact__plan *
coact__plan_ref(struct coact__plan *plan)
{
    // Relaxed: whoever counts up holds one already, which keeps it alive.
    atomic_fetch_add_explicit(&plan->refs, 1, memory_order_relaxed);
    return plan;
}

void
coact__plan_unref(struct coact__plan *plan)
{
    if (plan == NULL || !drop(&plan->refs)) {
        return;
    }
    for (size_t i = 0; i < plan->count; i++) {
        coact__child_plan_unref(plan->children[i]);
    }
    coact__free(plan->children);
    coact__free(plan);
}

int
coact__child_plan_new(const struct coact_child *spec,
                      struct coact_runtime *runtime,
                      struct coact__child_plan **out)
{
    const char *nonsense = coact__check_child(spec);
    int rc = 0;
    if (nonsense != NULL) {
        coact__log(runtime, COACT_LOG_ERROR, "child %s: %s",
                   spec->id != NULL ? spec->id : "(no id)", nonsense);
        rc = -EINVAL;
    } else if (spec->supervisor != NULL) {
        rc = coact__check_tree(spec->supervisor, spec->id, runtime, 1);
    }
    if (rc < 0) {
        coact__child_plan_discard(spec);
        return rc;
    }
    return copy_child(spec, out);
}

struct coact__child_plan *
coact__child_plan_ref(struct coact__child_plan *plan)
{
    // Relaxed: as in coact__plan_ref.
    atomic_fetch_add_explicit(&plan->refs, 1, memory_order_relaxed);
    return plan;
}

void
coact__child_plan_unref(struct coact__child_plan *plan)
{
    if (plan == NULL || !drop(&plan->refs)) {
        return;
    }
    struct coact_child *spec = &plan->spec;
    if (spec->options.destroy_arg != NULL) {
        spec->options.destroy_arg(spec->arg);
    } else if (spec->isolated && spec->arg != NULL) {
        coact_message_destroy(spec->arg_type, spec->arg);
        coact__free(spec->arg);
    }
    coact__plan_unref(plan->supervisor);
    coact__free(plan);
}

// NOLINTEND(misc-no-recursion)
