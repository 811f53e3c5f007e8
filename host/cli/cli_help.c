#include "cli_help.h"

#include <string.h>

#include "cli_args.h"

#define WIDTH 78

static const char overview[] =
    "stet corrects the grammar and spelling of text.\n"
    "\n"
    "  echo 'She go to school.' | stet correct\n"
    "  stet correct --edits=text letter.txt\n"
    "  stet inspect models/stet-edge-en\n"
    "\n"
    "Commands:\n"
    "  correct [FILES]    correct files or standard input, line by line\n"
    "  inspect [FOLDER]   say what a model folder holds and whether stet can run it\n"
    "  quantize IN OUT    write a model folder with int8 or other weights\n"
    "  replay SOURCE ANSWERS\n"
    "                     count what draft policies cost on given answers, without\n"
    "                     a model\n"
    "  help COMMAND       explain a command and its options\n"
    "\n"
    "  --help, --version\n"
    "\n"
    "Exit codes: 0 done, 1 wrong command line, 2 input or model error,\n"
    "3 verification failed, 4 device error.\n";

static const char correct_head[] =
    "stet correct [OPTIONS] [FILES]\n"
    "\n"
    "Corrects text and writes it to standard output. Without FILES, or for the file\n"
    "`-`, it reads standard input. Lines go in, lines come out, in order; what needs\n"
    "no correction comes back byte for byte. Nothing but the text goes to standard\n"
    "output. Files and pipes may be of any length; a line is written as soon as it\n"
    "and those before it are done.\n"
    "\n"
    "Examples:\n"
    "  echo 'She go to school.' | stet correct\n"
    "  stet correct letter.txt > corrected.txt\n"
    "  stet correct --edits=text letter.txt           see what would change\n"
    "  stet correct --edits=diff letter.txt | patch -p1\n"
    "  stet correct --edits=json --units=utf16 < chat.txt\n"
    "  stet correct --input=wrapped --stats README    text with hard line breaks\n"
    "\n"
    "Options (--batch-size is the same as --batch_size):\n";

static const char correct_tail[] =
    "\n"
    "Text is UTF-8; other bytes are kept as they are. A line over 1 MiB is corrected\n"
    "in pieces. A file that cannot be read is reported, the others are still\n"
    "corrected, and the exit code is 2. When the reader of standard output goes away,\n"
    "stet ends without a message, as cat does.\n"
    "\n"
    "Exit codes: 0 done, 1 wrong command line, 2 input or model error,\n"
    "3 verification failed, 4 device error.\n";

static const char inspect_head[] =
    "stet inspect [OPTIONS] [FOLDER]\n"
    "\n"
    "Says what a model folder holds, how much memory it takes, and whether stet can\n"
    "run it; if not, what is missing. Without FOLDER it looks at the model that\n"
    "`stet correct` would use.\n"
    "\n"
    "Examples:\n"
    "  stet inspect models/stet-edge-en\n"
    "  stet inspect --json --batch_size=32 models/stet-edge-en\n"
    "\n"
    "Options (those that change the memory figures are the same as of `correct`):\n";

static const char inspect_tail[] =
    "\n"
    "Exit codes: 0 stet can run the model, 1 wrong command line, 2 it cannot,\n"
    "4 the device is not there.\n";

static const char replay_head[] =
    "stet replay [OPTIONS] SOURCE ANSWERS [ANSWERS]...\n"
    "\n"
    "Counts what each draft policy costs when a model turns the lines of SOURCE into\n"
    "those of ANSWERS: decoder passes and rows for each sentence, and the passes of\n"
    "batches. No model runs: the answers stand in for it, and of the model folder\n"
    "only the tokenizer is read. Every file has one sentence a line; `-` is standard\n"
    "input. Several files of answers give a report each, and one for all together.\n"
    "\n"
    "Examples:\n"
    "  stet replay source.txt corrected.txt\n"
    "  stet replay --draft=edit,sad --json source.txt system1.txt system2.txt\n"
    "  stet replay --ids source.ids answers.ids\n"
    "\n"
    "Options:\n";

