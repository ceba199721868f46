/*
 * lot.c - see lot.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- Large files ---- */

struct large *
large_new(struct large **larges)
{
    struct large *large = calloc(1, sizeof(*large));
    if (large != NULL) {
        large->next = *larges;
        *larges = large;
    }
    return large;
}

struct range *
large_extend(struct large *large, struct range *behind)
{
    struct range *range = calloc(1, sizeof(*range));
    if (range == NULL) {
        return NULL;
    }
    struct range **at = behind != NULL ? &behind->next : &large->first;
    range->next = *at;
    *at = range;
    if (range->next == NULL) {
        large->last = range;
    }
    large->open++;
    return range;
}

void
large_free(struct large **larges, struct large *large)
{
    while (*larges != large) {
        larges = &(*larges)->next;
    }
    *larges = large->next;
    while (large->first != NULL) {
        struct range *range = large->first;
        large->first = range->next;
        coact_text_free(&range->leading);
        coact_text_free(&range->trailing);
        free(range);
    }
    free(large);
}

/* ---- Lots ---- */

struct lot *
lot_new(uint64_t number, size_t files)
{
    struct lot *lot = calloc(1, sizeof(*lot));
    if (lot == NULL) {
        return NULL;
    }
    lot->files = calloc(files, sizeof(*lot->files));
    if (lot->files == NULL) {
        free(lot);
        return NULL;
    }
    lot->number = number;
    return lot;
}

void
lot_unstage(struct lot *lot)
{
    while (lot->staged != NULL) {
        struct stage *stage = lot->staged;
        lot->staged = stage->next;
        coact_text_free(&stage->words);
        coact_list_free(stage->times);
        free(stage);
    }
}

void
lot_free(struct lot *lot)
{
    if (lot == NULL) {
        return;
    }
    lot_unstage(lot);
    for (size_t i = 0; i < lot->file_count; i++) {
        free(lot->files[i].path);
    }
    free(lot->files);
    free(lot);
}

int
lot_add(struct lot *lot, const char *path, struct lot_file what)
{
    what.path = strdup(path);
    if (what.path == NULL) {
        return -ENOMEM;
    }
    lot->files[lot->file_count++] = what;
    return 0;
}

uint64_t
lot_cost(const struct lot *lot)
{
    uint64_t cost = 0;
    for (size_t i = 0; i < lot->file_count; i++) {
        cost += lot->files[i].bytes + FILE_COSTS;
    }
    return cost;
}

/* ---- Cutting ---- */

static void
move_files(struct lot *lot, struct lot *half)
{
    size_t kept = lot->file_count / 2;
    half->file_count = lot->file_count - kept;
    memcpy(half->files, lot->files + kept,
           half->file_count * sizeof(*half->files));
    lot->file_count = kept;
}

/* The lot is all of a file: from now on it is the only range of it. */
static bool
make_range(struct lot *lot, struct large **larges)
{
    struct large *large = large_new(larges);
    struct range *range = large != NULL ? large_extend(large, NULL) : NULL;
    if (range == NULL) {
        if (large != NULL) {
            large_free(larges, large);
        }
        return false;
    }
    large->is_whole = true;
    lot->large = large;
    lot->range = range;
    return true;
}

static bool
move_range(struct lot *lot, struct lot *half, struct large **larges)
{
    struct lot_file *file = &lot->files[0];
    struct lot_file rest = *file;
    if (lot->large == NULL && !make_range(lot, larges)) {
        return false;
    }
    rest.offset += file->bytes / 2;
    rest.bytes -= file->bytes / 2;
    if (lot_add(half, file->path, rest) < 0) {
        return false;
    }
    half->large = lot->large;
    half->range = large_extend(lot->large, lot->range);
    if (half->range == NULL) {
        return false;
    }
    file->bytes /= 2;
    file->to_end = false;
    return true;
}

struct lot *
lot_cut(struct lot *lot, uint64_t number, struct large **larges)
{
    if (lot->file_count == 1 && lot->files[0].bytes < LOT_BYTES_LEAST) {
        return NULL;
    }
    struct lot *half = lot_new(number, lot->file_count);
    if (half == NULL) {
        return NULL;
    }
    if (lot->file_count > 1) {
        move_files(lot, half);
    } else if (!move_range(lot, half, larges)) {
        lot_free(half);
        return NULL;
    }
    return half;
}
