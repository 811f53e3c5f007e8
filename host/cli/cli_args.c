#include "cli_args.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli_report.h"
#include "cli_terminal.h"

#define BOTH (STETI_CMD_CORRECT | STETI_CMD_INSPECT)
#define ALL (BOTH | STETI_CMD_REPLAY | STETI_CMD_QUANTIZE)
#define MEMBER(m) offsetof(struct steti_args, m)
#define MAX_SPECS 64
#define NAME_CAP 24

#define LEAST_REQUESTS 64u /* for each device */
#define MOST_DEVICES 64u   /* of the library */
#define USUAL_DEVICES 8u
#define MOST_REQUESTS 8192u
#define QUEUE_SIZE 1024u /* the library's default */
#define TOKENS_A_LINE 16u

#define TEXT(name, letter, commands, member, arg, help)                                            \
    {                                                                                              \
        name, letter, commands, STETI_OPTION_STRING, MEMBER(member), NULL, 0, 0, arg, help         \
    }
#define CHOICE(name, member, choices, first, optional, arg, help)                                  \
    {                                                                                              \
        name, 0, STETI_CMD_CORRECT, STETI_OPTION_CHOICE, MEMBER(member), choices, first, optional, \
            arg, help                                                                              \
    }
#define FLAG(name, letter, commands, member, help)                                                 \
    {                                                                                              \
        name, letter, commands, STETI_OPTION_FLAG, MEMBER(member), NULL, 0, 0, NULL, help          \
    }
#define LIBRARY(name, kind, arg, help)                                                             \
    {                                                                                              \
        name, 0, BOTH, kind, 0, NULL, 0, 0, arg, help                                              \
    }
#define REPLAY(name, arg, help)                                                                    \
    {                                                                                              \
        name, 0, STETI_CMD_REPLAY, STETI_OPTION_ENGINE, 0, NULL, 0, 0, arg, help                   \
    }
#define QUANTIZE(name, arg, help)                                                                  \
    {                                                                                              \
        name, 0, STETI_CMD_QUANTIZE, STETI_OPTION_MODEL, 0, NULL, 0, 0, arg, help                  \
    }
#define SWITCH(name, help)                                                                         \
    {                                                                                              \
        name, 0, STETI_CMD_CORRECT, STETI_OPTION_SWITCH, 0, NULL, 0, 0, NULL, help                 \
    }

