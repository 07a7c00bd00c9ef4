// An LED that blinks the answer: once for class 0, twice for class 1, and so on. If the self-test fails, it stays on.
// Send ASRC_STEPS * ASRC_CHANNELS numbers as lines of text, in the order of the network's steps; the answer comes back.

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

void loop() {
    for (uint32_t t = 0; t < ASRC_STEPS; t++) {
        for (uint32_t c = 0; c < ASRC_CHANNELS; c++) {
            while (!Serial.available()) {
            }
            frame[c] = Serial.parseInt();
        }
        asrc_step(frame);
    }
    Serial.println((unsigned long)asrc_answer());
    blink(asrc_answer() + 1);
    asrc_init();
}
