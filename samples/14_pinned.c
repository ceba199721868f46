/*
 * 14_pinned.c - a library that belongs to a thread, used by actors.
 *
 * The shop's database client is like many: who has opened it must make all the
 * calls, it keeps its state in a thread-local, and a query blocks until the
 * answer is there.  An actor comes back on another thread after any wait, so it
 * cannot be such a client's; unless it is pinned: then it has a thread of its
 * own, and that may block.  The others ask it by messages, as they would any.
 *
 * The clock ticks on meanwhile, though all but the clerk share one worker.
 *
 * SPDX-License-Identifier: MIT
 */
#include <coact/actor.h>
#include <coact/runtime.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* ---- The library, which knows nothing of actors ---- */

static _Thread_local struct {
    int is_open, queries;
} client;

static void
client_must_be_open(const char *call)
{
    if (!client.is_open) {
        fprintf(stderr, "%s: not opened by this thread\n", call);
        abort();
    }
}

static void
client_open(void)
{
    client.is_open = 1;
}

static int
client_query(int article)
{
    client_must_be_open("client_query");
    const struct timespec a_while = {.tv_nsec = 60000000};
    nanosleep(&a_while, NULL);
    client.queries++;
    return article * 10;
}

static int
client_close(void)
{
    client_must_be_open("client_close");
    client.is_open = 0;
    return client.queries;
}

/* ---- The shop ---- */

struct price_of {
    int32_t article;
};
struct price {
    int32_t cents;
};
COACT_MESSAGE(price, (1, cents));
COACT_REQUEST(price_of, price, (1, article));
COACT_MAILBOX(clerk, price_of);

COACT_SIGNAL(nothing);
COACT_MAILBOX(visitor, nothing);

static void
must(int rc)
{
    if (rc != 0) {
        fprintf(stderr, "%s\n", coact_strerror(rc));
        _Exit(1);
    }
}

/* A clean-up runs where the actor ran, however that ends. */
static void
close_client(void *arg)
{
    (void)arg;
    printf("closed after %d queries\n", client_close());
}

static void
clerk_body(clerk_self self, void *arg)
{
    (void)arg;
    client_open();
    COACT_CHECK(coact_defer(close_client, NULL) == 0);
    for (bool goes_on = true; goes_on;) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(price_of, m):
            coact_reply(m, .cents = client_query(m->article));
            break;
        case COACT_ON_CANCELLED:
            goes_on = false;
            break;
        }
    }
}

static void
customer_body(visitor_self self, void *arg)
{
    (void)self;
    const clerk_ref *clerk = arg;
    for (int article = 1; article <= 3; article++) {
        struct price price;
        must(coact_ask(*clerk, price_of, &price, coact_in_ms(5000),
                       .article = article));
        printf("article %d costs %d cents\n", article, price.cents);
    }
}

static void
clock_body(visitor_self self, void *arg)
{
    (void)self, (void)arg;
    while (coact_sleep(coact_in_ms(20)) == 0) {
        printf("tick\n");
    }
}

int
main(void)
{
    const struct coact_runtime_options options = {.workers = 1};
    struct coact_runtime *runtime;
    must(coact_start(&options, &runtime));
    must(coact_attach(runtime));

    clerk_ref clerk;
    must(coact_spawn_with(clerk, &clerk, clerk_body, NULL, .pinned = true));
    visitor_ref clock, customer;
    must(coact_spawn(visitor, &clock, clock_body, NULL));
    must(coact_spawn(visitor, &customer, customer_body, &clerk));
    must(coact_join(customer.ref, COACT_FOREVER, NULL));

    coact_detach();
    must(coact_stop(runtime, COACT_FOREVER));
    must(coact_free(runtime));
    return 0;
}
