/*
 * 01_hello.c - an actor, and a message to it.
 *
 * A message is a struct, and a line that lists its fields.  A mailbox lists the
 * messages that an actor takes: sending it anything else does not compile.  The
 * actor is a function that runs on its own; when it returns, the actor ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include <coact/actor.h>
#include <coact/runtime.h>

#include <stdio.h>
#include <stdlib.h>

struct greet {
    coact_text name;
};
COACT_MESSAGE(greet, (1, name));

COACT_MAILBOX(greeter, greet);

static void
greeter_body(greeter_self self, void *arg)
{
    (void)arg;
    COACT_RECEIVE(self, COACT_FOREVER) {
    case COACT_ON(greet, m):
        printf("hello, %s\n", coact_text_cstr(m->name));
        break;
    }
}

static void
must(int rc)
{
    if (rc != 0) {
        fprintf(stderr, "%s\n", coact_strerror(rc));
        _Exit(1); /* at once: other threads may run actors */
    }
}

int
main(void)
{
    const struct coact_runtime_options options = {0};
    struct coact_runtime *runtime;
    must(coact_start(&options, &runtime));
    must(coact_attach(runtime)); /* so that this thread may call coact */

    greeter_ref greeter;
    must(coact_spawn(greeter, &greeter, greeter_body, NULL));
    must(coact_send(greeter, greet, .name = coact_text_copy("world")));
    must(coact_join(greeter.ref, COACT_FOREVER, NULL));

    coact_detach();
    must(coact_stop(runtime, COACT_FOREVER));
    must(coact_free(runtime));
    return 0;
}
