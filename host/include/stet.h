/* stet.h - correct text with a text-rewriting model, exactly as plain greedy decoding would, only
 * sooner.
 *
 * stet loads an encoder-decoder model (a folder in the Hugging Face layout), reads text and returns
 * the corrected text together with the list of edits. It decodes aggressively: the input sentence
 * itself is taken as the draft of the output, one pass of the decoder checks many drafted tokens at
 * once, and the longest agreeing stretch is kept together with one token of the model's own. The
 * result is, token for token, what greedy decoding of the same sentence alone gives.
 *
 * The short way:
 *
 *     stet_error err = {.struct_size = sizeof err};
 *     stet_model *model = NULL;
 *     stet_engine *engine = NULL;
 *     stet_result *result = NULL;
 *     if (stet_model_load("models/stet-edge-en", NULL, 0, &model, &err) != STET_OK ||
 *         stet_engine_create(model, NULL, 0, &engine, &err) != STET_OK ||
 *         stet_correct(engine, "She go to school.", 17, &result, &err) != STET_OK)
 *         fprintf(stderr, "%s\n", err.message);
 *     else
 *         puts(stet_result_text(result, NULL));
 *     stet_result_release(result);     // all of these accept NULL
 *     stet_engine_destroy(engine);
 *     stet_model_release(model);
 *
 * A server hands in requests and is woken when they are done (stet_submit, stet_cq_fd): see
 * "Completion queues" below.
 *
 * Rules for the whole interface:
 *  - C99, no C++ needed, usable from any language that can call C.
 *  - Every call that can fail returns a stet_status (0 = STET_OK, negative = error) and fills the
 *    caller's stet_error, if one is given, with a sentence that names what is wrong and what to do.
 *  - The library never prints, never ends the process and never changes the process's state
 *    (locale, signals, environment, working folder).
 *  - Text is UTF-8 with an explicit length; NUL bytes are ordinary bytes. Invalid UTF-8 is not an
 *    error: a sentence that holds some is passed through as it is.
 *  - Structs that may grow begin with `struct_size`; set it to sizeof the struct before the call.
 *  - Handles are opaque. Passing NULL to a release or destroy function is legal.
 */
#ifndef STET_H
#define STET_H

#include <stddef.h>
#include <stdint.h>

#ifndef STET_API
#define STET_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Version --------------------------------------------------------------------------------- */

#define STET_VERSION_MAJOR 0
#define STET_VERSION_MINOR 1
#define STET_VERSION_PATCH 0
#define STET_VERSION "0.1.0"

/* Version of the library that is loaded, such as "0.1.0". Static storage. */
STET_API const char *stet_version(void);

/* CLOCK_MONOTONIC in nanoseconds, for deadlines: not every language can read that clock. */
STET_API uint64_t stet_clock_ns(void);

/* ---- Status and errors ----------------------------------------------------------------------- */

/* 0 or one of the negative codes below; later versions may add codes */
typedef int32_t stet_status;

/* Every code with its name and text. */
#define STET_STATUS_MAP(XX)                                                                        \
    XX(OK, 0, "success")                                                                           \
    XX(E_INVALID, -1, "invalid argument or option")                                                \
    XX(E_NOMEM, -2, "out of memory")                                                               \
    XX(E_BUSY, -3, "too much work in flight, try again later")                                     \
    XX(E_DEADLINE, -4, "deadline passed")                                                          \
    XX(E_CANCELLED, -5, "cancelled")                                                               \
    XX(E_TOO_LONG, -6, "input is longer than the limit")                                           \
    XX(E_MODEL, -7, "model folder is broken or not supported")                                     \
    XX(E_DEVICE, -8, "device or backend failed")                                                   \
    XX(E_SHUTDOWN, -9, "engine is shutting down")                                                  \
    XX(E_FORKED, -10, "engine belongs to another process")                                         \
    XX(E_IO, -11, "file cannot be read or written")                                                \
    XX(E_FORMAT, -12, "file does not have the expected format")                                    \
    XX(E_VERIFY, -13, "drafted decoding differs from greedy decoding")

enum {
#define STET_STATUS_ENUM(name, value, text) STET_##name = (value),
    STET_STATUS_MAP(STET_STATUS_ENUM)
#undef STET_STATUS_ENUM
};

/* Filled by failing calls, not touched by others. Owned by the caller, never allocated; without a
 * struct_size nothing is written. */
