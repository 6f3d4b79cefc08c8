internal import MeteringModel
internal import Synchronization

/// A token bucket for each caller: `burst` at once, `ratePerSecond` in the long run.
///
/// A bucket is kept as the instant at which it will be full again (the generic cell rate algorithm),
/// so one that is full needs no memory. At most `bucketCountMax` are kept; callers beyond that share
/// one.
final class RateLimiter: Sendable {
    static let bucketCountMax = 10_000
    private static let shared = ""

    let ratePerSecond: Int
    let burst: Int
    /// Microseconds until one more token is there.
    private let interval: Int64

    private struct State {
        /// When each bucket is full again, in microseconds.
        var fullAt: [String: Int64] = [:]
        var sweptAt = Int64.min
    }
    private let state = Mutex(State())

    /// Nil when `ratePerSecond` is 0: nothing is limited then.
    init?(ratePerSecond: Int, burst: Int) {
        guard ratePerSecond > 0 else { return nil }
        self.ratePerSecond = min(ratePerSecond, 1_000_000)
        self.burst = max(burst, 1)
        interval = Int64(1_000_000 / self.ratePerSecond)
    }

    var bucketCount: Int { state.withLock { $0.fullAt.count } }

    /// Takes a token.
    /// - Returns: nil, or, when there is none, the microseconds until there is one.
    func take(from caller: String, now: Timestamp) -> Int64? {
        let now = now.microseconds
        return state.withLock { state in
            let name = Self.place(for: caller, &state, now)
            let depth = Int64(burst) * interval
            // A bucket cannot be emptier than empty, whatever the clock did.
            let fullAt = min(max(state.fullAt[name] ?? now, now), now + depth)
            let wait = fullAt + interval - depth - now
            if wait > 0 { return wait }
            state.fullAt[name] = fullAt + interval
            return nil
        }
    }

    /// The caller's bucket, or the shared one when there is no room for another. Sweeping out what
    /// is full takes time in proportion to the bound, so it happens once a second at most.
    private static func place(for caller: String, _ state: inout State, _ now: Int64) -> String {
        if state.fullAt[caller] != nil || state.fullAt.count < bucketCountMax { return caller }
        if now - 1_000_000 >= state.sweptAt || now < state.sweptAt {
            state.sweptAt = now
            state.fullAt = state.fullAt.filter { $0.value > now }
        }
        return state.fullAt.count < bucketCountMax ? caller : shared
    }

    /// 429 with the fields of draft-ietf-httpapi-ratelimit-headers.
    func problem(wait microseconds: Int64) -> Problem {
        let seconds = max(1, (microseconds + 999_999) / 1_000_000)
        let window = max(1, (burst + ratePerSecond - 1) / ratePerSecond)
        var problem = Problem(
            status: 429, code: "rate_limited",
            detail: "more than \(ratePerSecond) requests per second; nothing was done")
        problem.violatedPolicies = ["requests"]
        problem.headers = [
            ("Retry-After", String(seconds)),
            ("RateLimit-Policy", "\"requests\";q=\(burst);w=\(window)"),
            ("RateLimit", "\"requests\";r=0;t=\(seconds)"),
        ]
        return problem
    }
}
