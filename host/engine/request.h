/* request.h - the state of a sentence in flight. Private to host/engine.
 *
 * A slot's life: free -> admitted (slot of the cache taken) -> encoded -> passes -> done -> free.
 * The cache holds a row of every start token and emitted token but the last of them, whose row is
 * computed by the next pass. */
#ifndef STETI_REQUEST_H
#define STETI_REQUEST_H

#include "engine.h"
#include "looped.h"
#include "token_rules.h"
#include "window.h"

struct slot {
    struct steti_engine *engine;
    struct steti_job *job; /* NULL: free */
    struct steti_draft *draft;
    int kv; /* slot of the cache */
    /* Rows of this pass: the last emitted token, then the branches one after the other. */
    int first_row, n_rows;
    int n_lead; /* rows in front of first_row: start tokens of a sentence's first pass */
    int done;   /* nothing is left to do but to end it */
    struct steti_loop_seq looped; /* where drafting goes on, when the device drafts */
    int n_branches;
    struct {
        int index; /* as the policy counts them */
        int row, n;
    } branch[STETI_DRAFT_BRANCHES];
};

struct steti_engine {
    struct steti_engine_options options;
    int window, side_window;    /* longest first and longest side branch of this pass */
    struct steti_window follow; /* where the options leave the window to the engine */
    const struct steti_spec *spec;
    struct steti_around around; /* this engine's, in place of the spec's */
    struct steti_session session;
    struct slot *slots;
    int n_open;
    int32_t *ints;
    int32_t *ids, *pos, *row_slot, *predicted; /* [max_rows] */
    int32_t *fork, *side;                      /* [max_rows], as in struct steti_decode_batch */
    int32_t *branch_predicted;                 /* [max_out + 1] */
    int32_t *lens, *seq_slot;                  /* [batch_size] */
    float *logprob;                            /* [max_rows] */
    int32_t *check_out;                        /* [max_out + 1], for verify */
    float *check_logprob;                      /* [max_out + 1] */
    int *list;                                 /* [batch_size] slots, for steti_engine_run */
    const struct steti_draft_ops *policy;      /* the engine's own, or steti_draft_none */
    int checking;                              /* a verifying run: not part of the totals */
    int rows_a_pass;                           /* of the decoder */
    struct steti_token_rules *rules;           /* NULL: the folder has none */
    struct steti_adjust *adjust;               /* of all rows; NULL without rules */
    int32_t *adjust_begin;                     /* [rows_a_pass + 1] */
    struct looped looped;
    struct steti_counts totals;
    struct steti_engine_times times;
};

/* Bytes of the engine, its own arrays and drafts. */
size_t request_bytes(const struct steti_engine_options *o, int max_rows);

/* Writes the rows of one sentence from `row` on: its last emitted token (or the start tokens) and
 * what the policy drafts, at most `share` tokens. Returns the row behind them. */
int slot_plan(struct steti_engine *e, struct slot *s, int row, int share);
/* Takes over what the pass says about one sentence. *done: the sentence has ended. */
stet_status slot_commit(struct steti_engine *e, struct slot *s, int *done, stet_error *err);
/* Whether the window of this run is the engine's to choose. Greedy passes have none, and a
 * verifying run is greedy. */
int follows_load(const struct steti_engine *e);
/* Most tokens of an output. */
int slot_most_out(const struct steti_engine *e);
/* Tells the cache how many tokens the output has. */
void slot_set_len(struct steti_engine *e, const struct slot *s);
/* Begins the policy's draft. */
void slot_begin_draft(const struct steti_engine *e, struct slot *s);
/* Start tokens that stand before the first row of this sentence's next pass. */
int slot_lead(const struct steti_engine *e, const struct slot *s);
/* Bytes of the rules and their lists for so many decoder rows; 0 bytes where the folder has none.
 * Returns 0 on overflow. */
int row_rules_bytes(const struct steti_spec *spec, const struct steti_session_limits *l, int rows,
                    size_t *bytes);
stet_status row_rules_open(struct steti_engine *e, stet_error *err);
void row_rules_close(struct steti_engine *e);
/* Begins the rows of one sentence in a pass. These calls do nothing where there are no rules. */
void row_rules_begin(struct steti_engine *e, const struct slot *s);
/* A row of which the prediction is not looked at. Rows come in ascending order. */
void row_rules_skip(struct steti_engine *e, int row);
/* The row behind all tokens so far. */
void row_rules_write(struct steti_engine *e, int row);
/* A drafted token, the next of its branch, and its row. */
void row_rules_draft(struct steti_engine *e, int row);
/* Goes back to the emitted tokens: another branch begins. */
void row_rules_end_branch(struct steti_engine *e, const struct slot *s);
/* Leaves the draft of this pass out. */
void slot_drop_draft(struct slot *s);

#endif
