/*
 * restarts.c - one child that fails as soon as it has started, again and again,
 * and the supervisor that starts it anew.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/bench/bench.h"

#include <coact/supervisor.h>

struct lives {
    boss_ref boss;
    int64_t most;
    int64_t begun; /* by one life after the other, never by two at a time */
};

COACT_MAILBOX(mayfly, ping);

static void
mayfly_body(mayfly_self self, void *arg)
{
    struct lives *lives = arg;
    bench_must(coact_started(), "say that we have started");
    if (++lives->begun < lives->most) {
        coact_fail(COACT_USER_REASON, "crash");
    }
    bench_must(coact_send(lives->boss, done, .value = lives->begun), "send");
    COACT_RECEIVE(self, COACT_FOREVER) {
    case COACT_ON(ping, m):
        bench_check(m == NULL, "nobody writes to the last of them");
        break;
    }
}

void
bench_restarts(boss_self self, void *arg)
{
    struct bench_run *run = arg;
    struct lives lives = {{self.ref}, run->n, 0};
    const struct coact_child child =
        COACT_CHILD(mayfly, "mayfly", mayfly_body, &lives, .wait_init = true);
    const struct coact_supervisor spec = {
        .intensity = COACT_RESTART_FOREVER,
        .children = &child,
        .child_count = 1,
    };
    coact_supervisor_ref top;
    int64_t start = coact_now_ns();
    bench_must(coact_supervise(&spec, COACT_FOREVER, &top, NULL), "supervise");
    int64_t lived = bench_collect(self, 1);
    bench_finish(run, run->n, start);
    bench_check(lived == run->n, "every life but the last one ended");
    bench_must(coact_supervisor_stop(top, coact_in_ms(5000), NULL), "stop");
}
