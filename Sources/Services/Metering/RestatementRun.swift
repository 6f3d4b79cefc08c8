import Entitlements
import MeteringModel
import MeteringPorts

/// One restatement under way; see `Restater`.
struct RestatementRun {
    let restater: Restater
    let old: CatalogSnapshot
    let new: CatalogSnapshot
    let requestID: String
    let now: Timestamp
    let isDryRun: Bool
    let limitBefore: LimitRule
    let limitAfter: LimitRule
    /// What kept parts of hours from being counted; told when all the rest is done.
    let failure = RecountFailure()

    final class RecountFailure {
        var error: LedgerError?
    }

    init(
        _ restater: Restater, old: CatalogSnapshot, new: CatalogSnapshot, requestID: String,
        now: Timestamp, isDryRun: Bool
    ) {
        self.restater = restater
        self.old = old
        self.new = new
        self.requestID = requestID
        self.now = now
        self.isDryRun = isDryRun
        limitBefore = restater.limits(old)
        limitAfter = old === new ? limitBefore : restater.limits(new)
    }

    var ledger: any LedgerQueries & LedgerControl { restater.ledger }

    func run(_ changed: [Int], since: Timestamp?) throws(LedgerError) -> Restatement {
        guard let begins = try ledger.usageBegins() else { return Restatement() }
        // Instants of contracts are whole seconds: one in the current second is now.
        let past = since.flatMap { $0.seconds < now.seconds ? max($0, begins) : nil }
        let from = min(past ?? now, now)
        let numbers = Set(changed).sorted().filter { known($0) }
        let rows = try makeRows(numbers, from: from)
        var restatement = Restatement()
        var effects = LedgerRestatement(at: now)
        for number in numbers {
            let change = TimelineChange(old: before(number), new: new.customer(number))
            try compare(change, from, past, rows, &restatement, &effects)
            if let past { try review(number, since: past, &restatement) }
        }
        if !isDryRun { try ledger.restate(effects) }
        if let error = failure.error { throw error }
        return restatement
    }

    func followUp(_ changed: [Int]) throws(LedgerError) -> Restatement {
        guard try ledger.usageBegins() != nil else { return Restatement() }
        let numbers = Set(changed).sorted()
        let rows = try makeRows(numbers, from: now)
        var restatement = Restatement()
        var effects = LedgerRestatement(at: now)
        for number in numbers {
            let owner = new.customer(number)
            let follower = try follower(owner, from: now)
            var subjects: [FeatureKey: Set<Period>] = [:]
            for quota in owner.segment(at: now).quotas {
                let period = quota.rule.period(containing: now, zone: owner.zone)
                subjects[quota.feature, default: []].insert(period)
            }
            for crossing in follower.recorded where crossing.resolvedAt == nil {
                subjects[crossing.feature, default: []].insert(crossing.period)
            }
            for (feature, periods) in subjects.sorted(by: { $0.key < $1.key }) {
                for period in periods where period.contains(now) {
                    let quota = TimelineChange.quota(of: owner, feature, in: period, at: now)
                    let used = try reading(owner, quota, period, rows).value
                    let outcome = follower.follow(
                        feature, period, quota, at: now, used: used)
                    note(outcome, &restatement, &effects)
                }
            }
        }
        try ledger.restate(effects)
        if let error = failure.error { throw error }
        return restatement
    }
}
