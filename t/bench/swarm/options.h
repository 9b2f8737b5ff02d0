#ifndef SWARM_OPTIONS_H
#define SWARM_OPTIONS_H


/* fills settings; ends the program where there is nothing to run */
void options_read(int argc, char **argv);

#endif
