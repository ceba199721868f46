/*
 * 09_blocking.c - a call that blocks, and holds up nobody.
 *
 * The reader looks through books with a library that knows no coroutines: it
 * keeps its thread until it is through.  coact_blocking lends it a thread of a
 * pool, so that the clock ticks on, though both actors share one worker.
 *
 * The second time the reader does not want to wait for so long.  The library
 * cannot be stopped; it works on a copy, which is destroyed when it is through.
 *
 * SPDX-License-Identifier: MIT
 */
#include <coact/actor.h>
#include <coact/blocking.h>
#include <coact/runtime.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

COACT_SIGNAL(nothing);
COACT_MAILBOX(visitor, nothing);

struct search {
    char *book;
    size_t letters;
};

static void
must(int rc)
{
    if (rc != 0) {
        fprintf(stderr, "%s\n", coact_strerror(rc));
        _Exit(1);
    }
}

/* On a thread that may block. */
static void
search(void *arg)
{
    struct search *search = arg;
    const struct timespec a_while = {.tv_nsec = 200000000};
    nanosleep(&a_while, NULL);
    search->letters = strlen(search->book);
}

static void
close_book(void *arg)
{
    struct search *search = arg;
    free(search->book);
}

static void
read_until(const char *book, int64_t deadline_ns)
{
    struct search job = {.book = strdup(book)};
    COACT_CHECK(job.book != NULL);
    int rc = coact_blocking(search, &job, sizeof(job), close_book, deadline_ns);
    if (rc == 0) {
        printf("%s has %zu letters\n", job.book, job.letters);
        close_book(&job);
    } else {
        printf("%s: %s\n", book, coact_strerror(rc));
    }
}

static void
reader_body(visitor_self self, void *arg)
{
    (void)self, (void)arg;
    read_until("Middlemarch", coact_in_ms(5000));
    read_until("Ulysses", coact_in_ms(50));
}

static void
clock_body(visitor_self self, void *arg)
{
    (void)self, (void)arg;
    while (coact_sleep(coact_in_ms(50)) == 0) {
        printf("tick\n");
    }
}

int
main(void)
{
    const struct coact_runtime_options options = {.workers = 1};
    struct coact_runtime *runtime;
    must(coact_start(&options, &runtime));
    must(coact_attach(runtime));

    visitor_ref clock, reader;
    must(coact_spawn(visitor, &clock, clock_body, NULL));
    must(coact_spawn(visitor, &reader, reader_body, NULL));
    must(coact_join(reader.ref, COACT_FOREVER, NULL));

    coact_detach();
    must(coact_stop(runtime, COACT_FOREVER));
    must(coact_free(runtime));
    return 0;
}
