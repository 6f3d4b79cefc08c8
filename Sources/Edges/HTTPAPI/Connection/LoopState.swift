internal import MeteringModel
internal import NIOCore

/// What the connections of one event loop share; used on that loop only.
final class LoopState {
    let metrics: HTTPMetrics
    /// End of the Content-Length line, then a whole Date line; made anew once a second.
    private(set) var dateLine = ByteBuffer()
    private var connections: [ObjectIdentifier: ConnectionHandler] = [:]
    private let clock: @Sendable () -> Timestamp
    /// Differs between processes and loops, so that request ids do.
    private let requestIDPrefix: UInt64
    private var requestCount: UInt64 = 0

    init(metrics: HTTPMetrics, clock: @escaping @Sendable () -> Timestamp) {
        self.metrics = metrics
        self.clock = clock
        requestIDPrefix = UInt64.random(in: 0...UInt64.max)
        makeDateLine()
    }

    func insert(_ handler: ConnectionHandler) { connections[ObjectIdentifier(handler)] = handler }

    func remove(_ handler: ConnectionHandler) { connections[ObjectIdentifier(handler)] = nil }

    func connections(where isIncluded: (ConnectionHandler) -> Bool) -> [ConnectionHandler] {
        connections.values.filter(isIncluded)
    }

    /// Once a second: every connection looks at how long it has been waiting.
    func tick() {
        makeDateLine()
        for connection in Array(connections.values) { connection.tick() }
    }

    func makeRequestID() -> String {
        requestCount += 1
        let word = requestIDPrefix &+ requestCount &* 0x9E37_79B9_7F4A_7C15
        let digits = String(word, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    private func makeDateLine() {
        var line = Array("\r\nDate: ".utf8)
        TimeText.writeHTTPDate(clock(), to: &line)
        line.append("\r\n" as StaticString)
        dateLine = ByteBuffer(bytes: line)
    }
}
