internal import MeteringModel
internal import MeteringPorts

/// A denial as HTTP 429: the RateLimit fields of draft-ietf-httpapi-ratelimit-headers, `Retry-After`
/// and a problem document that holds the whole decision.
struct DenialAnswer: Sendable {
    let options: HTTPOptions
    let document: DecisionDocument

    /// The largest integer that structured header fields can hold (RFC 9651).
    private static let fieldIntegerMax: Int64 = 999_999_999_999_999

    func write(
        _ decision: Decision, requestID: String, to writer: inout JSONWriter
    ) -> AnswerHead {
        let detail =
            "\(decision.feature) is denied to \(decision.customer): "
            + decision.reason.rawValue.replacingUnderscores()
        let problem = Problem(status: 429, code: "quota_exceeded", detail: detail)
        writer.object { writer in
            problem.writeMembers(to: &writer, requestID: requestID)
            writer.member("\"violated-policies\":", [decision.feature.rawValue])
            document.writeMembers(decision, to: &writer)
        }
        return AnswerHead(
            status: 429, contentType: Problem.contentType, headers: headers(of: decision))
    }

    private func headers(of decision: Decision) -> [(name: String, value: String)] {
        var headers: [(name: String, value: String)] = []
        let secondsLeft = decision.period.flatMap(secondsToReset)
        if let limit = decision.limit?.finite, let name = Self.quoted(decision.feature.rawValue) {
            var policy = "\(name);q=\(fieldInteger(limit, decision.scale))"
            var state = "\(name);r=\(fieldInteger(decision.remaining, decision.scale))"
            if let period = decision.period, let secondsLeft {
                policy += ";w=\(max(1, period.end.seconds - period.start.seconds))"
                state += ";t=\(secondsLeft)"
            }
            headers.append(("RateLimit-Policy", policy))
            headers.append(("RateLimit", state))
        }
        if let wait = retryAfter(decision, secondsLeft) {
            headers.append(("Retry-After", String(wait)))
        }
        return headers
    }

    /// Only where waiting helps: a quota refills, a hold ends, a store comes back.
    private func retryAfter(_ decision: Decision, _ secondsLeft: Int64?) -> Int64? {
        switch decision.reason {
        case .exhausted, .overage:
            secondsLeft.map { min(max(1, $0), options.retryAfterSecondsMax) }
        case .held, .stale, .degraded: 1
        case .ok, .warning, .notEntitled, .suspended, .expired, .unknownCustomer, .unknownFeature:
            nil
        }
    }

    /// Nil for a lifetime, which never ends.
    private func secondsToReset(_ period: Period) -> Int64? {
        guard period.end < .distantFuture else { return nil }
        let left = period.end.microseconds(since: options.clock.now())
        return max(0, (left + 999_999).floorDivided(by: 1_000_000))
    }

    private func fieldInteger(_ units: Int64, _ scale: Int) -> Int64 {
        var whole = max(0, units)
        for _ in 0..<scale { whole /= 10 }
        return min(whole, Self.fieldIntegerMax)
    }

    /// A structured-field string; nil when the name has characters that none can hold.
    private static func quoted(_ name: String) -> String? {
        guard name.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else { return nil }
        let escaped = name.flatMap { $0 == "\"" || $0 == "\\" ? ["\\", $0] : [$0] }
        return "\"" + String(escaped) + "\""
    }
}

extension String {
    fileprivate func replacingUnderscores() -> String {
        String(map { $0 == "_" ? " " : $0 })
    }
}
