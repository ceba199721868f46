/*
 * report.c - see report.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { SHOWN_LETTERS = 50 };

static void
print_word(const struct word *word)
{
    if (word->length <= SHOWN_LETTERS) {
        printf("%12" PRIu64 "  %.*s\n", word->times, (int)word->length,
               word->letters);
    } else {
        printf("%12" PRIu64 "  %.*s... (%zu letters)\n", word->times,
               SHOWN_LETTERS, word->letters, word->length);
    }
}

static void
print_totals(const struct job *job, int64_t elapsed_ns)
{
    const struct ledger *ledger = &job->ledger;
    double seconds = (double)elapsed_ns / 1e9;
    printf("\n%12" PRIu64 "  files\n%12" PRIu64 "  bytes\n%12" PRIu64
           "  words\n"
           "%12zu  distinct words\n",
           ledger->files, ledger->bytes, ledger->words, ledger->table.used);
    if (job->options->chaos_ms > 0) {
        printf("%12" PRIu64 "  kills\n", job->kills);
    }
    printf("%12" PRIu64 "  restarts\n%12.2f  seconds (%.0f MB/s)\n",
           job->restarts, seconds,
           seconds > 0 ? (double)ledger->bytes / 1e6 / seconds : 0);
}

int
report_print(const struct job *job, int64_t elapsed_ns)
{
    size_t count = job->ledger.table.used;
    struct word *words = table_by_times(&job->ledger.table);
    if (words == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count && i < job->options->top; i++) {
        print_word(&words[i]);
    }
    free(words);
    print_totals(job, elapsed_ns);
    return fflush(stdout) == 0 && ferror(stdout) == 0 ? 0 : -EIO;
}

static int
write_words(FILE *file, const struct word *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fwrite(words[i].letters, 1, words[i].length, file);
        fprintf(file, "\t%" PRIu64 "\n", words[i].times);
    }
    return ferror(file) != 0 ? -EIO : 0;
}

int
report_write_all(const struct job *job, const char *path)
{
    struct word *words = table_by_letters(&job->ledger.table);
    if (words == NULL) {
        return -ENOMEM;
    }
    FILE *file = fopen(path, "we");
    int rc = file == NULL ? -errno
                          : write_words(file, words, job->ledger.table.used);
    if (file != NULL && fclose(file) != 0 && rc == 0) {
        rc = -errno;
    }
    free(words);
    return rc;
}
