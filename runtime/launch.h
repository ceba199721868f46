/*
 * launch.h - from "a socket and an executable" to "a pid": the moment between
 * fork and exec, alone in a file because so little is allowed in it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_LAUNCH_H
#define COACT_RUNTIME_LAUNCH_H

#include <sys/types.h>

#include "runtime/error.h"

/* What every child of one spawner shares.  Descriptors are close-on-exec and
   above COACT__LIFELINE_FD. */
struct coact__launcher {
    int exe_fd;  /* the executable, O_PATH */
    int null_fd; /* /dev/null */
    char *argv[3];
    char **envp;       /* one block of memory: the pointers, then the strings */
    char exe_path[32]; /* /proc/self/fd/N, for kernels without execveat */
    unsigned char *stack;
    pid_t parent;
};

/* NULL as program or executable: the running one.  On failure nothing is held.
   Fails ENOMEM EMFILE and what open says. */
COACT_CHECKED int coact__launcher_init(struct coact__launcher *launcher,
                                       const char *program,
                                       const char *executable);
void coact__launcher_fini(struct coact__launcher *launcher);

/* Start a child whose descriptor 3 is socket_fd, which stays the caller's.  The
   pid, or what fork says.  What fails later in the child (exec, for one) comes
   as a packet COACT__LIFELINE_FAILED over the socket, and the child exits with
   COACT__LAUNCH_FAILED.  Call it from one thread, with all signals blocked: the
   child dies with the thread. */
COACT_CHECKED pid_t coact__launch(struct coact__launcher *launcher,
                                  int socket_fd);

#define COACT__LAUNCH_FAILED 127

/* The same descriptor above COACT__LIFELINE_FD, close-on-exec; the given one is
   closed in any case.  A negative fd is an errno to be passed through.
   Fails EMFILE. */
COACT_CHECKED int coact__launch_raise(int fd);

#endif
