/*
 * coact.h - all of coact.
 *
 * Where to begin reading: actor.h, then runtime.h and supervisor.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_COACT_H
#define COACT_COACT_H

#include <coact/account.h>
#include <coact/actor.h>
#include <coact/blocking.h>
#include <coact/cluster.h>
#include <coact/error.h>
#include <coact/io.h>
#include <coact/limit.h>
#include <coact/log.h>
#include <coact/lookup.h>
#include <coact/mailbox.h>
#include <coact/main.h>
#include <coact/message.h>
#include <coact/mutex.h>
#include <coact/no_switch.h>
#include <coact/reason.h>
#include <coact/ref.h>
#include <coact/role.h>
#include <coact/runtime.h>
#include <coact/server.h>
#include <coact/supervisor.h>
#include <coact/time.h>

#endif
