/*
 * fanin.c - 64 producers and one consumer, whose mailbox takes 1024 messages.
 *
 * A producer waits while the mailbox is full.  With the variant unbounded it
 * never does, and the backlog may grow to all messages at once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/bench/bench.h"

enum { PRODUCERS = 64, BOUND = 1024 };

COACT_MAILBOX(sink, ping);

struct fanin {
    boss_ref boss;
    sink_ref sink;
    int64_t each;
};

static void
sink_body(sink_self self, void *arg)
{
    const struct fanin *fanin = arg;
    int64_t left = PRODUCERS * fanin->each, sum = 0;
    while (left > 0) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(ping, m): {
            sum += m->value;
            left--;
        } break;
        }
    }
    bench_must(coact_send(fanin->boss, done, .value = sum), "send the sum");
}

COACT_MAILBOX(producer, done);

static void
producer_body(producer_self self, void *arg)
{
    (void)self;
    const struct fanin *fanin = arg;
    sink_ref sink = fanin->sink;
    int64_t each = fanin->each;
    for (int64_t i = 0; i < each; i++) {
        bench_must(coact_send_wait(sink, COACT_FOREVER, ping, .value = i),
                   "send");
    }
}

void
bench_fanin(boss_self self, void *arg)
{
    struct bench_run *run = arg;
    bool unbounded = run->variant[0] != '\0';
    struct fanin fanin = {.boss = {self.ref}, .each = run->n};
    int64_t start = coact_now_ns();
    bench_must(coact_spawn_with(sink, &fanin.sink, sink_body, &fanin,
                                .mailbox_messages = unbounded ? 0 : BOUND,
                                .overflow = COACT_BLOCK),
               "spawn");
    for (int i = 0; i < PRODUCERS; i++) {
        producer_ref producer;
        bench_must(coact_spawn(producer, &producer, producer_body, &fanin),
                   "spawn");
    }
    int64_t sum = bench_collect(self, 1);
    bench_finish(run, PRODUCERS * run->n, start);
    bench_check(sum == PRODUCERS * (run->n * (run->n - 1) / 2),
                "every message arrived once");
}
