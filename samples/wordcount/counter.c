/*
 * counter.c - the actor that counts.
 *
 * It runs in a process of its own and owns nothing that would be missed: what
 * it has counted is worth something only when the desk has it, so it may be
 * killed at any moment.
 *
 * SPDX-License-Identifier: MIT
 */
#include "counter.h"

#include "reader.h"

#include <coact/actor.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_BYTES = 256 * 1024, TALLY_BYTES = 32 * 1024, TALLY_WORDS = 4096 };

/* What a counter works with. */
struct bench {
    desk_ref desk;
    uint8_t *buffer;
    struct table table;
    struct reader reader;
    struct letters words; /* of the next tally */
    uint64_t times[TALLY_WORDS];
    size_t count;
    struct finished end; /* of the lot */
    bool has_failed;     /* a portion of it */
};

static void
bench_free(void *arg)
{
    struct bench *bench = arg;
    free(bench->buffer);
    free(bench->words.data);
    coact_message_destroy(COACT_TYPE(finished), &bench->end);
    reader_free(&bench->reader);
    table_free(&bench->table);
    free(bench);
}

static struct bench *
bench_new(const struct post *post)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    if (bench == NULL) {
        coact_fail(-ENOMEM, "no room for a bench");
    }
    coact_defer(bench_free, bench);
    bench->desk = post->desk;
    bench->reader.table = &bench->table;
    bench->buffer = malloc(BUFFER_BYTES);
    if (bench->buffer == NULL) {
        coact_fail(-ENOMEM, "no room for a buffer");
    }
    return bench;
}

/* ---- Reading ---- */

/* A regular file, even if something else has taken its place since it was met;
   the descriptor or a negative code. */
static int
open_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat stat;
    if (fd < 0) {
        return -errno;
    }
    int rc = fstat(fd, &stat) < 0 ? -errno : 0;
    if (rc == 0 && !S_ISREG(stat.st_mode)) {
        rc = -ENOENT;
    }
    if (rc < 0) {
        close(fd);
    }
    return rc < 0 ? rc : fd;
}

/* How many bytes of the portion come next, from a file that has been read so
   far. */
static size_t
next_bytes(const struct portion *portion, uint64_t so_far)
{
    uint64_t left = portion->to_end ? BUFFER_BYTES : portion->bytes - so_far;
    return left < BUFFER_BYTES ? (size_t)left : BUFFER_BYTES;
}

/* 0, or what went wrong; *done is how much was read all the same. */
static int
read_portion(struct bench *bench, int fd, const struct portion *portion,
             uint64_t *done)
{
    for (;;) {
        size_t want = next_bytes(portion, *done);
        ssize_t got = want == 0 ? 0
                                : pread(fd, bench->buffer, want,
                                        (off_t)(portion->offset + *done));
        if (got <= 0) {
            return got < 0 ? -errno : 0;
        }
        *done += (uint64_t)got;
        int rc = reader_feed(&bench->reader, bench->buffer, (size_t)got);
        if (rc < 0) {
            coact_fail(rc, "no room for the words");
        }
    }
}

static void
end_portion(struct bench *bench, bool is_range)
{
    if (is_range) {
        reader_end_range(&bench->reader);
    } else if (reader_end_file(&bench->reader) < 0) {
        coact_fail(-ENOMEM, "no room for the words");
    }
}

/* Count a portion; what there is to tell of it goes on the list. */
static void
count_portion(struct bench *bench, const struct work *work, size_t index)
{
    const struct portion *portion = &work->portions.data[index];
    uint64_t done = 0;
    reader_reset(&bench->reader);
    int fd = open_file((const char *)portion->path.data);
    int rc = fd < 0 ? fd : read_portion(bench, fd, portion, &done);
    if (fd >= 0) {
        close(fd);
    }
    end_portion(bench, work->is_range);
    bench->end.bytes += done;
    bench->has_failed = bench->has_failed || rc < 0;
    if (rc < 0 || done != portion->bytes) {
        bench->end.troubles.data[bench->end.troubles.count++] =
            (struct trouble){.portion = (uint32_t)index,
                             .error = -rc,
                             .has_changed = done != portion->bytes};
    }
}

