/*
 * isolated_sweeper.c - see isolated_sweeper.h.
 *
 * It is no child of the spawner's: those get SIGKILL with their parent, and end
 * at once when their socket does.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/isolated_sweeper.h"

#include "runtime/launch.h"
#include "runtime/lifeline.h"
#include "runtime/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARK "coact-sweeper/1"
#define TRIES 250
#define TRY_MS 20

/* Descriptor 0 is where it is opened: under Valgrind, /proc/self/exe is our
   program for who opens it, but Valgrind for who executes it. */
#define EXECUTABLE "/proc/self/fd/0"

/* ---- The folder ---------------------------------------------------------- */

static void
unlink_sockets(int folder_fd, DIR *folder)
{
    const struct dirent *entry;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody else has this stream
    while ((entry = readdir(folder)) != NULL) {
        struct stat file;
        if (fstatat(folder_fd, entry->d_name, &file, AT_SYMLINK_NOFOLLOW) ==
                0 &&
            S_ISSOCK(file.st_mode)) {
            (void)unlinkat(folder_fd, entry->d_name, 0);
        }
    }
}

bool
coact__folder_remove(const char *path)
{
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return errno == ENOENT;
    }
    unlink_sockets(dirfd(folder), folder);
    closedir(folder);
    return rmdir(path) == 0 || errno == ENOENT;
}

/* ---- Its parent's side --------------------------------------------------- */

static int
set_actions(posix_spawn_file_actions_t *actions, int socket_fd)
{
    int rc = posix_spawn_file_actions_adddup2(actions, socket_fd,
                                              COACT__LIFELINE_FD);
    // 1 and 2 stay: who reads them to their end knows that all is removed.
    if (rc == 0) {
        rc = posix_spawn_file_actions_addopen(actions, STDIN_FILENO,
                                              "/proc/self/exe", O_PATH, 0);
    }
    return rc != 0 ? rc
                   : posix_spawn_file_actions_addclosefrom_np(
                         actions, COACT__LIFELINE_FD + 1);
}

static int
set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t all;
    sigfillset(&all);
    int rc = posix_spawnattr_setsigmask(attributes, &all);
    return rc != 0
               ? rc
               : posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK |
                                                          POSIX_SPAWN_SETSID);
}

static int
launch(int socket_fd, pid_t *pid)
{
    static char name[] = "coact-sweeper";
    static char mark[] = COACT__PROCESS_MARK;
    char *argv[] = {name, mark, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int rc = coact__fails() ? ENOMEM : posix_spawn_file_actions_init(&actions);
    if (rc != 0) {
        return -rc;
    }
    rc = posix_spawnattr_init(&attributes);
    if (rc == 0) {
        rc = set_actions(&actions, socket_fd);
        if (rc == 0) {
            rc = set_attributes(&attributes);
        }
        if (rc == 0) {
            rc = posix_spawn(pid, EXECUTABLE, &actions, &attributes, argv,
                             environ);
        }
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return -rc;
}

/* What it is told is in the socket before it runs. */
static int
start_with(const struct coact__sweep *sweep, struct coact__sweeper *sweeper)
{
    int pair[2];
    if (coact__fails()) {
        return -EMFILE;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return -errno;
    }
    // Out of the way of 0 to 3, which are given away first.
    pair[1] = coact__launch_raise(pair[1]);
    int rc = pair[1] < 0 ? pair[1] : 0;
    if (rc == 0 && send(pair[0], sweep, sizeof(*sweep), MSG_NOSIGNAL) < 0) {
        rc = -errno;
    }
    if (rc == 0) {
        rc = launch(pair[1], &sweeper->pid);
    }
    if (pair[1] >= 0) {
        (void)close(pair[1]);
    }
    if (rc < 0) {
        (void)close(pair[0]);
        sweeper->pid = 0;
        return rc;
    }
    sweeper->line = pair[0];
    return 0;
}

int
coact__sweeper_start(struct coact__sweeper *sweeper, const char *folder)
{
    struct coact__sweep sweep = {.mark = MARK};
    int len = snprintf(sweep.folder, sizeof(sweep.folder), "%s", folder);
    if (len < 0 || (size_t)len >= sizeof(sweep.folder)) {
        return -ENAMETOOLONG;
    }
    return start_with(&sweep, sweeper);
}

void
coact__sweeper_stop(struct coact__sweeper *sweeper)
{
    if (sweeper->pid == 0) {
        return;
    }
    // One whose status somebody else took is not ours to kill any more.
    if (waitpid(sweeper->pid, NULL, WNOHANG) == 0) {
        (void)kill(sweeper->pid, SIGKILL);
        while (waitpid(sweeper->pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    (void)close(sweeper->line);
    sweeper->pid = 0;
}

/* ---- Its own side -------------------------------------------------------- */

bool
coact__sweeper_is_this(struct coact__sweep *out)
{
    struct ucred peer;
    socklen_t bytes = sizeof(peer);
    ssize_t got = recv(COACT__LIFELINE_FD, out, sizeof(*out),
                       MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC);
    return got == (ssize_t)sizeof(*out) &&
           memcmp(out->mark, MARK, sizeof(MARK)) == 0 &&
           memchr(out->folder, '\0', sizeof(out->folder)) != NULL &&
           // A socket from a stranger must not make us remove anything.
           getsockopt(COACT__LIFELINE_FD, SOL_SOCKET, SO_PEERCRED, &peer,
                      &bytes) == 0 &&
           peer.uid == geteuid();
}

static void
await_end_of_program(void)
{
    char packet[1];
    ssize_t got;
    do {
        got = recv(COACT__LIFELINE_FD, packet, sizeof(packet), 0);
    } while (got > 0 || (got < 0 && (errno == EINTR || errno == ECONNRESET)));
}

void
coact__sweeper_main(const struct coact__sweep *sweep)
{
    (void)prctl(PR_SET_NAME, "coact-sweeper");
    await_end_of_program();
    // A child that is not dead yet may still make its socket.
    for (int i = 0; i < TRIES && !coact__folder_remove(sweep->folder); i++) {
        (void)poll(NULL, 0, TRY_MS);
    }
    _exit(0);
}
