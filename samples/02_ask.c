/*
 * 02_ask.c - a request, and the reply to it.
 *
 * The bank's books are local variables: only its own code can touch them, one
 * message at a time, so there is nothing to lock.  It loops for ever; when the
 * runtime stops, the wait in its receive does not return.
 *
 * A request names the type of its reply, and an ask has a deadline.  An arm of
 * a receive is one statement, or one block in braces.
 *
 * SPDX-License-Identifier: MIT
 */
#include <coact/actor.h>
#include <coact/runtime.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { ACCOUNTS = 100 };

struct deposit {
    uint32_t account;
    int64_t cents;
};
struct balance {
    uint32_t account;
};
struct balance_is {
    int64_t cents;
};
COACT_MESSAGE(deposit, (1, account), (2, cents));
COACT_MESSAGE(balance_is, (1, cents));
COACT_REQUEST(balance, balance_is, (1, account));

COACT_MAILBOX(bank, deposit, balance);

static void
bank_body(bank_self self, void *arg)
{
    int64_t cents[ACCOUNTS] = {0};
    (void)arg;
    for (;;) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(deposit, m):
            cents[m->account % ACCOUNTS] += m->cents;
            break;
        case COACT_ON(balance, m):
            coact_reply(m, .cents = cents[m->account % ACCOUNTS]);
            break;
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

int
main(void)
{
    const struct coact_runtime_options options = {0};
    struct coact_runtime *runtime;
    must(coact_start(&options, &runtime));
    must(coact_attach(runtime));

    bank_ref bank;
    must(coact_spawn(bank, &bank, bank_body, NULL));
    must(coact_send(bank, deposit, .account = 7, .cents = 500));
    must(coact_send(bank, deposit, .account = 7, .cents = 25));

    struct balance_is is;
    must(coact_ask(bank, balance, &is, coact_in_ms(1000), .account = 7));
    printf("account 7 has %" PRId64 " cents\n", is.cents);

    coact_detach();
    must(coact_stop(runtime, COACT_FOREVER));
    must(coact_free(runtime));
    return 0;
}
