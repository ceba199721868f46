/* expects: bank_turn|incompatible|mismatch|not compatible|_Generic */
/* SPDX-License-Identifier: MIT */
#include "test/compile/bank.h"

#include <coact/server.h>

int found(bank_ref *bank);

static void
bank_body(bank_self self, void *arg)
{
    (void)self, (void)arg;
}

static void
bank_handle(bank_turn self, void *state)
{
    (void)self, (void)state;
}

int
found(bank_ref *bank)
{
    int rc = coact_spawn(bank, bank, bank_body, NULL);
#if WRONG
    return rc < 0 ? rc : coact_serve(bank, bank, bank_body, NULL);
#else
    return rc < 0 ? rc : coact_serve(bank, bank, bank_handle, NULL);
#endif
}
