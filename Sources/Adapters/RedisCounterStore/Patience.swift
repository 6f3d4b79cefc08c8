import MeteringPorts

/// Waiting for another node's rebuild: it ends when nothing has moved for a while.
struct Patience {
    private let limit: Duration
    private var deadline: ContinuousClock.Instant
    private var beat: Int64?
    private var pause: Duration = .milliseconds(2)

    init(_ limit: Duration) {
        self.limit = limit
        deadline = .now + limit
    }

    var isOver: Bool { .now >= deadline }

    /// Progress of the rebuild waited for; any change renews the patience.
    mutating func observe(beat: Int64) {
        if beat != self.beat { deadline = .now + limit }
        self.beat = beat
    }

    /// Pauses grow to 50 ms.
    mutating func rest() async throws(SharedCounterError) {
        do {
            try await Task.sleep(for: pause)
        } catch {
            throw SharedCounterError(
                code: .closed, message: "cancelled while another node rebuilds a shard")
        }
        pause = min(pause * 2, .milliseconds(50))
    }
}
