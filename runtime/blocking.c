/*
 * blocking.c - who runs a job, who waits for it, and who frees it.
 *
 *   state                | moved by                       | freed then by
 *   QUEUED  -> RUNNING   | a thread, or the hand-over     |
 *   QUEUED  -> gone      | the task leaves; it never runs | the task
 *   RUNNING -> DONE      | the thread, when fn returns    | the task
 *   RUNNING -> ABANDONED | the task leaves                | the thread
 *
 * All moves are made under the pool's lock, so exactly one side frees.  Jobs
 * block for longer than a lock takes; one lock is enough.
 *
 * Who is idle waits on a bell of its own, and the one that became idle last is
 * called first: the others come to rest, and end.  A job is put into the idler's
 * hand rather than into the queue, so none can overtake another.
 *
 * A thread that ends cannot join itself.  It leaves its handle and joins the one
 * that ended before it, which has nothing left to do; at most one handle is kept,
 * and coact__blocking_fini joins the last.
 *
 * Threads are made under the lock: otherwise two that cannot be made at the same
 * time would each leave their job to the other.
 *
 * Memory orders, by what the pair protects
 *   result  D1 release -> D2 acquire.  What fn wrote into the copy.
 *   The task then needs the lock neither to read nor to free.  All other
 *   operations on `state` are relaxed, under the lock (explained).  `done` and
 *   `abandoned` are relaxed: they guard nothing.
 *
 * The wake comes after the lock, when nobody counts the job any more.  It may find
 * the task gone, which is harmless, and coact__blocking_fini joins the thread
 * before anybody frees the tasks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/blocking.h"

#include "runtime/altstack.h"
#include "runtime/aside.h"
#include "runtime/here.h"
#include "runtime/invariant.h"
#include "runtime/memory.h"
#include "runtime/oracle.h"
#include "runtime/scheduler.h"
#include "runtime/task.h"
#include "runtime/thread.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define IDLE_NS INT64_C(1000000000)

/* The delays of simulated jobs: 1 us to 16 ms, each order of magnitude as often
   as the others. */
#define DELAY_NS INT64_C(1000)
#define DELAY_DOUBLINGS 15

/* On the stack of a thread that waits for work. */
struct coact__idler {
    struct coact__idler *next;
    struct coact__job *job; /* NULL when called: end */
    bool is_called;
    pthread_cond_t bell;
};

static enum coact__job_state
state_of(const struct coact__job *job)
{
    return (enum coact__job_state)atomic_load_explicit(&job->state,
                                                       memory_order_relaxed);
}

static void
set_state(struct coact__job *job, enum coact__job_state state)
{
    atomic_store_explicit(&job->state, (uint8_t)state, memory_order_relaxed);
}

/* ---- Jobs ---- */

struct coact__job *
coact__job_new(struct coact__task *task, void (*fn)(void *arg), const void *arg,
               size_t bytes, void (*destroy)(void *arg))
{
    struct coact__job *job = bytes <= SIZE_MAX - sizeof(*job)
                                 ? coact__alloc(sizeof(*job) + bytes)
                                 : NULL;
    if (job != NULL) {
        memset(job, 0, sizeof(*job));
        job->task = task;
        job->fn = fn;
        job->destroy = destroy;
        job->bytes = bytes;
        if (bytes > 0) {
            memcpy(job->copy, arg, bytes);
        }
    }
    return job;
}

void
coact__job_free(struct coact__job *job)
{
    coact__free(job);
}

static void *
argument_of(struct coact__job *job)
{
    return job->bytes > 0 ? job->copy : NULL;
}

/* Nobody wants its result. */
static void
destroy_copy(struct coact__job *job)
{
    if (job->destroy != NULL) {
        job->destroy(argument_of(job));
    }
}

static void
discard(struct coact__job *job)
{
    destroy_copy(job);
    coact__job_free(job);
}

bool
coact__job_is_done(const struct coact__job *job)
{
    return atomic_load_explicit(&job->state, memory_order_acquire) == // D2
           COACT__JOB_DONE;
}

static void
set_done(struct coact__job *job)
{
    atomic_store_explicit(&job->state, COACT__JOB_DONE,
                          memory_order_release); // D1
}

/* ---- Lists, under the lock ---- */

