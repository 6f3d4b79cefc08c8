package import Entitlements
package import Logging
package import MeteringModel
package import MeteringPorts
import QuotaEngine
import Synchronization

/// Answers whether a customer may use more, and charges what it admits.
///
/// Order of effects of an admission (durability `logged`), with 1 and 2 for the customer's quota and
/// then for each ancestor's; a refusal gives back what was taken below it:
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
    let seats: (any SeatCounting)?
    /// Makes the counters of a customer for an environment that nobody has used yet, in the catalog
    /// in force; answers that catalog. Called at the first question about them.
    let makeTwin: (@Sendable (_ number: Int, Environment) -> CatalogSnapshot?)?
    let clock: WallClock
    let instance: String
    let logger: Logger
    let completeTo: @Sendable () -> Timestamp?
    private let sequence = Atomic<UInt64>(0)

    package init(
        board: CounterBoard, book: IdempotencyBook, writer: any EventLogWriter,
        queries: any LedgerQueries, shared: SharedCounterSync?,
        seats: (any SeatCounting)? = nil,
        makeTwin: (@Sendable (_ number: Int, Environment) -> CatalogSnapshot?)? = nil,
        clock: WallClock, instance: String, logger: Logger,
        completeTo: @escaping @Sendable () -> Timestamp?
    ) {
        self.board = board
        self.book = book
        self.writer = writer
        self.queries = queries
        self.shared = shared
        self.seats = seats
        self.makeTwin = makeTwin
        self.clock = clock
        self.instance = instance
        self.logger = logger
        self.completeTo = completeTo
    }

    /// The largest quantity of one request: sums of many stay inside Int64, and every store (Redis
    /// counts exactly up to 2^53) can hold it.
    static let quantityMax: Int64 = 1 << 53

    /// How often a question is asked anew because its contract changed under it.
    static let resolvingAttemptsMax = 8

    /// Unique in this process's life and, with the instance, beyond it.
    func nextID() -> String { "\(instance)-\(sequence.add(1, ordering: .relaxed).newValue)" }

    // MARK: check

    package func check(_ question: EntitlementQuestion) throws(GateError) -> Decision {
        if let decision = try plainAnswer(question) {
            statistics.count(decision)
            return decision
        }
        let decision = try look(question)
        statistics.count(decision)
        return decision
    }

    /// As `check`, the long way for every question; not counted.
    package func look(
        _ question: EntitlementQuestion, ignoresBinding: Bool = false
    ) throws(GateError) -> Decision {
        for _ in 0..<Self.resolvingAttemptsMax {
            switch try resolve(question, ignoresBinding: ignoresBinding) {
            case .settled(let decision): return decision
            case .metered(let path):
                let quantity = try units(question.quantity, scale: path.first.quota.scale)
                do throws(LedgerError) {
                    return try decide(path, quantity)
                } catch {
                    // The contract changed under the question: ask the new one.
                    if error.code == .busy { continue }
                    throw GateError(code: .unavailable, message: error.message)
                }
            }
        }
        throw GateError(code: .unavailable, message: CounterBoard.restless.message)
    }

    package func entitlements(
        of customer: CustomerID, at instant: Timestamp?
    ) throws(GateError) -> [EffectiveEntitlement] {
        let snapshot = board.catalog.load()
        guard let number = snapshot.customerIndex(customer), !snapshot.customer(number).isRemoved
        else {
            throw GateError(code: .unknownCustomer, message: "no customer \(customer)")
        }
        let moment = instant ?? clock.now()
        var features: Set<FeatureKey> = []
        snapshot.lineage(of: number, at: moment) { _, segment in
            features.formUnion(segment.features)
        }
        var result: [EffectiveEntitlement] = []
        for feature in features.sorted() {
            // An ancestor's is only listed where it is inherited.
            guard let found = snapshot.entitlement(of: number, feature, at: moment) else {
                continue
            }
            result.append(try effective(found, of: customer, snapshot, at: instant))
        }
        return result
    }

    private func effective(
        _ entitlement: CompiledEntitlement, of customer: CustomerID, _ snapshot: CatalogSnapshot,
        at instant: Timestamp?
    ) throws(GateError) -> EffectiveEntitlement {
        let feature = entitlement.feature
        let question = EntitlementQuestion(
            party: .customer(customer), feature: feature, quantity: DecimalQuantity(mantissa: 0))
        let decision: Decision
        if let instant {
            switch try resolve(question, at: instant, ignoresBinding: true) {
            case .settled(let settled): decision = settled
            case .metered(let path):
                do throws(LedgerError) { decision = try decideFromLedger(path) } catch {
                    throw GateError(code: .unavailable, message: error.message)
                }
            }
        } else {
            decision = try look(question, ignoresBinding: true)
        }
        let quota = entitlement.quota.map { position in
            snapshot.customer(entitlement.holder).segment(at: instant ?? clock.now())
                .quota(position)
        }
        return EffectiveEntitlement(
            feature: feature, type: snapshot.feature(feature)?.type ?? .boolean,
            decision: decision, enforcement: quota?.enforcement, counting: quota?.counting,
            thresholds: quota?.thresholds.map(\.label) ?? [],
            sources: entitlement.sources, binding: entitlement.binding)
    }

    /// Usage of a live counter as the ledger should have it (admissions under way taken out); nil
    /// when there is no counter for that period. For reconciliation.
    package func settledUsage(
        customer: CustomerID, feature: FeatureKey, period: Period
    ) -> Int64? {
        board.settledUsage(
            CounterBoard.key(customer, feature, board.catalog.load().hash), period)
    }

    // MARK: consume

    package func consume(_ question: EntitlementQuestion) async throws(GateError) -> Decision {
        switch try resolve(question) {
        case .settled(let decision):
            try requireCountable(decision)
            statistics.count(decision)
            return decision
        case .metered(let path):
            try requireAdmission(path.quota)
            let quantity = try chargeableUnits(question.quantity, path.quota)
            guard let id = question.id else {
                return try await admit(question, quantity, eventID: nextID(), key: nil)
            }
            let key = IdempotencyBook.key(path.owner.id, question.feature, id)
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
                        question, quantity, eventID: "c:" + id, key: key)
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

    /// Charges and records one admission. The event names the asked customer; what it counts for
    /// further up the tree follows from the contract.
    private func admit(
        _ question: EntitlementQuestion, _ quantity: Int64, eventID: String, key: String?
    ) async throws(GateError) -> Decision {
        let charge: Charge
        let decision: Decision
        switch try await self.charge(question, quantity) {
        case .denied(let decision):
            statistics.count(decision)
            return decision
        case .charged(let taken, let answer): (charge, decision) = (taken, answer)
        }
        let path = charge.path
        let fields = ControlEvent.Fields([
            .customer: path.owner.id.rawValue, .feature: question.feature.rawValue,
            .meter: path.quota.meter.rawValue, .quantity: String(quantity), .instance: instance,
            .request: key == nil ? "" : question.id ?? "",
            .answer: DecisionRecord.encode(decision),
        ])
        let record = ControlEvent.encode(
            type: ControlEvent.admissionType, id: eventID,
            time: eventTime(path.now, in: charge.period), fields: fields, key: path.snapshot.hash)
        let book = book
        do throws(EventLogError) {
            try await write(record, charge) { if let key { book.finish(key, decision) } }
        } catch {
            if error.outcome == .unknown, let key { book.suspend(key) }
            throw Self.unrecorded(error)
        }
        statistics.count(decision)
        return decision
    }
}
