/* expects: no member named .euros|designator .euros */
/* SPDX-License-Identifier: MIT */
#include "test/compile/bank.h"

int pay(bank_ref bank);

int
pay(bank_ref bank)
{
#if WRONG
    return coact_send(bank, deposit, .account = 7, .euros = 5);
#else
    return coact_send(bank, deposit, .account = 7, .cents = 500);
#endif
}
