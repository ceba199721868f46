/*
 * 04_pump.c - actors inside a program that has an event loop already.
 *
 * A runtime that is driven by its host has no threads: actors run inside
 * coact_pump, on the host's own.  The loop waits for what it always waited for,
 * and for the runtime's descriptor, no longer than to its next deadline.
 *
 * Here the loop waits for standard input: try
 *
 *     (echo one; sleep 1; echo two three) | 04_pump
 *
 * SPDX-License-Identifier: MIT
 */
#include <coact/actor.h>
#include <coact/runtime.h>

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct input {
    coact_text text;
};
COACT_MESSAGE(input, (1, text));

COACT_MAILBOX(counter, input);

static void
counter_body(counter_self self, void *arg)
{
    size_t bytes = 0;
    (void)arg;
    for (;;) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(input, m): {
            bytes += m->text.bytes;
            printf("%zu bytes so far\n", bytes);
        } break;
        }
    }
}

static void
must(int rc)
{
    if (rc != 0) {
        fprintf(stderr, "%s\n", coact_strerror(rc));
        _Exit(1);
    }
}

/* The deadline as poll wants it: milliseconds from now, -1 for ever. */
static int
poll_timeout(int64_t deadline_ns)
{
    if (deadline_ns == COACT_FOREVER) {
        return -1;
    }
    int64_t left_ns = deadline_ns - coact_now_ns();
    if (left_ns <= 0) {
        return 0;
    }
    return left_ns > COACT_SECONDS(60) ? 60000
                                       : (int)(left_ns / COACT_MS(1)) + 1;
}

/* False at the end of the input. */
static bool
pass_input_on(counter_ref counter)
{
    char data[256];
    ssize_t bytes = read(STDIN_FILENO, data, sizeof(data));
    if (bytes <= 0) {
        return false;
    }
    must(coact_send(counter, input,
                    .text = coact_text_copy_n(data, (size_t)bytes)));
    return true;
}

static void
loop(struct coact_runtime *runtime, counter_ref counter)
{
    for (bool more = true; more;) {
        struct pollfd waits[] = {
            {.fd = STDIN_FILENO, .events = POLLIN},
            {.fd = coact_fd(runtime), .events = POLLIN},
        };
        poll(waits, 2, poll_timeout(coact_next_deadline(runtime)));
        if (waits[0].revents != 0) {
            more = pass_input_on(counter);
        }
        coact_pump(runtime, coact_in_ms(10));
    }
}

int
main(void)
{
    const struct coact_runtime_options options = {.host_driven = true};
    struct coact_runtime *runtime;
    must(coact_start(&options, &runtime));
    must(coact_attach(runtime));

    counter_ref counter;
    must(coact_spawn(counter, &counter, counter_body, NULL));
    loop(runtime, counter);

    coact_detach();
    must(coact_stop(runtime, COACT_FOREVER));
    must(coact_free(runtime));
    return 0;
}
