/*
 * spawner.c - the one thread that forks children, hears them and reaps them.
 *
 * It must be one thread, and one that lives as long as they do: a child's
 * parent-death signal fires when the thread that forked it ends.
 *
 * A turn of the loop starts a few processes, reaps those whose waiters reported,
 * frees those that ended in the turn before, and waits for the epoll.  An ended
 * process is freed only at the next turn, since later events of the same batch
 * may still name it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/spawner.h"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "runtime/invariant.h"
#include "runtime/memory.h"
#include "runtime/oracle.h"

#define STARTS_A_TURN 8
#define EVENTS_A_TURN 32
#define POLL_MS 10
#define NS_PER_S INT64_C(1000000000)

void
coact__spawner_wake(struct coact__spawner *spawner)
{
    uint64_t one = 1;
    // It fails only when the count is full, and then it is awake.
    (void)!write(spawner->wake_fd, &one, sizeof(one));
}

/* The loop. */

static struct coact__process *
take_queued(struct coact__spawner *spawner, bool *is_stopping)
{
    pthread_mutex_lock(&spawner->lock);
    struct coact__process *process = spawner->queued;
    if (process != NULL) {
        spawner->queued = process->next;
        if (spawner->queued == NULL) {
            spawner->queued_last = &spawner->queued;
        }
    }
    *is_stopping = spawner->is_stopping;
    pthread_mutex_unlock(&spawner->lock);
    return process;
}

/* True: there may be more. */
static bool
start_some(struct coact__spawner *spawner)
{
    for (int i = 0; i < STARTS_A_TURN; i++) {
        bool is_stopping;
        struct coact__process *process = take_queued(spawner, &is_stopping);
        if (process == NULL) {
            return false;
        }
        if (is_stopping) {
            coact__process_life_cancel(process, -ESHUTDOWN);
        } else {
            coact__process_life_start(process);
        }
    }
    return true;
}

static void
reap_waited(struct coact__spawner *spawner)
{
    for (;;) {
        pthread_mutex_lock(&spawner->lock);
        struct coact__process *process = spawner->waited;
        if (process != NULL) {
            spawner->waited = process->next_waited;
        }
        pthread_mutex_unlock(&spawner->lock);
        if (process == NULL) {
            return;
        }
        coact__process_life_reap(process);
    }
}

static void
reap_due(struct coact__spawner *spawner)
{
    struct coact__process *next;
    for (struct coact__process *p = spawner->live;
         p != NULL && spawner->due > 0; p = next) {
        next = p->next;
        if (p->is_due) {
            coact__process_life_reap(p);
        }
    }
}

static void
bury(struct coact__spawner *spawner)
{
    while (spawner->grave != NULL) {
        struct coact__process *process = spawner->grave;
        spawner->grave = process->next;
        pthread_mutex_lock(&process->line.lock);
        coact__lifeline_close(&process->line);
        pthread_mutex_unlock(&process->line.lock);
        coact__process_unref(process);
    }
}

/* True: the spawner is stopping.  Nothing new starts after that. */
static bool
kill_if_stopping(struct coact__spawner *spawner)
{
    pthread_mutex_lock(&spawner->lock);
    bool is_stopping = spawner->is_stopping;
    pthread_mutex_unlock(&spawner->lock);
    if (!is_stopping || spawner->has_killed) {
        return is_stopping;
    }
    spawner->has_killed = true;
    for (struct coact__process *p = spawner->live; p != NULL; p = p->next) {
        pthread_mutex_lock(&p->line.lock);
        (void)coact__process_signal_locked(p, SIGKILL);
        pthread_mutex_unlock(&p->line.lock);
    }
    return true;
}

static void
take_event(struct coact__spawner *spawner, const struct epoll_event *event)
{
    uint64_t tag = event->data.u64;
    if (tag == 0) {
        uint64_t count;
        (void)!read(spawner->wake_fd, &count, sizeof(count));
        return;
    }
    struct coact__process *process =
        (struct coact__process *)(uintptr_t)(tag & ~COACT__SPAWNER_PIDFD_TAG);
    if (process->state == COACT__PROCESS_ENDED) {
        return; // earlier in this batch
    }
    if ((tag & COACT__SPAWNER_PIDFD_TAG) != 0) {
        coact__process_life_reap(process);
        return;
    }
    coact__process_life_hear(process, event->events);
}

static void
wait_for_events(struct coact__spawner *spawner, int wait_ms)
{
    struct epoll_event events[EVENTS_A_TURN];
    int count = epoll_wait(spawner->epoll_fd, events, EVENTS_A_TURN, wait_ms);
    // Anything else: somebody closed our descriptors, and we would spin.
    COACT__INVARIANT(count >= 0 || errno == EINTR);
    for (int i = 0; i < count; i++) {
        take_event(spawner, &events[i]);
    }
}

static void *
spawner_main(void *arg)
{
    struct coact__spawner *spawner = arg;
    (void)pthread_setname_np(pthread_self(), "coact-spawn");
    for (;;) {
        bool is_stopping = kill_if_stopping(spawner);
        bool has_more = start_some(spawner);
        reap_waited(spawner);
        reap_due(spawner);
        bury(spawner);
        if (is_stopping && spawner->live == NULL && !has_more) {
            break;
        }
        int idle_ms = spawner->due > 0 ? POLL_MS : -1;
        wait_for_events(spawner, has_more ? 0 : idle_ms);
    }
    uint64_t one = 1;
    (void)!write(spawner->done_fd, &one, sizeof(one));
    return NULL;
}

