/*
 * 05_timer.c - messages that time sends, and waits that end.
 *
 * A timer puts ticks into our own mailbox, between the messages of others, so
 * one receive waits for everything.  A tick of a cancelled timer is never
 * received, even if it was in the mailbox already.
 *
 * Deadlines are points in time, not lengths: one bounds the whole loop here, no
 * matter how many messages come.
 *
 * SPDX-License-Identifier: MIT
 */
#include <coact/actor.h>
#include <coact/runtime.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

COACT_SIGNAL(knock);

COACT_MAILBOX(porter, knock);

static void
must(int rc)
{
    if (rc != 0) {
        fprintf(stderr, "%s\n", coact_strerror(rc));
        _Exit(1);
    }
}

static void
porter_body(porter_self self, void *arg)
{
    coact_timer_id rounds;
    int64_t end_of_shift = coact_in_ms(550);
    (void)arg;
    must(coact_timer_start(&rounds, coact_in_ms(100), COACT_MS(100), NULL));
    for (bool on_duty = true; on_duty;) {
        COACT_RECEIVE(self, end_of_shift) {
        case COACT_ON(knock, m):
            printf("who is there?\n");
            break;
        case COACT_ON_TICK(t):
            printf("all doors are shut\n");
            break;
        case COACT_ON_TIMEOUT:
            on_duty = false;
            break;
        }
    }
    must(coact_timer_cancel(rounds));
}

int
main(void)
{
    const struct coact_runtime_options options = {0};
    struct coact_runtime *runtime;
    must(coact_start(&options, &runtime));
    must(coact_attach(runtime));

    porter_ref porter;
    must(coact_spawn(porter, &porter, porter_body, NULL));
    must(coact_send(porter, knock, 0));
    must(coact_join(porter.ref, COACT_FOREVER, NULL));

    coact_detach();
    must(coact_stop(runtime, COACT_FOREVER));
    must(coact_free(runtime));
    return 0;
}
