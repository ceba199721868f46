/*
 * lot.h - what is handed to a counter, and lost when it dies: so it is counted
 * once, or not at all.
 *
 * A lot holds many small files, or one range of a large one.  It can be cut in
 * two: what was lost because it took longer than its counter lived is handed
 * out again in smaller pieces.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORDCOUNT_LOT_H
#define WORDCOUNT_LOT_H

#include <coact/message.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LOT_BYTES = 1024 * 1024,    /* the largest */
    LOT_BYTES_LEAST = 8 * 1024, /* not cut any more */
    FILE_COSTS = 4096,          /* a file takes as long as so many bytes more */
    LOT_FILES = LOT_BYTES / FILE_COSTS
};

/* A range leaves these behind until its neighbours are there as well; see
   struct finished. */
struct range {
    struct range *next; /* in the file */
    coact_text leading, trailing;
    bool is_unbroken;
};

/* A file that is counted in ranges; lives until all of them are done. */
struct large {
    struct large *next; /* among those that live */
    struct range *first, *last;
    size_t open;     /* ranges that are not done */
    bool is_whole;   /* there will be no more ranges behind the last */
    bool has_failed; /* some of it could not be read */
    bool is_blamed;  /* somebody was told */
};

struct lot_file {
    char *path;
    uint64_t offset, bytes;
    bool to_end;
};

/* Part of a result that counts only when all of it is there. */
struct stage {
    struct stage *next;
    coact_text words; /* as in a tally */
    uint64_t *times;
    size_t count;
};

struct lot {
    struct lot *next; /* among those that wait to be handed out again */
    uint64_t number;
    uint32_t attempt;
    struct lot_file *files;
    size_t file_count;
    struct large *large; /* it is a range of that; else NULL */
    struct range *range;
    struct stage *staged; /* of this attempt */
};

/* An empty one, with room for so many files; NULL if there is no memory. */
struct lot *lot_new(uint64_t number, size_t files);
void lot_free(struct lot *lot);

/* Add a file, or a range; the path is copied.  0 or -ENOMEM. */
int lot_add(struct lot *lot, const char *path, struct lot_file what);

/* How long it takes to count, in bytes. */
uint64_t lot_cost(const struct lot *lot);

/* Forget what is staged. */
void lot_unstage(struct lot *lot);

/* Make the second half of a lot a lot of its own; NULL if it cannot be cut, or
   there is no memory.  A whole file that is cut becomes *larges' newest. */
struct lot *lot_cut(struct lot *lot, uint64_t number, struct large **larges);

/* A large file without a range; NULL if there is no memory. */
struct large *large_new(struct large **larges);

/* A new range behind another, or the first one (NULL); NULL if there is no
   memory. */
struct range *large_extend(struct large *large, struct range *behind);

void large_free(struct large **larges, struct large *large);

#endif
