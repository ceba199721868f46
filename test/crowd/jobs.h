/*
 * jobs.h - tasks without actors, each checked to be in one place at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_CROWD_JOBS_H
#define COACT_TEST_CROWD_JOBS_H

#include "runtime/here.h"
#include "runtime/scheduler.h"

struct job {
    struct coact__task task; /* first */
    void (*body)(struct job *self);
    struct job *partner;
    uint32_t turns;  /* that it is to take, or children, … */
    uint32_t depth;  /* of the tree below it */
    uint32_t posted; /* by its partner */
    bool is_in;
    int64_t
        ready_ns; /* since when it is ready; 0: it is not, or not measured */
};

static struct {
    struct coact__scheduler scheduler;
    struct job *jobs; /* fixed: tasks are type-stable */
    uint32_t room, made, ended;
    bool is_stopping;
    bool is_crowded; /* short runs take as many times as long as there are
                        workers awake: they fight for the same lines */
    int64_t began_ns, ended_ns;
    int64_t worked_ns; /* by coarse jobs */
    int64_t latest_ns; /* the longest time from ready to running */
    uint32_t stood_in; /* turns of the habitual with somebody stuck */
    struct crowd_counts counts;
    uint64_t dispatches, steals, parks, departures, fired;
} world;

static void
enter(struct job *self)
{
    CROWD_CHECK(!self->is_in);
    self->is_in = true;
    struct coact__worker *worker = coact__here()->worker;
    CROWD_CHECK(worker != NULL && coact__worker_current(worker) == &self->task);
    if (self->ready_ns != 0) {
        int64_t late = crowd_now_ns() - self->ready_ns;
        world.latest_ns = late > world.latest_ns ? late : world.latest_ns;
        self->ready_ns = 0;
    }
}

static void
leave(struct job *self)
{
    CROWD_CHECK(self->is_in);
    self->is_in = false;
}

static void
wait_until(struct job *self, int64_t deadline_ns)
{
    leave(self);
    coact__task_wait(&self->task, COACT__INBOX_DEAF, deadline_ns);
    enter(self);
}

static void
yield(struct job *self)
{
    leave(self);
    coact__task_yield(&self->task);
    enter(self);
}

static void
wake(struct job *other)
{
    if (coact__inbox_wake_from_any(&other->task.inbox)) {
        other->ready_ns = crowd_now_ns();
        coact__task_ready(&other->task);
    }
}

static enum coact__after
run(struct coact__task *task)
{
    struct job *self = (struct job *)task;
    enter(self);
    self->body(self);
    leave(self);
    (void)coact__task_close(task);
    return COACT__AFTER_END;
}

static void
ended(struct coact__task *task)
{
    (void)task;
    world.ended++;
    world.ended_ns = crowd_now_ns();
}

static void
no_stack(struct coact__task *task)
{
    (void)task;
    CROWD_CHECK(!"there are stacks enough");
}

static void
look(void *owner)
{
    (void)owner;
    crowd_step();
}

static struct job *
new_job(void (*body)(struct job *self))
{
    CROWD_CHECK(world.made < world.room);
    struct job *job = &world.jobs[world.made++];
    job->body = body;
    coact__task_init(&job->task, &world.scheduler, 0);
    return job;
}

/* By `self`, or by a thread that is none of the scheduler's. */
static void
start(struct job *self, struct job *job)
{
    if (coact__task_start(&job->task) && self != NULL) {
        yield(self);
    }
}

#endif
