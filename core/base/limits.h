/* limits.h - every maximum in one place. Nothing that a peer sends sizes an allocation past these.
 */
#ifndef CRUCIBLE_BASE_LIMITS_H
#define CRUCIBLE_BASE_LIMITS_H

#define KIB (1024u)
#define MIB (1024u * 1024u)

/* The editor's side */
#define RPC_MAX_HEADER_BYTES (8u * KIB) /* one header block */
#define RPC_MAX_MESSAGE_BYTES                                                                      \
    (256u * MIB)                         /* longer bodies are drained and answered with an error */
#define RPC_MAX_DRAIN_BYTES (1ull << 40) /* a larger Content-Length is nonsense: resynchronise */
#define RPC_MAX_OUT_BYTES   (64u * MIB)  /* waiting for an editor that doesn't read */
#define RPC_MAX_PENDING     10000u       /* requests that wait for a reply */
#define URI_MAX_BYTES       (64u * KIB)

/* Documents */
#define DOCUMENT_MAX_BYTES (1024u * MIB)
#define DOCUMENTS_MAX      10000u

/* What goes to an engine and comes back */
#define WINDOW_MAX_BYTES      (32u * KIB) /* text of a question, prefix and suffix together */
#define PROMPT_MAX_BYTES      (256u * KIB)
#define FLIGHT_MAX_TEXT_BYTES (64u * KIB) /* clean text of one flight */
#define HTTP_MAX_HEADER_BYTES (64u * KIB) /* of one response, all headers */
#define HTTP_MAX_LINE_BYTES   (1u * MIB)  /* one SSE or NDJSON line, one event */
#define HTTP_MAX_BODY_BYTES   (8u * MIB)  /* one response */
#define HTTP_MAX_ERROR_BYTES  (16u * KIB) /* of an error body, read to explain it */

/* Settings */
#define SETTINGS_MAX_FILE_BYTES (1u * MIB)
#define ENDPOINTS_MAX           32u
#define MODELS_MAX              256u /* per endpoint */

#endif