static const struct steti_option_spec table[] = {
    TEXT("model", 'm', STETI_CMD_CORRECT | STETI_CMD_REPLAY, model, "FOLDER",
         "The model folder. Default: $STET_MODEL, else the model that comes with stet."),
    TEXT("output", 'o', STETI_CMD_CORRECT, output, "FILE",
         "Write to FILE and not to standard output."),
    CHOICE("edits", edits, "text|json|diff|m2", STETI_EDITS_TEXT, 0, "FORMAT",
           "Show what changed and not only the corrected text. text: every line with marks such as "
           "[-go-]{+goes+}. json: one object a line. diff: a unified diff for `patch -p1`. "
           "m2: M2 as the CoNLL tasks and ERRANT use it, on the tokens between white space."),
    CHOICE("units", units, "bytes|utf16|codepoints", 0, 0, "UNIT",
           "What the offsets of --edits=json count: bytes (default), utf16 (JavaScript, Java) or "
           "codepoints (Python)."),
    CHOICE(
        "input", wrapped, "lines|wrapped", 0, 0, "KIND",
        "lines (default): a line end ends a sentence. wrapped: sentences run on over line ends and "
        "only an empty line ends one."),
    SWITCH("scores", "Add the model's log probabilities to --edits=json."),
    SWITCH(
        "verify",
        "Decode every sentence a second time, greedily and alone, and stop with exit code 3 at the "
        "first difference."),
    CHOICE(
        "stats", stats, "text|json", STETI_STATS_TEXT, 1, "[=FORMAT]",
        "At the end write counts, times and memory to standard error, as text (default) or, with "
        "--stats=json, as JSON."),
    CHOICE(
        "color", color, "auto|always|never", STETI_WHEN_AUTO, 0, "WHEN",
        "Colours in --edits=text: auto (default: on a terminal, unless NO_COLOR is set), always or "
        "never."),
    CHOICE(
        "progress", progress, "auto|always|never", STETI_WHEN_AUTO, 0, "WHEN",
        "Progress on standard error, with speed and time left: auto (default: on a terminal while "
        "the text goes elsewhere), always or never."),
    LIBRARY(
        "device", STETI_OPTION_MODEL, "NAME",
        "cpu (default), cuda, or auto: cuda if there is one that works, else cpu, with a warning."),
    LIBRARY("device_index", STETI_OPTION_MODEL, "LIST",
            "Which of several devices, 0 to 255, or several that share the work: a list such as "
            "0,2 or 0-3, or all. With cpu: 0-1, 0-2 and so on, parts of the processor. Default: "
            "0."),
    LIBRARY("compute_type", STETI_OPTION_MODEL, "TYPE",
            "auto (default: as the model is stored), int8 or float32; on cuda also bfloat16."),
    LIBRARY("intra_threads", STETI_OPTION_MODEL, "N",
            "Threads, shared out over several devices. Default: the processors stet may use, at "
            "most 4."),
    LIBRARY("batch_size", STETI_OPTION_ENGINE, "N",
            "Sentences decoded together, on each device, 1 to 1024. Default: 8."),
    LIBRARY("batch_type", STETI_OPTION_ENGINE, "TYPE",
            "What --batch_size counts: examples (default), which are sentences, or tokens, which "
            "are those of the source, 1 to 65536."),
    LIBRARY("max_input_length", STETI_OPTION_ENGINE, "N",
            "Longest sentence in tokens; longer ones are cut at white space and corrected part by "
            "part. "
            "Default: 256."),
    LIBRARY("max_decoding_length", STETI_OPTION_ENGINE, "N",
            "Most tokens of one corrected sentence. Default: what the folder says, else 256."),
    LIBRARY(
        "decoding", STETI_OPTION_ENGINE, "HOW",
        "aggressive (default) or greedy. The output is the same; aggressive takes fewer passes."),
    LIBRARY(
        "draft", STETI_OPTION_ENGINE, "POLICY",
        "How aggressive decoding guesses ahead: edit (default), tree, sad or none. The output is "
        "the same."),
    LIBRARY(
        "draft_window", STETI_OPTION_ENGINE, "N",
        "Most tokens guessed at once: auto (default: follows what passes cost and what guesses are "
        "worth); 0 is no limit but the rows of a pass, which its sentences share."),
    LIBRARY(
        "misspellings", STETI_OPTION_ENGINE, "0|1",
        "1 (default) mends known misspellings before the model reads a sentence, if the model's "
        "folder has a misspellings.table; 0 lets the model read what is written."),
    LIBRARY(
        "min_edit_score", STETI_OPTION_ENGINE, "SCORE",
        "Leave out edits of which the model is not sure: those whose log probability, as --scores "
        "shows it, is below SCORE, such as -0.6. Fewer edits, more of them right. Default: what "
        "the "
        "folder's stet.json says, else none."),
    LIBRARY("prompt", STETI_OPTION_ENGINE, "TEXT",
            "An instruction that the model reads before every sentence, such as 'grammar: '. "
            "Default: what the folder's stet.json says."),
    LIBRARY("task", STETI_OPTION_ENGINE, "NAME",
            "Instead of --prompt: the prefix of this task in the model's config.json."),
    LIBRARY("source_language", STETI_OPTION_ENGINE, "NAME",
            "The language of the text, for mBART, M2M-100 and NLLB, such as en_XX, en or eng_Latn. "
            "Default: what the folder says."),
    LIBRARY("target_language", STETI_OPTION_ENGINE, "NAME",
            "The language to write, for these and Marian. Default: what the folder says."),
    LIBRARY("memory_limit", STETI_OPTION_ENGINE, "BYTES",
            "Memory for the model, the engine and the lines in it, on all devices, with K, M or G, "
            "such as 200M. "
            "Where it "
            "does not suffice stet says how much is needed."),
    REPLAY("draft", "POLICIES",
           "What to replay: all (default), or some of edit, tree, sad and none with commas between "
           "them."),
    REPLAY("draft_window", "N", "Most tokens guessed at once; 0 (default) is no limit."),
    REPLAY("batch_size", "N", "Sentences of a batch, 1 to 1024. Default: 32."),
    QUANTIZE("compute_type", "TYPE",
             "The type of the new weights: int8 (default), bfloat16, float16 or float32."),
    TEXT("text", 0, STETI_CMD_QUANTIZE, text, "FILE",
         "Decode the lines of FILE with the old and the new folder and count what differs."),
    QUANTIZE("device", "NAME", "Where --text is decoded: cpu (default), cuda or auto."),
    QUANTIZE("device_index", "LIST", "Which of several devices, as of correct. Default: 0."),
    QUANTIZE("intra_threads", "N",
             "Threads for --text. Default: the processors stet may use, at most 4."),
    FLAG("ids", 0, STETI_CMD_REPLAY, ids,
         "The files hold token ids, numbers with spaces between them. Then no model folder is "
         "needed; --model tells the policies where words begin."),
    FLAG("per_sentence", 0, STETI_CMD_REPLAY, per_sentence,
         "Add the counts of every sentence to --json."),
    FLAG("json", 0, STETI_CMD_INSPECT | STETI_CMD_REPLAY | STETI_CMD_QUANTIZE, json,
         "Write the report as JSON."),
    FLAG("help", 'h', ALL, help, "Show this help."),
    {NULL, 0, 0, STETI_OPTION_FLAG, 0, NULL, 0, 0, NULL, NULL},
};

