/*
 * 08_pressure.c - a fast sender, a slow receiver, and no backlog between them.
 *
 * The mailbox of the press takes three sheets.  A plain send to a full mailbox
 * fails at once, and the sender decides what to do; coact_send_wait waits for
 * room, so that the author writes as fast as the press prints.
 *
 * SPDX-License-Identifier: MIT
 */
#include <coact/actor.h>
#include <coact/runtime.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { SHEETS = 10 };

struct sheet {
    int32_t number;
};
COACT_MESSAGE(sheet, (1, number));
COACT_SIGNAL(last);

COACT_MAILBOX(press, sheet, last);

static void
must(int rc)
{
    if (rc != 0) {
        fprintf(stderr, "%s\n", coact_strerror(rc));
        _Exit(1);
    }
}

static void
press_body(press_self self, void *arg)
{
    (void)arg;
    for (bool busy = true; busy;) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(sheet, m): {
            int32_t number = m->number;
            must(coact_sleep(coact_in_ms(10)));
            printf("printed sheet %d; %zu wait\n", number, coact_pending());
        } break;
        case COACT_ON(last, m):
            busy = false;
            break;
        }
    }
}

int
main(void)
{
    const struct coact_runtime_options options = {0};
    struct coact_runtime *runtime;
    must(coact_start(&options, &runtime));
    must(coact_attach(runtime));

    press_ref press;
    must(coact_spawn_with(press, &press, press_body, NULL,
                          .mailbox_messages = 3, .overflow = COACT_BLOCK));
    for (int i = 1; i <= SHEETS; i++) {
        must(coact_send_wait(press, coact_in_ms(1000), sheet, .number = i));
    }
    must(coact_send_wait(press, coact_in_ms(1000), last, 0));
    must(coact_join(press.ref, COACT_FOREVER, NULL));

    coact_detach();
    must(coact_stop(runtime, COACT_FOREVER));
    must(coact_free(runtime));
    return 0;
}
