import MeteringModel
import MeteringPorts
import Synchronization

/// What the gate reads of a ledger, in memory: usage rows, hour rollups, crossings.
final class MemoryLedger: PartialLedger {
    private struct State {
        var rows: [UsageKey: StoredUsage] = [:]
        var hours: [Place: [Timestamp: Int64]] = [:]
        var crossings: [StoredCrossing] = []
        var unreadable: CustomerID?
    }
    private struct Place: Hashable {
        var customer: CustomerID
        var meter: MeterKey
    }
    private let state = Mutex<State>(State())

    func copy(_ other: MemoryLedger) {
        let copy = other.state.withLock { $0 }
        state.withLock { $0 = copy }
    }

    /// Reading this customer's rows fails; nil: none.
    func fail(_ customer: CustomerID?) { state.withLock { $0.unreadable = customer } }

    func add(_ row: UsageKey, _ units: Int64, at: Timestamp, admitted: Bool) -> UsageChange {
        state.withLock { state in
            let before =
                state.rows[row]
                ?? StoredUsage(key: row, aggregation: .count, state: UsageState(), admitted: 0)
            var after = before
            after.state.merge(UsageState(count: units, value: units), .count)
            after.admitted += admitted ? units : 0
            state.rows[row] = after
            let hour = Timestamp(seconds: at.seconds.floorDivided(by: 3_600) * 3_600)
            let place = Place(customer: row.customer, meter: row.meter)
            state.hours[place, default: [:]][hour, default: 0] += units
            return UsageChange(
                key: row, aggregation: .count, before: before.state, after: after.state,
                admittedBefore: before.admitted, admittedAfter: after.admitted)
        }
    }

    func note(_ crossings: [Crossing]) {
        state.withLock { state in
            for crossing in crossings {
                let sequence = Int64(state.crossings.count + 1)
                state.crossings.append(StoredCrossing(sequence: sequence, crossing: crossing))
            }
        }
    }

    // MARK: LedgerQueries

    func liveUsage(
        endingAfter instant: Timestamp, _ body: (StoredUsage) -> Void
    ) throws(LedgerError) {
        let rows = state.withLock { Array($0.rows.values) }
        for row in rows where row.key.period.end > instant { body(row) }
    }

    func usage(_ key: UsageKey) throws(LedgerError) -> StoredUsage? {
        if state.withLock({ $0.unreadable == key.customer }) {
            throw LedgerError(code: .unavailable, message: "unreadable")
        }
        return state.withLock { $0.rows[key] }
    }

    func rollups(_ query: RollupQuery) throws(LedgerError) -> [StoredRollup] {
        let place = Place(customer: query.customer, meter: query.meter)
        let hours = state.withLock { $0.hours[place] ?? [:] }
        let size: Int64 = query.window == .hour ? 3_600 : 86_400
        var sums: [Timestamp: Int64] = [:]
        for (hour, units) in hours {
            let start = Timestamp(seconds: hour.seconds.floorDivided(by: size) * size)
            if start >= query.from, start < query.to { sums[start, default: 0] += units }
        }
        return sums.sorted { $0.key < $1.key }.map {
            StoredRollup(
                start: $0.key, dimensions: "{}",
                state: UsageState(count: $0.value, value: $0.value))
        }
    }

    func crossings(
        customer: CustomerID?, since: Timestamp?, after sequence: Int64, limit: Int
    ) throws(LedgerError) -> [StoredCrossing] {
        state.withLock { state in
            let found = state.crossings.filter {
                $0.sequence > sequence && (customer == nil || $0.crossing.customer == customer)
            }
            return Array(found.prefix(limit))
        }
    }

    func totals() throws(LedgerError) -> [MeterTotal] { [] }
    func setAside(
        kind: SetAsideEvent.Kind?, after sequence: Int64, limit: Int
    ) throws(LedgerError) -> [StoredSetAside] { [] }
    func setAsideCounts() throws(LedgerError) -> [String: Int64] { [:] }
    func openReservations() throws(LedgerError) -> [Reservation] { [] }
    func reservation(_ id: String) throws(LedgerError) -> Reservation? { nil }
    func admissions(since: Timestamp) throws(LedgerError) -> [AdmissionRecord] { [] }
    func positions() throws(LedgerError) -> [PartitionClaim] { [] }
    func adjustments(customer: CustomerID?) throws(LedgerError) -> [Adjustment] { [] }
}
