/* expects: no member named .stack_size|designator .stack_size */
/* SPDX-License-Identifier: MIT */
#include "test/compile/bank.h"

int found(bank_ref *bank);

static void
bank_body(bank_self self, void *arg)
{
    (void)self, (void)arg;
}

int
found(bank_ref *bank)
{
#if WRONG
    return coact_spawn_with(bank, bank, bank_body, NULL, .stack_size = 65536);
#else
    return coact_spawn_with(bank, bank, bank_body, NULL, .stack_bytes = 65536);
#endif
}
