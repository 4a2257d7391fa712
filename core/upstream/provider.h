/* provider.h - what a model server's dialect has to offer: a pure codec.
 *
 * One file in providers/ per dialect exports one `const struct provider_ops`, and
 * providers/table.c lists them. A codec turns questions into request bytes and response bytes into
 * events; it knows no sockets, no clock, no threads and keeps no global state. Decoders see the
 * response in pieces of any size, so each must give the same events for every way of cutting. */
#ifndef CRUCIBLE_UPSTREAM_PROVIDER_H
#define CRUCIBLE_UPSTREAM_PROVIDER_H

#include "core/base/arena.h"
#include "core/base/error.h"

/* -- requests -- */
struct http_request {
    bool is_post, is_head; /* else GET */
    struct buf path;       /* "/infill", with query; appended to the endpoint's base path */
    struct buf body;       /* JSON, empty for GET */
};
void http_request_init(struct http_request *r);
void http_request_release(struct http_request *r);

/* How the text around the hole reaches the model. */
enum generate_shape {
    GENERATE_INFILL, /* prefix and suffix as fields; the server renders its model's template */
    GENERATE_RAW,    /* `prompt` is rendered already, special tokens and all */
    GENERATE_CHAT    /* system and user message, rendered by the server's chat template */
};

/* One generation. All slices are borrowed for the call. */
struct generate {
    enum generate_shape shape;
    str model;          /* the server's id of it; empty: whatever it runs */
    str prefix, suffix; /* GENERATE_INFILL */
    str prompt;         /* GENERATE_RAW; the user message of GENERATE_CHAT */
    str system;         /* GENERATE_CHAT */
    const str *stops;   /* most important first; a codec may cut the list */
    size_t n_stops;
    unsigned max_tokens;
    double temperature; /* < 0: the server's default */
    unsigned n_texts;   /* that are drawn of the one prompt at once, TEXTS_MAX at most; 0 is 1. More
                         * only with PROVIDER_SEVERAL, and not of a chat */
    int slot;           /* where the server has slots; -1: any */
    bool thinks;        /* the model does, unless it is told not to; the upstream's to say */
    uint64_t keep_s;    /* how long the model stays loaded unused; 0: as the server likes */
    unsigned n_ctx;     /* tokens, where the settings give a number: the same in everything that is
                         * asked of the model, since another one reloads it; 0: as the server has it */
    str extra_body;     /* JSON object whose members join the body; "" for none */
    str loaded_as;      /* struct model_info's, of the model */
    unsigned dialect;   /* struct probe's */
};

/* Texts to be made vectors of: of several in one request. Borrowed for the call. */
struct embed_order {
    str model;
    const str *texts; /* EMBED_TEXTS_MAX at most, at least one */
    size_t n_texts;
    uint64_t keep_s; /* as in struct generate, like the others */
    unsigned n_ctx;
    str extra_body;
    unsigned dialect;
};
#define EMBED_TEXTS_MAX 64u
#define EMBED_DIMS_MAX  16384u
/* What came of it: n_texts rows of n_dims finite numbers, in the order's order. */
struct embedding {
    float *values; /* owned */
    size_t n_texts, n_dims;
};
void embedding_release(struct embedding *v);
/* How alike two rows are, from -1 to 1: the cosine of the angle between them; 0 where one is all
 * zeros. */
double embedding_cosine(const struct embedding *v, size_t a, size_t b);

/* Loading a model without asking it anything, or unloading it. Borrowed for the call. */
struct load_order {
    str model;
    uint64_t keep_s; /* as in struct generate, like the others */
    unsigned n_ctx;
    str extra_body;
    str loaded_as;
    unsigned dialect;
};
/* What the answer to an order to load says. */
enum load_state {
    LOAD_DONE,      /* the model is loaded */
    LOAD_UNDER_WAY, /* the server has begun; encode_running tells when it is done */
    LOAD_FAILED     /* `explain` tells why */
};

