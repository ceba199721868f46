/*
 * walk.h - the regular files of a tree, one at a time.
 *
 * Links are not followed, but for the root itself: who names a link means what
 * it points to.  Nothing is read ahead, so the tree may be of any size.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORDCOUNT_WALK_H
#define WORDCOUNT_WALK_H

#include <stdint.h>

struct walk;

struct walk_file {
    const char *path; /* lent until the next call */
    uint64_t bytes;   /* when it was met */
};

/* What cannot be walked is told, with a code of errno, and passed over. */
typedef void walk_complain(void *context, const char *path, int error);

/* 0 or -ENOMEM.  Given: walk_free. */
int walk_new(struct walk **out, const char *root, walk_complain *complain,
             void *context);
void walk_free(struct walk *walk);

/* 1: a file; 0: that was the last one; -ENOMEM or another code: the walk is
   at its end, but not the tree. */
int walk_next(struct walk *walk, struct walk_file *file);

#endif
