/*
 * ledger.c - see ledger.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ledger.h"

#include "reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- Tallies ---- */

int
ledger_stage(struct lot *lot, struct tally *tally)
{
    struct stage *stage = malloc(sizeof(*stage));
    if (stage == NULL) {
        return -ENOMEM;
    }
    *stage = (struct stage){.next = lot->staged,
                            .words = coact_text_take(&tally->words),
                            .times = tally->times.data,
                            .count = tally->times.count};
    tally->times.data = NULL;
    tally->times.count = 0;
    lot->staged = stage;
    return 0;
}

static int
enter_word(struct ledger *ledger, const char *letters, size_t length,
           uint64_t times)
{
    ledger->words += times;
    return table_add(&ledger->table, letters, length, times);
}

static int
enter_stage(struct ledger *ledger, const struct stage *stage)
{
    const char *at = coact_text_cstr(stage->words);
    const char *end = at + stage->words.bytes;
    int rc = 0;
    for (size_t i = 0; i < stage->count && rc == 0; i++) {
        if (at >= end) {
            return -EBADMSG;
        }
        const char *space = memchr(at, ' ', (size_t)(end - at));
        const char *stop = space != NULL ? space : end;
        rc = enter_word(ledger, at, (size_t)(stop - at), stage->times[i]);
        at = stop + 1;
    }
    return rc;
}

/* ---- Large files ---- */

static int
join_edges(struct ledger *ledger, const struct large *large,
           struct letters *word)
{
    int rc = 0;
    for (const struct range *r = large->first; r != NULL && rc == 0;
         r = r->next) {
        rc = letters_append(word, r->leading.data, r->leading.bytes);
        if (rc < 0 || r->is_unbroken) {
            continue;
        }
        if (word->length > 0) {
            rc = enter_word(ledger, word->data, word->length, 1);
        }
        word->length = 0;
        rc = rc == 0 ? letters_append(word, r->trailing.data, r->trailing.bytes)
                     : rc;
    }
    return rc == 0 && word->length > 0
               ? enter_word(ledger, word->data, word->length, 1)
               : rc;
}

static int
enter_range(struct ledger *ledger, struct supply *supply, struct lot *lot,
            struct finished *finished)
{
    struct large *large = lot->large;
    lot->range->leading = coact_text_take(&finished->leading);
    lot->range->trailing = coact_text_take(&finished->trailing);
    lot->range->is_unbroken = finished->is_unbroken;
    large->open--;
    if (large->open > 0 || !large->is_whole) {
        return 0;
    }
    struct letters word = {0};
    int rc = join_edges(ledger, large, &word);
    free(word.data);
    ledger->files += large->has_failed ? 0 : 1;
    supply_end_large(supply, large);
    return rc;
}

/* ---- Lots ---- */

/* Once for a file, however many of its ranges it troubles. */
static bool
is_news(struct lot *lot, const struct trouble *trouble)
{
    struct large *large = lot->large;
    if (large == NULL) {
        return true;
    }
    bool is_first = !large->is_blamed;
    large->is_blamed = true;
    large->has_failed = large->has_failed || trouble->error != 0;
    return is_first;
}

/* Returns how many files could not be read. */
static uint64_t
complain_of(struct lot *lot, const struct finished *finished,
            walk_complain *complain, void *context)
{
    uint64_t unread = 0;
    for (size_t i = 0; i < finished->troubles.count; i++) {
        const struct trouble *trouble = &finished->troubles.data[i];
        if (trouble->portion < lot->file_count) {
            unread += trouble->error != 0;
            if (is_news(lot, trouble)) {
                complain(context, lot->files[trouble->portion].path,
                         trouble->error);
            }
        }
    }
    return unread;
}

int
ledger_enter(struct ledger *ledger, struct supply *supply, struct lot *lot,
             struct finished *finished, walk_complain *complain, void *context)
{
    uint64_t unread = complain_of(lot, finished, complain, context);
    int rc = 0;
    for (const struct stage *s = lot->staged; s != NULL && rc == 0;
         s = s->next) {
        rc = enter_stage(ledger, s);
    }
    ledger->bytes += finished->bytes;
    if (lot->large == NULL) {
        ledger->files += lot->file_count - unread;
        return rc;
    }
    return rc == 0 ? enter_range(ledger, supply, lot, finished) : rc;
}
