/* store_disk.h - the store on this machine's disk, shared by all servers of the user.
 *
 *     closed ──first use──▶ opening ──▶ open ◀──────┐ damaged or replaced: opened anew
 *                  ▲           │          │ ────────┘
 *                  │           ▼          ▼ can't be used
 *                  └─after 60 s── off ◀───┘
 *
 * Everything that may wait (opening, writing, evicting) happens on a thread. A lookup happens at
 * once, in microseconds; when some within a minute took longer than slow_us, or one ten times as
 * long, lookups are made on a thread for a minute, and what isn't known after STORE_LATER_US is a
 * miss.
 * Entries wait up to flush_us for company, and are lost where the process is killed meanwhile. */
#ifndef CRUCIBLE_REQUEST_STORE_DISK_H
#define CRUCIBLE_REQUEST_STORE_DISK_H

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/loop/loop.h"
#include "core/request/store.h"

struct store_disk_options {
    const char *folder; /* absolute; copied */
    uint64_t max_bytes; /* of the file and its log; 0: nothing is kept or found */
    uint64_t ttl_us;    /* entries that are older aren't given, by the wall clock */
    uint64_t flush_us;  /* how long an entry may wait to be written */
    uint64_t slow_us;   /* a lookup that takes longer is one too many */
    uint64_t off_us;    /* how long it is off after a failure */
};
#define STORE_DISK_OPTIONS_INIT                                                                    \
    {                                                                                              \
        .max_bytes = 256ull * MIB, .ttl_us = SEC_TO_US(300), .flush_us = SEC_TO_US(1),             \
        .slow_us = MS_TO_US(2), .off_us = SEC_TO_US(60)                                            \
    }

/* Touches no disk. The loop outlives the store, and is destroyed after it. */
struct store *store_disk_create(struct loop *loop, const struct store_disk_options *options);
/* From the next lookup and the next writing on. */
void store_disk_configure(struct store *s, uint64_t max_bytes, uint64_t ttl_us);
/* Appends $XDG_CACHE_HOME/crucible or ~/.cache/crucible; nothing where neither is known. */
void store_disk_folder(struct buf *out);

#endif
