/*
 * 10_roles.c - not all work is equally urgent.
 *
 * Actors of two roles compute all the time.  How long each role runs is decided
 * by its weight, 100 and 25, and not by how many actors it has.
 *
 * SPDX-License-Identifier: MIT
 */
#include <coact/actor.h>
#include <coact/runtime.h>

#include <stdio.h>
#include <stdlib.h>

enum { URGENT = 4, PATIENT = 16 };

COACT_SIGNAL(nothing);
COACT_MAILBOX(anybody, nothing);

static void
must(int rc)
{
    if (rc < 0) {
        fprintf(stderr, "%s\n", coact_strerror(rc));
        _Exit(1);
    }
}

/* Computes, and lets others run now and then, until it is killed. */
static void
work_body(anybody_self self, void *arg)
{
    (void)self, (void)arg;
    while (coact_yield() == 0) {
        int64_t end = coact_in_ns(COACT_US(100));
        while (coact_now_ns() < end) {
        }
    }
}

static void
wait_body(anybody_self self, void *arg)
{
    (void)self, (void)arg;
    must(coact_sleep(coact_in_ms(500)));
}

static int64_t
used_by(struct coact_runtime *runtime, const char *role)
{
    struct coact_role_stats stats;
    must(coact_stats_of_role(runtime, coact_role_named(role), &stats));
    return stats.used_ns;
}

int
main(void)
{
    const struct coact_runtime_options options = {.workers = 2};
    struct coact_runtime *runtime;
    must(coact_start(&options, &runtime));
    must(coact_attach(runtime));
    for (int i = 0; i < URGENT + PATIENT; i++) {
        const char *role = i < URGENT ? "default" : "batch";
        anybody_ref worker;
        must(coact_spawn_with(anybody, &worker, work_body, NULL,
                              .role = coact_role_named(role)));
    }
    anybody_ref pause;
    must(coact_spawn_with(anybody, &pause, wait_body, NULL,
                          .role = coact_role_named("system")));
    must(coact_join(pause.ref, COACT_FOREVER, NULL));
    int64_t urgent_ns = used_by(runtime, "default");
    int64_t batch_ns = used_by(runtime, "batch");
    printf("%d of role default ran %lld %% of the time, %d of role batch the "
           "rest\n",
           URGENT, (long long)(100 * urgent_ns / (urgent_ns + batch_ns)),
           PATIENT);
    coact_detach();
    must(coact_stop(runtime, COACT_FOREVER));
    must(coact_free(runtime));
    return 0;
}