/* ---- Telling ---- */

static void
must(int rc)
{
    if (rc == -ECANCELED) {
        coact_exit(COACT_SHUTDOWN);
    }
    if (rc < 0) {
        coact_fail(rc, "the desk cannot be told");
    }
}

static void
send_tally(struct bench *bench, const struct work *work)
{
    struct taken taken;
    uint64_t *times = coact_list_new(bench->count, sizeof(*times));
    if (times != NULL) {
        memcpy(times, bench->times, bench->count * sizeof(*times));
    }
    // Asked, not sent: the next tally is made when the desk has this one.
    must(coact_ask(
        bench->desk, tally, &taken, COACT_FOREVER, .lot = work->lot,
        .attempt = work->attempt,
        .words = coact_text_copy_n(bench->words.data, bench->words.length),
        .times = {times, bench->count}));
    bench->words.length = 0;
    bench->count = 0;
}

static void
put_word(struct bench *bench, const struct word *word)
{
    int rc = bench->count > 0 ? letters_append(&bench->words, " ", 1) : 0;
    rc = rc == 0 ? letters_append(&bench->words, word->letters, word->length)
                 : rc;
    if (rc < 0) {
        coact_fail(rc, "no room for a tally");
    }
    bench->times[bench->count++] = word->times;
}

static void
send_words(struct bench *bench, const struct work *work)
{
    for (size_t i = 0; i < bench->table.room; i++) {
        const struct word *word = &bench->table.slots[i];
        if (word->letters == NULL) {
            continue;
        }
        put_word(bench, word);
        if (bench->count == TALLY_WORDS || bench->words.length >= TALLY_BYTES) {
            send_tally(bench, work);
        }
    }
    if (bench->count > 0) {
        send_tally(bench, work);
    }
    table_clear(&bench->table);
}

/* The end mark, with what belongs to the whole lot. */
static void
send_finished(struct bench *bench, const struct work *work)
{
    const struct reader *reader = &bench->reader;
    struct finished end = bench->end;
    bench->end = (struct finished){0}; // it is the message's now
    if (work->is_range) {
        end.leading =
            coact_text_copy_n(reader->leading.data, reader->leading.length);
        end.trailing =
            coact_text_copy_n(reader->trailing.data, reader->trailing.length);
    }
    must(
        coact_send_wait(bench->desk, COACT_FOREVER, finished, .lot = work->lot,
                        .attempt = work->attempt, .bytes = end.bytes,
                        .leading = end.leading, .trailing = end.trailing,
                        // What is behind a hole is another word.
                        .is_unbroken = !reader->is_broken && !bench->has_failed,
                        .troubles = {end.troubles.data, end.troubles.count}));
}

static void
do_work(struct bench *bench, const struct work *work)
{
    size_t count = work->portions.count;
    bench->has_failed = false;
    bench->end.troubles.data = coact_list_new(count, sizeof(struct trouble));
    if (bench->end.troubles.data == NULL) {
        coact_fail(-ENOMEM, "no room for the lot");
    }
    for (size_t i = 0; i < count; i++) {
        count_portion(bench, work, i);
        // In one process with others, they want to run too.
        must(coact_yield());
    }
    send_words(bench, work);
    send_finished(bench, work);
}

void
counter_body(counter_self self, void *arg)
{
    const struct post *post = arg;
    struct bench *bench = bench_new(post);
    must(coact_send_wait(post->desk, COACT_FOREVER, hello, .me = {self.ref},
                         .number = post->number, .pid = (int32_t)getpid()));
    for (;;) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(work, m):
            do_work(bench, m);
            break;
        }
    }
}
