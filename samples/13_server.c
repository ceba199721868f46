/*
 * 13_server.c - ten thousand accounts, each an actor, and hardly a stack.
 *
 * A server is a handler that is called for each message, and a state.  Between
 * messages it holds no stack, so there can be very many.  A handler may wait all
 * the same: the one of a payment asks the other account, and keeps the stack
 * that it has borrowed for so long.
 *
 * SPDX-License-Identifier: MIT
 */
#include <coact/actor.h>
#include <coact/runtime.h>
#include <coact/server.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { ACCOUNTS = 10000, FEW = 200 };

struct deposit {
    int64_t cents;
};
struct pay {
    coact_ref to;
    int64_t cents;
};
struct balance_is {
    int64_t cents;
};
COACT_MESSAGE(balance_is, (1, cents));
COACT_REQUEST(deposit, balance_is, (1, cents));
COACT_REQUEST(pay, balance_is, (1, to), (2, cents));

COACT_MAILBOX(account, deposit, pay);

struct account {
    int64_t cents;
};

static void
must(int rc)
{
    if (rc != 0) {
        fprintf(stderr, "%s\n", coact_strerror(rc));
        _Exit(1);
    }
}

/* Makes the state out of what coact_serve was given; it goes with the actor. */
static int
account_open(void **state)
{
    const int64_t *cents = *state;
    struct account *account = coact_arena(sizeof(*account));
    if (account == NULL) {
        return -ENOMEM;
    }
    account->cents = *cents;
    *state = account;
    return 0;
}

static void
account_handle(account_turn self, void *state)
{
    struct account *account = state;
    COACT_HANDLE(self) {
    case COACT_ON(deposit, m): {
        account->cents += m->cents;
        coact_reply(m, .cents = account->cents);
    } break;
    case COACT_ON(pay, m): {
        struct balance_is theirs;
        account_ref to = {m->to};
        account->cents -= m->cents;
        if (coact_ask(to, deposit, &theirs, coact_deadline_of(m),
                      .cents = m->cents) < 0) {
            account->cents += m->cents;
        }
        coact_reply(m, .cents = account->cents);
    } break;
    }
}

static account_ref accounts[ACCOUNTS];

int
main(void)
{
    const struct coact_runtime_options options = {0};
    struct coact_runtime *runtime;
    must(coact_start(&options, &runtime));
    must(coact_attach(runtime));

    int64_t begins_with = 100;
    for (int i = 0; i < ACCOUNTS; i++) {
        must(coact_serve_with(account, &accounts[i], account_handle,
                              &begins_with, .init = account_open));
    }
    struct balance_is is;
    for (int i = 1; i < ACCOUNTS; i++) {
        must(coact_ask(accounts[i], pay, &is, coact_in_ms(5000),
                       .to = accounts[0].ref, .cents = 1));
    }
    must(coact_ask(accounts[0], deposit, &is, coact_in_ms(5000), .cents = 0));

    struct coact_runtime_stats stats;
    coact_stats(runtime, &stats);
    printf("the first of %d accounts has %" PRId64 " cents\n", ACCOUNTS,
           is.cents);
    printf("%s stacks are in use\n",
           stats.stacks_in_use < FEW ? "few" : "many");

    coact_detach();
    must(coact_stop(runtime, COACT_FOREVER));
    must(coact_free(runtime));
    return 0;
}
