/*
 * crew.c - see crew.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "crew.h"

#include "counter.h"

#include <coact/supervisor.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct crew {
    coact_supervisor_ref supervisor;
    struct coact_child children[WORKERS_MAX];
    struct post posts[WORKERS_MAX]; // read at each start, so they stay here
    char ids[WORKERS_MAX][24];
};

/* One word decides whether a counter is a process or an actor among others. */
static void
add(struct crew *crew, const struct options *options, desk_ref desk, uint32_t n)
{
    const char *id = crew->ids[n];
    struct post *post = &crew->posts[n];
    *post = (struct post){desk, n};
    snprintf(crew->ids[n], sizeof(crew->ids[n]), "counter-%u", n + 1);
    // It has nothing that is worth waiting for when it is to end.
    crew->children[n] =
        options->in_threads
            ? (struct coact_child)COACT_CHILD(counter, id, counter_body, post,
                                              .shutdown_ns = COACT_BRUTAL_KILL)
            : (struct coact_child)COACT_CHILD_ISOLATED(
                  counter, id, counter_body, post, post,
                  .shutdown_ns = COACT_BRUTAL_KILL);
}

int
crew_start(struct crew **out, const struct options *options, desk_ref desk,
           struct coact_reason *why)
{
    struct crew *crew = calloc(1, sizeof(*crew));
    if (crew == NULL) {
        return -ENOMEM;
    }
    for (uint32_t n = 0; n < options->workers; n++) {
        add(crew, options, desk, n);
    }
    const struct coact_supervisor spec = {
        .intensity = options->chaos_ms > 0 ? COACT_RESTART_FOREVER : 0,
        .children = crew->children,
        .child_count = options->workers,
        .label = "crew",
        .link = true};
    int rc = coact_supervise(&spec, coact_in_ms(30000), &crew->supervisor, why);
    if (rc < 0) {
        free(crew);
        return rc;
    }
    *out = crew;
    return 0;
}

uint64_t
crew_restarts(const struct crew *crew)
{
    struct coact_supervisor_info info;
    int rc = coact_supervisor_look(crew->supervisor, coact_in_ms(1000), &info);
    return rc == 0 ? info.restarts : 0;
}

void
crew_stop(struct crew *crew)
{
    if (crew != NULL) {
        coact_unlink(crew->supervisor.ref); // its end is not our failure
        (void)coact_supervisor_stop(crew->supervisor, coact_in_ms(2000), NULL);
        free(crew);
    }
}
