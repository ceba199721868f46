/*
 * delays.c - what is noted when a task runs that somebody wants to know of.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/delays.h"

#include "runtime/oracle.h"
#include "runtime/scheduler.h"

static void
record(struct coact__worker *worker, const struct coact__task *task, int64_t ns)
{
    uint32_t role = task->runnable.role;
    if (task->runnable.rank == COACT__RANK_PROMPT && worker->delays != NULL) {
        coact__histogram_record(&worker->delays[role], ns);
    }
}

/* Take the stamp off; the task may ask how late it was. */
static void
note(struct coact__worker *worker, struct coact__task *task, int64_t ns)
{
    worker->delay_ns = ns;
    task->runnable.ready_at = 0;
    record(worker, task, ns);
}

void
coact__delays_note(struct coact__worker *worker, struct coact__task *task)
{
    note(worker, task,
         coact__stamp_age_ns(task->runnable.ready_at, coact__oracle_now_ns()));
}

void
coact__delays_note_late(struct coact__worker *worker, struct coact__task *task,
                        int64_t deadline_ns)
{
    note(worker, task, coact__oracle_now_ns() - deadline_ns);
}

void
coact__delays_add(struct coact__scheduler *scheduler, uint32_t role,
                  struct coact__histogram_snapshot *to)
{
    uint32_t n = coact__scheduler_workers(scheduler);
    for (uint32_t i = 0; i < n; i++) {
        coact__histogram_add(to, &scheduler->workers[i].delays[role]);
    }
}
