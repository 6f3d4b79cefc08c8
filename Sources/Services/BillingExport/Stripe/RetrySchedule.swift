/// How long to wait after a call that failed: exponentially longer, up to a bound, with jitter.
struct RetrySchedule: Sendable {
    var firstSeconds: Int64 = 2
    var secondsMax: Int64 = 900
    /// What an answer may ask for at most.
    var retryAfterSecondsMax: Int64 = 3_600
    /// A number from 0 up to, and without, the bound.
    var random: @Sendable (_ bound: Int64) -> Int64

    /// At least half of the step, at most all of it, and not less than was asked for.
    /// - Parameter callCount: calls so far, from 1.
    func seconds(callCount: Int, askedFor: Int64?) -> Int64 {
        let doublings = Int64(max(0, min(callCount - 1, 20)))
        let step = min(secondsMax, firstSeconds << doublings)
        let wait = step - random(step / 2 + 1)
        return max(wait, min(askedFor ?? 0, retryAfterSecondsMax))
    }
}
