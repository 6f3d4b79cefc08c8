import MeteringModel
import MeteringPorts

/// From when to when an order gives rights, and from when on its changes hold.
struct OrderTerms {
    let start: Timestamp
    /// Nil: open.
    let end: Timestamp?
    /// The order's term is a trial that expires.
    let trialEnd: Timestamp?
    /// Whether a trial that was there before goes on.
    let keepsTrial: Bool
    /// From when on what the order changes is so.
    let effectiveAt: Timestamp

    /// When everything that the order gives is over.
    var over: Timestamp? { trialEnd ?? end }

    init(
        _ payload: VendorPayload, _ zone: TimeZoneRules, _ existing: OrderSubscription?,
        _ effectiveAt: Timestamp
    ) throws(ControlProblem) {
        let givenStart = payload.start?.instant(in: zone, isEnd: false)
        let givenEnd = payload.end?.instant(in: zone, isEnd: true)
        start = givenStart ?? existing?.start ?? effectiveAt
        // A renewal that is ordered ahead must not cut the running term short.
        let isRunning = existing.map { $0.start <= effectiveAt } ?? false
        self.effectiveAt = isRunning ? max(effectiveAt, start) : effectiveAt

        switch payload.license {
        case .trial:
            trialEnd = givenEnd
            end = nil
            keepsTrial = false
        case .perpetual:
            trialEnd = nil
            end = nil
            keepsTrial = false
        case .subscription, .concurrent, .named:
            trialEnd = nil
            end = givenEnd ?? existing?.end
            keepsTrial = false
        case nil:
            let isStillTrial = givenEnd == nil && existing?.isExpiringTrial == true
            trialEnd = isStillTrial ? existing?.trialEnd : nil
            end = givenEnd ?? existing?.end
            keepsTrial = isStillTrial || existing?.isExpiringTrial == false
        }
        if let end = payload.end, let givenEnd, givenEnd <= start {
            throw ControlProblem(
                .unprocessable, "end_before_start",
                "\(end.field) (\(givenEnd.rfc3339())) is not after the start "
                    + "(\(start.rfc3339()))",
                field: end.field)
        }
    }
}