typedef struct stet_error {
    uint32_t struct_size; /* sizeof(stet_error) */
    stet_status code;
    uint32_t retry_after_ms; /* with STET_E_BUSY: when to try again */
    uint32_t reserved;
    char message[496]; /* UTF-8, NUL-terminated, one line */
} stet_error;

/* "STET_E_MODEL" and the text of the table above; unknown codes give "STET_E_UNKNOWN". Static
 * storage. */
STET_API const char *stet_status_name(stet_status s);
STET_API const char *stet_status_text(stet_status s);

/* ---- Hooks ----------------------------------------------------------------------------------- */

#define STET_LOG_ERROR 0
#define STET_LOG_WARN 1
#define STET_LOG_INFO 2
#define STET_LOG_DEBUG 3

/* What the host program can take over. Every member is optional. */
typedef struct stet_hooks {
    uint32_t struct_size;
    uint32_t log_level; /* messages above this level are dropped before formatting */
    /* One line without a line end; may be called from any thread. */
    void (*log)(void *ctx, int32_t level, const char *component, const char *line, size_t len);
    void *log_ctx;
    /* Both or neither. mem_alloc returns `size` bytes aligned to `align` (a power of two), or
     * NULL. */
    void *(*mem_alloc)(void *ctx, size_t size, size_t align);
    void (*mem_free)(void *ctx, void *p, size_t size);
    void *mem_ctx;
} stet_hooks;

/* Call once, before anything else, from one thread.
 * STET_E_INVALID: only one of the memory hooks is set, or a handle already exists. */
STET_API stet_status stet_set_hooks(const stet_hooks *hooks, stet_error *err);

/* ---- Models ---------------------------------------------------------------------------------- */

/* An option as text, as a command line or a configuration file has it. */
typedef struct stet_option {
    const char *key;
    const char *value;
} stet_option;

/* Weights and tokenizer, read-only, shared by engines. Reference counted. Any thread. */
typedef struct stet_model stet_model;

/* Loads the folder `path`. Its files must not change while the model is in use.
 *
 * options (NULL with n = 0 for the defaults):
 *   device         "cpu" (default), "cuda", or "auto": cuda if there is one that works, else cpu,
 *                  and then the log hook gets a warning that says why. Scores, and where two
 *                  tokens are nearly equal the answers, may differ between cpu and cuda, so "auto"
 *                  is for programs to which that makes no difference. cuda needs a plug-in of the
 *                  same version, libstet_cuda.so, which is looked for at each load: in the
 *                  environment variable STET_PLUGIN_PATH (the file or its folder), else beside
 *                  this library, beside the running programme, and where the system's loader
 *                  looks. It stays loaded. It does not use the memory hooks
 *   device_index   which of several devices, 0 .. 255 (default 0), or several: a list and ranges,
 *                  such as "0,2" or "0-3", at most 64, or "all". The weights are read and packed
 *                  once and copied to the other devices, by NCCL where libnccl.so.2 is found. Each
 *                  engine uses all of them: see stet_engine_create. With cpu a list begins with 0
 *                  and has no gaps: it is one processor, and the engine has so many decoders on it
 *                  that share its threads and weights. "all" is 0 there
 *   compute_type   what matrices and the rows they are multiplied with are rounded to: "auto"
 *                  (default: int8 for a folder of int8 weights, else float32), "int8", "float32",
 *                  or on cuda "bfloat16". Weights of any stored type can be computed with in any
 *                  of them; float16 ones become bfloat16 by rounding, as there is no product in
 *                  float16. Answers are the same for every draft and batch, but may differ
 *                  between types
 *   intra_threads  threads of each engine of this model, 1 .. 256; default: the processors this
 *                  process may use, at most 4. With several devices they are shared out, at least
 *                  one for each
 *
 * STET_E_IO       a file is missing or cannot be read
 * STET_E_FORMAT   a file is not what its name says (message: file, key or offset)
 * STET_E_MODEL    the model is broken or not supported (message: tensor or key, expected and found)
 * STET_E_INVALID  unknown option or value, or a compute type that the device does not have
 * STET_E_DEVICE   the device asked for cannot be used (message: what is missing: the plug-in, a
 *                 library or driver that it needs, or the device)
 * STET_E_NOMEM    out of memory
 * On failure *out is NULL and there is nothing to release. */
