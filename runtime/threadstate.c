/*
 * threadstate.c - readings of /proc/self/task, and what two of them mean.
 *
 * How the time between two readings is divided:
 *   computed  the CPU clock of the thread, exact also while it runs.
 *   waited    schedstat's delay.  The kernel adds a wait when it ends, so one
 *             that goes on is not in it.
 *   the rest  is slept, if the thread sleeps at the second reading, for it does
 *             not become ready without a wait that counts; it is a wait that
 *             goes on, if it was ready at both; else it is in doubt.
 * A stopped thread (SIGSTOP, a debugger) is kept from running by others, as one
 * without a processor is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/threadstate.h"

#include "runtime/memory.h"
#include "runtime/oracle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A file's first bytes are enough; stat's are the name and the state. */
#define FILE_BYTES 128

/* The readings are not of one moment: a reader that loses its processor between
   two of them makes an error of about as much. */
#define SHORTEST_NS 1000000

/* ---- Reading ------------------------------------------------------------- */

/* 0 and a string, or a negative code. */
static int
read_file(pid_t tid, const char *name, char text[FILE_BYTES])
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/task/%d/%s", (int)tid, name);
    if (coact__fails()) {
        return -EACCES;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    ssize_t got;
    do {
        got = read(fd, text, FILE_BYTES - 1);
    } while (got < 0 && errno == EINTR);
    int rc = got < 0 ? -errno : 0;
    (void)close(fd);
    text[got < 0 ? 0 : got] = '\0';
    return rc;
}

/* "computed waited turns" */
static void
read_schedstat(pid_t tid, struct coact__threadstate *out)
{
    char text[FILE_BYTES];
    if (read_file(tid, "schedstat", text) != 0) {
        return;
    }
    char *end;
    long long computed = strtoll(text, &end, 10);
    if (end == text || *end != ' ') {
        return;
    }
    char *second = end;
    long long waited = strtoll(second, &end, 10);
    // A kernel that does not keep these figures writes zeros.
    if (end == second || computed == 0) {
        return;
    }
    out->waited_ns = waited;
    // Up to a tick old, but better than nothing.
    out->cpu_ns = out->cpu_ns < 0 ? computed : out->cpu_ns;
}

/* "running", or the number and the arguments; -1 is asleep outside of a call,
   as in a page fault. */
static void
read_call(pid_t tid, struct coact__threadstate *out)
{
    char text[FILE_BYTES];
    if (read_file(tid, "syscall", text) != 0) {
        return;
    }
    if (strncmp(text, "running", 7) == 0) {
        out->call = COACT__THREADSTATE_NO_CALL;
        out->state = 'R';
        return;
    }
    char *end;
    long call = strtol(text, &end, 10);
    if (end != text && call >= -1 && call <= INT32_MAX) {
        out->call = (int32_t)call;
    }
}

/* "tid (name) state ..."; the name may hold anything. */
static int
read_state(pid_t tid, struct coact__threadstate *out)
{
    char text[FILE_BYTES];
    int rc = read_file(tid, "stat", text);
    if (rc != 0) {
        return rc;
    }
    const char *name_ends = strrchr(text, ')');
    if (name_ends != NULL && name_ends[1] == ' ' && name_ends[2] != '\0') {
        out->state = name_ends[2];
    }
    return 0;
}

static bool
is_all_unknown(const struct coact__threadstate *state)
{
    return state->cpu_ns < 0 && state->waited_ns < 0 && state->state == '?' &&
           state->call == COACT__THREADSTATE_CALL_UNKNOWN;
}

int
coact__threadstate_read(pid_t tid, struct coact__threadstate *out)
{
    *out = (struct coact__threadstate){
        .cpu_ns = -1,
        .waited_ns = -1,
        .call = COACT__THREADSTATE_CALL_UNKNOWN,
        .state = '?',
    };
    if (coact__oracle_is_simulated()) {
        return -ENOTSUP;
    }
    int rc = coact__oracle_cpu_ns(tid, &out->cpu_ns);
    if (rc == -ESRCH) {
        return -ESRCH;
    }
    read_schedstat(tid, out);
    read_call(tid, out);
    if (out->state == '?') {
        (void)read_state(tid, out);
    }
    return is_all_unknown(out) ? -ENOTSUP : 0;
}

/* ---- Names --------------------------------------------------------------- */

#define CALL(name)                                                             \
    {                                                                          \
        SYS_##name, #name                                                      \
    }

/* Those in which a thread may stay for long.  The newer kernels' ports have no
   old forms. */
