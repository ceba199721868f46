/*
 * session.h - the link to one peer, as a machine without input or output.
 *
 * Fed with frames, with the state of the connection and with the time, it says
 * which frame is to be sent next and tells its hooks what happened.  It calls
 * nobody else, so that it runs the same on nanomsg, in the simulated network
 * and in a test that passes frames by hand.
 *
 *   state  | means                             | left when
 *   down   | no keys; knocking, M1, M2         | a handshake is complete
 *   up     | keys, sequence numbers, credit    | fall(), whose reasons are the
 *          |                                   | table in transport.h
 *
 * Up is when the lower id has seen M2, and when the higher id has opened the
 * first data frame.  Nothing is left over from one session to the next but the
 * peer's last incarnation.
 *
 * The owner's one thread calls everything but send, consumed and backlog, which
 * are for any thread.  The lock guards what those touch: the outbox and the
 * published state.  No hook is called while it is held.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_TRANSPORT_SESSION_H
#define COACT_RUNTIME_TRANSPORT_SESSION_H

#include "runtime/transport/counters.h"
#include "runtime/transport/handshake.h"
#include "runtime/transport/intake.h"
#include "runtime/transport/outbox.h"

#include <pthread.h>

/* Heartbeats without a sign before a session ends. */
#define COACT__SILENT_BEATS 4

/* No smaller window: a full frame must fit into what is granted anew. */
#define COACT__WINDOW_MIN (4u * COACT__FRAME_PLAIN)

/* The same for all links of a node; lent to each session. */
struct coact__session_config {
    struct coact__identity self;
    struct coact__outbox_limits limits;
    int64_t heartbeat_ns;
    int64_t stall_ns; /* 0: never */
    struct coact__transport_hooks hooks;
    void *owner;
    struct coact__counters *counters;
};

struct coact__session {
    const struct coact__session_config *config;
    uint32_t peer;

    /* Guarded by the lock. */
    pthread_mutex_t lock;
    struct coact__outbox outbox;
    bool is_open; /* up, and not saying good-bye */
    uint32_t open_incarnation;
    uint64_t open_message_max;
    uint64_t released;  /* credit given back and not yet seen */
    int fall_requested; /* an urgent message found no room: why to fall */

    /* There may be something to send: set under the lock, cleared there by
       the owner's thread.  Relaxed elsewhere: a hint that saves the lock. */
    _Atomic bool is_dirty;

    /* The owner's thread's. */
    bool is_up;
    bool is_connected;
    struct coact__handshake shake;
    struct coact__agreement live;
    struct coact__intake intake;
    uint64_t tx_seq, rx_seq;
    uint64_t credit, spent;       /* granted by the peer; used of it */
    uint64_t heard;               /* frames of ours that it has seen */
    int64_t rx_ns, tx_ns;         /* last frame in, out */
    int64_t unheard_ns;           /* since when one of ours is not heard */
    uint64_t progress;            /* the peer's number */
    int64_t progress_ns;          /* since when it stands still */
    bool is_stalled;              /* and the owner has been told */
    bool beat_now;                /* send a frame, even an empty one */
    struct coact__parcel *parcel; /* taken, to be sealed next */
    bool is_bare;                 /* to be sealed next: a frame of no records */
    bool wants_bye, bye_is_out;
    int bye_why;
    int64_t bye_at_ns;   /* from here on without waiting for the outbox */
    bool has_last_words; /* the answer to a BYE, sealed while we had keys */
    uint8_t last_words[COACT__FRAME_MIN + COACT__RECORD_HEADER + 1];
    uint64_t last_incarnation; /* of the peer; 0: none yet */
    int64_t next_hello_ns;
    int64_t hello_ns; /* when the last M1 was made ready */
    unsigned tries;   /* hellos since the connection was made */
    bool wants_renew; /* the connection is to be made anew */
    uint64_t serial;  /* grows when frames sealed before become worthless */
};

/* -ENOMEM */
COACT_CHECKED int coact__session_init(struct coact__session *s,
                                      const struct coact__session_config *cfg,
                                      uint32_t peer);
void coact__session_fini(struct coact__session *s);

/* As coact__transport_send.  *wakes is set if the owner's thread must look. */
COACT_CHECKED int coact__session_send(struct coact__session *s,
                                      uint32_t incarnation, uint64_t lane,
                                      unsigned flags, const struct iovec *parts,
                                      int count, bool *wakes);

/* As coact__transport_consumed; true if the owner's thread must look. */
bool coact__session_consumed(struct coact__session *s, uint32_t incarnation,
                             size_t len);

/* The connection to the peer stands, or does not. */
void coact__session_connected(struct coact__session *s, bool is_connected,
                              int64_t now_ns);

/* It broke, even if it stands again by now. */
void coact__session_broken(struct coact__session *s);

/* A frame whose shape says that it is from this peer.  Opened in place. */
void coact__session_hello(struct coact__session *s,
                          const uint8_t frame[COACT__HELLO_BYTES],
                          int64_t now_ns);
void coact__session_data(struct coact__session *s, uint8_t *frame, size_t len,
                         int64_t now_ns);

/* Do what time demands. */
void coact__session_tick(struct coact__session *s, int64_t now_ns);

/* When tick has something to do, at the latest. */
int64_t coact__session_next_ns(const struct coact__session *s);

/* The size of the next frame to send, 0 if there is none.  Then seal writes it
   to out. */
size_t coact__session_ready(struct coact__session *s);
void coact__session_seal(struct coact__session *s, uint8_t *out,
                         int64_t now_ns);

/* Say BYE once all is sent, or at bye_at_ns at the latest.  The session then
   ends with `why` when the peer has answered. */
void coact__session_leave(struct coact__session *s, int why, int64_t bye_at_ns);

/* End the session at once, if there is one. */
void coact__session_fall(struct coact__session *s, int why);

/* Bytes accepted and not yet sealed; and, if not NULL, all ever accepted. */
size_t coact__session_backlog(struct coact__session *s, uint64_t *messages,
                              uint64_t *bytes);

/* Between session.c and session_data.c. */
void coact__session_begin(struct coact__session *s,
                          const struct coact__agreement *agreement,
                          int64_t now_ns);
void coact__session_end(struct coact__session *s, int why, bool renew);

#endif