STET_API stet_status stet_model_load(const char *path, const stet_option *options, size_t n_options,
                                     stet_model **out, stet_error *err);
STET_API void stet_model_retain(stet_model *model);
STET_API void stet_model_release(stet_model *model);

#define STET_REPORT_TEXT 0u
#define STET_REPORT_JSON 1u

/* Describes a folder without running it: family, sizes, stored type and the compute types it can
 * run in on the device of the options, tokenizer, special tokens around a source and at the start,
 * languages, prompt, files, devices that can be used with their compute types and why others
 * cannot, memory with 1, 8, 32 and 128 requests in flight, and whether this build can run it; if
 * not, what is wrong with each part that can be examined without the others. Takes
 * stet_model_load's and stet_engine_create's options, which change the memory figures.
 * Writes at most `cap` bytes to buf, always NUL-terminated if cap > 0; *needed is set to the length
 * of the whole report without the NUL.
 * The status is that of loading: a report is written also for a folder that cannot be run. */
STET_API stet_status stet_model_inspect(const char *path, const stet_option *options,
                                        size_t n_options, uint32_t format, char *buf, size_t cap,
                                        size_t *needed, stet_error *err);

/* ---- Replay ---------------------------------------------------------------------------------- */

typedef struct stet_text {
    const char *data; /* UTF-8; not NUL-terminated */
    size_t len;       /* bytes */
} stet_text;

/* Answers to all sources of a replay. */
typedef struct stet_replay_answers {
    const char *name;       /* for the report and for messages, such as a file name */
    const stet_text *texts; /* one for each source, in the same order */
} stet_replay_answers;

/* The texts are token ids, as decimal numbers with white space between them, without
 * end-of-sentence token. */
#define STET_REPLAY_IDS 1u
/* The JSON report also has the counts of every sentence. */
#define STET_REPLAY_PER_SENTENCE 2u

typedef struct stet_replay_input {
    uint32_t struct_size;
    uint32_t flags; /* STET_REPLAY_... */
    /* A folder with a tokenizer; nothing else of it is read. With STET_REPLAY_IDS it may be NULL:
     * then the policies do not know where words begin, and some guess worse. */
    const char *folder;
    const char *source_name;  /* for messages */
    const stet_text *sources; /* one sentence each */
    size_t n_sources;
    const stet_replay_answers *answers;
    size_t n_answers;
} stet_replay_input;

/* Counts, without a model, what draft policies cost when a model turns the sources into these
 * answers: decoder passes, rows, drafted and accepted tokens, and the passes of whole batches. The
 * counts are those of an engine that decodes each sentence alone, with lengths that limit nothing.
 *
 * options:
 *   draft         policies with commas between them, such as "edit,sad", or "all" (default)
 *   draft_window  most tokens drafted at once; "0" = no limit (default); "auto" is the same, for
 *                 there is no device to ask
 *   batch_size    sentences of a batch, 1 .. 1024 (default 32)
 * STET_E_INVALID   unknown option, policy or value; an argument is NULL; no source or no answers
 * STET_E_IO, STET_E_FORMAT, STET_E_MODEL   the tokenizer, as of stet_model_load
 * STET_E_FORMAT    a text is not a list of token ids (message: name and line)
 * STET_E_TOO_LONG  a sentence of more than 65536 tokens (message: name and line)
 * STET_E_NOMEM     out of memory
 * The report is written to buf as by stet_model_inspect; on failure there is none. */
STET_API stet_status stet_replay(const stet_replay_input *input, const stet_option *options,
                                 size_t n_options, uint32_t format, char *buf, size_t cap,
                                 size_t *needed, stet_error *err);

/* ---- Quantizing ------------------------------------------------------------------------------ */

typedef struct stet_quantize_input {
    uint32_t struct_size;
    uint32_t reserved; /* 0 */
    const char *from;  /* a model folder of any family, with weights of any type that stet reads */
    /* A folder that is not there yet, or is empty. It is there when all is done, and not before. */
    const char *to;
    const stet_text *texts; /* NULL, or texts for the comparison, one sentence each */
    size_t n_texts;
    const char *texts_name; /* for messages, such as a file name; not NULL with texts */
} stet_quantize_input;

