/* expects: no member named .(ref|accepts)|member reference base type */
/* SPDX-License-Identifier: MIT */
#include "test/compile/bank.h"

int pay(bank_ref bank);

int
pay(bank_ref bank)
{
#if WRONG
    return coact_send(bank.ref, deposit, .account = 7);
#else
    return coact_send(bank, deposit, .account = 7);
#endif
}