static const char replay_tail[] =
    "\n"
    "Tokens per pass do not count end-of-sentence tokens. In lock step each batch of\n"
    "the file waits for its slowest sentence; in continuous batching a sentence that\n"
    "has ended leaves its place to the next one.\n"
    "\n"
    "Exit codes: 0 done, 1 wrong command line, 2 a file or the tokenizer cannot be\n"
    "used, or the files have different numbers of lines.\n";

static const char quantize_head[] =
    "stet quantize [OPTIONS] IN OUT\n"
    "\n"
    "Reads the model folder IN and writes the folder OUT with weights of another\n"
    "type. With int8, the default, a folder has a quarter of the bytes that float32\n"
    "weights take, and gives exactly what `stet correct --compute_type int8` gives\n"
    "with IN. All other files are copied. OUT must not be there yet, or be empty; it\n"
    "is there when all is done, and not before.\n"
    "\n"
    "The report on standard output says how large the weights were and are, and how\n"
    "far the new ones are from the old. --text shows what that means for a text.\n"
    "\n"
    "Examples:\n"
    "  stet quantize flan-t5-small flan-t5-small-int8\n"
    "  stet quantize --text dev.txt --json model model-int8\n"
    "  stet quantize --compute_type bfloat16 model model-bf16\n"
    "\n"
    "Options:\n";

static const char quantize_tail[] =
    "\n"
    "A folder with a weight that is not a finite number, or one too large for\n"
    "float16, is refused with the name of the tensor.\n"
    "\n"
    "Exit codes: 0 done, 1 wrong command line, 2 IN cannot be used or OUT cannot be\n"
    "written, 4 device error.\n";

/* The frame around the options of a command. */
static const struct {
    unsigned command;
    const char *head, *tail;
} frames[] = {
    {STETI_CMD_CORRECT, correct_head, correct_tail},
    {STETI_CMD_INSPECT, inspect_head, inspect_tail},
    {STETI_CMD_REPLAY, replay_head, replay_tail},
    {STETI_CMD_QUANTIZE, quantize_head, quantize_tail},
};

/* Appends words, broken at WIDTH, every line indented. */
static stet_status append_wrapped(struct steti_buf *b, const char *text, size_t indent,
                                  stet_error *err)
{
    size_t column = 0;
    while (*text != '\0') {
        size_t n = strcspn(text, " ");
        if (column > 0 && column + 1 + n > WIDTH) {
            STETI_TRY(steti_buf_puts(b, "\n", err));
            column = 0;
        }
        if (column == 0) {
            STETI_TRY(steti_buf_printf(b, err, "%*s", (int)indent, ""));
            column = indent;
        } else {
            STETI_TRY(steti_buf_puts(b, " ", err));
            column++;
        }
        STETI_TRY(steti_buf_append(b, text, n, err));
        column += n;
        text += n;
        text += *text == ' ';
    }
    return steti_buf_puts(b, "\n", err);
}

static stet_status append_option(struct steti_buf *b, const struct steti_option_spec *s,
                                 stet_error *err)
{
    STETI_TRY(steti_buf_puts(b, "  ", err));
    if (s->letter != 0) {
        STETI_TRY(steti_buf_printf(b, err, "-%c, ", s->letter));
    }
    STETI_TRY(steti_buf_printf(b, err, "--%s", s->name));
    if (s->arg != NULL) {
        STETI_TRY(steti_buf_printf(b, err, s->optional ? "%s" : " %s", s->arg));
    }
    STETI_TRY(steti_buf_puts(b, "\n", err));
    return append_wrapped(b, s->help, 6, err);
}

stet_status steti_help_overview(struct steti_buf *b, stet_error *err)
{
    return steti_buf_puts(b, overview, err);
}

stet_status steti_help_command(struct steti_buf *b, unsigned command, stet_error *err)
{
    size_t f = 0;
    while (frames[f].command != command) {
        f++;
    }
    STETI_TRY(steti_buf_puts(b, frames[f].head, err));
    for (const struct steti_option_spec *s = steti_option_table(); s->name != NULL; s++) {
        if ((s->commands & command) != 0) {
            STETI_TRY(append_option(b, s, err));
        }
    }
    return steti_buf_puts(b, frames[f].tail, err);
}
