/*
 * crew.c - see crew.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "crew.h"

#include "counter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct plan {
    struct coact_child children[256];
    struct post posts[256];
    char ids[256][16];
};

/* One word decides whether a counter is a process or an actor among others. */
static void
add(struct plan *plan, const struct options *options, desk_ref desk, uint32_t n)
{
    const char *id = plan->ids[n];
    struct post *post = &plan->posts[n];
    *post = (struct post){desk, n};
    snprintf(plan->ids[n], sizeof(plan->ids[n]), "counter-%u", n + 1);
    // It has nothing that is worth waiting for when it is to end.
    plan->children[n] =
        options->in_threads
            ? (struct coact_child)COACT_CHILD(counter, id, counter_body, post,
                                              .shutdown_ns = COACT_BRUTAL_KILL)
            : (struct coact_child)COACT_CHILD_ISOLATED(
                  counter, id, counter_body, post, post,
                  .shutdown_ns = COACT_BRUTAL_KILL);
}

int
crew_start(const struct options *options, desk_ref desk,
           coact_supervisor_ref *out, struct coact_reason *why)
{
    struct plan *plan = calloc(1, sizeof(*plan));
    if (plan == NULL) {
        return -ENOMEM;
    }
    for (uint32_t n = 0; n < options->workers; n++) {
        add(plan, options, desk, n);
    }
    const struct coact_supervisor spec = {
        .intensity = options->chaos_ms > 0 ? COACT_RESTART_FOREVER : 0,
        .children = plan->children,
        .child_count = options->workers,
        .label = "crew",
        .link = true};
    int rc = coact_supervise(&spec, coact_in_ms(30000), out, why);
    free(plan);
    return rc;
}

void
crew_stop(coact_supervisor_ref crew, uint64_t *restarts)
{
    struct coact_supervisor_info info;
    if (coact_supervisor_look(crew, coact_in_ms(1000), &info) == 0) {
        *restarts = info.restarts;
    }
    coact_unlink(crew.ref);
    (void)coact_supervisor_stop(crew, coact_in_ms(5000), NULL);
}