static void
append(struct coact__job_list *list, struct coact__job *job)
{
    job->older = list->newest;
    job->newer = NULL;
    if (list->newest != NULL) {
        list->newest->newer = job;
    } else {
        list->oldest = job;
    }
    list->newest = job;
    list->count++;
}

static void
drop(struct coact__job_list *list, struct coact__job *job)
{
    if (job->older != NULL) {
        job->older->newer = job->newer;
    } else {
        list->oldest = job->newer;
    }
    if (job->newer != NULL) {
        job->newer->older = job->older;
    } else {
        list->newest = job->older;
    }
    list->count--;
}

static bool
is_at_rest(const struct coact__blocking *pool)
{
    return pool->running.count == 0 && pool->queue.count == 0;
}

/* A thread has it from here on. */
static void
assign(struct coact__blocking *pool, struct coact__job *job)
{
    int64_t waited = coact__oracle_now_ns() - job->since_ns;
    if (waited > pool->longest_wait_ns) {
        pool->longest_wait_ns = waited;
    }
    set_state(job, COACT__JOB_RUNNING);
    append(&pool->running, job);
}

/* ---- A thread ---- */

static int
wait_until(struct coact__blocking *pool, pthread_cond_t *bell,
           int64_t deadline_ns)
{
    if (deadline_ns == INT64_MAX) {
        return pthread_cond_wait(bell, &pool->lock);
    }
    struct timespec at = {deadline_ns / 1000000000, deadline_ns % 1000000000};
    return pthread_cond_clockwait(bell, &pool->lock, CLOCK_MONOTONIC, &at);
}

static void
forget_idler(struct coact__blocking *pool, struct coact__idler *idler)
{
    struct coact__idler **at = &pool->idlers;
    while (*at != idler) {
        at = &(*at)->next;
    }
    *at = idler->next;
}

/* NULL: nobody called in time, or to the end. */
static struct coact__job *
idle(struct coact__blocking *pool)
{
    struct coact__idler idler = {.next = pool->idlers,
                                 .bell = PTHREAD_COND_INITIALIZER};
    pool->idlers = &idler;
    int64_t until_ns = coact__oracle_now_ns() + pool->idle_ns;
    int rc = 0;
    while (!idler.is_called && rc == 0) {
        rc = wait_until(pool, &idler.bell, until_ns);
    }
    if (!idler.is_called) {
        forget_idler(pool, &idler);
    }
    pthread_cond_destroy(&idler.bell);
    return idler.job;
}

/* Take the idler that came last off the list, and give it something to do. */
static void
call_idler(struct coact__blocking *pool, struct coact__job *job)
{
    struct coact__idler *idler = pool->idlers;
    pool->idlers = idler->next;
    idler->job = job;
    idler->is_called = true;
    pthread_cond_signal(&idler->bell);
}

static struct coact__job *
next_job(struct coact__blocking *pool)
{
    struct coact__job *job = pool->queue.oldest;
    if (job != NULL) {
        drop(&pool->queue, job);
        assign(pool, job);
        return job;
    }
    return pool->is_closing ? NULL : idle(pool);
}

/* What an earlier job has left behind on this thread is not this one's. */
static void
call(struct coact__job *job)
{
    *coact__here() = (struct coact__here){0};
    job->fn(argument_of(job));
}

/* With the lock held; it is released while fn runs. */
static void
run(struct coact__blocking *pool, struct coact__job *job)
{
    struct coact__task *task = NULL;
    if (state_of(job) == COACT__JOB_RUNNING) {
        pthread_mutex_unlock(&pool->lock);
        call(job);
        pthread_mutex_lock(&pool->lock);
    }
    if (state_of(job) == COACT__JOB_RUNNING) {
        task = job->task;
        drop(&pool->running, job);
        set_done(job); // the task may free it now
    } else {
        pthread_mutex_unlock(&pool->lock);
        destroy_copy(job);
        pthread_mutex_lock(&pool->lock);
        drop(&pool->running, job);
        coact__job_free(job);
    }
    pthread_cond_broadcast(&pool->quiet);
    if (task != NULL) {
        pthread_mutex_unlock(&pool->lock);
        coact__task_wake(task);
        pthread_mutex_lock(&pool->lock);
    }
}