typedef struct stet_quantize_report {
    uint32_t struct_size;
    uint32_t reserved;
    uint64_t bytes_before, bytes_after; /* of the files with weights */
    uint64_t files_before, files_after; /* how many of these */
    uint64_t copied_files;              /* other files */
    uint64_t quantized;                 /* matrices that became int8 */
    uint64_t converted;                 /* tensors that became float32, float16 or bfloat16 */
    uint64_t kept;                      /* tensors that are as they were */
    uint64_t left_out;                  /* tensors that the model does not use */
    /* The root mean square of new - old weights, divided by that of the old: over all tensors that
     * were quantized or converted, and of the one where it is largest ("": no weight changed). */
    double error, worst_error;
    char worst_tensor[128];
    /* Of the texts, decoded with the old and the new folder: how many there are and how many have
     * equal output tokens; the output tokens of the old and of the new folder, and those that both
     * have, in the same order. */
    uint64_t lines, equal_lines, tokens, new_tokens, equal_tokens;
} stet_quantize_report;

/* Writes a model folder with weights of another type. config.json says the new type, where it says
 * one; int8 folders also get the key quantization_config, without which other software would
 * take the integers for the weights. All other regular files of the folder but its weights are
 * copied, byte for byte; folders in it are not.
 *
 * int8: matrices and embedding tables as I8 with one float scale (largest magnitude / 127) for each
 * row, exactly the numbers that loading the old folder with compute_type "int8" computes with;
 * norms, biases and positions stay as they are. Float types: every tensor is rounded to nearest,
 * ties to even; int8 weights become value * scale. Memory does not grow with the model, unless
 * there are texts.
 *
 * The folder's configuration and weights must be such that stet can run them; its tokenizer is not
 * looked at, unless there are texts: then both folders are loaded, one after the other, and decode
 * the texts. Texts longer than the engine's sentences are decoded in parts.
 *
 * options:
 *   compute_type   "int8" (default), "bfloat16", "float16" or "float32"
 *   device, device_index, intra_threads   for the comparison, as of stet_model_load
 * STET_E_INVALID   unknown option or value; an argument is NULL
 * STET_E_IO, STET_E_FORMAT, STET_E_MODEL   as of stet_model_load; STET_E_IO also where a file
 *                  cannot be written, or `to` is there and not empty
 * STET_E_MODEL     a weight is no finite number, or too large for float16 (message: the tensor)
 * STET_E_TOO_LONG  a text of more than 65536 tokens (message: name and line)
 * STET_E_NOMEM     out of memory
 * On failure nothing is left of the new folder, and the report is not touched. */
STET_API stet_status stet_quantize(const stet_quantize_input *input, const stet_option *options,
                                   size_t n_options, stet_quantize_report *report, stet_error *err);

/* ---- Engines --------------------------------------------------------------------------------- */

/* Working memory, caches and threads that serve requests: the sentences of all requests in flight
 * are decoded together, and a sentence joins or leaves at every decoder pass. Any thread may call.
 * An engine does not survive fork(): calls in the child give STET_E_FORKED.
 *
 * On several devices (option device_index of the model) it has a decoder and a thread on each. A
 * request goes to the device that has the fewest source tokens in flight, and all its sentences
 * are decoded there: a long text is divided between devices only if it comes as several requests.
 * The output does not depend on the device, if all are of one kind. When one fails, the requests
 * on it are decoded on the others from their beginning; a request that was being decoded on two
 * devices when they failed gets STET_E_DEVICE, for it may be the cause. */
typedef struct stet_engine stet_engine;

