import MeteringModel

/// The grants of one quota while they are used up, interval by interval (`GrantBurnDown`).
public struct GrantAccount: Hashable, Sendable {
    /// Units taken out of a grant in the current period.
    private struct Draw: Hashable, Sendable {
        var grant: String
        var units: Int64
    }

    /// Units gone from each grant for good or in this period, less those that a rollover added.
    private var gone: [String: Int64] = [:]
    /// Those in force in the interval before: they roll over when its period ends.
    private var inForce: [Quota.Grant] = []
    private var period: Period?
    private var usedOfPeriod: Int64 = 0
    private var draws: [Draw] = []

    public init() {}

    /// Takes the next interval with its usage. A last one that is not over yet may be taken by a
    /// copy, again and again.
    public mutating func advance(_ interval: GrantBurnDown.Interval) -> GrantBurnDown.Point {
        if period != interval.period { turn(to: interval.period) }
        inForce = interval.grants.sorted(by: GrantBurnDown.isUsedBefore)
        // Overage of the period so far is covered first by what came since.
        _ = settle(interval.allowance)
        let opening = balances
        let limit = limit(interval.allowance)
        usedOfPeriod = usedOfPeriod.addingSaturated(interval.used)
        let overage = settle(interval.allowance)
        return GrantBurnDown.Point(
            interval: interval, opening: opening, closing: balances, limit: limit,
            usedOfPeriod: usedOfPeriod, overage: overage)
    }

    private func left(_ grant: Quota.Grant) -> Int64 {
        max(0, grant.terms.amount.subtractingSaturated(gone[grant.id] ?? 0))
    }

    private var balances: [GrantBurnDown.Balance] {
        inForce.map { GrantBurnDown.Balance(grant: $0, left: left($0)) }
    }

    private var drawn: Int64 { draws.reduce(0) { $0.addingSaturated($1.units) } }

    private func limit(_ allowance: Limit) -> Limit {
        guard let units = allowance.finite else { return .unlimited }
        return .finite(
            inForce.reduce(units.addingSaturated(drawn)) { $0.addingSaturated(left($1)) })
    }

    /// Ends the period: its draws are final, and what is left of each grant rolls over.
    private mutating func turn(to next: Period) {
        defer {
            period = next
            usedOfPeriod = 0
            draws = []
        }
        guard let ended = period else { return }
        for grant in inForce {
            let end = grant.terms.expires ?? .distantFuture
            // A grant that is over by then has nothing to roll over.
            if end <= ended.end { continue }
            let left = left(grant)
            let kept = min(grant.terms.rolloverMax ?? .max, max(grant.terms.rolloverMin, left))
            gone[grant.id] = grant.terms.amount.subtractingSaturated(kept)
        }
    }

    /// Brings the draws level with the period's usage.
    /// - Returns: units that nothing covers.
    private mutating func settle(_ allowance: Limit) -> Int64 {
        let beyond = allowance.finite.map { max(0, usedOfPeriod.subtractingSaturated($0)) } ?? 0
        var missing = beyond.subtractingSaturated(drawn)
        while missing < 0, let last = draws.last {
            let back = min(last.units, -missing)
            gone[last.grant, default: 0] -= back
            draws[draws.count - 1].units -= back
            if draws[draws.count - 1].units == 0 { draws.removeLast() }
            missing += back
        }
        for grant in inForce where missing > 0 {
            let taken = min(left(grant), missing)
            if taken == 0 { continue }
            gone[grant.id] = (gone[grant.id] ?? 0).addingSaturated(taken)
            draws.append(Draw(grant: grant.id, units: taken))
            missing -= taken
        }
        return missing
    }
}
