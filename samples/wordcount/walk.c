/*
 * walk.c - see walk.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "walk.h"

#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct walk {
    FTS *fts;
    char *root;
    walk_complain *complain;
    void *context;
};

int
walk_new(struct walk **out, const char *root, walk_complain *complain,
         void *context)
{
    struct walk *walk = calloc(1, sizeof(*walk));
    if (walk == NULL) {
        return -ENOMEM;
    }
    walk->complain = complain;
    walk->context = context;
    walk->root = strdup(root);
    char *roots[] = {walk->root, NULL};
    // A change of directory would be one of all threads of the process.
    walk->fts =
        walk->root == NULL
            ? NULL
            : fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);
    if (walk->fts == NULL) {
        walk_free(walk);
        return -ENOMEM;
    }
    *out = walk;
    return 0;
}

void
walk_free(struct walk *walk)
{
    if (walk != NULL) {
        if (walk->fts != NULL) {
            fts_close(walk->fts);
        }
        free(walk->root);
        free(walk);
    }
}

int
walk_next(struct walk *walk, struct walk_file *file)
{
    for (;;) {
        errno = 0;
        FTSENT *entry = fts_read(walk->fts);
        if (entry == NULL) {
            return -errno;
        }
        switch (entry->fts_info) {
        case FTS_F:
            *file = (struct walk_file){entry->fts_path,
                                       (uint64_t)entry->fts_statp->st_size};
            return 1;
        case FTS_DNR:
        case FTS_ERR:
        case FTS_NS:
            walk->complain(walk->context, entry->fts_path, entry->fts_errno);
            break;
        case FTS_DC:
            walk->complain(walk->context, entry->fts_path, ELOOP);
            break;
        default: // directories, links, pipes, sockets, devices
            break;
        }
    }
}
