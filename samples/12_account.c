/*
 * 12_account.c - every call that may switch has a name, and its time.
 *
 * A traveller asks, sleeps, computes and waits for mail; its account tells where
 * the time went.
 *
 * SPDX-License-Identifier: MIT
 */
#include <coact/account.h>
#include <coact/actor.h>
#include <coact/runtime.h>

#include <stdio.h>
#include <stdlib.h>

struct fare {
    uint32_t cents;
};
struct how_far {
    uint32_t km;
};
COACT_MESSAGE(fare, (1, cents));
COACT_REQUEST(how_far, fare, (1, km));
COACT_MAILBOX(counter, how_far);

COACT_SIGNAL(letter);
COACT_MAILBOX(traveller, letter);

static void
must(int rc)
{
    if (rc < 0) {
        fprintf(stderr, "%s\n", coact_strerror(rc));
        _Exit(1);
    }
}

static void
counter_body(counter_self self, void *arg)
{
    (void)arg;
    COACT_RECEIVE(self, COACT_FOREVER) {
    case COACT_ON(how_far, m): {
        must(coact_sleep(coact_in_ms(30)));
        must(coact_reply(m, .cents = 20 * m->km));
    } break;
    }
}

static void
print_line(const char *what, int64_t ns)
{
    printf("  %-12s %4lld ms\n", what, (long long)ns / 1000000);
}

static void
traveller_body(traveller_self self, void *arg)
{
    counter_ref counter = *(counter_ref *)arg;
    struct fare fare;
    must(coact_ask(counter, how_far, &fare, COACT_FOREVER, .km = 12));
    must(coact_sleep(coact_in_ms(50)));
    COACT_RECEIVE(self, coact_in_ms(20)) {
    case COACT_ON_TIMEOUT:
        break;
    }
    for (int64_t end = coact_in_ms(10); coact_now_ns() < end;) {
    }
    struct coact_account account;
    must(coact_account_of(self.ref, &account));
    printf("of %lld ms\n", (long long)account.total_ns / 1000000);
    print_line("running", account.running_ns);
    print_line("ready", account.ready_ns);
    print_line("in ask", account.ask_ns);
    print_line("asleep", account.sleep_ns);
    print_line("in receive", account.receive_ns);
}

int
main(void)
{
    struct coact_runtime *runtime;
    must(coact_start(NULL, &runtime));
    must(coact_attach(runtime));
    counter_ref counter;
    traveller_ref traveller;
    must(coact_spawn(counter, &counter, counter_body, NULL));
    must(coact_spawn_with(traveller, &traveller, traveller_body, &counter,
                          .account = true));
    must(coact_join(traveller.ref, COACT_FOREVER, NULL));
    coact_detach();
    must(coact_stop(runtime, COACT_FOREVER));
    must(coact_free(runtime));
    return 0;
}
