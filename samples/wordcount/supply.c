/*
 * supply.c - see supply.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "supply.h"

#include <errno.h>
#include <stdlib.h>

struct supply {
    struct walk *walk;
    bool is_over; /* the walk */
    struct walk_file
        met; /* by the walk, but in no lot so far; path NULL: none */
    struct large *large; /* what `met` is cut up as, if it has begun */
    uint64_t offset;     /* of its next range */
    uint64_t lot_bytes;  /* the cost of the next lot, at most */
    uint64_t numbers;    /* of lots */
    struct lot *returned;
    struct large *larges; /* all that live */
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
    supply->lot_bytes = LOT_BYTES;
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
        struct lot *lot = supply->returned;
        supply->returned = lot->next;
        lot_free(lot);
    }
    while (supply->larges != NULL) {
        large_free(&supply->larges, supply->larges);
    }
    walk_free(supply->walk);
    free(supply);
}

/* ---- Lots from the tree ---- */

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

static struct lot_file
next_range(const struct supply *supply)
{
    uint64_t left = supply->met.bytes - supply->offset;
    bool is_last = left <= supply->lot_bytes;
    return (struct lot_file){.offset = supply->offset,
                             .bytes = is_last ? left : supply->lot_bytes,
                             .to_end = is_last};
}

static int
cut_range(struct supply *supply, struct lot *lot)
{
    if (supply->large == NULL) {
        supply->large = large_new(&supply->larges);
        supply->offset = 0;
    }
    struct large *large = supply->large;
    struct lot_file file = next_range(supply);
    if (large == NULL || lot_add(lot, supply->met.path, file) < 0) {
        return -ENOMEM;
    }
    lot->large = large;
    lot->range = large_extend(large, large->last);
    if (lot->range == NULL) {
        return -ENOMEM;
    }
    supply->offset += file.bytes;
    if (file.to_end) {
        large->is_whole = true;
        supply->large = NULL;
        supply->met.path = NULL;
    }
    return 0;
}

static int
pack_files(struct supply *supply, struct lot *lot)
{
    uint64_t cost = 0;
    int rc = 0;
    while (rc == 0 && supply->met.path != NULL && lot->file_count < LOT_FILES) {
        cost += supply->met.bytes + FILE_COSTS;
        if (lot->file_count > 0 && cost > supply->lot_bytes) {
            break;
        }
        rc = lot_add(
            lot, supply->met.path,
            (struct lot_file){.bytes = supply->met.bytes, .to_end = true});
        supply->met.path = NULL;
        rc = rc == 0 ? meet(supply) : rc;
    }
    return rc;
}

static int
make_lot(struct supply *supply, struct lot **out)
{
    int rc = meet(supply);
    if (rc < 0 || supply->met.path == NULL) {
        return rc;
    }
    bool is_large =
        supply->large != NULL || supply->met.bytes > supply->lot_bytes;
    struct lot *lot = lot_new(++supply->numbers, is_large ? 1 : LOT_FILES);
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

/* ---- Lots that come back ---- */

static void
put_back(struct supply *supply, struct lot *lot)
{
    lot->next = supply->returned;
    supply->returned = lot;
}

static struct lot *
take_back(struct supply *supply)
{
    struct lot *lot = supply->returned;
    supply->returned = lot->next;
    lot->next = NULL;
    while (lot_cost(lot) > supply->lot_bytes) {
        struct lot *half = lot_cut(lot, supply->numbers + 1, &supply->larges);
        if (half == NULL) {
            break;
        }
        supply->numbers++;
        put_back(supply, half);
    }
    return lot;
}

int
supply_next(struct supply *supply, struct lot **out)
{
    *out = NULL;
    if (supply->returned != NULL) {
        *out = take_back(supply);
        return 0;
    }
    return make_lot(supply, out);
}

void
supply_return(struct supply *supply, struct lot *lot)
{
    lot_unstage(lot);
    lot->attempt++;
    put_back(supply, lot);
    supply->lot_bytes /= 2;
    if (supply->lot_bytes < LOT_BYTES_LEAST) {
        supply->lot_bytes = LOT_BYTES_LEAST;
    }
}

void
supply_done(struct supply *supply, struct lot *lot)
{
    lot_free(lot);
    supply->lot_bytes += supply->lot_bytes / 8;
    if (supply->lot_bytes > LOT_BYTES) {
        supply->lot_bytes = LOT_BYTES;
    }
}

void
supply_end_large(struct supply *supply, struct large *large)
{
    large_free(&supply->larges, large);
}