/* The lowest number that no thread has. */
static uint32_t
take_number(struct coact__blocking *pool)
{
    uint32_t word = 0;
    while (pool->numbers[word] == UINT64_MAX) {
        word++;
    }
    uint32_t bit = (uint32_t)__builtin_ctzll(~pool->numbers[word]);
    pool->numbers[word] |= UINT64_C(1) << bit;
    return word * 64 + bit;
}

static void
give_number(struct coact__blocking *pool, uint32_t number)
{
    pool->numbers[number / 64] &= ~(UINT64_C(1) << number % 64);
}

/* The last thing that a thread does with the lock.  True: *before is a thread
   that has ended too, to be joined. */
static bool
retire(struct coact__blocking *pool, uint32_t number, pthread_t *before)
{
    bool has_before = pool->has_ended;
    *before = pool->ended;
    pool->ended = pthread_self();
    pool->has_ended = true;
    give_number(pool, number);
    pool->threads--;
    pthread_cond_broadcast(&pool->quiet);
    return has_before;
}

static void *
thread_main(void *arg)
{
    struct coact__blocking *pool = arg;
    struct coact__altstack altstack;
    coact__altstack_open(&altstack);
    pthread_mutex_lock(&pool->lock);
    uint32_t number = take_number(pool);
    char name[16];
    snprintf(name, sizeof(name), "coact-b%u", (unsigned)number);
    pthread_setname_np(pthread_self(), name);
    struct coact__job *job;
    while ((job = next_job(pool)) != NULL) {
        run(pool, job);
    }
    pthread_t before;
    bool has_before = retire(pool, number, &before);
    pthread_mutex_unlock(&pool->lock);
    if (has_before) {
        pthread_join(before, NULL);
    }
    coact__altstack_close(&altstack);
    return NULL;
}

/* ---- Beginning and leaving ---- */

static void
end_of_delay(struct coact__timer *timer)
{
    struct coact__job *job =
        (struct coact__job *)(void *)((char *)timer -
                                      offsetof(struct coact__job, delay));
    struct coact__task *task = job->task;
    set_done(job);
    coact__task_wake(task);
}

static int
begin_simulated(struct coact__job *job)
{
    int rc = coact__aside(job->task->scheduler, job->fn, argument_of(job));
    if (rc < 0) {
        return -EAGAIN; // what would be a thread
    }
    int64_t delay = DELAY_NS << coact__oracle_choose(DELAY_DOUBLINGS);
    delay += coact__oracle_choose((uint32_t)delay);
    set_state(job, COACT__JOB_RUNNING);
    job->delay = (struct coact__timer){.fire = end_of_delay};
    coact__timer_arm(&coact__here()->worker->timers, &job->delay,
                     coact__oracle_now_ns() + delay);
    return 0;
}

/* A thread begins with the policy of its maker: one that was demoted, while it
   computed, is not any more, if it may, and not again until the thread is there. */
static int
start_thread(struct coact__blocking *pool)
{
    pthread_t thread;
    struct coact__worker *worker = coact__worker_here();
    if (worker == NULL) {
        return coact__thread_start(&thread, thread_main, pool);
    }
    pthread_mutex_lock(&worker->scheduler->parking.lock);
    (void)coact__park_is_fit(worker);
    int rc = coact__thread_start(&thread, thread_main, pool);
    pthread_mutex_unlock(&worker->scheduler->parking.lock);
    return rc;
}

/* One more thread, if there may be one.  It takes the oldest job. */
static int
add_thread(struct coact__blocking *pool)
{
    if (pool->threads >= pool->threads_most) {
        return 0;
    }
    int rc = start_thread(pool);
    if (rc == 0) {
        pool->threads++;
    }
    return rc;
}

