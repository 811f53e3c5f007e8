/* cli_terminal.h - what may be shown to a person. */
#ifndef STETI_CLI_TERMINAL_H
#define STETI_CLI_TERMINAL_H

enum steti_when { STETI_WHEN_AUTO, STETI_WHEN_ALWAYS, STETI_WHEN_NEVER };

/* Colours on fd: AUTO means on a terminal that has them, unless NO_COLOR is set (as
 * https://no-color.org asks). */
int steti_color_wanted(int when, int fd);

/* Progress on standard error: AUTO means on a terminal to which the data does not go as well. */
int steti_progress_wanted(int when, int data_fd);

#endif