/* With several devices batch_size counts for each of them; memory_limit, queue_size, queue_tokens
 * and queue_delay_ms are for all together.
 *
 * options:
 *   decoding            "aggressive" (default) or "greedy"; the output is the same
 *   draft               draft policy: "edit" (default), "tree", "sad" or "none"
 *   draft_window        most tokens drafted at once; "auto" (default: follows what passes cost
 *                       and what drafts are worth, so counts of passes vary a little), "0" = no
 *                       limit but the rows of a pass, which its sentences share
 *   batch_size          sentences decoded together, 1 .. 1024 (default 8)
 *   batch_type          "examples" (default) or "tokens": then batch_size, 1 .. 65536, is how many
 *                       source tokens are decoded together, in at most batch_size / 32 sentences
 *   max_input_length    longest sentence in tokens, 8 .. 65536 (default 256); longer ones are cut
 *                       at white space, or where there is none between characters, and corrected
 *                       part by part
 *   max_decoding_length most tokens of one corrected sentence, its end-of-sentence token included,
 *                       8 .. 65536 (default: what max_new_tokens or max_length of the folder's
 *                       generation_config.json allows, else 256)
 *   memory_limit        bytes, with K, M or G, for everything the engine and its model hold:
 *                       weights, tokenizer, caches, working memory, and the texts and results of
 *                       requests until their results are handed over (of a blocking call: until
 *                       each is done). Creation fails with STET_E_NOMEM and says what would be
 *                       needed; later, requests are refused with STET_E_BUSY while others hold
 *                       what they need, and with STET_E_TOO_LONG if they would never fit.
 *                       Default: no limit
 *   queue_size          most requests accepted and not yet completed, 1 .. 1048576 (default 1024)
 *   queue_tokens        most source tokens of these requests, as estimated from their bytes
 *                       (default 1048576). A request of more than that is accepted when there is no
 *                       other
 *   queue_delay_ms      refuse requests that would wait longer than this for their turn, by what
 *                       the engine knows of its speed (default 0: no such limit)
 *   verify              "1": decode every sentence a second time, greedily and alone, and fail with
 *                       STET_E_VERIFY on the first difference (default "0")
 *   misspellings        "1": known misspellings are mended before the model reads a sentence, where
 *                       the folder has a misspellings.table (default); "0": the model reads what
 *                       is written. Edits are those of the text as it is written. Not for requests
 *                       of tokens
 *   min_edit_score      leave out edits whose stet_edit.score is below this, a number from -1000 to
 *                       0 or "none": fewer edits, and more of them right. A text's
 *                       remaining edits do not change. In a sentence with known misspellings
 *                       (option misspellings) the model's edits are made all or none, and without
 *                       them these are mended all the same, with score 0 (not where a token holds
 *                       the prompt's end and the first word). Not for requests of tokens.
 *                       Default: what the folder's stet.json says, else "none"
 *   prompt              an instruction in front of every sentence, such as "grammar: ", at most
 *                       4096 bytes. The encoder reads prompt and sentence as one string; drafts,
 *                       offsets and edits know the sentence alone. Its tokens count for
 *                       max_input_length, of which it must leave 8. "": none. Default: what the
 *                       folder's stet.json says, else none
 *   task                instead of prompt: the prefix of this task in the task_specific_params of
 *                       the folder's config.json
 *   source_language     of the text, as the model's tokenizer calls it: "en_XX" (mBART), "en" or
 *                       "__en__" (M2M-100), "eng_Latn" (NLLB). Default: src_lang of the folder's
 *                       tokenizer_config.json; one of them must say it
 *   target_language     likewise, of the output; for Marian's models of many languages "deu" or
 *                       ">>deu<<". Default: what the folder forces or starts with, else tgt_lang of
 *                       tokenizer_config.json (not for mBART before mBART-50, and Marian)
 *   scores              "1": log probabilities for stet_sentence.score and stet_edit.score (default
 *                       "0")
 * STET_E_INVALID, STET_E_NOMEM, STET_E_DEVICE as above. The engine keeps a reference to the
 * model. */
STET_API stet_status stet_engine_create(stet_model *model, const stet_option *options,
                                        size_t n_options, stet_engine **out, stet_error *err);

/* Refuses new requests from now on (STET_E_SHUTDOWN), those included that a blocking call has not
 * handed in yet, and waits until all accepted ones are completed and their events are in the
 * queues. deadline_ns: when to stop waiting, by stet_clock_ns(); 0 = wait as long as it takes.
 * Draining cannot be undone. STET_E_DEADLINE: requests were left; they go on, and draining again
 * waits again. */
STET_API stet_status stet_engine_drain(stet_engine *engine, uint64_t deadline_ns, stet_error *err);

/* Waits for blocking calls in progress on other threads, completes all other requests with
 * STET_E_SHUTDOWN and ends the engine's threads. Does not wait for a running request longer than
 * one call of the encoder and one decoder pass take, or, with option verify, one sentence. */
STET_API void stet_engine_destroy(stet_engine *engine);

#define STET_HEALTH_READY 0
#define STET_HEALTH_DRAINING 1
/* The device, or of several the last one, failed: every request gives STET_E_DEVICE. Destroy the
 * engine and create another, best in a new process. */
