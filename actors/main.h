/*
 * main.h - a program that is all coact.
 *
 *   static const struct coact_body bodies[] = {
 *       COACT_BODY(bank, bank_body),
 *       COACT_BODY_ARG(teller, teller_body, teller_config),
 *   };
 *   static const struct coact_program program = {
 *       .name = "bank", .main = run, .bodies = bodies, .body_count = 2};
 *
 *   int main(int argc, char **argv) { return coact_main(argc, argv, &program); }
 *
 * coact_main starts a runtime, runs `run` in it as an actor, stops everything
 * in order when that returns or a signal asks for the end, and returns the exit
 * code.  It is also the way into isolated children: such a child is this same
 * program started again, and its coact_main runs one body of the table instead
 * of `run`.  So main must not do anything before it calls coact_main that a
 * child should not do as well.
 *
 * Signals.  SIGTERM, SIGINT and SIGHUP stop the program in order: the next call
 * that waits in `run` returns -ECANCELED, its clean-ups run, then all other
 * actors are asked to end.  Who keeps the program from ending is named in the
 * log.  After stop_ns, or at a second such signal, the program is left at once.
 * The same signal again within 200 ms of the first counts as one with it: tools
 * that send it to a process and then to its group, as timeout does, mean one.
 * SIGPIPE is ignored.  A child of a terminal's program does not hear the
 * terminal: its parent decides.
 *
 * However the program ends, its isolated children end with it, and the folder of
 * their sockets is removed.  After a kill that is done by a process of its own,
 * coact-sweeper: this program again, started with the first isolated child.
 *
 * exit() called by an actor stops the program in the same order, and ends with
 * its code; functions given to atexit before coact_main do not run then.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_MAIN_H
#define COACT_MAIN_H

#include <coact/actor.h>
#include <coact/error.h>
#include <coact/mailbox.h>
#include <coact/message.h>
#include <coact/runtime.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

COACT_BEGIN_DECLS

/* A body that may run in a process of its own. */
struct coact_body {
    const char *name; /* unique in the program */
    const struct coact_mailbox *mailbox;
    void (*body)(void);
    struct coact_type *arg_type; /* of its argument; NULL: it takes none */
};

/* A row of that table: mailbox and body.
   from any, waits no, fails never */
#define COACT_BODY(body_mailbox, body_function)                                \
    {                                                                          \
#body_function, &body_mailbox##_coact_mailbox,                         \
            COACT__BODY(body_mailbox, body_function), 0                        \
    }

/* The same for a body whose argument is such a message.
   from any, waits no, fails never */
#define COACT_BODY_ARG(body_mailbox, body_function, message)                   \
    {                                                                          \
#body_function, &body_mailbox##_coact_mailbox,                         \
            COACT__BODY(body_mailbox, body_function), &coact_type_##message    \
    }

/* What a program is.  It is lent until coact_main returns.  All zero but main
   is a good one. */
struct coact_program {
    const char *name; /* for the log and crash reports; NULL: from argv[0] */
    struct coact_runtime_options options; /* not host_driven */
    int (*main)(int argc, char **argv);   /* in an actor; its exit code */
    const struct coact_body *bodies;
    size_t body_count;
    const char *usage;   /* printed for --help alone; NULL: not our business */
    const char *version; /* printed for --version alone; NULL: the same */
    size_t main_stack_bytes; /* of the actor that runs main; 0: 1 MiB */
    int64_t stop_ns;         /* how long a stop may take; 0: 5 s */
    bool without_crash_report;
};

/* Run the program; the result is main's.  128 and the signal's number where a
   signal ended it before `main` gave a code of its own; 1 where the runtime
   could not start, or the actor of main failed.  It does not return, but leaves
   the process, where actors are left that do not end.
   from host, waits yes, fails never */
COACT_API int coact_main(int argc, char **argv,
                         const struct coact_program *program);

/*
 * From now on SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT write a report to
 * standard error before they do what they do by default: which signal, where,
 * which actor, and a backtrace; a stack overflow is called one.  coact_main
 * does this by itself; an embedder may ask for it.  One per process; handlers
 * that are there are replaced, and the calling thread gets an alternate signal
 * stack if it has none.  name is copied, up to 63 bytes.
 * from host, waits no, fails EALREADY EINVAL
 */
COACT_API COACT_CHECKED int
coact_install_crash_report(struct coact_runtime *runtime, const char *name);

COACT_END_DECLS

#endif
