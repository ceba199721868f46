/*
 * launch.c - clone and exec.
 *
 * The child is made with CLONE_VM | CLONE_VFORK: it runs in our memory, on a
 * stack of its own, while our thread waits for its exec; other threads go on.
 * fork would copy the page tables: with 1 GiB in use that took 17 ms a start,
 * and a write to every page afterwards; this takes 0.2 ms whatever is in use.
 *
 * The price is what in_child may do.
 *   C1  It makes raw system calls only.  A libc wrapper may change the state it
 *       keeps about signals or descriptors, and that state is the parent's;
 *       sanitizers intercept wrappers for just that reason.
 *   C2  It writes only its own stack, errno included, which the waiting thread
 *       does not need.
 *   C3  No signal handler may run in it: all signals stay blocked until every
 *       disposition is the default.
 *   C4  Sanitizers do not instrument it: it never returns from its frames, and
 *       their shadow stacks would keep them.
 *   C5  It takes no answer from coact__fails: the parent asks beforehand, once
 *       per step, and the child obeys.
 *
 * Where the clone is a plain fork (Valgrind, ThreadSanitizer), all of this still
 * holds: nothing is handed back through memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/launch.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/lifeline.h"
#include "runtime/memory.h"

#define STACK_BYTES ((size_t)32768)
#define FIRST_PRIVATE_FD (COACT__LIFELINE_FD + 1)
#define KERNEL_SIGNALS 64

/* C4.  clang has a word for it; gcc's two together say the same. */
#ifdef __clang__
#define BARE __attribute__((noinline, disable_sanitizer_instrumentation))
#else
#define BARE __attribute__((noinline, no_sanitize_address, no_sanitize_thread))
#endif

/* ThreadSanitizer takes every clone for a fork and, in the child, forgets what
   its threads knew: it must have memory of its own to do so. */
#if defined(__SANITIZE_THREAD__)
#define CLONE_FLAGS SIGCHLD
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CLONE_FLAGS SIGCHLD
#endif
#endif
#ifndef CLONE_FLAGS
#define CLONE_FLAGS (CLONE_VM | CLONE_VFORK | SIGCHLD)
#endif

enum step {
    STEP_TIE,     /* to the parent's life */
    STEP_SIGNALS, /* dispositions and mask */
    STEP_FILES,   /* 0, 1, 2, 3 */
    STEP_CLOSE,   /* everything above */
    STEP_EXEC,
    STEPS
};

struct order {
    const struct coact__launcher *launcher;
    int socket_fd;
    bool fails[STEPS]; /* C5 */
};

/* The kernel's own struct sigaction: a handler first, then flags and a mask
   which are zero for default and ignore. */
struct kernel_action {
    uintptr_t handler;
    uintptr_t rest[4];
};

/* A step answers 0 or an errno. */
BARE static int
step_tie(const struct order *order)
{
    if (syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) {
        return errno;
    }
    // The parent that died before the prctl sends nothing any more.
    bool orphan = syscall(SYS_getppid) != order->launcher->parent;
    return orphan ? ESRCH : 0;
}

BARE static int
step_signals(void)
{
    for (int sig = 1; sig <= KERNEL_SIGNALS; sig++) {
        bool ignored = sig == SIGINT;
        struct kernel_action action = {
            .handler = (uintptr_t)(ignored ? SIG_IGN : SIG_DFL)};
        // Refused for SIGKILL and SIGSTOP, which have no other disposition.
        (void)syscall(SYS_rt_sigaction, sig, &action, NULL, KERNEL_SIGNALS / 8);
    }
    uint64_t none = 0;
    long rc = syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL,
                      KERNEL_SIGNALS / 8);
    return rc != 0 ? errno : 0;
}