#define STET_HEALTH_DEAD 2
/* One of these, or a negative status. */
STET_API int32_t stet_engine_health(const stet_engine *engine);

/* One of an engine's devices. */
typedef struct stet_device_state {
    uint32_t struct_size;
    int32_t health;        /* STET_HEALTH_READY or STET_HEALTH_DEAD */
    uint32_t device_index; /* as in the model's option */
    uint32_t reserved;
    char name[64];
    uint64_t requests;                    /* on it and not completed */
    uint64_t tokens;                      /* source tokens of these that are expected still */
    uint64_t encoder_calls, batch_passes; /* as in stet_stats */
    char message[240];                    /* of a dead one: what failed */
} stet_device_state;

/* Device i, counted from 0 in the order of option device_index. A dead one stays dead as long as
 * the engine lives; the log hook gets a line when one of several fails. STET_E_INVALID: there are
 * not so many, or struct_size is none; STET_E_FORKED. */
STET_API stet_status stet_engine_device(const stet_engine *engine, size_t i,
                                        stet_device_state *out);

/* ---- Requests -------------------------------------------------------------------------------- */

/* A line end inside the text is white space, and an empty line ends a sentence. Without this flag
 * every line end also ends a sentence. */
#define STET_REQ_WRAPPED 1u
/* The text is one sentence: no sentence splitting. */
#define STET_REQ_SENTENCE 2u

/* The request is the token ids `tokens`, one sentence without end-of-sentence token, as the model's
 * tokenizer makes them; `text` is not read. The result has tokens (stet_result_tokens), and neither
 * text nor edits. */
#define STET_REQ_TOKENS 4u

#define STET_PRIORITY_MAX 9

/* Set everything that is not used to 0. */
typedef struct stet_request {
    uint32_t struct_size; /* in an array the same in every element */
    uint32_t flags;       /* STET_REQ_... */
    const char *text;     /* UTF-8; copied before the call returns */
    size_t len;           /* bytes; at most 1 GiB, for stet_submit 16 MiB */
    const int32_t *tokens;
    size_t n_tokens;      /* at most the engine's max_input_length; all of them may be drafted */
    uint64_t tag;         /* comes back in the event; never looked at */
    uint64_t deadline_ns; /* by stet_clock_ns(); 0 = none */
    /* -STET_PRIORITY_MAX .. STET_PRIORITY_MAX. A step of one is worth 100 ms of waiting: a request
     * goes before all that came less than that earlier. So none waits for ever. */
    int32_t priority;
    uint32_t reserved;
    /* As option prompt, for this request: UTF-8 with a NUL at its end, at most 4096 bytes, copied.
     * NULL: the engine's; "": none. With STET_REQ_TOKENS no prompt is put in front: NULL or "". */
    const char *prompt;
} stet_request;

/* Immutable, reference counted, any thread. Independent of the engine that made it. */
typedef struct stet_result stet_result;

/* Corrects n requests together and waits for them; takes its turn among the other requests of the
 * engine and never gives STET_E_BUSY. What has no letter or is no valid UTF-8 is passed through,
 * and so is a sentence whose output did not end within max_decoding_length (counted as
 * `unfinished`). Deadlines count here as well; nobody can cancel it. Statuses as of stet_submit. On
 * return results[i] is a result or, where statuses[i] (optional array) is not STET_OK, NULL.
 * Returns STET_OK if all went well, else the first error, which err describes. One request's bad
 * input does not disturb the others. */
STET_API stet_status stet_correct_batch(stet_engine *engine, const stet_request *requests, size_t n,
                                        stet_result **results, stet_status *statuses,
                                        stet_error *err);

/* One text, all defaults. */
STET_API stet_status stet_correct(stet_engine *engine, const char *text, size_t len,
                                  stet_result **out, stet_error *err);

/* ---- Completion queues ----------------------------------------------------------------------- */

/* Where an engine puts finished requests. Any number of engines and threads may put into one and
 * take from one. With it a server never waits in stet:
 *
 *     stet_cq_create(&cq, &err);
 *     int fd = stet_cq_fd(cq); // readable while there are events: for epoll, libuv ...
 *     stet_request r = {.struct_size = sizeof r, .text = text, .len = len, .tag = 17};
 *     stet_submit(engine, cq, &r, 1, &id, NULL, &err);
 *     ...
 *     // fd is readable:
 *     stet_event ev[16];
 *     int64_t n = stet_cq_poll(cq, ev, sizeof ev[0], 16, 0);
 *     for (int64_t i = 0; i < n; i++) {
 *         if (ev[i].status == STET_OK)
 *             use(ev[i].tag, ev[i].result);
 *         stet_result_release(ev[i].result);
 *     }
 */
