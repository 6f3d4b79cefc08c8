import Entitlements
import MeteringModel
import MeteringPorts

/// Crossings, adjustments and admissions.
extension RestatementRun {
    func follower(
        _ owner: CompiledCustomer, from: Timestamp
    ) throws(LedgerError) -> CrossingFollowUp {
        let recorded = try ledger.crossings(of: owner.id, periodsEndingAfter: from)
        return CrossingFollowUp(
            limit: limitAfter, recorded: recorded.map(\.crossing), now: now)
    }

    func compare(
        _ change: TimelineChange, _ from: Timestamp, _ past: Timestamp?,
        _ rows: [UsageKey: StoredUsage], _ restatement: inout Restatement,
        _ effects: inout LedgerRestatement
    ) throws(LedgerError) {
        let spans = change.spans(from: from, to: Timestamp(microseconds: now.microseconds + 1))
        if spans.isEmpty { return }
        let follower = try follower(change.new, from: from)
        for (feature, spans) in spans.sorted(by: { $0.key < $1.key }) {
            let pastSpans = spans.filter { $0.start.seconds < now.seconds }
            let pastPeriods = past == nil ? [] : Set(change.periods(pastSpans))
            for period in change.periods(spans) where period.start <= now {
                let last = Timestamp(microseconds: period.end.microseconds - 1)
                let at = min(last, now)
                let before = TimelineChange.quota(of: change.old, feature, in: period, at: at)
                let after = TimelineChange.quota(of: change.new, feature, in: period, at: at)
                let used = try reading(change.new, after ?? before, period, rows)
                note(
                    follower.follow(feature, period, after, at: at, used: used.value),
                    &restatement, &effects)
                guard used.count > 0, pastPeriods.contains(period),
                    let line = line(
                        change.new.id, feature, period, before, after, at, used.value),
                    let meter = (after ?? before)?.meter
                else { continue }
                restatement.lines.append(line)
                effects.adjustments.append(adjustment(line, meter, count: used.count))
            }
        }
    }

    /// Nil when limit and overage are what they were.
    private func line(
        _ customer: CustomerID, _ feature: FeatureKey, _ period: Period, _ before: Quota?,
        _ after: Quota?, _ at: Timestamp, _ used: Int64
    ) -> Restatement.Line? {
        let limitBefore = before.map { self.limitBefore($0, period, at) }
        let limitAfter = after.map { self.limitAfter($0, period, at) }
        if limitBefore == limitAfter { return nil }
        return Restatement.Line(
            customer: customer, feature: feature, period: period,
            scale: (after ?? before)?.scale ?? 0, used: used, limitBefore: limitBefore,
            limitAfter: limitAfter, overageBefore: Self.overage(used, limitBefore),
            overageAfter: Self.overage(used, limitAfter))
    }

    private static func overage(_ used: Int64, _ limit: Limit?) -> Int64 {
        guard let units = limit?.finite else { return 0 }
        return max(0, used.subtractingSaturated(max(0, units)))
    }

    private func adjustment(
        _ line: Restatement.Line, _ meter: MeterKey, count: Int64
    ) -> Adjustment {
        Adjustment(
            key: UsageKey(customer: line.customer, meter: meter, period: line.period),
            count: count, value: line.used, recordedAt: now,
            cause: Adjustment.Cause(
                requestID: requestID, feature: line.feature, scale: line.scale,
                limitBefore: line.limitBefore, limitAfter: line.limitAfter,
                overageBefore: line.overageBefore, overageAfter: line.overageAfter))
    }

    func reading(
        _ owner: CompiledCustomer, _ quota: Quota?, _ period: Period,
        _ rows: [UsageKey: StoredUsage]
    ) throws(LedgerError) -> (value: Int64, count: Int64) {
        guard let quota else { return (0, 0) }
        let key = UsageKey(customer: owner.id, meter: quota.meter, period: period)
        let stored: StoredUsage?
        if let made = rows[key] { stored = made } else { stored = try ledger.usage(key) }
        guard let stored else { return (0, 0) }
        return (stored.state.reading(quota.aggregation), stored.state.count)
    }

    func note(
        _ outcome: CrossingFollowUp.Outcome, _ restatement: inout Restatement,
        _ effects: inout LedgerRestatement
    ) {
        effects.resolved += outcome.resolved.map(\.id)
        effects.crossings += outcome.appeared
        restatement.crossingsResolved += outcome.resolved.map(\.id)
        restatement.crossingsAppeared += outcome.appeared.map(\.id)
    }

    // MARK: admissions

    func review(
        _ number: Int, since: Timestamp, _ restatement: inout Restatement
    ) throws(LedgerError) {
        let review = AdmissionReview(old: old, new: new, limit: limitAfter)
        let admissions = try ledger.admissions(
            of: new.customer(number).id, since: review.start(number, since))
        let refused = review.refused(number, admissions, since: since)
        restatement.admissionsAffectedCount += refused.count
        let room = Restater.admissionsNamedMax - restatement.admissionsAffected.count
        restatement.admissionsAffected += refused.prefix(max(0, room)).map(\.id)
    }
}
