/* What the sketch Answer.ino asks of an Arduino, as a program of this machine: its serial port is standard input and
   output, and beside what it prints stands how often the LED went on since. */

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

enum { LOW, HIGH, OUTPUT };
static int flashes;

static void pinMode(int, int) {}
static void delay(unsigned long) {}
static void digitalWrite(int, int level) { flashes += level == HIGH; }

static struct {
    void begin(unsigned long) {}
    int available() { return 1; }
    int read() {
        unsigned char one;
        if (::read(0, &one, 1) != 1) {
            std::fflush(stdout);
            std::exit(0);
        }
        return one;
    }
    void println(unsigned long value) {
        std::printf("%lu, %d flashes\n", value, flashes);
        flashes = 0;
    }
    void println(const char *text) { std::printf("%s\n", text); }
} Serial;

#include "Answer.ino"

int main() {
    setup();
    for (;;) loop();
}