typedef struct stet_cq stet_cq;

/* STET_E_NOMEM: no memory, or no file descriptor left. */
STET_API stet_status stet_cq_create(stet_cq **out, stet_error *err);

/* Drops the events in it. Legal while requests that name it are in flight: their events are dropped
 * as well. No thread may be in a call with it. */
STET_API void stet_cq_destroy(stet_cq *cq);

/* An eventfd, non-blocking and close-on-exec, which belongs to the queue: readable as long as there
 * is an event or a wake-up to take. Wait for it with poll, epoll or an event loop; never read,
 * write or close it. -1 for NULL. */
STET_API int stet_cq_fd(stet_cq *cq);

typedef struct stet_event {
    uint64_t id, tag;
    stet_status status;
    uint32_t reserved;
    stet_result *result; /* status STET_OK: the caller releases it. Else NULL */
    char message[240];   /* empty with STET_OK; else what is wrong, as in stet_error */
} stet_event;

/* Takes at most `max` events (>= 1), in the order in which the requests ended. event_size is
 * sizeof(stet_event) as the caller was compiled. Waits up to timeout_us microseconds for the first:
 * 0 = not at all, negative = as long as it takes. Returns how many; 0 after the time or a
 * stet_cq_wakeup, or when another consumer was quicker. STET_E_INVALID, STET_E_FORKED. */
STET_API int64_t stet_cq_poll(stet_cq *cq, stet_event *events, size_t event_size, size_t max,
                              int64_t timeout_us);

/* Makes one stet_cq_poll return, the one that waits or else the next, with the events that there
 * are: a consumer that is to stop must be told so by other means as well. Any thread, but not in a
 * signal handler. */
STET_API void stet_cq_wakeup(stet_cq *cq);

/* Hands in n requests. Never waits for anything but short locks; its work is to copy the texts and
 * to find their sentences. Accepts them one after the other, up to the first that it cannot:
 * *accepted (may be NULL) is how many were accepted, ids[0 .. *accepted) (may be NULL) are theirs,
 * and the status is what was wrong with the next one, STET_OK if there is none.
 *
 * For every accepted request exactly one event is put into cq, whatever happens: done, deadline,
 * cancelled, failed, engine destroyed; perhaps before this call returns. No event is put for the
 * others. Ids are never 0.
 *
 * STET_E_BUSY      too much in flight, or the deadline is nearer than the request's turn;
 *                  err->retry_after_ms says when to try again
 * STET_E_DEADLINE  the deadline is past
 * STET_E_TOO_LONG  more bytes or tokens than a request may have, or than memory_limit leaves
 * STET_E_INVALID   an argument or a field of the request
 * STET_E_SHUTDOWN  the engine drains or is being destroyed
 * STET_E_DEVICE    the device, or all of several, failed (STET_HEALTH_DEAD)
 * STET_E_FORKED, STET_E_NOMEM */
STET_API stet_status stet_submit(stet_engine *engine, stet_cq *cq, const stet_request *requests,
                                 size_t n, uint64_t *ids, size_t *accepted, stet_error *err);

/* Ends a request: its event has the status STET_E_CANCELLED, unless it was just done, and what it
 * held of the decoder is free before the next pass. An id that is already completed is STET_OK and
 * changes nothing. Ids are never used again. Any thread. STET_E_INVALID: the engine never gave this
 * id; STET_E_FORKED. */
STET_API stet_status stet_cancel(stet_engine *engine, uint64_t id);

/* ---- Results --------------------------------------------------------------------------------- */

STET_API void stet_result_retain(stet_result *result);
STET_API void stet_result_release(stet_result *result);

/* The corrected text: the original bytes with the edits applied. NUL-terminated; *len (optional) is
 * its length. Lives as long as the result. */
STET_API const char *stet_result_text(const stet_result *result, size_t *len);

/* The output tokens of a request with STET_REQ_TOKENS, without end-of-sentence token; *n (optional)
 * is how many. NULL for requests of text. */