static const struct {
    int32_t call;
    const char *name;
} calls[] = {
    CALL(accept),         CALL(accept4),
    CALL(bind),           CALL(clock_nanosleep),
    CALL(clone),          CALL(close),
    CALL(connect),        CALL(copy_file_range),
    CALL(epoll_pwait),    CALL(execve),
    CALL(exit),           CALL(exit_group),
    CALL(fallocate),      CALL(fcntl),
    CALL(fdatasync),      CALL(flock),
    CALL(fsync),          CALL(ftruncate),
    CALL(futex),          CALL(getdents64),
    CALL(io_getevents),   CALL(ioctl),
    CALL(kill),           CALL(lseek),
    CALL(madvise),        CALL(mmap),
    CALL(mprotect),       CALL(mq_timedreceive),
    CALL(mq_timedsend),   CALL(msgrcv),
    CALL(msgsnd),         CALL(msync),
    CALL(munmap),         CALL(nanosleep),
    CALL(openat),         CALL(ppoll),
    CALL(pread64),        CALL(preadv),
    CALL(pselect6),       CALL(ptrace),
    CALL(pwrite64),       CALL(pwritev),
    CALL(read),           CALL(readv),
    CALL(recvfrom),       CALL(recvmmsg),
    CALL(recvmsg),        CALL(renameat2),
    CALL(rt_sigsuspend),  CALL(rt_sigtimedwait),
    CALL(sched_yield),    CALL(semop),
    CALL(semtimedop),     CALL(sendfile),
    CALL(sendmmsg),       CALL(sendmsg),
    CALL(sendto),         CALL(splice),
    CALL(sync),           CALL(sync_file_range),
    CALL(syncfs),         CALL(tee),
    CALL(umount2),        CALL(unlinkat),
    CALL(vmsplice),       CALL(wait4),
    CALL(waitid),         CALL(write),
    CALL(writev),
#ifdef SYS_epoll_pwait2
    CALL(epoll_pwait2),
#endif
#ifdef SYS_epoll_wait
    CALL(epoll_wait),
#endif
#ifdef SYS_fork
    CALL(fork),           CALL(vfork),
#endif
#ifdef SYS_futex_waitv
    CALL(futex_waitv),
#endif
#ifdef SYS_io_uring_enter
    CALL(io_uring_enter),
#endif
#ifdef SYS_newfstatat
    CALL(newfstatat),
#endif
#ifdef SYS_open
    CALL(mkdir),          CALL(open),
    CALL(pause),          CALL(poll),
    CALL(rename),         CALL(rmdir),
    CALL(select),         CALL(stat),
    CALL(unlink),
#endif
#ifdef SYS_openat2
    CALL(openat2),
#endif
#ifdef SYS_statx
    CALL(statx),
#endif
};

const char *
coact__threadstate_call_name(int32_t call)
{
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        if (calls[i].call == call) {
            return calls[i].name;
        }
    }
    return NULL;
}

/* ---- Judging ------------------------------------------------------------- */

static bool
is_asleep(const struct coact__threadstate *reading)
{
    return reading->state == 'S' || reading->state == 'D' ||
           (reading->state == '?' && reading->call >= 0);
}

static bool
is_stopped(const struct coact__threadstate *reading)
{
    return reading->state == 'T' || reading->state == 't';
}

/* The part of limit_ns that a counter grew by; 0 if it is unknown. */
static int64_t
growth(int64_t before, int64_t after, int64_t limit_ns)
{
    if (before < 0 || after < before) {
        return 0;
    }
    return after - before < limit_ns ? after - before : limit_ns;
}

void
coact__threadstate_span(const struct coact__threadstate *before,
                        const struct coact__threadstate *after, int64_t wall_ns,
                        struct coact__threadspan *out)
{
    int64_t rest = wall_ns > 0 ? wall_ns : 0;
    out->computed_ns = growth(before->cpu_ns, after->cpu_ns, rest);
    rest -= out->computed_ns;
    out->waited_ns = growth(before->waited_ns, after->waited_ns, rest);
    rest -= out->waited_ns;
    out->slept_ns = 0;
    // Without its CPU time, a thread that is always met ready may do anything.
    bool is_cpu_known = before->cpu_ns >= 0 && after->cpu_ns >= 0;
    if (is_asleep(after) && (is_cpu_known || is_asleep(before))) {
        out->slept_ns = rest;
    } else if (is_stopped(after) ||
               (is_cpu_known && before->state == 'R' && after->state == 'R')) {
        out->waited_ns += rest;
    }
}

enum coact__stuck
coact__threadstate_judge(const struct coact__threadstate *before,
                         const struct coact__threadstate *after,
                         int64_t wall_ns)
{
    if (wall_ns < SHORTEST_NS) {
        return COACT__STUCK_UNKNOWN;
    }
    struct coact__threadspan span;
    coact__threadstate_span(before, after, wall_ns, &span);
    int64_t most = wall_ns - span.computed_ns - span.waited_ns - span.slept_ns;
    enum coact__stuck stuck = COACT__STUCK_UNKNOWN;
    // Of two that are equal the later one: what an actor does before what is
    // done to it, and what is certain before what is in doubt.
    if (span.waited_ns >= most) {
        most = span.waited_ns;
        stuck = COACT__STUCK_STARVED;
    }
    if (span.slept_ns >= most) {
        most = span.slept_ns;
        stuck = COACT__STUCK_BLOCKED;
    }
    if (span.computed_ns >= most) {
        stuck = COACT__STUCK_COMPUTES;
    }
    return stuck;
}
