/* expects: bank_self|incompatible|mismatch|not compatible */
/* SPDX-License-Identifier: MIT */
#include "test/compile/bank.h"

int found(bank_ref *bank);

#if WRONG
static void
bank_body(shop_self self, void *arg)
#else
static void
bank_body(bank_self self, void *arg)
#endif
{
    (void)self, (void)arg;
}

int
found(bank_ref *bank)
{
    return coact_spawn(bank, bank, bank_body, NULL);
}
