/*
 * 10_roles.c - not all work is equally urgent.
 *
 * A clock wants to tick every millisecond beside actors that compute.  First all
 * are equal, and the clock waits its turn; then the work is "batch" and the clock
 * "interactive".  The figures of the first line depend on the machine.
 *
 * SPDX-License-Identifier: MIT
 */
#include <coact/actor.h>
#include <coact/runtime.h>

#include <stdio.h>
#include <stdlib.h>

enum { WORKERS = 16, TICKS = 200 };

COACT_SIGNAL(nothing);
COACT_MAILBOX(anybody, nothing);

static void
must(int rc)
{
    if (rc < 0) {
        fprintf(stderr, "%s\n", coact_strerror(rc));
        exit(1);
    }
}

/* Computes for 2 ms, then lets others run, until it is killed. */
static void
work_body(anybody_self self, void *arg)
{
    (void)self, (void)arg;
    while (coact_yield() == 0) {
        int64_t end = coact_in_ms(2);
        while (coact_now_ns() < end) {
        }
    }
}

static void
clock_body(anybody_self self, void *arg)
{
    (void)self, (void)arg;
    for (int i = 0; i < TICKS; i++) {
        must(coact_sleep(coact_in_ms(1)));
    }
}

static void
show(const char *work_role, const char *clock_role)
{
    const struct coact_runtime_options options = {.workers = 2};
    struct coact_runtime *runtime;
    must(coact_start(&options, &runtime));
    must(coact_attach(runtime));
    anybody_ref work[WORKERS], ticker;
    for (int i = 0; i < WORKERS; i++) {
        must(coact_spawn_with(anybody, &work[i], work_body, NULL,
                              .role = coact_role_named(work_role)));
    }
    must(coact_spawn_with(anybody, &ticker, clock_body, NULL,
                          .role = coact_role_named(clock_role)));
    must(coact_join(ticker.ref, COACT_FOREVER, NULL));
    struct coact_delay delay;
    must(coact_delay(runtime, coact_role_named(clock_role), &delay));
    printf("work is %s, the clock %s: %.1f ms late at most, %.1f in the mean\n",
           work_role, clock_role, (double)delay.max_ns / 1e6,
           (double)delay.mean_ns / 1e6);
    for (int i = 0; i < WORKERS; i++) {
        must(coact_kill(work[i].ref));
    }
    coact_detach();
    must(coact_stop(runtime, COACT_FOREVER));
    must(coact_free(runtime));
}

int
main(void)
{
    show("default", "default");
    show("batch", "interactive");
    return 0;
}
