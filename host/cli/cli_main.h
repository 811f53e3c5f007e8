/* cli_main.h - the programme `stet` as a function, so that tests can link it with a library of
 * their own. */
#ifndef STETI_CLI_MAIN_H
#define STETI_CLI_MAIN_H

/* Runs the command line argv and returns the exit code (cli_report.h). */
int steti_cli_main(int argc, char **argv);

#endif