STET_API const int32_t *stet_result_tokens(const stet_result *result, size_t *n);

/* Units of offsets and lengths. */
#define STET_UNIT_BYTE 0u
#define STET_UNIT_UTF16 1u     /* UTF-16 code units: JavaScript, Java, C#, LSP */
#define STET_UNIT_CODEPOINT 2u /* Unicode code points: Python */

/* One replacement: source [src_off, src_off + src_len) becomes `text`. Edits are sorted, do not
 * overlap, and applying all of them to the source gives the corrected text. */
typedef struct stet_edit {
    uint64_t src_off, src_len; /* in the source */
    uint64_t out_off, out_len; /* the same place in the corrected text */
    /* replacement; lives as long as the result; not NUL-terminated; may be NULL if text_len is 0 */
    const char *text;
    size_t text_len; /* bytes */
    /* mean log probability of the tokens that changed, of a deletion that of the next token; NaN
     * without option scores or min_edit_score */
    float score;
    uint32_t sentence; /* index of the sentence it stands in */
} stet_edit;

/* Number of edits, and copies edits [first, first + cap) to out (NULL with cap 0: only the number),
 * with offsets in `unit`. edit_size is sizeof(stet_edit) as the caller was compiled. Returns the
 * number of edits in the result; an unknown unit or edit_size gives STET_E_INVALID. */
STET_API int64_t stet_result_edits(const stet_result *result, uint32_t unit, stet_edit *out,
                                   size_t edit_size, size_t first, size_t cap);

/* A sentence as it was given to the model. Byte offsets in the source. */
typedef struct stet_sentence {
    uint64_t src_off, src_len;
    uint32_t source_tokens, output_tokens; /* without prompt and end-of-sentence token */
    uint32_t passes;                       /* decoder passes */
    /* mean log probability of its output tokens; NaN without these options */
    float score;
} stet_sentence;

/* As stet_result_edits. */
STET_API int64_t stet_result_sentences(const stet_result *result, stet_sentence *out,
                                       size_t sentence_size, size_t first, size_t cap);

/* Counts and times. Of one request (stet_result_stats) or of everything an engine did
 * (stet_engine_stats). An engine on several devices tells their sums, also of times but total_ns.
 * What a device did for requests that it failed to end is in none of tokens, rows and passes. */
typedef struct stet_stats {
    uint32_t struct_size;
    uint32_t reserved;
    uint64_t requests, sentences;          /* that gave a result */
    uint64_t source_tokens, output_tokens; /* without prompts and end-of-sentence tokens */
    uint64_t passes;                       /* decoder passes, summed over sentences */
    uint64_t rows;                         /* decoder positions computed */
    uint64_t drafted;                      /* tokens proposed by the draft policy */
    uint64_t accepted;                     /* of these, equal to the model's own choice */
    uint64_t rejected;                     /* drafted - accepted */
    uint64_t reentries;                    /* drafts found again in the source after a correction */
    uint64_t verified;                     /* sentences decoded a second time by option verify */
    uint64_t unfinished; /* sentences left as they were because their output did not end */
    /* Wall time. For one request: of the calls in which it had a sentence, divided by nothing;
     * total_ns from hand-in to completion. For an engine: total_ns is the time with work to do. */
    uint64_t tokenize_ns, encode_ns, decode_ns, total_ns;
    uint64_t memory_bytes; /* engine: working memory reserved; request: 0 */
    uint64_t queue_ns;     /* request: from hand-in to its turn; engine: of all requests together */
    /* Of an engine; 0 for a request */
    uint64_t batch_passes;       /* decoder passes, each over all sentences in flight */
    uint64_t encoder_calls;      /* encoder passes, each over the sentences that joined */
    uint64_t waiting, running;   /* requests at this moment: before and after their turn came */
    uint64_t accepted_requests;  /* exactly one completion each */
    uint64_t refused_requests;   /* STET_E_BUSY: calls that stopped there */
    uint64_t cancelled_requests; /* completed with STET_E_CANCELLED */
    uint64_t expired_requests;   /* completed with STET_E_DEADLINE */
    uint64_t failed_requests;    /* completed with any other error */
} stet_stats;

STET_API stet_status stet_result_stats(const stet_result *result, stet_stats *out);
STET_API stet_status stet_engine_stats(stet_engine *engine, stet_stats *out);

#ifdef __cplusplus
}
#endif
#endif