int
coact__blocking_begin(struct coact__blocking *pool, struct coact__job *job)
{
    job->since_ns = coact__oracle_now_ns();
    if (coact__oracle_is_simulated()) {
        return begin_simulated(job);
    }
    int rc = 0;
    pthread_mutex_lock(&pool->lock);
    if (pool->idlers != NULL) {
        assign(pool, job);
        call_idler(pool, job);
    } else {
        append(&pool->queue, job);
        // Where one thread is, the job waits for it.
        if (add_thread(pool) < 0 && pool->threads == 0) {
            drop(&pool->queue, job);
            rc = -EAGAIN;
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return rc;
}

static bool
leave_simulated(struct coact__job *job)
{
    if (!coact__timer_cancel(&job->delay)) {
        return false;
    }
    discard(job);
    return true;
}

static bool
leave(struct coact__blocking *pool, struct coact__job *job)
{
    pthread_mutex_lock(&pool->lock);
    enum coact__job_state was = state_of(job);
    if (was == COACT__JOB_QUEUED) {
        drop(&pool->queue, job);
    } else if (was == COACT__JOB_RUNNING) {
        set_state(job, COACT__JOB_ABANDONED);
    }
    pthread_mutex_unlock(&pool->lock);
    if (was == COACT__JOB_QUEUED) {
        discard(job);
    }
    return was != COACT__JOB_DONE;
}

bool
coact__blocking_leave(struct coact__blocking *pool, struct coact__job *job)
{
    bool left =
        coact__oracle_is_simulated() ? leave_simulated(job) : leave(pool, job);
    if (left) {
        atomic_fetch_add_explicit(&pool->abandoned, 1, memory_order_relaxed);
    }
    return left;
}

void
coact__blocking_take(struct coact__blocking *pool, struct coact__job *job,
                     void *arg)
{
    COACT__INVARIANT(coact__job_is_done(job));
    if (job->bytes > 0) {
        memcpy(arg, job->copy, job->bytes);
    }
    coact__job_free(job);
    atomic_fetch_add_explicit(&pool->done, 1, memory_order_relaxed);
}

/* ---- The pool ---- */

void
coact__blocking_init(struct coact__blocking *pool, uint32_t threads_most)
{
    *pool = (struct coact__blocking){.lock = PTHREAD_MUTEX_INITIALIZER,
                                     .quiet = PTHREAD_COND_INITIALIZER,
                                     .idle_ns = IDLE_NS};
    pool->threads_most = threads_most == 0 ? COACT__BLOCKING_THREADS
                         : threads_most < COACT__BLOCKING_THREADS_MAX
                             ? threads_most
                             : COACT__BLOCKING_THREADS_MAX;
}

int
coact__blocking_await(struct coact__blocking *pool, int64_t deadline_ns)
{
    int rc = 0;
    pthread_mutex_lock(&pool->lock);
    while (!is_at_rest(pool) && rc == 0) {
        rc = wait_until(pool, &pool->quiet, deadline_ns);
    }
    rc = is_at_rest(pool) ? 0 : -ETIMEDOUT;
    pthread_mutex_unlock(&pool->lock);
    return rc;
}

void
coact__blocking_fini(struct coact__blocking *pool)
{
    pthread_mutex_lock(&pool->lock);
    COACT__INVARIANT(is_at_rest(pool));
    pool->is_closing = true;
    while (pool->idlers != NULL) {
        call_idler(pool, NULL);
    }
    while (pool->threads > 0) {
        pthread_cond_wait(&pool->quiet, &pool->lock);
    }
    bool has_ended = pool->has_ended;
    pthread_mutex_unlock(&pool->lock);
    if (has_ended) {
        pthread_join(pool->ended, NULL);
    }
    pthread_cond_destroy(&pool->quiet);
    pthread_mutex_destroy(&pool->lock);
}

void
coact__blocking_count(struct coact__blocking *pool,
                      struct coact__blocking_counts *out)
{
    pthread_mutex_lock(&pool->lock);
    *out = (struct coact__blocking_counts){.threads = pool->threads,
                                           .busy = pool->running.count,
                                           .queued = pool->queue.count,
                                           .longest_wait_ns =
                                               pool->longest_wait_ns};
    if (pool->queue.oldest != NULL) {
        int64_t waits = coact__oracle_now_ns() - pool->queue.oldest->since_ns;
        out->longest_wait_ns =
            waits > out->longest_wait_ns ? waits : out->longest_wait_ns;
    }
    pthread_mutex_unlock(&pool->lock);
    out->done = atomic_load_explicit(&pool->done, memory_order_relaxed);
    out->abandoned =
        atomic_load_explicit(&pool->abandoned, memory_order_relaxed);
}

void
coact__blocking_each(struct coact__blocking *pool,
                     void (*each)(void *context, const char *whose,
                                  int64_t since_ns),
                     void *context)
{
    pthread_mutex_lock(&pool->lock);
    for (const struct coact__job *job = pool->running.oldest; job != NULL;
         job = job->newer) {
        each(context, job->whose, job->since_ns);
    }
    pthread_mutex_unlock(&pool->lock);
}
