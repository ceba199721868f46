/*
 * idle.c - actors parked in receive: the time to start them, and their memory.
 *
 * With the variant server they are servers, which hold no stack meanwhile; with
 * hibernate they are hibernated as soon as they park.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/bench/bench.h"

#include <coact/server.h>

#include <string.h>

COACT_MAILBOX(sleeper, ping);

static void
sleeper_body(sleeper_self self, void *arg)
{
    boss_ref boss = *(boss_ref *)arg;
    bench_must(coact_send(boss, done, .value = 1), "send");
    COACT_RECEIVE(self, COACT_FOREVER) {
    case COACT_ON(ping, m):
        bench_check(m == NULL, "nobody wakes a sleeper");
        break;
    }
}

static int
resting_init(void **state)
{
    boss_ref boss = *(boss_ref *)*state;
    return coact_send(boss, done, .value = 1);
}

static void
resting_handle(sleeper_turn self, void *state)
{
    (void)state;
    COACT_HANDLE(self) {
    case COACT_ON(ping, m):
        bench_check(m == NULL, "nobody wakes a sleeper");
        break;
    }
}

static int
start_one(boss_ref *me, bool serves, enum coact_hibernate hibernate)
{
    sleeper_ref sleeper;
    return serves ? coact_serve_with(sleeper, &sleeper, resting_handle, me,
                                     .init = resting_init)
                  : coact_spawn_with(sleeper, &sleeper, sleeper_body, me,
                                     .hibernate = hibernate);
}

void
bench_idle(boss_self self, void *arg)
{
    struct bench_run *run = arg;
    boss_ref me = {self.ref};
    bool serves = strcmp(run->variant, "server") == 0;
    enum coact_hibernate hibernate = strcmp(run->variant, "hibernate") == 0
                                         ? COACT_HIBERNATE_AT_ONCE
                                         : COACT_HIBERNATE_NEVER;
    int64_t before = bench_resident_bytes(), start = coact_now_ns();
    int64_t ready = 0;
    for (int64_t i = 0; i < run->n; i++) {
        bench_must(start_one(&me, serves, hibernate), "spawn");
        // Read at once, or a million messages would be measured too.
        ready += bench_collect(self, (int64_t)coact_pending());
    }
    ready += bench_collect(self, run->n - ready);
    bench_finish(run, run->n, start);
    bench_check(ready == run->n, "every sleeper said once that it is ready");
    // The last to speak are still on their way into receive.
    coact_sleep(coact_in_ms(300));
    int64_t bytes = bench_resident_bytes() - before;
    bench_figure(run, "bytes_per_actor", (double)bytes / (double)run->n, 1);
}
