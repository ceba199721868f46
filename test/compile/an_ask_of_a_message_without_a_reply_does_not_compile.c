/* expects: coact_no_reply */
/* SPDX-License-Identifier: MIT */
#include "test/compile/bank.h"

int look(bank_ref bank);

int
look(bank_ref bank)
{
    struct balance_is is;
#if WRONG
    return coact_ask(bank, deposit, &is, COACT_FOREVER, .account = 7);
#else
    return coact_ask(bank, balance, &is, COACT_FOREVER, .account = 7);
#endif
}
