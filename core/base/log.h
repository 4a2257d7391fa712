/* log.h - one line, one event, ids first.
 *
 * Lines go to stderr or to the file of --log; stdout belongs to the protocol. Editors show stderr
 * as errors, so the level starts at warn. Never document text, prompts, headers or keys, at any
 * level. Values that come from outside are printed through LOG_SAFE (escaped, shortened). */
#ifndef CRUCIBLE_BASE_LOG_H
#define CRUCIBLE_BASE_LOG_H

#include "core/base/error.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_area { /* printed as the first word of a line */
                LOG_MAIN,
                LOG_LSP,
                LOG_RPC,
                LOG_DOCUMENT,
                LOG_SETTINGS,
                LOG_ENGINE,
                LOG_FLIGHT,
                LOG_MODEL,
                LOG_UPSTREAM,
                LOG_PREDICT,
                LOG_LOOP,
                LOG_STORE,
                N_LOG_AREAS
};

/* Opens `path` for appending (0600); NULL or "" means stderr. */
NODISCARD enum err log_open(const char *path);
void log_close(void);
void log_set_level(enum log_level level);
enum log_level log_level(void);
/* "error", "warn", "info", "debug"; false for any other word. */
bool log_level_from(str name, enum log_level *out);
bool log_is_on(enum log_level level);
void log_write(enum log_level level, enum log_area area, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define log_at(level, area, ...) (log_is_on(level) ? log_write(level, area, __VA_ARGS__) : (void)0)
#define log_error(area, ...)     log_at(LOG_ERROR, area, __VA_ARGS__)
#define log_warn(area, ...)      log_at(LOG_WARN, area, __VA_ARGS__)
#define log_info(area, ...)      log_at(LOG_INFO, area, __VA_ARGS__)
#define log_debug(area, ...)     log_at(LOG_DEBUG, area, __VA_ARGS__)

#define LOG_SAFE_BYTES 96
struct log_safe {
    char text[LOG_SAFE_BYTES];
};
/* `s` with everything but printable ASCII escaped, cut to fit: LOG_SAFE(method). */
struct log_safe log_safe(str s);
#define LOG_SAFE(s) (log_safe(s).text)

#endif
