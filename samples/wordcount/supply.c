/*
 * supply.c - see supply.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "supply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct supply {
    struct walk *walk;
    struct lot *returned;
    struct large *larges; /* all that live */
    uint64_t numbers;
    bool is_over;          /* the walk */
    struct walk_file met;  /* by the walk, but in no lot so far; path NULL: none */
    struct large *large;   /* what `met` is cut up as, if it has begun */
    uint64_t offset;       /* of its next range */
};

int
supply_new(struct supply **out, const char *root, walk_complain *complain,
           void *context)
{
    struct supply *supply = calloc(1, sizeof(*supply));
    if (supply == NULL) {
        return -ENOMEM;
    }
    int rc = walk_new(&supply->walk, root, complain, context);
    if (rc < 0) {
        free(supply);
        return rc;
    }
    *out = supply;
    return 0;
}

void
supply_free(struct supply *supply)
{
    if (supply == NULL) {
        return;
    }
    while (supply->returned != NULL) {
        struct lot *next = supply->returned->next;
        lot_free(supply->returned);
        supply->returned = next;
    }
    while (supply->larges != NULL) {
        supply_end_large(supply, supply->larges);
    }
    walk_free(supply->walk);
    free(supply);
}

/* ---- One lot ---- */

static void
forget_stages(struct lot *lot)
{
    while (lot->staged != NULL) {
        struct stage *next = lot->staged->next;
        coact_text_free(&lot->staged->words);
        coact_list_free(lot->staged->times);
        free(lot->staged);
        lot->staged = next;
    }
}

void
lot_free(struct lot *lot)
{
    if (lot == NULL) {
        return;
    }
    forget_stages(lot);
    for (size_t i = 0; i < lot->file_count; i++) {
        free(lot->files[i].path);
    }
    free(lot->files);
    free(lot);
}

void
supply_end_large(struct supply *supply, struct large *large)
{
    struct large **at = &supply->larges;
    while (*at != large) {
        at = &(*at)->next;
    }
    *at = large->next;
    for (size_t i = 0; i < large->ranges; i++) {
        coact_text_free(&large->edges[i].leading);
        coact_text_free(&large->edges[i].trailing);
    }
    free(large->edges);
    free(large);
}

static struct lot *
lot_new(struct supply *supply, size_t files)
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
    lot->number = ++supply->numbers;
    return lot;
}

/* All of the file that was met, from the offset on or only so many bytes. */
static int
lot_add(struct lot *lot, const char *path, struct lot_file what)
{
    what.path = strdup(path);
    if (what.path == NULL) {
        return -ENOMEM;
    }
    lot->files[lot->file_count++] = what;
    return 0;
}

/* ---- Making them ---- */

static int
meet(struct supply *supply)
{
    if (supply->is_over || supply->met.path != NULL) {
        return 0;
    }
    int rc = walk_next(supply->walk, &supply->met);
    if (rc <= 0) {
        supply->is_over = true;
        supply->met.path = NULL;
    }
    return rc < 0 ? rc : 0;
}

static int
begin_large(struct supply *supply)
{
    size_t ranges = (size_t)((supply->met.bytes + LOT_BYTES - 1) / LOT_BYTES);
    struct large *large = calloc(1, sizeof(*large));
    if (large != NULL) {
        large->edges = calloc(ranges, sizeof(*large->edges));
    }
    if (large == NULL || large->edges == NULL) {
        free(large);
        return -ENOMEM;
    }
    large->ranges = ranges;
    large->next = supply->larges;
    supply->larges = large;
    supply->large = large;
    supply->offset = 0;
    return 0;
}

static int
cut_range(struct supply *supply, struct lot *lot)
{
    int rc = supply->large == NULL ? begin_large(supply) : 0;
    if (rc < 0) {
        return rc;
    }
    uint64_t left = supply->met.bytes - supply->offset;
    bool is_last = left <= LOT_BYTES;
    rc = lot_add(lot, supply->met.path,
                 (struct lot_file){.offset = supply->offset,
                                   .bytes = is_last ? left : LOT_BYTES,
                                   .to_end = is_last});
    lot->large = supply->large;
    lot->range = (size_t)(supply->offset / LOT_BYTES);
    supply->offset += LOT_BYTES;
    if (is_last) {
        supply->large = NULL;
        supply->met.path = NULL;
    }
    return rc;
}

static int
pack_files(struct supply *supply, struct lot *lot)
{
    uint64_t bytes = 0;
    int rc = 0;
    while (rc == 0 && supply->met.path != NULL &&
           lot->file_count < LOT_FILES && bytes + supply->met.bytes <= LOT_BYTES) {
        rc = lot_add(lot, supply->met.path,
                     (struct lot_file){.bytes = supply->met.bytes,
                                       .to_end = true});
        bytes += supply->met.bytes;
        supply->met.path = NULL;
        rc = rc == 0 ? meet(supply) : rc;
    }
    return rc;
}

static struct lot *
take_returned(struct supply *supply)
{
    struct lot *lot = supply->returned;
    supply->returned = lot->next;
    lot->next = NULL;
    return lot;
}

int
supply_next(struct supply *supply, struct lot **out)
{
    *out = NULL;
    if (supply->returned != NULL) {
        *out = take_returned(supply);
        return 0;
    }
    int rc = meet(supply);
    if (rc < 0 || supply->met.path == NULL) {
        return rc;
    }
    bool is_large = supply->met.bytes > LOT_BYTES;
    struct lot *lot = lot_new(supply, is_large ? 1 : LOT_FILES);
    if (lot == NULL) {
        return -ENOMEM;
    }
    rc = is_large ? cut_range(supply, lot) : pack_files(supply, lot);
    if (rc < 0) {
        lot_free(lot);
        return rc;
    }
    *out = lot;
    return 0;
}

void
supply_return(struct supply *supply, struct lot *lot)
{
    forget_stages(lot);
    lot->attempt++;
    lot->next = supply->returned;
    supply->returned = lot;
}
