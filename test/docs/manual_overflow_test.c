/*
 * manual_overflow_test.c - the piece of C in docs/manual.md about stacks that
 * overflow, whole and run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/support/suite.h"

#include <coact/actor.h>
#include <coact/runtime.h>
#include <coact/supervisor.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct measured {
    uint64_t depth;
};
struct measure {
    coact_text text;
};
COACT_MESSAGE(measured, (1, depth));
COACT_REQUEST(measure, measured, (1, text));
COACT_MAILBOX(parser, measure);

/* As deep as the brackets are nested. */
static uint64_t
depth_of(const char **at)
{
    uint64_t deepest = 0;
    while (**at == '(') {
        ++*at;
        uint64_t depth = depth_of(at);
        deepest = depth > deepest ? depth : deepest;
        *at += **at == ')';
    }
    return deepest + 1;
}

static void
parser_body(parser_self self, void *arg)
{
    (void)arg;
    for (;;) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(measure, m): {
            const char *at = coact_text_cstr(m->text);
            coact_reply(m, .depth = depth_of(&at));
        } break;
        }
    }
}

static uint64_t
depth_by(coact_supervisor_ref top, const char *text, int *rc)
{
    int64_t deadline = coact_in_ms(5000);
    parser_ref parser;
    struct measured measured = {0};
    *rc = coact_child_find(top, parser, "parser", &parser, deadline);
    if (*rc == 0) {
        *rc = coact_ask(parser, measure, &measured, deadline,
                        .text = coact_text_copy(text));
    }
    return measured.depth;
}

/* Brackets, nested deeper than any stack is. */
static char *
nest(size_t levels)
{
    char *text = calloc(levels + 1, 1);
    ck_assert_ptr_nonnull(text);
    memset(text, '(', levels);
    return text;
}

static void
asker_body(parser_self self, void *arg)
{
    (void)self;
    coact_supervisor_ref top = *(coact_supervisor_ref *)arg;
    int rc;
    ck_assert_uint_eq(depth_by(top, "(()())", &rc), 3);

    char *nested = nest(1000000);
    (void)depth_by(top, nested, &rc);
    ck_assert_int_eq(rc, -EOWNERDEAD);
    ck_assert_int_eq(coact_last_reason().code, COACT_STACK_OVERFLOW);
    ck_assert_uint_eq(depth_by(top, "()", &rc), 2); // another parser
    free(nested);
}

static struct coact_runtime_stats
stats_of(struct coact_runtime *runtime)
{
    struct coact_runtime_stats stats;
    coact_stats(runtime, &stats);
    return stats;
}

START_TEST(the_parser_of_the_manual_survives_what_is_nested_too_deeply)
{
    const struct coact_runtime_options options = {
        .on_stack_overflow = COACT_OVERFLOW_KILL_ACTOR,
    };
    struct coact_runtime *runtime;
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    const struct coact_child children[] = {
        COACT_CHILD(parser, "parser", parser_body, NULL)};
    const struct coact_supervisor spec = {.children = children,
                                          .child_count = 1};
    coact_supervisor_ref top;
    ck_assert_int_eq(coact_supervise(&spec, COACT_FOREVER, &top, NULL), 0);

    parser_ref asker;
    ck_assert_int_eq(coact_spawn(parser, &asker, asker_body, &top), 0);
    ck_assert_int_eq(coact_join(asker.ref, coact_in_ms(8000), NULL), 0);
    ck_assert_uint_eq(stats_of(runtime).actors_failed, 1);

    coact_detach();
    ck_assert_int_eq(coact_stop(runtime, coact_in_ms(5000)), 0);
    ck_assert_int_eq(coact_free(runtime), 0);
}
END_TEST

SUITE_MAIN("docs/manual_overflow",
           the_parser_of_the_manual_survives_what_is_nested_too_deeply)
