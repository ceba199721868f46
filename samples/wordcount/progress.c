/*
 * progress.c - see progress.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { LINE_SECONDS = 2, BAR_CELLS = 30, LINE_BYTES = 256 };

void
progress_begin(struct progress *progress, bool is_quiet, int64_t now_ns)
{
    *progress =
        (struct progress){.is_quiet = is_quiet,
                          .is_bar = !is_quiet && isatty(STDERR_FILENO) == 1,
                          .started_ns = now_ns,
                          .said_ns = now_ns};
}

void
progress_end(struct progress *progress)
{
    if (progress->is_drawn) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
        progress->is_drawn = false;
    }
}

static void
describe(const struct progress *progress, const struct progress_now *now,
         int64_t now_ns, char text[LINE_BYTES])
{
    double seconds = (double)(now_ns - progress->started_ns) / 1e9;
    double megabytes = (double)now->bytes / 1e6;
    int used =
        snprintf(text, LINE_BYTES, "%" PRIu64 " files, %.0f MB, %.0f MB/s",
                 now->files, megabytes, seconds > 0 ? megabytes / seconds : 0);
    if (now->kills > 0 && used > 0 && used < LINE_BYTES) {
        snprintf(text + used, (size_t)(LINE_BYTES - used),
                 ", %" PRIu64 " kills", now->kills);
    }
}

/* What part of the tree is done, in cells of the bar; none as long as nobody
   knows how much there is. */
static int
cells_of(const struct progress *progress, const struct progress_now *now)
{
    if (!progress->is_expected_all || progress->expected == 0) {
        return 0;
    }
    double part = (double)now->bytes / (double)progress->expected;
    return part >= 1 ? (int)BAR_CELLS : (int)(part * BAR_CELLS);
}

static int
columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0
               ? size.ws_col
               : 80;
}

static void
draw(struct progress *progress, const struct progress_now *now,
     const char *text)
{
    char line[LINE_BYTES + BAR_CELLS + 16];
    char bar[BAR_CELLS + 1];
    int cells = cells_of(progress, now);
    memset(bar, '.', BAR_CELLS);
    memset(bar, '#', (size_t)cells);
    bar[BAR_CELLS] = 0;
    snprintf(line, sizeof(line), "[%s] %s", bar, text);
    // A line that is wider than the terminal could not be erased.
    fprintf(stderr, "\r%.*s\033[K", columns() - 1, line);
    fflush(stderr);
    progress->is_drawn = true;
}

void
progress_show(struct progress *progress, const struct progress_now *now,
              int64_t now_ns)
{
    char text[LINE_BYTES];
    if (progress->is_quiet) {
        return;
    }
    describe(progress, now, now_ns, text);
    if (progress->is_bar) {
        draw(progress, now, text);
    } else if (now_ns - progress->said_ns >=
               LINE_SECONDS * INT64_C(1000000000)) {
        progress->said_ns = now_ns;
        fprintf(stderr, "wordcount: %s\n", text);
    }
}

static void
put_escaped(const char *path)
{
    for (const unsigned char *at = (const unsigned char *)path; *at != 0;
         at++) {
        if (*at < ' ' || *at == 127 || *at == '\\') {
            fprintf(stderr, "\\%03o", *at);
        } else {
            putc(*at, stderr);
        }
    }
}

void
progress_complain(struct progress *progress, const char *path, int error)
{
    progress_end(progress);
    flockfile(stderr);
    fputs("wordcount: ", stderr);
    put_escaped(path);
    fprintf(stderr, ": %s\n",
            error != 0 ? strerrordesc_np(error)
                       : "changed while it was read; counted as it was found");
    funlockfile(stderr);
}