/* Start and stop. */

static int
open_wake(void)
{
    int fd = coact__fails() ? -EMFILE : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return coact__launch_raise(fd == -1 ? -errno : fd);
}

static int
open_epoll(void)
{
    int fd = coact__fails() ? -EMFILE : epoll_create1(EPOLL_CLOEXEC);
    return coact__launch_raise(fd == -1 ? -errno : fd);
}

static int
open_all(struct coact__spawner *spawner)
{
    spawner->epoll_fd = open_epoll();
    if (spawner->epoll_fd < 0) {
        return spawner->epoll_fd;
    }
    spawner->wake_fd = open_wake();
    if (spawner->wake_fd < 0) {
        return spawner->wake_fd;
    }
    spawner->done_fd = open_wake();
    if (spawner->done_fd < 0) {
        return spawner->done_fd;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0};
    if (coact__fails()) {
        return -ENOMEM;
    }
    int rc =
        epoll_ctl(spawner->epoll_fd, EPOLL_CTL_ADD, spawner->wake_fd, &event);
    return rc != 0 ? -errno : 0;
}

static void
close_all(struct coact__spawner *spawner)
{
    int fds[] = {spawner->epoll_fd, spawner->wake_fd, spawner->done_fd};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
}

/* Signals of the host are for the host's threads, and none may be handled while
   a child shares our memory. */
static int
start_thread(struct coact__spawner *spawner)
{
    if (coact__fails()) {
        return -EAGAIN;
    }
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&spawner->thread, NULL, spawner_main, spawner);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -rc;
}

static struct coact__spawner *
spawner_new(const struct coact__spawner_options *options)
{
    struct coact__spawner *spawner = coact__alloc_zeroed(sizeof(*spawner));
    if (spawner == NULL) {
        return NULL;
    }
    if (pthread_mutex_init(&spawner->lock, NULL) != 0) {
        coact__free(spawner);
        return NULL;
    }
    spawner->queued_last = &spawner->queued;
    spawner->home = getpid();
    spawner->epoll_fd = spawner->wake_fd = spawner->done_fd = -1;
    spawner->queue_bytes = options->queue_bytes > 0
                               ? options->queue_bytes
                               : COACT__PROCESS_QUEUE_BYTES;
    spawner->waits_with_threads = options->waits_with_threads;
    return spawner;
}

static void
spawner_free(struct coact__spawner *spawner)
{
    close_all(spawner);
    pthread_mutex_destroy(&spawner->lock);
    coact__free(spawner);
}

int
coact__spawner_start(struct coact__spawner **out,
                     const struct coact__spawner_options *options)
{
    const struct coact__spawner_options defaults = {0};
    options = options != NULL ? options : &defaults;
    struct coact__spawner *spawner = spawner_new(options);
    if (spawner == NULL) {
        return -ENOMEM;
    }
    int rc = coact__launcher_init(&spawner->launcher, options->program,
                                  options->executable);
    if (rc != 0) {
        goto free_spawner;
    }
    rc = open_all(spawner);
    if (rc == 0) {
        rc = start_thread(spawner);
    }
    if (rc != 0) {
        goto fini_launcher;
    }
    *out = spawner;
    return 0;
fini_launcher:
    coact__launcher_fini(&spawner->launcher);
free_spawner:
    spawner_free(spawner);
    return rc;
}

/* Wait for the thread's last word.  The host's signals may interrupt. */
static bool
is_done_by(struct coact__spawner *spawner, int64_t deadline_ns)
{
    struct pollfd done = {.fd = spawner->done_fd, .events = POLLIN};
    for (;;) {
        int64_t left_ns = deadline_ns - coact__oracle_now_ns();
        left_ns = left_ns > 0 ? left_ns : 0;
        struct timespec left = {.tv_sec = (time_t)(left_ns / NS_PER_S),
                                .tv_nsec = (long)(left_ns % NS_PER_S)};
        bool is_endless = deadline_ns == INT64_MAX;
        int rc = ppoll(&done, 1, is_endless ? NULL : &left, NULL);
        if (rc > 0) {
            return true;
        }
        if (rc == 0 || errno != EINTR) {
            return false;
        }
    }
}

int
coact__spawner_stop(struct coact__spawner *spawner, int64_t deadline_ns)
{
    if (getpid() != spawner->home ||
        pthread_equal(pthread_self(), spawner->thread)) {
        return -EPERM;
    }
    pthread_mutex_lock(&spawner->lock);
    spawner->is_stopping = true;
    coact__spawner_wake(spawner);
    pthread_mutex_unlock(&spawner->lock);
    if (!is_done_by(spawner, deadline_ns)) {
        return -ETIMEDOUT;
    }
    (void)pthread_join(spawner->thread, NULL);
    coact__launcher_fini(&spawner->launcher);
    spawner_free(spawner);
    return 0;
}
