/*
 * caller.c - who calls, and what to say to whoever calls from the wrong place.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/life.h"
#include "runtime/here.h"
#include "runtime/oracle.h"

#include <stdio.h>
#include <stdlib.h>

struct coact__actor *
coact__actor_here(void)
{
    struct coact__worker *worker = coact__worker_here();
    // The task is the actor's first member.
    return worker != NULL ? (struct coact__actor *)coact__worker_current(worker)
                          : NULL;
}

struct coact_runtime *
coact__runtime_here(void)
{
    struct coact__here *here = coact__here();
    return here->worker != NULL ? here->worker->scheduler->options.owner
                                : here->attached;
}

struct coact_runtime *
coact_runtime_here(void)
{
    return coact__runtime_here();
}

struct coact__actor *
coact__actor_or_misuse(const char *call)
{
    struct coact__actor *actor = coact__actor_here();
    if (actor == NULL) {
        coact__misuse(coact__runtime_here(), -EPERM, call,
                      "called outside of an actor");
    }
    return actor;
}

coact_ref
coact_self(void)
{
    struct coact__actor *actor = coact__actor_here();
    return actor != NULL ? coact__ref_of(actor) : (coact_ref){0};
}

static bool
is_worker_of(struct coact_runtime *runtime, struct coact__worker *worker)
{
    return worker != NULL && worker->scheduler == &runtime->scheduler;
}

void
coact__count_many(struct coact_runtime *runtime, size_t counter, uint64_t n)
{
    struct coact__worker *worker = coact__worker_here();
    bool is_ours = is_worker_of(runtime, worker);
    uint32_t row = is_ours ? worker->index : runtime->scheduler.worker_rows;
    _Atomic uint64_t *at =
        (_Atomic uint64_t *)(void *)((char *)&runtime->counts[row] + counter);
    if (is_ours) {
        // A worker writes its row alone; readers may see it late (relaxed).
        atomic_store_explicit(
            at, atomic_load_explicit(at, memory_order_relaxed) + n,
            memory_order_relaxed);
    } else {
        atomic_fetch_add_explicit(at, n, memory_order_relaxed);
    }
}

void
coact__count(struct coact_runtime *runtime, size_t counter)
{
    coact__count_many(runtime, counter, 1);
}

void
coact__log(struct coact_runtime *runtime, enum coact_log_level level,
           const char *format, ...)
{
    va_list args;
    va_start(args, format);
    coact__log_line(&runtime->log, level, format, args);
    va_end(args);
}

static void
say_misuse(struct coact_runtime *runtime, const char *line)
{
    if (runtime == NULL) {
        fprintf(stderr, "coact error: %s\n", line);
        return;
    }
    COACT__COUNT_ONE(runtime, misuses);
    coact__log(runtime, COACT_LOG_ERROR, "%s", line);
    if (runtime->options.abort_on_misuse) {
        abort();
    }
}

int
coact__misuse(struct coact_runtime *runtime, int code, const char *call,
              const char *format, ...)
{
    char what[256];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    struct coact__actor *actor = coact__actor_here();
    const char *who = actor == NULL ? "a thread that is not an actor"
                                    : coact__label_of(actor);
    char line[COACT__LOG_LINE];
    snprintf(line, sizeof(line), "misuse of %s by %s: %s", call, who, what);
    say_misuse(runtime, line);
    return code;
}
