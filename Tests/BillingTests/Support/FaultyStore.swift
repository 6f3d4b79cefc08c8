import MeteringModel
import MeteringPorts
import Synchronization

/// A billing store that stops working at one of its writes, just before or just after it, and from
/// then on: what a killed process looks like to the file.
final class FaultyStore: BillingStore {
    enum Moment: Sendable, CaseIterable { case before, after }
    let base: any BillingStore
    private let failsAt: Int
    private let moment: Moment
    /// Told of every closing that was written.
    private let closed: @Sendable () -> Void
    /// Told when histories have been read.
    private let read: @Sendable () -> Void
    private let count = Mutex(0)

    init(
        _ base: any BillingStore, failsAt: Int = .max, _ moment: Moment = .after,
        closed: @escaping @Sendable () -> Void = {}, read: @escaping @Sendable () -> Void = {}
    ) {
        self.read = read
        self.closed = closed
        self.base = base
        self.failsAt = failsAt
        self.moment = moment
    }

    /// Whether the fault has come.
    var hasFailed: Bool { count.withLock { $0 >= failsAt } }

    private func write<Value>(
        _ body: () throws(BillingStoreError) -> Value
    ) throws(BillingStoreError) -> Value {
        let number = count.withLock { count -> Int in
            count += 1
            return count
        }
        let killed = BillingStoreError(code: .unavailable, message: "killed")
        if number > failsAt || (number == failsAt && moment == .before) { throw killed }
        let value = try body()
        if number == failsAt { throw killed }
        return value
    }

    func close(_ closings: [StatementClosing]) throws(BillingStoreError) -> [ClosedStatement?] {
        let written = try write { () throws(BillingStoreError) in try base.close(closings) }
        closed()
        return written
    }
    func settle(_ settlement: MonthSettlement) throws(BillingStoreError) {
        try write { () throws(BillingStoreError) in try base.settle(settlement) }
    }
    func note(
        _ marks: [BillingMark], cursor: (name: String, value: Int64)?
    ) throws(BillingStoreError) {
        try write { () throws(BillingStoreError) in try base.note(marks, cursor: cursor) }
    }
    func noteAll(
        from month: BillingMonth, _ cause: BillingCause, cursor: (name: String, value: Int64)?
    ) throws(BillingStoreError) {
        try write { () throws(BillingStoreError) in
            try base.noteAll(from: month, cause, cursor: cursor)
        }
    }
    func setCursor(_ name: String, _ value: Int64) throws(BillingStoreError) {
        try write { () throws(BillingStoreError) in try base.setCursor(name, value) }
    }
    func setClosedThrough(zone: String, _ month: BillingMonth) throws(BillingStoreError) {
        try write { () throws(BillingStoreError) in
            try base.setClosedThrough(zone: zone, month)
        }
    }
    func putAnswer(_ answer: StoredAnswer) throws(BillingStoreError) {
        try write { () throws(BillingStoreError) in try base.putAnswer(answer) }
    }

    // MARK: reads

    func statement(
        _ customer: CustomerID, _ month: BillingMonth
    ) throws(BillingStoreError) -> ClosedStatement? { try base.statement(customer, month) }
    func statements(
        customer: CustomerID?, month: BillingMonth?, after: StatementPlace?, limit: Int
    ) throws(BillingStoreError) -> [ClosedStatement] {
        try base.statements(customer: customer, month: month, after: after, limit: limit)
    }
    func statements(
        afterSequence sequence: Int64, limit: Int
    ) throws(BillingStoreError) -> [ClosedStatement] {
        try base.statements(afterSequence: sequence, limit: limit)
    }
    func statements(
        of customers: [CustomerID], from first: BillingMonth, through last: BillingMonth
    ) throws(BillingStoreError) -> [CustomerID: [ClosedStatement]] {
        try base.statements(of: customers, from: first, through: last)
    }
    func pendingLines(
        of customers: [CustomerID]
    ) throws(BillingStoreError) -> [CustomerID: [StatementLine]] {
        try base.pendingLines(of: customers)
    }
    func histories(of customers: [CustomerID]) throws(BillingStoreError) -> [BilledHistory] {
        let histories = try base.histories(of: customers)
        read()
        return histories
    }
    func lines(
        _ customer: CustomerID, _ month: BillingMonth
    ) throws(BillingStoreError) -> [StatementLine] { try base.lines(customer, month) }
    func billed(
        _ customer: CustomerID, _ month: BillingMonth
    ) throws(BillingStoreError) -> BilledMonth { try base.billed(customer, month) }
    func pendingLines(_ customer: CustomerID) throws(BillingStoreError) -> [StatementLine] {
        try base.pendingLines(customer)
    }
    func customersWithPendingLines(
        after: CustomerID?, limit: Int
    ) throws(BillingStoreError) -> [CustomerID] {
        try base.customersWithPendingLines(after: after, limit: limit)
    }
    func marks(
        dueBy instant: Timestamp, limit: Int
    ) throws(BillingStoreError) -> [StoredMark] { try base.marks(dueBy: instant, limit: limit) }
    func marks(
        _ customer: CustomerID, _ month: BillingMonth?
    ) throws(BillingStoreError) -> [StoredMark] { try base.marks(customer, month) }
    func cursor(_ name: String) throws(BillingStoreError) -> Int64 { try base.cursor(name) }
    func closedThrough(zone: String) throws(BillingStoreError) -> BillingMonth? {
        try base.closedThrough(zone: zone)
    }
    func answer(idempotencyKey: String) throws(BillingStoreError) -> StoredAnswer? {
        try base.answer(idempotencyKey: idempotencyKey)
    }
}
