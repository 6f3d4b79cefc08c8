import KafkaClient

/// Something that a test waited for and did not get.
struct Unmet: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// Asks until there is an answer.
/// - Throws: `Unmet` after the deadline, or what `probe` throws.
@discardableResult
func eventually<Value>(
    _ what: String, within seconds: Int = 40, _ probe: () async throws -> Value?
) async throws -> Value {
    let deadline = ContinuousClock.now.advanced(by: .seconds(seconds))
    while true {
        if let value = try await probe() { return value }
        guard ContinuousClock.now < deadline else {
            throw Unmet("\(what): not within \(seconds) s")
        }
        try await Task.sleep(for: .milliseconds(20))
    }
}

/// Runs blocking work on a thread of its own, outside the cooperative pool.
func onThread<Value: Sendable>(
    _ body: @escaping @Sendable () throws -> Value
) async throws -> Value {
    try await OwnedThread.run { Result { try body() } }.get()
}

/// The same numbers on every run (SplitMix64).
struct SeededNumbers: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
