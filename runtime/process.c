/*
 * process.c - what any thread may do with a child: start it, talk to it, signal
 * it, forget it.
 *
 * None of it waits for the child or for the spawner's thread.  A start puts the
 * process on the spawner's list; a message goes straight to the socket, or into
 * the queue behind it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/memory.h"
#include "runtime/spawner.h"

#define SIGNALS 64

/* refs: unref releases what its owner did with the handle, and the last one
   acquires it before the memory is freed.  Taking one needs no order: whoever
   does so has one already. */
void
coact__process_unref(struct coact__process *process)
{
    if (process == NULL || atomic_fetch_sub_explicit(
                               &process->refs, 1, memory_order_acq_rel) > 1) {
        return;
    }
    coact__lifeline_fini(&process->line);
    coact__free(process);
}

/* Everything that the child will read before its first message. */
static int
put_bootstrap(struct coact__lifeline *line, const unsigned char *bytes,
              size_t len)
{
    struct coact__lifeline_hello hello = {.magic = COACT__LIFELINE_MAGIC,
                                          .bootstrap_bytes = len};
    int rc =
        coact__lifeline_put(line, COACT__LIFELINE_HELLO, &hello, sizeof(hello));
    for (size_t at = 0; rc == 0 && at < len;) {
        size_t left = len - at;
        size_t piece = left < COACT__PROCESS_MESSAGE_MAX
                           ? left
                           : COACT__PROCESS_MESSAGE_MAX;
        rc = coact__lifeline_put(line, COACT__LIFELINE_BOOTSTRAP, bytes + at,
                                 piece);
        at += piece;
    }
    return rc;
}

static int
process_new(struct coact__spawner *spawner, const void *bootstrap, size_t bytes,
            struct coact__process **out)
{
    struct coact__process *process = coact__alloc_zeroed(sizeof(*process));
    if (process == NULL) {
        return -ENOMEM;
    }
    int rc = coact__lifeline_init(&process->line, spawner->queue_bytes);
    if (rc != 0) {
        coact__free(process);
        return rc;
    }
    atomic_init(&process->refs, 1);
    process->spawner = spawner;
    process->home = spawner->home;
    process->pidfd = -1;
    rc = put_bootstrap(&process->line, bootstrap, bytes);
    if (rc != 0) {
        coact__process_unref(process);
        return rc;
    }
    *out = process;
    return 0;
}

/* From here it is the spawner's, unless it is stopping. */
static int
hand_over(struct coact__spawner *spawner, struct coact__process *process,
          struct coact__process **out)
{
    pthread_mutex_lock(&spawner->lock);
    bool is_stopping = spawner->is_stopping;
    if (!is_stopping) {
        if (out != NULL) {
            atomic_store_explicit(&process->refs, 2, memory_order_relaxed);
            *out = process;
        }
        *spawner->queued_last = process;
        spawner->queued_last = &process->next;
        // Inside the lock: a stop cannot have freed wake_fd yet.
        coact__spawner_wake(spawner);
    }
    pthread_mutex_unlock(&spawner->lock);
    return is_stopping ? -ESHUTDOWN : 0;
}

int
coact__process_start(struct coact__spawner *spawner, const void *bootstrap,
                     size_t bytes, const struct coact__process_events *events,
                     void *owner, struct coact__process **out)
{
    if (spawner == NULL || events == NULL || events->ended == NULL ||
        (bootstrap == NULL && bytes > 0)) {
        return -EINVAL;
    }
    if (bytes > COACT__PROCESS_BOOTSTRAP_MAX) {
        return -EOVERFLOW;
    }
    if (getpid() != spawner->home) {
        return -EPERM;
    }
    struct coact__process *process;
    int rc = process_new(spawner, bootstrap, bytes, &process);
    if (rc != 0) {
        return rc;
    }
    process->events = events;
    process->owner = owner;
    rc = hand_over(spawner, process, out);
    if (rc != 0) {
        coact__process_unref(process);
    }
    return rc;
}

int
coact__process_send(struct coact__process *process, const void *bytes,
                    size_t len)
{
    if (getpid() != process->home) {
        return -EPERM;
    }
    pthread_mutex_lock(&process->line.lock);
    bool is_deaf =
        process->state == COACT__PROCESS_ENDED ||
        (process->state == COACT__PROCESS_LIVE && process->line.fd < 0);
    int rc =
        is_deaf ? -ECHILD : coact__lifeline_send(&process->line, bytes, len);
    pthread_mutex_unlock(&process->line.lock);
    return rc == -EPIPE ? -ECHILD : rc;
}

static int
send_signal(const struct coact__process *process, int sig)
{
    long rc = process->pidfd >= 0
                  ? syscall(SYS_pidfd_send_signal, process->pidfd, sig, NULL, 0)
                  : kill(process->pid, sig);
    if (rc == 0) {
        return 0;
    }
    int code = errno;
    if (code == ESRCH) {
        return -ECHILD;
    }
    return code == EPERM ? -EACCES : -code;
}

int
coact__process_signal_locked(struct coact__process *process, int sig)
{
    switch (process->state) {
    case COACT__PROCESS_QUEUED:
        process->early_signals |= sig > 0 ? UINT64_C(1) << (sig - 1) : 0;
        return 0;
    case COACT__PROCESS_LIVE:
        return send_signal(process, sig);
    case COACT__PROCESS_ENDED:
        break;
    }
    return -ECHILD;
}

int
coact__process_signal(struct coact__process *process, int sig)
{
    if (sig < 0 || sig > SIGNALS) {
        return -EINVAL;
    }
    if (getpid() != process->home) {
        return -EPERM;
    }
    pthread_mutex_lock(&process->line.lock);
    int rc = coact__process_signal_locked(process, sig);
    pthread_mutex_unlock(&process->line.lock);
    return rc;
}

pid_t
coact__process_pid(struct coact__process *process)
{
    if (getpid() != process->home) {
        return 0;
    }
    pthread_mutex_lock(&process->line.lock);
    pid_t pid = process->pid;
    pthread_mutex_unlock(&process->line.lock);
    return pid;
}
