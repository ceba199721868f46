/* expects: bank_turn|incompatible|mismatch|not compatible|_Generic */
/* SPDX-License-Identifier: MIT */
#include "test/compile/bank.h"

#include <coact/server.h>

int found(bank_ref *bank);

#if WRONG
static void
bank_handle(shop_turn self, void *state)
#else
static void
bank_handle(bank_turn self, void *state)
#endif
{
    (void)self, (void)state;
}

int
found(bank_ref *bank)
{
    return coact_serve(bank, bank, bank_handle, NULL);
}
