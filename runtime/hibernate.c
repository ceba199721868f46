/*
 * hibernate.c - out of the stack, and back.
 *
 *   state       | becomes     | by whom
 *   asleep      | claimed     | us: as a sender does, but with nothing to give
 *   claimed     | hibernated  | us: the copy is made
 *   hibernated  | asleep      | us, when the pages are gone; or ready, if
 *               |             | something has come meanwhile
 *   hibernated  | awake       | the worker that is about to switch to it
 *
 * Invariants
 *   H1  A hibernated task has a stack and no fcontext: so the way to it leads
 *       through coact__worker_prepare, and who does not hibernate pays nothing.
 *   H2  Its copy is what context.start points to.  That is free for us: only a
 *       task that has run can have fallen asleep, and its first resumption was
 *       what `start` is for.
 *   H3  Who has claimed a task has all of it to himself, the copy and the pages
 *       too, until he puts it to sleep or into a queue.
 *
 * All that is live lies above the saved stack pointer: a switch is a call, so
 * there is no red zone below it.
 *
 * is_hibernated and hibernates are read by others in passing (relaxed): they
 * save a claim in vain.  What counts is looked at when the task is ours, and
 * goes with the inbox's S2 -> A1.
 *
 * If the kernel refuses to take the pages (they are locked in memory), the task
 * is hibernated nevertheless: some of them may be gone.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/hibernate.h"

#include "runtime/invariant.h"
#include "runtime/memory.h"
#include "runtime/scheduler.h"

#include <string.h>

/* What is kept of a stack: its topmost bytes. */
struct copy {
    size_t bytes;
    uint64_t words[];
};

/* ASan's copy of memcpy would object to the red zones, which are part of what
   is copied; their shadow stays where it is. */
#if COACT__ASAN
__attribute__((no_sanitize_address)) static void
copy_bytes(void *to, const void *from, size_t bytes)
{
    volatile uint64_t *out = to;
    const volatile uint64_t *in = from;
    for (size_t i = 0; i < bytes / sizeof(*in); i++) {
        out[i] = in[i];
    }
}
#else
static void
copy_bytes(void *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
}
#endif

static char *
top_of(const struct coact__stack *stack)
{
    return (char *)stack->low + stack->bytes;
}

/* The bytes to keep; 0: they fill so much of their pages that it is not worth
   it. */
static size_t
bytes_to_keep(const struct coact__stacks *stacks,
              const struct coact__task *task)
{
    size_t bytes =
        (size_t)(top_of(&task->stack) - (char *)task->context.fcontext);
    size_t spans =
        coact__stacks_span(stacks, &task->stack, task->context.fcontext);
    return bytes <= spans / 3 * 2 ? bytes : 0;
}

/* Copy a task that is ours out of its stack.  False: it stays there. */
static bool
copy_out(struct coact__task *task)
{
    size_t bytes =
        bytes_to_keep(task->scheduler->stacks[task->stack_class], task);
    struct copy *copy = bytes != 0 ? coact__alloc(sizeof(*copy) + bytes) : NULL;
    if (copy == NULL) {
        return false;
    }
    copy->bytes = bytes;
    copy_bytes(copy->words, task->context.fcontext, bytes);
    task->context.fcontext = NULL;
    task->context.start = copy;
    atomic_store_explicit(&task->is_hibernated, true, memory_order_relaxed);
    return true;
}

void
coact__hibernate_end(struct coact__worker *worker, struct coact__task *task)
{
    struct copy *copy = task->context.start;
    char *at = top_of(&task->stack) - copy->bytes;
    copy_bytes(at, copy->words, copy->bytes);
    task->context.fcontext = at;
    task->context.start = NULL;
    atomic_store_explicit(&task->is_hibernated, false, memory_order_relaxed);
    // Release: who counts it awake counts it asleep before.
    atomic_store_explicit(
        &worker->unhibernated,
        atomic_load_explicit(&worker->unhibernated, memory_order_relaxed) + 1,
        memory_order_release);
    coact__free(copy);
}

/* Ours no longer: asleep, or ready if something has come. */
static void
lay_down(struct coact__task *task)
{
    if (!coact__inbox_sleep_by_owner(&task->inbox, COACT__INBOX_LISTENING)) {
        coact__task_ready(task);
    }
}

/* True: it is claimed and copied. */
static bool
take(struct coact__task *task)
{
    if (atomic_load_explicit(&task->is_hibernated, memory_order_relaxed) ||
        !coact__inbox_claim(&task->inbox)) {
        return false;
    }
    bool may_be =
        task->after == COACT__AFTER_DROWSE &&
        atomic_load_explicit(&task->hibernates, memory_order_relaxed) !=
            COACT__HIBERNATES_NEVER &&
        task->context.fcontext != NULL;
    if (may_be && copy_out(task)) {
        return true;
    }
    lay_down(task);
    return false;
}

static void
give_back_pages(struct coact__scheduler *scheduler, struct coact__task **tasks,
                uint32_t count)
{
    for (uint8_t class = 0; class < COACT__STACK_CLASSES; class ++) {
        struct coact__stacks *stacks = scheduler->stacks[class];
        struct coact__stack_list chain = COACT__NO_STACKS;
        for (uint32_t i = 0; i < count; i++) {
            if (tasks[i]->stack_class == class) {
                coact__stacks_chain(stacks, &chain, &tasks[i]->stack);
            }
        }
        coact__stacks_empty(stacks, &chain);
    }
}

static void
hibernate_batch(struct coact__worker *worker, struct coact__task **tasks,
                uint32_t count)
{
    uint32_t taken = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (take(tasks[i])) {
            tasks[taken++] = tasks[i];
        }
    }
    give_back_pages(worker->scheduler, tasks, taken);
    // Before anybody can wake them: the count is never less than zero.
    coact__worker_count(&worker->hibernated, taken);
    for (uint32_t i = 0; i < taken; i++) {
        lay_down(tasks[i]);
    }
}

void
coact__hibernate(struct coact__worker *worker, struct coact__task **tasks,
                 uint32_t count)
{
    for (uint32_t i = 0; i < count; i += COACT__HIBERNATE_BATCH) {
        uint32_t left = count - i;
        hibernate_batch(worker, tasks + i,
                        left < COACT__HIBERNATE_BATCH ? left
                                                      : COACT__HIBERNATE_BATCH);
    }
}

void
coact__hibernate_drowsy(struct coact__worker *worker)
{
    struct coact__drowsy *drowsy = &worker->drowsy;
    uint32_t count = drowsy->count;
    drowsy->count = 0;
    coact__hibernate(worker, drowsy->tasks, count);
}

bool
coact__hibernate_list(struct coact__worker *worker, struct coact__task *task)
{
    struct coact__drowsy *drowsy = &worker->drowsy;
    if (atomic_load_explicit(&task->hibernates, memory_order_relaxed) !=
            COACT__HIBERNATES_AT_ONCE ||
        drowsy->count == COACT__DROWSY_MOST) {
        return false;
    }
    drowsy->tasks[drowsy->count++] = task;
    return true;
}
