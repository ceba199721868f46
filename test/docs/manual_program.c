/*
 * manual_program.c - the manual's chapter on programs and isolated children.
 *
 * The teller divides by what it is told to.  A division by zero is the end of
 * its process, and its supervisor starts another one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <coact/actor.h>
#include <coact/main.h>
#include <coact/supervisor.h>

#include <stdio.h>
#include <stdlib.h>

struct settings {
    int32_t factor;
};
COACT_MESSAGE(settings, (1, factor));

struct divide {
    int32_t by;
};
struct quotient {
    int32_t value;
};
COACT_MESSAGE(quotient, (1, value));
COACT_REQUEST(divide, quotient, (1, by));

COACT_MAILBOX(teller, divide);

static void
teller_body(teller_self self, void *arg)
{
    const struct settings *settings = arg;
    for (;;) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(divide, m): {
            if (m->by == 0) {
                abort(); /* stands for any way to lose a process */
            }
            coact_reply(m, .value = settings->factor / m->by);
        } break;
        }
    }
}

static int
ask_teller(teller_ref teller, int32_t by)
{
    struct quotient quotient;
    int rc = coact_ask(teller, divide, &quotient, coact_in_ms(8000), .by = by);
    if (rc == 0) {
        printf("84 / %d = %d\n", by, quotient.value);
    } else {
        printf("84 / %d: no answer\n", by);
    }
    return rc;
}

static int
run(int argc, char **argv)
{
    struct settings settings = {.factor = 84};
    const struct coact_child children[] = {
        COACT_CHILD_ISOLATED(teller, "teller", teller_body, settings,
                             &settings),
    };
    const struct coact_supervisor spec = {.children = children,
                                          .child_count = 1};
    coact_supervisor_ref top;
    (void)argc;
    (void)argv;
    if (coact_supervise(&spec, coact_in_ms(8000), &top, NULL) < 0) {
        return 1;
    }
    teller_ref teller;
    int64_t soon = coact_in_ms(8000);
    int rc = coact_child_find(top, teller, "teller", &teller, soon);
    if (rc == 0 && (rc = ask_teller(teller, 2)) == 0 &&
        ask_teller(teller, 0) < 0 &&
        (rc = coact_child_find(top, teller, "teller", &teller, soon)) == 0) {
        rc = ask_teller(teller, 4);
    }
    return rc == 0 ? 0 : 1;
}

static const struct coact_body bodies[] = {
    COACT_BODY_ARG(teller, teller_body, settings),
};

int
main(int argc, char **argv)
{
    static const struct coact_program program = {
        .name = "tellers",
        .options = {.log_level = COACT_LOG_NONE},
        .main = run,
        .bodies = bodies,
        .body_count = 1,
        .usage = "usage: tellers",
    };
    return coact_main(argc, argv, &program);
}
