// The network on a board, at the other end of the serial port: see serial.c.

extern "C" {
void serial_serve(void);
int serial_get(void);
void serial_put(char one);
}

int serial_get(void) {
    while (!Serial.available()) {
    }
    return Serial.read();
}

void serial_put(char one) {
    Serial.write(one);
}

void setup() {
    Serial.begin(115200);
    while (!Serial) {
    }
}

void loop() {
    serial_serve();
}
