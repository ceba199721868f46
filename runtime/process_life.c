/*
 * process_life.c - one child as the spawner's thread sees it: its beginning,
 * what it says, its end.
 *
 * An end is told after everything the child had sent: once the process is
 * reaped, our reading direction is shut, so what the socket holds is all there
 * will ever be, whoever else has inherited the other end.
 *
 * A child that closes its end is killed: without it, it could neither be told
 * to stop nor be stopped by our death.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/memory.h"
#include "runtime/spawner.h"

#define PACKETS_A_TURN 64
#define SOCKET_BYTES (256 * 1024)

/* The ends of processes. */

static void
tell_end(struct coact__process *process, const struct coact__process_end *end)
{
    struct coact__process_end never_ran = {.error = -process->failed};
    process->events->ended(process->owner,
                           process->failed != 0 ? &never_ran : end);
}

/* For one that has no pid: it never got one. */
void
coact__process_life_cancel(struct coact__process *process, int error)
{
    pthread_mutex_lock(&process->line.lock);
    process->state = COACT__PROCESS_ENDED;
    coact__lifeline_close(&process->line);
    pthread_mutex_unlock(&process->line.lock);
    struct coact__process_end end = {.error = error};
    tell_end(process, &end);
    process->next = process->spawner->grave;
    process->spawner->grave = process;
}

static void
hang_up(struct coact__process *process)
{
    pthread_mutex_lock(&process->line.lock);
    coact__lifeline_close(&process->line);
    // It may be dying of its own accord, and then this changes nothing.
    (void)coact__process_signal_locked(process, SIGKILL);
    pthread_mutex_unlock(&process->line.lock);
}

/* False: the child breaks the protocol. */
static bool
take_packet(struct coact__process *process, size_t bytes)
{
    const unsigned char *packet = process->spawner->packet;
    bool is_first = !process->spoke;
    process->spoke = true;
    if (packet[0] == COACT__LIFELINE_MESSAGE) {
        if (process->events->message != NULL) {
            process->events->message(process->owner, packet + 1, bytes - 1);
        }
        return true;
    }
    int code;
    if (packet[0] != COACT__LIFELINE_FAILED || !is_first ||
        bytes != 1 + sizeof(code)) {
        return false;
    }
    memcpy(&code, packet + 1, sizeof(code));
    process->failed = code > 0 ? code : EPROTO;
    return true;
}

/* Take up to `most` packets.  fd is written by this thread only. */
static void
read_packets(struct coact__process *process, unsigned most)
{
    for (; most > 0 && process->line.fd >= 0; most--) {
        int got =
            coact__lifeline_receive(process->line.fd, process->spawner->packet);
        if (got == -EAGAIN) {
            return;
        }
        if (got <= 0 || !take_packet(process, (size_t)got)) {
            hang_up(process);
        }
    }
}

void
coact__process_life_hear(struct coact__process *process, uint32_t events)
{
    if ((events & EPOLLOUT) != 0) {
        pthread_mutex_lock(&process->line.lock);
        // A broken socket is found again by the reader.
        (void)!coact__lifeline_flush(&process->line);
        pthread_mutex_unlock(&process->line.lock);
    }
    if ((events & ~(uint32_t)EPOLLOUT) != 0) {
        read_packets(process, PACKETS_A_TURN);
    }
}

static void
unlink_live(struct coact__process *process)
{
    struct coact__spawner *spawner = process->spawner;
    if (process->prev != NULL) {
        process->prev->next = process->next;
    } else {
        spawner->live = process->next;
    }
    if (process->next != NULL) {
        process->next->prev = process->prev;
    }
}

void
coact__process_life_reap(struct coact__process *process)
{
    struct coact__process_end end;
    if (!coact__reap_try(process, &end)) {
        return;
    }
    if (process->line.fd >= 0) {
        (void)shutdown(process->line.fd, SHUT_RD);
        read_packets(process, -1U);
    }
    tell_end(process, &end);
    unlink_live(process);
    process->next = process->spawner->grave;
    process->spawner->grave = process;
}

/* The beginnings. */

static int
make_pair(int pair[2])
{
    if (coact__fails()) {
        return -EMFILE;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return -errno;
    }
    for (int i = 0; i < 2; i++) {
        pair[i] = coact__launch_raise(pair[i]);
    }
    int rc = pair[0] < 0 ? pair[0] : pair[1];
    int bytes = SOCKET_BYTES;
    for (int i = 0; i < 2; i++) {
        if (rc >= 0) {
            // A system that grants less has smaller queues, not other rules.
            (void)setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &bytes,
                             sizeof(bytes));
        } else if (pair[i] >= 0) {
            (void)close(pair[i]);
        }
    }
    return rc < 0 ? rc : 0;
}

static void
go_live(struct coact__process *process, pid_t pid)
{
    struct coact__spawner *spawner = process->spawner;
    process->prev = NULL;
    process->next = spawner->live;
    if (spawner->live != NULL) {
        spawner->live->prev = process;
    }
    spawner->live = process;

    pthread_mutex_lock(&process->line.lock);
    process->pid = pid;
    pthread_mutex_unlock(&process->line.lock);
    coact__reap_watch(process);

    pthread_mutex_lock(&process->line.lock);
    process->state = COACT__PROCESS_LIVE;
    for (int sig = 1; process->early_signals != 0; sig++) {
        if ((process->early_signals & 1) != 0) {
            (void)coact__process_signal_locked(process, sig);
        }
        process->early_signals >>= 1;
    }
    pthread_mutex_unlock(&process->line.lock);
}

/* The parent's end is attached before the fork, so that after it nothing can
   fail any more. */
void
coact__process_life_start(struct coact__process *process)
{
    struct coact__spawner *spawner = process->spawner;
    int pair[2];
    int rc = make_pair(pair);
    if (rc != 0) {
        coact__process_life_cancel(process, rc);
        return;
    }
    pthread_mutex_lock(&process->line.lock);
    rc = coact__lifeline_attach(&process->line, pair[0], spawner->epoll_fd,
                                EPOLLIN, (uintptr_t)process);
    if (rc == 0) {
        // A broken socket is found again by the reader.
        (void)!coact__lifeline_flush(&process->line);
    }
    pthread_mutex_unlock(&process->line.lock);
    if (rc != 0) {
        (void)close(pair[0]);
    } else {
        rc = coact__launch(&spawner->launcher, pair[1]);
    }
    (void)close(pair[1]);
    if (rc < 0) {
        coact__process_life_cancel(process, rc);
    } else {
        go_live(process, rc);
    }
}