const struct steti_option_spec *steti_option_table(void)
{
    return table;
}

static const char *command_name(unsigned command)
{
    return command == STETI_CMD_CORRECT    ? "correct"
           : command == STETI_CMD_INSPECT  ? "inspect"
           : command == STETI_CMD_QUANTIZE ? "quantize"
                                           : "replay";
}

static int usage_unknown(unsigned command, const char *given)
{
    char list[768];
    size_t used = 0;
    list[0] = '\0';
    for (const struct steti_option_spec *s = table; s->name != NULL; s++) {
        if ((s->commands & command) != 0 && used < sizeof list) {
            used += (size_t)snprintf(list + used, sizeof list - used, " --%s", s->name);
        }
    }
    steti_say("%s has no option %s; it has:%s. `stet help %s` explains them.",
              command_name(command), given, list, command_name(command));
    return STETI_EXIT_USAGE;
}

/* Position of `value` in "a|b|c"; -1 if it is not there. */
static int choice_index(const char *choices, const char *value)
{
    size_t n = strlen(value);
    int index = 0;
    for (const char *p = choices;; index++) {
        const char *bar = strchr(p, '|');
        size_t len = bar != NULL ? (size_t)(bar - p) : strlen(p);
        if (len == n && memcmp(p, value, n) == 0) {
            return index;
        }
        if (bar == NULL) {
            return -1;
        }
        p = bar + 1;
    }
}

static int set_choice(const struct steti_option_spec *s, const char *value, struct steti_args *out)
{
    int index = value != NULL ? choice_index(s->choices, value) : 0;
    if (index < 0) {
        steti_say("option --%s cannot be \"%s\"; it can be: %s", s->name, value, s->choices);
        return STETI_EXIT_USAGE;
    }
    *(int *)(void *)((char *)out + s->member) = s->first + index;
    return 0;
}

/* The last one given counts. */
static void set_library(stet_option *options, size_t *n, const char *key, const char *value)
{
    size_t i = 0;
    while (i < *n && strcmp(options[i].key, key) != 0) {
        i++;
    }
    options[i].key = key;
    options[i].value = value;
    *n += i == *n;
}

static const char *find_value(const stet_option *options, size_t n, const char *key,
                              const char *usual)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(options[i].key, key) == 0) {
            return options[i].value;
        }
    }
    return usual;
}

static const char *engine_value(const struct steti_args *a, const char *key, const char *usual)
{
    return find_value(a->engine_options, a->n_engine_options, key, usual);
}

/* How many devices a list such as 0,2-4 has; how many "all" are only the library finds out. */
static unsigned long count_devices(const struct steti_args *a)
{
    const char *p = find_value(a->model_options, a->n_model_options, "device_index", "0");
    unsigned long n = 0;
    if (strcmp(p, "all") == 0) {
        return USUAL_DEVICES;
    }
    while (*p != '\0' && n < MOST_DEVICES) {
        char *end;
        unsigned long first = strtoul(p, &end, 10), last = first;
        if (*end == '-') {
            last = strtoul(end + 1, &end, 10);
        }
        n += last >= first && last - first < MOST_DEVICES ? last - first + 1 : 1;
        p = *end != '\0' ? end + 1 : end;
    }
    return n < 1 ? 1 : n < MOST_DEVICES ? n : MOST_DEVICES;
}

/* Several times what is decoded together: the next sentences are there when places become free.
 * Wrong values give some number; the library reports them. */
static void choose_max_requests(struct steti_args *a)
{
    unsigned long n = strtoul(engine_value(a, "batch_size", "8"), NULL, 10);
    unsigned long devices = count_devices(a), least = LEAST_REQUESTS * devices;
    if (strcmp(engine_value(a, "batch_type", "examples"), "tokens") == 0) {
        n /= TOKENS_A_LINE;
    }
    n = n < MOST_REQUESTS / 8 / devices ? n * 8 * devices : MOST_REQUESTS;
    a->max_requests = n < least ? least : n;
    if (a->max_requests > QUEUE_SIZE && (a->command & BOTH) != 0) {
        snprintf(a->queue_size, sizeof a->queue_size, "%zu", a->max_requests);
        set_library(a->engine_options, &a->n_engine_options, "queue_size", a->queue_size);
    }
}

