/*
 * supervisor_mail.h - the messages that a supervisor takes.
 *
 * One request with an operation in it, because all of them wait in the same
 * lists, which are linked through the kept messages themselves: to put a
 * request off needs no memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_SUPERVISOR_MAIL_H
#define COACT_ACTORS_SUPERVISOR_MAIL_H

#include "actors/supervisor.h"

struct coact__child_plan;

enum coact__sup_operation {
    COACT__SUP_DO_BUILD = 1,
    COACT__SUP_DO_END,
    COACT__SUP_DO_ADD,
    COACT__SUP_DO_TERMINATE,
    COACT__SUP_DO_RESTART,
    COACT__SUP_DO_DELETE,
    COACT__SUP_DO_FIND,
    COACT__SUP_DO_LIST,
    COACT__SUP_DO_LOOK
};

struct coact__sup_request {
    enum coact__sup_operation operation;
    coact_text id; /* empty: ref says which child */
    coact_ref ref;
    struct coact__child_plan *plan;      /* ADD; owned */
    const struct coact_mailbox *mailbox; /* FIND: NULL, a supervisor's */
    int64_t deadline_ns;                 /* END */
    struct coact__sup_request *next;     /* the supervisor's */
};

struct coact__sup_answer {
    int code;
    coact_ref ref;
    struct coact_reason why;
    struct coact_child_info *list; /* LIST; owned */
    size_t count;
    struct coact_supervisor_info look;
};

enum coact__sup_news_kind {
    COACT__SUP_NEWS_STARTED = 1, /* a child has called coact_started */
    COACT__SUP_NEWS_DEADLINE,    /* our supervisor's, before it stops us */
    COACT__SUP_NEWS_LATE         /* who made a supervisor below us late */
};

struct coact__sup_news {
    enum coact__sup_news_kind kind;
    coact_ref who;
    int64_t deadline_ns;
    char path[COACT_REASON_TEXT];
};

void coact__sup_request_clear(struct coact__sup_request *request);
void coact__sup_answer_clear(struct coact__sup_answer *answer);

COACT__DESTRUCTOR(coact__sup_answer, coact__sup_answer_clear);
COACT__DESCRIPTOR(coact__sup_answer, 0, 0, 0, coact__destroy_coact__sup_answer,
                  1);

COACT__DESTRUCTOR(coact__sup_request, coact__sup_request_clear);
COACT__DESCRIPTOR(coact__sup_request, 0, 0, &coact_type_coact__sup_answer,
                  coact__destroy_coact__sup_request, 1);
typedef struct coact__sup_answer coact_reply_of_coact__sup_request;

COACT__DECLARE(coact__sup_news);
COACT__DESCRIPTOR(coact__sup_news, 0, 0, 0, 0, 1);
typedef struct coact_no_reply coact_reply_of_coact__sup_news;

COACT_MAILBOX(coact__supervisor, coact__sup_request, coact__sup_news);

#endif