BARE static int
step_files(const struct order *order)
{
    int null_fd = order->launcher->null_fd;
    if (syscall(SYS_dup3, null_fd, 0, 0) < 0 ||
        syscall(SYS_dup3, order->socket_fd, COACT__LIFELINE_FD, 0) < 0) {
        return errno;
    }
    for (int fd = 1; fd <= 2; fd++) {
        // A closed one would be given to the first file that the child opens.
        if (syscall(SYS_fcntl, fd, F_GETFD, 0) < 0 &&
            syscall(SYS_dup3, null_fd, fd, 0) < 0) {
            return errno;
        }
        // What the host marked close-on-exec is still the child's output.
        if (syscall(SYS_fcntl, fd, F_SETFD, 0) < 0) {
            return errno;
        }
    }
    return 0;
}

struct kernel_dirent {
    uint64_t inode;
    int64_t offset;
    uint16_t bytes;
    uint8_t type;
    char name[];
};

BARE static int
number_of(const char *name)
{
    int value = name[0] >= '0' && name[0] <= '9' ? 0 : -1;
    for (; value >= 0 && *name >= '0' && *name <= '9'; name++) {
        value = value * 10 + (*name - '0');
    }
    return value;
}

/* Mark every open descriptor, for kernels whose close_range cannot. */
BARE static int
mark_each(void)
{
    long dir = syscall(SYS_openat, AT_FDCWD, "/proc/self/fd",
                       O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (dir < 0) {
        return errno;
    }
    _Alignas(struct kernel_dirent) char buf[512];
    long got;
    while ((got = syscall(SYS_getdents64, dir, buf, sizeof(buf))) > 0) {
        for (long at = 0; at < got;) {
            const struct kernel_dirent *entry =
                (const struct kernel_dirent *)(const void *)(buf + at);
            int fd = number_of(entry->name);
            if (fd >= FIRST_PRIVATE_FD) {
                (void)syscall(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC);
            }
            at += entry->bytes;
        }
    }
    return got < 0 ? errno : 0;
}

/* A refusal that a test asks for is that of the newer call: what stands in for
   it on old kernels then has to do. */
BARE static int
step_close(bool is_refused)
{
    long rc = is_refused ? -1
                         : syscall(SYS_close_range, FIRST_PRIVATE_FD, ~0U,
                                   CLOSE_RANGE_CLOEXEC);
    return rc == 0 ? 0 : mark_each();
}

BARE static int
step_exec(const struct order *order, bool is_refused)
{
    const struct coact__launcher *launcher = order->launcher;
    errno = ENOSYS;
    if (!is_refused) {
        syscall(SYS_execveat, launcher->exe_fd, "", launcher->argv,
                launcher->envp, AT_EMPTY_PATH);
    }
    if (errno == ENOSYS || errno == EINVAL) {
        syscall(SYS_execve, launcher->exe_path, launcher->argv, launcher->envp);
    }
    return errno;
}

BARE static int
take_step(const struct order *order, enum step step)
{
    bool fails = order->fails[step];
    switch (step) {
    case STEP_TIE:
        return fails ? EAGAIN : step_tie(order);
    case STEP_SIGNALS:
        return fails ? EAGAIN : step_signals();
    case STEP_FILES:
        return fails ? EMFILE : step_files(order);
    case STEP_CLOSE:
        return step_close(fails);
    case STEP_EXEC:
        return step_exec(order, fails);
    case STEPS:
        break;
    }
    return EINVAL;
}

/* Of clone's shape; it never returns. */
BARE static int
in_child(void *arg)
{
    const struct order *order = arg;
    int code = 0;
    for (int step = 0; code == 0 && step < STEPS; step++) {
        code = take_step(order, (enum step)step);
    }
    unsigned char packet[1 + sizeof(code)];
    packet[0] = COACT__LIFELINE_FAILED;
    for (size_t i = 0; i < sizeof(code); i++) {
        packet[1 + i] = ((const unsigned char *)&code)[i];
    }
    // By its old number: step_files may be what failed.
    (void)syscall(SYS_sendto, order->socket_fd, packet, sizeof(packet),
                  MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
    (void)syscall(SYS_exit_group, COACT__LAUNCH_FAILED);
    return COACT__LAUNCH_FAILED;
}

pid_t
coact__launch(struct coact__launcher *launcher, int socket_fd)
{
    struct order order = {.launcher = launcher, .socket_fd = socket_fd};
    for (int step = 0; step < STEPS; step++) {
        order.fails[step] = coact__fails();
    }
    if (coact__fails()) {
        return -EAGAIN;
    }
    pid_t pid =
        clone(in_child, launcher->stack + STACK_BYTES, CLONE_FLAGS, &order);
    return pid < 0 ? -errno : pid;
}

int
coact__launch_raise(int fd)
{
    if (fd >= FIRST_PRIVATE_FD || fd < 0) {
        return fd;
    }
    int raised =
        coact__fails() ? -EMFILE : fcntl(fd, F_DUPFD_CLOEXEC, FIRST_PRIVATE_FD);
    int rc = raised == -1 ? -errno : raised;
    (void)close(fd);
    return rc;
}

static int
open_raised(const char *path, int flags)
{
    if (coact__fails()) {
        return -EMFILE;
    }
    int fd = open(path, flags | O_CLOEXEC);
    return coact__launch_raise(fd < 0 ? -errno : fd);
}

/* The pointers and the strings in one block, so that one free undoes it. */
static char **
copy_environment(char *const *from)
{
    size_t count = 0;
    size_t text_bytes = 0;
    for (; from != NULL && from[count] != NULL; count++) {
        text_bytes += strlen(from[count]) + 1;
    }
    size_t table_bytes = (count + 1) * sizeof(char *);
    char **copy = coact__alloc(table_bytes + text_bytes);
    if (copy == NULL) {
        return NULL;
    }
    char *text = (char *)copy + table_bytes;
    for (size_t i = 0; i < count; i++) {
        size_t bytes = strlen(from[i]) + 1;
        copy[i] = memcpy(text, from[i], bytes);
        text += bytes;
    }
    copy[count] = NULL;
    return copy;
}

static int
init_memory(struct coact__launcher *launcher, const char *program)
{
    const char *name = program != NULL ? program : program_invocation_name;
    launcher->argv[0] = coact__strdup(name);
    launcher->argv[1] = coact__strdup(COACT__PROCESS_MARK);
    launcher->envp = copy_environment(environ);
    launcher->stack = coact__alloc(STACK_BYTES);
    bool whole = launcher->argv[0] != NULL && launcher->argv[1] != NULL &&
                 launcher->envp != NULL && launcher->stack != NULL;
    return whole ? 0 : -ENOMEM;
}

int
coact__launcher_init(struct coact__launcher *launcher, const char *program,
                     const char *executable)
{
    *launcher = (struct coact__launcher){.exe_fd = -1, .null_fd = -1};
    launcher->parent = getpid();
    int rc = init_memory(launcher, program);
    if (rc != 0) {
        goto undo;
    }
    const char *path = executable != NULL ? executable : "/proc/self/exe";
    rc = launcher->exe_fd = open_raised(path, O_PATH);
    if (rc < 0) {
        goto undo;
    }
    rc = launcher->null_fd = open_raised("/dev/null", O_RDWR);
    if (rc < 0) {
        goto undo;
    }
    (void)snprintf(launcher->exe_path, sizeof(launcher->exe_path),
                   "/proc/self/fd/%d", launcher->exe_fd);
    return 0;
undo:
    coact__launcher_fini(launcher);
    return rc;
}

void
coact__launcher_fini(struct coact__launcher *launcher)
{
    if (launcher->null_fd >= 0) {
        (void)close(launcher->null_fd);
    }
    if (launcher->exe_fd >= 0) {
        (void)close(launcher->exe_fd);
    }
    coact__free(launcher->stack);
    coact__free(launcher->envp);
    coact__free(launcher->argv[1]);
    coact__free(launcher->argv[0]);
}
