package import Entitlements
package import MeteringModel
package import MeteringPorts

/// Brings usage on record in line with changed contracts: rows of periods that are counted anew,
/// crossings, adjustments.
///
/// Called on the pipeline's thread between commits (`MeteringPipeline.betweenCommits`), before the
/// new snapshot is put in force: everything read is committed under the old one then, and whatever
/// is read later is counted under the new one. The same change restated again finds all of it done.
package final class Restater: Sendable {
    private let ledger: any LedgerQueries & LedgerControl
    private let catalog: CurrentCatalog
    private let recount: SliceRecount
    private let limits: @Sendable (CatalogSnapshot) -> LimitRule
    private let aheadSeconds: Int64

    /// Ids of affected admissions that are named; beyond it they are only counted.
    private static let admissionsNamedMax = 100

    /// - Parameters:
    ///   - catalog: the snapshot in force, for `boundaryPassed`.
    ///   - recount: see `SliceRecounting.make`.
    ///   - limits: the rule of the pipeline, as it is under a snapshot; asked for the snapshots
    ///     before and after, once per call.
    package init(
        ledger: any LedgerQueries & LedgerControl, catalog: CurrentCatalog,
        settings: MeteringSettings, recount: @escaping SliceRecount,
        limits: @escaping @Sendable (CatalogSnapshot) -> LimitRule = { _ in
            { quota, _, _ in quota.limit }
        }
    ) {
        self.ledger = ledger
        self.catalog = catalog
        self.recount = recount
        self.limits = limits
        // Events may be that far ahead of the log, and the log's clock ahead of ours.
        aheadSeconds = settings.maximumAheadSeconds + 3_600
    }

    /// - Parameters:
    ///   - changed: customer numbers.
    ///   - since: the earliest instant at which anything is different; nil: nothing before `now` is.
    /// - Throws: what the ledger throws; then the call may be repeated.
    package func restate(
        old: CatalogSnapshot, new: CatalogSnapshot, changed: [Int], since: Timestamp?,
        requestID: String, now: Timestamp
    ) throws(LedgerError) -> Restatement {
        try Run(
            self, old: old, new: new, requestID: requestID, now: now, isDryRun: false
        ).run(changed, since: since)
    }

    /// What `restate` would answer; writes nothing. Safe beside the pipeline, whose commits may
    /// then fall in between.
    package func preview(
        old: CatalogSnapshot, new: CatalogSnapshot, changed: [Int], since: Timestamp?,
        requestID: String, now: Timestamp
    ) throws(LedgerError) -> Restatement {
        try Run(
            self, old: old, new: new, requestID: requestID, now: now, isDryRun: true
        ).run(changed, since: since)
    }

    /// A change scheduled earlier has just taken effect for some customers: their crossings of the
    /// current periods follow, and current rows that are missing are made. Safe to call at any time,
    /// between commits.
    package func boundaryPassed(
        changed: [Int], now: Timestamp
    ) throws(LedgerError) -> Restatement {
        let snapshot = catalog.load()
        return try Run(
            self, old: snapshot, new: snapshot, requestID: "", now: now, isDryRun: false
        ).followUp(changed)
    }

    /// One restatement under way.
    private struct Run {
        let restater: Restater
        let old: CatalogSnapshot
        let new: CatalogSnapshot
        let requestID: String
        let now: Timestamp
        let isDryRun: Bool
        private let limitBefore: LimitRule
        private let limitAfter: LimitRule

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

        private var ledger: any LedgerQueries & LedgerControl { restater.ledger }

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
            return restatement
        }

        // MARK: rows

        /// A customer that the process has just come to know has no usage.
        private func known(_ number: Int) -> Bool { number < old.customerCount }

        private func before(_ number: Int) -> CompiledCustomer? {
            let owner = old.customer(number)
            return owner.isRemoved ? nil : owner
        }

        /// Makes, and writes, the rows of periods that the new timelines count and the old did not.
        private func makeRows(
            _ numbers: [Int], from: Timestamp
        ) throws(LedgerError) -> [UsageKey: StoredUsage] {
            let until = now.adding(seconds: restater.aheadSeconds)
            let past = PastUsage(queries: ledger)
            var drafts: [PastUsage.Draft] = []
            for number in numbers {
                let change = TimelineChange(old: before(number), new: new.customer(number))
                for meter in meters(of: change.new) {
                    let definition = new.meters[meter]
                    let oldMeter = old.meterIndex(definition.key)
                    let periods = try newPeriods(change, meter, oldMeter, from, until)
                    for period in periods {
                        var draft = try past.draft(change.new, definition, period)
                        draft.isAdmitted = Self.isAdmitted(change.new, meter)
                        drafts.append(draft)
                    }
                }
            }
            return try write(drafts)
        }

        private func newPeriods(
            _ change: TimelineChange, _ meter: Int, _ oldMeter: Int?, _ from: Timestamp,
            _ until: Timestamp
        ) throws(LedgerError) -> [Period] {
            if old !== new {
                return change.newlyCounted(meter: meter, from: from, to: until) { period in
                    guard let owner = change.old, let oldMeter,
                        owner.zone.name == change.new.zone.name
                    else { return false }
                    return Segments.counts(period, of: owner, meter: oldMeter)
                }
            }
            // Nothing changed: only what a crash has left out is missing.
            var missing: [Period] = []
            let meterKey = new.meters[meter].key
            for period in change.newlyCounted(
                meter: meter, from: from, to: until, wasCounted: { _ in false })
            {
                let key = UsageKey(customer: change.new.id, meter: meterKey, period: period)
                if try ledger.usage(key) == nil { missing.append(period) }
            }
            return missing
        }

        private func write(
            _ drafts: [PastUsage.Draft]
        ) throws(LedgerError) -> [UsageKey: StoredUsage] {
            var drafts = drafts
            let slices = drafts.flatMap(\.slices)
            if !slices.isEmpty {
                let states = try restater.recount(new, slices)
                var next = 0
                for index in drafts.indices {
                    for _ in drafts[index].slices {
                        drafts[index].state.merge(states[next], drafts[index].aggregation)
                        next += 1
                    }
                }
            }
            var rows: [UsageKey: StoredUsage] = [:]
            for draft in drafts {
                // A row without usage is written only over one that is there.
                if draft.state.count == 0, try ledger.usage(draft.key) == nil { continue }
                rows[draft.key] = draft.row
            }
            if !isDryRun, !rows.isEmpty {
                // Before anything else: limits with grants follow from usage rows.
                var effects = LedgerRestatement(at: now)
                effects.usage = Array(rows.values)
                try ledger.restate(effects)
            }
            return rows
        }

        private func meters(of owner: CompiledCustomer) -> [Int] {
            var meters: Set<Int> = []
            for segment in owner.segments {
                for index in 0..<segment.quotaCount {
                    guard case .metered(let quota, _) = segment.quotaEntitlement(index).value,
                        let meter = new.meterIndex(quota.meter)
                    else { continue }
                    meters.insert(meter)
                }
            }
            return meters.sorted()
        }

        private static func isAdmitted(_ owner: CompiledCustomer, _ meter: Int) -> Bool {
            owner.segments.contains { segment in
                segment.quotas(ofMeter: meter).contains {
                    segment.quota($0).counting == .admission
                }
            }
        }

        // MARK: crossings and adjustments

        private func follower(
            _ owner: CompiledCustomer, from: Timestamp
        ) throws(LedgerError) -> CrossingFollowUp {
            let recorded = try ledger.crossings(of: owner.id, periodsEndingAfter: from)
            return CrossingFollowUp(
                limit: limitAfter, recorded: recorded.map(\.crossing), now: now)
        }

        private func compare(
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

        private func reading(
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

        private func note(
            _ outcome: CrossingFollowUp.Outcome, _ restatement: inout Restatement,
            _ effects: inout LedgerRestatement
        ) {
            effects.resolved += outcome.resolved.map(\.id)
            effects.crossings += outcome.appeared
            restatement.crossingsResolved += outcome.resolved.map(\.id)
            restatement.crossingsAppeared += outcome.appeared.map(\.id)
        }

        // MARK: admissions

        private func review(
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
}
