/*
 * supply.h - the tree, cut into lots of about the same size.
 *
 * A lot is what is handed to a counter, what is lost when a counter dies, and
 * so what is counted once or not at all.  It holds many small files, or one
 * range of a large one.  Lots are made when they are asked for: what nobody has
 * room to count is not even looked at.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORDCOUNT_SUPPLY_H
#define WORDCOUNT_SUPPLY_H

#include "walk.h"

#include <coact/message.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LOT_BYTES = 1024 * 1024, /* also a range of a large file */
    LOT_FILES = 256
};

/* What a range leaves behind until its neighbours are there as well. */
struct edges {
    coact_text leading, trailing;
    bool is_unbroken;
};

/* A file that is counted in ranges; lives until all of them are done. */
struct large {
    struct large *next;
    struct edges *edges; /* of all ranges, in order */
    size_t ranges, done;
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
    size_t range;
    struct stage *staged; /* of this attempt */
};

struct supply;

/* 0 or -ENOMEM.  Given: supply_free. */
int supply_new(struct supply **out, const char *root, walk_complain *complain,
               void *context);
void supply_free(struct supply *supply);

/* The next lot, given: lot_free, or supply_return.  NULL and 0: there is none,
   but one may be returned; NULL and a code: something went wrong. */
int supply_next(struct supply *supply, struct lot **out);

/* Take a lot back that was lost; what was staged of it is forgotten. */
void supply_return(struct supply *supply, struct lot *lot);

/* Forget a large file. */
void supply_end_large(struct supply *supply, struct large *large);

void lot_free(struct lot *lot);

#endif
