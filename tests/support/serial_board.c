/* The board's part of emulation/serial.c as a program of this machine: its line is standard input and output. */

#include <unistd.h>

#include "serial.c"

int serial_get(void) {
    unsigned char one;
    return read(0, &one, 1) == 1 ? one : -1;
}

void serial_put(char one) {
    while (write(1, &one, 1) != 1) {
    }
}

int main(void) {
    serial_serve();
    return 0;
}
