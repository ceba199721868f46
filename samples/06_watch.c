/*
 * 06_watch.c - one actor watches others end, and learns why.
 *
 * A monitor brings one message, coact_down, after everything that the dead
 * actor had sent.  The parcel's number comes as the argument of its carrier,
 * which is lent: it must stay where it is until the carrier has ended.
 *
 * SPDX-License-Identifier: MIT
 */
#include <coact/actor.h>
#include <coact/runtime.h>

#include <stdio.h>
#include <stdlib.h>

enum { PARCELS = 5, LOST = COACT_USER_REASON };

struct delivered {
    int32_t parcel;
};
COACT_MESSAGE(delivered, (1, parcel));

COACT_MAILBOX(office, delivered);

struct parcel {
    int32_t number;
    office_ref office;
};

static void
must(int rc)
{
    if (rc != 0) {
        fprintf(stderr, "%s\n", coact_strerror(rc));
        _Exit(1);
    }
}

static void
carrier_body(office_self self, void *arg)
{
    struct parcel *parcel = arg;
    (void)self;
    if (parcel->number == 3) {
        coact_fail(LOST, "parcel %d fell into the river", parcel->number);
    }
    must(coact_send(parcel->office, delivered, .parcel = parcel->number));
}

static void
office_body(office_self self, void *arg)
{
    struct parcel parcels[PARCELS];
    (void)arg;
    for (int i = 0; i < PARCELS; i++) {
        office_ref carrier;
        coact_monitor_id watch;
        parcels[i] = (struct parcel){i, {self.ref}};
        must(coact_spawn_with(office, &carrier, carrier_body, &parcels[i],
                              .label = "carrier", .monitor = &watch));
    }
    for (int carriers = PARCELS; carriers > 0;) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(delivered, m):
            printf("parcel %d is delivered\n", m->parcel);
            break;
        case COACT_ON_DOWN(d): {
            carriers--;
            if (d->reason.code != COACT_NORMAL) {
                printf("a carrier failed: %s\n", d->reason.text);
            }
        } break;
        }
    }
}

int
main(void)
{
    const struct coact_runtime_options options = {.log_level = COACT_LOG_NONE};
    struct coact_runtime *runtime;
    must(coact_start(&options, &runtime));
    must(coact_attach(runtime));

    office_ref office;
    must(coact_spawn(office, &office, office_body, NULL));
    must(coact_join(office.ref, COACT_FOREVER, NULL));

    coact_detach();
    must(coact_stop(runtime, COACT_FOREVER));
    must(coact_free(runtime));
    return 0;
}
