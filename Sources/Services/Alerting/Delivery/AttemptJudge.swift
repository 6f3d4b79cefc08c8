import MeteringModel
import MeteringPorts

/// What an attempt makes of its deliveries and of the endpoint: pure.
enum AttemptJudge {
    struct Ruling: Sendable, Hashable {
        var state: AlertDelivery.State
        var endpoint: EndpointState
        var result: AlertCounters.Result
    }

    /// - Parameters:
    ///   - before: the endpoint's state at the attempt.
    ///   - attemptCount: attempts of the delivery before this one.
    ///   - startedAt: when the request was made.
    ///   - now: when its end was known.
    static func ruling(
        _ verdict: AlertVerdict, before: EndpointState, attemptCount: Int,
        pauseSeconds: Int64, startedAt: Timestamp, now: Timestamp, jitter: Int64
    ) -> Ruling {
        switch verdict.outcome {
        case .delivered:
            let next = pauseSeconds > 0 ? startedAt.adding(seconds: pauseSeconds) : nil
            return Ruling(
                state: .delivered, endpoint: EndpointState(nextAttemptAt: next), result: .delivered)
        case .gone:
            return disabled(before, because: verdict.detail, now)
        case .retry(let isThrottled, let afterSeconds):
            var after = before
            after.failureCount += 1
            let since = before.failingSince ?? startedAt
            after.failingSince = since
            if let next = RetrySchedule.next(
                now: now, failingSince: since, isThrottled: isThrottled,
                retryAfter: afterSeconds, jitter: jitter)
            {
                after.nextAttemptAt = next
                return Ruling(state: .waiting, endpoint: after, result: .retried)
            }
            // Given up. It may be this message that the endpoint cannot take: the next one is
            // tried at once. When that fails too, it is the endpoint.
            if attemptCount == 0 {
                return disabled(
                    after,
                    because: "nothing was taken since \(since.rfc3339()); "
                        + "last: \(verdict.detail)", now)
            }
            after.nextAttemptAt = nil
            return Ruling(state: .failed, endpoint: after, result: .failed)
        }
    }

    /// Its messages stay in the line.
    private static func disabled(
        _ before: EndpointState, because reason: String, _ now: Timestamp
    ) -> Ruling {
        var after = before
        after.disabledSince = now
        after.disabledReason = reason
        after.nextAttemptAt = nil
        return Ruling(state: .waiting, endpoint: after, result: .disabled)
    }
}