/* -- responses -- */
enum finish_reason {
    FINISH_NONE,  /* the stream ended without saying so: cut off */
    FINISH_STOP,  /* end of text, or a stop string */
    FINISH_LENGTH /* max_tokens or the context's end */
};
struct generate_end {
    enum finish_reason reason;
    /* -1 where the server doesn't say */
    int64_t n_prompt_tokens, n_cached_tokens, n_tokens;
    double prompt_ms, generate_ms;
};
#define TEXTS_MAX 8u
struct decode_sink {
    void (*on_text)(str utf8, void *user); /* may be called with a piece of any size > 0 */
    void (*on_end)(const struct generate_end *end, void *user); /* at most once, then no text */
    void (*on_error)(const struct error *error, void *user);    /* at most once, then nothing */
    void *user;
    /* Of the other texts, 1 to n_texts - 1, as on_text is of the first, and interleaved with it.
     * That one of them (or the first, 0) has ended is told where the answer says so before its own
     * end. NULL where none were asked for. */
    void (*on_other)(unsigned idx, str utf8, void *user);
    void (*on_text_end)(unsigned idx, enum finish_reason reason, void *user);
};
/* State of one response; large enough for every codec, which keeps its own struct in `state`. */
#define DECODER_STATE_BYTES 512
struct decoder {
    const struct provider_ops *ops;
    struct decode_sink sink;
    str model;        /* that was asked for, where the answer names the one that answers
                       * (PROVIDER_TELLS_MODEL); else empty. Outlives the decoder */
    unsigned n_texts; /* that were asked for; 0 is 1 */
    bool is_over;     /* on_end or on_error was called */
    _Alignas(16) unsigned char state[DECODER_STATE_BYTES];
};

/* -- what a server says about itself -- */
enum probe_state {
    PROBE_MORE,    /* another request is needed: call probe_next again */
    PROBE_READY,   /* it serves, *found is filled */
    PROBE_LOADING, /* it is this kind of server, its model is still loading */
    PROBE_FOREIGN, /* something answers, but it doesn't speak this dialect */
    PROBE_REFUSED  /* the key is missing or wrong */
};
enum model_ability {
    MODEL_INFILL = 1, /* GENERATE_INFILL works */
    MODEL_RAW = 2,    /* GENERATE_RAW works */
    MODEL_CHAT = 4,   /* GENERATE_CHAT works */
    MODEL_THINKS = 8, /* thinks aloud before it answers, unless it is told not to */
    MODEL_EMBEDS = 16 /* is made for vectors: told by some servers. Others may be as good */
};
struct model_info {
    str id;             /* what requests call it */
    str name;           /* what it says of itself (file name, architecture): chooses the template */
    unsigned abilities; /* enum model_ability, as far as known */
    str tokens;         /* the tokens around a hole that its own tokenizer has, a line each */
    bool tokens_told;   /* the tokenizer was asked: it has no others */
    uint64_t n_params, n_bytes; /* 0: unknown */
    uint64_t n_ctx;             /* tokens per request, 0: unknown */
    uint64_t loaded_ctx;        /* tokens that it was loaded with where that is chosen at each load,
                                 * 0: unknown, or not loaded */
    bool is_loaded;
    bool is_starting; /* the server says that it is loading it, whoever wanted it */
    bool is_remote;   /* a loopback server forwards it to somewhere else */
    str loaded_as;    /* what requests have to call it while it is loaded; empty: its id */
    /* the upstream's; nothing for codecs */
    bool is_loading;                /* a load that we asked for is under way */
    uint64_t heard_us;              /* when it was last known to be loaded */
    const struct error *load_error; /* why the last load failed; NULL: it didn't */
};
struct probe {
    unsigned step;                  /* how many requests have been answered */
    struct arena *arena;            /* owns every string of `models` */
    const struct model_info *known; /* what the last look found, borrowed; may be none */
    size_t n_known;
    struct model_info *models;
    size_t n_models;
    unsigned n_slots; /* requests served in parallel; 0: unknown */
    str version;
    double loading;   /* 0..1, < 0: unknown */
    unsigned dialect; /* which form of its API the server speaks, by the codec's own numbering;
                       * comes back with every order and question */
    bool is_static;   /* of a kind that loads and unloads: this server doesn't, so that everything
                       * it has is loaded */
    const char *hint; /* with PROBE_REFUSED and PROBE_FOREIGN: what a person may do about it, in
                       * place of the usual advice; NULL: nothing special. Static */
    void *notes;      /* the codec's own, in the arena */
};

enum provider_capability {
    PROVIDER_IN_PROCESS = 1,   /* no HTTP: answered by the built-in predictor */
    PROVIDER_SLOTS = 2,        /* `slot` is honoured */
    PROVIDER_ONE_MODEL = 4,    /* serves a single model and ignores its name */
    PROVIDER_READS_TOKENS = 8, /* control tokens in a GENERATE_INFILL's text count as such */
    PROVIDER_TELLS_MODEL = 16, /* answers name the model that answers, which may be another one
                                * than was asked for: then the answer is refused */
    PROVIDER_SEVERAL = 32      /* `n_texts` is honoured: with PROVIDER_SLOTS up to the number of
                                * slots, else by most servers of the kind */
};

