/*
 * reader.h - bytes go in, words come out.
 *
 * A word is what `LC_ALL=C tr -cs A-Za-z '\n' | tr A-Z a-z` puts on a line.
 * The bytes come in any pieces; a word may be cut anywhere.  What comes before
 * the first byte that is no letter, and after the last one, stays apart until
 * the end: of a file both are words, of a range of it they are the edges, which
 * may be parts of longer words.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORDCOUNT_READER_H
#define WORDCOUNT_READER_H

#include "table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Letters that grow. */
struct letters {
    char *data;
    size_t length, room;
};

/* 0 or -ENOMEM. */
int letters_append(struct letters *letters, const char *more, size_t length);

/* All zero but the table is a reader at the start of a range. */
struct reader {
    struct table *table;
    struct letters leading;
    struct letters trailing; /* the word that is being read */
    bool is_broken;          /* by a byte that is no letter; until then all is
                                in trailing */
};

/* Read some bytes, which are changed.  0 or -ENOMEM. */
int reader_feed(struct reader *reader, uint8_t *bytes, size_t count);

/* That was all, of a file: its edges are words.  0 or -ENOMEM. */
int reader_end_file(struct reader *reader);

/* That was all, of a range: a reader that is not broken has read nothing but
   letters, and has them in leading. */
void reader_end_range(struct reader *reader);

/* Back to the start, for the next one; keeps its memory. */
void reader_reset(struct reader *reader);
void reader_free(struct reader *reader);

#endif
