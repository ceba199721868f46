/*
 * runq_stress.c - real threads on a run queue, for the race detector.
 *
 * The owner writes plain data into each task before the push, and who gets the
 * task reads and writes it: only the queue's own orders stand between the two.
 * The end of the program checks that every task was had once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/runq.c"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { TASKS = 40000, THIEVES = 2 };

struct task {
    struct coact__runnable runnable; /* first */
    unsigned body;
};

static struct task tasks[TASKS];
static struct coact__runq queue;
static struct coact__runq own[THIEVES];
static _Atomic bool is_over;

static void
have(struct coact__runnable *r)
{
    struct task *t = (struct task *)r;
    t->body = t->body * 2 + 1; /* 1 when pushed, 3 now */
}

static void
have_batch(struct coact__batch *batch)
{
    for (struct coact__runnable *r; (r = coact__batch_pop(batch)) != NULL;) {
        have(r);
    }
}

static void
drain(struct coact__runq *q)
{
    for (struct coact__runnable *r; (r = coact__runq_pop(q)) != NULL;) {
        have(r);
    }
}

/* The other thief is the third party: he robs the first one too. */
static void *
thief(void *arg)
{
    struct coact__runq *mine = arg;
    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
        struct coact__runnable *r = coact__runq_steal(mine, &queue);
        if (r == NULL && mine != &own[0]) {
            r = coact__runq_steal(mine, &own[0]);
        }
        if (r != NULL) {
            have(r);
        }
        r = coact__runq_pop(mine);
        if (r != NULL) {
            have(r);
        }
    }
    drain(mine);
    return NULL;
}

static void *
adopter(void *arg)
{
    (void)arg;
    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
        struct coact__batch batch = {0};
        coact__runq_take_all(&queue, &batch);
        have_batch(&batch);
    }
    return NULL;
}

static void
push_all(void)
{
    for (int i = 0; i < TASKS; i++) {
        struct coact__batch overflow = {0};
        tasks[i].body = 1;
        coact__runq_push(&queue, &tasks[i].runnable, &overflow);
        have_batch(&overflow);
        if (i % 5 == 0) {
            struct coact__runnable *r = coact__runq_pop(&queue);
            if (r != NULL) {
                have(r);
            }
        }
    }
    drain(&queue);
}

int
main(void)
{
    pthread_t threads[THIEVES + 1];
    coact__runq_init(&queue);
    for (int i = 0; i < THIEVES; i++) {
        coact__runq_init(&own[i]);
    }
    for (int i = 0; i < THIEVES; i++) {
        pthread_create(&threads[i], NULL, thief, &own[i]);
    }
    pthread_create(&threads[THIEVES], NULL, adopter, NULL);
    push_all();
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