struct provider_ops {
    const char *kind;         /* the word in the configuration */
    unsigned capabilities;    /* enum provider_capability */
    unsigned abilities;       /* enum model_ability a model of it may have */
    const char *start_hint;   /* a command that starts such a server with a model that fills in
                               * the middle, for people; may be NULL */
    const char *run_hint;     /* a command that starts such a server as it is set up, "%PORT" in the
                               * place of the port where it takes one; may be NULL */
    const char *context_hint; /* how its models get a larger context, for people; may be NULL */
    const uint16_t *ports;    /* loopback ports to look at, 0-terminated; may be NULL */
    size_t max_stops;         /* stop strings it takes; SIZE_MAX: any number */

    /* How a server is reached beyond what the settings say; each may be NULL. */
    const char *default_url;        /* where the settings of an endpoint give none */
    const char *const *url_endings; /* NULL-terminated: what people write at the end of an url
                                     * though the dialect's paths begin with it; cut off */
    const char *key_header;         /* the header that carries the key; NULL: Authorization,
                                     * after "Bearer " */
    const char *const *headers;     /* NULL-terminated "Name: value", sent with every request
                                     * unless the settings have one of that name */
    const char *warm_request;       /* "GET /path" or "HEAD /path" that opens a connection ahead of
                                     * need: costs the server nothing, loads and wakes no model and
                                     * keeps none loaded; any answer will do. NULL: there is none */

    /* Encodes request number p->step of a probe. */
    void (*probe_request)(const struct probe *p, struct http_request *out);
    /* Reads the answer (status 0: none came) and counts p->step on. */
    enum probe_state (*probe_reply)(struct probe *p, int status, str body);

    /* ERR_REJECTED where the shape isn't one of its abilities. */
    enum err (*encode)(const struct generate *g, struct http_request *out, struct error *why);
    void (*decode_begin)(struct decoder *d);
    void (*decode)(struct decoder *d, str bytes);
    /* The response's end; gives on_end(FINISH_NONE) or on_error where nothing ended it before.
     * Also releases what the state holds: always called, also after an abort, which gives nothing
     * any more. Not from inside a callback of the sink. */
    void (*decode_finish)(struct decoder *d, bool is_aborted);
    /* Explains a response whose status isn't 200. `body` is at most HTTP_MAX_ERROR_BYTES of it. */
    void (*explain)(int status, str body, struct error *out);

    /* Vectors of texts, answered in one piece; both NULL where the dialect has none. read_embed
     * gives ERR_PROTOCOL for an answer that isn't what was ordered. */
    enum err (*encode_embed)(const struct embed_order *o, struct http_request *out,
                             struct error *why);
    enum err (*read_embed)(str body, size_t n_texts, struct embedding *out, struct error *why);

    /* Of servers that load a model when it is asked for and unload it later; all of these are
     * NULL where what is listed is loaded. */
    enum err (*encode_load)(const struct load_order *l, struct http_request *out,
                            struct error *why);
    /* What the whole of the answer says; NULL: status 200 that the model is loaded. */
    enum load_state (*read_load)(int status, str body);
    /* Gives the model's memory back; NULL: it can't be done. ERR_REJECTED: not by this server. */
    enum err (*encode_unload)(const struct load_order *l, struct http_request *out,
                              struct error *why);
    /* Asks which models are loaded; neither loads one nor keeps it from being unloaded. */
    void (*encode_running)(unsigned dialect, struct http_request *out);
    /* Sets is_loaded, is_starting and loaded_as (in the arena, where it is another one) of each
     * model; false where `body` doesn't tell. */
    bool (*read_running)(str body, struct arena *arena, struct model_info *models, size_t n_models);
};

/* NULL-terminated; defined in providers/table.c and handed to the upstream by lsp/main.c. */
extern const struct provider_ops *const provider_table[];

/* Whether a model server may answer with this type of content: JSON in one piece, lines of it, or
 * events. Where nothing is said the codec will see. */
bool provider_is_answer(str content_type);

/* The dialect that `kind` names and that can be configured, or NULL. */
const struct provider_ops *provider_find(const struct provider_ops *const *table, str kind);

#endif
