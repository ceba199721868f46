/* expects: struct price_is */
/* SPDX-License-Identifier: MIT */
#include "test/compile/bank.h"

int look(bank_ref bank);

int
look(bank_ref bank)
{
#if WRONG
    struct price_is is;
#else
    struct balance_is is;
#endif
    return coact_ask(bank, balance, &is, COACT_FOREVER, .account = 7);
}
