import MeteringModel
import MeteringPorts

/// When a line that failed is tried again.
///
/// Standard Webhooks' schedule, counted from the first failure since the last success: 0 s, 5 s,
/// 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h after one another. A line is in order, so its
/// first message holds up all the others; between those instants it is therefore tried whenever an
/// eighth of the time that it has failed for has passed once more. An outage of an hour is over for
/// us within eight minutes of its end, and a sink that drops every other request holds a line up
/// for seconds. Every wait is lengthened by up to a tenth at random.
enum RetrySchedule {
    private static let steps: [Int64] = [
        0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400,
    ]
    /// Seconds after the first failure.
    static let offsets: [Int64] = steps.reduce(into: []) { $0.append(($0.last ?? 0) + $1) }
    private static let waitMin: Int64 = 5
    /// When the answer says that there is too much, and not until when.
    private static let throttleSeconds: Int64 = 30
    /// More is not waited for, whatever the answer asks.
    private static let retryAfterMax: Int64 = 3_600

    /// - Parameters:
    ///   - isThrottled: the answer said that there is too much.
    ///   - retryAfter: seconds that the answer asks to wait for.
    ///   - jitter: 0 ..< 1,000, at random.
    /// - Returns: nil when the schedule has come to its end.
    static func next(
        now: Timestamp, failingSince: Timestamp, isThrottled: Bool, retryAfter: Int64?,
        jitter: Int64
    ) -> Timestamp? {
        let elapsed = max(0, now.microseconds(since: failingSince) / 1_000_000)
        guard let planned = offsets.first(where: { $0 > elapsed }) else { return nil }
        var wait = min(planned - elapsed, max(waitMin, elapsed / 8))
        if let retryAfter {
            wait = max(wait, min(retryAfter, retryAfterMax))
        } else if isThrottled {
            wait = max(wait, throttleSeconds)
        }
        return Timestamp(
            microseconds: now.microseconds + wait * 1_000_000 + wait * jitter * 100)
    }
}
