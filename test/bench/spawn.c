/*
 * spawn.c - the price of an actor's life: a flat crowd, and a tree.
 *
 * A child of the crowd gets its number as its argument, so the address of its
 * parent has to be somewhere else: it is written before the first child starts
 * and read by all of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/bench/bench.h"

static boss_ref parent;

COACT_MAILBOX(child, ping);

static void
child_body(child_self self, void *arg)
{
    (void)self;
    bench_must(coact_send(parent, done, .value = (intptr_t)arg), "send");
}

void
bench_spawn(boss_self self, void *arg)
{
    struct bench_run *run = arg;
    parent.ref = self.ref;
    int64_t start = coact_now_ns();
    for (int64_t i = 0; i < run->n; i++) {
        child_ref child;
        bench_must(coact_spawn(child, &child, child_body, (void *)(intptr_t)i),
                   "spawn");
    }
    int64_t sum = bench_collect(self, run->n);
    bench_finish(run, run->n, start);
    bench_check(sum == run->n * (run->n - 1) / 2,
                "every child sent its own number once");
}

enum { CHILDREN = 10 };

struct branch {
    boss_ref up;
    int64_t first, leaves;
};

/* The sum of the numbers of a branch's leaves goes up to its parent. */
static void
branch_body(boss_self self, void *arg)
{
    const struct branch mine = *(struct branch *)arg;
    int64_t sum = mine.first;
    if (mine.leaves > 1) {
        int64_t leaves = mine.leaves / CHILDREN;
        struct branch children[CHILDREN];
        for (int i = 0; i < CHILDREN; i++) {
            boss_ref child;
            children[i] =
                (struct branch){{self.ref}, mine.first + i * leaves, leaves};
            bench_must(coact_spawn(boss, &child, branch_body, &children[i]),
                       "spawn");
        }
        sum = bench_collect(self, CHILDREN);
    }
    bench_must(coact_send(mine.up, done, .value = sum), "send");
}

void
bench_skynet(boss_self self, void *arg)
{
    struct bench_run *run = arg;
    int64_t left = run->n;
    while (left % CHILDREN == 0) {
        left /= CHILDREN;
    }
    bench_check(left == 1, "the number of leaves is a power of ten");
    struct branch root = {{self.ref}, 0, run->n};
    boss_ref top;
    int64_t start = coact_now_ns();
    bench_must(coact_spawn(boss, &top, branch_body, &root), "spawn");
    int64_t sum = bench_collect(self, 1);
    bench_finish(run, run->n, start);
    bench_check(sum == run->n * (run->n - 1) / 2,
                "the root has the sum of all leaves");
}