static int apply(const struct steti_option_spec *s, const char *value, struct steti_args *out)
{
    switch (s->kind) {
    case STETI_OPTION_STRING:
        *(const char **)(void *)((char *)out + s->member) = value;
        return 0;
    case STETI_OPTION_CHOICE:
        return set_choice(s, value, out);
    case STETI_OPTION_FLAG:
        *(int *)(void *)((char *)out + s->member) = 1;
        return 0;
    case STETI_OPTION_MODEL:
        set_library(out->model_options, &out->n_model_options, s->name, value);
        return 0;
    case STETI_OPTION_ENGINE:
    case STETI_OPTION_SWITCH:
        set_library(out->engine_options, &out->n_engine_options, s->name,
                    value != NULL ? value : "1");
        return 0;
    }
    return 0;
}

/* What getopt_long wants. Names are also accepted with '-' for '_'. Entry values are table index
 * + 256. */
struct getopt_tables {
    struct option longs[2 * MAX_SPECS];
    char dashed[MAX_SPECS][NAME_CAP];
    char shorts[2 * MAX_SPECS];
};

static void build_tables(unsigned command, struct getopt_tables *t)
{
    size_t n = 0, n_short = 0;
    memset(t, 0, sizeof *t);
    t->shorts[n_short++] = ':';
    for (int i = 0; table[i].name != NULL; i++) {
        const struct steti_option_spec *s = &table[i];
        int has_arg = s->arg == NULL ? no_argument
                      : s->optional  ? optional_argument
                                     : required_argument;
        if ((s->commands & command) == 0) {
            continue;
        }
        t->longs[n++] = (struct option){s->name, has_arg, NULL, 256 + i};
        if (strchr(s->name, '_') != NULL) {
            snprintf(t->dashed[i], NAME_CAP, "%s", s->name);
            for (char *p = t->dashed[i]; (p = strchr(p, '_')) != NULL;) {
                *p = '-';
            }
            t->longs[n++] = (struct option){t->dashed[i], has_arg, NULL, 256 + i};
        }
        if (s->letter != 0) {
            t->shorts[n_short++] = s->letter;
            if (has_arg == required_argument) {
                t->shorts[n_short++] = ':';
            }
        }
    }
}

/* The row of what getopt_long returned; NULL for '?' and ':'. */
static const struct steti_option_spec *row_of(int c)
{
    if (c >= 256) {
        return &table[c - 256];
    }
    for (const struct steti_option_spec *s = table; s->name != NULL; s++) {
        if (s->letter == c) {
            return s;
        }
    }
    return NULL;
}

static int parse_failed(unsigned command, int c, char **argv)
{
    char letter[] = "-?";
    const char *given = argv[optind - 1];
    if (optopt > 0 && optopt < 256) {
        letter[1] = (char)optopt;
        given = letter;
    }
    if (c == ':') {
        steti_say("option %s needs a value; `stet help %s` explains it.", given,
                  command_name(command));
        return STETI_EXIT_USAGE;
    }
    if (optopt >= 256) {
        steti_say("option --%s takes no value", table[optopt - 256].name);
        return STETI_EXIT_USAGE;
    }
    return usage_unknown(command, given);
}

static void set_defaults(unsigned command, struct steti_args *out)
{
    memset(out, 0, sizeof *out);
    out->command = command;
    out->color = STETI_WHEN_AUTO;
    out->progress = STETI_WHEN_AUTO;
}

int steti_args_parse(unsigned command, int argc, char **argv, struct steti_args *out)
{
    struct getopt_tables t;
    int c;
    _Static_assert(sizeof table / sizeof table[0] <= MAX_SPECS, "enlarge MAX_SPECS");
    set_defaults(command, out);
    build_tables(command, &t);
    opterr = 0;
    optind = 1;
    while ((c = getopt_long(argc, argv, t.shorts, t.longs, NULL)) != -1) {
        const struct steti_option_spec *s = row_of(c);
        int rc = s != NULL ? apply(s, optarg, out) : parse_failed(command, c, argv);
        if (rc != 0) {
            return rc;
        }
    }
    out->files = argv + optind;
    out->n_files = (size_t)(argc - optind);
    choose_max_requests(out);
    return 0;
}
