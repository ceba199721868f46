/*
 * messages.h - what the desk and its counters say to each other.
 *
 *   counter -> desk   hello      here I am: my address, my process
 *   desk -> counter   work       parts of files, at most two lots at a time
 *   counter -> desk   tally      some of the words in a lot; asked, so that the
 *                                next is made when this one has been taken
 *   counter -> desk   finished   the lot is done: only now do its tallies count
 *
 * Paths are bytes: a file's name need not be UTF-8.  Words are texts, for they
 * are nothing but a to z.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORDCOUNT_MESSAGES_H
#define WORDCOUNT_MESSAGES_H

#include <coact/mailbox.h>
#include <coact/message.h>

#include <stdbool.h>
#include <stdint.h>

/* Part of a file, or all of it. */
struct portion {
    coact_bytes path; /* with the 0 that ends it */
    uint64_t offset;
    uint64_t bytes;
    bool to_end; /* whatever the file's size is by now */
};
COACT_MESSAGE(portion, (1, path), (2, offset), (3, bytes), (4, to_end));

/* A lot: whole small files, or one range of a large one. */
struct work {
    uint64_t lot;
    uint32_t attempt; /* how often it was lost with a counter */
    bool is_range;    /* of a file whose other ranges are counted elsewhere */
    COACT_REPEATED(struct portion) portions;
};
COACT_MESSAGE(work, (1, lot), (2, attempt), (3, is_range),
              (4, portions, REPEATED, portion));

COACT_MAILBOX(counter, work);

struct hello {
    counter_ref me;
    uint32_t number; /* that the post gave */
    int32_t pid;
};
COACT_MESSAGE(hello, (1, me, REF), (2, number), (3, pid));

/* words are separated by a space; the nth was seen times.data[n] times. */
struct tally {
    uint64_t lot;
    uint32_t attempt;
    coact_text words;
    COACT_REPEATED(uint64_t) times;
};
COACT_SIGNAL(taken);
COACT_REQUEST(tally, taken, (1, lot), (2, attempt), (3, words),
              (4, times, REPEATED));

/* What went wrong with a portion.  Nothing, and has_changed: it was read, but
   is not as long as it was. */
struct trouble {
    uint32_t portion;
    int32_t error;
    bool has_changed;
};
COACT_MESSAGE(trouble, (1, portion), (2, error), (3, has_changed));

/* The edges of a range are parts of words that may go on beyond it: all before
   its first byte that is not a letter, and all after its last one. */
struct finished {
    uint64_t lot;
    uint32_t attempt;
    uint64_t bytes;
    coact_text leading, trailing;
    bool is_unbroken; /* all letters: leading is the whole range */
    COACT_REPEATED(struct trouble) troubles;
};
COACT_MESSAGE(finished, (1, lot), (2, attempt), (3, bytes), (4, leading),
              (5, trailing), (6, is_unbroken),
              (7, troubles, REPEATED, trouble));

/* From the one who looks ahead, for the progress bar: what the tree holds. */
struct survey {
    uint64_t bytes;
    bool is_complete;
};
COACT_MESSAGE(survey, (1, bytes), (2, is_complete));

COACT_MAILBOX(desk, hello, tally, finished, survey);

/* A counter's argument: where it is to work, and its number among them. */
struct post {
    desk_ref desk;
    uint32_t number;
};
COACT_MESSAGE(post, (1, desk, REF), (2, number));

#endif
