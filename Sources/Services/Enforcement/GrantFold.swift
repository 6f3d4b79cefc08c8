import Entitlements
import MeteringModel

/// Uses up allowance and grants along a quota's intervals, from the first grant on: pure, so that
/// every start of the service finds the same balances.
///
/// In each interval usage takes from the allowance first, then from the grants in force, in their
/// order; what is left over is overage, which a grant or a larger allowance of a later interval of
/// the same period covers before anything else. At the end of a period the allowance is new and
/// grants roll over.
struct GrantFold {
    /// A time in which allowance and grants stay the same.
    struct Interval {
        var period: Period
        var start: Timestamp
        var allowance: Limit
        var grants: [Quota.Grant]
    }

    private struct Balance {
        var terms: GrantTerms
        var left: Int64
    }

    private var balances: [String: Balance] = [:]
    private var period: Period?
    /// Of the period so far.
    private var fromAllowance: Int64 = 0
    private var fromGrants: Int64 = 0
    private var overage: Int64 = 0

    /// Goes through an interval that is over.
    mutating func pass(_ interval: Interval, used: Int64) {
        enter(interval)
        guard let allowance = interval.allowance.finite.map({ max($0, 0) }) else { return }
        var need = overage.addingSaturated(used)
        if fromAllowance > allowance {
            need = need.addingSaturated(fromAllowance - allowance)
            fromAllowance = allowance
        }
        let own = max(0, min(need, allowance - fromAllowance))
        fromAllowance += own
        need -= own
        for grant in interval.grants where need > 0 {
            let taken = min(need, balances[grant.id]?.left ?? 0)
            balances[grant.id]?.left -= taken
            fromGrants = fromGrants.addingSaturated(taken)
            need -= taken
        }
        // Usage taken back (a negative amount) lowers what is owed, never a balance.
        overage = max(0, need)
    }

    /// The limit in an interval, in units of its period: the allowance, what grants gave earlier in
    /// the period, and what is left of those in force.
    mutating func limit(in interval: Interval) -> Limit {
        enter(interval)
        guard let allowance = interval.allowance.finite else { return .unlimited }
        var limit = max(allowance, 0).addingSaturated(fromGrants)
        for grant in interval.grants {
            limit = limit.addingSaturated(balances[grant.id]?.left ?? 0)
        }
        return .finite(limit)
    }

    private mutating func enter(_ interval: Interval) {
        if let last = period, last != interval.period {
            rollOver()
            fromAllowance = 0
            fromGrants = 0
            overage = 0
        }
        period = interval.period
        var next: [String: Balance] = [:]
        for grant in interval.grants {
            guard var known = balances[grant.id] else {
                next[grant.id] = Balance(terms: grant.terms, left: max(0, grant.terms.amount))
                continue
            }
            if known.terms != grant.terms {
                let change = grant.terms.amount.subtractingSaturated(known.terms.amount)
                known.left = max(0, known.left.addingSaturated(change))
                known.terms = grant.terms
            }
            next[grant.id] = known
        }
        // What is in force no more has lapsed.
        balances = next
    }

    private mutating func rollOver() {
        for (id, balance) in balances {
            var left = max(balance.left, balance.terms.rolloverMin)
            if let most = balance.terms.rolloverMax { left = min(left, most) }
            balances[id]?.left = max(0, left)
        }
    }
}
