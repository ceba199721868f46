/*
 * reap.c - learn that a child has died, and take its status.
 *
 * Three ways to learn it, the first that can be had: a pidfd in the epoll; a
 * thread that waits for this one pid (kernels before 5.3, Valgrind, no
 * descriptor left); a look every few milliseconds (no thread left either).
 * The thread only watches: it waits with WNOWAIT and leaves the zombie, so that
 * the pid stays ours until the spawner's thread takes the status.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/memory.h"
#include "runtime/spawner.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

#define NS_PER_S INT64_C(1000000000)

/* Its own failure mode is to return early, and then the spawner looks in vain
   and polls. */
static void *
waiter_main(void *arg)
{
    struct coact__process *process = arg;
    struct coact__spawner *spawner = process->spawner;
    (void)pthread_setname_np(pthread_self(), "coact-wait");
    siginfo_t info;
    while (waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOWAIT) != 0 &&
           errno == EINTR) {
    }
    pthread_mutex_lock(&spawner->lock);
    process->next_waited = spawner->waited;
    spawner->waited = process;
    pthread_mutex_unlock(&spawner->lock);
    coact__spawner_wake(spawner);
    return NULL;
}

/* One-shot: where a debugger holds the zombie, the pidfd is readable but there
   is nothing to reap, and the epoll would spin. */
static bool
watch_by_pidfd(struct coact__process *process)
{
    if (process->spawner->waits_with_threads || coact__fails()) {
        return false;
    }
    int fd = (int)syscall(SYS_pidfd_open, process->pid, 0);
    fd = coact__launch_raise(fd < 0 ? -errno : fd);
    if (fd < 0) {
        return false;
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT,
                                .data.u64 = (uintptr_t)process |
                                            COACT__SPAWNER_PIDFD_TAG};
    int epoll_fd = process->spawner->epoll_fd;
    bool fails = coact__fails();
    if (fails || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        (void)close(fd);
        return false;
    }
    pthread_mutex_lock(&process->line.lock);
    process->pidfd = fd;
    pthread_mutex_unlock(&process->line.lock);
    return true;
}

static bool
watch_by_thread(struct coact__process *process)
{
    if (coact__fails()) {
        return false;
    }
    // It inherits our mask, in which every signal is blocked.
    process->has_waiter =
        pthread_create(&process->waiter, NULL, waiter_main, process) == 0;
    return process->has_waiter;
}

void
coact__reap_poll(struct coact__process *process, bool is_due)
{
    if (process->is_due != is_due) {
        process->is_due = is_due;
        process->spawner->due += is_due ? 1U : -1U;
    }
}

void
coact__reap_watch(struct coact__process *process)
{
    if (!watch_by_pidfd(process) && !watch_by_thread(process)) {
        coact__reap_poll(process, true);
    }
}

static int64_t
ns_of(struct timeval time)
{
    return (int64_t)time.tv_sec * NS_PER_S + (int64_t)time.tv_usec * 1000;
}

static void
describe(const siginfo_t *info, const struct rusage *usage,
         struct coact__process_end *end)
{
    end->exited = info->si_code == CLD_EXITED;
    end->core = info->si_code == CLD_DUMPED;
    end->exit_code = end->exited ? info->si_status : 0;
    end->signal = end->exited ? 0 : info->si_status;
    end->user_ns = ns_of(usage->ru_utime);
    end->system_ns = ns_of(usage->ru_stime);
    end->max_rss_bytes = (int64_t)usage->ru_maxrss * 1024;
}

/* The wrapper hides the usage.  EINVAL: a kernel that has pidfds but cannot
   wait for them. */
static long
wait_now(const struct coact__process *process, siginfo_t *info,
         struct rusage *usage)
{
    int options = WEXITED | WNOHANG;
    long rc = -1;
    if (process->pidfd >= 0) {
        rc = syscall(SYS_waitid, P_PIDFD, process->pidfd, info, options, usage);
        if (rc == 0 || errno != EINVAL) {
            return rc;
        }
    }
    return syscall(SYS_waitid, P_PID, process->pid, info, options, usage);
}

static void
stop_watching(struct coact__process *process)
{
    if (process->pidfd >= 0) {
        // A copy in a forked host would keep it in the epoll.
        (void)epoll_ctl(process->spawner->epoll_fd, EPOLL_CTL_DEL,
                        process->pidfd, NULL);
        (void)close(process->pidfd);
        process->pidfd = -1;
    }
    process->state = COACT__PROCESS_ENDED;
}

/* The waiter of a process that is reaped is about to end: it has seen the death,
   or there is nothing left that it could wait for.  It may be on the list. */
static void
join_waiter(struct coact__process *process)
{
    if (!process->has_waiter) {
        return;
    }
    struct coact__spawner *spawner = process->spawner;
    (void)pthread_join(process->waiter, NULL);
    process->has_waiter = false;
    pthread_mutex_lock(&spawner->lock);
    struct coact__process **at = &spawner->waited;
    while (*at != NULL && *at != process) {
        at = &(*at)->next_waited;
    }
    if (*at != NULL) {
        *at = process->next_waited;
    }
    pthread_mutex_unlock(&spawner->lock);
}

bool
coact__reap_try(struct coact__process *process, struct coact__process_end *end)
{
    siginfo_t info;
    struct rusage usage;
    memset(&info, 0, sizeof(info));
    memset(&usage, 0, sizeof(usage));
    *end = (struct coact__process_end){0};

    pthread_mutex_lock(&process->line.lock);
    long rc = wait_now(process, &info, &usage);
    bool is_stolen = rc != 0 && errno == ECHILD;
    bool is_over = is_stolen || (rc == 0 && info.si_pid != 0);
    if (is_over) {
        stop_watching(process);
    }
    pthread_mutex_unlock(&process->line.lock);

    coact__reap_poll(process, !is_over);
    if (!is_over) {
        return false;
    }
    join_waiter(process);
    if (is_stolen) {
        end->error = -ECHILD;
    } else {
        describe(&info, &usage, end);
    }
    return true;
}
