/*
 * progress.h - how far we are, for people.
 *
 * A bar where standard error is a terminal, a plain line now and then where it
 * is not.  All that goes to standard error while the job runs goes through
 * here, so that no line ends up in the middle of a bar.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORDCOUNT_PROGRESS_H
#define WORDCOUNT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool is_quiet, is_bar;
    bool is_drawn; /* there is a bar to erase */
    int64_t started_ns;
    int64_t said_ns;      /* when the last plain line was */
    uint64_t expected;    /* bytes in the tree, as far as is known */
    bool is_expected_all; /* that is all of them */
};

struct progress_now {
    uint64_t files, bytes, kills;
};

void progress_begin(struct progress *progress, bool is_quiet, int64_t now_ns);

/* Call it several times a second. */
void progress_show(struct progress *progress, const struct progress_now *now,
                   int64_t now_ns);

/* Erase the bar. */
void progress_end(struct progress *progress);

/* A path, and what is wrong with it: a code of errno, or 0 if it has changed.
   Bytes that a terminal could take for a command are escaped. */
void progress_complain(struct progress *progress, const char *path, int error);

#endif
