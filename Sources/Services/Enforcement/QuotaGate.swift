import Entitlements
package import Logging
package import MeteringModel
package import MeteringPorts
import QuotaEngine
import Synchronization

/// Answers whether a customer may use more, and charges what it admits.
///
/// Order of effects of an admission (durability `logged`):
/// 1. the shared store grants the units (only with Redis);
/// 2. one compare-and-set takes them from this process's counter;
/// 3. the admission event is appended to the log, and the answer waits for its acknowledgement;
/// 4. the answer goes out;
/// 5. the event comes back through the metering pipeline into the ledger, marked as charged.
/// A crash after 3 finds the charge in the log; a crash before it has answered nobody.
package final class QuotaGate: EntitlementGate {
    package let board: CounterBoard
    package let book: IdempotencyBook
    package let statistics = GateStatistics()
    let writer: any EventLogWriter
    let queries: any LedgerQueries
    let shared: SharedCounterSync?
    let clock: WallClock
    let instance: String
    let logger: Logger
    let completeTo: @Sendable () -> Timestamp?
    private let sequence = Atomic<UInt64>(0)

    package init(
        board: CounterBoard, book: IdempotencyBook, writer: any EventLogWriter,
        queries: any LedgerQueries, shared: SharedCounterSync?, clock: WallClock,
        instance: String, logger: Logger, completeTo: @escaping @Sendable () -> Timestamp?
    ) {
        self.board = board
        self.book = book
        self.writer = writer
        self.queries = queries
        self.shared = shared
        self.clock = clock
        self.instance = instance
        self.logger = logger
        self.completeTo = completeTo
    }

    /// The largest quantity of one request: sums of many stay inside Int64, and every store (Redis
    /// counts exactly up to 2^53) can hold it.
    static let quantityMax: Int64 = 1 << 53

    /// Unique in this process's life and, with the instance, beyond it.
    func nextID() -> String { "\(instance)-\(sequence.add(1, ordering: .relaxed).newValue)" }

    // MARK: check

    package func check(_ question: EntitlementQuestion) throws(GateError) -> Decision {
        let found = resolve(question)
        switch found {
        case .settled(let decision):
            statistics.count(decision)
            return decision
        case .metered(let located):
            let quantity = try units(question.quantity, located.quota)
            let decision = try answer(located, quantity)
            statistics.count(decision)
            return decision
        }
    }

    package func entitlements(
        of customer: CustomerID
    ) throws(GateError) -> [EffectiveEntitlement] {
        let snapshot = board.catalog.load()
        guard let index = snapshot.customerIndex(customer) else {
            throw GateError(code: .unknownCustomer, message: "no customer \(customer)")
        }
        var result: [EffectiveEntitlement] = []
        for feature in snapshot.customers[index].entitlements.keys.sorted() {
            let question = EntitlementQuestion(
                party: .customer(customer), feature: feature,
                quantity: DecimalQuantity(mantissa: 0))
            let decision = try check(question)
            let quota = snapshot.quotaIndex(customer: index, feature: feature)
                .map { snapshot.quotas[$0] }
            result.append(
                EffectiveEntitlement(
                    feature: feature, type: snapshot.feature(feature)?.type ?? .boolean,
                    decision: decision, enforcement: quota?.enforcement,
                    counting: quota?.counting, thresholds: quota?.thresholds.map(\.label) ?? []))
        }
        return result
    }

    /// Usage of a live counter as the ledger should have it (admissions under way taken out); nil
    /// when there is no counter for that period. For reconciliation.
    package func settledUsage(
        customer: CustomerID, feature: FeatureKey, period: Period
    ) -> Int64? {
        let question = EntitlementQuestion(party: .customer(customer), feature: feature)
        guard case .metered(let located) = resolve(question) else { return nil }
        return board.settledUsage(located, period)
    }

    // MARK: consume

    package func consume(_ question: EntitlementQuestion) async throws(GateError) -> Decision {
        switch resolve(question) {
        case .settled(let decision):
            statistics.count(decision)
            return decision
        case .metered(let located):
            try requireAdmission(located.quota)
            let quantity = try chargeableUnits(question.quantity, located.quota)
            guard let id = question.id else {
                return try await admit(located, quantity, eventID: nextID(), request: "")
            }
            let key = IdempotencyBook.key(located.quota.customer, located.quota.feature, id)
            switch await book.claim(key, quantity: quantity) {
            case .answered(let decision): return decision
            case .conflict:
                throw GateError(
                    code: .idConflict,
                    message: "id \(id) was used for another quantity; use a new id")
            case .unsettled:
                throw GateError(
                    code: .unavailable,
                    message: "the log has not acknowledged id \(id) yet; ask again with it")
            case .mine:
                do throws(GateError) {
                    let decision = try await admit(
                        located, quantity, eventID: "c:" + id, request: id)
                    if decision.reason == .degraded {
                        book.abandon(key)
                    } else {
                        book.finish(key, decision)
                    }
                    return decision
                } catch {
                    book.abandon(key)
                    throw error
                }
            }
        }
    }

    /// Charges and records one admission.
    private func admit(
        _ located: CounterBoard.Located, _ quantity: Int64, eventID: String, request: String
    ) async throws(GateError) -> Decision {
        let grant = try await charge(located, quantity)
        let period: Period
        switch grant {
        case .denied(let decision):
            statistics.count(decision)
            return decision
        case .charged(let charged): period = charged
        }
        let decision = try charged(located, quantity, period)
        let fields = ControlEvent.Fields([
            .customer: located.quota.customer.rawValue, .feature: located.quota.feature.rawValue,
            .meter: located.quota.meter.rawValue, .quantity: String(quantity),
            .instance: instance, .request: request, .answer: DecisionRecord.encode(decision),
        ])
        let record = ControlEvent.encode(
            type: ControlEvent.admissionType, id: eventID, time: eventTime(period), fields: fields,
            key: located.snapshot.hash)
        let key =
            request.isEmpty
            ? nil : IdempotencyBook.key(located.quota.customer, located.quota.feature, request)
        let book = book
        do throws(EventLogError) {
            try await write(record, located, period, quantity) {
                if let key { book.finish(key, decision) }
            }
        } catch {
            if error.outcome == .unknown, let key { book.suspend(key) }
            throw Self.unrecorded(error)
        }
        statistics.count(decision)
        return decision
    }

    /// Appends the record of a charge; undoes the charge when it is certainly not in the log.
    func write(
        _ record: [UInt8], _ located: CounterBoard.Located, _ period: Period, _ quantity: Int64,
        whenRecorded: @escaping @Sendable () -> Void
    ) async throws(EventLogError) {
        let append = LogAppend(key: located.quota.customer.rawValue, value: record)
        if located.quota.durability == .fast {
            let (board, key) = (board, located.key)
            recordLater(append) { board.refund(key, quantity, period: period) }
            return
        }
        do throws(EventLogError) {
            try await self.record(append, whenRecorded: whenRecorded)
        } catch {
            if error.outcome == .notAppended {
                board.refund(located.key, quantity, period: period)
                await shared?.giveBack(located, quantity, period)
            }
            throw error
        }
    }

    enum Grant {
        case charged(Period)
        case denied(Decision)
    }

    /// Takes the units: from the shared store where there is one, and from this process's counter.
    func charge(
        _ located: CounterBoard.Located, _ quantity: Int64
    ) async throws(GateError) -> Grant {
        let now = clock.now()
        var isGranted = false
        if let shared {
            let zone = located.snapshot.customers[located.customer].zone
            let period = located.quota.rule.period(containing: now, zone: zone)
            switch await shared.admit(located, quantity, period) {
            case .admitted: isGranted = true
            case .exhausted: return .denied(try denial(located, quantity))
            case .unavailable(let reason):
                if let denied = try onOutage(located, quantity, reason) { return .denied(denied) }
                if case .open = located.quota.onOutage { isGranted = true }
            }
        }
        do throws(LedgerError) {
            if let period = try board.charge(located, quantity, now: now, force: isGranted) {
                return .charged(period)
            }
        } catch {
            throw GateError(code: .unavailable, message: error.message)
        }
        return .denied(try denial(located, quantity))
    }

    /// What the outage policy says: nil to go on with what this process knows.
    private func onOutage(
        _ located: CounterBoard.Located, _ quantity: Int64, _ reason: String
    ) throws(GateError) -> Decision? {
        statistics.outage()
        let isAllowed: Bool
        switch located.quota.onOutage {
        case .closed: isAllowed = false
        case .open: isAllowed = true
        case .lastKnown(let seconds): isAllowed = shared?.isFresh(within: seconds) ?? false
        case .allowance(let units):
            isAllowed = shared?.spendAllowance(located.key, quantity, of: units) ?? false
        }
        if isAllowed { return nil }
        var decision = try answer(located, quantity)
        decision.isAllowed = false
        decision.reason = .degraded
        decision.mode = .stale
        return decision
    }

    // MARK: parts

    enum Resolved {
        case settled(Decision)
        case metered(CounterBoard.Located)
    }

    /// Finds the quota, or the answer where no quota is needed.
    func resolve(_ question: EntitlementQuestion) -> Resolved {
        let snapshot = board.catalog.load()
        let index: Int?
        var name: CustomerID
        switch question.party {
        case .customer(let id):
            index = snapshot.customerIndex(id)
            name = id
        case .subject(let subject):
            index = snapshot.customerIndex(ofSubject: subject)
            name = index.map { snapshot.customers[$0].id } ?? CustomerID(subject.rawValue)
        }
        let quantity = question.quantity.exponent == 0 ? question.quantity.mantissa : 0
        func settled(
            _ reason: DecisionReason, allowed: Bool = false, value: String? = nil
        ) -> Resolved {
            let owner = index.map { snapshot.customers[$0] }
            return .settled(
                Decision(
                    isAllowed: allowed, reason: reason, customer: name,
                    feature: question.feature, quantity: quantity,
                    limitSource: owner?.plan.map { "plan \($0) v\(owner?.planVersion ?? 0)" },
                    value: value, usageCompleteTo: completeTo(),
                    timeZone: owner?.zone.name ?? "UTC",
                    upgradeHint: allowed
                        ? nil
                        : index.flatMap {
                            snapshot.upgradeHint(customer: $0, feature: question.feature)
                        }))
        }
        guard let index else { return settled(.unknownCustomer) }
        guard snapshot.feature(question.feature) != nil else { return settled(.unknownFeature) }
        let owner = snapshot.customers[index]
        if let start = owner.subscriptionStart, clock.now() < start {
            return settled(.notEntitled)
        }
        guard let entitlement = owner.entitlements[question.feature] else {
            return settled(.notEntitled)
        }
        switch entitlement {
        case .boolean(let isOn): return settled(isOn ? .ok : .notEntitled, allowed: isOn)
        case .value(let value): return settled(.ok, allowed: true, value: value)
        case .metered:
            guard let quotaIndex = snapshot.quotaIndex(customer: index, feature: question.feature)
            else { return settled(.notEntitled) }
            let quota = snapshot.quotas[quotaIndex]
            return .metered(
                CounterBoard.Located(
                    snapshot: snapshot, customer: index, quota: quota,
                    key: CounterBoard.key(quota, snapshot.hash)))
        }
    }

    /// The decision about `quantity` more, charging nothing.
    func answer(
        _ located: CounterBoard.Located, _ quantity: Int64
    ) throws(GateError) -> Decision {
        do throws(LedgerError) {
            let reading = try board.reading(located, now: clock.now())
            var decision = QuotaRules.decide(
                quota: located.quota, reading: reading.used, held: reading.held, quantity: quantity,
                period: reading.period)
            complete(&decision, located)
            return decision
        } catch {
            throw GateError(code: .unavailable, message: error.message)
        }
    }

    private func denial(
        _ located: CounterBoard.Located, _ quantity: Int64
    ) throws(GateError) -> Decision {
        var decision = try answer(located, quantity)
        if decision.isAllowed {
            // Units came free between the refusal and this reading; the refusal stands.
            decision.isAllowed = false
            decision.reason = decision.held > 0 ? .held : .exhausted
        }
        return decision
    }

    /// The decision as it reads after the charge.
    func charged(
        _ located: CounterBoard.Located, _ quantity: Int64, _ period: Period
    ) throws(GateError) -> Decision {
        var decision = try answer(located, 0)
        decision.isAllowed = true
        decision.quantity = quantity
        if decision.overage > 0 {
            decision.reason = .overage
        } else {
            decision.reason = decision.thresholdsCrossed.isEmpty ? .ok : .warning
        }
        decision.period = period
        return decision
    }

    private func complete(_ decision: inout Decision, _ located: CounterBoard.Located) {
        decision.usageCompleteTo = completeTo()
        decision.timeZone = located.snapshot.customers[located.customer].zone.name
        if decision.reason != .ok {
            decision.upgradeHint = located.snapshot.upgradeHint(
                customer: located.customer, feature: located.quota.feature)
        }
        if shared?.isDegraded == true { decision.mode = .stale }
    }

    /// Inside the charged period, whatever this machine's clock says.
    func eventTime(_ period: Period) -> String {
        let now = clock.now()
        let last = Timestamp(microseconds: period.end.microseconds - 1)
        return max(period.start, min(now, last)).rfc3339(offsetSeconds: 0)
    }

    func units(_ quantity: DecimalQuantity, _ quota: Quota) throws(GateError) -> Int64 {
        let units: Int64
        do throws(DecimalQuantity.Failure) {
            units = try quantity.units(scale: quota.scale)
        } catch {
            throw GateError(
                code: .invalidQuantity,
                message: "quantity: \(error); the meter keeps \(quota.scale) decimal places")
        }
        if units < 0 {
            throw GateError(code: .invalidQuantity, message: "quantity is below zero")
        }
        return units
    }

    /// As `units`, for what is about to be charged.
    /// - Parameter isForced: charged whatever the limit says.
    func chargeableUnits(
        _ quantity: DecimalQuantity, _ quota: Quota, isForced: Bool = false
    ) throws(GateError) -> Int64 {
        let units = try units(quantity, quota)
        if units <= Self.quantityMax { return units }
        // More than a hard limit allows at all is a plain denial.
        if !isForced, quota.enforcement == .hard, let limit = quota.limit.finite, limit < units {
            return units
        }
        throw GateError(
            code: .invalidQuantity,
            message: "quantity is beyond 2^53 of the meter's smallest units")
    }

    func requireAdmission(_ quota: Quota) throws(GateError) {
        if quota.counting == .admission { return }
        throw GateError(
            code: .invalidRequest,
            message: "feature \(quota.feature) is counted by events: ask /v1/check, and let its "
                + "usage arrive as events; or set `counting: admission` in the catalog")
    }
}
