/*
 * isolated_sweeper.h - who removes the folder of sockets, however we end.
 *
 * A program that is killed, or left by _exit, cannot remove its folder, and its
 * children end in the same moment.  So a process of its own waits for the end:
 * this same program, started again, with nothing but one end of a socketpair.
 * The other end is only ours.  When the kernel closes it, we are gone, and the
 * sweeper removes what is left, as often as it takes for a child that is still
 * dying to be dead.
 *
 * It has a session of its own and blocks all signals: what is sent to the whole
 * group of the program, even SIGKILL, does not reach it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_ISOLATED_SWEEPER_H
#define COACT_ACTORS_ISOLATED_SWEEPER_H

#include <coact/error.h>

#include <stdbool.h>
#include <sys/types.h>

/* The folder's name: what is left of a socket's 107 bytes is for the file's. */
#define COACT__FOLDER_BYTES 80

struct coact__sweeper {
    pid_t pid; /* 0: there is none */
    int line;
};

/* What it has to know: the one packet in its socket. */
struct coact__sweep {
    char mark[16];
    char folder[COACT__FOLDER_BYTES];
};

/* Start it.  The name of the folder is copied. */
COACT_CHECKED int coact__sweeper_start(struct coact__sweeper *sweeper,
                                       const char *folder);

/* End and reap it; the folder is not touched any more. */
void coact__sweeper_stop(struct coact__sweeper *sweeper);

/* Remove the folder and all sockets in it.  True: there is none any more. */
bool coact__folder_remove(const char *folder);

/* In a process that was started as a child of this program: whether it is the
   sweeper.  If not, nothing is taken from the socket. */
bool coact__sweeper_is_this(struct coact__sweep *out);

/* Its whole life. */
_Noreturn void coact__sweeper_main(const struct coact__sweep *sweep);

#endif
