/*
 * signals.c - the signals that ask a program to end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/signals.h"

#include "runtime/memory.h"
#include "runtime/oracle.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* The same signal, so soon after the first, is the same wish: tools such as
   timeout send it to a process and then to its group. */
#define TWICE_NS INT64_C(200000000)

struct coact__signals {
    pthread_t thread;
    int signal_fd;
    int quit_fd;
    sigset_t before;
    void (*told)(void *owner, int sig);
    void *owner;
};

const char *
coact__signal_name(int sig)
{
    return sig == SIGTERM  ? "SIGTERM"
           : sig == SIGINT ? "SIGINT"
           : sig == SIGHUP ? "SIGHUP"
                           : "a signal";
}

static void
end_at_once(int sig)
{
    // Straight to the descriptor: who holds stdio's lock may be what hangs.
    char line[80];
    int bytes = snprintf(line, sizeof(line),
                         "coact: %s again: the process is left at once\n",
                         coact__signal_name(sig));
    (void)!write(STDERR_FILENO, line, (size_t)bytes);
    _exit(128 + sig);
}

static void *
thread_main(void *arg)
{
    struct coact__signals *signals = arg;
    int first_sig = 0;
    int64_t first_ns = 0;
    struct pollfd fds[] = {{.fd = signals->signal_fd, .events = POLLIN},
                           {.fd = signals->quit_fd, .events = POLLIN}};
    pthread_setname_np(pthread_self(), "coact-signals");
    for (;;) {
        (void)poll(fds, 2, -1);
        struct signalfd_siginfo info;
        // Signals first: a second one counts also when we are to quit.
        if (read(signals->signal_fd, &info, sizeof(info)) ==
            (ssize_t)sizeof(info)) {
            int sig = (int)info.ssi_signo;
            int64_t now_ns = coact__oracle_now_ns();
            if (first_sig == 0) {
                first_sig = sig;
                first_ns = now_ns;
                signals->told(signals->owner, sig);
            } else if (sig != first_sig || now_ns - first_ns >= TWICE_NS) {
                end_at_once(sig);
            }
        } else if ((fds[1].revents & POLLIN) != 0) {
            return NULL;
        }
    }
}

static void
close_fds(struct coact__signals *signals)
{
    if (signals->signal_fd >= 0) {
        close(signals->signal_fd);
    }
    if (signals->quit_fd >= 0) {
        close(signals->quit_fd);
    }
}

int
coact__signals_start(struct coact__signals **out,
                     void (*told)(void *owner, int sig), void *owner)
{
    struct coact__signals *signals = coact__alloc_zeroed(sizeof(*signals));
    if (signals == NULL) {
        return -ENOMEM;
    }
    signals->told = told;
    signals->owner = owner;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, &set, &signals->before);
    signals->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    signals->quit_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = signals->signal_fd < 0 || signals->quit_fd < 0 ? -errno : 0;
    if (rc == 0) {
        rc = -pthread_create(&signals->thread, NULL, thread_main, signals);
    }
    if (rc < 0) {
        close_fds(signals);
        pthread_sigmask(SIG_SETMASK, &signals->before, NULL);
        coact__free(signals);
        return rc;
    }
    *out = signals;
    return 0;
}

void
coact__signals_stop(struct coact__signals *signals)
{
    uint64_t one = 1;
    // An event's counter cannot be full after one write.
    (void)!write(signals->quit_fd, &one, sizeof(one));
    pthread_join(signals->thread, NULL);
    close_fds(signals);
    pthread_sigmask(SIG_SETMASK, &signals->before, NULL);
    coact__free(signals);
}
