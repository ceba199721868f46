/*
 * reader.c - see reader.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
letters_append(struct letters *letters, const char *more, size_t length)
{
    if (letters->room - letters->length < length) {
        size_t room = letters->room * 2 > letters->length + length
                          ? letters->room * 2
                          : letters->length + length + 64;
        char *data = realloc(letters->data, room);
        if (data == NULL) {
            return -ENOMEM;
        }
        letters->data = data;
        letters->room = room;
    }
    if (length > 0) {
        memcpy(letters->data + letters->length, more, length);
        letters->length += length;
    }
    return 0;
}

/* Letters become small ones, all else 0.  Without a branch or a table, so that
   the compiler does many bytes at a time. */
static void
fold(uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t small = bytes[i] | 0x20;
        uint8_t is_letter = (uint8_t)(small - 'a') < 26;
        bytes[i] = (uint8_t)(small & -is_letter);
    }
}

static void
swap(struct letters *a, struct letters *b)
{
    struct letters was = *a;
    *a = *b;
    *b = was;
}

static int
add(struct table *table, const char *letters, size_t length)
{
    return length > 0 ? table_add(table, letters, length, 1) : 0;
}

/* The word in trailing has come to its end. */
static int
end_word(struct reader *reader)
{
    int rc = 0;
    if (reader->is_broken) {
        rc = add(reader->table, reader->trailing.data, reader->trailing.length);
    } else {
        swap(&reader->leading, &reader->trailing);
        reader->is_broken = true;
    }
    reader->trailing.length = 0;
    return rc;
}

int
reader_feed(struct reader *reader, uint8_t *bytes, size_t count)
{
    const char *text = (const char *)bytes;
    int rc = 0;
    fold(bytes, count);
    for (size_t at = 0; at < count && rc == 0; at++) {
        size_t start = at;
        while (at < count && text[at] != 0) {
            at++;
        }
        if (at < count && reader->is_broken && reader->trailing.length == 0) {
            rc = add(reader->table, text + start, at - start);
        } else {
            rc = letters_append(&reader->trailing, text + start, at - start);
            rc = rc == 0 && at < count ? end_word(reader) : rc;
        }
    }
    return rc;
}

void
reader_end_range(struct reader *reader)
{
    if (!reader->is_broken) {
        swap(&reader->leading, &reader->trailing);
        reader->trailing.length = 0;
    }
}

int
reader_end_file(struct reader *reader)
{
    reader_end_range(reader);
    int rc = add(reader->table, reader->leading.data, reader->leading.length);
    return rc < 0 ? rc
                  : add(reader->table, reader->trailing.data,
                        reader->trailing.length);
}

void
reader_reset(struct reader *reader)
{
    reader->leading.length = 0;
    reader->trailing.length = 0;
    reader->is_broken = false;
}

void
reader_free(struct reader *reader)
{
    free(reader->leading.data);
    free(reader->trailing.data);
    *reader = (struct reader){.table = reader->table};
}
