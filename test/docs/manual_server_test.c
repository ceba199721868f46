/*
 * manual_server_test.c - the manual's server, under a supervisor.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/docs/manual_runtime.h"

#include <coact/server.h>
#include <coact/supervisor.h>

COACT_SIGNAL(start_now);
COACT_MAILBOX(pair, start_now);

static int
bell_init(void **state)
{
    int64_t *rings = *state;
    *rings = 100;
    return 0;
}

static void
bell_handle(pair_turn self, void *state)
{
    int64_t *rings = state;
    COACT_HANDLE(self) {
    case COACT_ON(start_now, m): {
        if (++*rings == 102) {
            coact_fail(-EIO, "the bell is broken");
        }
    } break;
    }
}

static int
start_bell(int64_t *rings, coact_supervisor_ref *top)
{
    const struct coact_child bell = COACT_CHILD_SERVER(
        pair, "bell", bell_handle, rings, .options.init = bell_init);
    const struct coact_supervisor spec = {.children = &bell, .child_count = 1};
    return coact_supervise(&spec, coact_in_ms(5000), top, NULL);
}

START_TEST(a_server_begins_again_with_its_init)
{
    struct coact_runtime *runtime = begin();
    int64_t rings = 0;
    coact_supervisor_ref top;
    ck_assert_int_eq(start_bell(&rings, &top), 0);
    for (int i = 0; i < 3; i++) {
        pair_ref bell;
        ck_assert_int_eq(
            coact_child_find(top, pair, "bell", &bell, coact_in_ms(1000)), 0);
        ck_assert_int_eq(coact_send(bell, start_now, 0), 0);
        // The second ring is the one that breaks it.
        int rc = coact_join(bell.ref, coact_in_ms(10), NULL);
        ck_assert_int_eq(rc, i == 1 ? 0 : -ETIMEDOUT);
    }
    ck_assert_int_eq(rings, 101);
    ck_assert_int_eq(coact_supervisor_stop(top, coact_in_ms(1000), NULL), 0);
    end(runtime);
}
END_TEST

SUITE_MAIN("manual_server", a_server_begins_again_with_its_init)
