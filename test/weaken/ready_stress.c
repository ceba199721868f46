/*
 * ready_stress.c - a worker's queue, its thieves and one who takes all, for the
 * race detector.
 *
 * The owner writes plain data into each task before he puts it, and who gets the
 * task reads and writes it: only the lock's orders stand between the two.  The
 * lock is biased here, though the runtime's is not under a race detector.  The
 * end of the program checks that every task was had once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/bias.c"
#include "runtime/ready.c"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { TASKS = 100000, THIEVES = 2 };

struct task {
    struct coact__runnable runnable; /* first */
    unsigned body;
};

static struct task tasks[TASKS];
static struct coact__ready queue;
static struct coact__ready own[THIEVES];
static _Atomic bool is_over;

int64_t
coact__oracle_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

bool
coact__oracle_is_simulated(void)
{
    return false;
}

/* No task is pinned here, and no queue an outlet. */
void
coact__runnable_elsewhere(struct coact__runnable *r)
{
    (void)r;
    abort();
}

static void
have(struct coact__runnable *r)
{
    struct task *t = (struct task *)r;
    t->body = t->body * 2 + 1; /* 1 when put, 3 now */
}

static void
drain(struct coact__ready *ready)
{
    for (struct coact__runnable *r; (r = coact__ready_pop(ready)) != NULL;) {
        have(r);
    }
}

static void *
thief(void *arg)
{
    struct coact__ready *mine = arg;
    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
        (void)coact__ready_steal(mine, &queue);
        drain(mine);
    }
    return NULL;
}

static void *
adopter(void *arg)
{
    (void)arg;
    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
        struct coact__batch batch = {0};
        (void)coact__ready_take_all(&queue, &batch);
        for (struct coact__runnable *r;
             (r = coact__batch_pop(&batch)) != NULL;) {
            have(r);
        }
        sched_yield();
    }
    return NULL;
}

/* Much by the quick ways, with the slot, and some by the others. */
static void
put_all(void)
{
    struct coact__runnable *r;
    for (int i = 0; i < TASKS; i++) {
        tasks[i].body = 1;
        if (i % 4 == 0) {
            coact__ready_put(&queue, &tasks[i].runnable);
        } else {
            coact__ready_put_next(&queue, &tasks[i].runnable);
        }
        if (i % 4 < 2 && (r = coact__ready_pop(&queue)) != NULL) {
            have(r);
        }
        if (i % 256 == 0) {
            sched_yield();
        }
    }
    drain(&queue);
}

int
main(void)
{
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0,
                0) != 0) {
        return 0; // the interleaving tests have to do
    }
    pthread_t threads[THIEVES + 1];
    coact__ready_init(&queue, true);
    for (int i = 0; i < THIEVES; i++) {
        coact__ready_init(&own[i], true);
        pthread_create(&threads[i], NULL, thief, &own[i]);
    }
    pthread_create(&threads[THIEVES], NULL, adopter, NULL);
    put_all();
    atomic_store_explicit(&is_over, true, memory_order_relaxed);
    for (int i = 0; i <= THIEVES; i++) {
        pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < TASKS; i++) {
        if (tasks[i].body != 3) {
            printf("task %d was had %s\n", i,
                   tasks[i].body < 3 ? "by nobody" : "twice");
            return 1;
        }
    }
    return 0;
}
