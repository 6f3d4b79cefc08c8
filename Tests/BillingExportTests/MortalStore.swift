import MeteringModel
import MeteringPorts
import SQLBilling
import Synchronization

/// A store that the process stops writing to after so many writes, as if it had been killed.
final class MortalStore: ExportStore {
    private let store: SQLBilling
    private let writesLeft: Mutex<Int64>

    init(_ store: SQLBilling, writeCountMax: Int64) {
        self.store = store
        writesLeft = Mutex(writeCountMax)
    }

    var isDead: Bool { writesLeft.withLock { $0 < 0 } }

    private func write(_ body: () throws(BillingStoreError) -> Void) throws(BillingStoreError) {
        let isDead = writesLeft.withLock { left in
            left -= 1
            return left < 0
        }
        if isDead { throw BillingStoreError(code: .unavailable, message: "killed") }
        try body()
    }

    func meterEventHistory(
        _ customer: CustomerID, _ meter: MeterKey, from: Timestamp
    ) throws(BillingStoreError) -> MeterEventHistory {
        try store.meterEventHistory(customer, meter, from: from)
    }
    func meterEventHistories(
        of customers: [CustomerID], _ meter: MeterKey, from: Timestamp
    ) throws(BillingStoreError) -> [MeterEventHistory] {
        try store.meterEventHistories(of: customers, meter, from: from)
    }
    func plan(_ plans: [MeterEventPlan]) throws(BillingStoreError) {
        try write { () throws(BillingStoreError) in try store.plan(plans) }
    }
    func dueMeterEvents(
        at instant: Timestamp, limit: Int
    ) throws(BillingStoreError) -> [StoredMeterEvent] {
        try store.dueMeterEvents(at: instant, limit: limit)
    }
    func beginCall(
        _ sequence: Int64, timestamp: Timestamp, at instant: Timestamp, retryAt: Timestamp
    ) throws(BillingStoreError) {
        try write { () throws(BillingStoreError) in
            try store.beginCall(sequence, timestamp: timestamp, at: instant, retryAt: retryAt)
        }
    }
    func endCall(
        _ sequence: Int64, _ outcome: MeterEventOutcome, at instant: Timestamp
    ) throws(BillingStoreError) {
        try write { () throws(BillingStoreError) in
            try store.endCall(sequence, outcome, at: instant)
        }
    }
    func meterEvent(_ identifier: String) throws(BillingStoreError) -> StoredMeterEvent? {
        try store.meterEvent(identifier)
    }
    func meterEvents(
        state: StoredMeterEvent.State?, customer: CustomerID?, after sequence: Int64, limit: Int
    ) throws(BillingStoreError) -> [StoredMeterEvent] {
        try store.meterEvents(state: state, customer: customer, after: sequence, limit: limit)
    }
    func resolve(
        _ identifier: String, _ resolution: MeterEventResolution, replacement: MeterEventDraft?
    ) throws(BillingStoreError) {
        try write { () throws(BillingStoreError) in
            try store.resolve(identifier, resolution, replacement: replacement)
        }
    }
    func meterEventSummary() throws(BillingStoreError) -> MeterEventSummary {
        try store.meterEventSummary()
    }
    func meterCredits(
        customer: CustomerID?, after: MeterCredit?, limit: Int
    ) throws(BillingStoreError) -> [MeterCredit] {
        try store.meterCredits(customer: customer, after: after, limit: limit)
    }
    func note(_ export: StatementExportNote) throws(BillingStoreError) {
        try write { () throws(BillingStoreError) in try store.note(export) }
    }
    func exportNotes(
        month: BillingMonth?, after sequence: Int64, limit: Int
    ) throws(BillingStoreError) -> [(sequence: Int64, note: StatementExportNote)] {
        try store.exportNotes(month: month, after: sequence, limit: limit)
    }
}
