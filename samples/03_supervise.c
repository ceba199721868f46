/*
 * 03_supervise.c - an actor that fails, and the supervisor that restarts it.
 *
 * The divider does not defend itself against a division by zero: it fails, and
 * whoever asked is told at once.  Its supervisor starts another one, which is
 * not the same actor: it has a new address, and is found by its id.
 *
 * SPDX-License-Identifier: MIT
 */
#include <coact/actor.h>
#include <coact/runtime.h>
#include <coact/supervisor.h>

#include <stdio.h>
#include <stdlib.h>

struct divide {
    int32_t a, b;
};
struct quotient {
    int32_t value;
};
COACT_MESSAGE(quotient, (1, value));
COACT_REQUEST(divide, quotient, (1, a), (2, b));

COACT_MAILBOX(divider, divide);

static void
divider_body(divider_self self, void *arg)
{
    (void)arg;
    for (;;) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(divide, m): {
            COACT_CHECK(m->b != 0);
            coact_reply(m, .value = m->a / m->b);
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

static void
try_to_divide(coact_supervisor_ref top, int32_t a, int32_t b)
{
    divider_ref divider;
    int64_t deadline = coact_in_ms(1000);
    must(coact_child_find(top, divider, "divider", &divider, deadline));

    struct quotient quotient;
    int rc = coact_ask(divider, divide, &quotient, deadline, .a = a, .b = b);
    if (rc == 0) {
        printf("%d / %d = %d\n", a, b, quotient.value);
    } else {
        printf("%d / %d: %s\n", a, b, coact_strerror(rc));
    }
}

int
main(void)
{
    const struct coact_runtime_options options = {.log_level = COACT_LOG_NONE};
    struct coact_runtime *runtime;
    must(coact_start(&options, &runtime));
    must(coact_attach(runtime));

    const struct coact_child children[] = {
        COACT_CHILD(divider, "divider", divider_body, NULL),
    };
    const struct coact_supervisor spec = {
        .children = children,
        .child_count = 1,
    };
    coact_supervisor_ref top;
    must(coact_supervise(&spec, coact_in_ms(1000), &top, NULL));

    try_to_divide(top, 84, 2);
    try_to_divide(top, 1, 0);
    try_to_divide(top, 85, 5);

    coact_detach();
    must(coact_stop(runtime, COACT_FOREVER));
    must(coact_free(runtime));
    return 0;
}
