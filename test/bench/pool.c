/*
 * pool.c - short jobs for 64 actors: work that a second worker should halve.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/bench/bench.h"

enum { WORKERS = 64, JOB_TURNS = 800 /* about 1.2 us */ };

COACT_MAILBOX(worker, ping);

static void
worker_body(worker_self self, void *arg)
{
    boss_ref boss = *(boss_ref *)arg;
    for (;;) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(ping, m): {
            bench_spin(JOB_TURNS);
            bench_must(coact_send(boss, done, .value = m->value), "send");
        } break;
        }
    }
}

void
bench_pool(boss_self self, void *arg)
{
    struct bench_run *run = arg;
    boss_ref me = {self.ref};
    worker_ref workers[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        bench_must(coact_spawn(worker, &workers[i], worker_body, &me), "spawn");
    }
    int64_t start = coact_now_ns();
    for (int64_t round = 0; round < run->n; round++) {
        for (int i = 0; i < WORKERS; i++) {
            bench_must(coact_send(workers[i], ping, .value = i), "send a job");
        }
        bench_check(bench_collect(self, WORKERS) == WORKERS * (WORKERS - 1) / 2,
                    "every job of the round is done once");
    }
    bench_finish(run, WORKERS * run->n, start);
}
