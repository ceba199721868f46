/*
 * priorities.c - all are equal, and batch work takes the processors.
 *
 * SPDX-License-Identifier: MIT
 */
#include "samples/traps/traps.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* On one worker: on two, the desk may find itself on the emptier one. */
enum { BATCH = 16, TURNS = 4, QUESTIONS_MOST = 100 };

struct question {
    uint32_t number;
};
struct answer {
    uint32_t number;
};
COACT_MESSAGE(answer, (1, number));
COACT_REQUEST(question, answer, (1, number));
COACT_MAILBOX(desk, question);

/* What who asks has seen. */
struct visit {
    desk_ref desk;
    int64_t took_ns[QUESTIONS_MOST];
    int asked;
};

static atomic_bool is_over;

/* Compute for a millisecond, and let others run. */
static int
take_a_turn(void)
{
    compute_until(coact_in_ms(1), nothing_between);
    return coact_yield();
}

static void
batch_body(worker_self self, void *arg)
{
    (void)self, (void)arg;
    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
        if (take_a_turn() != 0) {
            return;
        }
    }
}

/* Who was woken runs soon, in any role; but an answer takes four turns more. */
static uint32_t
find_out(uint32_t number)
{
    for (int i = 0; i < TURNS && take_a_turn() == 0; i++) {
    }
    return number + 1;
}

static void
desk_body(desk_self self, void *arg)
{
    (void)arg;
    for (;;) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(question, m):
            coact_reply(m, .number = find_out(m->number));
            break;
        }
    }
}

/* Asks for 300 ms, and for longer if there was no answer yet. */
static void
visitor_body(worker_self self, void *arg)
{
    (void)self;
    struct visit *visit = arg;
    int64_t end_ns = coact_in_ms(300);
    while (visit->asked == 0 ||
           (coact_now_ns() < end_ns && visit->asked < QUESTIONS_MOST)) {
        int64_t due = coact_in_ms(2);
        struct answer answer;
        must(coact_sleep(due), "sleep");
        must(coact_ask(visit->desk, question, &answer, COACT_FOREVER,
                       .number = 1),
             "ask");
        visit->took_ns[visit->asked++] = coact_now_ns() - due;
    }
    atomic_store_explicit(&is_over, true, memory_order_relaxed);
}

/* The median, in nanoseconds. */
static int64_t
run(const char *what, const char *urgent, const char *patient)
{
    static const struct coact_role_options roles[] = {
        {.name = "interactive", .weight = 400, .target_ns = COACT_MS(2)},
        {.name = "batch", .weight = 25},
    };
    const struct coact_runtime_options options = {.workers = 1,
                                                  .hog_ns = TRAPS_ALONE,
                                                  .log_level = COACT_LOG_NONE,
                                                  .roles = roles,
                                                  .role_count = 2};
    struct coact_runtime *runtime = begin(&options);
    struct visit visit = {.asked = 0};
    worker_ref visitor;
    atomic_store_explicit(&is_over, false, memory_order_relaxed);
    must(coact_spawn_with(desk, &visit.desk, desk_body, NULL,
                          .role = coact_role_named(urgent)),
         "spawn");
    for (int i = 0; i < BATCH; i++) {
        worker_ref batch;
        must(coact_spawn_with(worker, &batch, batch_body, NULL,
                              .role = coact_role_named(patient)),
             "spawn");
    }
    must(coact_spawn_with(worker, &visitor, visitor_body, &visit,
                          .role = coact_role_named(urgent)),
         "spawn");
    must(coact_join(visitor.ref, COACT_FOREVER, NULL), "join");
    finish(runtime);
    qsort(visit.took_ns, (size_t)visit.asked, sizeof(int64_t), by_size);
    int64_t median_ns = visit.took_ns[visit.asked / 2];
    printf("  %-44s %8d %10.2f %9.2f\n", what, visit.asked,
           (double)median_ns / 1e6,
           (double)visit.took_ns[visit.asked - 1] / 1e6);
    return median_ns;
}

static bool
demonstrate(void)
{
    printf("  %-44s %8s %10s %9s\n", "", "requests", "median, ms", "worst, ms");
    int64_t equal_ns = run("all of role default", "default", "default");
    int64_t urgent_ns =
        run("roles \"interactive\" and \"batch\"", "interactive", "batch");
    return urgent_ns * 2 < equal_ns;
}

const struct trap trap_priorities = {
    .name = "priorities",
    .story = "requests of 4 ms beside sixteen batch actors, on one worker",
    .demonstrate = demonstrate,
};
