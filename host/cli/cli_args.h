/* cli_args.h - the command line. One table holds every option: parsing and help read the same
 * rows. */
#ifndef STETI_CLI_ARGS_H
#define STETI_CLI_ARGS_H

#include <stddef.h>

#include "stet.h"

enum steti_edits_format {
    STETI_EDITS_NONE,
    STETI_EDITS_TEXT,
    STETI_EDITS_JSON,
    STETI_EDITS_DIFF,
    STETI_EDITS_M2
};
enum steti_stats_format { STETI_STATS_NONE, STETI_STATS_TEXT, STETI_STATS_JSON };

/* Commands, as bits of steti_option_spec.commands. */
#define STETI_CMD_CORRECT 1u
#define STETI_CMD_INSPECT 2u
#define STETI_CMD_REPLAY 4u
#define STETI_CMD_QUANTIZE 8u

#define STETI_ARGS_MAX_OPTIONS 24

struct steti_args {
    unsigned command; /* one STETI_CMD_ bit */
    int help;         /* print the help of the command and do nothing else */
    char **files;     /* what is left of argv */
    size_t n_files;
    const char *model;  /* NULL: search */
    const char *output; /* NULL: standard output */
    const char *text;   /* lines for a comparison; NULL: none */
    /* Values of the enums here and in cli_terminal.h, STET_UNIT_ for units, or 0 and 1. */
    int edits, units, wrapped, stats, color, progress, json, ids, per_sentence;
    size_t max_requests; /* lines the engine is given at once, from --batch_size and --batch_type */
    char queue_size[24]; /* the option, where the library's default is not enough for them */
    /* Passed on to the library, which checks them. */
    stet_option model_options[STETI_ARGS_MAX_OPTIONS];
    size_t n_model_options;
    stet_option engine_options[STETI_ARGS_MAX_OPTIONS];
    size_t n_engine_options;
};

enum steti_option_kind {
    STETI_OPTION_STRING, /* a const char * member */
    STETI_OPTION_CHOICE, /* an int member; one of `choices` */
    STETI_OPTION_FLAG,   /* an int member, set to 1 */
    STETI_OPTION_MODEL,  /* for stet_model_load, or stet_quantize */
    STETI_OPTION_ENGINE, /* for stet_engine_create, or stet_replay */
    STETI_OPTION_SWITCH  /* for stet_engine_create, value "1" */
};

struct steti_option_spec {
    const char *name;
    char letter; /* 0: none */
    unsigned commands;
    enum steti_option_kind kind;
    size_t member;       /* offset in steti_args of STRING, CHOICE and FLAG */
    const char *choices; /* CHOICE: "text|json", with values first, first + 1 ... */
    int first;
    int optional;    /* the value may be left out and is then the first choice */
    const char *arg; /* for the help; NULL: takes no value */
    const char *help;
};

/* The table; ends with a row without a name. A name may stand in several rows, each for commands of
 * its own. */
const struct steti_option_spec *steti_option_table(void);

/* Parses what follows the command's name: argv[0] is the command. Returns 0, or after a message on
 * standard error, the exit code. The result points into argv. */
int steti_args_parse(unsigned command, int argc, char **argv, struct steti_args *out);

#endif
