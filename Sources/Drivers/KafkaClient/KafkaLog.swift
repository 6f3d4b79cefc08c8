/// One line that librdkafka wanted to log.
package struct KafkaLogLine: Sendable {
    /// Syslog severity: 0 emergency … 7 debug.
    package var severity: Int
    /// librdkafka's tag, e.g. `FAIL`.
    package var facility: String
    package var text: String

    package init(severity: Int, facility: String, text: String) {
        self.severity = severity
        self.facility = facility
        self.text = text
    }
}

/// Takes log lines. It runs on any of librdkafka's threads and must neither block nor call back
/// into the client.
package typealias KafkaLogSink = @Sendable (KafkaLogLine) -> Void
