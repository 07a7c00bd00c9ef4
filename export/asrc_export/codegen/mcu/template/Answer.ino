// An LED that blinks the answer: once for class 0, twice for class 1, and so on. If the self-test fails, it stays on.
// Send ASRC_STEPS * ASRC_CHANNELS numbers as lines of text, in the order of the network's steps, no faster than the
// board takes them; the answer comes back once it was blinked, and then the next sample may be sent.

#include <asrc_network.h>

#ifndef LED_BUILTIN
#define LED_BUILTIN 13
#endif

static int32_t frame[ASRC_CHANNELS];

void setup() {
    pinMode(LED_BUILTIN, OUTPUT);
    Serial.begin(115200);
    while (asrc_self_test()) {
        digitalWrite(LED_BUILTIN, HIGH);
    }
    asrc_init();
}

void blink(uint32_t times) {
    for (uint32_t i = 0; i < times; i++) {
        digitalWrite(LED_BUILTIN, HIGH);
        delay(200);
        digitalWrite(LED_BUILTIN, LOW);
        delay(200);
    }
}

// The next number, however long it takes to come: Serial.parseInt() would give up after a second, and return 0.
int32_t number() {
    uint32_t size = 0;
    bool negative = false, begun = false;
    for (;;) {
        while (!Serial.available()) {
        }
        const int one = Serial.read();
        if (one >= '0' && one <= '9') {
            size = 10 * size + (uint32_t)(one - '0');
            begun = true;
        } else if (begun) {
            return negative ? -(int32_t)size : (int32_t)size;
        } else {
            negative = one == '-';
        }
    }
}

int32_t number_in_range() {
    int32_t x = number();
    while (x < ASRC_MINIMUM || x > ASRC_MAXIMUM) {
        Serial.println("out of range, send another number");
        x = number();
    }
    return x;
}

void loop() {
    for (uint32_t t = 0; t < ASRC_STEPS; t++) {
        for (uint32_t c = 0; c < ASRC_CHANNELS; c++) {
            frame[c] = number_in_range();
        }
        asrc_step(frame);
    }
    const uint32_t answer = asrc_answer();
    asrc_init();
    blink(answer + 1);
    Serial.println((unsigned long)answer);
}
